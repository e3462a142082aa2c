"""A common scale. ``ref`` sets it: the same period, all periods, a base period; higher is better by now."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from biaochi.errors import BadOption, Text
from biaochi.method import Array, Method, Trait


def none(x: Array, ref: Array) -> Array:
    """Keep the values as they are (only the direction has been applied).

    Parameters
    ----------
    x : (..., unit, indicator)
    ref : (..., ref_unit, indicator), not used.
    """
    return x.copy()


def minmax(x: Array, ref: Array) -> Array:
    """Place each value between the lowest and the highest of the reference, 0 to 1.

    Parameters
    ----------
    x : (..., unit, indicator)
        Values in the indicator's own unit. NaN stays NaN.
    ref : (..., ref_unit, indicator)
        Sets minimum and maximum.

    Returns
    -------
    (..., unit, indicator), without unit. NaN where the reference has no spread.

    References
    ----------
    .. [1] OECD/JRC, Handbook on Constructing Composite Indicators (2008), 5.3.
    """
    low = np.fmin.reduce(ref, axis=-2, keepdims=True)
    high = np.fmax.reduce(ref, axis=-2, keepdims=True)
    return _ratio(x - low, np.where(_flat(low, high), 0.0, high - low))


def zscore(x: Array, ref: Array, *, mean: float | Array = 0.0, sd: float | Array = 1.0, ddof: int | Array = 1) -> Array:
    """Distance to the mean of the reference in its standard deviations.

    Parameters
    ----------
    x : (..., unit, indicator)
        Values in the indicator's own unit. NaN stays NaN.
    ref : (..., ref_unit, indicator)
        Sets mean and standard deviation.
    mean, sd : float or (indicator,)
        Mean and standard deviation to give the result.
    ddof : int or (indicator,)
        1 for the sample standard deviation (n - 1), 0 for the population's (n).

    Returns
    -------
    (..., unit, indicator), without unit. NaN where the reference has no spread.

    Raises
    ------
    BadOption
        If ``sd <= 0`` or ``ddof`` is neither 0 nor 1.

    References
    ----------
    .. [1] OECD/JRC, Handbook on Constructing Composite Indicators (2008), 5.2.
    """
    if np.any(np.asarray(sd) <= 0) or not np.isin(ddof, (0, 1)).all():
        raise BadOption("zscore", f"needs sd > 0 and ddof 0 or 1; got sd={sd}, ddof={ddof}.", f"sd 须大于 0，ddof 须为 0 或 1；得到 sd={sd}, ddof={ddof}。")
    there = ~np.isnan(ref)
    n = there.sum(axis=-2, keepdims=True)
    centre = _ratio(np.where(there, ref, 0.0).sum(axis=-2, keepdims=True), n.astype(float))
    squares = np.where(there, (ref - centre) ** 2, 0.0).sum(axis=-2, keepdims=True)
    spread = np.sqrt(_ratio(squares, np.maximum(n - np.asarray(ddof, float), 0.0)))
    flat = _flat(np.fmin.reduce(ref, axis=-2, keepdims=True), np.fmax.reduce(ref, axis=-2, keepdims=True))
    return _ratio(x - centre, np.where(flat, 0.0, spread)) * sd + mean


def goalposts(x: Array, ref: Array, *, low: float | Array, high: float | Array, clip: bool = True) -> Array:
    """Place each value between two fixed posts, 0 at the low one and 1 at the high one.

    Parameters
    ----------
    x : (..., unit, indicator)
        Values in the indicator's own unit. NaN stays NaN.
    ref : (..., ref_unit, indicator)
        Not used: the posts set the scale.
    low, high : float or (indicator,)
        The posts, in the indicator's own unit.
    clip : bool
        Hold values outside the posts at 0 and 1.

    Returns
    -------
    (..., unit, indicator), without unit.

    Raises
    ------
    BadOption
        If ``low >= high``.

    References
    ----------
    .. [1] UNDP, Human Development Report 2023/24, technical note 1.
    """
    if np.any(np.asarray(low) >= np.asarray(high)):
        raise BadOption("goalposts", f"needs low < high; got low={low}, high={high}.", f"下限须小于上限；得到 low={low}, high={high}。")
    z = (x - low) / (np.asarray(high) - low)
    return np.clip(z, 0.0, 1.0) if clip else z


def rank(x: Array, ref: Array, *, ties: Literal["min", "max", "average", "dense"] = "min") -> Array:
    """Rank in the reference, 1 for the lowest value; between its neighbours if not in it.

    Parameters
    ----------
    x : (..., unit, indicator)
        NaN stays NaN.
    ref : (..., ref_unit, indicator)
        The values ranked against.
    ties : {"min", "max", "average", "dense"}
        Rank of equal values.

    Returns
    -------
    (..., unit, indicator), ranks. NaN where the reference is empty.

    References
    ----------
    .. [1] OECD/JRC, Handbook on Constructing Composite Indicators (2008), 5.1.
    """
    shape = np.broadcast_shapes(x.shape[:-2], ref.shape[:-2])
    cols = np.moveaxis(np.broadcast_to(x, shape + x.shape[-2:]), -2, -1)
    against = np.sort(np.moveaxis(np.broadcast_to(ref, shape + ref.shape[-2:]), -2, -1), axis=-1)
    out = np.empty(cols.shape)
    for at in np.ndindex(cols.shape[:-1]):
        a = against[at]
        a = a[: np.searchsorted(a, np.nan)]  # NaN sorts last
        if not a.size:
            out[at] = np.nan
            continue
        a = np.unique(a) if ties == "dense" else a
        below, upto = np.searchsorted(a, cols[at], "left"), np.searchsorted(a, cols[at], "right")
        got = {"min": below + 1, "dense": below + 1, "max": upto, "average": (below + 1 + upto) / 2}[ties]
        out[at] = np.where(upto > below, got, below + 0.5)
    return np.moveaxis(np.where(np.isnan(cols), np.nan, out), -1, -2)


def percentile_rank(x: Array, ref: Array, *, ties: Literal["min", "max", "average"] = "min", over: Literal["steps", "units"] = "steps") -> Array:
    """Rank as a share: of the steps from first to last, or of the number of units.

    Parameters
    ----------
    x, ref, ties : see `rank`.
    over : {"steps", "units"}
        ``(rank - 1) / (n - 1)`` (COINr), or ``rank / n`` (OECD/JRC Handbook, Table 15).

    Returns
    -------
    (..., unit, indicator), 0 to 1. NaN where the reference has one value only and ``over="steps"``.
    """
    r = rank(x, ref, ties=ties)
    n = (~np.isnan(ref)).sum(axis=-2, keepdims=True).astype(float)
    return np.clip(_ratio(r - 1.0, n - 1.0) if over == "steps" else _ratio(r, n), 0.0, 1.0)


def _flat(low: Array, high: Array) -> NDArray[np.bool_]:
    """No spread, or none beyond the rounding noise of a sum (a few units in the last place)."""
    return high - low <= 2.0**-50 * np.maximum(np.abs(low), np.abs(high))


def _ratio(a: Array, b: Array) -> Array:
    """``a / b``, NaN where ``b`` is 0 or missing."""
    a, b = np.broadcast_arrays(a, b)
    return np.asarray(np.divide(a, b, out=np.full(a.shape, np.nan), where=(b != 0) & ~np.isnan(b)))


_OECD = "OECD/JRC Handbook (2008), step 5"

NORMALISERS = {
    "none": Method(none, Text("none", "不变换"), "COINr 1.1.14", frozenset({Trait.AFFINE, Trait.IGNORES_REF, Trait.ORDER_PRESERVING})),
    "minmax": Method(
        minmax,
        Text("min-max", "极差法"),
        _OECD,
        frozenset({Trait.AFFINE, Trait.UNIT_FREE, Trait.UNIT_INTERVAL, Trait.ORDER_PRESERVING}),
    ),
    "zscore": Method(
        zscore,
        Text("z-score", "标准分法"),
        _OECD,
        frozenset({Trait.AFFINE, Trait.UNIT_FREE, Trait.ORDER_PRESERVING}),
        limits={"sd": (1e-50, 1e50), "ddof": (0, 1)},
    ),
    "goalposts": Method(
        goalposts,
        Text("goalposts", "固定上下限法"),
        "UNDP HDR 2023/24, technical note 1",
        frozenset({Trait.IGNORES_REF, Trait.UNIT_INTERVAL, Trait.ORDER_PRESERVING}),
        posts=("low", "high"),
    ),
    "rank": Method(rank, Text("rank", "位次法"), _OECD, frozenset({Trait.UNIT_FREE, Trait.ORDER_PRESERVING})),
    "percentile_rank": Method(
        percentile_rank,
        Text("percentile rank", "百分位次法"),
        _OECD,
        frozenset({Trait.UNIT_FREE, Trait.UNIT_INTERVAL, Trait.ORDER_PRESERVING}),
    ),
}
