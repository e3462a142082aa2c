"""Observations from files: one table or several, long or wide."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from biaochi.files import read_tables
from biaochi.panel import Panel
from biaochi.table import Table


def read_panel(
    data: str | Path | list[str | Path],
    *,
    units: str | Path | None = None,
    period: str | None = None,
    columns: Mapping[str, str] | None = None,
    ignore: Iterable[str] = (),
) -> Panel:
    """A panel from files (CSV, Excel, Parquet); options as in `Panel.of`.

    Raises
    ------
    BadInput
        With every problem, each with file, sheet, row and column.
    """
    paths = data if isinstance(data, list) else [data]
    tables: list[Any] = [sheet_of(read_tables(p), "data", "数据") for p in paths]
    known = sheet_of(read_tables(units), "units", "单位") if units is not None else None
    return Panel.of(tables, units=known, period=period, columns=columns, ignore=ignore)


def sheet_of(tables: list[Table], *names: str) -> Table:
    """The sheet of one of these names, else the first."""
    return next((t for t in tables if (t.sheet or "").lower() in names), tables[0])
