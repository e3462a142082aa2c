"""Observations by unit x period x indicator, with status and source; finds its own problems."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biaochi.arrow import as_table
from biaochi.cells import COLUMNS, MOST_CELLS, STATUSES, assemble, cells_of
from biaochi.errors import Place, Problem, Text, UnknownName, refuse, unknown
from biaochi.method import Array
from biaochi.period import Period
from biaochi.units import Unit, read_units

__all__ = ["COLUMNS", "MOST_CELLS", "STATUSES", "Panel"]


def nowhere(p: int, u: int, c: int) -> Place:
    """The place of values that came in at none."""
    return Place()


@dataclass(frozen=True, eq=False)
class Panel:
    """A block of observations. Labels are sorted, so the order of the input never matters.

    ``values``, ``status`` and ``source`` are (period, unit, code); NaN is "no value". ``source``
    holds positions in ``sources``.
    """

    periods: tuple[Period, ...]
    units: tuple[Unit, ...]
    codes: tuple[str, ...]
    values: Array
    status: NDArray[np.str_]
    source: NDArray[np.int32]
    sources: tuple[str, ...] = ("",)
    origin: Callable[[int, int, int], Place] = nowhere
    """Where the cell (period, unit, code) came in."""

    def __post_init__(self) -> None:
        for a in (self.values, self.status, self.source):
            a.flags.writeable = False

    @classmethod
    def of(
        cls,
        data: Any,
        *,
        units: Any = None,
        period: str | None = None,
        columns: Mapping[str, str] | None = None,
        ignore: Iterable[str] = (),
    ) -> Panel:
        """A panel from one table or several, long or wide.

        Parameters
        ----------
        data : pandas, polars or Arrow frame, mapping of columns, `Table`, or a list of these
            Long: columns unit, period, indicator, value and perhaps status and source. Wide: columns
            unit, period, and one column an indicator. Other headers go through ``columns``.
        units : the same, or a sequence of `Unit`, optional
            Columns code, name_zh, name_en, parent, ranked; all others are groupings.
        period : str, optional
            The period of tables that have no period column.
        columns : mapping, optional
            From a name in `COLUMNS` to the header used.
        ignore : iterable of str
            Columns of wide tables and indicators of long ones to pass over.

        Raises
        ------
        BadInput
            With every problem found, each with its place.
        """
        tables = [as_table(d) for d in (data if isinstance(data, (list, tuple)) else [data])]
        found: list[Problem] = []
        known, _ = read_units(units, found)
        if isinstance(ignore, str) or not isinstance(columns or {}, Mapping):
            what = Text("ignore must be a list of names, columns a mapping.", "ignore 应为名称列表，columns 应为映射。")
            refuse([Problem("bad-type", what, Text("Correct the call.", "请更正调用。"))])
        found.extend(
            Problem("unknown-setting", unknown(Text("kind of column", "列的种类"), key, list(COLUMNS)), Text("Correct it.", "请更正。"))
            for key in sorted(set(columns or ()) - COLUMNS.keys())
        )
        cells = [cells_of(t, period, dict(columns or {}), frozenset(ignore), found) for t in tables]
        panel = cls(*assemble([c for c in cells if c is not None], known, found))
        if not found and not panel.codes:
            found.append(Problem("no-rows", Text("there are no values.", "没有任何数值。"), Text("Add data.", "请补充数据。")))
        refuse(found)
        return panel

    def bare(self) -> Panel:
        """The panel without the places its values came in at: what another process needs of it."""
        return replace(self, origin=nowhere)

    @cached_property
    def counts(self) -> NDArray[np.bool_]:
        """(unit,): which units are ranked and set scales."""
        return np.array([u.ranked for u in self.units], bool)

    def unit(self, code: str) -> Unit:
        """The unit with this code."""
        return self.units[self.position(code)]

    def position(self, code: str) -> int:
        """Where a unit stands; `UnknownName` when there is no such unit."""
        index = {u.code: i for i, u in enumerate(self.units)}
        if not isinstance(code, str) or code not in index:
            raise UnknownName(Text("unit", "单位"), code, index)
        return index[code]

    def labels(self, lang: str = "en") -> list[str]:
        """Names of all units; a name that several units share is told apart by parent, groups or code."""
        names = [u.name(lang) for u in self.units]
        shared = {n for n, k in Counter(names).items() if k > 1}
        by_code = {u.code: u for u in self.units}
        out = []
        for u, name in zip(self.units, names, strict=True):
            context = [by_code[u.parent].name(lang)] if u.parent in by_code else list(dict.fromkeys(g for _, g in u.groups))
            out.append(f"{name} ({' · '.join(context) or u.code})" if name in shared else name)
        again = {n for n, k in Counter(out).items() if k > 1}
        return [f"{n} {u.code}" if n in again else n for n, u in zip(out, self.units, strict=True)]

    def groups(self, grouping: str) -> NDArray[np.intp]:
        """(unit,): number of each unit's group, -1 for none; `UnknownName` for an unknown grouping."""
        names = [dict(u.groups).get(grouping, "") if isinstance(grouping, str) else "" for u in self.units]
        if not any(names):
            raise UnknownName(Text("grouping of units", "单位分组"), grouping, {g for u in self.units for g, _ in u.groups})
        order = {g: i for i, g in enumerate(sorted(set(names) - {""}))}
        return np.array([order.get(n, -1) for n in names], np.intp)

    def series(self, code: str) -> Array:
        """(period, unit) values of one code; all NaN where the panel does not hold it."""
        if code in self.codes:
            return self.values[:, :, self.codes.index(code)]
        return np.full(self.values.shape[:2], np.nan)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over units, periods, codes, values, statuses and sources; order and form do not matter."""
        h = hashlib.sha256(b"biaochi.panel 1\0")
        for label in (*map(str, self.periods), *(repr(sorted(u.to_dict().items())) for u in self.units), *self.codes):
            h.update(label.encode() + b"\0")
        h.update(np.where(np.isnan(self.values), np.nan, self.values + 0.0).astype("<f8").tobytes())
        h.update(np.ascontiguousarray(self.status, "<U1").tobytes())
        for name in sorted(set(self.sources)):
            at = np.isin(self.source, [i for i, s in enumerate(self.sources) if s == name])
            h.update(name.encode() + b"\0" + np.packbits(at).tobytes())
        return h.hexdigest()

    def __repr__(self) -> str:
        filled = np.isfinite(self.values).mean() if self.values.size else 0.0
        return f"<Panel: {len(self.units)} units x {len(self.periods)} periods x {len(self.codes)} codes, {filled:.1%} filled, {self.fingerprint[:12]}>"
