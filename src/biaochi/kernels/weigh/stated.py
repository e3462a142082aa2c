"""Weights people state: in the framework, as points shared out, or by comparing children two by two."""

from __future__ import annotations

from typing import Literal

import numpy as np

from biaochi.errors import Text
from biaochi.kernels.moments import ratio
from biaochi.method import Array, Method, Tell, Trait

RANDOM_INDEX = {
    "saaty": (0.0, 0.0, 0.58, 0.90, 1.12, 1.24, 1.32, 1.41, 1.45, 1.49, 1.51, 1.48, 1.56, 1.57, 1.59),
    "alonso": tuple(0.0 if n < 3 else (2.7699 * n - 4.3513 - n) / (n - 1) for n in range(1, 16)),
}
"""Consistency index of random comparisons of n children, n from 1 on: Saaty (1980), Alonso and Lamata (2006)."""
BWM_INDEX = (0.0, 0.0, 0.44, 1.0, 1.63, 2.3, 3.0, 3.73, 4.47, 5.23)
"""Largest xi by the value of best over worst, 0 to 9 (Rezaei 2015)."""


def given(z: Array, *, weights: Array) -> Array:
    """Use the weights stated in the framework, divided by their sum.

    Parameters
    ----------
    z : (..., unit, indicator)
        The children's scores; only their number matters.
    weights : (indicator,)
        As stated; at least one above 0, none below.

    Returns
    -------
    (indicator,), summing to 1.
    """
    return np.asarray(weights / weights.sum())


def equal(z: Array) -> Array:
    """Give every child of a parent the same weight.

    Parameters
    ----------
    z : (..., unit, indicator)

    Returns
    -------
    (indicator,), summing to 1. With ``among = "indicators"`` every indicator of the tree has the same.
    """
    return np.full(z.shape[-1], 1.0 / z.shape[-1])


def budget(z: Array, *, points: Array, tell: Tell = None) -> Array:
    """Budget allocation: experts share out points; the mean of their shares.

    Parameters
    ----------
    z : (..., unit, indicator)
        Only the number of children matters.
    points : (expert, indicator)
        Points from 0 up; each expert's are divided by their sum.
    tell
        Told how far the experts agree: Kendall's W of their rankings (with ties) and the largest
        standard deviation of a share.

    Returns
    -------
    (indicator,), summing to 1. NaN where an expert gives no points at all.

    References
    ----------
    .. [1] OECD/JRC Handbook (2008), step 6; Kendall and Gibbons, Rank Correlation Methods (1990).
    """
    shares = points / points.sum(axis=1, keepdims=True)
    if tell and len(shares) > 1 and not np.isnan(shares).any():
        w, spread = agreement(shares), float(shares.std(axis=0, ddof=1).max())
        tell(f"{len(shares)} experts, Kendall's W {w:.2f}, largest standard deviation of a weight {spread:.3f}.",
             f"{len(shares)} 位专家，Kendall 协调系数 W = {w:.2f}，权重最大标准差 {spread:.3f}。")  # fmt: skip
    return np.asarray(shares.mean(axis=0))


def agreement(shares: Array) -> float:
    """Kendall's coefficient of concordance W, corrected for ties; NaN where nobody tells children apart.

    Parameters
    ----------
    shares : (expert, indicator)

    Returns
    -------
    float, 0 (none) to 1 (all rank alike).
    """
    m, k = shares.shape
    ranks = np.array([[(s < v).sum() + ((s == v).sum() + 1) / 2 for v in s] for s in shares])
    ties = sum(float((n**3 - n).sum()) for n in (np.unique(s, return_counts=True)[1].astype(float) for s in shares))
    off = ranks.sum(axis=0) - m * (k + 1) / 2
    below = m * m * (k**3 - k) - m * ties
    return float(12 * (off @ off) / below) if below > 0 else float("nan")


def ahp(
    z: Array,
    *,
    pairs: Array,
    prioritise: Literal["eigenvector", "geometric"] = "eigenvector",
    random_index: Literal["saaty", "alonso"] = "saaty",
    tell: Tell = None,
) -> Array:
    """Analytic hierarchy process 层次分析法: weights from comparisons of the children two by two.

    ``A w = lambda_max w``; ``CR = (lambda_max - n) / (n - 1) / RI(n)``

    Parameters
    ----------
    z : (..., unit, indicator)
        Only the number of children matters.
    pairs : (expert, indicator, indicator)
        ``pairs[e, i, j]``: how many times as important i is as j (1/9 to 9), NaN where not asked.
        Several experts are joined by the geometric mean of what each pair was given.
    prioritise : {"eigenvector", "geometric"}
        Saaty's principal eigenvector (missing pairs by Harker's rule), or least squares of the
        logarithms (row geometric means where nothing is missing).
    random_index : {"saaty", "alonso"}
        What consistency is compared with.
    tell
        Told the consistency ratio of each expert and, at 0.1 or more, the judgement that fits least
        and what the others suggest in its place.

    Returns
    -------
    (indicator,), summing to 1. NaN where comparisons do not connect all children.

    References
    ----------
    .. [1] Saaty, The Analytic Hierarchy Process (1980); Harker, Mathematical Modelling 9 (1987);
       Bozóki, Fülöp and Rónyai, Mathematical and Computer Modelling 52 (2010).
    """
    with np.errstate(all="ignore"):
        n_said = (~np.isnan(pairs)).sum(axis=0)
        joint = np.exp(np.where(n_said > 0, np.nansum(np.log(pairs), axis=0) / np.maximum(n_said, 1), np.nan))
    if tell:
        for e, one in enumerate(pairs):
            _tell_consistency(one, e + 1 if len(pairs) > 1 else 0, prioritise, random_index, tell)
    return priorities(joint, prioritise)


def priorities(pairs: Array, prioritise: str = "eigenvector") -> Array:
    """Weights of one matrix of comparisons, (indicator,), summing to 1; NaN where it is not connected."""
    n = len(pairs)
    said = ~np.isnan(pairs) & ~np.eye(n, dtype=bool)
    linked = np.linalg.matrix_power(np.eye(n) + said, n) > 0
    if not linked.all():
        return np.full(n, np.nan)
    if prioritise == "geometric":
        logs = np.where(said, np.log(np.where(said, pairs, 1.0)), 0.0)
        laplace = np.diag(said.sum(axis=1).astype(float)) - said
        w = np.exp(np.linalg.lstsq(laplace, logs.sum(axis=1), rcond=None)[0])
    else:
        filled = np.where(said, pairs, 0.0) + np.diag(n - said.sum(axis=1)).astype(float)  # 1 and one more for every pair not asked
        values, vectors = np.linalg.eig(filled)
        w = np.abs(np.real(vectors[:, np.argmax(np.real(values))]))
    return np.asarray(w / w.sum())


def consistency(pairs: Array, prioritise: str = "eigenvector", random_index: str = "saaty") -> float:
    """Consistency ratio of one matrix of comparisons; below 0.1 is taken as consistent.

    ``CI / RI``, ``CI = (lambda_max - n) / (n - 1)``. NaN with missing comparisons or more than 15 children.

    Parameters
    ----------
    pairs : (indicator, indicator)
    """
    n = len(pairs)
    if np.isnan(pairs).any() or n > len(RANDOM_INDEX[random_index]):
        return float("nan")
    if n < 3:
        return 0.0
    w = priorities(pairs, prioritise)
    top = float(np.real(np.linalg.eigvals(pairs)).max()) if prioritise == "eigenvector" else float((pairs @ w / w).mean())
    return max((top - n) / (n - 1), 0.0) / RANDOM_INDEX[random_index][n - 1]


def least_fitting(pairs: Array, prioritise: str = "eigenvector") -> tuple[int, int, float]:
    """The judgement that fits least with the others: i, j, and what the others suggest instead."""
    n = len(pairs)
    worst, found = -1.0, (0, 1, float("nan"))
    for i in range(n):
        for j in range(i + 1, n):
            without = pairs.copy()
            without[i, j] = without[j, i] = np.nan
            w = priorities(without, prioritise)
            off = abs(np.log(pairs[i, j] * w[j] / w[i])) if w.all() else np.nan
            if off > worst:
                worst, found = float(off), (i, j, float(w[i] / w[j]))
    return found


def best_worst(z: Array, *, pairs: Array, tell: Tell = None) -> Array:
    """Best-worst method: the best child compared with all, and all with the worst (linear form).

    Minimise xi subject to ``|w_best - a w_j| <= xi`` and ``|w_j - b w_worst| <= xi``.

    Parameters
    ----------
    z : (..., unit, indicator)
        Only the number of children matters.
    pairs : (expert, indicator, indicator)
        ``pairs[e, i, j]``: how many times as important i is as j, 1 to 9; one child (the best) compared
        with all others and all others with one (the worst). Several experts: mean of their weights.
    tell
        Told xi of each expert: 0 is full consistency.

    Returns
    -------
    (indicator,), summing to 1. NaN where no child is compared with all others, or none is the worst.

    References
    ----------
    .. [1] Rezaei, Omega 53 (2015) 49-57 and 64 (2016) 126-130.
    """
    if pairs.shape[-1] == 1:
        return np.ones(1)
    found = [_best_worst(one) for one in pairs]
    if tell:
        told = ", ".join(f"{xi:.3f}" for _, xi in found)
        tell(f"consistency xi* {told} (0 is full consistency).", f"一致性指标 xi* = {told}（0 为完全一致）。")
    return np.asarray(np.mean([w for w, _ in found], axis=0))


def _best_worst(pairs: Array) -> tuple[Array, float]:
    from scipy.optimize import linprog

    n = len(pairs)
    ahead = np.where(np.isnan(pairs), False, pairs >= 1.0) | np.eye(n, dtype=bool)
    tops, bottoms = np.flatnonzero(ahead.all(axis=1)), np.flatnonzero(ahead.all(axis=0))
    if not tops.size or not bottoms.size:
        return np.full(n, np.nan), float("nan")
    best, worst = int(tops[np.argmax(np.nansum(pairs[tops], axis=1))]), int(bottoms[np.argmax(np.nansum(pairs[:, bottoms], axis=0))])
    rows = []
    for j in range(n):
        for a, b, times in ((best, j, pairs[best, j]), (j, worst, pairs[j, worst])):
            if a != b:
                row = np.zeros(n + 1)
                row[a], row[b] = 1.0, -times
                rows += [np.append(row[:n], -1.0), np.append(-row[:n], -1.0)]
    got = linprog(np.append(np.zeros(n), 1.0), A_ub=np.array(rows), b_ub=np.zeros(len(rows)), A_eq=[np.append(np.ones(n), 0.0)], b_eq=[1.0])
    return np.asarray(got.x[:n]), float(got.x[n])


def game(z: Array, *, sets: Array, shares: Literal["nonnegative", "absolute"] = "nonnegative", tell: Tell = None) -> Array:
    """Game-theory combination 博弈论组合赋权: a mixture of weight sets that none of them is far from.

    ``sum_k (w_l . w_k) a_k = w_l . w_l`` for every set l; weights ``sum a_k w_k / sum a_k``

    Parameters
    ----------
    z : (..., unit, indicator)
        Only the number of children matters.
    sets : (set, indicator)
        Weight sets, each summing to 1.
    shares : {"nonnegative", "absolute"}
        What to do where the equations give a share below 0: the nearest solution without one, or its
        size (as many papers do).
    tell
        Told the share of each set.

    Returns
    -------
    (indicator,), summing to 1; NaN where a set has none. Without ``a >= 0`` (as usually printed) shares can come out negative; with
    it, one set that lies further out than the others can be the whole answer.

    References
    ----------
    .. [1] 陈加良, 基于博弈论的组合赋权评价方法研究, 福建电脑 2003(9).
    """
    from scipy.optimize import nnls

    if np.isnan(sets).any():
        return np.full(sets.shape[-1], np.nan)
    gram = sets @ sets.T
    a = nnls(gram, np.diag(gram))[0] if shares == "nonnegative" else np.abs(np.linalg.lstsq(gram, np.diag(gram), rcond=None)[0])
    a = a / a.sum() if a.sum() > 0 else np.full(len(sets), 1.0 / len(sets))
    if tell:
        told = ", ".join(f"{v:.3f}" for v in a)
        tell(f"shares of the sets: {told}.", f"各组权重的占比：{told}。")
    return np.asarray(a @ sets)


def product(z: Array, *, sets: Array) -> Array:
    """Multiplicative combination 乘法合成: the product of the weight sets, divided by its sum.

    ``w_j = prod_k w_kj / sum_j prod_k w_kj``

    Parameters
    ----------
    z : (..., unit, indicator)
        Only the number of children matters.
    sets : (set, indicator)
        Weight sets, each summing to 1.

    Returns
    -------
    (indicator,), summing to 1; a child that one set gives 0 gets 0. NaN where all are 0.
    """
    w = sets.prod(axis=0)
    return ratio(w, np.asarray(w.sum()))


def _tell_consistency(pairs: Array, expert: int, prioritise: str, random_index: str, tell: Tell) -> None:
    assert tell is not None
    cr = consistency(pairs, prioritise, random_index)
    who = (f"expert {expert}: ", f"第 {expert} 位专家：") if expert else ("", "")
    if len(pairs) > len(RANDOM_INDEX[random_index]):
        tell(f"{who[0]}more than 15 children, so no consistency ratio is given.", f"{who[1]}下级超过 15 个，不给出一致性比率。")
    elif np.isnan(cr):
        tell(f"{who[0]}comparisons are missing, so no consistency ratio is given.", f"{who[1]}判断不全，不给出一致性比率。")
    elif cr < 0.1:
        tell(f"{who[0]}consistency ratio {cr:.3f}.", f"{who[1]}一致性比率 CR = {cr:.3f}。")
    else:
        i, j, meant = least_fitting(pairs, prioritise)
        if len(pairs) == 3:  # taken out, each is what the two others make of it
            tell(
                f"{who[0]}consistency ratio {cr:.3f}, not below 0.1: the three judgements do not fit together ({{{i}}} against {{{j}}} = {pairs[i, j]:.3g}; the two others make it {meant:.3g}); any of them may be wrong.",
                f"{who[1]}一致性比率 CR = {cr:.3f}，不低于 0.1：三项判断不能同时成立（{{{i}}} 对 {{{j}}} 为 {pairs[i, j]:.3g}，其余两项推得 {meant:.3g}），任何一项都可能有误。",
            )
            return
        tell(
            f"{who[0]}consistency ratio {cr:.3f}, not below 0.1: {{{i}}} against {{{j}}} = {pairs[i, j]:.3g} fits least; the other judgements suggest {meant:.3g}.",
            f"{who[1]}一致性比率 CR = {cr:.3f}，不低于 0.1：{{{i}}} 对 {{{j}}} 的判断 {pairs[i, j]:.3g} 与其余最不一致，其余判断支持 {meant:.3g}。",
        )


_SUM = frozenset({Trait.SUMS_TO_ONE})
_OECD = "OECD/JRC Handbook (2008), step 6"

METHODS = {
    "given": Method(given, Text("as stated", "给定权重"), _OECD, _SUM, proof="COINr, weights_effective.csv"),
    "equal": Method(equal, Text("equal", "等权"), _OECD, _SUM, proof="closed form"),
    "budget": Method(budget, Text("budget allocation", "专家打分法"), _OECD, _SUM, proof="closed form; Kendall's W: SciPy, stats.friedmanchisquare"),
    "ahp": Method(ahp, Text("analytic hierarchy process", "层次分析法（AHP）"), "Saaty (1980)", _SUM, proof="Saaty's worked examples; row geometric means"),
    "best_worst": Method(
        best_worst,
        Text("best-worst", "最优最劣法（BWM）"),
        "Rezaei (2016)",
        _SUM,
        proof="no weights nearby are more consistent; exact for consistent judgements",
    ),
    "game": Method(game, Text("game-theory combination", "博弈论组合赋权"), "陈加良 (2003)", _SUM, proof="closed form for two sets"),
    "product": Method(product, Text("multiplicative combination", "乘法合成赋权"), "郭亚军, 综合评价理论、方法及应用 (2007)", _SUM, proof="closed form"),
}
