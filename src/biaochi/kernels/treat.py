"""Outliers and skew: an indicator is treated only while it fails the check on skewness and kurtosis."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from biaochi.errors import BadOption, Text
from biaochi.kernels.impute import Counts, counted
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
    max_points: int | Array = 5,
    skew: float | Array = 2.0,
    kurtosis: float | Array = 3.5,
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
    max_points : int or (indicator,)
        Stop once this many values of an indicator have been moved.
    skew, kurtosis : float or (indicator,)
        Thresholds of the check (sample skewness; sample excess kurtosis).

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
    if any(np.any(np.asarray(v) < 0) for v in (max_points, skew)):
        raise BadOption(
            "winsorise", f"needs max_points and skew from 0 up; got {max_points}, {skew}.", f"max_points 与 skew 不得为负；得到 {max_points}、{skew}。"
        )
    inside = counted(x, counts)
    flat = np.moveaxis(inside, -2, 0).reshape(inside.shape[-2], -1).copy()
    limits = [np.broadcast_to(np.asarray(v, float), x.shape[:-2] + x.shape[-1:]).ravel() for v in (max_points, skew, kurtosis)]
    _pull_in(flat, *limits)
    back = np.moveaxis(flat.reshape(inside.shape[-2:-1] + x.shape[:-2] + x.shape[-1:]), 0, -2)
    if counts is None:
        return np.ascontiguousarray(back)
    raised, lowered = ((moved & counts[..., None]).any(axis=-2, keepdims=True) for moved in (back > inside, back < inside))
    low = np.where(raised, np.fmin.reduce(back, axis=-2, keepdims=True), -np.inf)
    high = np.where(lowered, np.fmax.reduce(back, axis=-2, keepdims=True), np.inf)
    return np.where(counts[..., None], back, np.where(np.isnan(x), np.nan, np.fmin(np.fmax(x, low), high)))


def log_ct(x: Array, *, counts: Counts = None) -> Array:
    """Take the logarithm after shifting the lowest value to 1 % of the range.

    ``log(x - min + 0.01 (max - min))``

    Parameters
    ----------
    x : (..., unit, indicator)
        NaN stays NaN. An indicator without spread is left as it is.
    counts : (..., unit) bool
        Units that set minimum and maximum; the others are held between them.

    Returns
    -------
    (..., unit, indicator), in log units.

    References
    ----------
    .. [1] COIN Tool user's guide (JRC, 2019); COINr 1.1.14, log_CT.
    """
    inside = counted(x, counts)
    low, high = (f.reduce(inside, axis=-2, keepdims=True) for f in (np.fmin, np.fmax))
    held = np.where(np.isnan(x), np.nan, np.fmin(np.fmax(x, low), high))
    with np.errstate(divide="ignore"):
        out = np.log(held - low + 0.01 * (high - low))
    return np.where(high > low, out, x)


def winsorise_then_log(
    x: Array,
    *,
    counts: Counts = None,
    max_points: int | Array = 5,
    skew: float | Array = 2.0,
    kurtosis: float | Array = 3.5,
) -> Array:
    """Winsorise; where that does not pass the check, take the logarithm of the original instead.

    Parameters, result: see `winsorise`.

    References
    ----------
    .. [1] COINr 1.1.14, Treat with f1 = winsorise, f2 = log_CT.
    """
    first = winsorise(x, counts=counts, max_points=max_points, skew=skew, kurtosis=kurtosis)
    still = ~passes(counted(first, counts), skew, kurtosis)
    if not still.any():
        return first
    return np.where(still[..., None, :], log_ct(x, counts=counts), first)


def skewness(x: Array) -> Array:
    """Sample skewness over units (as Excel SKEW); NaN below 3 values or without spread.

    Parameters
    ----------
    x : (..., unit, indicator)

    Returns
    -------
    (..., indicator)
    """
    return _shape_of(x)[0]


def kurtosis(x: Array) -> Array:
    """Sample excess kurtosis over units (as Excel KURT); NaN below 4 values or without spread.

    Parameters, result: see `skewness`.
    """
    return _shape_of(x)[1]


def passes(x: Array, skew: float | Array, kurtosis: float | Array) -> NDArray[np.bool_]:
    """Whether ``|skewness| < skew or kurtosis < kurtosis``; undefined figures pass.

    Parameters
    ----------
    x : (..., unit, indicator)

    Returns
    -------
    (..., indicator) bool
    """
    s, k = _shape_of(x)
    return ~_fails(s, k, skew, kurtosis)


def _fails(s: Array, k: Array, skew: float | Array, kurtosis: float | Array) -> NDArray[np.bool_]:
    """Both thresholds are reached; figures that are equal in exact arithmetic count as reached."""
    return (np.abs(s) >= np.asarray(skew) - NOISE) & (k >= np.asarray(kurtosis) - NOISE)


def _shape_of(x: Array) -> tuple[Array, Array]:
    there = ~np.isnan(x)
    n = there.sum(axis=-2).astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        d = np.where(there, x - (np.where(there, x, 0.0).sum(axis=-2) / n)[..., None, :], 0.0)
        d2 = d * d
        m2, m3, m4 = d2.sum(axis=-2), (d2 * d).sum(axis=-2), (d2 * d2).sum(axis=-2)
        skew = np.sqrt(n) * m3 / m2**1.5 * np.sqrt(n * (n - 1)) / (n - 2)
        ratio = n * m4 / (m2 * m2)
        kurt = ((n + 1) * (ratio - 3) + 6) * (n - 1) / ((n - 2) * (n - 3))
    return np.where((n >= 3) & (m2 > 0), skew, np.nan), np.where((n >= 4) & (m2 > 0), kurt, np.nan)


def _pull_in(v: Array, limit: Array, skew: Array, kurtosis: Array) -> None:
    """Winsorise the columns of ``v`` (unit, column) in place."""
    moved = np.zeros((2, v.shape[1]))  # values now at the upper, at the lower limit
    active = np.arange(v.shape[1])
    while True:
        active = active[moved[:, active].sum(axis=0) < limit[active]]
        a = v[:, active]
        s, k = _shape_of(a)
        failing = _fails(s, k, skew[active], kurtosis[active]) & (np.fmax.reduce(a, axis=0) > np.fmin.reduce(a, axis=0))
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


_CT = "COINr 1.1.14, Treat (COIN Tool, JRC 2019)"
_ORDER = frozenset({Trait.ORDER_PRESERVING})
_OWN_UNIT = _ORDER | {Trait.KEEPS_UNIT}

_LIMITS = {"max_points": (0, 1e9), "skew": (0, 1e9)}

TREATMENTS = {
    "none": Method(none, Text("none", "不处理"), "OECD/JRC Handbook (2008), step 5", _OWN_UNIT),
    "winsorise": Method(winsorise, Text("winsorise", "缩尾"), _CT, _OWN_UNIT, limits=_LIMITS),
    "log_ct": Method(log_ct, Text("shifted logarithm", "平移取对数"), _CT, _ORDER),
    "winsorise_then_log": Method(winsorise_then_log, Text("winsorise, then log", "先缩尾后取对数"), _CT, _ORDER, limits=_LIMITS),
}
