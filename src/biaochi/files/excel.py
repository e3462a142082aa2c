"""Excel workbooks: every sheet a table; merged cells, formulas and archives that explode are refused."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from biaochi.errors import MissingExtra, Place, Problem, Text, refuse
from biaochi.files.csv import assemble
from biaochi.table import LONGEST_CELL, Table

LARGEST_UNPACKED = 500_000_000
"""Bytes a workbook may unpack to."""
MOST_CELLS = 50_000_000
"""Cells the used area of a sheet may have."""


def read_sheets(path: Path, name: str | None = None, only: Container[str] | None = None) -> dict[str, Table]:
    """Sheets that hold anything, by name; the first used row of each is its header.

    Parameters
    ----------
    path : Path
    name : str, optional
        What to call the file in messages.
    only : container of str, optional
        Lower-case names of the sheets wanted; others are neither read nor checked.

    Raises
    ------
    BadInput
        Not an .xlsx workbook, protected by a password, unpacks to more than 500 MB, merged cells,
        formulas, error values, and what `assemble` finds.
    """
    try:
        import python_calamine
    except ImportError:
        raise MissingExtra("python-calamine", "excel") from None
    name = name or path.name
    suspect = _look_inside(path, name)
    found: list[Problem] = []
    sheets: dict[str, Table] = {}
    try:
        with python_calamine.CalamineWorkbook.from_path(str(path)) as book:
            for title in book.sheet_names:
                if only is None or title.lower() in only:
                    table = _sheet(book.get_sheet_by_name(title), name, title, found)
                    if table is not None:
                        sheets[title] = table
    except python_calamine.PasswordError:
        refuse([_cannot(name, "password", "the workbook is protected by a password.", "工作簿受密码保护。")])
    except python_calamine.CalamineError as e:
        refuse([_cannot(name, "not-a-workbook", f"this is not a readable workbook ({e}).", f"无法作为工作簿读取（{e}）。")])
    if suspect:
        found.extend(_formulas_and_errors(path, name, sheets))
    refuse(found)
    return sheets


def cannot_be_read(name: str, why: str) -> Problem:
    """The problem of a file that is no workbook."""
    return _cannot(name, "not-a-workbook", f"this is not a readable workbook ({why}).", f"无法作为工作簿读取（{why}）。")


def _look_inside(path: Path, name: str) -> bool:
    """Refuse an archive that unpacks too far or has cells far out; tell whether a sheet has formulas or errors."""
    if not path.stat().st_size:
        refuse([_cannot(name, "empty-file", "the file is empty.", "文件为空。")])
    if not zipfile.is_zipfile(path):
        refuse([_cannot(name, "not-a-workbook", "this is not an .xlsx workbook, or it is protected by a password.", "不是 .xlsx 工作簿，或受密码保护。")])
    suspect = False
    try:
        with zipfile.ZipFile(path) as z:
            parts = z.infolist()
            size = sum(p.file_size for p in parts)
            if size > LARGEST_UNPACKED:
                refuse([_cannot(name, "zip-bomb", f"the workbook unpacks to {size:,} bytes; at most {LARGEST_UNPACKED:,} are read.",
                                f"工作簿解压后为 {size:,} 字节，上限 {LARGEST_UNPACKED:,}。")])  # fmt: skip
            for part in parts:
                if re.fullmatch(r"xl/worksheets/[^/]+\.xml", part.filename):
                    xml = z.read(part)
                    suspect = suspect or bool(_SUSPECT.search(xml))
                    if not _fits(xml):
                        refuse([_cannot(name, "sheet-too-large", f"{part.filename}: the used area of the sheet has more than {MOST_CELLS:,} cells, or cells that cannot exist.",
                                        f"{part.filename}：工作表已用区域超过 {MOST_CELLS:,} 个单元格，或含有不存在的单元格地址。")])  # fmt: skip
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, OSError) as e:
        refuse([_cannot(name, "not-a-workbook", f"the file is damaged ({e}).", f"文件已损坏（{e}）。")])
    return suspect


_SUSPECT = re.compile(rb"<(?:\w+:)?f[\s>/]|\st=[\"']e[\"']")
_CELL = re.compile(rb"<(?:\w+:)?c\s[^>]*?\br=[\"']([A-Za-z]+)(\d+)[\"']")


def _fits(xml: bytes) -> bool:
    """Whether the area from A1 to the last cell is one a sheet can have and we can read."""
    bottom = right = 0
    for letters, row in _CELL.findall(xml):
        bottom = max(bottom, int(row[:9]))
        right = max(right, len(letters) * 27 if len(letters) > 3 else _column(letters.decode()))
    return bottom <= 1_048_576 and right <= 16_384 and bottom * right <= MOST_CELLS


def _column(letters: str) -> int:
    number = 0
    for c in letters.upper():
        number = number * 26 + ord(c) - 64
    return number


def _sheet(sheet: Any, file: str, title: str, found: list[Problem]) -> Table | None:
    if sheet.start is None:
        return None
    (top, left), (_, right) = sheet.start, sheet.end
    for (r0, c0), (r1, c1) in sheet.merged_cell_ranges or ():
        span = f"{letter(c0)}{r0 + 1}:{letter(c1)}{r1 + 1}"
        found.append(Problem("merged-cells", Text(f"the cells {span} are merged.", f"单元格 {span} 已合并。"),
                             Text("Unmerge them and write the value into each.", "请取消合并，并在每个单元格中填写。"), Place(file, title, r0 + 1, letter(c0))))  # fmt: skip
    rows = [(top + i + 1, r) for i, r in enumerate(sheet.to_python()) if any(c != "" for c in r)]
    if not rows:
        return None
    letters = [letter(left + i) for i in range(right - left + 1)]
    header = ["" if h == "" else str(int(h)) if isinstance(h, float) and h.is_integer() else str(h).strip() for h in rows[0][1]]
    return assemble(header, rows[1:], file, title, found, letters)


def _formulas_and_errors(path: Path, name: str, used: Container[str]) -> list[Problem]:
    """Cells that hold a formula (what they show may be out of date, or not there at all) or an error value."""
    import openpyxl

    found = []
    try:
        book = openpyxl.load_workbook(path, read_only=True)
        for sheet in book.worksheets:
            for cell in (c for row in sheet.iter_rows() for c in row if sheet.title in used and c.data_type in ("f", "e")):
                place = Place(name, sheet.title, cell.row, cell.column_letter)
                told = str(getattr(cell.value, "text", cell.value))[:60]
                if cell.data_type == "f":
                    found.append(Problem("formula-cell", Text(f"the cell holds the formula {told}.", f"该单元格是公式 {told}。"),
                                         Text("Copy the cells and paste them as values.", "请复制后选择性粘贴为数值。"), place))  # fmt: skip
                else:
                    found.append(Problem("spreadsheet-error", Text(f"the cell holds the error {told}.", f"该单元格是错误值 {told}。"),
                                         Text("Write a number, or leave the cell empty.", "请填写数字，无值则留空。"), place))  # fmt: skip
        book.close()
    except Exception as e:  # a library's own errors for parts that only it reads; the formulas are there, but not their places
        refuse([_cannot(name, "formula-cell", f"the workbook has formulas or error values, and their places cannot be read ({type(e).__name__}).",
                        f"工作簿含有公式或错误值，且无法读取其位置（{type(e).__name__}）。")])  # fmt: skip
    return found


def _cannot(file: str, kind: str, en: str, zh: str) -> Problem:
    fix = Text("Paste values only into a new workbook and save it as .xlsx without password.", "请将数值粘贴到新工作簿，另存为不带密码的 .xlsx。")
    return Problem(kind, Text(en, zh), fix, Place(file))


def letter(column: int) -> str:
    """Letters of a column, A for 0."""
    out = ""
    column += 1
    while column:
        column, digit = divmod(column - 1, 26)
        out = chr(65 + digit) + out
    return out


def _holds(file: str, title: str, columns: Mapping[str, Sequence[Any] | np.ndarray[Any, Any]]) -> None:
    """Refuse what a sheet cannot hold: more rows or columns than there are, texts too long."""
    rows = max((len(c) for c in columns.values()), default=0)
    if rows > 1_048_575 or len(columns) > 16_384:
        what = Text(f"the sheet {title} would have {rows:,} rows and {len(columns):,} columns; a sheet holds 1,048,575 and 16,384.",
                    f"工作表 {title} 将有 {rows:,} 行、{len(columns):,} 列；上限为 1,048,575 行、16,384 列。")  # fmt: skip
        refuse([Problem("sheet-too-large", what, Text("Use Parquet or SDMX-CSV.", "请使用 Parquet 或 SDMX-CSV。"), Place(file, title))])
    long = [(name, i + 1) for name, cells in columns.items() for i, v in enumerate(cells) if isinstance(v, str) and len(v) > LONGEST_CELL]
    refuse(
        Problem("cell-too-long", Text(f"a text is longer than the {LONGEST_CELL:,} characters a cell holds.", f"文本超过单元格上限 {LONGEST_CELL:,} 个字符。"),
                Text("Shorten it, or use another format.", "请缩短，或改用其他格式。"), Place(file, title, i, name))
        for name, i in long[:100]
    )  # fmt: skip


def exact_sheet() -> Any:
    """A kind of worksheet that writes numbers with all their digits; the library's own cuts them at 16."""
    from xlsxwriter.worksheet import Worksheet

    class Exact(Worksheet):  # type: ignore[misc]
        def _xml_number_element(self, number: float, attributes: Sequence[tuple[str, Any]] = ()) -> None:
            told = "".join(f' {k}="{v}"' for k, v in attributes)
            self.fh.write(f"<c{told}><v>{float(number)!r}</v></c>")

    return Exact


def write_tables(path: str | Path, tables: Mapping[str, Mapping[str, Sequence[Any] | np.ndarray[Any, Any]]]) -> None:
    """Write plain tables, one a sheet: bold frozen header, numbers as numbers, missing as empty cells."""
    try:
        import xlsxwriter
    except ImportError:
        raise MissingExtra("xlsxwriter", "excel") from None
    with xlsxwriter.Workbook(str(path), {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}) as book:
        head = book.add_format({"bold": True, "bottom": 1})
        for title, columns in tables.items():
            _holds(str(path), title, columns)
            sheet = book.add_worksheet(title, exact_sheet())
            sheet.freeze_panes(1, 0)
            sheet.write_row(0, 0, list(columns), head)
            for r, row in enumerate(zip(*columns.values(), strict=True), start=1):
                for c, value in enumerate(row):
                    if isinstance(value, (float, np.floating)):
                        if np.isfinite(value):
                            sheet.write_number(r, c, float(value))
                    elif value is not None:
                        sheet.write(r, c, value)
