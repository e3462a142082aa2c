"""Weights from how scores are spread: a child that tells units apart, or tells something new, counts more."""

from __future__ import annotations

from typing import Literal

import numpy as np

from biaochi.errors import Text
from biaochi.kernels.moments import covariance, deviation, flat, highest, lowest, mean, number, ratio, spread, total
from biaochi.method import Array, Method, Tell, Trait


def entropy(z: Array, *, offset: float = 0.0) -> Array:
    """Entropy weights 熵权法: the more unevenly a child is shared out, the more it counts.

    ``p = z / sum z``, ``e = -sum p ln p / ln n`` with ``0 ln 0 = 0``, ``w = (1 - e) / sum (1 - e)``

    Parameters
    ----------
    z : (..., unit, indicator)
        Scores from 0 up, higher is better, usually min-max. Missing ones are left out and n with them.
    offset : float
        Added to every score first. Many add 0.0001 or 1 to avoid ``ln 0``; that needs none, and 1
        changes the weights a lot.

    Returns
    -------
    (..., indicator), summing to 1; 0 for a child without spread. NaN where a score plus the offset is below
    0, or no child has any spread.

    References
    ----------
    .. [1] Shannon (1948); Zeleny (1982); 国家标准 entropy weighting as in 郭显光 (1998). pyDecision and
       pymcdm add small numbers or refuse zeros: not followed.
    """
    v = z + offset if offset else z
    low, high, whole_sum, n = lowest(v), highest(v), total(v), number(v)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = v / whole_sum
        logs = np.log(p)
        if (low > 0).all():
            logs *= p
        else:
            logs = np.where(p == 0, 0.0, logs * p)
        e = -total(logs) / np.log(n)
    some = (n > 1) & ~flat(low, high)
    d = np.where(some, np.maximum(1.0 - e, 0.0), 0.0)[..., 0, :]
    wrong = (low < 0).any(axis=-1)
    return np.where(wrong, np.nan, _shares(np.nan_to_num(d)))


def critic(z: Array, *, correlation_as: Literal["signed", "absolute"] = "signed") -> Array:
    """CRITIC: spread times conflict with the other children.

    ``c_j = sd_j sum_k (1 - r_jk)``, ``w = c / sum c``, sd with n - 1

    Parameters
    ----------
    z : (..., unit, indicator)
        Scores, higher is better (so direction has its part), usually min-max. Correlations are taken
        pair by pair over the units that have both, standard deviations with n - 1.
    correlation_as : {"signed", "absolute"}
        r as it is, or its size.

    Returns
    -------
    (..., indicator), summing to 1; 0 for a child without spread, which conflicts with none. Where no two
    children conflict (all perfectly correlated, or one alone has spread), by standard deviation. Children
    that share no unit do not conflict. NaN where no child has any spread.

    References
    ----------
    .. [1] Diakoulaki, Mavrotas and Papayannakis, Computers and Operations Research 22 (1995).
    """
    sd, r = spread(z)
    r = np.abs(r) if correlation_as == "absolute" else r
    conflict = np.where(np.isnan(r) | (r >= 1.0 - 1e-12), 0.0, 1.0 - r).sum(axis=-1)
    sd = np.nan_to_num(sd)
    none = ~(sd * conflict > 0).any(axis=-1, keepdims=True)
    return _shares(np.where(none, sd, sd * conflict))


def variation(z: Array) -> Array:
    """Coefficient of variation 变异系数法: standard deviation over mean.

    ``w = (sd / mean) / sum (sd / mean)``, sd with n - 1

    Parameters
    ----------
    z : (..., unit, indicator)
        Scores on a ratio scale, with means above 0; after min-max the coefficient has little meaning.
        Standard deviations with n - 1.

    Returns
    -------
    (..., indicator), summing to 1. NaN where a mean is not above 0 or no child has any spread.

    References
    ----------
    .. [1] 郭亚军, 综合评价理论、方法及应用 (2007).
    """
    m = mean(z)
    cv = ratio(deviation(z), np.where(m > 0, m, np.nan))[..., 0, :]
    return np.where(np.isnan(cv).any(axis=-1, keepdims=True), np.nan, _shares(np.nan_to_num(cv)))


def standard_deviation(z: Array) -> Array:
    """Standard deviation: a child with a wider spread counts more.

    ``w = sd / sum sd``, sd with n - 1

    Parameters
    ----------
    z : (..., unit, indicator)
        Scores on one scale, usually min-max. Standard deviations with n - 1.

    Returns
    -------
    (..., indicator), summing to 1. NaN where no child has any spread.

    References
    ----------
    .. [1] Wang and Luo, Mathematical and Computer Modelling 51 (2010).
    """
    return _shares(np.nan_to_num(deviation(z)[..., 0, :]))


def independence(z: Array) -> Array:
    """Independence weights 独立性权重: one over the multiple correlation with the other children.

    ``w_j = (1 / R_j) / sum (1 / R)``

    Parameters
    ----------
    z : (..., unit, indicator)
        Scores; only units that have all children are used, and there must be more of them than children.

    Returns
    -------
    (..., indicator), summing to 1; 0 for a child without spread among these units, equal weights where one
    or two have any. NaN where none has, three or more have and there are no more units than these, or a
    child has no correlation with the others at all.

    References
    ----------
    .. [1] 独立性权系数法 as in SPSSAU; multiple correlation: ``R^2 = 1 - 1 / (C^-1)_jj``, C the correlations.
    """
    c = covariance(z)
    out = np.full((*z.shape[:-2], z.shape[-1]), np.nan)
    full = (~np.isnan(z).any(axis=-1)).sum(axis=-1)
    varied = np.diagonal(c, axis1=-2, axis2=-1) > 0
    for at in np.ndindex(z.shape[:-2]):
        live = np.flatnonzero(varied[at])
        out[at] = 0.0
        if not live.size or (live.size > 2 and full[at] <= live.size):
            out[at] = np.nan
            continue
        inverse_r = np.ones(live.size)
        if live.size > 2:
            inside = c[at][np.ix_(live, live)]
            sd = np.sqrt(np.diag(inside))
            corr = inside / np.outer(sd, sd)
            for j in range(live.size):
                rest = np.delete(np.arange(live.size), j)
                slope = np.linalg.lstsq(corr[np.ix_(rest, rest)], corr[rest, j], rcond=None)[0]
                squared = float(np.clip(corr[rest, j] @ slope, 0.0, 1.0))
                inverse_r[j] = 1.0 / np.sqrt(squared) if squared > 1e-12 else np.nan
        out[at][live] = inverse_r / inverse_r.sum()
        if np.isnan(inverse_r).any():
            out[at] = np.nan
    return out


def influence(
    z: Array, *, weights: Array, target: Literal["equal", "stated"] = "stated", measure: Literal["correlation", "squared"] = "squared", tell: Tell = None
) -> Array:
    """Weights under which each child has the influence on the parent it should have.

    Influence is the squared correlation of the child with the weighted mean of all (its linear main
    effect), as a share of the sum; or the correlation itself.

    Parameters
    ----------
    z : (..., unit, indicator)
        Scores; only units that have all children are used.
    weights : (indicator,)
        The weights stated in the framework.
    target : {"equal", "stated"}
        Influence to reach: the same for all, or in proportion to the stated weights.
    measure : {"correlation", "squared"}
        COINr balances correlations; squared correlations are shares of variance explained.
    tell
        Told how many children get weight 0.

    Returns
    -------
    (..., indicator), summing to 1, none below 0. Where no such weights reach the targets, those
    that come nearest by least squares of the correlations, up to a factor. NaN with fewer than 3 units or a child without spread.

    References
    ----------
    .. [1] Paruolo, Saisana and Saltelli, JRSS A 176 (2013); Becker et al., Ecological Indicators 80
       (2017). COINr's get_opt_weights searches for the same by Nelder-Mead and mixes up the order of
       unequal targets: not followed.
    """
    from scipy.optimize import nnls

    goal = np.ones(z.shape[-1]) if target == "equal" else weights / weights.sum()
    goal = np.sqrt(goal / goal.sum()) if measure == "squared" else goal / goal.sum()
    c = covariance(z)
    sd = np.sqrt(np.diagonal(c, axis1=-2, axis2=-1))
    full = (~np.isnan(z).any(axis=-1)).sum(axis=-1)
    out = np.full((*z.shape[:-2], z.shape[-1]), np.nan)
    for at in np.ndindex(z.shape[:-2]):
        if full[at] >= 3 and (sd[at] > 0).all():  # correlations with the mean are C w / sd up to a factor: make them goal
            w = nnls(c[at] / np.outer(sd[at], np.ones(len(goal))), goal)[0]
            out[at] = w / w.sum() if w.sum() > 0 else np.nan
            none = int((w == 0).sum())
            if tell and none:
                tell(f"{none} children get weight 0: correlated with the others as they are, they have more than their influence without it.",
                     f"{none} 个下级权重为 0：其与其余下级相关，不加权时影响力已超过目标。")  # fmt: skip
    return out


def regression(z: Array, *, outcome: Array, tell: Tell = None) -> Array:
    """Weights from explaining an outcome by the children: least squares, no weight below 0.

    Parameters
    ----------
    z : (..., unit, indicator)
        Scores; only units that have all children and the outcome are used.
    outcome : (..., unit)
        What the index should go with.
    tell
        Told the share of the outcome's variance explained.

    Returns
    -------
    (..., indicator), summing to 1: coefficients, in points of outcome per point of score, held at 0 or
    above. NaN where none is above 0 or fewer than 3 units are complete.

    References
    ----------
    .. [1] OECD/JRC Handbook (2008), step 6; Lawson and Hanson, Solving Least Squares Problems (1974).
    """
    from scipy.optimize import nnls

    y = np.broadcast_to(outcome, z.shape[:-1])
    out = np.full((*z.shape[:-2], z.shape[-1]), np.nan)
    for at in np.ndindex(z.shape[:-2]):
        rows = ~np.isnan(z[at]).any(axis=-1) & ~np.isnan(y[at])
        if rows.sum() < 3:
            continue
        both = np.column_stack([z[at][rows], y[at][rows]])
        still = flat(both.min(axis=0), both.max(axis=0))
        both = np.where(still, 0.0, both - both.mean(axis=0))
        a, b = both[:, :-1], both[:, -1]
        w, off = nnls(a, b)
        out[at] = w / w.sum() if w.sum() > 0 else np.nan
        if tell and b @ b > 0:
            explained = 1.0 - off**2 / (b @ b)
            tell(f"the children explain {explained:.0%} of the outcome's variance.", f"各下级解释了结果变量 {explained:.0%} 的方差。")
    return out


def _shares(c: Array) -> Array:
    whole = c.sum(axis=-1, keepdims=True)
    return ratio(c, np.where(whole > 0, whole, np.nan))


_DATA = frozenset({Trait.SUMS_TO_ONE, Trait.FROM_DATA})
_FREE = _DATA | {Trait.DIRECTION_FREE}

METHODS = {
    "entropy": Method(entropy, Text("entropy", "熵权法"), "Zeleny (1982)", _DATA, limits={"offset": (0, 1e50)}, proof="SciPy, stats.entropy"),
    "critic": Method(critic, Text("CRITIC", "CRITIC 法"), "Diakoulaki et al. (1995)", _FREE, proof="the paper's formula by numpy.corrcoef"),
    "variation": Method(variation, Text("coefficient of variation", "变异系数法"), "郭亚军 (2007)", _DATA, proof="SciPy, stats.variation"),
    "standard_deviation": Method(
        standard_deviation, Text("standard deviation", "标准差法"), "Wang and Luo (2010)", _FREE, proof="pymcdm, standard_deviation_weights"
    ),
    "independence": Method(independence, Text("independence", "独立性权重法"), "SPSSAU, 独立性权系数法", _FREE, proof="statsmodels OLS, R squared"),
    "influence": Method(
        influence,
        Text("equal or stated influence", "影响力配平"),
        "Paruolo, Saisana and Saltelli (2013)",
        _FREE,
        proof="the influence reached, by numpy.corrcoef; COINr's balance",
    ),
    "regression": Method(
        regression, Text("regression on an outcome", "回归赋权"), "OECD/JRC Handbook (2008), step 6", _DATA, proof="statsmodels OLS where no weight is below 0"
    ),
}
