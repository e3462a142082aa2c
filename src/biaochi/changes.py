"""What differs between two frameworks or two recipes, entry by entry; and one with some of its entries from the other."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

from biaochi.errors import Text
from biaochi.framework import Framework, Node
from biaochi.node import to_dict
from biaochi.recipe import Recipe

WORDS = frozenset({"name_zh", "name_en", "owner", "frequency", "source", "definition", "unit"})
"""Entries that tell and do not compute."""

PARTS: Mapping[str, tuple[str, ...]] = {
    "weights": ("weight",),
    "goalposts": ("goalposts", "target"),
    "direction": ("direction",),
    "formulas": ("formula", "denominator"),
    "methods": ("aggregate", "overrides"),
    "valid": ("valid",),
    "words": tuple(sorted(WORDS)),
}
"""Entries of nodes that are told and exchanged together."""

LABELS: Mapping[str, Text] = {
    "data": Text("data", "数据"),
    "indicators": Text("indicators added, dropped or moved", "指标增删或移动"),
    "weights": Text("weights", "权重"),
    "goalposts": Text("goalposts and targets", "上下限与目标"),
    "direction": Text("direction", "方向"),
    "formulas": Text("formulas and denominators", "公式与分母"),
    "methods": Text("methods stated in the framework", "指标体系中写明的方法"),
    "valid": Text("valid ranges", "有效范围"),
    "draws": Text("random draws", "随机抽取"),
    "impute": Text("recipe: imputation", "方案：插补"),
    "treat": Text("recipe: treatment", "方案：异常值处理"),
    "normalise": Text("recipe: normalisation", "方案：无量纲化"),
    "weigh": Text("recipe: weights", "方案：赋权"),
    "aggregate": Text("recipe: aggregation", "方案：合成"),
    "range": Text("recipe: range", "方案：值域"),
    "scale": Text("recipe: scale", "方案：尺度"),
    "level": Text("recipe: choices by level", "方案：按层级的选择"),
    "node": Text("recipe: choices by node", "方案：按节点的选择"),
    "words": Text("names and descriptions", "名称与说明"),
}
"""What parts of a framework are called."""


def framework_changes(old: Framework, new: Framework) -> list[dict[str, Any]]:
    """Every difference of two frameworks: code, change, part, before, after.

    Parameters
    ----------
    old, new : Framework

    Returns
    -------
    list of dict
        ``change`` is "added", "dropped" (also where an indicator becomes a series), "moved" or the name of the entry that differs; order of ``old``, then what
        is added in that of ``new``.
    """
    rows = []
    for node in old.nodes:
        if node.code not in new:
            rows.append({"code": node.code, "change": "dropped", "part": "indicators", "before": node.parent, "after": None})
            continue
        other = new[node.code]
        if node.series != other.series:
            change = "added" if node.series else "dropped"
            rows.append({"code": node.code, "change": change, "part": "indicators", "before": node.parent, "after": other.parent})
            continue
        if node.parent != other.parent:
            rows.append({"code": node.code, "change": "moved", "part": "indicators", "before": node.parent, "after": other.parent})
        a, b = to_dict(node), to_dict(other)
        rows += [
            {"code": node.code, "change": name, "part": part, "before": a.get(name), "after": b.get(name)}
            for part, names in PARTS.items()
            for name in names
            if a.get(name) != b.get(name)
        ]
    added = [n for n in new.nodes if n.code not in old]
    return rows + [{"code": n.code, "change": "added", "part": "indicators", "before": None, "after": n.parent} for n in added]


def recipe_changes(old: Recipe, new: Recipe) -> list[dict[str, Any]]:
    """Every setting two recipes differ in: setting, before, after."""
    a, b = old.to_dict(), new.to_dict()
    return [{"setting": f.name, "before": a[f.name], "after": b[f.name]} for f in fields(old) if f.name != "place" and a[f.name] != b[f.name]]


def mixed_framework(old: Framework, new: Framework, parts: Collection[str]) -> Framework:
    """The old framework with the named parts of the new one.

    With ``indicators``, the tree is the new one's: nodes added come as they are, common ones keep the old entries of
    the other parts.
    """

    def entries(base: Node, other: Node | None, kinds: Iterator[str]) -> Node:
        return base if other is None or base.series != other.series else replace(base, **{name: getattr(other, name) for kind in kinds for name in PARTS[kind]})

    if "indicators" in parts:
        return Framework([entries(n, _find(old, n.code), (k for k in PARTS if k not in parts)) for n in new.nodes])
    return Framework([entries(n, _find(new, n.code), (k for k in PARTS if k in parts)) for n in old.nodes])


def with_data(framework: Framework, codes: Iterable[str]) -> Framework:
    """The framework with a series for each code that it does not know: data that stand by and are not scored."""
    more = [Node(code, series=True) for code in sorted(set(codes)) if code not in framework]
    return Framework([*framework.nodes, *more]) if more else framework


def _find(framework: Framework, code: str) -> Node | None:
    return framework[code] if code in framework else None  # noqa: SIM401 - a framework is no mapping


def mixed_recipe(old: Recipe, new: Recipe, settings: Collection[str]) -> Recipe:
    """The old recipe with the named settings of the new one."""
    return replace(old, **{name: getattr(new, name) for name in settings})
