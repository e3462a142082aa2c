"""Means and means with a penalty: a unit's score depends on its own children only."""

from __future__ import annotations

from typing import Literal

import numpy as np

from biaochi.errors import BadOption, Text
from biaochi.kernels.moments import ratio
from biaochi.method import Array, Method, Trait


def arithmetic(z: Array, w: Array) -> Array:
    """Weighted arithmetic mean: a good score makes up for a bad one in full.

    ``sum w z / sum w``

    Parameters
    ----------
    z : (..., unit, indicator)
        Scores of the children. NaN is left out.
    w : (..., indicator)
        Weights, none below 0.

    Returns
    -------
    (..., unit). NaN where no child with a weight is left.
    """
    return _mean(z, w)


def geometric(z: Array, w: Array) -> Array:
    """Weighted geometric mean: a good score makes up for a bad one only in part.

    ``exp(sum w ln z / sum w)``

    Parameters
    ----------
    z : (..., unit, indicator)
        Scores of the children, above 0; a 0 gives 0, a negative score NaN. NaN is left out.
    w : (..., indicator)
        Weights, none below 0.

    Returns
    -------
    (..., unit). NaN where no child with a weight is left or one is negative.
    """
    used = np.where(w[..., None, :] > 0, z, np.nan)
    low = np.fmin.reduce(used, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(np.where(used > 0, used, np.nan))
        mean = np.exp(_mean(logs, w))
    return np.where(low < 0, np.nan, np.where(low == 0, 0.0, mean))


def harmonic(z: Array, w: Array) -> Array:
    """Weighted harmonic mean: the lowest child counts most.

    ``sum w / sum (w / z)``

    Parameters
    ----------
    z : (..., unit, indicator)
        Scores of the children, above 0; a 0 gives 0, a negative score NaN. NaN is left out.
    w : (..., indicator)
        Weights, none below 0.

    Returns
    -------
    (..., unit). NaN where no child with a weight is left or one is negative (COINr takes negative ones).

    References
    ----------
    .. [1] COINr 1.1.14, a_hmean; SciPy, stats.hmean.
    """
    return _generalised(z, w, -1.0)


def power(z: Array, w: Array, *, exponent: float = 2.0) -> Array:
    """Weighted generalised mean: between the lowest and the highest child, by exponent.

    ``(sum w z^p / sum w)^(1/p)``; for p = 0 the geometric mean

    Parameters
    ----------
    z : (..., unit, indicator)
        Scores of the children, from 0 up; with an exponent of 0 or below a 0 gives 0. A negative
        score gives NaN. NaN is left out.
    w : (..., indicator)
        Weights, none below 0.
    exponent : float
        p: 1 is the arithmetic, 0 the geometric, -1 the harmonic, 2 the quadratic mean.

    Returns
    -------
    (..., unit). NaN where no child with a weight is left or one is negative.

    References
    ----------
    .. [1] Bullen, Handbook of Means and Their Inequalities (2003); COINr 1.1.14, a_genmean, which gives
       no value where one child is missing; Compind's ci_generalized_mean divides by p instead of taking
       the root.
    """
    return _generalised(z, w, float(exponent))


def median(z: Array, w: Array) -> Array:
    """Weighted median: half of the weight stands below it, half above.

    Parameters
    ----------
    z : (..., unit, indicator)
        Scores of the children. NaN is left out.
    w : (..., indicator)
        Weights, none below 0; equal weights give the plain median.

    Returns
    -------
    (..., unit). Where the half falls between two children, their mean. NaN where no child with a weight is left.

    References
    ----------
    .. [1] Cormen et al., Introduction to Algorithms (2009), 9-2.
    """
    v, share = _ordered(z, w)
    upto = np.cumsum(share, axis=-1)
    low, high = (np.take_along_axis(v, (upto >= half).argmax(axis=-1)[..., None], axis=-1)[..., 0] for half in (0.5 - 1e-12, 0.5 + 1e-12))
    return np.where(share.sum(axis=-1) > 0, low + (high - low) / 2, np.nan)


def owa(z: Array, w: Array, *, exponent: float = 2.0, order: tuple[float, ...] | None = None) -> Array:
    """Ordered weighted average: weight by place from the best to the worst child.

    The child after which a share r of the weights is used up adds ``Q(r) - Q(before)`` of itself, ``Q(r) = r^exponent``.

    Parameters
    ----------
    z : (..., unit, indicator)
        Scores of the children. NaN is left out.
    w : (..., indicator)
        Importance, none below 0.
    exponent : float
        Above 1 the low scores count more, below 1 the high ones; 1 is the arithmetic mean.
    order : tuple of float, optional
        Weights of the places from best to worst, from 0 up, instead of the exponent; for fewer or
        weighted children Q is the straight line through their running sums.

    Returns
    -------
    (..., unit). NaN where no child with a weight is left.

    Raises
    ------
    BadOption
        If ``order`` has a weight below 0, or none above.

    References
    ----------
    .. [1] Yager, IEEE Transactions on Systems, Man, and Cybernetics 18 (1988); 26 (1996) for importance.
    """
    v, share = _ordered(-z, w)
    upto = np.clip(np.cumsum(share, axis=-1), 0.0, 1.0)
    if order is None:
        q = upto**exponent
    else:
        steps = np.asarray(order, float)
        if (steps < 0).any() or not steps.sum() > 0:
            raise BadOption("owa", f"needs order weights from 0 up, one above; got {order}.", f"order 须不小于 0 且不全为 0；得到 {order}。")
        q = np.interp(upto, np.linspace(0.0, 1.0, len(steps) + 1), np.concatenate([[0.0], np.cumsum(steps) / steps.sum()]))
    got = -(v * np.diff(q, axis=-1, prepend=0.0)).sum(axis=-1)
    return np.where(share.sum(axis=-1) > 0, got, np.nan)


def mazziotta_pareto(z: Array, w: Array, *, penalty: Literal["down", "up"] = "down") -> Array:
    """Mean with a penalty for imbalance (MPI; AMPI on its own scale).

    ``M - S^2 / M``, mean and variance (n, not n - 1) of the unit's own children

    Parameters
    ----------
    z : (..., unit, indicator)
        Scores of the children: z-scores around 100 with a spread of 10 for the MPI (``zscore`` with
        mean 100, sd 10, ddof 0), ``adjusted_minmax`` for the AMPI. NaN is left out.
    w : (..., indicator)
        Weights, none below 0.
    penalty : {"down", "up"}
        "down" where more is better, "up" for an index of a bad thing.

    Returns
    -------
    (..., unit). NaN where the mean is not above 0 or no child with a weight is left.

    References
    ----------
    .. [1] Mazziotta and Pareto, Social Indicators Research 127 (2016). Compind takes n - 1 for the MPI
       and gives the same result for both penalties of the AMPI: not followed.
    """
    m = _mean(z, w)
    variance = _mean((z - m[..., None]) ** 2, w)
    off = ratio(variance, np.where(m > 0, m, np.nan))
    return m - off if penalty == "down" else m + off


def mean_min(z: Array, w: Array, *, weight: float = 0.5, softness: float = 0.0) -> Array:
    """Between the mean and the lowest child: falling behind in one costs extra.

    ``M - weight (sqrt((M - min)^2 + softness^2) - softness)``

    Parameters
    ----------
    z : (..., unit, indicator)
        Scores of the children. NaN is left out.
    w : (..., indicator)
        Weights of the mean, none below 0; children of weight 0 are not looked at.
    weight : float
        0 is the mean, 1 with softness 0 the minimum.
    softness : float
        From 0 up, in score points; small gaps then cost less.

    Returns
    -------
    (..., unit). NaN where no child with a weight is left.

    References
    ----------
    .. [1] Tarabusi and Guarini, Social Indicators Research 112 (2013). Compind standardises down the
       rows: not followed.
    """
    m = _mean(z, w)
    low = np.fmin.reduce(np.where(w[..., None, :] > 0, z, np.nan), axis=-1)
    return np.asarray(m - weight * (np.sqrt((m - low) ** 2 + softness**2) - softness))


def choquet(z: Array, w: Array, *, interaction: float = 0.5) -> Array:
    """Mean less a share of the mean difference among children (2-additive Choquet integral).

    ``sum w z - interaction sum_{i<j} w_i w_j |z_i - z_j|``, weights summing to 1

    Parameters
    ----------
    z : (..., unit, indicator)
        Scores of the children. NaN is left out.
    w : (..., indicator)
        Shapley values of the children, none below 0.
    interaction : float
        Above 0 children need one another (1 at most), below 0 they stand in for one another.

    Returns
    -------
    (..., unit). NaN where no child with a weight is left.

    References
    ----------
    .. [1] Grabisch, Fuzzy Sets and Systems 92 (1997): Shapley value w_i, interactions 2 interaction w_i w_j.
    """
    v, share = _ordered(z, w)
    below = np.cumsum(share, axis=-1) - share
    spread = (v * share * (2.0 * below + share - 1.0)).sum(axis=-1)
    got = (v * share).sum(axis=-1) - interaction * spread
    return np.where(share.sum(axis=-1) > 0, got, np.nan)


def _generalised(z: Array, w: Array, p: float) -> Array:
    if abs(p) < 1e-12:
        return geometric(z, w)
    used = np.where(w[..., None, :] > 0, z, np.nan)
    low, high = (f.reduce(used, axis=-1) for f in (np.fmin, np.fmax))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        unit = np.where(high > 0, high, 1.0) if p > 0 else np.where(low > 0, low, 1.0)  # powers of shares of it do not overflow
        part = np.where(used >= 0, used, np.nan) / unit[..., None]
        near_one = abs(p) < 0.05  # z^p is 1 but for its last digits: work with what it is more
        share = np.exp(np.log1p(_mean(np.expm1(p * np.log(part)), w)) / p) if near_one else _mean(part**p, w) ** (1.0 / p)
    return np.where(low < 0, np.nan, np.where((low == 0) & (p < 0), 0.0, unit * share))


def _ordered(z: Array, w: Array) -> tuple[Array, Array]:
    """Children from low to high, and their shares of the weight that is there; missing ones count for nothing."""
    w = np.where(np.isnan(z), 0.0, w[..., None, :])
    order = np.argsort(z, axis=-1, kind="stable")
    v, kept = np.take_along_axis(z, order, axis=-1), np.take_along_axis(w, order, axis=-1)
    return np.nan_to_num(v), np.nan_to_num(ratio(kept, kept.sum(axis=-1, keepdims=True)))


def _mean(z: Array, w: Array) -> Array:
    there = ~np.isnan(z)
    kept = np.where(there, w[..., None, :], 0.0)
    total = kept.sum(axis=-1)
    summed = (np.where(there, z, 0.0) * kept).sum(axis=-1)
    return np.asarray(np.divide(summed, total, out=np.full(summed.shape, np.nan), where=total > 0))


_MEAN = frozenset({Trait.IDEMPOTENT, Trait.MONOTONE, Trait.WITHIN_CHILDREN, Trait.SCALES})
_OECD = "OECD/JRC Handbook (2008), step 6"

METHODS = {
    "arithmetic": Method(arithmetic, Text("arithmetic mean", "加权算术平均"), _OECD, _MEAN | {Trait.ADDITIVE}, proof="COINr, agg_amean*.csv"),
    "geometric": Method(geometric, Text("geometric mean", "加权几何平均"), _OECD, _MEAN | {Trait.NEEDS_POSITIVE}, proof="COINr, agg_gmean*.csv"),
    "harmonic": Method(harmonic, Text("harmonic mean", "加权调和平均"), "COINr 1.1.14, a_hmean", _MEAN | {Trait.NEEDS_POSITIVE}, proof="COINr, agg_hmean*.csv"),
    "power": Method(
        power,
        Text("power mean", "幂平均"),
        "Bullen (2003)",
        _MEAN | {Trait.NEEDS_NONNEGATIVE},
        limits={"exponent": (-100, 100)},
        proof="COINr, agg_genmean_*.csv; SciPy, stats.pmean",
    ),
    "median": Method(median, Text("median", "加权中位数"), "COINr 1.1.14, custom aggregation", _MEAN, proof="COINr, agg_custom_median.csv"),
    "owa": Method(
        owa,
        Text("ordered weighted average", "有序加权平均（OWA）"),
        "Yager (1988)",
        _MEAN,
        limits={"exponent": (1e-3, 1e3)},
        proof="Yager's worked example; minimum, mean and maximum as limits",
    ),
    "mazziotta_pareto": Method(
        mazziotta_pareto,
        Text("Mazziotta-Pareto", "Mazziotta-Pareto 指数"),
        "Mazziotta and Pareto (2016)",
        frozenset({Trait.IDEMPOTENT, Trait.SCALES}),
        proof="formula of the paper, unit by unit",
    ),
    "mean_min": Method(
        mean_min,
        Text("mean-min", "均值—最小值函数"),
        "Tarabusi and Guarini (2013)",
        frozenset({Trait.IDEMPOTENT, Trait.WITHIN_CHILDREN}),
        limits={"weight": (0, 1), "softness": (0, 1e50)},
        proof="closed form: mean and minimum as limits",
    ),
    "choquet": Method(
        choquet,
        Text("Choquet, 2-additive", "二可加 Choquet 积分"),
        "Grabisch (1997)",
        _MEAN,
        limits={"interaction": (-1, 1)},
        proof="the integral over its capacity, set by set",
    ),
}
