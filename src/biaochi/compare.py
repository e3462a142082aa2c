"""Results side by side: shifts, correlations, and which choice made which difference."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biaochi.changes import LABELS, framework_changes, mixed_framework, mixed_recipe, recipe_changes, with_data
from biaochi.errors import BadOption, BiaochiError, Text, choose
from biaochi.framework import Framework
from biaochi.kernels.structure.association import KINDS, Kind, association
from biaochi.method import Array, or_none
from biaochi.period import Period
from biaochi.result import Result
from biaochi.run import run

MOST_CHOICES = 8
"""Choices told apart at most: two to this power runs; beyond, those of the recipe count as one, then those of the framework."""


@dataclass(frozen=True)
class Comparison:
    """Two results beside each other, and what made the difference."""

    code: str
    first: str
    second: str
    """Periods compared."""
    rows: list[dict[str, Any]]
    """unit, score_first, score_second, difference, rank_first, rank_second, shift (places gained), and ``because``: points of the
    difference by choice, which sum to it; ``because_rank`` likewise for the shift. Units of both results."""
    choices: list[dict[str, Any]]
    """choice, label (a Text), mean and largest absolute effect on scores and on ranks, and what changed."""
    correlations: dict[str, float | None]
    """Pearson, Spearman and Kendall's tau-b of the scores; mean and largest absolute shift of ranks; of the units that count in both."""
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    notices: tuple[Text, ...]
    """What could not be told apart, and why."""


def compare(
    first: Result, second: Result, code: str | None = None, *, periods: tuple[str | Period | None, str | Period | None] = (None, None), attribute: bool = True
) -> Comparison:
    """Compare two results and attribute the difference to the choices in which they differ.

    Data, parts of the framework (indicators, weights, goalposts, ...) and settings of the recipe are exchanged one by
    one in all combinations; each choice has its mean effect over all orders in which the exchanges could be made
    (Shapley value), so effects add up to the difference for every unit, and no order is favoured.

    Parameters
    ----------
    first, second : Result
        Two recipes, two editions, two frameworks, or any mixture.
    code : str, optional
        A node both have; the index of each by default.
    periods : pair of periods, optional
        The last ones with scores by default.
    attribute : bool
        Without it, no runs are made and ``because`` is empty.

    Returns
    -------
    Comparison

    Raises
    ------
    UnknownName, BadOption
        If a name is not known, or the results share no unit with a score.
    """
    _results({"first": first, "second": second})
    if not isinstance(periods, (tuple, list)) or len(periods) != 2:
        raise BadOption("periods", f"must be a pair, such as ('2021', '2022'); got {periods!r}.", f"periods 应为两期，如 ('2021', '2022')；得到 {periods!r}。")
    p, q = first.period_at(periods[0]), second.period_at(periods[1])
    common = sorted({u.code for u in first.panel.units} & {u.code for u in second.panel.units})
    a, b = _of(first, p, code, common), _of(second, q, code, common)
    if not (~np.isnan(a[0]) & ~np.isnan(b[0])).any():
        raise BadOption("compare", "needs results that share a unit with a score in both; there is none.", "两个结果须有共同的有分单位；没有找到。")
    notices: list[Text] = []
    roots = first.nodes[first.node_at(code)].code, second.nodes[second.node_at(code)].code
    if roots[0] != roots[1]:
        notices.append(Text(f"These are two different indices: {roots[0]} and {roots[1]}.", f"这是两个不同的指数：{roots[0]} 与 {roots[1]}。"))
    effects: dict[str, tuple[Array, Array]] = {}
    details: dict[str, Any] = {}
    if attribute:
        effects, details = _attributed(first, second, code, common, (p, q), notices)
        _rest(effects, a, b, common, notices)
    rows = []
    for i, unit in enumerate(common):
        row: dict[str, Any] = {"unit": unit, "score_first": or_none(a[0][i]), "score_second": or_none(b[0][i]), "difference": or_none(b[0][i] - a[0][i]),
               "rank_first": or_none(a[1][i]), "rank_second": or_none(b[1][i]), "shift": or_none(a[1][i] - b[1][i])}  # fmt: skip
        row |= {"because": {k: or_none(s[i]) for k, (s, _) in effects.items()}, "because_rank": {k: or_none(0.0 - r[i]) for k, (_, r) in effects.items()}}
        rows.append(row)
    choices = [{"choice": k, "label": label_of(k), **_sizes(s, "score"), **_sizes(r, "rank"), "changes": details.get(k, [])} for k, (s, r) in effects.items()]
    name = first.nodes[first.node_at(code)].code
    only = [tuple(sorted({u.code for u in x.panel.units} - set(common))) for x in (first, second)]
    return Comparison(
        name,
        str(first.panel.periods[p]),
        str(second.panel.periods[q]),
        rows,
        choices,
        _agreement(a, b, _counted(first, p, common) & _counted(second, q, common)),
        only[0],
        only[1],
        tuple(notices),
    )


def _rest(effects: dict[str, tuple[Array, Array]], a: tuple[Array, Array], b: tuple[Array, Array], units: Sequence[str], notices: list[Text]) -> None:
    """What the choices leave unexplained: units without a score half-way, and random draws that do not come back."""
    whole = [y - x for x, y in zip(a, b, strict=True)]
    told = [np.sum([e[k] for e in effects.values()], axis=0) if effects else np.zeros(len(units)) for k in (0, 1)]
    unknown = [u for u, w, t in zip(units, whole[0], told[0], strict=True) if w == w and t != t]
    if unknown:
        some, einige = ", ".join(unknown[:5]) + (", …" if len(unknown) > 5 else ""), "、".join(unknown[:5]) + ("……" if len(unknown) > 5 else "")
        notices.append(Text(f"No effects for {some}: without a score under some of the choices.", f"{einige} 无法分解：在部分选择下没有得分。"))
    rest = [np.where(np.abs(w - t) > 1e-9 * np.maximum(np.abs(w), 1.0), w - t, 0.0) for w, t in zip(whole, told, strict=True)]
    if (np.nan_to_num(rest[0]) != 0).any():
        effects["draws"] = (rest[0], rest[1])
        notices.append(
            Text("A result made with random draws does not come back: what is left is listed as draws.", "含随机抽取的结果无法重现：剩余差异列为随机抽取。")
        )


def _of(result: Result, p: int, code: str | None, units: Sequence[str]) -> tuple[Array, Array]:
    """Scores and ranks of some units; ranks are those of the result among its own units."""
    n = result.node_at(code)
    at = [result.panel.position(u) for u in units]
    return result.scores[p, at, n], result.ranks[p, at, n]


def label_of(choice: str) -> Text:
    """What a choice, or choices that count as one, are called."""
    parts = [LABELS.get(part, Text(f"recipe: {part}", f"方案：{part}")) for part in choice.split(" + ")]
    more = len(parts) - 3
    rest = Text(f" and {more} more", f"等 {len(parts)} 项") if more > 0 else Text("", "")
    return Text(" + ".join(t.en for t in parts[:3]) + rest.en, " + ".join(t.zh for t in parts[:3]) + rest.zh)


def _sizes(effect: Array, what: str) -> dict[str, float | None]:
    known = np.abs(effect[~np.isnan(effect)])
    return {f"mean_{what}": float(known.mean()) if known.size else None, f"largest_{what}": float(known.max()) if known.size else None}


def _counted(result: Result, p: int, units: Sequence[str]) -> NDArray[np.bool_]:
    """Which of some units count."""
    return np.asarray(result.counts[p, [result.panel.position(u) for u in units]])


def _results(given: object) -> None:
    """Refuse what is no mapping of names to results."""
    if not isinstance(given, Mapping) or not all(isinstance(r, Result) for r in given.values()):
        raise BadOption("results", f"must be results of biaochi.run, by name; got {given!r}.", f"应为以名称为键的 biaochi.run 结果；得到 {given!r}。")


def _agreement(a: tuple[Array, Array], b: tuple[Array, Array], counts: NDArray[np.bool_]) -> dict[str, float | None]:
    """Of the units that count in both."""
    both = ~np.isnan(a[0]) & ~np.isnan(b[0]) & counts
    x, y = a[0][both][:, None], b[0][both][:, None]
    kinds: tuple[Kind, ...] = ("pearson", "spearman", "kendall")
    out = {str(kind): or_none(association(x, y, kind)[0][0, 0]) if both.any() else None for kind in kinds}
    shift = np.abs(a[1] - b[1])
    known = shift[~np.isnan(shift)]
    return {**out, "mean_shift": float(known.mean()) if known.size else None, "largest_shift": float(known.max()) if known.size else None}


Chosen = frozenset[str]
Value = Callable[[Chosen], tuple[Array, Array] | None]


def _attributed(
    first: Result, second: Result, code: str | None, units: list[str], at: tuple[int, int], notices: list[Text]
) -> tuple[dict[str, tuple[Array, Array]], dict[str, Any]]:
    """Effect of each choice on scores and ranks, and what changed in it."""
    frames = first.original or first.framework, second.original or second.framework
    settings = recipe_changes(first.recipe, second.recipe)
    details: dict[str, Any] = {}
    for row in framework_changes(*frames):
        details.setdefault(row["part"], []).append(row)
    words = details.pop("words", [])
    details |= {r["setting"]: [r] for r in settings}
    if first.panel.fingerprint != second.panel.fingerprint or first.panel.periods[at[0]] != second.panel.periods[at[1]]:
        details["data"] = []
    blocks = blocks_of(list(details), {r["setting"] for r in settings}, notices)
    if words and not blocks:
        notices.append(Text("The frameworks differ in words only.", "两个指标体系仅名称或说明不同。"))
    runs: dict[Chosen, tuple[Array, Array] | None] = {}

    def value(taken: Chosen) -> tuple[Array, Array] | None:
        if taken not in runs:
            runs[taken] = _mixed_run(first, second, frames, taken, code, units, at)
        return runs[taken]

    blocks = separable(blocks, value, notices)
    effects = mean_effects(blocks, value)
    return effects, {name_of(block): [row for part in sorted(block) for row in details[part]] for block in blocks}


def name_of(block: Chosen) -> str:
    """The name of choices that count as one."""
    return " + ".join(sorted(block))


def blocks_of(parts: list[str], settings: set[str], notices: list[Text]) -> list[Chosen]:
    """The choices told apart: each by itself, where there are not too many."""
    blocks = [frozenset([p]) for p in parts]
    for group, en, zh in ((settings, "settings of the recipe", "方案各项设置"), (set(parts) - settings - {"data"}, "parts of the framework", "指标体系各部分")):
        if len(blocks) > MOST_CHOICES:
            inside = frozenset(group & set(parts))
            blocks = [b for b in blocks if not b <= inside] + ([inside] if inside else [])
            notices.append(Text(f"More than {MOST_CHOICES} choices differ: {en} count as one.", f"不同之处超过 {MOST_CHOICES} 项：{zh}合并计算。"))
    return blocks


def _mixed_run(
    first: Result, second: Result, frames: tuple[Framework, Framework], taken: Chosen, code: str | None, units: list[str], at: tuple[int, int]
) -> tuple[Array, Array] | None:
    """Scores and ranks with some choices of the second result; None where they cannot be run together."""
    source, p = (second, at[1]) if "data" in taken else (first, at[0])
    settings = {r["setting"] for r in recipe_changes(first.recipe, second.recipe)}
    try:
        framework = with_data(mixed_framework(*frames, taken - settings), source.panel.codes)
        made = run(framework, source.panel, mixed_recipe(first.recipe, second.recipe, taken & settings))
        return _of(made, p, code, units)
    except BiaochiError:
        return None


def _coalitions(blocks: list[Chosen]) -> list[Chosen]:
    return [frozenset[str]().union(*some) for k in range(len(blocks) + 1) for some in combinations(blocks, k)]


def separable(blocks: list[Chosen], value: Value, notices: list[Text]) -> list[Chosen]:
    """Blocks merged until every combination can be run: choices that only work together are one choice."""
    while len(blocks) > 1:
        failed = [c for c in _coalitions(blocks) if value(c) is None]
        if not failed:
            break
        cost = {(i, j): sum((blocks[i] <= c) != (blocks[j] <= c) for c in failed) for i, j in combinations(range(len(blocks)), 2)}
        i, j = max(cost, key=lambda k: (cost[k], -k[0], -k[1]))
        joined = blocks[i] | blocks[j]
        notices.append(Text(f"{label_of(name_of(joined)).en} cannot be run apart and count as one.", f"{label_of(name_of(joined)).zh}无法分开运行，合并计算。"))
        blocks = [b for k, b in enumerate(blocks) if k not in (i, j)] + [joined]
    return blocks


def mean_effects(blocks: list[Chosen], value: Value) -> dict[str, tuple[Array, Array]]:
    """Mean effect of each block over all orders, on scores and on ranks."""
    n = len(blocks)
    out = {}
    for block in blocks:
        rest = [b for b in blocks if b != block]
        total: list[Array] = []
        for k in range(n):
            share = math.factorial(k) * math.factorial(n - 1 - k) / math.factorial(n)
            for some in combinations(rest, k):
                without = frozenset[str]().union(*some)
                before, after = value(without), value(without | block)
                if before is not None and after is not None:
                    total.append(share * np.array([after[0] - before[0], after[1] - before[1]]))
        summed = np.sum(total, axis=0)
        out[name_of(block)] = (summed[0], summed[1])
    return out


def compare_many(
    results: Mapping[str, Result], code: str | None = None, *, base: str | None = None, by: str = "ranks", period: str | Period | None = None
) -> list[dict[str, Any]]:
    """Ranks or scores of many results side by side, with differences from one of them.

    Parameters
    ----------
    results : mapping of str to Result
        By the name each shall have.
    code : str, optional
        The index of each by default.
    base : str, optional
        The one the others are compared with; the first by default.
    by : {"ranks", "scores"}
    period : str or Period, optional

    Returns
    -------
    list of dict
        unit, one entry a name, and one ``name - base`` a name other than the base; ordered by the base, best first. Units
        missing from a result have None there. Ranks are those of each result among all its units.

    Raises
    ------
    UnknownName, BadOption
        If the base, node, period or ``by`` is not known, or there is no result.
    """
    _results(results)
    if not results:
        raise BadOption("compare_many", "needs results; got none.", "compare_many 至少需要一个结果。")
    first = next(iter(results)) if base is None else base
    choose(Text("base", "基准"), first, results)
    choose(Text("by", "by"), by, ["ranks", "scores"])
    tables = {}
    for name, r in results.items():
        p, n = r.period_at(period), r.node_at(code)
        x = (r.ranks if by == "ranks" else r.scores)[p, :, n]
        tables[name] = {u.code: or_none(v) for u, v in zip(r.panel.units, x, strict=True)}
    rows: list[dict[str, Any]] = []
    for u in sorted({u for t in tables.values() for u in t}):
        row: dict[str, Any] = {"unit": u, **{name: t.get(u) for name, t in tables.items()}}
        start = row[first]
        row |= {f"{name} - {first}": None if row[name] is None or start is None else row[name] - start for name in tables if name != first}
        rows.append(row)
    sign = 1.0 if by == "ranks" else -1.0
    return sorted(rows, key=lambda r: (r[first] is None, sign * (r[first] or 0.0), r["unit"]))


def correlate(results: Mapping[str, Result], *, by: str = "scores", kind: Kind = "pearson", period: str | Period | None = None) -> list[dict[str, Any]]:
    """Correlation of every pair of results, node by node, for the nodes both have.

    Parameters
    ----------
    results : mapping of str to Result
    by : {"scores", "ranks"}
    kind : {"pearson", "spearman", "kendall"}
    period : str or Period, optional

    Returns
    -------
    list of dict
        first, second, code, correlation, n: of the units that count in both.
    """
    _results(results)
    choose(Text("by", "by"), by, ["ranks", "scores"])
    choose(Text("kind of correlation", "相关系数种类"), kind, KINDS)
    if len(results) < 2:
        raise BadOption("correlate", f"needs two results or more; got {len(results)}.", f"correlate 至少需要两个结果；得到 {len(results)} 个。")
    out = []
    for a, b in combinations(results, 2):
        x, y = results[a], results[b]
        units = sorted({u.code for u in x.panel.units} & {u.code for u in y.panel.units})
        for node in (n.code for n in x.nodes if n.code in y.framework and not y.framework[n.code].series):
            inside = _counted(x, x.period_at(period), units) & _counted(y, y.period_at(period), units)
            one, two = (np.where(inside, _of(r, r.period_at(period), node, units)[0 if by == "scores" else 1], np.nan) for r in (x, y))
            got, _ = association(one[:, None], two[:, None], kind)
            out.append({"first": a, "second": b, "code": node, "correlation": or_none(got[0, 0]), "n": int((~np.isnan(one) & ~np.isnan(two)).sum())})
    return out
