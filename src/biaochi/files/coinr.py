"""COINr's pair of tables: iData (one row a unit, or unit and year) and iMeta (one row a column or aggregate)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from biaochi.errors import Problem, Text, refuse
from biaochi.files import read_table
from biaochi.framework import Framework, Node
from biaochi.panel import Panel
from biaochi.table import Table, find_column, missing_column, number, shown, text
from biaochi.table import code as code_of

_UNIT, _NAME, _TIME = "uCode", "uName", "Time"


def read_coinr(idata: Any, imeta: Any, *, period: str | None = None, ignore: Iterable[str] = ()) -> tuple[Framework, Panel]:
    """Framework and panel from COINr's iData and iMeta.

    Parameters
    ----------
    idata, imeta : path, or pandas, polars or Arrow frame
    period : str, optional
        The period, where iData has no ``Time`` column.
    ignore : iterable of str
        Columns of iData to pass over.

    Returns
    -------
    Framework, Panel
        Groups of iMeta become groupings of the units, denominators become series; columns of type
        ``Other`` are passed over, as in COINr.

    Raises
    ------
    BadInput
        With every problem, each with its row and column.
    """
    meta, data = (Table.of(read_table(t) if isinstance(t, (str, Path)) else t) for t in (imeta, idata))
    found: list[Problem] = []
    nodes, groups, other = _nodes(meta, found)
    column = {n: find_column(data, [n]) for n in (_UNIT, _NAME, _TIME)}
    if column[_UNIT] is None:
        found.append(missing_column(data, [_UNIT], Text("unit codes", "单位代码")))
    refuse(found)
    framework = Framework(nodes, place=meta.place())
    kept = set(framework.inputs) | {c for c in (column[_UNIT], column[_TIME]) if c}
    passed = [c for c in data.columns if c not in kept and (c in groups or c in other or c == column[_NAME])]
    units = _units(data, str(column[_UNIT]), column[_NAME], [g for g in groups if g in data.columns], found)
    refuse(found)
    panel = Panel.of(
        data,
        units=units,
        period=period,
        columns={"unit": str(column[_UNIT]), **({"period": str(column[_TIME])} if column[_TIME] else {})},
        ignore=[*ignore, *passed],
    )
    return framework, panel


def _nodes(meta: Table, found: list[Problem]) -> tuple[list[Node], list[str], set[str]]:
    """Nodes of the tree and series; names of group columns; columns of type Other."""
    needed = ("iCode", "Parent", "Direction", "Type", "Weight")
    at = {n: find_column(meta, [n]) for n in (*needed, "iName", "Unit", "Target", "Denominator")}
    found.extend(missing_column(meta, [n], Text(n, n)) for n in needed if at[n] is None)
    refuse(found)
    nodes: list[Node] = []
    groups: list[str] = []
    other: set[str] = set()
    for i, record in meta.records():
        row = {n: record[c] if c else None for n, c in at.items()}
        code, kind, place = text(row["iCode"]), text(row["Type"]), meta.place(i, at["iCode"])
        if kind == "Group":
            groups.append(code)
        elif kind == "Other":
            other.add(code)
        elif kind == "Denominator":
            nodes.append(Node(code, name_en=text(row["iName"]), unit=text(row["Unit"]), series=True, place=place))
        elif kind in ("Indicator", "Aggregate"):
            nodes.append(_node(meta, i, row, at, found))
        else:
            found.append(Problem("unknown-type", Text(f"{shown(kind)} is not a type of COINr.", f"{shown(kind)} 不是 COINr 的类型。"),
                                 Text("Use Indicator, Aggregate, Group, Denominator or Other.", "请使用 Indicator、Aggregate、Group、Denominator 或 Other。"),
                                 meta.place(i, at["Type"])))  # fmt: skip
    return nodes, groups, other


def _node(meta: Table, i: int, row: dict[str, Any], at: dict[str, str | None], found: list[Problem]) -> Node:
    def figure(column: str, default: float | None) -> float | None:
        got = number(row[column])
        if isinstance(got, tuple):
            found.append(Problem(*got, meta.place(i, at[column])))
            return default
        return default if got != got else got

    weight, direction = figure("Weight", 1.0), figure("Direction", 1.0)
    if not text(row["Weight"]) and text(row["Parent"]):
        found.append(Problem("no-weight", Text(f"{text(row['iCode'])!r} has no weight.", f"{text(row['iCode'])!r} 没有权重。"),
                             Text("Write a number.", "请填写数字。"), meta.place(i, at["Weight"])))  # fmt: skip
    if direction not in (1.0, -1.0):
        found.append(Problem("bad-direction", Text(f"the direction is {direction:g}.", f"方向为 {direction:g}。"),
                             Text("Write 1 or -1.", "请写 1 或 -1。"), meta.place(i, at["Direction"])))  # fmt: skip
        direction = 1.0
    leaf = text(row["Type"]) == "Indicator"
    return Node(
        text(row["iCode"]), text(row["Parent"]) or None, name_en=text(row["iName"]),
        weight=1.0 if weight is None else weight, unit=text(row["Unit"]) if leaf else "",
        direction=int(direction or 1) if leaf else 1, target=figure("Target", None) if leaf else None,
        denominator=(text(row["Denominator"]) or None) if leaf else None, place=meta.place(i, at["iCode"]),
    )  # fmt: skip


def _units(data: Table, code: str, name: str | None, groups: list[str], found: list[Problem]) -> Table:
    """The table of units inside iData: the first row of each unit."""
    first: dict[str, int] = {}
    told: dict[tuple[str, str], str] = {}
    for i, cell in enumerate(data.columns[code]):
        if code_of(cell):
            first.setdefault(code_of(cell), i)
            for g in groups:
                before = told.setdefault((code_of(cell), g), text(data.columns[g][i]))
                if before != text(data.columns[g][i]):
                    found.append(Problem("group-changes", Text(f"{code_of(cell)!r} changes its {g} from {before!r}.", f"{code_of(cell)!r} 的 {g} 与之前的 {before!r} 不同。"),
                                         Text("A unit has one group of each kind; correct the cell.", "每个单位在每种分组中只属一组，请更正。"), data.place(i, g)))  # fmt: skip
    pick = {"code": list(first), **{g: [text(data.columns[g][i]) for i in first.values()] for g in groups}}
    if name:
        pick["name_en"] = [data.columns[name][i] for i in first.values()]
    return Table(pick, data.file, data.sheet, [data.rows[i] if i < len(data.rows) else i for i in first.values()])


def write_coinr(framework: Framework, panel: Panel, idata: str | Path, imeta: str | Path) -> None:
    """Write COINr's iData and iMeta.

    Parameters
    ----------
    framework : Framework
    panel : Panel
    idata, imeta : str or Path
        The two CSV files to write.

    Raises
    ------
    BadInput
        With everything these tables cannot hold, before anything is written: other levels of the tree than one below the
        other, formulas, optima, statuses, sources, Chinese names, methods of single indicators and the like.
    """
    refuse(_beyond_coinr(framework, panel))
    depth = max(framework.levels.values()) + 1
    groupings = sorted({g for u in panel.units for g, _ in u.groups})
    head = ["Level", "iCode", "iName", "Direction", "Weight", "Unit", "Target", "Denominator", "Parent", "Type"]
    rows: list[list[Any]] = []
    for n in framework.nodes:
        leaf = not n.series and not framework.children(n.code)
        level = "NA" if n.series else depth - framework.levels[n.code]
        kind = "Denominator" if n.series else "Indicator" if leaf else "Aggregate"
        told = ["NA" if n.target is None else repr(float(n.target)), n.denominator or "NA", n.parent or "NA"]
        rows.append([level, n.code, n.name_en, "NA" if n.series else n.direction, "NA" if n.series else repr(float(n.weight)), n.unit, *told, kind])
    rows += [["NA", g, g, "NA", "NA", "", "NA", "NA", "NA", "Group"] for g in groupings]
    _write(imeta, head, rows)
    codes = [c for c in panel.codes if c in framework.inputs]
    several = len(panel.periods) > 1
    data = []
    for p, period in enumerate(panel.periods):
        for u, unit in enumerate(panel.units):
            values = ["NA" if v != v else repr(v) for v in (float(panel.values[p, u, panel.codes.index(c)]) for c in codes)]
            if several and all(v == "NA" for v in values):
                continue
            data.append([unit.name_en, unit.code, *(dict(unit.groups).get(g, "NA") for g in groupings), str(period), *values])
    _write(idata, ["uName", "uCode", *groupings, "Time", *codes], data)


def _write(path: str | Path, head: list[str], rows: list[list[Any]]) -> None:
    import csv

    with Path(path).open("w", encoding="utf-8", newline="") as f:
        out = csv.writer(f)
        out.writerow(head)
        out.writerows(rows)


def _beyond_coinr(framework: Framework, panel: Panel) -> Iterator[Problem]:
    """What a project has that COINr's tables have no place for."""

    def problem(code: str, en: str, zh: str) -> Problem:
        fix = Text(
            "Take it out, or use another format (sdmx-ml, json-stat, csv hold everything).",
            "请删除，或改用其他格式（sdmx-ml、json-stat、csv 可容纳全部内容）。",
        )
        return Problem("beyond-coinr", Text(f"COINr's tables cannot hold {en} of {code!r}.", f"COINr 的表无法容纳 {code!r} 的{zh}。"), fix)

    leaves = {framework.levels[n.code] for n in framework.indicators}
    for n in framework.nodes:
        lost = [(v, en, zh) for v, en, zh in (
            (n.formula, "the formula", "公式"), (not isinstance(n.direction, int), "the optimum", "适度区间"), (n.overrides or n.aggregate, "the own methods", "自有方法"),
            (n.valid != (None, None), "the valid range", "有效范围"), (n.goalposts, "the goalposts", "上下限"), (n.name_zh, "the Chinese name", "中文名称"),
            (n.owner or n.frequency or n.source or n.definition, "owner, frequency, source or definition", "责任单位、频率、来源或定义"),
            (len(leaves) > 1 and n.code == framework.root.code, "branches of different depth", "深度不一的分支"),
            (not n.code.isidentifier(), "the code (letters, digits and _ only, a letter first)", "代码（仅限字母、数字和下划线，以字母开头）"),
        ) if v]  # fmt: skip
        yield from (problem(n.code, en, zh) for _, en, zh in lost)
    for u in panel.units:
        lost_unit = [
            (v, en, zh)
            for v, en, zh in ((u.name_zh, "the Chinese name", "中文名称"), (u.parent, "the parent", "上级"), (not u.ranked, "'not ranked'", "“不参与排名”"))
            if v
        ]
        yield from (problem(u.code, en, zh) for _, en, zh in lost_unit)
    if (np.isin(panel.status, ("A", ""), invert=True)).any() or any(panel.sources):
        yield problem(framework.root.code, "statuses and sources", "状态和来源")
    if any(p.freq != "A" for p in panel.periods):
        yield problem(framework.root.code, "periods shorter than a year", "短于一年的期")
