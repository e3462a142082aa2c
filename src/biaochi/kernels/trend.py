"""Growth and trends of series over time, with their uncertainty; y is (period, series), t is (period,) in years."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from biaochi.method import Array


class Trend(NamedTuple):
    """What a trend says of each series; every field is (series,)."""

    value: Array
    low: Array
    high: Array
    p: Array


def ends(y: Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Positions of the first and of the last value of each series; 0 and the last one where there is none."""
    there = ~np.isnan(y)
    return there.argmax(axis=0), len(y) - 1 - there[::-1].argmax(axis=0)


def cagr(y: Array, t: Array) -> Trend:
    """Compound annual growth rate between the first and the last value.

    ``(y_last / y_first)^(1 / (t_last - t_first)) - 1``

    Parameters
    ----------
    y : (period, series)
    t : (period,)
        Years.

    Returns
    -------
    Trend
        0 where both are equal (0 and 0 as well), infinite from 0 to above, NaN with fewer than 2 values or where the
        sign changes. Between two values below 0 it is the growth of their size. No interval: two points have none.

    References
    ----------
    .. [1] COINr 1.1.14, CAGR.
    """
    first, last = ends(y)
    k = np.arange(y.shape[1])
    a, b, years = y[first, k], y[last, k], t[last] - t[first]
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(b == a, 0.0, (b / a) ** (1.0 / np.where(years > 0, years, np.nan)) - 1.0)
    turned = (a * b < 0) | ((a == 0) & (b < 0))
    rate = np.where((years > 0) & ~np.isnan(a) & ~turned, rate, np.nan)
    return _bare(rate)


def change(y: Array, t: Array) -> Trend:
    """Change a year in percent of the start: of the fitted line with 3 values or more, simple with 2.

    ``100 slope / fitted(t_first)``; ``100 (b - a) / a / years``

    Parameters
    ----------
    y : (period, series)
    t : (period,)
        Years.

    Returns
    -------
    Trend
        0 where all values agree; infinite or NaN where the start is 0. The interval is that of the slope, over the same start.

    References
    ----------
    .. [1] COINr 1.1.14, prc_change.
    """
    first, last = ends(y)
    k, n = np.arange(y.shape[1]), (~np.isnan(y)).sum(axis=0)
    slope, start, error, df, p = line(y, t)
    at_start = start + slope * t[first]
    with np.errstate(divide="ignore", invalid="ignore"):
        two = (y[last, k] - y[first, k]) / y[first, k] / (t[last] - t[first])
        value = 100.0 * np.where(n == 2, two, slope / at_start)
        half = 100.0 * _quantile(df) * error / np.abs(at_start)
    value = np.where(np.nanmax(np.where(n > 0, y, 0.0), axis=0) == np.nanmin(np.where(n > 0, y, 0.0), axis=0), 0.0, value)
    value = np.where(n >= 2, value, np.nan)
    return Trend(value, value - half, value + half, p)


def linear(y: Array, t: Array) -> Trend:
    """Slope of the least-squares line, in units a year, with its 95 % interval by Student's t.

    Parameters
    ----------
    y : (period, series)
    t : (period,)
        Years.

    Returns
    -------
    Trend
        NaN with fewer than 2 values; interval and p-value need 3.
    """
    slope, _, error, df, p = line(y, t)
    half = _quantile(df) * error
    return Trend(slope, slope - half, slope + half, p)


def exponential(y: Array, t: Array) -> Trend:
    """Rate of growth a year of the least-squares line through logarithms, ``exp(slope) - 1``, with its 95 % interval.

    Parameters
    ----------
    y : (period, series)
        Above 0; a series with another value gives NaN.
    t : (period,)
        Years.

    Returns
    -------
    Trend
    """
    fit = (y > 0) | np.isnan(y)
    logs = np.where(fit.all(axis=0), np.log(np.where(y > 0, y, 1.0)) + 0.0 * y, np.nan)
    fitted = linear(logs, t)
    return Trend(np.expm1(fitted.value), np.expm1(fitted.low), np.expm1(fitted.high), fitted.p)


def theil_sen(y: Array, t: Array) -> Trend:
    """Median of the slopes between all pairs of values, robust against outliers, with Sen's 95 % interval.

    The p-value is that of Kendall's tau of values and time (Mann and Kendall).

    Parameters
    ----------
    y : (period, series)
    t : (period,)
        Years.

    Returns
    -------
    Trend
        NaN with fewer than 2 values; interval and p-value need 3.

    References
    ----------
    .. [1] Theil (1950); Sen, J. American Statistical Association 63 (1968) 1379-1389; Mann (1945).
    """
    from scipy.stats import kendalltau, theilslopes

    out = np.full((4, y.shape[1]), np.nan)
    for k, column in enumerate(y.T):
        there = ~np.isnan(column)
        if there.sum() >= 2:
            slope, _, low, high = theilslopes(column[there], t[there], 0.95)
            out[:3, k] = slope, *((low, high) if there.sum() >= 3 else (np.nan, np.nan))
            if there.sum() >= 3 and np.ptp(column[there]) > 0:
                out[3, k] = kendalltau(column[there], t[there]).pvalue
    return Trend(*out)


def interpolate(y: Array, t: Array) -> Array:
    """Gaps between values filled along a straight line in time; nothing before the first and after the last."""
    out = y.copy()
    for k, column in enumerate(y.T):
        there = ~np.isnan(column)
        if there.any():
            out[:, k] = np.interp(t, t[there], column[there], left=np.nan, right=np.nan)
    return out


def _bare(value: Array) -> Trend:
    nothing = np.full(value.shape, np.nan)
    return Trend(value, nothing, nothing, nothing)


def line(y: Array, t: Array) -> tuple[Array, Array, Array, Array, Array]:
    """Slope, intercept at t = 0, standard error, degrees of freedom and p-value of each least-squares line."""
    from scipy.special import betainc

    there = ~np.isnan(y)
    n = there.sum(axis=0).astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        tm, ym = (np.where(there, v, 0.0).sum(axis=0) / n for v in (np.broadcast_to(t[:, None], y.shape), y))
        dt, dy = np.where(there, t[:, None] - tm, 0.0), np.where(there, y - ym, 0.0)
        stt, sty = (dt * dt).sum(axis=0), (dt * dy).sum(axis=0)
        slope = np.where((n >= 2) & (stt > 0), sty / stt, np.nan)
        left = np.maximum(((dy - slope * dt) ** 2).sum(axis=0), 0.0)
        df = np.where(n > 2, n - 2.0, np.nan)
        error = np.sqrt(left / df / stt)
        p = np.where(error > 0, betainc(df / 2.0, 0.5, df / (df + (slope / error) ** 2)), np.where(slope != 0, 0.0, np.nan))
    return slope, ym - slope * tm, error, df, np.where(np.isnan(df), np.nan, p)


def _quantile(df: Array) -> Array:
    from scipy.special import stdtrit

    return np.asarray(stdtrit(df, 0.975))
