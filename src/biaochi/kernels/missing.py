"""Means, medians and quantiles of what is there; NaN, and nothing said, where nothing is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from biaochi.method import Array

Axis = int | tuple[int, ...] | None


def median(x: Array, axis: Axis = None) -> Any:
    """Median of what is there."""
    return _of(x, axis, lambda y: np.nanmedian(y, axis=axis))


def mean(x: Array, axis: Axis = None) -> Any:
    """Mean of what is there."""
    return _of(x, axis, lambda y: np.nanmean(y, axis=axis))


def spread(x: Array, axis: Axis = None) -> Any:
    """Standard deviation of what is there."""
    return _of(x, axis, lambda y: np.nanstd(y, axis=axis))


def quantile(x: Array, q: float | Sequence[float], axis: Axis = None) -> Any:
    """Quantiles of what is there."""
    return _of(x, axis, lambda y: np.nanquantile(y, q, axis=axis))


def _of(x: Array, axis: Axis, f: Any) -> Any:
    there = ~np.isnan(x)
    if not x.size:
        return np.nan
    some = there.any(axis=axis, keepdims=True)
    out = f(np.where(there | some, x, 0.0))
    return np.where(there.any(axis=axis), out, np.nan)
