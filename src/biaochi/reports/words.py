"""Sentences and tables shared by the workbook and the HTML report."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import biaochi
from biaochi.checks import FOR_INDICATORS, REGISTRIES, choice_of
from biaochi.errors import Lang, Text
from biaochi.inputs import input_name
from biaochi.panel import STATUSES
from biaochi.recipe import STEPS
from biaochi.result import MARKS, Result, mark_letters
from biaochi.robustness import Robustness


def headline(result: Result, period: str | None, lang: Lang) -> str:
    """Who leads, by how much, and how far apart first and last are."""
    p = result.period_at(period)
    ranked = [u for u in result.order(str(result.panel.periods[p])) if result.ranks[p, u, 0] == result.ranks[p, u, 0]]
    if not ranked:
        return Text("No unit has a rank.", "没有单位参与排名。").to(lang)
    labels = result.panel.labels(lang)
    names = [labels[u] for u in ranked]
    scores = [float(result.scores[p, u, 0]) for u in ranked]
    form = ".3f" if max(scores) <= 1.5 else ".1f"
    en, zh = f"{names[0]} leads with {scores[0]:{form}}", f"{names[0]}居首，得分 {scores[0]:{form}}"
    if len(ranked) > 2:
        en += f", before {names[1]} ({scores[1]:{form}}) and {names[2]} ({scores[2]:{form}})"
        zh += f"，其后为{names[1]}（{scores[1]:{form}}）、{names[2]}（{scores[2]:{form}}）"
    if len(ranked) > 1:
        en += f"; {scores[0] - scores[-1]:{form}} points lie between first and last ({names[-1]})"
        zh += f"；首末位（{names[-1]}）相差 {scores[0] - scores[-1]:{form}} 分"
    return Text(en + ".", zh + "。").to(lang)


def method_rows(result: Result, lang: Lang) -> list[tuple[str, str, str]]:
    """(step, choice, for what) in the order of the run, in words."""
    recipe = result.recipe
    rows = [(Text("screening", "筛选").to(lang), _screening(result).to(lang), _all(len(result.panel.units), "unit", "个单位").to(lang))]
    for step in STEPS:
        nodes = result.framework.indicators if step in FOR_INDICATORS else [n for n in result.nodes if result.framework.children(n.code)]
        used: dict[str, list[str]] = {}
        for n in nodes:
            name, options = choice_of(result.framework, recipe, step, n)
            method = REGISTRIES[step][name]
            told = ", ".join(f"{k} = {_told(v, lang)}" for k, v in sorted(options.items()) if k not in (method.posts or ()))
            used.setdefault(method.label.to(lang) + (f" ({told})" if told else ""), []).append(n.name(lang))
        for label, members in used.items():
            whom = _all(len(members), "node", "个节点").to(lang) if len(used) == 1 else ("、" if lang == "zh" else ", ").join(members)
            rows.append((_STEP_WORDS[step].to(lang), label, whom))
    low, high = recipe.range
    rows.append((Text("scale", "尺度").to(lang), _SCALES[recipe.scale].to(lang).format(base=recipe.base), f"{low:g}–{high:g}"))
    rows += [(Text("rule", "规则").to(lang), t.to(lang), "") for t in _rules(result)]
    return rows


_STEP_WORDS = {
    "impute": Text("imputation", "插补"),
    "treat": Text("outliers and skew", "异常值与偏态处理"),
    "normalise": Text("normalisation", "无量纲化"),
    "weigh": Text("weights", "赋权"),
    "aggregate": Text("aggregation", "合成"),
}
_SCALES = {
    "period": Text("each period sets its own", "各期自定"),
    "pooled": Text("all periods together", "各期合并"),
    "base": Text("base period {base}", "基期 {base}"),
    "fixed": Text("fixed by goalposts", "固定上下限"),
}


def _all(n: int, noun: str, zh: str) -> Text:
    return Text(f"all {n:,} {noun}s" if n != 1 else f"the one {noun}", f"全部 {n} {zh}")


def _told(value: Any, lang: Lang) -> str:
    """An option's value; what experts said is counted, not listed."""
    if isinstance(value, tuple) and value and isinstance(value[0], tuple):
        return Text(f"{len(value)} judgements", f"{len(value)} 条判断").to(lang)
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _screening(result: Result) -> Text:
    r = result.recipe
    en, zh = [], []
    for least, words in (
        (r.min_share, ("{} of their indicators", "指标可得率不低于 {}")),
        (r.min_nonzero, ("{} of their values not 0", "非零值不低于 {}")),
        (r.min_branch_share, (f"{{}} of the indicators in every branch of level {r.branch_level}", f"第 {r.branch_level} 层各分支可得率不低于 {{}}")),
    ):
        if least:
            en.append(words[0].format(f"{least:.0%}"))
            zh.append(words[1].format(f"{least:.0%}"))
    left = [*r.drop], [*r.keep]
    said = Text("units with at least " + " and ".join(en), "、".join(zh) + " 的单位") if en else Text("units with any value", "有任一数据的单位")
    more = (f"; never {', '.join(left[0])}" if left[0] else "") + (f"; always {', '.join(left[1])}" if left[1] else "")
    more_zh = (f"；排除 {'、'.join(left[0])}" if left[0] else "") + (f"；保留 {'、'.join(left[1])}" if left[1] else "")
    return Text(said.en + more, said.zh + more_zh)


def _rules(result: Result) -> list[Text]:
    recipe = result.recipe
    named = {"refuse": Text("refused", "拒绝计算"), "missing": Text("left out", "不计入"), "zero": Text("the parent scores 0", "上级记 0 分")}
    constant = named.get(str(recipe.constant), Text(f"scored {recipe.constant}", f"记 {recipe.constant} 分"))
    low = named.get(str(recipe.nonpositive), Text(f"raised to {recipe.nonpositive}", f"提高到 {recipe.nonpositive}"))
    ties = {"best": Text("the best", "最优"), "worst": Text("the worst", "最劣"), "average": Text("the mean", "平均"), "dense": Text("a dense", "连续")}[
        recipe.ties
    ]
    rounded = (
        Text("", "")
        if recipe.decimals is None
        else Text(f"; scores are rounded to {recipe.decimals} decimals first", f"；先将得分四舍五入到 {recipe.decimals} 位小数")
    )
    more = []
    if recipe.treat_over == "pooled":
        more.append(Text("Outliers and skew are looked for over all periods together.", "异常值与偏态按各期合并处理。"))
    if recipe.weigh_period:
        more.append(Text(f"Weights from data are those of {recipe.weigh_period}.", f"数据驱动的权重取自 {recipe.weigh_period}。"))
    if recipe.min_indicator_share or recipe.min_indicator_nonzero or recipe.drop_indicators:
        more.append(Text(f"Indicators are used with at least {recipe.min_indicator_share:.0%} of their values, {recipe.min_indicator_nonzero:.0%} of these not 0; dropped: {', '.join(recipe.drop_indicators) or 'none'}.",
                         f"指标须有不低于 {recipe.min_indicator_share:.0%} 的值，其中非零不低于 {recipe.min_indicator_nonzero:.0%}；排除：{'、'.join(recipe.drop_indicators) or '无'}。"))  # fmt: skip
    return [
        *more,
        Text(f"A node needs {recipe.min_children:.0%} of its children to have a score; weights of the others are renormalised.",
             f"节点须有 {recipe.min_children:.0%} 的下级有得分；缺失者的权重按比例分摊。"),
        Text(f"Indicators whose scale has no spread: {constant.en}.", f"尺度没有差异的指标：{constant.zh}。"),
        Text(f"Scores at or below 0 under a geometric mean: {low.en}.", f"几何平均下不大于 0 的得分：{low.zh}。"),
        Text(f"Equal scores share {ties.en} rank{rounded.en}.", f"同分取{ties.zh}位次{rounded.zh}。"),
    ]  # fmt: skip


def provenance(result: Result, lang: Lang) -> list[tuple[str, str]]:
    """Version and fingerprints: what is needed to compute the same numbers again."""
    prints = result.fingerprints
    return [
        (Text("Biaochi version", "标尺版本").to(lang), biaochi.__version__),
        (Text("framework (SHA-256)", "指标体系（SHA-256）").to(lang), prints["framework"]),
        (Text("recipe (SHA-256)", "方案（SHA-256）").to(lang), prints["recipe"]),
        (Text("data (SHA-256)", "数据（SHA-256）").to(lang), prints["data"]),
    ]


def flags(result: Result) -> np.ndarray[Any, np.dtype[np.str_]]:
    """(period, unit, indicator) letters to show beside values: our marks, then the reported status unless normal."""
    out = np.full(result.marks.shape, "", "<U8")
    for bits in np.unique(result.marks):
        out[result.marks == bits] = mark_letters(int(bits))
    status = np.stack([result.status(c) for c in result.indicators], axis=-1)
    return np.char.add(out, np.where((status == "A") | (status == ""), "", status))


def legend(result: Result, lang: Lang) -> dict[str, str]:
    """What the letters mean, for those that occur."""
    present = set("".join(np.unique(flags(result)).tolist()))
    known = {**dict(MARKS.values()), **STATUSES}
    return {letter: known[letter].to(lang) for letter in sorted(present) if letter in known}


def intervals(robust: Robustness | None, p: int, node: str | None = None) -> dict[int, str]:
    """The middle 90 % of ranks of each unit in a period, by its place in the panel, as people read it; empty where not studied."""
    ranks = robust.found(node, p) if robust is not None else None
    if ranks is None:
        return {}
    low, high = ranks.interval()
    return {u: span(a, b) for u, (a, b) in enumerate(zip(low.tolist(), high.tolist(), strict=True)) if a == a}


def span(low: float, high: float) -> str:
    """Two ranks as one interval; quantiles between two ranks are widened to them."""
    a, b = math.floor(low + 1e-9), math.ceil(high - 1e-9)
    return f"{a}" if a == b else f"{a}–{b}"


def study_line(robust: Robustness, lang: Lang) -> str:
    """What varied, how often, and how far ranks moved, in one line."""
    names = ("、" if lang == "zh" else ", ").join(input_name(v.name, lang) for v in robust.plan.vary)
    shift, _ = robust.mean_shift
    moved = Text(f"; ranks shift by {shift:.1f} on average", f"；位次平均变动 {shift:.1f} 位").to(lang) if shift == shift else ""
    return Text(f"90 %: middle of the ranks in {robust.replicates:,} what-ifs; varied: {names}{moved}.",
                f"90 %：{robust.replicates:,} 次模拟中居中 90 % 的位次；变动项：{names}{moved}。").to(lang)  # fmt: skip


def brackets(robust: Robustness | None, p: int) -> list[tuple[str, ...]]:
    """Units of a period that cannot be told apart; empty where not studied."""
    ranks = robust.found(None, p) if robust is not None else None
    return ranks.groups() if ranks is not None and ranks.tally.ahead.shape[1] else []
