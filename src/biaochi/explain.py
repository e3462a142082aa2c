"""Every number from raw value to score, for one unit, node and period."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from biaochi.checks import REGISTRIES, choice_of
from biaochi.errors import Lang, Place, Text
from biaochi.framework import Node, Optimum
from biaochi.method import Trait
from biaochi.panel import STATUSES
from biaochi.period import Period
from biaochi.result import CLIPPED, IMPUTED, MARKS, NEUTRAL, TREATED, Result


@dataclass(frozen=True)
class Step:
    """One step of one value: its name, the value after it, and how it came about."""

    name: Text
    value: float | None
    how: Text


@dataclass(frozen=True)
class Explanation:
    """A score, how it was made, and the explanations of what it was made from."""

    node: str
    name: Text
    unit: str
    period: str
    score: float | None
    rank: float | None
    of: int
    """Units ranked beside it."""
    share: float | None
    """Weight among the siblings that have a value."""
    effective_weight: float
    contribution: float | None
    """Points in the index; None below a parent that is not a sum."""
    how: Text
    steps: tuple[Step, ...] = ()
    parts: tuple[Explanation, ...] = ()

    def to_dict(self, lang: Lang = "en") -> dict[str, Any]:
        """The explanation as plain nested data."""
        return {
            "node": self.node, "name": self.name.to(lang), "unit": self.unit, "period": self.period,
            "score": self.score, "rank": self.rank, "of": self.of, "share": self.share,
            "effective_weight": self.effective_weight, "contribution": self.contribution, "how": self.how.to(lang),
            "steps": [{"step": s.name.to(lang), "value": s.value, "how": s.how.to(lang)} for s in self.steps],
            "parts": [p.to_dict(lang) for p in self.parts],
        }  # fmt: skip

    def lines(self, lang: Lang = "en", depth: int = 0) -> Iterator[str]:
        """The explanation as indented text."""
        pad = "  " * depth
        rank = f"  #{self.rank:g}/{self.of}" if self.rank is not None else ""
        share = f"  × {self.share:.4f}" if depth and self.share is not None else ""
        yield f"{pad}{self.node} {self.name.to(lang)}: {shown(self.score)}{rank}{share}  [{self.how.to(lang)}]"
        for s in self.steps:
            value = "" if s.value is None and s.how.en else shown(s.value)
            yield f"{pad}    {s.name.to(lang)}: " + "  ".join(filter(None, (value, s.how.to(lang))))
        for p in self.parts:
            yield from p.lines(lang, depth + 1)

    def __str__(self) -> str:
        return "\n".join(self.lines())


def explain(result: Result, unit: str, node: str | None = None, period: str | Period | None = None) -> Explanation:
    """Every number from the raw values to a score.

    Parameters
    ----------
    result : Result
    unit : str
        Code of the unit.
    node : str, optional
        Code of the node; the index by default.
    period : str or Period, optional
        The last period with scores by default.

    Raises
    ------
    UnknownName
        If there is no such unit, node or period.
    """
    p, u = result.period_at(period), result.panel.position(unit)
    start = result.nodes[result.node_at(node)]
    return _node(result, start, p, u)


def shown(value: float | None) -> str:
    """A number with up to 10 significant digits; — for none."""
    return "—" if value is None else f"{value:.10g}"


def _node(result: Result, node: Node, p: int, u: int) -> Explanation:
    at = result.node_at(node.code)
    children = result.framework.children(node.code)
    ranks = result.ranks[p, :, at]
    how = _how_aggregated(result, node) if children else _how_normalised(result, node)
    taken = _as_taken(result, node, float(result.scores[p, u, at]))
    return Explanation(
        node.code, Text(node.name("en"), node.name("zh")), result.panel.units[u].code, str(result.panel.periods[p]),
        _float(result.scores[p, u, at]), _float(ranks[u]), int((~np.isnan(ranks)).sum()), _float(result.shares[p, u, at]),
        result.effective_weights[node.code], _float(result.contributions[p, u, at]),
        Text(how.en + taken.en, how.zh + taken.zh),
        () if children else tuple(_steps(result, node, p, u)),
        tuple(_node(result, c, p, u) for c in children),
    )  # fmt: skip


def _as_taken(result: Result, node: Node, score: float) -> Text:
    """What the parent's geometric mean took in place of a score at or below 0, by the recipe's rule."""
    rule = result.recipe.nonpositive
    if node.parent is not None and np.isnan(score):
        _, options = choice_of(result.framework, result.recipe, "aggregate", result.framework[node.parent])
        given = options.get("missing")
        return Text("", "") if given is None else Text(f"; missing, taken as {given:g} by its parent", f"；缺失，上级按 {given:g} 计")
    floor = 0.0 if isinstance(rule, str) else float(rule)
    if node.parent is None or not (score <= 0 or score < floor):
        return Text("", "")
    name, _ = choice_of(result.framework, result.recipe, "aggregate", result.framework[node.parent])
    if not REGISTRIES["aggregate"][name].traits & {Trait.NEEDS_POSITIVE, Trait.NEEDS_NONNEGATIVE} or not result.weights[result.node_at(node.code)] > 0:
        return Text("", "")
    if rule == "missing":
        return Text("; left out by its parent, being at or below 0", "；不大于 0，上级未计入")
    return Text(f"; taken as {floor:g} by its parent", f"；上级按 {floor:g} 计")


def _how_aggregated(result: Result, node: Node) -> Text:
    name, options = choice_of(result.framework, result.recipe, "aggregate", node)
    label, n = REGISTRIES["aggregate"][name].label, len(result.framework.children(node.code))
    return Text(f"{label.en} of {n}{_options(options)}", f"{n} 项{label.zh}{_options(options)}")


def _how_normalised(result: Result, node: Node) -> Text:
    name, options = choice_of(result.framework, result.recipe, "normalise", node)
    method = REGISTRIES["normalise"][name]
    low, high = options.get("range") or result.recipe.range
    spread = Trait.UNIT_INTERVAL in method.traits or options.get("rescale") or options.get("range")
    onto = (f", onto {low:g} to {high:g}", f"，映射到 {low:g}–{high:g}") if spread else ("", "")
    shown_options = {k: v for k, v in options.items() if k != "range"}
    return Text(f"{method.label.en}{_options(shown_options)}{onto[0]}", f"{method.label.zh}{_options(shown_options)}{onto[1]}")


def _steps(result: Result, node: Node, p: int, u: int) -> Iterator[Step]:
    i = result.indicators.index(node.code)
    stage = {name: _float(x[p, u, i]) for name, x in result.stages.items()}
    marks = int(result.marks[p, u, i])
    yield Step(Text("value", "原始值"), stage["derived"], _raw(result, node, p, u))
    if node.divides_by is not None:
        yield Step(Text("denominated", "除以分母"), stage["denominated"], Text(f"divided by {node.denominator}", f"除以 {node.denominator}"))
    if result.screened[p, u]:
        yield Step(Text("screened", "筛选"), None, Text("left out: too little data, or dropped by the recipe", "未计入：数据不足，或被方案排除"))
    for bit, name, step, word in (
        (IMPUTED, "imputed", "impute", Text("imputed", "插补")),
        (TREATED, "treated", "treat", Text("treated", "异常值处理")),
    ):
        if marks & bit:
            method, options = choice_of(result.framework, result.recipe, step, node)
            label = REGISTRIES[step][method].label
            yield Step(word, stage[name], Text(label.en + _options(options), label.zh + _options(options)))
    yield Step(Text("direction", "方向"), None, _direction(node))
    yield Step(Text("scale", "尺度"), None, _scale(result, node, p, i))
    held = [MARKS[b][1] for b in (CLIPPED, NEUTRAL) if marks & b]
    yield Step(Text("normalised", "无量纲化"), stage["normalised"], Text("; ".join(t.en for t in held), "；".join(t.zh for t in held)))


def _raw(result: Result, node: Node, p: int, u: int) -> Text:
    if node.formula:
        return Text(f"= {node.formula}", f"= {node.formula}")
    if node.code not in result.panel.codes:
        return Text("", "")
    c = result.panel.codes.index(node.code)
    status = STATUSES.get(str(result.panel.status[p, u, c]), Text("no value", "无值"))
    place: Place = result.panel.origin(p, u, c)
    source = result.panel.sources[result.panel.source[p, u, c]]
    en = [node.unit, f"status: {status.en}", source, place.say("en")]
    zh = [node.unit, f"状态：{status.zh}", source, place.say("zh")]
    return Text("; ".join(filter(None, en)), "；".join(filter(None, zh)))


def _direction(node: Node) -> Text:
    if isinstance(node.direction, Optimum):
        return Text(f"best at {node.direction}", f"适度指标，最优 {node.direction}")
    return Text("higher is better", "正向指标") if node.direction > 0 else Text("lower is better", "逆向指标")


def _scale(result: Result, node: Node, p: int, i: int) -> Text:
    """What set the scale of an indicator in a period, in the indicator's own unit."""
    name, options = choice_of(result.framework, result.recipe, "normalise", node)
    method = REGISTRIES["normalise"][name]
    posts = [options.get(p) for p in method.posts or ()]
    if not (options.get("rescale") or (options.get("range") and Trait.UNIT_INTERVAL not in method.traits)):
        if method.needs & {"before", "origin"}:
            return _compared_with(result, node, p, i, options)
        if Trait.IGNORES_REF in method.traits or (len(posts) == 2 and None not in posts):
            return Text("fixed by its options", "由选项固定")
    x = np.where(result.counts[..., None], result.stages["treated"], np.nan)[..., i]
    of = Text("values", "个值")
    if isinstance(node.direction, Optimum):
        x = np.maximum(np.maximum(node.direction.low - x, x - node.direction.high), 0.0)
        of = Text("distances to the optimum", "个与适度值的距离")
    match result.recipe.scale:
        case "pooled":
            ref, over = x.ravel(), Text("all periods", "全部各期")
        case "base":
            ref, over = x[result.period_at(result.recipe.base)], Text(f"{result.recipe.base}", f"{result.recipe.base}")
        case _:
            ref, over = x[p], Text(f"{result.panel.periods[p]}", f"{result.panel.periods[p]}")
    ref = ref[~np.isnan(ref)]
    if not ref.size:
        return Text("no value sets it", "无可用参照值")
    low, high, mean = (shown(float(v)) for v in (ref.min(), ref.max(), ref.mean()))
    ddof = int(options.get("ddof", 1))
    sd = shown(float(ref.std(ddof=ddof))) if ref.size > ddof else "—"
    return Text(
        f"{over.en}, {ref.size} {of.en}: lowest {low}, highest {high}, mean {mean}, standard deviation {sd}",
        f"{over.zh}，{ref.size} {of.zh}：最低 {low}，最高 {high}，均值 {mean}，标准差 {sd}",
    )


def _compared_with(result: Result, node: Node, p: int, i: int, options: dict[str, Any]) -> Text:
    """The period an index or growth rate is taken from."""
    periods = [str(x) for x in result.panel.periods]
    if "over" in options or REGISTRIES["normalise"][choice_of(result.framework, result.recipe, "normalise", node)[0]].needs >= {"before"}:
        own = result.panel.periods[p]
        earlier = str(own.previous if options.get("over") == "period" else own.year_before)
        earlier = earlier if earlier in periods else "—"
    else:
        earlier = str(options.get("base") or result.recipe.base or periods[0])
    return Text(f"compared with {earlier}", f"与 {earlier} 比较")


def _options(options: dict[str, Any]) -> str:
    told = ", ".join(f"{k} = {_value(v)}" for k, v in sorted(options.items()))
    return f" ({told})" if told else ""


def _float(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _value(value: Any) -> str:
    """An option as it is told: numbers short, long lists cut."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(map(_value, value[:4])) + (", …]" if len(value) > 4 else "]")
    return str(value)
