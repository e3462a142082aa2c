"""Fill from the unit's own past and future: ``x`` is (..., period, unit, indicator)."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from biaochi.errors import Text
from biaochi.method import Array, Method, Trait


def last(x: Array, *, max_age: int | Array = 0, hold: bool = False) -> Array:
    """Carry the last observation forward, not further than so many periods.

    Parameters
    ----------
    x : (..., period, unit, indicator)
        Periods in order. NaN is a gap.
    max_age : int or (indicator,)
        Periods of the data an observation may be old; 0 for any age.
    hold : bool
        Fill what is before the first observation with it (COINr's "constant").

    Returns
    -------
    (..., period, unit, indicator). Gaps without an observation near enough stay open.

    References
    ----------
    .. [1] COINr 1.1.14, impute_panel, imp_type "latest" (max_time = max_age) and "constant" (hold).
    """
    seen = _seen(x)
    age = np.arange(x.shape[-3])[:, None, None] - seen
    limit = np.where(np.asarray(max_age) == 0, x.shape[-3], max_age)
    filled = np.where((seen >= 0) & (age <= limit), _take(x, np.maximum(seen, 0)), np.nan)
    if hold:
        filled = np.where(seen < 0, next_value(x), filled)
    return np.where(np.isnan(x), filled, x)


def next_value(x: Array, *, max_age: int | Array = 0) -> Array:
    """Carry the next observation backward, not further than so many periods.

    Parameters
    ----------
    x : (..., period, unit, indicator)
        Periods in order. NaN is a gap.
    max_age : int or (indicator,)
        Periods of the data an observation may be away; 0 for any.

    Returns
    -------
    (..., period, unit, indicator). Gaps without an observation near enough stay open.
    """
    turned = last(x[..., ::-1, :, :], max_age=max_age)
    return np.ascontiguousarray(turned[..., ::-1, :, :])


def linear(x: Array, *, times: Array, hold: bool = False) -> Array:
    """Straight line between the observations on either side.

    Parameters
    ----------
    x : (..., period, unit, indicator)
        Periods in order. NaN is a gap.
    times : (period,)
        When the periods are, rising.
    hold : bool
        Hold the first and the last observation outside (COINr's "linear"); otherwise gaps at the
        ends stay open.

    Returns
    -------
    (..., period, unit, indicator). One observation is enough where ends are held; none leaves the gaps.

    References
    ----------
    .. [1] COINr 1.1.14, impute_panel, imp_type "linear" (hold); R's approx(rule = 2), numpy.interp.
    """
    before = _seen(x)
    after = x.shape[-3] - 1 - _seen(x[..., ::-1, :, :])[..., ::-1, :, :]
    has_before, has_after = before >= 0, after < x.shape[-3]
    a, b = np.maximum(before, 0), np.minimum(after, x.shape[-3] - 1)
    left, right, t = _take(x, a), _take(x, b), np.asarray(times, float)
    gap = t[b] - t[a]
    share = np.divide(t[:, None, None] - t[a], gap, out=np.zeros(x.shape), where=gap > 0)
    out = np.where(has_before & has_after, left + (right - left) * share, np.nan)
    if hold:
        out = np.where(has_before & ~has_after, left, np.where(~has_before & has_after, right, out))
    return np.where(np.isnan(x), out, x)


def seasonal(x: Array, *, times: Array, cycle: int, form: Literal["additive", "multiplicative"] = "additive") -> Array:
    """Straight line through the series without its season, and the season put back.

    The season is fitted by least squares together with a straight trend: ``x_t = a + b t + s_m(t)``,
    or its logarithm.

    Parameters
    ----------
    x : (..., period, unit, indicator)
        NaN is a gap.
    times : (period,)
        When the periods are, counted in periods; ``times % cycle`` is the season.
    cycle : int
        Periods in a year: 12 for months, 4 for quarters; 1 for years, which have no season: as `linear`
        with ends held.
    form
        Whether the season adds a number or multiplies (values above 0 only; gaps of others stay open).

    Returns
    -------
    (..., period, unit, indicator). A season never observed, and a series with fewer than ``cycle + 1``
    observations, keeps its gaps.

    References
    ----------
    .. [1] imputeTS (R), na_seadec; the season by regression on dummies and a trend.
    """
    if cycle == 1:
        return linear(x, times=times, hold=True)
    t = np.asarray(times, float)
    season = np.mod(np.asarray(times, int), cycle)
    flat = np.moveaxis(x, -3, -1).reshape(-1, len(t))
    out = flat.copy()
    design = np.column_stack([t - t.mean(), season[:, None] == np.arange(cycle)]).astype(float)
    for row, series in zip(out, flat, strict=True):
        y = np.log(np.where(series > 0, series, np.nan)) if form == "multiplicative" else series
        there = ~np.isnan(y)
        gaps = np.isnan(series) & np.isin(season, season[there])
        if not gaps.any() or there.sum() < cycle + 1 or (form == "multiplicative" and (series <= 0).any()):
            continue
        fit = np.linalg.lstsq(design[there], y[there], rcond=None)[0]
        effect = fit[1:][season]
        filled = np.interp(t, t[there], (y - effect)[there]) + effect
        row[gaps] = np.exp(filled[gaps]) if form == "multiplicative" else filled[gaps]
    return np.ascontiguousarray(np.moveaxis(out.reshape(*x.shape[:-3], *x.shape[-2:], len(t)), -1, -3))


def _seen(x: Array) -> NDArray[np.intp]:
    """Where the last observation at or before each period stands; -1 for none."""
    here = np.where(np.isnan(x), -1, np.arange(x.shape[-3])[:, None, None])
    return np.asarray(np.maximum.accumulate(here, axis=-3), np.intp)


def _take(x: Array, at: NDArray[np.intp]) -> Array:
    return np.asarray(np.take_along_axis(x, at, axis=-3))


_COINR = "COINr 1.1.14, impute_panel"
_KEEPS = frozenset({Trait.KEEPS_OBSERVED})

METHODS = {
    "last": Method(
        last, Text("last observation", "前值结转"), _COINR, _KEEPS, limits={"max_age": (0, 1e6)}, proof="COINr's definition, cell by cell; panel with holes"
    ),
    "next": Method(
        next_value, Text("next observation", "后值填补"), _COINR, _KEEPS, limits={"max_age": (0, 1e6)}, proof="the last observation of the reversed panel"
    ),
    "linear": Method(linear, Text("linear in time", "线性插值"), _COINR, _KEEPS, proof="numpy.interp"),
    "seasonal": Method(
        seasonal, Text("linear with season", "季节调整插值"), "imputeTS (R), na_seadec", _KEEPS, proof="statsmodels OLS on dummies; exact on trend plus season"
    ),
}
