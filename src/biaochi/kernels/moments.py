"""Statistics over the unit axis that leave missing values out; one place for every convention."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from biaochi.kernels.summary import ROWS, Summary, limbs, summed
from biaochi.method import Array

Counts = NDArray[np.bool_] | None


def counted(x: Array, counts: Counts) -> Array:
    """``x`` with the units that do not count set to NaN: what every statistic is taken over."""
    return x if counts is None or counts.all() else np.where(counts[..., None], x, np.nan)


def whole(x: Array) -> bool:
    """Nothing is missing, told by one sum; infinite values of both signs count as missing, which costs time only."""
    return not np.isnan(x.sum())


def ratio(a: Array, b: Array, *, spend: bool = False) -> Array:
    """``a / b``, NaN where ``b`` is 0 or missing; in place of ``a`` where that may be spent."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.divide(a, np.where(b == 0, np.nan, b), out=a if spend else None)


def flat(low: Array, high: Array) -> NDArray[np.bool_]:
    """No spread, or none beyond the rounding noise of a sum (a few units in the last place)."""
    return high - low <= 2.0**-50 * np.maximum(np.abs(low), np.abs(high))


def lowest(x: Array | Summary) -> Array:
    """Minimum over units, (..., 1, indicator)."""
    if isinstance(x, Summary):
        return x.statistic("low")
    low = _reduced(np.minimum, x)  # several times as fast as fmin, and NaN shows where it will not do
    return np.asarray(np.fmin.reduce(x, axis=-2, keepdims=True) if np.isnan(low).any() else low)


def highest(x: Array | Summary) -> Array:
    """Maximum over units, (..., 1, indicator)."""
    if isinstance(x, Summary):
        return x.statistic("high")
    high = _reduced(np.maximum, x)
    return np.asarray(np.fmax.reduce(x, axis=-2, keepdims=True) if np.isnan(high).any() else high)


def _reduced(of: np.ufunc, x: Array) -> Array:
    """A reduction over units; of many in long rows side by side, which is several times as fast."""
    n, k = x.shape[-2], 64
    if n < ROWS or x.size != n * x.shape[-1] or not x.flags.c_contiguous:
        return np.asarray(of.reduce(x, axis=-2, keepdims=True))
    flat_ = x.reshape(n, -1)
    body = of.reduce(flat_[: n // k * k].reshape(n // k, -1), axis=0).reshape(k, -1)
    return np.asarray(of.reduce(np.concatenate([body, flat_[n // k * k :]]), axis=0)).reshape(*x.shape[:-2], 1, x.shape[-1])


def total(x: Array | Summary) -> Array:
    """Sum over units, (..., 1, indicator); 0 where nothing is there.

    Of many values it is taken in whole numbers, so that it has the same bits however they are cut into parts.
    """
    if isinstance(x, Summary):
        return x.statistic("total")
    if x.shape[-2] > ROWS:
        return _exact(x, np.maximum(np.abs(lowest(x)), np.abs(highest(x))))
    return _added(x)


def _exact(x: Array, most: Array, about: Array | None = None) -> Array:
    """Sum of values, or of squared differences, in whole numbers where all are finite."""
    most = np.nan_to_num(most, posinf=np.inf)
    if np.isfinite(most).all():
        return summed(limbs(x, most, about), most)
    return _added(x if about is None else np.square(x - about))


def _added(x: Array) -> Array:
    plain = x.sum(axis=-2, keepdims=True)
    return np.asarray(np.where(np.isnan(x), 0.0, x).sum(axis=-2, keepdims=True) if np.isnan(plain).any() else plain)


def number(x: Array | Summary) -> Array:
    """How many values are there, (..., 1, indicator)."""
    if isinstance(x, Summary):
        return x.statistic("number")
    if x.size and whole(x):
        return np.full((*x.shape[:-2], 1, x.shape[-1]), float(x.shape[-2]))
    return np.asarray((~np.isnan(x)).sum(axis=-2, keepdims=True), float)


def still_at(x: Array | Summary) -> NDArray[np.bool_]:
    """No spread, or fewer than 2 values, (..., 1, indicator)."""
    return np.asarray(flat(lowest(x), highest(x)) | (number(x) < 2))


def mean(x: Array | Summary) -> Array:
    """Mean over units, (..., 1, indicator)."""
    return ratio(total(x), number(x))


def deviation(x: Array | Summary, ddof: int | Array = 1) -> Array:
    """Standard deviation over units, (..., 1, indicator); 0 where there is no spread but for rounding."""
    n, low, high = number(x), lowest(x), highest(x)
    if isinstance(x, Summary):
        squares = x.statistic("squares")
    elif x.shape[-2] > ROWS:
        middle = ratio(_exact(x, np.maximum(np.abs(low), np.abs(high))), n)
        squares = _exact(x, np.maximum(np.square(low - middle), np.square(high - middle)), middle)
    else:
        squares = _added(np.square(x - ratio(_added(x), n)))
    spread = np.sqrt(ratio(squares, np.maximum(n - np.asarray(ddof, float), 0.0)))
    return np.where(flat(low, high), 0.0, spread)


def median(x: Array) -> Array:
    """Median over units, (..., 1, indicator)."""
    ordered = np.sort(x, axis=-2)  # NaN last
    n = (~np.isnan(x)).sum(axis=-2, keepdims=True)
    low = np.take_along_axis(ordered, np.maximum((n - 1) // 2, 0), axis=-2)
    high = np.take_along_axis(ordered, np.minimum(n // 2, x.shape[-2] - 1), axis=-2)
    return np.asarray(np.where(n > 0, low + (high - low) / 2, np.nan))


def quantile(x: Array, share: float | Array) -> Array:
    """Quantile over units, linear between neighbours (type 7 of Hyndman and Fan), (..., 1, indicator)."""
    ordered = np.sort(x, axis=-2)
    n = (~np.isnan(x)).sum(axis=-2, keepdims=True)
    at = np.asarray(share, float) * np.maximum(n - 1, 0)
    below = np.floor(at).astype(int)
    low = np.take_along_axis(ordered, below, axis=-2)
    high = np.take_along_axis(ordered, np.minimum(below + 1, np.maximum(n - 1, 0)), axis=-2)
    return np.asarray(np.where(n > 0, low + (high - low) * (at - below), np.nan))


def shape(x: Array) -> tuple[Array, Array]:
    """Sample skewness (Excel SKEW, type 2) and excess kurtosis (Excel KURT, type 2), each (..., indicator).

    NaN below 3 (4) values or without spread.
    """
    there = ~np.isnan(x)
    n = there.sum(axis=-2).astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        d = np.where(there, x - (np.where(there, x, 0.0).sum(axis=-2) / n)[..., None, :], 0.0)
        d2 = d * d
        m2, m3, m4 = d2.sum(axis=-2), (d2 * d).sum(axis=-2), (d2 * d2).sum(axis=-2)
        skew = np.sqrt(n) * m3 / m2**1.5 * np.sqrt(n * (n - 1)) / (n - 2)
        peak = n * m4 / (m2 * m2)
        kurt = ((n + 1) * (peak - 3) + 6) * (n - 1) / ((n - 2) * (n - 3))
    varied = ~flat(lowest(x), highest(x))[..., 0, :] & (m2 > 0)
    return np.where((n >= 3) & varied, skew, np.nan), np.where((n >= 4) & varied, kurt, np.nan)


def complete(z: Array) -> Array:
    """``z`` with the units that lack any indicator set to NaN."""
    return np.where(np.isnan(z).any(axis=-1, keepdims=True), np.nan, z)


def covariance(z: Array) -> Array:
    """Covariance of indicators over the units that have all of them (n - 1), (..., indicator, indicator).

    0 for an indicator without spread but for rounding.
    """
    full = complete(z)
    d = np.nan_to_num(np.where(flat(lowest(full), highest(full)), 0.0, full - mean(full)))
    n = (~np.isnan(full[..., :1])).sum(axis=-2, keepdims=True).astype(float)
    return ratio(np.swapaxes(d, -1, -2) @ d, np.maximum(n - 1.0, 0.0))


def correlation(z: Array) -> Array:
    """Pearson correlation of indicators, pair by pair over the units that have both, (..., indicator, indicator).

    NaN for an indicator without spread or with fewer than 2 common units.
    """
    return spread(z)[1]


def spread(z: Array) -> tuple[Array, Array]:
    """Standard deviations (n - 1), (..., indicator), and correlations as `correlation` gives them."""
    middle = mean(z)
    if np.isnan(z.sum()):
        sd, r = deviation(z)[..., 0, :], _pairwise(z)
        still = ~(sd > 0)
    else:
        d = z - middle
        c = np.swapaxes(d, -1, -2) @ d
        squares = np.diagonal(c, axis1=-2, axis2=-1)
        sd = np.sqrt(ratio(squares, np.array(max(z.shape[-2] - 1.0, 0.0))))
        still = ~(sd > 1e-10 * np.abs(middle[..., 0, :]))  # so little that it may be rounding: look closer
        if still.any():
            still = flat(lowest(z), highest(z))[..., 0, :]
            sd = np.where(still, 0.0, sd)
        r = ratio(c, np.sqrt(squares[..., :, None] * squares[..., None, :]))
    bad = ~np.isfinite(r) | still[..., :, None] | still[..., None, :]
    return sd, np.where(bad, np.nan, np.clip(r, -1.0, 1.0))


def _pairwise(z: Array) -> Array:
    n, cov, var = pairs(z)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(n < 2, np.nan, cov / np.sqrt(var * np.swapaxes(var, -1, -2)))


def pairs(z: Array) -> tuple[Array, Array, Array]:
    """Sums over the units that have both of two indicators, each (..., indicator, indicator).

    Returns
    -------
    n, cov, var
        How many units; sum of the products of the deviations from the means of the pair; sum of the squares of the first
        indicator's deviations, 0 where these are rounding.
    """
    m = (~np.isnan(z)).astype(float)
    d = np.where(m > 0, z - mean(z), 0.0)  # near the origin, so that sums of squares keep their digits
    t = np.swapaxes
    n, sx = t(m, -1, -2) @ m, t(d, -1, -2) @ m
    sxy, sxx = t(d, -1, -2) @ d, t(d * d, -1, -2) @ m
    with np.errstate(invalid="ignore", divide="ignore"):
        cov = sxy - sx * t(sx, -1, -2) / n
        var = sxx - sx * sx / n
    for *batch, i, j in np.argwhere((n >= 2) & (var <= 1e-4 * sxx)):  # the pair lies far from the mean of all: once more from its own
        both = z[(*batch, slice(None), [i, j])]
        both = both[~np.isnan(both).any(axis=-1)] if both.shape[-1] == 2 else both.T[~np.isnan(both.T).any(axis=-1)]
        off = np.where(np.ptp(both, axis=0) <= 2.0**-50 * np.abs(both).max(axis=0), 0.0, both - both.mean(axis=0))
        at, back = (*batch, i, j), (*batch, j, i)
        cov[at] = cov[back] = float(off[:, 0] @ off[:, 1])
        var[at] = float(off[:, 0] @ off[:, 0])
    return n, cov, var
