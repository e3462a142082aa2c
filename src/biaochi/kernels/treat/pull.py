"""Pull extreme values in: one by one until a check passes, or to limits set by quantiles or moments."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from biaochi.errors import BadOption, Text, few
from biaochi.kernels.moments import Counts, counted, deviation, highest, lowest, mean, median, quantile, shape
from biaochi.method import Array, Method, Trait

NOISE = 1e-9
"""Room for rounding where skewness or kurtosis meets its threshold exactly."""


def none(x: Array, *, counts: Counts = None) -> Array:
    """Leave the values as they are.

    Parameters
    ----------
    x : (..., unit, indicator)
    counts : (..., unit) bool, not used.
    """
    return x.copy()


def winsorise(
    x: Array,
    *,
    counts: Counts = None,
    max_points: int | Array | None = 5,
    skew: float | Array = 2.0,
    kurtosis: float | Array = 3.5,
    force: bool = False,
) -> Array:
    """Pull in the most extreme value, one by one, until the check on skew and kurtosis passes.

    While ``|skewness| >= skew and kurtosis >= kurtosis``, all values equal to the maximum (if
    skewed to the right, else the minimum) take the next value inside. Ties move together.

    Parameters
    ----------
    x : (..., unit, indicator)
        Values in the indicator's own unit. NaN stays NaN.
    counts : (..., unit) bool
        Units that decide; where these are pulled in, the others are held within the same limits.
    max_points : int or (indicator,), optional
        Stop once this many values of an indicator have been moved; None for no limit.
    skew, kurtosis : float or (indicator,)
        Thresholds of the check: sample skewness and excess kurtosis as Excel's SKEW and KURT (type 2).
    force : bool
        Go on to ``max_points`` whatever the check says.

    Returns
    -------
    (..., unit, indicator), in the indicator's own unit.

    Raises
    ------
    BadOption
        If ``max_points`` or ``skew`` is negative.

    References
    ----------
    .. [1] COINr 1.1.14, winsorise and check_SkewKurt.
    """
    most = np.inf if max_points is None else max_points
    if any(np.any(np.asarray(v) < 0) for v in (most, skew)):
        raise BadOption(
            "winsorise", f"needs max_points and skew from 0 up; got {max_points}, {skew}.", f"max_points 与 skew 不得为负；得到 {max_points}、{skew}。"
        )
    inside = counted(x, counts)
    flat = np.moveaxis(inside, -2, 0).reshape(inside.shape[-2], -1).copy()
    limits = [np.broadcast_to(np.asarray(v, float), x.shape[:-2] + x.shape[-1:]).ravel() for v in (most, skew, kurtosis)]
    _pull_in(flat, *limits, force=force)
    back = np.moveaxis(flat.reshape(inside.shape[-2:-1] + x.shape[:-2] + x.shape[-1:]), 0, -2)
    if counts is None:
        return np.ascontiguousarray(back)
    raised, lowered = ((moved & counts[..., None]).any(axis=-2, keepdims=True) for moved in (back > inside, back < inside))
    low = np.where(raised, lowest(back), -np.inf)
    high = np.where(lowered, highest(back), np.inf)
    return np.where(counts[..., None], back, np.where(np.isnan(x), np.nan, np.fmin(np.fmax(x, low), high)))


def iqr(x: Array, *, counts: Counts = None, reach: float | Array = 1.5, to: Literal["limit", "value"] = "limit") -> Array:
    """Hold values within Tukey's fences: so many interquartile ranges outside the quartiles.

    ``Q1 - reach (Q3 - Q1)`` to ``Q3 + reach (Q3 - Q1)``, quartiles of type 7

    Parameters
    ----------
    x : (..., unit, indicator)
        Values in the indicator's own unit. NaN stays NaN.
    counts : (..., unit) bool
        Units that set the limits; all are held within them.
    reach : float or (indicator,)
        1.5 for the usual fences, 3 for the far ones.
    to : {"limit", "value"}
        Where values outside go: to the limit, or to the outermost value within (nowhere if there is none).

    Returns
    -------
    (..., unit, indicator), in the indicator's own unit.

    References
    ----------
    .. [1] Tukey, Exploratory Data Analysis (1977).
    """
    inside = counted(x, counts)
    q1, q3 = quantile(inside, 0.25), quantile(inside, 0.75)
    return _hold(x, inside, q1 - reach * (q3 - q1), q3 + reach * (q3 - q1), to)


def quartile(x: Array, *, counts: Counts = None, reach: float | Array = 3.0, to: Literal["limit", "value"] = "limit") -> Array:
    """Hold values within fences that lean with the skew: each side by its own half of the box.

    ``Q1 - reach (Q2 - Q1)`` to ``Q3 + reach (Q3 - Q2)``, quartiles of type 7

    Parameters, result: see `iqr`; 3 half-boxes are 1.5 interquartile ranges where there is no skew.

    References
    ----------
    .. [1] Kimber, Applied Statistics 39 (1990) 21-30.
    """
    inside = counted(x, counts)
    q1, q2, q3 = (quantile(inside, q) for q in (0.25, 0.5, 0.75))
    return _hold(x, inside, q1 - reach * (q2 - q1), q3 + reach * (q3 - q2), to)


def mad(x: Array, *, counts: Counts = None, reach: float | Array = 3.0, to: Literal["limit", "value"] = "limit") -> Array:
    """Hold values within so many median absolute deviations of the median.

    ``median -+ reach * 1.4826 * median |x - median|``

    Parameters, result: see `iqr`. An indicator of which more than half of the values are equal is left alone.

    References
    ----------
    .. [1] Leys et al., Journal of Experimental Social Psychology 49 (2013) 764-766.
    """
    inside = counted(x, counts)
    centre = median(inside)
    off = median(np.abs(inside - centre)) * 1.482602218505602
    room = np.where(off > 0, off * reach, np.inf)
    return _hold(x, inside, centre - room, centre + room, to)


def percentile(x: Array, *, counts: Counts = None, low: float | Array = 5.0, high: float | Array = 95.0, to: Literal["limit", "value"] = "limit") -> Array:
    """Hold values between two percentiles.

    Parameters
    ----------
    x, counts, to : see `iqr`.
    low, high : float or (indicator,)
        Percentiles, 0 to 100, of type 7; 0 and 100 leave a side alone, but for units that do not count.

    Returns
    -------
    (..., unit, indicator), in the indicator's own unit.

    Raises
    ------
    BadOption
        If ``low >= high``.

    References
    ----------
    .. [1] OECD/JRC Handbook (2008), step 5; SciPy, stats.mstats.winsorize, with linear percentiles.
    """
    if np.any(np.asarray(low) >= np.asarray(high)):
        raise BadOption("percentile", f"needs low < high; got low={few(low)}, high={few(high)}.", f"low 须小于 high；得到 low={few(low)}, high={few(high)}。")
    inside = counted(x, counts)
    return _hold(x, inside, quantile(inside, np.asarray(low) / 100.0), quantile(inside, np.asarray(high) / 100.0), to)


def sd(x: Array, *, counts: Counts = None, reach: float | Array = 3.0, to: Literal["limit", "value"] = "limit") -> Array:
    """Hold values within so many standard deviations of the mean.

    ``mean -+ reach * sd``, sample standard deviation (n - 1)

    Parameters, result: see `iqr`.

    References
    ----------
    .. [1] European Innovation Scoreboard, methodology report (mean -+ 3 sd).
    """
    inside = counted(x, counts)
    spread = deviation(inside)
    room = np.where(spread > 0, spread * reach, np.inf)
    return _hold(x, inside, mean(inside) - room, mean(inside) + room, to)


def _hold(x: Array, inside: Array, low: Array, high: Array, to: str) -> Array:
    room = 1e-12 * (highest(inside) - lowest(inside))  # a value at a limit but for rounding is within it
    over, under = x > high + room, x < low - room
    if to == "value":
        within = np.where((inside > high + room) | (inside < low - room), np.nan, inside)
        low, high = lowest(within), highest(within)
        over, under = over & ~np.isnan(high), under & ~np.isnan(low)  # where nothing lies within, nothing moves
    return np.where(over, high, np.where(under, low, x))


def skewness(x: Array) -> Array:
    """Sample skewness over units (as Excel SKEW, type 2); NaN below 3 values or without spread.

    Parameters
    ----------
    x : (..., unit, indicator)

    Returns
    -------
    (..., indicator)
    """
    return shape(x)[0]


def kurtosis(x: Array) -> Array:
    """Sample excess kurtosis over units (as Excel KURT, type 2); NaN below 4 values or without spread.

    Parameters, result: see `skewness`.
    """
    return shape(x)[1]


def passes(x: Array, skew: float | Array, kurtosis: float | Array) -> NDArray[np.bool_]:
    """Whether ``|skewness| < skew or kurtosis < kurtosis``; undefined figures pass.

    Parameters
    ----------
    x : (..., unit, indicator)

    Returns
    -------
    (..., indicator) bool
    """
    s, k = shape(x)
    return ~_fails(s, k, skew, kurtosis)


def _fails(s: Array, k: Array, skew: float | Array, kurtosis: float | Array) -> NDArray[np.bool_]:
    """Both thresholds are reached; figures that are equal in exact arithmetic count as reached."""
    return (np.abs(s) >= np.asarray(skew) - NOISE) & (k >= np.asarray(kurtosis) - NOISE)


def _pull_in(v: Array, limit: Array, skew: Array, kurtosis: Array, *, force: bool = False) -> None:
    """Winsorise the columns of ``v`` (unit, column) in place."""
    moved = np.zeros((2, v.shape[1]))  # values now at the upper, at the lower limit
    active = np.arange(v.shape[1])
    while True:
        active = active[moved[:, active].sum(axis=0) < limit[active]]
        a = v[:, active]
        s, k = shape(a)
        failing = (_fails(s, k, skew[active], kurtosis[active]) | force) & (np.fmax.reduce(a, axis=0) > np.fmin.reduce(a, axis=0))
        active, a, s = active[failing], a[:, failing], s[failing]
        if not active.size:
            return
        sign = np.where(s >= 0, 1.0, -1.0)
        up = a * sign
        top = np.fmax.reduce(up, axis=0)
        at_top = up == top
        following = np.fmax.reduce(np.where(at_top, np.nan, up), axis=0)
        v[:, active] = np.where(at_top, following, up) * sign
        moved[np.where(s >= 0, 0, 1), active] = at_top.sum(axis=0)


_ORDER = frozenset({Trait.ORDER_PRESERVING})
_OWN_UNIT = _ORDER | {Trait.KEEPS_UNIT}
CHECKED = {"max_points": (0, 1e9), "skew": (0, 1e9)}
_REACH = {"reach": (0, 1e9)}

METHODS = {
    "none": Method(none, Text("none", "不处理"), "OECD/JRC Handbook (2008), step 5", _OWN_UNIT, proof="closed form"),
    "winsorise": Method(
        winsorise,
        Text("winsorise", "缩尾"),
        "COINr 1.1.14, Treat (COIN Tool, JRC 2019)",
        _OWN_UNIT,
        limits=CHECKED,
        proof="COINr, treat_*.csv and vec_treatment.csv",
    ),
    "iqr": Method(iqr, Text("Tukey's fences", "四分位距界限法"), "Tukey (1977)", _OWN_UNIT, limits=_REACH, proof="numpy.percentile and clip"),
    "quartile": Method(quartile, Text("skewed fences", "偏态四分位界限法"), "Kimber (1990)", _OWN_UNIT, limits=_REACH, proof="numpy.percentile and clip"),
    "mad": Method(
        mad, Text("median absolute deviations", "绝对中位差法"), "Leys et al. (2013)", _OWN_UNIT, limits=_REACH, proof="SciPy, stats.median_abs_deviation"
    ),
    "percentile": Method(
        percentile,
        Text("percentiles", "百分位缩尾"),
        "OECD/JRC Handbook (2008), step 5",
        _OWN_UNIT,
        limits={"low": (0, 100), "high": (0, 100)},
        proof="numpy.percentile and clip",
    ),
    "sd": Method(sd, Text("standard deviations", "标准差界限法"), "European Innovation Scoreboard", _OWN_UNIT, limits=_REACH, proof="NumPy mean and std, clip"),
}
