"""SDMX-CSV 2.0: observations, one line each."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biaochi.errors import Problem, Text, refuse
from biaochi.files.columns import Observations
from biaochi.files.sdmx.model import AGENCY, ATTRIBUTES, DIMENSIONS, FLOW, VERSION, escape, unescape
from biaochi.method import Array
from biaochi.panel import Panel
from biaochi.table import MANY, Table

HEADER = ("STRUCTURE", "STRUCTURE_ID", "ACTION", *DIMENSIONS, "OBS_VALUE", *ATTRIBUTES)


def write_sdmx_csv(panel: Panel, path: str | Path) -> None:
    """Write the observations of a panel as SDMX-CSV 2.0.

    A missing value with a status is written as ``NaN``. Names are not part of this format: write the structure beside it.

    Parameters
    ----------
    panel : Panel
    path : str or Path
    """
    o = Observations.of(panel)
    if len(o) >= MANY and _by_columns(o, Path(path)):
        return
    flow = f"{AGENCY}:{FLOW}({VERSION})"
    with Path(path).open("w", encoding="utf-8", newline="") as f:
        out = csv.writer(f)
        out.writerow(HEADER)
        rows = zip(map(escape, o.labels("unit")), map(escape, o.labels("indicator")), o.labels("period"), o.values, o.status, o.source, strict=True)
        out.writerows(("dataflow", flow, "I", u, c, p, "NaN" if v != v else repr(v), s, t) for u, c, p, v, s, t in rows)


def _by_columns(o: Observations, path: Path) -> bool:
    """The same by Arrow, where it is installed."""
    try:
        import pyarrow as pa
        import pyarrow.compute as pc
        from pyarrow import csv as arrow_csv
    except ImportError:
        return False
    from biaochi.arrow import encoded

    names = {"REF_AREA": "unit", "INDICATOR": "indicator", "TIME_PERIOD": "period"}
    dims = {d: encoded([escape(n) for n in o.axis(f)[0]], o.axis(f)[1]).cast(pa.string()) for d, f in names.items()}
    at = (o.period, o.unit, o.code)
    values = pa.array(o.panel.values[at]).cast(pa.string())
    status, source = pa.array(o.panel.status[at]), encoded(o.panel.sources, o.panel.source[at]).cast(pa.string())
    fixed = {k: pa.repeat(v, len(o)) for k, v in (("STRUCTURE", "dataflow"), ("STRUCTURE_ID", f"{AGENCY}:{FLOW}({VERSION})"), ("ACTION", "I"))}
    values = pc.if_else(pc.equal(values, "nan"), "NaN", values)
    table = pa.table({**fixed, **dims, "OBS_VALUE": values, "OBS_STATUS": status, "SOURCE": source})
    arrow_csv.write_csv(table, str(path), arrow_csv.WriteOptions(quoting_style="needed"))
    return True


def is_sdmx(table: Table) -> bool:
    """Whether a table of text is SDMX-CSV, 1.0 (DATAFLOW) or 2.0 (STRUCTURE)."""
    first = next(iter(table.columns), "")
    return first.split("[")[0] in ("STRUCTURE", "DATAFLOW") and any(
        c.split(":")[0].strip() in ("OBS_VALUE", "TIME_PERIOD", "STRUCTURE_ID") for c in table.columns
    )


def from_sdmx_csv(table: Table) -> Table:
    """The observations of an SDMX-CSV table: identifiers without labels, without the columns that name the structure.

    Raises
    ------
    BadInput
        If a line deletes or replaces observations: only information to take in is read.
    """
    ids = {c: c.split("[")[0].split(":")[0].strip() for c in table.columns}
    action = next((c for c, name in ids.items() if name == "ACTION"), None)
    wrong = [i for i, a in enumerate(table.columns[action]) if str(a).strip().upper() not in ("I", "A", "M", "")] if action else []
    refuse(
        Problem("sdmx-action", Text(f"the action {table.columns[str(action)][i]!r} changes data elsewhere.", f"动作 {table.columns[str(action)][i]!r} 针对他处数据。"),
                Text("Keep lines of action I (information) only.", "只保留动作为 I（信息）的行。"), table.place(i, action))
        for i in wrong[:100]
    )  # fmt: skip
    labelled = any(":" in c for c in table.columns)
    kept = {c: name for c, name in ids.items() if name not in ("STRUCTURE", "STRUCTURE_ID", "STRUCTURE_NAME", "DATAFLOW", "ACTION")}
    twice = [c for c, name in kept.items() if list(kept.values()).count(name) > 1]
    refuse(
        Problem("duplicate-header", Text(f"the column {c!r} stands twice.", f"列 {c!r} 重复。"), Text("Delete one.", "请删除其一。"), table.place(None, c))
        for c in twice[:1]
    )
    if table.coded is None or labelled:
        columns = {name: [_bare(v, labelled, name) for v in table.columns[c]] for c, name in kept.items()}
        return Table(columns, table.file, "data", table.rows, long=True)
    coded, back = table.coded, {name: c for c, name in kept.items()}
    cells = {name: _Unescaped(table.columns[c]) if name in DIMENSIONS[:2] else table.columns[c] for c, name in kept.items()}
    values = table.values

    def numbers(n: str) -> Array | None:
        return values(back[n]) if values else None

    return Table(cells, table.file, "data", table.rows, coded=lambda n: _decoded(coded(back[n]), n), values=numbers, long=True)


class _Unescaped(Sequence[Any]):
    """Identifiers as the codes they stand for, cell by cell."""

    def __init__(self, cells: Sequence[Any]) -> None:
        self._cells = cells

    def __len__(self) -> int:
        return len(self._cells)

    def __getitem__(self, i: Any) -> Any:
        got = self._cells[i]
        return [unescape(str(v)) for v in got] if isinstance(i, slice) else unescape(str(got))


def _decoded(read: tuple[Sequence[Any], NDArray[np.intp]] | None, name: str) -> tuple[Sequence[Any], NDArray[np.intp]] | None:
    return read if read is None or name not in DIMENSIONS[:2] else ([unescape(str(v)) for v in read[0]], read[1])


def _bare(cell: object, labelled: bool, name: str) -> str:
    """A cell without its label; ``id: label`` only where the header has labels too."""
    said = str(cell)
    if labelled and name not in ("OBS_VALUE", "SOURCE"):
        said = said.split(": ", maxsplit=1)[0].strip()
    return unescape(said) if name in DIMENSIONS[:2] else said
