"""A framework from a table with a parent column, Chinese or English headers; and back."""

from __future__ import annotations

import tomllib
from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from typing import Any

from biaochi.errors import BadInput, Problem, Text, refuse
from biaochi.files import read_table
from biaochi.framework import Direction, Framework, Node, Optimum
from biaochi.recipe import Choice, choice_from
from biaochi.table import Table, code, find_column, is_missing, missing_column, number, shown, text

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "code": ("code", "代码", "指标代码"),
    "parent": ("parent", "上级", "上级代码"),
    "name_zh": ("name_zh", "名称", "中文名称", "指标名称"),
    "name_en": ("name_en", "name", "英文名称"),
    "kind": ("kind", "类型"),
    "weight": ("weight", "权重"),
    "aggregate": ("aggregate", "合成"),
    "unit": ("unit", "计量单位"),
    "direction": ("direction", "方向"),
    "owner": ("owner", "责任单位", "牵头单位"),
    "frequency": ("frequency", "频率"),
    "source": ("source", "数据来源", "来源"),
    "definition": ("definition", "定义", "指标解释"),
    "valid_low": ("valid_low", "有效下限"),
    "valid_high": ("valid_high", "有效上限"),
    "denominator": ("denominator", "分母"),
    "goalpost_low": ("goalpost_low", "norm_min", "下限"),
    "goalpost_high": ("goalpost_high", "norm_max", "上限"),
    "target": ("target", "目标值"),
    "formula": ("formula", "公式"),
    "impute": ("impute", "插补"),
    "treat": ("treat", "异常值处理"),
    "normalise": ("normalise", "无量纲化"),
}
"""Headers recognised in a framework table; only code and parent must be there."""

_PLAIN = ("name_zh", "name_en", "unit", "owner", "frequency", "source", "definition")
_STEPS = ("impute", "treat", "normalise")
_DIRECTIONS: dict[str, int] = {
    "": 1, "1": 1, "+1": 1, "+": 1, "positive": 1, "up": 1, "正向": 1, "正": 1,
    "-1": -1, "-": -1, "negative": -1, "down": -1, "逆向": -1, "负向": -1, "逆": -1,
}  # fmt: skip


def read_framework(source: Any) -> Framework:
    """A framework from a file (CSV, Excel sheet ``Framework`` or the only one, Parquet) or a frame.

    Raises
    ------
    BadInput
        With every problem, each with its row and column.
    """
    if isinstance(source, (str, Path)):
        source = read_table(source, "framework", "指标体系")
    return framework_from(Table.of(source))


def framework_from(table: Table) -> Framework:
    """A framework from one table; see `COLUMNS`."""
    found: list[Problem] = []
    named = {f: c for f, names in COLUMNS.items() if (c := find_column(table, names))}
    for needed, what in (("code", Text("the code", "代码")), ("parent", Text("the parent's code", "上级代码"))):
        if needed not in named:
            found.append(missing_column(table, COLUMNS[needed], what))
    refuse(found)
    found.extend(_unknown_column(table, c) for c in table.columns if c not in named.values())
    codes = {code(c) for c in table.columns[named["code"]]}
    nodes = [_node(table, i, {f: row[c] for f, c in named.items()}, named, codes, found) for i, row in table.records()]
    found.extend(_row_problems(table, nodes, named))
    try:
        framework = Framework(nodes, place=table.place())
    except BadInput as e:
        found.extend(e.problems)
        refuse(found)
        raise
    refuse(found)
    return framework


def _row_problems(table: Table, nodes: list[Node], named: Mapping[str, str]) -> Iterator[Problem]:
    """Blank weights beside stated ones; a kind that the tree contradicts."""
    rows = [row for _, row in table.records()]
    parents = {n.parent for n in nodes}
    weighed = {n.parent for n, r in zip(nodes, rows, strict=True) if "weight" in named and not is_missing(r[named["weight"]])}
    for n, r in zip(nodes, rows, strict=True):
        if n.parent in weighed and n.parent is not None and is_missing(r[named["weight"]]):
            yield Problem("no-weight", Text(f"{n.code!r} has no weight, though its siblings have.", f"{n.code!r} 没有权重，而同级节点有。"),
                          Text("Give a weight to all siblings, or to none (equal).", "同级节点的权重要么都填，要么都不填（等权）。"), n.place)  # fmt: skip
        kind = text(r[named["kind"]]).lower() if "kind" in named else ""
        if (kind in ("indicator", "指标") and n.code in parents) or (kind in ("index", "aggregate", "总指数", "维度") and n.code not in parents):
            yield Problem("kind-contradicted", Text(f"{n.code!r} is called {kind}, but it has {'' if n.code in parents else 'no '}children.",
                          f"{n.code!r} 标为{kind}，但{'有' if n.code in parents else '没有'}下级。"), Text("Correct the kind, or the parents.", "请更正类型或上级。"), n.place)  # fmt: skip


def _unknown_column(table: Table, column: str) -> Problem:
    from biaochi.errors import unknown

    what = unknown(Text("framework column", "指标体系列"), column, sorted(COLUMNS))
    return Problem("unknown-column", what, Text("Correct or delete the header.", "请更正或删除该表头。"), table.place(None, column))


def _node(table: Table, i: int, row: Mapping[str, Any], named: Mapping[str, str], codes: Container[str], found: list[Problem]) -> Node:
    def fault(column: str, kind: str, what: Text, fix: Text) -> None:
        found.append(Problem(kind, what, fix, table.place(i, named[column])))

    def figure(column: str) -> float | None:
        got = number(row.get(column))
        if isinstance(got, tuple):
            fault(column, *got)
            return None
        return None if got != got else got

    weight, low, high = figure("weight"), figure("goalpost_low"), figure("goalpost_high")
    if (low is None) != (high is None):
        at = "goalpost_low" if low is None else "goalpost_high"
        if is_missing(row.get(at)):
            fault(at if at in named else "code", "half-goalposts", Text("only one of the two goalposts is given.", "上下限只填了一个。"),
                  Text("Give both or neither.", "请都填或都不填。"))  # fmt: skip
    choices = {s: c for s in (*_STEPS, "aggregate") if (c := _choice(s, row.get(s), fault)) is not None}
    return Node(
        code(row["code"]),
        (code(row["parent"]) if code(row["parent"]) in codes else text(row["parent"])) or None,
        weight=1.0 if weight is None else weight,
        aggregate=choices.pop("aggregate", None),
        series=_is_series(row.get("kind"), fault),
        direction=_direction(row.get("direction"), fault),
        valid=(figure("valid_low"), figure("valid_high")),
        denominator=text(row.get("denominator")) or None,
        goalposts=(low, high) if low is not None and high is not None else None,
        target=figure("target"),
        formula=text(row.get("formula")) or None,
        overrides=tuple(sorted(choices.items())),
        place=table.place(i, named["code"]),
        **{f: text(row.get(f)) for f in _PLAIN},
    )


def _is_series(cell: Any, fault: Any) -> bool:
    said = text(cell).lower()
    if said in ("series", "辅助序列", "denominator"):
        return True
    if said not in ("", "index", "aggregate", "indicator", "总指数", "维度", "指标"):
        fault("kind", "unknown-kind", Text(f"{said!r} is not a kind of row.", f"{said!r} 不是可识别的类型。"),
              Text("Write series for auxiliary series, else leave it empty.", "辅助序列写 series，其余留空。"))  # fmt: skip
    return False


def _direction(cell: Any, fault: Any) -> Direction:
    said = text(cell)
    if said in _DIRECTIONS:
        return _DIRECTIONS[said]
    bounds = [number(b) for b in (said.removeprefix("=") if said.startswith("=") else said).split("..")]
    if len(bounds) <= 2 and (said.startswith("=") or ".." in said) and all(isinstance(b, float) and b == b for b in bounds):
        return Optimum(bounds[0], bounds[-1])  # type: ignore[arg-type]
    fault("direction", "bad-direction", Text(f"{shown(said)} is not a direction.", f"{shown(said)} 不是可识别的方向。"),
          Text("Write 1, -1, =50 (an optimum) or 40..60 (an optimal range).", "请写 1、-1、=50（适度值）或 40..60（适度区间）。"))  # fmt: skip
    return 1


def _choice(step: str, cell: Any, fault: Any) -> Choice | None:
    """A method in a cell: its name, or a TOML table ``{method = "...", option = ...}``."""
    said = text(cell)
    if not said:
        return None
    value: Any = said
    if said.startswith("{"):
        try:
            value = tomllib.loads(f"x = {said}")["x"]
        except tomllib.TOMLDecodeError as e:
            fault(step, "bad-choice", Text(f"{shown(said)} cannot be read ({e}).", f"{shown(said)} 无法读取（{e}）。"),
                  Text('Write a name or {method = "...", option = ...}.', '请写方法名或 {method = "…", 选项 = …}。'))  # fmt: skip
            return None
    got = choice_from(step, value)
    if isinstance(got, Text):
        fault(step, "bad-choice", got, Text("", ""))
        return None
    return got
