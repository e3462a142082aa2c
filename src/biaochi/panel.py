"""Observations by unit x period x indicator, with status and source; finds its own problems."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biaochi.errors import Place, Problem, Text, UnknownName, refuse, unknown
from biaochi.method import Array
from biaochi.period import Period, period_fault, period_text
from biaochi.table import Table, code, find_column, is_missing, missing_column, number, numbers, text
from biaochi.units import Unit, read_units, unit_code_problem

STATUSES = {
    "A": Text("normal", "正常"), "B": Text("time series break", "时间序列中断"), "D": Text("definition differs", "口径不同"),
    "E": Text("estimated", "估计"), "F": Text("forecast", "预测"), "G": Text("experimental", "试验性"),
    "H": Text("missing: holiday", "缺：假日"), "I": Text("imputed by the source", "来源方插补"), "J": Text("derogation", "豁免"),
    "K": Text("included elsewhere", "计入其他类别"), "L": Text("missing: not collected", "缺：未采集"),
    "M": Text("missing: cannot exist", "缺：不存在"), "N": Text("not significant", "不显著"), "O": Text("missing", "缺失"),
    "P": Text("provisional", "初步数"), "Q": Text("missing: suppressed", "缺：不公开"), "S": Text("strike or special event", "特殊事件"),
    "U": Text("low reliability", "可靠性低"), "V": Text("unvalidated", "未审核"), "W": Text("includes another category", "含其他类别"),
}  # fmt: skip
"""SDMX code list CL_OBS_STATUS 2.2."""
_NO_VALUE = frozenset("HLMOQ")

MOST_CELLS = 50_000_000
"""Cells (period x unit x code) a panel may have."""

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "unit": ("unit", "单位", "地区", "ucode", "unit_code", "ref_area", "city", "country"),
    "period": ("period", "期", "时期", "年份", "year", "time", "time_period", "edition"),
    "indicator": ("indicator", "指标", "指标代码", "indicator_code"),
    "value": ("value", "值", "数值", "指标值", "obs_value"),
    "status": ("status", "状态", "obs_status"),
    "source": ("source", "来源", "数据来源"),
}
"""Headers recognised in a data table, by what they hold; the first one is the name used in messages."""


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
    origin: Callable[[int, int, int], Place] = lambda p, u, c: Place()
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
        tables = [Table.of(d) for d in (data if isinstance(data, (list, tuple)) else [data])]
        found: list[Problem] = []
        known, places = read_units(units, found)
        if isinstance(ignore, str) or not isinstance(columns or {}, Mapping):
            what = Text("ignore must be a list of names, columns a mapping.", "ignore 应为名称列表，columns 应为映射。")
            refuse([Problem("bad-type", what, Text("Correct the call.", "请更正调用。"))])
        found.extend(
            Problem("unknown-setting", unknown(Text("kind of column", "列的种类"), key, list(COLUMNS)), Text("Correct it.", "请更正。"))
            for key in sorted(set(columns or ()) - COLUMNS.keys())
        )
        cells = [_cells(t, period, dict(columns or {}), frozenset(ignore), found) for t in tables]
        panel = _assemble([c for c in cells if c is not None], known, places, found)
        if not found and not panel.codes:
            found.append(Problem("no-rows", Text("there are no values.", "没有任何数值。"), Text("Add data.", "请补充数据。")))
        refuse(found)
        return panel

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
        if code not in index:
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
        names = [dict(u.groups).get(grouping, "") for u in self.units]
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


_HOLDS: Mapping[str, Text] = {
    "unit": Text("units", "单位"),
    "period": Text("periods", "期"),
    "indicator": Text("indicators", "指标"),
    "value": Text("values", "数值"),
    "status": Text("statuses", "状态"),
    "source": Text("sources", "来源"),
}


@dataclass
class _Cells:
    """Observations of one table in long form, with the way back to their places."""

    unit: list[str]
    period: list[Period]
    code: list[str]
    value: Array
    status: list[str]
    source: list[str]
    place: Callable[[int], Place]


def _cells(table: Table, period: str | None, mapped: dict[str, str], ignore: frozenset[str], found: list[Problem]) -> _Cells | None:
    """One table as long observations; problems go to ``found``."""
    names = {f: [mapped[f]] if f in mapped else COLUMNS[f] for f in COLUMNS}
    at = {f: find_column(table, n) for f, n in names.items()}
    required = {*mapped, "unit", *(() if period else ("period",))}
    found.extend(missing_column(table, list(names[f]), _HOLDS[f]) for f in COLUMNS if f in required and at[f] is None)
    if period and at["period"]:
        found.append(Problem("two-periods", Text(f"the table has a period column, {at['period']!r}, and a period is given besides.", f"表中已有“期”列 {at['period']!r}，又另外指定了期。"),
                             Text("Take one of the two out.", "请删除其一。"), table.place(None, at["period"])))  # fmt: skip
    if at["unit"] is None or (at["period"] is None and not period):
        return None
    if not len(table):
        found.append(Problem("no-rows", Text("the table has a header but no rows.", "表格只有表头，没有数据行。"),
                             Text("Add data rows.", "请补充数据行。"), table.place()))  # fmt: skip
        return None
    if at["indicator"] and at["value"]:
        return _long(table, period, at, ignore, found)
    return _wide(table, period, at, mapped, ignore, found)


def _keys(table: Table, at: Mapping[str, str | None], period: str | None, found: list[Problem]) -> tuple[list[str], list[Any]]:
    """Unit codes and periods of every row; faults are noted and leave '' or None."""
    units = [code(c) for c in table.columns[str(at["unit"])]]
    raw = table.columns[at["period"]] if at["period"] else [period] * len(table)
    periods: list[Period | None] = []
    read: dict[Any, Period | None] = {}
    for i, cell in enumerate(raw):
        blank = not units[i] and all(is_missing(column[i]) for column in table.columns.values())
        if not blank and not units[i]:
            found.append(unit_code_problem("", table.place(i, at["unit"]), None))
        key = cell if isinstance(cell, (str, int)) else str(cell)
        if key not in read:
            fault = None if blank else period_fault(cell)
            if fault:
                found.append(Problem(fault.kind, fault.what, fault.fix, table.place(i, at["period"])))
            read[key] = None if fault or blank else Period.parse(period_text(cell))
        elif read[key] is None and not blank and (fault := period_fault(cell)):
            found.append(Problem(fault.kind, fault.what, fault.fix, table.place(i, at["period"])))
        periods.append(read[key])
    return units, periods


def _long(table: Table, period: str | None, at: Mapping[str, str | None], ignore: frozenset[str], found: list[Problem]) -> _Cells:
    units, periods = _keys(table, at, period, found)
    codes = [code(c) for c in table.columns[str(at["indicator"])]]
    cells = [None if c in ignore else v for c, v in zip(codes, table.columns[str(at["value"])], strict=True)]
    values = numbers(replace(table, columns={**table.columns, str(at["value"]): cells}), str(at["value"]), found)
    status = [text(c).upper() for c in table.columns[at["status"]]] if at["status"] else [""] * len(table)
    source = [text(c) for c in table.columns[at["source"]]] if at["source"] else [""] * len(table)
    found.extend(
        Problem("unknown-column", Text(f"the column {c!r} is not used.", f"列 {c!r} 未被使用。"),
                Text("Delete it, or list it under ignore.", "请删除，或列入 ignore。"), table.place(None, c))
        for c in table.columns if c not in at.values() and c not in ignore
    )  # fmt: skip
    for i, (s, v) in enumerate(zip(status, values, strict=True)):
        if s and s not in STATUSES:
            found.append(Problem("unknown-status", unknown(Text("observation status", "观测状态"), s, sorted(STATUSES)),
                                 Text("Use an SDMX observation status.", "请使用 SDMX 观测状态代码。"), table.place(i, at["status"])))  # fmt: skip
        elif s in _NO_VALUE and v == v:
            found.append(Problem("value-of-a-missing", Text(f"the status {s} ({STATUSES[s].en}) says there is no value, but there is one.", f"状态 {s}（{STATUSES[s].zh}）表示无值，但填了数值。"),
                                 Text("Correct the status, or delete the value.", "请更正状态或删除数值。"), table.place(i, at["status"])))  # fmt: skip
    for i, (u, c) in enumerate(zip(units, codes, strict=True)):
        if u and not c:
            found.append(Problem("no-indicator-code", Text("the row names no indicator.", "该行没有指标代码。"),
                                 Text("Give the indicator's code.", "请填写指标代码。"), table.place(i, at["indicator"])))  # fmt: skip
    kept = [i for i, c in enumerate(codes) if units[i] and periods[i] and c and c not in ignore]
    return _Cells(
        [units[i] for i in kept], [periods[i] for i in kept], [codes[i] for i in kept], values[kept],
        [status[i] for i in kept], [source[i] for i in kept], lambda i: table.place(kept[i], at["value"]),
    )  # fmt: skip


def _wide(table: Table, period: str | None, at: Mapping[str, str | None], mapped: Container[str], ignore: frozenset[str], found: list[Problem]) -> _Cells:
    units, periods = _keys(table, at, period, found)
    for f, fits in (("status", lambda c: text(c).upper() in STATUSES), ("source", lambda c: isinstance(number(c), tuple))):
        cells = [c for c in table.columns[str(at[f])] if not is_missing(c)] if at[f] else []
        if f not in mapped and not any(map(fits, cells)):
            at = {**at, f: None}  # an indicator that happens to go by this name
    if at["status"]:
        found.append(Problem("status-in-wide", Text("a wide table cannot tell which of its values a status belongs to.", "宽表无法说明状态属于哪个数值。"),
                             Text("Use the long form: unit, period, indicator, value, status.", "请改用长表：单位、期、指标、值、状态。"), table.place(None, at["status"])))  # fmt: skip
    used = {c for f, c in at.items() if c and f in ("unit", "period", "source", "status")}
    codes = [c for c in table.columns if c not in used and c not in ignore]
    kept = [i for i in range(len(table)) if units[i] and periods[i]]
    source = [text(c) for c in table.columns[at["source"]]] if at["source"] else [""] * len(table)
    blocks = [numbers(table, c, found)[kept] for c in codes]
    n = len(kept)
    return _Cells(
        [units[i] for i in kept] * len(codes), [periods[i] for i in kept] * len(codes),
        [c for c in codes for _ in kept], np.concatenate(blocks) if blocks else np.empty(0),
        [""] * (n * len(codes)), [source[i] for i in kept] * len(codes),
        lambda i: table.place(kept[i % n], codes[i // n]),
    )  # fmt: skip


def _assemble(parts: Sequence[_Cells], known: tuple[Unit, ...] | None, places: Mapping[str, Place], found: list[Problem]) -> Panel:
    """One block from the observations of all tables; duplicate cells and unknown units go to ``found``."""
    seen = {u for p in parts for u in p.unit}
    units = tuple(sorted(known if known is not None else (Unit(u) for u in seen), key=lambda u: u.code))
    periods = tuple(sorted({t for p in parts for t in p.period}))
    codes = tuple(sorted({c for p in parts for c in p.code}))
    sources = tuple(sorted({s for p in parts for s in p.source} | {""}))
    shape = (len(periods), len(units), len(codes))
    _refuse_sparse(shape, found)
    values, status, source = np.full(shape, np.nan), np.full(shape, "", "<U1"), np.zeros(shape, np.int32)
    first, origin = np.full(shape, -1, np.int64), list[tuple[_Cells, int]]()
    at_unit, at_period, at_code, at_source = (_index(labels) for labels in ([u.code for u in units], periods, codes, sources))
    for part in parts:
        u = np.array([at_unit.get(x, -1) for x in part.unit], np.intp)
        found.extend(_unknown_units(part, u, at_unit))
        ok = np.flatnonzero(u >= 0)
        where = (np.array([at[x] for x in labels], np.intp)[ok] for at, labels in ((at_period, part.period), (at_code, part.code)))
        t, c = where
        flat = np.ravel_multi_index((t, u[ok], c), shape) if ok.size else np.empty(0, np.intp)
        again = _repeats(flat, first, len(origin) + np.arange(len(flat)))
        origin.extend((part, int(i)) for i in ok)
        found.extend(_duplicate(part, int(ok[k]), origin[first.ravel()[flat[k]]]) for k in again)
        values.ravel()[flat] = part.value[ok]
        status.ravel()[flat] = [part.status[i] or ("" if np.isnan(part.value[i]) else "A") for i in ok]
        source.ravel()[flat] = [at_source[part.source[i]] for i in ok]

    def cell_place(p: int, u: int, c: int) -> Place:
        n = int(first[p, u, c])
        return origin[n][0].place(origin[n][1]) if n >= 0 else Place()

    return Panel(periods, units, codes, values, status, source, sources, cell_place)


def _refuse_sparse(shape: tuple[int, int, int], found: list[Problem]) -> None:
    """Refuse a block too large for memory, as scattered data give."""
    if math.prod(shape) > MOST_CELLS:
        what = Text(
            f"{shape[0]:,} periods x {shape[1]:,} units x {shape[2]:,} codes are more than {MOST_CELLS:,} cells.",
            f"{shape[0]:,} 期 × {shape[1]:,} 单位 × {shape[2]:,} 指标超过 {MOST_CELLS:,} 个单元。",
        )
        refuse([*found, Problem("too-many-cells", what, Text("Split the data.", "请拆分数据。"))])


def _index(labels: Iterable[Any]) -> dict[Any, int]:
    return {label: i for i, label in enumerate(labels)}


def _repeats(flat: NDArray[np.intp], first: NDArray[np.int64], numbered: NDArray[np.int64]) -> NDArray[np.intp]:
    """Positions in ``flat`` whose cell was written before; notes who wrote each cell first."""
    cells = first.ravel()
    _, once = np.unique(flat, return_index=True)
    again = np.ones(len(flat), bool)
    again[once] = cells[flat[once]] >= 0
    fresh = np.flatnonzero(~again)
    cells[flat[fresh]] = numbered[fresh]
    return np.flatnonzero(again)


def _duplicate(part: _Cells, i: int, first: tuple[_Cells, int]) -> Problem:
    before = first[0].place(first[1])
    en, zh = before.say("en"), before.say("zh")
    cell = f"{part.unit[i]} / {part.period[i]} / {part.code[i]}"
    return Problem(
        "duplicate-cell",
        Text(f"{cell} is given twice (first at {en}).", f"{cell} 重复出现（首次位于{zh}）。"),
        Text("Keep one of the two.", "二者只能保留其一。"),
        part.place(i),
    )


def _unknown_units(part: _Cells, at: NDArray[np.intp], index: Mapping[str, int]) -> Iterator[Problem]:
    said: set[str] = set()
    for i in np.flatnonzero(at < 0):
        code = part.unit[i]
        if code not in said:
            said.add(code)
            yield Problem("unknown-unit", unknown(Text("unit", "单位"), code, sorted(index)),
                          Text("Correct the code or add the unit to the table of units.", "请更正代码，或在单位表中补上该单位。"), part.place(int(i)))  # fmt: skip
