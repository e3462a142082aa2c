"""What weights do: the influence a node really has on its parent or the index, and weights that give it a stated one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from biaochi.checks import REGISTRIES, choice_of
from biaochi.errors import BadOption, Text, UnknownName
from biaochi.framework import Framework
from biaochi.kernels.moments import correlation, covariance
from biaochi.method import Array, Trait, is_number, is_whole
from biaochi.period import Period
from biaochi.result import Result, takes_result


@dataclass(frozen=True)
class Influence:
    """One node beside what it feeds into."""

    code: str
    weight: float
    """Nominal weight: among its siblings, or in the index."""
    correlation: float
    """Pearson correlation with the parent or index."""
    linear: float
    """Its square: share of the variance a straight line explains."""
    main_effect: float
    """Correlation ratio: share of the variance a smooth curve explains (Pearson's eta squared)."""
    own: float
    """Part of the main effect due to what the node does not share with the others (linear)."""
    shared: float
    """The rest: due to its correlation with the others; below 0 where they pull against it."""


@takes_result
def influence(result: Result, of: str | None = None, *, level: int | None = None, period: str | Period | None = None) -> list[Influence]:
    """Influence of nodes on a node above them, beside their nominal weights.

    Parameters
    ----------
    result : Result
    of : str, optional
        The node above; the index by default.
    level : int, optional
        Level of the nodes looked at; the children of ``of`` by default.
    period : str or Period, optional
        The last period with scores by default.

    Returns
    -------
    list of Influence
        In the framework's order, over the units that count and have all scores. NaN for a node without
        spread.

    Raises
    ------
    UnknownName
        If there is no such node or period.
    BadOption
        If no node stands at that level below ``of``, or fewer than 6 units are complete.

    References
    ----------
    .. [1] Becker, Saisana, Paruolo and Vandecasteele, Ecological Indicators 80 (2017) 12-22.
    .. [2] Paruolo, Saisana and Saltelli, JRSS A 176 (2013) 609-634.
    """
    top = result.nodes[result.node_at(of)]
    codes = below(result, top.code, level)
    x, y = _scores(result, codes, top.code, period)
    weights = _weights(result, codes, top.code)
    r = correlation(np.column_stack([x, y]))[:-1, -1]
    out = []
    for i, code in enumerate(codes):
        main = main_effect(x[:, i], y)
        own = _own(x, y, i)
        out.append(Influence(code, weights[i], float(r[i]), float(r[i] ** 2), main, own, main - own))
    return out


def main_effect(x: Array, y: Array) -> float:
    """Share of the variance of y explained by a smooth curve of x (smoothing spline, by cross-validation).

    With more than 100 different x, the curve is fitted to the means of 100 classes of about equal size.

    Parameters
    ----------
    x, y : (unit,)

    Returns
    -------
    float, 0 to 1; NaN where x or y has no spread. With fewer than 6 different x, by a straight line.
    """
    from scipy.interpolate import make_smoothing_spline

    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    scaled = np.round((x - x.min()) / np.ptp(x), 6)  # no closer together than the fit can tell apart
    at, which = np.unique(scaled, return_inverse=True)
    if len(at) < 6:
        return float(np.corrcoef(x, y)[0, 1] ** 2)
    classes = which.reshape(-1)
    if len(at) > CLASSES:
        classes = np.minimum(np.argsort(np.argsort(scaled, kind="stable"), kind="stable") * CLASSES // len(x), CLASSES - 1)
    n = np.bincount(classes).astype(float)
    points, mean = np.bincount(classes, scaled) / n, np.bincount(classes, y) / n
    apart = np.concatenate([[True], np.diff(points) > 1e-6])
    curve = make_smoothing_spline(points[apart], mean[apart], w=n[apart])
    fitted = np.asarray(curve(np.clip(scaled, points[0], points[-1])))
    return float(np.clip(fitted.var() / y.var(), 0.0, 1.0))


CLASSES = 100


@dataclass(frozen=True)
class Optimised:
    """Weights that give nodes a stated influence on the index, and how near they come."""

    weights: Mapping[str, float]
    """Effective weight in the index of each node at the level."""
    targets: Mapping[str, float]
    """Influence asked for, summing to 1."""
    reached: Mapping[str, float]
    """Influence reached, summing to 1."""
    framework: Framework
    """The framework with weights among siblings set accordingly, from the level up."""


@takes_result
def optimise_weights(
    result: Result, level: int, targets: Mapping[str, float] | None = None, *, measure: str = "correlation", period: str | Period | None = None
) -> Optimised:
    """Weights of a level under which each node's influence on the index is equal, or as stated.

    Solved directly: where the index is ``sum w x``, its correlations with the nodes are proportional to
    ``C w / sd``, so weights that make them proportional to the targets solve a linear system, with no
    weight below 0 (non-negative least squares where no exact solution has that).

    Parameters
    ----------
    result : Result
        Means above the level must be arithmetic.
    level : int
        Level of the nodes to weigh, 1 or below.
    targets : mapping of str to float, optional
        Influence of each node, by code; equal by default. Divided by their sum.
    measure : {"correlation", "squared", "main_effect"}
        Influence as correlation with the index (COINr), as its square, the share of variance a line explains,
        or as the main effect, the share a smooth curve explains (found step by step, to about 1 %).
    period : str or Period, optional

    Returns
    -------
    Optimised

    Raises
    ------
    UnknownName
        If a target names no node of the level.
    BadOption
        If means above the level are not arithmetic, a target is missing or below 0, or the level has no nodes.

    References
    ----------
    .. [1] Becker et al. (2017). COINr's get_opt_weights searches by Nelder-Mead, gives unequal targets to the
       wrong nodes and can return weights below 0.
    """
    from scipy.optimize import nnls

    root = result.nodes[0].code
    codes = below(result, root, level)
    goal = _targets(codes, targets)
    for node in result.nodes:
        name, _ = choice_of(result.framework, result.recipe, "aggregate", node)
        if result.framework.children(node.code) and result.framework.levels[node.code] < level and Trait.ADDITIVE not in REGISTRIES["aggregate"][name].traits:
            raise BadOption(
                "optimise_weights",
                f"needs arithmetic means above level {level}; {node.code} has {name}.",
                f"第 {level} 层以上须为算术平均；{node.code} 为 {name}。",
            )
    if measure not in MEASURES:
        raise UnknownName(Text("measure", "度量"), measure, MEASURES)
    x, _ = _scores(result, codes, root, period)
    c = covariance(x)
    sd = np.sqrt(np.diag(c))
    if not (sd > 0).all():
        flat = ", ".join(code for code, s in zip(codes, sd, strict=True) if not s > 0)
        raise BadOption("optimise_weights", f"cannot weigh nodes without spread: {flat}.", f"无法为没有差异的节点赋权：{flat}。")
    w = nnls(c / sd[:, None], goal if measure == "correlation" else np.sqrt(goal))[0]
    w = w / w.sum()
    if measure == "main_effect":
        w, reached = _by_main_effect(x, w, goal)
    else:
        r = (c @ w) / sd
        reached = r**2 if measure == "squared" else r
    weights, asked, got = (dict(zip(codes, map(float, v), strict=True)) for v in (w, goal, reached / reached.sum()))
    return Optimised(weights, asked, got, _reweighted(result.framework, weights))


MEASURES = ("correlation", "squared", "main_effect")


def _by_main_effect(x: Array, w: Array, goal: Array) -> tuple[Array, Array]:
    """Weights whose main effects come nearest to the goal, from weights that are near already."""
    best, least = (w, np.full(len(w), np.nan)), np.inf
    for _ in range(60):
        effects = np.nan_to_num([main_effect(v, x @ w) for v in x.T])
        share = effects / effects.sum()
        off = float(np.abs(share - goal).max())
        if off < least:
            best, least = (w, effects), off
        if off < 0.005 * goal.max():
            break
        step = np.sqrt(np.divide(goal, share, out=np.full(len(w), 2.0), where=share > 0))
        w = np.maximum(w, 1e-6) * np.clip(step, 0.5, 2.0) ** 0.5
        w = w / w.sum()
    return best


@takes_result
def denominator_correlations(result: Result, *, threshold: float = 0.6, period: str | Period | None = None) -> list[dict[str, Any]]:
    """Indicators that go with a series of size, and so may need a denominator.

    Parameters
    ----------
    result : Result
        Indicators as derived, before any denominator, in their own direction.
    threshold : float
        Smallest absolute Pearson correlation listed.
    period : str or Period, optional

    Returns
    -------
    list of dict
        indicator, series, correlation, and ``divided``: whether the indicator is divided by it already.
        Sorted by indicator and series; over the units that count and have both, 3 at least.

    References
    ----------
    .. [1] COINr 1.1.14, get_denom_corr.
    """
    if not is_number(threshold):
        raise BadOption("denominator_correlations", f"needs a number as threshold; got {threshold!r}.", f"threshold 须为数；得到 {threshold!r}。")
    p = result.period_at(period)
    out = []
    for i, code in enumerate(result.indicators):
        for series in (n for n in result.framework.nodes if n.series and n.code in result.panel.codes):
            pair = np.column_stack([result.stages["derived"][p, :, i], result.panel.series(series.code)[p]])[result.counts[p]]
            pair = pair[~np.isnan(pair).any(axis=1)]
            r = float(correlation(pair)[0, 1]) if len(pair) > 2 else np.nan
            if abs(r) >= threshold:
                by = result.framework[code].divides_by
                out.append({"indicator": code, "series": series.code, "correlation": r, "divided": by is not None and series.code in by.names})
    return sorted(out, key=lambda row: (str(row["indicator"]), str(row["series"])))


def below(result: Result, top: str, level: int | None, who: str = "influence") -> list[str]:
    """Codes of the nodes below one: its children, or those of a level."""
    under = [n.code for n in result.framework.walk(top) if n.code != top]
    if level is not None and not is_whole(level):
        raise BadOption("level", f"must be a whole number; got {level!r}.", f"level 应为整数；得到 {level!r}。")
    wanted = result.framework.levels[top] + 1 if level is None else level
    codes = [c for c in under if result.framework.levels[c] == wanted]
    if not under:
        raise BadOption(who, f"needs a node with children; {top!r} is an indicator.", f"需要有下级的节点；{top!r} 是指标。")
    if not codes:
        levels = sorted({result.framework.levels[c] for c in under})
        raise BadOption("level", f"must be one of {levels} for nodes below {top!r}; got {wanted!r}.", f"{top!r} 之下的层级为 {levels}；得到 {wanted!r}。")
    return codes


def _scores(result: Result, codes: list[str], top: str, period: str | Period | None) -> tuple[Array, Array]:
    p = result.period_at(period)
    at = [result.node_at(c) for c in (*codes, top)]
    rows = result.scores[p][result.counts[p]][:, at]
    rows = rows[~np.isnan(rows).any(axis=1)]
    if len(rows) < 6:
        raise BadOption("influence", f"needs 6 units with all scores; got {len(rows)}.", f"至少需要 6 个得分齐全的单位；得到 {len(rows)}。")
    return rows[:, :-1], rows[:, -1]


def _weights(result: Result, codes: list[str], top: str) -> list[float]:
    whole = result.effective_weights
    return [whole[c] / whole[top] for c in codes]


def _own(x: Array, y: Array, i: int) -> float:
    """Squared correlation of y with what is left of x_i after the other nodes (linear)."""
    rest = np.column_stack([np.ones(len(x)), np.delete(x, i, axis=1)])
    left = x[:, i] - rest @ np.linalg.lstsq(rest, x[:, i], rcond=None)[0]
    if left.var() <= 1e-12 * max(float(x[:, i].var()), 1e-300) or y.var() == 0:
        return 0.0
    return float(np.corrcoef(left, y)[0, 1] ** 2)


def _targets(codes: list[str], targets: Mapping[str, float] | None) -> Array:
    if targets is None:
        return np.full(len(codes), 1.0 / len(codes))
    for code in targets:
        if code not in codes:
            raise UnknownName(Text("node of the level", "该层节点"), code, codes)
    wrong = [c for c in codes if not is_number(targets.get(c)) or not 0 <= targets[c] < np.inf]
    if wrong or not sum(targets.values()) > 0:
        raise BadOption("targets", f"need a number from 0 up for every node of the level; missing or wrong: {', '.join(wrong) or 'all are 0'}.",
                        f"该层每个节点都需不小于 0 的目标；缺失或有误：{'、'.join(wrong) or '全为 0'}。")  # fmt: skip
    goal = np.array([float(targets[c]) for c in codes])
    return np.asarray(goal / goal.sum())


def _reweighted(framework: Framework, effective: Mapping[str, float]) -> Framework:
    """The framework with the weights of a level, and of all above it, as stated in the index."""
    whole = dict(effective)
    for node in reversed(list(framework.walk())):
        kids = framework.children(node.code)
        if node.code not in whole and any(k.code in whole for k in kids):
            whole[node.code] = sum(whole.get(k.code, 0.0) for k in kids)
    alive = {n.code for n in framework.nodes if whole.get(str(n.parent), 0.0) > 0 or n.parent == framework.root.code}
    return Framework([replace(n, weight=whole[n.code]) if n.code in whole and n.code in alive else n for n in framework.nodes])
