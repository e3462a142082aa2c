"""Fill from the indicator's own column: all units, or the unit's group."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from biaochi.errors import Text
from biaochi.kernels import moments
from biaochi.kernels.moments import Counts, counted
from biaochi.method import Array, Method, Trait


def none(x: Array, *, counts: Counts = None) -> Array:
    """Leave gaps as they are; the mean of the parent then uses what is there.

    Parameters
    ----------
    x : (..., unit, indicator)
    counts : (..., unit) bool, not used.
    """
    return x.copy()


def mean(x: Array, *, counts: Counts = None) -> Array:
    """Fill with the mean of the indicator over the units that count.

    Parameters
    ----------
    x : (..., unit, indicator)
        Values in the indicator's own unit. NaN is a gap.
    counts : (..., unit) bool
        Units whose values enter the mean; all of them by default.

    Returns
    -------
    (..., unit, indicator). An indicator without any value stays NaN.
    """
    return _fill(x, moments.mean(counted(x, counts)))


def median(x: Array, *, counts: Counts = None) -> Array:
    """Fill with the median of the indicator over the units that count.

    Parameters, result: see `mean`.
    """
    return _fill(x, moments.median(counted(x, counts)))


def group_mean(x: Array, *, groups: NDArray[np.intp], counts: Counts = None) -> Array:
    """Fill with the mean of the unit's own group.

    Parameters
    ----------
    x : (..., unit, indicator)
    groups : (unit,) int
        Group of each unit; -1 for none (its gaps stay open).
    counts : (..., unit) bool

    Returns
    -------
    (..., unit, indicator). A group without any value of an indicator keeps its gaps.

    References
    ----------
    .. [1] COINr 1.1.14, i_mean_grp.
    """
    return _by_group(x, groups, counts, mean)


def group_median(x: Array, *, groups: NDArray[np.intp], counts: Counts = None) -> Array:
    """Fill with the median of the unit's own group.

    Parameters, result: see `group_mean`.
    """
    return _by_group(x, groups, counts, median)


def _by_group(x: Array, groups: NDArray[np.intp], counts: Counts, fill: Callable[..., Array]) -> Array:
    out = x.copy()
    for g in np.unique(groups[groups >= 0]):
        here = groups == g
        inside = None if counts is None else counts[..., here]
        out[..., here, :] = fill(x[..., here, :], counts=inside)
    return out


def _fill(x: Array, value: Array) -> Array:
    return np.where(np.isnan(x), value, x)


_KEEPS = frozenset({Trait.KEEPS_OBSERVED, Trait.FILLS_WITHIN_RANGE})

METHODS = {
    "none": Method(none, Text("none", "不插补"), "OECD/JRC Handbook (2008), step 3", _KEEPS, proof="closed form"),
    "mean": Method(mean, Text("mean", "均值插补"), "OECD/JRC Handbook (2008), step 3", _KEEPS, proof="COINr, impute_mean.csv"),
    "median": Method(median, Text("median", "中位数插补"), "OECD/JRC Handbook (2008), step 3", _KEEPS, proof="COINr, impute_median.csv"),
    "group_mean": Method(group_mean, Text("group mean", "组内均值插补"), "COINr 1.1.14, i_mean_grp", _KEEPS, proof="COINr, impute_group_mean.csv"),
    "group_median": Method(group_median, Text("group median", "组内中位数插补"), "COINr 1.1.14, i_median_grp", _KEEPS, proof="COINr, impute_group_median.csv"),
}
