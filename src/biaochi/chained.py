"""Editions that differ in their framework, linked into one series by a stated rule; and scales that stay put."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biaochi.changes import framework_changes, recipe_changes
from biaochi.checks import REGISTRIES, choice_of
from biaochi.errors import BadOption, Text, UnknownName, choose
from biaochi.framework import Framework
from biaochi.method import Array, Method, Trait, is_number, or_none
from biaochi.period import Period
from biaochi.result import Result, takes_result

RULES: dict[str, Text] = {
    "ratio": Text("older scores of each unit times its new over its old score in the link period", "各单位旧得分乘以其链接期新旧得分之比"),
    "difference": Text("older scores of each unit plus the difference of its new and old score in the link period", "各单位旧得分加上其链接期新旧得分之差"),
    "common": Text("older scores of all units times the ratio of the new to the old mean in the link period", "全部单位旧得分乘以链接期新旧均值之比"),
}
"""How an older edition is brought to the level of a newer one."""


@dataclass(frozen=True)
class Chained:
    """One series out of several editions, at the level of the last."""

    rule: Text
    units: tuple[str, ...]
    periods: tuple[str, ...]
    values: Array
    """(period, unit)"""
    edition: tuple[int, ...]
    """(period,): which edition each period is taken from, counted from 0."""
    links: list[dict[str, Any]]
    """edition, unit, period, old, new, link (factor or difference); link None where a unit cannot be linked."""
    changes: list[dict[str, Any]]
    """edition, what (framework or recipe), code or setting, change, before, after."""

    def rows(self) -> list[dict[str, Any]]:
        """unit, period, value, edition; only where there is a value."""
        return [
            {"unit": unit, "period": period, "value": float(self.values[p, u]), "edition": self.edition[p]}
            for p, period in enumerate(self.periods)
            for u, unit in enumerate(self.units)
            if self.values[p, u] == self.values[p, u]
        ]


def chain(
    editions: Sequence[Result],
    code: str | None = None,
    *,
    rule: str = "ratio",
    at: Sequence[str | Period] | str | Period | None = None,
    base: str | Period | None = None,
    to: float = 100.0,
) -> Chained:
    """Link editions whose frameworks, recipes or data differ into one series.

    Parameters
    ----------
    editions : sequence of Result
        Oldest first. From the link period of two on, a period is taken from the newer edition, before it from the older one,
        linked; where only one of them has a period, from that one.
    code : str, optional
        A node all editions have; each one's index by default.
    rule : {"ratio", "difference", "common"}
        See `RULES`.
    at : period, or one for each pair of editions, optional
        Link periods; the first period both of a pair have scores for by default.
    base : str or Period, optional
        A period in which every unit is brought to ``to`` (base-period index); the level of the last edition by default.

    Returns
    -------
    Chained
        A unit without a score in a link period has no linked values (rules ratio and difference); ``links`` names it.
        Units that do not count set no common factor.

    Raises
    ------
    UnknownName, BadOption
        If editions share no period with scores, the index is not above 0 where a ratio is formed, or a name is
        not known.
    """
    stated = _stated(editions, rule, at)
    units = sorted({u.code for r in editions for u in r.panel.units})
    tables = [_scores(r, code, units) for r in editions]
    made = dict(tables[-1])
    edition = dict.fromkeys(tables[-1], len(editions) - 1)
    links: list[dict[str, Any]] = []
    for e in range(len(editions) - 2, -1, -1):
        old = tables[e]
        link = _link_period(old, made, stated[e], e)
        factor = _link(old[link], made[link], rule, link, _counted(editions[e : e + 2], link, units))
        rows = zip(units, old[link], made[link], factor, strict=True)
        links += [{"edition": e, "unit": u, "period": str(link), "old": or_none(a), "new": or_none(b), "link": or_none(f)} for u, a, b, f in rows]
        for p, values in old.items():
            if p < link or p not in made:
                made[p], edition[p] = values + factor if rule == "difference" else values * factor, e
    order = sorted(made)
    values = np.array([made[p] for p in order])
    if base is not None:
        if not is_number(to) or not np.isfinite(to):
            raise BadOption("to", f"must be a number; got {to!r}.", f"to 应为数；得到 {to!r}。")
        values = values / _base(values, order, base) * to
    return Chained(RULES[rule], tuple(units), tuple(map(str, order)), values, tuple(edition[p] for p in order), links, _changes(editions))


def _stated(editions: Sequence[Result], rule: str, at: Sequence[str | Period] | str | Period | None) -> list[str | Period | None]:
    """The link period stated for each pair of editions."""
    choose(Text("rule", "链接规则"), rule, RULES)
    if not isinstance(editions, (list, tuple)) or not all(isinstance(r, Result) for r in editions):
        raise BadOption("chain", f"needs a list of results, oldest first; got {editions!r}.", f"chain 需要结果列表，旧版在前；得到 {editions!r}。")
    if len(editions) < 2:
        raise BadOption("chain", f"needs two editions or more; got {len(editions)}.", f"至少需要两个版本；得到 {len(editions)} 个。")
    pairs = len(editions) - 1
    if at is None or isinstance(at, (str, Period)):
        return [at] * pairs
    if not isinstance(at, (list, tuple)) or len(at) != pairs:
        raise BadOption("at", f"needs one link period for each of the {pairs} pairs; got {at!r}.", f"{pairs} 对版本各需一个链接期；得到 {at!r}。")
    return list(at)


def _scores(result: Result, code: str | None, units: list[str]) -> dict[Period, Array]:
    """Scores by period, for all units of all editions; periods without any are left out."""
    n = result.node_at(code)
    at = {u.code: i for i, u in enumerate(result.panel.units)}
    out = {}
    for p, period in enumerate(result.panel.periods):
        row = np.array([result.scores[p, at[u], n] if u in at else np.nan for u in units])
        if not np.isnan(row).all():
            out[period] = row
    return out


def _link_period(old: dict[Period, Array], new: dict[Period, Array], stated: str | Period | None, e: int) -> Period:
    shared = sorted(p for p in old.keys() & new.keys() if (~np.isnan(old[p]) & ~np.isnan(new[p])).any())
    if stated is not None:
        found = next((p for p in shared if str(p) == str(stated)), None)
        if found is None:
            raise UnknownName(Text(f"link period of editions {e + 1} and {e + 2}", f"第 {e + 1}、{e + 2} 版的链接期"), str(stated), [str(p) for p in shared])
        return found
    if not shared:
        raise BadOption("chain", f"needs a period with scores in both editions {e + 1} and {e + 2}; there is none. Run one of them for a period of the other.",
                        f"第 {e + 1}、{e + 2} 版没有共同的有分期，无法链接。请为其中一版补算另一版的某一期。")  # fmt: skip
    return shared[0]


def _counted(pair: Sequence[Result], link: Period, units: list[str]) -> NDArray[np.bool_]:
    """Which units count in the link period in both editions, as far as they have it."""
    out = np.ones(len(units), bool)
    for r in pair:
        at = {u.code: i for i, u in enumerate(r.panel.units)}
        if link in r.panel.periods:
            counts = r.counts[r.panel.periods.index(link)]
            out &= np.array([u in at and bool(counts[at[u]]) for u in units])
    return out


def _link(old: Array, new: Array, rule: str, link: Period, counts: NDArray[np.bool_]) -> Array:
    """What brings each unit's older scores to the newer level."""
    both = ~np.isnan(old) & ~np.isnan(new)
    if rule == "difference":
        return np.where(both, new - old, np.nan)
    if rule == "common":
        setting = both & counts if (both & counts).any() else both
        a, b = float(old[setting].mean()), float(new[setting].mean())
        if a == 0 or b / a <= 0:
            raise BadOption(
                "rule",
                f"'common' needs means of one sign in {link}; got {a:g} and {b:g}. Use 'difference'.",
                f"'common' 要求 {link} 期均值同号；得到 {a:g} 与 {b:g}。请改用 'difference'。",
            )
        return np.full(old.shape, b / a)
    above = both & (old > 0) & (new > 0)
    if (both & counts & ~above).any():
        raise BadOption(
            "rule",
            f"'ratio' needs scores above 0 in {link}; use 'difference', or another link period.",
            f"'ratio' 要求 {link} 期得分大于 0；请改用 'difference' 或其他链接期。",
        )
    return np.where(above, new / np.where(above, old, 1.0), np.nan)


def _base(values: Array, order: list[Period], base: str | Period) -> Array:
    choose(Text("base period", "基期"), str(base), [str(p) for p in order])
    row = values[[str(p) for p in order].index(str(base))]
    if not (row > 0).any():
        raise BadOption("base", f"needs scores above 0 in {base}.", f"基期 {base} 的得分须大于 0。")
    return np.where(row > 0, row, np.nan)


def _changes(editions: Sequence[Result]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for e in range(1, len(editions)):
        a, b = editions[e - 1], editions[e]
        rows += [{"edition": e, "what": "framework", **r} for r in framework_changes(a.original or a.framework, b.original or b.framework)]
        rows += [{"edition": e, "what": "recipe", "code": r["setting"], "change": r["setting"], "part": "recipe", "before": r["before"], "after": r["after"]} for r in recipe_changes(a.recipe, b.recipe)]  # fmt: skip
    return rows


@takes_result
def comparability(result: Result) -> list[dict[str, Any]]:
    """Whether scores of each indicator mean the same in every period, and why not.

    Parameters
    ----------
    result : Result

    Returns
    -------
    list of dict
        code, method, comparable, reason (a Text): equal values of the indicator give equal scores in all periods, or, for
        methods of growth, equal growth does.
    """
    rows = []
    for code in result.indicators:
        name, options = choice_of(result.framework, result.recipe, "normalise", result.framework[code])
        comparable, reason = _comparable(result, code, REGISTRIES["normalise"][name], rescaled=bool(options.get("rescale")))
        rows.append({"code": code, "method": name, "comparable": comparable, "reason": reason})
    return rows


def _comparable(result: Result, code: str, method: Method, *, rescaled: bool) -> tuple[bool, Text]:
    """Whether one indicator's scores compare over time, and the reason."""
    recipe = result.recipe
    treated = choice_of(result.framework, recipe, "treat", result.framework[code])[0]
    together = recipe.scale in ("pooled", "base")
    if treated != "none" and recipe.treat_over == "period":
        return False, Text("outliers are treated in each period on its own", "异常值在每期各自处理")
    if rescaled and not together:
        return False, Text("results are rescaled in each period", "结果在每期重新缩放")
    if "at" in method.needs and recipe.scale != "base":
        return False, Text("the reference unit has another value in each period", "参照单位的值每期不同")
    if method.needs & {"before"}:
        return True, Text("growth counts, alike in every period", "按增长计分，各期一致")
    if method.kernel.__module__.endswith("normalise.time") and "origin" not in method.needs:
        return False, Text("scored by its place on the path over time", "按时间路径上的位置计分")
    if Trait.IGNORES_REF in method.traits:
        return True, Text("the scale is fixed by options", "尺度由选项固定")
    reasons = {
        "pooled": Text("all periods set the scale together", "各期共同确定尺度"),
        "base": Text(f"{recipe.base} sets the scale", f"由 {recipe.base} 期确定尺度"),
    }
    return together, reasons.get(recipe.scale, Text("each period sets its own scale", "每期各自确定尺度"))


@takes_result
def fixed_scales(result: Result, *, margin: float = 0.0, period: str | Period | None = "all") -> Framework:
    """The framework with goalposts where the data now end, so that later editions are measured on today's scale.

    Parameters
    ----------
    result : Result
        Use it with ``normalise = "goalposts"`` and ``scale = "fixed"`` from then on.
    margin : float
        Widen the posts by this share of their distance.
    period : str or Period, optional
        ``"all"`` takes all periods together, None the last one with scores.

    Returns
    -------
    Framework
        Goalposts stated before are kept. An indicator without spread or with an optimum has none.

    Raises
    ------
    BadOption
        If the margin is below 0, or a treatment takes an indicator out of its own unit, in which goalposts stand.
    """
    if not is_number(margin) or not 0 <= margin < np.inf:
        raise BadOption("margin", f"must be a number from 0 up; got {margin!r}.", f"margin 应为不小于 0 的数；得到 {margin!r}。")
    rows = result.counts if period == "all" else result.counts & (np.arange(len(result.counts)) == result.period_at(period))[:, None]
    moved = [
        c
        for c in result.indicators
        if Trait.KEEPS_UNIT not in REGISTRIES["treat"][choice_of(result.framework, result.recipe, "treat", result.framework[c])[0]].traits
    ]
    if moved:
        said = f"{', '.join(moved[:3])}{', …' if len(moved) > 3 else ''}"
        raise BadOption("fixed_scales", f"needs treatments that keep the indicator's unit, in which goalposts stand; not so for {said}. Use winsorise, or none.",
                        f"须采用保持计量单位的处理方法（上下限以指标自身单位表示）；{said} 不符。请用 winsorise 或 none。")  # fmt: skip
    posts = {}
    for i, code in enumerate(result.indicators):
        x = result.stages["treated"][..., i][rows]
        known = x[~np.isnan(x)]
        if known.size and known.min() < known.max():
            wide = margin * (known.max() - known.min())
            posts[code] = (float(known.min() - wide), float(known.max() + wide))
    framework = result.original or result.framework
    return Framework(
        [replace(n, goalposts=posts[n.code]) if n.code in posts and n.goalposts is None and isinstance(n.direction, int) else n for n in framework.nodes]
    )
