"""How near to a reference: the best, the worst, the mean, a unit, a target, a total."""

from __future__ import annotations

from typing import Literal

import numpy as np

from biaochi.errors import Text
from biaochi.kernels.moments import flat, highest, lowest, mean, ratio, total
from biaochi.method import Array, Method, Trait


def distance(
    x: Array, ref: Array, *, signs: Array, to: Literal["best", "worst", "mean"] = "best", form: Literal["ratio", "difference", "range"] = "ratio"
) -> Array:
    """Distance to the best, the worst or the mean of the reference.

    ``ratio``: ``x / r``, and ``r / x`` where lower is better; ``difference``: ``(x - r) / |r|``;
    ``range``: ``1 - (r - x) / (r - min)``, which for the best is min-max.

    Parameters
    ----------
    x : (..., unit, indicator)
        Values turned so that higher is better. NaN stays NaN.
    ref : (..., ref_unit, indicator)
        Sets r: its highest, lowest or mean value.
    signs : (indicator,)
        Direction of each indicator, 1 or -1.
    to, form
        See above.

    Returns
    -------
    (..., unit, indicator). NaN where the divisor is 0. A ratio needs r above 0, and where lower is better
    all of the reference above 0: otherwise the indicator gets no score at all, or the order would turn.

    References
    ----------
    .. [1] OECD/JRC Handbook (2008), 5.4 and Table 15. COINr's n_dist2max is ``to="best", form="range"``.
    """
    r = {"best": highest, "worst": lowest, "mean": mean}[to](ref)
    return _distance(x, r, ref, signs, form)


def distance_to_unit(x: Array, ref: Array, *, signs: Array, at: Array, form: Literal["ratio", "difference", "range"] = "range", cap: bool = False) -> Array:
    """Distance to one unit, which has 1 (or 0 as a difference).

    ``range``: ``1 - (r - x) / (r - min)``; ``ratio`` and ``difference``: see `distance`.

    Parameters
    ----------
    x, ref, signs, form : see `distance`.
    at : (..., 1, indicator)
        Values of the reference unit, turned like ``x``.
    cap : bool
        Hold units beyond the reference at its value.

    Returns
    -------
    (..., unit, indicator). NaN where the reference unit has no value or the divisor is 0: with ``range``
    where it is the lowest itself.

    References
    ----------
    .. [1] COINr 1.1.14, n_dist2ref; OECD/JRC Handbook (2008), 5.4.
    """
    got = _distance(x, at, ref, signs, form)
    return np.where(np.isnan(got), np.nan, np.fmin(got, 0.0 if form == "difference" else 1.0)) if cap else got


def distance_to_target(x: Array, ref: Array, *, target: float | Array, cap: bool = False) -> Array:
    """Part of the way from the lowest of the reference to a target, 1 at the target.

    ``(x - min) / (target - min)``

    Parameters
    ----------
    x : (..., unit, indicator)
        Values turned so that higher is better. NaN stays NaN.
    ref : (..., ref_unit, indicator)
        Sets min, the worst value.
    target : float or (indicator,)
        In the indicator's own unit; the framework's target by default.
    cap : bool
        Hold units beyond the target at 1.

    Returns
    -------
    (..., unit, indicator). NaN where the target is no better than the worst of the reference (COINr
    turns the scale round there).

    References
    ----------
    .. [1] COINr 1.1.14, n_dist2targ.
    """
    low = lowest(ref)
    got = ratio(x - low, np.where(np.asarray(target) > low, target - low, np.nan))
    return np.where(np.isnan(got), np.nan, np.fmin(got, 1.0)) if cap else got


def fraction_of_max(x: Array, ref: Array, *, signs: Array) -> Array:
    """Share of the best value: ``x / max``, and ``min / x`` where lower is better.

    Parameters
    ----------
    x, ref, signs : see `distance`.

    Returns
    -------
    (..., unit, indicator), 1 at the best. NaN throughout where the best value is not above 0, or, where
    lower is better, any value of the reference is not: there is no best value to take shares of.

    References
    ----------
    .. [1] COINr 1.1.14, n_fracmax, which divides by the turned maximum instead where lower is better,
       so that the worst unit gets the most: not followed.
    """
    return _distance(x, highest(ref), ref, signs, "ratio")


def vector(x: Array, ref: Array) -> Array:
    """Divide by the length of the reference as a vector, ``x / sqrt(sum x^2)``.

    Parameters
    ----------
    x : (..., unit, indicator)
        Where lower is better the values are below 0: their order and distances are kept.
    ref : (..., ref_unit, indicator)

    Returns
    -------
    (..., unit, indicator). NaN where all of the reference is 0.

    References
    ----------
    .. [1] Hwang and Yoon, Multiple Attribute Decision Making (1981).
    """
    return ratio(x, np.sqrt(total(ref * ref)))


def sum_share(x: Array, ref: Array, *, signs: Array) -> Array:
    """Share of the total: ``x / sum x``, and ``(1 / x) / sum (1 / x)`` where lower is better.

    Parameters
    ----------
    x, ref, signs : see `distance`.

    Returns
    -------
    (..., unit, indicator), summing to 1 over the reference. NaN throughout where the total is not above 0, or,
    where lower is better, any value of the reference is not.

    References
    ----------
    .. [1] Hwang and Yoon, Multiple Attribute Decision Making (1981); pymcdm, sum_normalization.
    """
    one = np.array(1.0)
    v, r = (np.where(signs > 0, y, np.where(y < 0, -ratio(one, y), np.nan)) for y in (x, ref))
    whole = total(r)
    return ratio(v, np.where((whole > 0) & ((np.asarray(signs) > 0) | (highest(ref) < 0)), whole, np.nan))


def above_below(x: Array, ref: Array, *, band: float | Array = 0.2) -> Array:
    """1 above the mean by more than a band, -1 below it by more, 0 within.

    ``x - mean > band |mean|``: 1; ``mean - x > band |mean|``: -1

    Parameters
    ----------
    x : (..., unit, indicator)
    ref : (..., ref_unit, indicator)
        Sets the mean.
    band : float or (indicator,)
        Half the width of the neutral band, as a share of the size of the mean; from 0 up.

    Returns
    -------
    (..., unit, indicator): 1, 0 or -1. NaN stays NaN.

    References
    ----------
    .. [1] OECD/JRC Handbook (2008), 5.6 and Table 15 (band of 20 %).
    """
    centre = mean(ref)
    off = np.where(flat(lowest(ref), highest(ref)) & (x == lowest(ref)), 0.0, x - centre)  # no noise of the mean
    room = np.abs(centre) * band
    return np.where(np.isnan(off), np.nan, np.where(off > room, 1.0, np.where(off < -room, -1.0, 0.0)))


def _distance(x: Array, r: Array, ref: Array, signs: Array, form: str) -> Array:
    if form == "ratio":  # a reference at or below 0 would turn the order round, and so would a turned value that is not below 0
        up = np.where(r > 0, ratio(x, r), np.nan)
        down = np.where((x < 0) & (highest(ref) < 0) & (r < 0), ratio(r, x), np.nan)
        return np.where(np.asarray(signs) > 0, up, down)
    if form == "difference":
        return ratio(x - r, np.abs(r))
    low = lowest(ref)
    return 1.0 - ratio(r - x, np.where(flat(low, r) | flat(low, highest(ref)), 0.0, r - low))


_OECD = "OECD/JRC Handbook (2008), step 5"

METHODS = {
    "distance": Method(
        distance,
        Text("distance to best, worst or mean", "与最优、最差或均值之比"),
        _OECD,
        frozenset({Trait.ORDER_PRESERVING}),
        proof="OECD Table 15; COINr, norm_dist2max.csv",
    ),
    "distance_to_unit": Method(
        distance_to_unit,
        Text("distance to a unit", "与参照单位之比"),
        "COINr 1.1.14, n_dist2ref",
        frozenset({Trait.ORDER_PRESERVING}),
        proof="COINr, norm_dist2ref*.csv",
    ),
    "distance_to_target": Method(
        distance_to_target,
        Text("distance to target", "目标完成度"),
        "COINr 1.1.14, n_dist2targ",
        frozenset({Trait.AFFINE, Trait.ORDER_PRESERVING}),
        posts=("target",),
        proof="COINr, vec_normalisation.csv",
    ),
    "fraction_of_max": Method(
        fraction_of_max,
        Text("fraction of the maximum", "与最大值之比"),
        "COINr 1.1.14, n_fracmax",
        frozenset({Trait.ORDER_PRESERVING}),
        proof="COINr, norm_fracmax.csv",
    ),
    "vector": Method(
        vector, Text("vector", "向量规范法"), "Hwang and Yoon (1981)", frozenset({Trait.AFFINE, Trait.ORDER_PRESERVING}), proof="pymcdm, vector_normalization"
    ),
    "sum": Method(
        sum_share, Text("share of the total", "比重法"), "Hwang and Yoon (1981)", frozenset({Trait.ORDER_PRESERVING}), proof="pymcdm, sum_normalization"
    ),
    "above_below": Method(
        above_below,
        Text("above or below the mean", "高于或低于均值"),
        _OECD,
        frozenset({Trait.ORDER_PRESERVING}),
        limits={"band": (0, 1e9)},
        proof="OECD Table 15",
    ),
}
