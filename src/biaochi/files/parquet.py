"""Parquet files, through whichever frame library is installed."""

from __future__ import annotations

import importlib
from pathlib import Path

from biaochi.errors import MissingExtra, Place, Problem, Text, refuse
from biaochi.table import MANY, Table


def read_parquet(path: Path, name: str | None = None) -> Table:
    """A Parquet file as a table.

    Raises
    ------
    MissingExtra
        If neither pyarrow nor polars is installed.
    BadInput
        If the file cannot be read.
    """
    for module, reader in (("pyarrow.parquet", "read_table"), ("polars", "read_parquet")):
        try:
            read = getattr(importlib.import_module(module), reader)
        except ImportError:
            continue
        try:
            made = read(str(path))
            if module == "pyarrow.parquet" and len(made) >= MANY:
                from biaochi.arrow import table_of

                return table_of(made, name or path.name, range(len(made)))
            return Table.of(made, name or path.name)
        except Exception as e:  # each library has its own errors for a damaged file
            what = Text(f"this is not a readable Parquet file ({type(e).__name__}).", f"无法作为 Parquet 文件读取（{type(e).__name__}）。")
            refuse([Problem("not-parquet", what, Text("Write the file again.", "请重新生成该文件。"), Place(name or path.name))])
    raise MissingExtra("pyarrow", "frames")
