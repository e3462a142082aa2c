"""Children to parent. Missing children are left out and the weights of the others renormalised."""

from __future__ import annotations

import numpy as np

from biaochi.errors import Text
from biaochi.method import Array, Method, Trait


def arithmetic(z: Array, w: Array) -> Array:
    """Weighted arithmetic mean: a good score makes up for a bad one in full.

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


def _mean(z: Array, w: Array) -> Array:
    there = ~np.isnan(z)
    kept = np.where(there, w[..., None, :], 0.0)
    total = kept.sum(axis=-1)
    summed = (np.where(there, z, 0.0) * kept).sum(axis=-1)
    return np.asarray(np.divide(summed, total, out=np.full(summed.shape, np.nan), where=total > 0))


_MEAN = frozenset({Trait.IDEMPOTENT, Trait.MONOTONE, Trait.WITHIN_CHILDREN, Trait.SCALES})

AGGREGATORS = {
    "arithmetic": Method(arithmetic, Text("arithmetic mean", "加权算术平均"), "OECD/JRC Handbook (2008), step 6", _MEAN | {Trait.ADDITIVE}),
    "geometric": Method(geometric, Text("geometric mean", "加权几何平均"), "OECD/JRC Handbook (2008), step 6", _MEAN | {Trait.NEEDS_POSITIVE}),
}
