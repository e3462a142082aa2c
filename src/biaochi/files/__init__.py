"""Read and write: one file a format, one registry."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from biaochi.errors import Place, Problem, Text, UnknownName, refuse
from biaochi.files.csv import checked, read_csv
from biaochi.files.excel import read_sheets
from biaochi.files.jsonstat import is_jsonstat, read_jsonstat
from biaochi.files.parquet import read_parquet
from biaochi.files.sdmx.csv import from_sdmx_csv, is_sdmx
from biaochi.files.sdmx.json import read_sdmx_json
from biaochi.files.sdmx.ml import read_sdmx_ml
from biaochi.table import Table

Reader = Callable[[Path, str, str], list[Table]]


def _sheets(path: Path, name: str, sheet: str) -> list[Table]:
    sheets = list(read_sheets(path, name, {sheet.lower()} if sheet else None).values())
    if not sheets:
        what = (
            Text(f"there is no sheet {sheet!r} with anything in it.", f"没有内容非空的工作表 {sheet!r}。")
            if sheet
            else Text("all sheets are empty.", "所有工作表均为空。")
        )
        refuse([Problem("empty-file", what, Text("Add a header and rows.", "请补充表头和数据。"), Place(name))])
    return sheets


def _text(path: Path, name: str, sheet: str) -> list[Table]:
    table = read_csv(path, name)
    return [from_sdmx_csv(table) if is_sdmx(table) else table]


def _xml(path: Path, name: str, sheet: str) -> list[Table]:
    return [checked(t) for t in read_sdmx_ml(path, name)]


def _json(path: Path, name: str, sheet: str) -> list[Table]:
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as e:
        refuse(
            [
                Problem(
                    "bad-json",
                    Text(f"this is not readable JSON ({e}).", f"不是可读取的 JSON（{e}）。"),
                    Text("Write the file again.", "请重新生成该文件。"),
                    Place(name),
                )
            ]
        )
    return [checked(t) for t in (read_jsonstat(document, name) if is_jsonstat(document) else read_sdmx_json(document, name))]


READERS: dict[str, Reader] = {
    ".csv": _text,
    ".tsv": _text,
    ".txt": _text,
    ".xlsx": _sheets,
    ".xlsm": _sheets,
    ".xml": _xml,
    ".json": _json,
    ".parquet": lambda path, name, sheet: [read_parquet(path, name)],
}
"""Formats a table can be read from, by file ending."""


def read_tables(path: str | Path, name: str | None = None, sheet: str = "") -> list[Table]:
    """Every table in a file (a workbook may hold several), its format told by its ending.

    Raises
    ------
    BadInput
        If the file is not there or cannot be read, with every problem found in it.
    UnknownName
        If the ending is not one of `READERS`.
    """
    path = Path(path)
    name = name or path.name
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise UnknownName(Text("file ending", "文件扩展名"), path.suffix, READERS)
    if not path.is_file():
        refuse([no_file(name)])
    return reader(path, name, sheet)


def read_table(path: str | Path, *names: str, name: str | None = None) -> Table:
    """The one table of a file; in a workbook the sheet of one of these names, else the only one.

    ``file.xlsx#Sheet`` names the sheet; others are then neither read nor checked.

    Raises
    ------
    BadInput
        Also when a workbook holds several sheets and none, or more than one, has such a name.
    """
    file, _, wanted = (str(path), "", "") if Path(path).is_file() else str(path).partition("#")
    name = (name or Path(file).name) if not wanted else Path(file).name
    tables = read_tables(file, name, wanted)
    named = [t for t in tables if (t.sheet or "").lower() in names]
    got = named or tables
    if len(got) != 1:
        sheets = ", ".join(repr(t.sheet) for t in tables)
        what = Text(f"which sheet is meant? There are {sheets}.", f"无法确定使用哪个工作表；现有：{sheets}。")
        refuse([Problem("which-sheet", what, Text(f"Name it: {name}#SHEET.", f"请指明：{name}#工作表名。"), Place(name))])
    return got[0]


def no_file(name: str) -> Problem:
    """The problem of a file that is not there."""
    return Problem("no-file", Text("there is no such file.", "文件不存在。"),
                   Text("Check the name in biaochi.toml.", "请检查 biaochi.toml 中的文件名。"), Place(name))  # fmt: skip
