"""Observations from files: one table or several, long or wide."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from biaochi.files import read_table
from biaochi.panel import Panel


def read_panel(
    data: str | Path | list[str | Path],
    *,
    units: str | Path | None = None,
    period: str | None = None,
    columns: Mapping[str, str] | None = None,
    ignore: Iterable[str] = (),
) -> Panel:
    """A panel from files (CSV, Excel, Parquet); options as in `Panel.of`.

    In a workbook the sheet ``Data`` (数据) is read, or the only one, or the one named: ``file.xlsx#Sheet``.

    Raises
    ------
    BadInput
        With every problem, each with file, sheet, row and column.
    """
    paths = data if isinstance(data, list) else [data]
    tables = [read_table(p, "data", "数据") for p in paths]
    known = read_table(units, "units", "单位") if units is not None else None
    return Panel.of(tables, units=known, period=period, columns=columns, ignore=ignore)
