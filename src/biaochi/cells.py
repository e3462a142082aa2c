"""Observations as they come in: long or wide tables to one block, every fault with its place."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from biaochi.errors import Place, Problem, Text, refuse, unknown
from biaochi.method import Array
from biaochi.period import Period, period_fault, period_text
from biaochi.table import Table, code, find_column, is_missing, missing_column, number, numbers, text
from biaochi.units import Unit, unit_code_problem

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


_HOLDS: Mapping[str, Text] = {
    "unit": Text("units", "单位"),
    "period": Text("periods", "期"),
    "indicator": Text("indicators", "指标"),
    "value": Text("values", "数值"),
    "status": Text("statuses", "状态"),
    "source": Text("sources", "来源"),
}


T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True)
class Coded(Generic[T]):
    """Labels of many rows: the different ones, and which one each row has."""

    names: Sequence[T]
    at: NDArray[np.intp]

    @classmethod
    def of(cls, labels: Iterable[T]) -> Coded[T]:
        """Labels row by row."""
        index: dict[T, int] = {}
        at = np.fromiter((index.setdefault(label, len(index)) for label in labels), np.intp)
        return cls(list(index), at)

    def __getitem__(self, i: int) -> T:
        return self.names[int(self.at[i])]

    def taken(self, rows: NDArray[np.intp]) -> Coded[T]:
        """Some of the rows."""
        return Coded(self.names, self.at[rows])

    def used(self) -> set[T]:
        """Labels some row has."""
        return {self.names[int(i)] for i in np.flatnonzero(np.bincount(self.at, minlength=len(self.names)))}

    def onto(self, index: Mapping[T, int]) -> NDArray[np.intp]:
        """Positions of the rows' labels in another list, -1 where it does not have them."""
        return np.array([index.get(name, -1) for name in self.names], np.intp)[self.at] if len(self.at) else np.empty(0, np.intp)


@dataclass(frozen=True)
class Cells:
    """Observations of one table in long form, with the way back to their places."""

    unit: Coded[str]
    period: Coded[Period]
    code: Coded[str]
    value: Array
    status: Coded[str]
    source: Coded[str]
    place: Callable[[int], Place]

    def statuses(self) -> NDArray[np.str_]:
        """Row by row; a value without a status is normal."""
        said = np.array([*self.status.names, ""], "<U1")[self.status.at]
        return np.asarray(np.where((said == "") & ~np.isnan(self.value), "A", said), "<U1")


class Block(NamedTuple):
    """What a panel is made of."""

    periods: tuple[Period, ...]
    units: tuple[Unit, ...]
    codes: tuple[str, ...]
    values: Array
    status: NDArray[np.str_]
    source: NDArray[np.int32]
    sources: tuple[str, ...]
    origin: Callable[[int, int, int], Place]


def cells_of(table: Table, period: str | None, mapped: dict[str, str], ignore: frozenset[str], found: list[Problem]) -> Cells | None:
    """One table as long observations; problems go to ``found``."""
    names = {f: [mapped[f]] if f in mapped else COLUMNS[f] for f in COLUMNS}
    at = {f: find_column(table, n) for f, n in names.items()}
    required = {*mapped, "unit", *(() if period else ("period",))}
    required |= {"indicator", "value"} if table.long else set()
    found.extend(missing_column(table, list(names[f]), _HOLDS[f]) for f in COLUMNS if f in required and at[f] is None)
    if table.long and (at["indicator"] is None or at["value"] is None):
        return None
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
        return columnar(table, period, at, ignore) or _long(table, period, at, ignore, found)
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


def _long(table: Table, period: str | None, at: Mapping[str, str | None], ignore: frozenset[str], found: list[Problem]) -> Cells:
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
    return Cells(
        Coded.of(units[i] for i in kept), Coded.of(periods[i] for i in kept), Coded.of(codes[i] for i in kept), values[kept],
        Coded.of(status[i] for i in kept), Coded.of(source[i] for i in kept), lambda i: table.place(kept[i], at["value"]),
    )  # fmt: skip


def _wide(table: Table, period: str | None, at: Mapping[str, str | None], mapped: Container[str], ignore: frozenset[str], found: list[Problem]) -> Cells:
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
    return Cells(
        Coded.of([units[i] for i in kept] * len(codes)), Coded.of([periods[i] for i in kept] * len(codes)),
        Coded(codes, np.repeat(np.arange(len(codes)), n)), np.concatenate(blocks) if blocks else np.empty(0),
        Coded([""], np.zeros(n * len(codes), np.intp)), Coded.of([source[i] for i in kept] * len(codes)),
        lambda i: table.place(kept[i % n], codes[i // n]),
    )  # fmt: skip


def columnar(table: Table, period: str | None, at: Mapping[str, str | None], ignore: frozenset[str]) -> Cells | None:
    """A long table that is held column by column, read without looking at each cell; None where anything is amiss.

    What it takes is what `_long` would have made of the same cells; whatever it is not sure of is left to it, which
    says what is wrong and where.
    """
    if table.coded is None or any(c not in at.values() and c not in ignore for c in table.columns):
        return None
    read = {f: table.coded(str(at[f])) for f in ("unit", "period", "indicator", "status", "source") if at[f]}
    values = table.values(str(at["value"])) if table.values else None
    if values is None or any(v is None for v in read.values()):
        return None
    n = len(values)
    units, codes = (_renamed(read[f], code) for f in ("unit", "indicator"))
    raw = read.get("period") or ([period], np.zeros(n, np.intp))
    if not all((*units.names, *codes.names)) or not ignore.isdisjoint(codes.names) or any(period_fault(p) for p in raw[0]):
        return None
    periods = _renamed(raw, lambda p: Period.parse(period_text(p)))
    nothing = ([""], np.zeros(n, np.intp))
    status = _renamed(read.get("status") or nothing, lambda s: text(s).upper())
    source = _renamed(read.get("source") or nothing, text)
    bad = np.array([s in _NO_VALUE for s in status.names])[status.at] & ~np.isnan(values)
    if not {*status.names} <= {"", *STATUSES} or bad.any():
        return None
    return Cells(units, periods, codes, values, status, source, lambda i: table.place(i, at["value"]))


def _renamed(read: Any, name: Callable[[Any], T]) -> Coded[T]:
    """Labels brought to the form they have here; different ones may become the same."""
    made: Coded[T] = Coded.of(name(label) for label in read[0])
    return Coded(made.names, made.at[read[1]])


def assemble(parts: Sequence[Cells], known: tuple[Unit, ...] | None, found: list[Problem]) -> Block:
    """One block from the observations of all tables; duplicate cells and unknown units go to ``found``."""
    seen = set[str]().union(*(p.unit.used() for p in parts))
    units = tuple(sorted(known if known is not None else (Unit(u) for u in seen), key=lambda u: u.code))
    periods = tuple(sorted(set[Period]().union(*(p.period.used() for p in parts))))
    codes = tuple(sorted(set[str]().union(*(p.code.used() for p in parts))))
    sources = tuple(sorted(set[str]().union({""}, *(p.source.used() for p in parts))))
    shape = (len(periods), len(units), len(codes))
    _refuse_sparse(shape, found)
    values, status, source = np.full(shape, np.nan), np.full(shape, "", "<U1"), np.zeros(shape, np.int32)
    first, starts = np.full(shape, -1, np.int64), [0]
    at_unit, at_period, at_code, at_source = (_index(labels) for labels in ([u.code for u in units], periods, codes, sources))

    def written(k: int) -> Place:
        part = bisect_right(starts, k) - 1
        return parts[part].place(k - starts[part])

    for part in parts:
        u = part.unit.onto(at_unit)
        found.extend(_unknown_units(part, u, at_unit))
        ok = np.flatnonzero(u >= 0)
        flat = np.ravel_multi_index((part.period.onto(at_period)[ok], u[ok], part.code.onto(at_code)[ok]), shape) if ok.size else np.empty(0, np.intp)
        again = _repeats(flat, first, starts[-1] + ok)
        starts.append(starts[-1] + len(u))
        found.extend(_duplicate(part, int(ok[k]), written(int(first.ravel()[flat[k]]))) for k in again)
        values.ravel()[flat], status.ravel()[flat] = part.value[ok], part.statuses()[ok]
        source.ravel()[flat] = part.source.onto(at_source)[ok]

    def cell_place(p: int, u: int, c: int) -> Place:
        n = int(first[p, u, c])
        return written(n) if n >= 0 else Place()

    return Block(periods, units, codes, values, status, source, sources, cell_place)


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
    if (cells[flat] < 0).all():
        cells[flat] = numbered
        if (cells[flat] == numbered).all():  # nobody wrote over anybody
            return np.empty(0, np.intp)
        cells[flat] = -1
    _, once = np.unique(flat, return_index=True)
    again = np.ones(len(flat), bool)
    again[once] = cells[flat[once]] >= 0
    fresh = np.flatnonzero(~again)
    cells[flat[fresh]] = numbered[fresh]
    return np.flatnonzero(again)


def _duplicate(part: Cells, i: int, before: Place) -> Problem:
    en, zh = before.say("en"), before.say("zh")
    cell = f"{part.unit[i]} / {part.period[i]} / {part.code[i]}"
    return Problem(
        "duplicate-cell",
        Text(f"{cell} is given twice (first at {en}).", f"{cell} 重复出现（首次位于{zh}）。"),
        Text("Keep one of the two.", "二者只能保留其一。"),
        part.place(i),
    )


def _unknown_units(part: Cells, at: NDArray[np.intp], index: Mapping[str, int]) -> Iterator[Problem]:
    said: set[str] = set()
    for i in np.flatnonzero(at < 0):
        code = part.unit[int(i)]
        if code not in said:
            said.add(code)
            yield Problem("unknown-unit", unknown(Text("unit", "单位"), code, sorted(index)),
                          Text("Correct the code or add the unit to the table of units.", "请更正代码，或在单位表中补上该单位。"), part.place(int(i)))  # fmt: skip
