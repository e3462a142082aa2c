"""Statistics of indicators and how they hang together: facts, not verdicts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from biaochi.errors import BadOption, Text, choose
from biaochi.kernels.moments import shape, spread
from biaochi.kernels.structure import components as comp
from biaochi.kernels.structure import reliability as rel
from biaochi.kernels.structure.association import KINDS, Kind, association, together
from biaochi.method import Array, is_number, or_none
from biaochi.period import Period
from biaochi.result import Result, takes_result

STAGES = ("derived", "denominated", "imputed", "treated", "normalised", "scores")
Codes = int | str | Sequence[str] | None


@dataclass(frozen=True)
class Thresholds:
    """Where a figure is worth a look; each can be set, each has its source in `SOURCES`."""

    available: float = 0.65
    """Least share of values of an indicator, and of a unit."""
    skew: float = 2.0
    kurtosis: float = 3.5
    """An indicator with both above (skewness by size) has outliers or a long tail."""
    nonzero: float = 0.5
    """Least share of values that are not 0."""
    unique: float = 0.5
    """Least share of values that differ from one another."""
    denominator: float = 0.6
    """Size of the correlation with a series of size."""
    low: float = 0.3
    """Least correlation with the parent."""
    own: float = 0.0
    """By so much may another node of the parent's level correlate more than the parent does."""
    negative: float = -0.4
    """Correlations between siblings below this pull apart."""
    high: float = 0.92
    """Correlations above this say the same twice."""
    alpha: float = 0.7
    """Least Cronbach's alpha of a parent."""
    first: float = 0.6
    """Least share of the first component."""
    eigenvalue: float = 1.0
    """Components above this count as dimensions."""
    kmo: float = 0.5
    """Least Kaiser-Meyer-Olkin measure."""
    significance: float = 0.05
    inflation: float = 10.0
    """Highest variance inflation factor."""
    places: float = 0.08
    """Places between the index and one of its parts that make a difference, as a share of the units (10 of some 130)."""
    balance: float = 0.1
    """Largest difference between a weight and the share of influence."""

    def __post_init__(self) -> None:
        for f in fields(self):
            low, high = _SPANS.get(f.name, (0.0, np.inf))
            value = getattr(self, f.name)
            if not is_number(value) or not low <= value <= high:
                raise BadOption(
                    f.name, f"must be a number from {low:g} to {high:g}; got {value!r}.", f"{f.name} 应为 {low:g} 至 {high:g} 的数；得到 {value!r}。"
                )


_SPANS = {
    **dict.fromkeys(("available", "nonzero", "unique", "first", "kmo", "significance", "places", "balance"), (0.0, 1.0)),
    **dict.fromkeys(("denominator", "low", "own", "negative", "high", "alpha"), (-1.0, 1.0)),
}
"""Lowest and highest value of a threshold, where any number from 0 up will not do."""

_JRC = Text("JRC statistical audits, as in the appendix of each Global Innovation Index report", "JRC 统计审计（见历年《全球创新指数》报告附录）")


SOURCES: dict[str, Text] = {
    "available": Text("COIN Tool user guide, JRC 2019: 65 % for every unit and indicator", "JRC COIN Tool 使用指南（2019）：每个单位、每项指标不低于 65 %"),
    "skew": Text(f"{_JRC.en}; COINr 1.1.14, check_SkewKurt", f"{_JRC.zh}；COINr 1.1.14 check_SkewKurt"),
    "kurtosis": Text(f"{_JRC.en}; COINr 1.1.14, check_SkewKurt", f"{_JRC.zh}；COINr 1.1.14 check_SkewKurt"),
    "nonzero": Text("COINr 1.1.14, get_stats", "COINr 1.1.14 get_stats"),
    "unique": Text("COINr 1.1.14, get_stats", "COINr 1.1.14 get_stats"),
    "denominator": Text("COINr 1.1.14, get_denom_corr", "COINr 1.1.14 get_denom_corr"),
    "low": _JRC,
    "own": _JRC,
    "negative": Text("COINr 1.1.14, plot_corr", "COINr 1.1.14 plot_corr"),
    "high": _JRC,
    "alpha": Text("Nunnally 1978; OECD/JRC Handbook 2008, p. 72", "Nunnally（1978）；OECD/JRC 手册（2008）第 72 页"),
    "first": Text(f"{_JRC.en} (60 to 70 %)", f"{_JRC.zh}（60 %–70 %）"),
    "eigenvalue": Text("Kaiser 1960", "Kaiser（1960）"),
    "kmo": Text("Kaiser 1974: below 0.5 unacceptable", "Kaiser（1974）：低于 0.5 不可接受"),
    "significance": Text("convention", "惯例"),
    "inflation": Text("Marquardt 1970", "Marquardt（1970）"),
    "places": Text(f"{_JRC.en}: 10 places among some 130 economies", f"{_JRC.zh}：约 130 个经济体中相差 10 位"),
    "balance": Text(
        "ours, after Paruolo, Saisana and Saltelli 2013: influence should follow the weights",
        "本软件设定，依据 Paruolo、Saisana 与 Saltelli（2013）：影响力应与权重相称",
    ),
}
"""Who says so, by threshold."""


def known_thresholds(thresholds: object) -> None:
    """Refuse anything that is not `Thresholds`."""
    if not isinstance(thresholds, Thresholds):
        raise BadOption(
            "thresholds", f"must be biaochi.Thresholds(...); got {thresholds!r}.", f"thresholds 应为 biaochi.Thresholds(...)；得到 {thresholds!r}。"
        )


def values(result: Result, codes: Codes, stage: str, period: str | Period | None) -> tuple[list[str], Array]:
    """Codes and their values over the units that count, (unit, code); all periods below one another for ``"all"``."""
    chosen = codes_of(result, codes)
    choose(Text("stage", "阶段"), stage, STAGES)
    at = [result.node_at(c) for c in chosen]
    if stage == "scores":
        x = result.scores[..., at]
    else:
        parents = [c for c in chosen if c not in result.indicators]
        if parents:
            raise BadOption("stage", f"{stage!r} has values of indicators only; {', '.join(parents[:3])} have scores. Use stage='scores'.",
                            f"{stage!r} 仅有指标的数值；{'、'.join(parents[:3])} 只有得分，请用 stage='scores'。")  # fmt: skip
        x = result.stages[stage][..., [result.indicators.index(c) for c in chosen]]
    p = 0 if period == "all" else result.period_at(period)
    rows = x[result.counts] if period == "all" else x[p][result.counts[p]]
    if not len(rows):
        when = "all periods" if period == "all" else str(result.panel.periods[p])
        raise BadOption("period", f"has no unit that counts: {when}. Name another.", f"{when} 没有参与排名的单位，请另选一期。")
    return chosen, rows


def codes_of(result: Result, codes: Codes) -> list[str]:
    """Codes asked for: all indicators, the nodes of a level, the children of a node, or those named."""
    if codes is None:
        return [n.code for n in result.nodes if n.code in result.indicators]
    if isinstance(codes, int) and not isinstance(codes, bool):
        found = [n.code for n in result.nodes if result.framework.levels[n.code] == codes]
        if not found:
            depth = max(result.framework.levels[n.code] for n in result.nodes)
            raise BadOption("level", f"must be 0 to {depth}; got {codes}.", f"层级应为 0 至 {depth}；得到 {codes}。")
        return found
    if isinstance(codes, str):
        node = result.nodes[result.node_at(codes)]
        return [c.code for c in result.framework.children(node.code)] or [node.code]
    if not isinstance(codes, Collection) or not all(isinstance(c, str) for c in codes) or not codes:
        raise BadOption("codes", f"must be a level, a node or a list of nodes; got {codes!r}.", f"应为层级、节点或节点列表；得到 {codes!r}。")
    return [result.nodes[result.node_at(c)].code for c in codes]


@takes_result
def statistics(
    result: Result, codes: Codes = None, *, stage: str = "derived", period: str | Period | None = None, thresholds: Thresholds = Thresholds()
) -> list[dict[str, Any]]:
    """Statistics of indicators or scores over the units that count, with flags.

    Parameters
    ----------
    result : Result
    codes : int, str or list of str, optional
        A level, the children of a node, or nodes; all indicators by default.
    stage : {"derived", "denominated", "imputed", "treated", "normalised", "scores"}
    period : str or Period, optional
        The last one with scores by default; ``"all"`` takes all together.
    thresholds : Thresholds

    Returns
    -------
    list of dict
        min, max, mean, median, sd (n - 1), skew, kurtosis (type 2), available, nonzero, unique, same (how often the
        most frequent value stands), each count also as share: ``available_share`` of the units, the others of the
        values there are; ``flags``: names of thresholds passed. COINr's flags divide nonzero and unique by the
        number of rows instead, against its documentation. Where there are no values, statistics are None.

    References
    ----------
    .. [1] COINr 1.1.14, get_stats.
    """
    known_thresholds(thresholds)
    chosen, x = values(result, codes, stage, period)
    return [{"code": code, **_of(x[:, i], thresholds)} for i, code in enumerate(chosen)]


def _of(x: Array, t: Thresholds) -> dict[str, Any]:
    known = x[~np.isnan(x)]
    n = len(known)
    _, times = np.unique(known, return_counts=True)
    s, k = (float(v[0]) for v in shape(x[:, None])) if len(x) else (np.nan, np.nan)
    counts = {"available": n, "nonzero": int((known != 0).sum()), "unique": len(times), "same": int(times.max(initial=0))}
    shares = {f"{name}_share": c / (max(len(x), 1) if name == "available" else n) if n or name == "available" else None for name, c in counts.items()}
    flags = [name for name in ("available", "nonzero", "unique") if (v := shares[f"{name}_share"]) is not None and v < getattr(t, name)]
    flags += ["skew"] if abs(s) > t.skew and k > t.kurtosis else []
    moments = (
        {"min": known.min(), "max": known.max(), "mean": known.mean(), "median": np.median(known)} if n else dict.fromkeys(("min", "max", "mean", "median"))
    )
    more = {"sd": known.std(ddof=1) if n > 1 else np.nan, "skew": s, "kurtosis": k}
    return {**{name: or_none(v) for name, v in {**moments, **more}.items()}, **counts, **shares, "flags": flags}


@dataclass(frozen=True)
class Correlations:
    """Correlations of every row with every column."""

    kind: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    r: Array
    """(row, column); NaN without spread or 3 common units."""
    p: Array
    """(row, column): two-sided p-values."""
    n: Array
    """(row, column): units that have both."""

    def pairs(self, *, significance: float = 1.0) -> list[dict[str, Any]]:
        """One line a pair: first, second, correlation, p, n; a pair with a larger p-value has no correlation."""
        if not is_number(significance):
            raise BadOption("significance", f"must be a number; got {significance!r}.", f"significance 应为数；得到 {significance!r}。")
        return [
            {"first": a, "second": b, "correlation": or_none(self.r[i, j]) if not self.p[i, j] > significance else None, "p": or_none(self.p[i, j]), "n": int(self.n[i, j])}
            for j, b in enumerate(self.columns)
            for i, a in enumerate(self.rows)
        ]  # fmt: skip


@takes_result
def correlations(
    result: Result, rows: Codes = None, columns: Codes = None, *, kind: Kind = "pearson", stage: str = "scores", period: str | Period | None = None
) -> Correlations:
    """Correlations of nodes, within a level or across levels, with p-values.

    Parameters
    ----------
    result : Result
    rows, columns : int, str or list of str, optional
        A level, the children of a node, or nodes; all indicators by default. ``columns`` are ``rows`` by default.
    kind : {"pearson", "spearman", "kendall"}
    stage : str
        "scores", or a stage of indicators: then "derived" and "denominated" are in their own direction.
    period : str or Period, optional
        The last one with scores by default; ``"all"`` takes all together.

    Returns
    -------
    Correlations
        Pair by pair over the units that count and have both.

    Raises
    ------
    UnknownName, BadOption
        If a node, level, stage, period or kind is not known.
    """
    choose(Text("kind of correlation", "相关系数种类"), kind, KINDS)
    first, x = values(result, rows, stage, period)
    second, y = (first, x) if columns is None else values(result, columns, stage, period)
    r, p = association(x, y, kind)
    if columns is None:
        flat = ~(spread(x)[0] > 0) | ((~np.isnan(x)).sum(axis=0) < 3)
        np.fill_diagonal(r, np.where(flat, np.nan, 1.0))
        np.fill_diagonal(p, np.where(flat, np.nan, 0.0))
    return Correlations(kind, tuple(first), tuple(second), r, p, together(x, y))


@dataclass(frozen=True)
class Reliability:
    """Whether the children of a node measure one thing."""

    of: str
    codes: tuple[str, ...]
    alpha: float
    """Cronbach's alpha, of pairwise covariances."""
    standard_alpha: float
    """The same of correlations."""
    omega: float
    """McDonald's omega total of one common factor."""
    without: dict[str, float]
    """Alpha without each child."""
    rest: dict[str, float]
    """Correlation of each child with the sum of the others."""


@takes_result
def reliability(result: Result, of: Codes = None, *, stage: str = "scores", standard: bool = False, period: str | Period | None = None) -> Reliability:
    """Cronbach's alpha, with each child left out, and McDonald's omega.

    Parameters
    ----------
    result : Result
    of : str, int or list of str, optional
        A node, whose children are looked at; or a level, or nodes; the index by default.
    stage : str
    standard : bool
        Whether ``without`` and ``rest`` are taken after bringing children to unit variance.
    period : str or Period, optional

    Returns
    -------
    Reliability
        NaN where there are too few children or units, or no spread.

    References
    ----------
    .. [1] OECD/JRC Handbook (2008), step 4 and Table 11. COINr 1.1.14, get_cronbach.
    """
    codes, x = values(result, result.nodes[0].code if of is None else of, stage, period)
    each, rest = rel.without(x, standard=standard)
    left, others = (dict(zip(codes, map(float, v), strict=True)) for v in (each, rest))
    return Reliability(str(of or result.nodes[0].code), tuple(codes), rel.alpha(x), rel.alpha(x, standard=True), rel.omega(x), left, others)


@dataclass(frozen=True)
class Factors:
    """Dimensions behind nodes: components, loadings, and whether there is anything to factor."""

    codes: tuple[str, ...]
    n: int
    """Units that have all nodes."""
    eigenvalues: Array
    """(component,), falling; they sum to the number of nodes."""
    shares: Array
    """(component,): of the variance."""
    vectors: Array
    """(node, component): principal components, of unit length; the sign is free."""
    loadings: Array
    """(node, factor): of the factors kept, rotated where there are several."""
    communalities: Array
    """(node,): share of each node's variance the factors explain."""
    kmo: float
    """Kaiser-Meyer-Olkin measure of sampling adequacy."""
    kmo_each: Array
    bartlett: tuple[float, int, float]
    """Statistic, degrees of freedom and p-value of the test that nothing is correlated."""


@takes_result
def factors(
    result: Result,
    of: Codes = None,
    *,
    keep: int | None = None,
    method: str = "components",
    rotate: bool = True,
    stage: str = "scores",
    period: str | Period | None = None,
) -> Factors:
    """Principal components and factors of nodes, with the Kaiser-Meyer-Olkin measure and Bartlett's test.

    Parameters
    ----------
    result : Result
    of : str, int or list of str, optional
        A node, whose children are looked at; or a level, or nodes; all indicators by default.
    keep : int, optional
        Factors to keep; those with an eigenvalue above 1 by default, at least one.
    method : {"components", "axes"}
        Principal components, or principal axes iterated to convergence (minimum residual).
    rotate : bool
        By varimax.
    stage, period
        As for `correlations`. Only units that have all nodes are used.

    Returns
    -------
    Factors
        NaN with fewer than 3 such units or a node without spread.

    References
    ----------
    .. [1] OECD/JRC Handbook (2008), step 4. Kaiser (1960, 1974); Bartlett (1950).
    """
    choose(Text("method of factors", "因子提取方法"), method, ["axes", "components"])
    codes, x = values(result, of, stage, period)
    if keep is not None and (isinstance(keep, bool) or not isinstance(keep, int) or not 1 <= keep <= len(codes)):
        raise BadOption("keep", f"must be 1 to {len(codes)}; got {keep!r}.", f"keep 应为 1 至 {len(codes)}；得到 {keep!r}。")
    r = comp.correlations(x)
    n = int((~np.isnan(x).any(axis=1)).sum())
    found = comp.components(r)
    kept = keep or max(int((found.values > 1.0).sum()), 1)
    loaded = comp.loadings(r, kept, method=method, rotate=rotate)
    overall, each = comp.kmo(r)
    total = found.values.sum() if len(codes) else np.nan
    return Factors(tuple(codes), n, found.values, found.values / total, found.vectors, loaded, (loaded**2).sum(axis=1), overall, each, comp.bartlett(r, n))
