"""Excel workbooks: every sheet a table; merged cells, formulas and archives that explode are refused."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from biaochi.errors import MissingExtra, Place, Problem, Text, refuse
from biaochi.files.csv import assemble
from biaochi.table import Table

LARGEST_UNPACKED = 500_000_000
"""Bytes a workbook may unpack to."""
MOST_CELLS = 50_000_000
"""Cells the used area of a sheet may have."""


def read_sheets(path: Path, name: str | None = None) -> dict[str, Table]:
    """All sheets that hold anything, by name; the first used row of each is its header.

    Raises
    ------
    BadInput
        Not a workbook, protected by a password, unpacks to more than 500 MB, merged cells,
        formulas, and what `assemble` finds.
    """
    try:
        import python_calamine
    except ImportError:
        raise MissingExtra("python-calamine", "excel") from None
    name = name or path.name
    if not path.stat().st_size:
        refuse([_cannot(name, "empty-file", "the file is empty.", "文件为空。")])
    has_formulas = _look_inside(path, name)
    found: list[Problem] = []
    sheets: dict[str, Table] = {}
    try:
        with python_calamine.CalamineWorkbook.from_path(str(path)) as book:
            for title in book.sheet_names:
                table = _sheet(book.get_sheet_by_name(title), name, title, found)
                if table is not None:
                    sheets[title] = table
    except python_calamine.PasswordError:
        refuse([_cannot(name, "password", "the workbook is protected by a password.", "工作簿受密码保护。")])
    except python_calamine.CalamineError as e:
        refuse([_cannot(name, "not-a-workbook", f"this is not a readable workbook ({e}).", f"无法作为工作簿读取（{e}）。")])
    if has_formulas:
        found.extend(_formulas(path, name))
    refuse(found)
    return sheets


def _look_inside(path: Path, name: str) -> bool:
    """Refuse an archive that unpacks too far; tell whether any sheet has a formula."""
    if not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as z:
            parts = z.infolist()
            size = sum(p.file_size for p in parts)
            if size > LARGEST_UNPACKED:
                refuse([_cannot(name, "zip-bomb", f"the workbook unpacks to {size:,} bytes; at most {LARGEST_UNPACKED:,} are read.",
                                f"工作簿解压后为 {size:,} 字节，上限 {LARGEST_UNPACKED:,}。")])  # fmt: skip
            sheets = [p for p in parts if p.filename.startswith("xl/worksheets/") and p.filename.endswith(".xml")]
            return any(b"<f>" in (xml := z.read(p)) or b"<f " in xml for p in sheets)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError) as e:
        refuse([_cannot(name, "not-a-workbook", f"the file is damaged ({e}).", f"文件已损坏（{e}）。")])
    return False


def _sheet(sheet: Any, file: str, title: str, found: list[Problem]) -> Table | None:
    if sheet.start is None:
        return None
    (top, left), (bottom, right) = sheet.start, sheet.end
    if (bottom - top + 1) * (right - left + 1) > MOST_CELLS:
        found.append(
            _cannot(
                file,
                "sheet-too-large",
                f"the used area of the sheet has more than {MOST_CELLS:,} cells.",
                f"工作表已用区域超过 {MOST_CELLS:,} 个单元格。",
                title,
            )
        )
        return None
    for (r0, c0), (r1, c1) in sheet.merged_cell_ranges or ():
        found.append(Problem("merged-cells", Text(f"the cells {letter(c0)}{r0 + 1}:{letter(c1)}{r1 + 1} are merged.", f"单元格 {letter(c0)}{r0 + 1}:{letter(c1)}{r1 + 1} 已合并。"),
                             Text("Unmerge them and write the value into each.", "请取消合并，并在每个单元格中填写。"), Place(file, title, r0 + 1, letter(c0))))  # fmt: skip
    rows = [(top + i + 1, r) for i, r in enumerate(sheet.to_python()) if any(c != "" for c in r)]
    if not rows:
        return None
    letters = [letter(left + i) for i in range(right - left + 1)]
    header = ["" if h == "" else str(int(h)) if isinstance(h, float) and h.is_integer() else str(h).strip() for h in rows[0][1]]
    return assemble(header, rows[1:], file, title, found, letters)


def _formulas(path: Path, name: str) -> list[Problem]:
    """Cells that hold a formula: what they show may be out of date, or not there at all."""
    import openpyxl

    found = []
    book = openpyxl.load_workbook(path, read_only=True)
    for sheet in book.worksheets:
        for row in sheet.iter_rows():
            for cell in row:
                if cell.data_type == "f":
                    place = Place(name, sheet.title, cell.row, cell.column_letter)
                    found.append(Problem("formula-cell", Text(f"the cell holds the formula {str(cell.value)[:60]}.", f"该单元格是公式 {str(cell.value)[:60]}。"),
                                         Text("Copy the cells and paste them as values.", "请复制后选择性粘贴为数值。"), place))  # fmt: skip
    book.close()
    return found


def _cannot(file: str, kind: str, en: str, zh: str, sheet: str | None = None) -> Problem:
    fix = Text("Save it again as an .xlsx workbook without password.", "请重新另存为不带密码的 .xlsx 工作簿。")
    return Problem(kind, Text(en, zh), fix, Place(file, sheet))


def letter(column: int) -> str:
    """Letters of a column, A for 0."""
    out = ""
    column += 1
    while column:
        column, digit = divmod(column - 1, 26)
        out = chr(65 + digit) + out
    return out


def write_tables(path: str | Path, tables: Mapping[str, Mapping[str, Sequence[Any] | np.ndarray[Any, Any]]]) -> None:
    """Write plain tables, one a sheet: bold frozen header, numbers as numbers, missing as empty cells."""
    try:
        import xlsxwriter
    except ImportError:
        raise MissingExtra("xlsxwriter", "excel") from None
    with xlsxwriter.Workbook(str(path), {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}) as book:
        head = book.add_format({"bold": True, "bottom": 1})
        for title, columns in tables.items():
            sheet = book.add_worksheet(title)
            sheet.freeze_panes(1, 0)
            sheet.write_row(0, 0, list(columns), head)
            for r, row in enumerate(zip(*columns.values(), strict=True), start=1):
                for c, value in enumerate(row):
                    if isinstance(value, (float, np.floating)):
                        if np.isfinite(value):
                            sheet.write_number(r, c, float(value))
                    elif value is not None:
                        sheet.write(r, c, value)
