"""Read and write: one file a format, one registry."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from biaochi.errors import Place, Problem, Text, UnknownName, refuse
from biaochi.files.csv import read_csv
from biaochi.files.excel import read_sheets
from biaochi.files.parquet import read_parquet
from biaochi.table import Table


def _sheets(path: Path, name: str) -> list[Table]:
    return list(read_sheets(path, name).values())


READERS: dict[str, Callable[[Path, str], list[Table]]] = {
    ".csv": lambda path, name: [read_csv(path, name)],
    ".tsv": lambda path, name: [read_csv(path, name)],
    ".txt": lambda path, name: [read_csv(path, name)],
    ".xlsx": _sheets,
    ".xlsm": _sheets,
    ".xls": _sheets,
    ".ods": _sheets,
    ".parquet": lambda path, name: [read_parquet(path, name)],
}
"""Formats a table can be read from, by file ending."""


def read_tables(path: str | Path, name: str | None = None) -> list[Table]:
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
    return reader(path, name)


def no_file(name: str) -> Problem:
    """The problem of a file that is not there."""
    return Problem("no-file", Text("there is no such file.", "文件不存在。"),
                   Text("Check the name in biaochi.toml.", "请检查 biaochi.toml 中的文件名。"), Place(name))  # fmt: skip
