"""Compared with other periods: ``x`` is (..., period, unit, indicator) and the reference has no part."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from biaochi.errors import Text
from biaochi.kernels.moments import flat, highest, lowest, ratio
from biaochi.method import Array, Method, Trait


def base_index(x: Array, ref: Array, *, signs: Array, origin: int) -> Array:
    """Index with a base period 定基指数: each unit's own value then is 100.

    ``x_t / x_0 * 100``, and ``x_0 / x_t * 100`` where lower is better

    Parameters
    ----------
    x : (..., period, unit, indicator)
        NaN stays NaN; nothing is filled in for a missing base.
    ref : not used.
    signs : (indicator,)
        Direction of each indicator, 1 or -1.
    origin : int
        Where the base period stands.

    Returns
    -------
    (..., period, unit, indicator). NaN unless the base is above 0 and the value not below 0 (above 0
    where lower is better).

    References
    ----------
    .. [1] 国家统计局, 经济发展新动能指数 (2014 = 100).
    """
    v = x * signs
    base = v[..., [origin], :, :]
    up, down = ratio(v, np.where(base > 0, base, np.nan)), ratio(base, np.where(v > 0, v, np.nan))
    got = np.where(np.asarray(signs) > 0, np.where(v >= 0, up, np.nan), np.where(base > 0, down, np.nan))
    return got * 100.0


def growth(x: Array, ref: Array, *, signs: Array, before: NDArray[np.intp], form: Literal["ratio", "symmetric", "handbook"] = "ratio") -> Array:
    """Growth in % on the year before, or on the period before.

    ``ratio``: ``(x - b) / b``; ``symmetric`` (中国创新指数): ``(x - b) / ((x + b) / 2)``, from -200 to 200;
    ``handbook``: ``(x - b) / x``; each times 100, and times -1 where lower is better

    Parameters
    ----------
    x : (..., period, unit, indicator)
    ref : not used.
    signs : (indicator,)
    before : (period,) int
        Where the period compared with stands, -1 for none.
    form
        See above.

    Returns
    -------
    (..., period, unit, indicator). NaN where there is no such period, the divisor is 0, or a value is
    below 0 (growth across 0 means nothing).

    References
    ----------
    .. [1] 国家统计局, 中国创新指数编制方案; OECD/JRC Handbook (2008), 5.9.
    """
    v = x * signs
    b = np.where((np.asarray(before) < 0)[:, None, None], np.nan, v[..., np.maximum(before, 0), :, :])
    by = {"ratio": b, "symmetric": (v + b) / 2, "handbook": v}[form]
    return np.asarray(ratio(v - b, np.where((v >= 0) & (b >= 0), by, np.nan)) * 100.0 * signs)


def cyclical(x: Array, ref: Array) -> Array:
    """Distance to the unit's own mean over time, in its mean absolute distances.

    ``(x_t - mean_t x) / mean_t |x_t - mean_t x|``

    Parameters
    ----------
    x : (..., period, unit, indicator)
        NaN is left out of the means and stays NaN.
    ref : not used.

    Returns
    -------
    (..., period, unit, indicator). NaN for a series without movement.

    References
    ----------
    .. [1] OECD/JRC Handbook (2008), 5.7 (business tendency surveys).
    """
    along = np.swapaxes(x, -3, -2)  # (..., unit, period, indicator)
    there = ~np.isnan(along)
    n = there.sum(axis=-2, keepdims=True).astype(float)
    off = along - ratio(np.where(there, along, 0.0).sum(axis=-2, keepdims=True), n)
    usual = ratio(np.where(there, np.abs(off), 0.0).sum(axis=-2, keepdims=True), n)
    still = flat(lowest(along), highest(along))
    return np.swapaxes(ratio(off, np.where(still, 0.0, usual)), -3, -2)


METHODS = {
    "base_index": Method(
        base_index,
        Text("index, base period = 100", "定基指数法"),
        "国家统计局, 经济发展新动能指数",
        frozenset({Trait.IGNORES_REF}),
        proof="closed form, from the published definition",
    ),
    "growth": Method(
        growth,
        Text("growth in %", "增长率法"),
        "国家统计局, 中国创新指数编制方案",
        frozenset({Trait.IGNORES_REF}),
        proof="closed form; bound of 200 and the chain identity",
    ),
    "cyclical": Method(
        cyclical,
        Text("cyclical", "周期指标法"),
        "OECD/JRC Handbook (2008), 5.7",
        frozenset({Trait.IGNORES_REF, Trait.UNIT_FREE}),
        proof="formula of the Handbook, recomputed series by series",
    ),
}
