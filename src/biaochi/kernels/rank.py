"""Order units: rank 1 is the best score."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from biaochi.method import Array

Ties = Literal["best", "worst", "average", "dense"]
GRAIN = 2.0**-40
"""Differences up to this share of the range are rounding noise of sums, not differences."""
NOISE = 2.0**-48
"""The same as a share of the largest score, for when all scores are equal but for noise."""
TOP = 2**40 - 4
"""The largest key of a score."""
MISSING = np.uint64(2**40 - 1)
"""The key of a missing score: beyond all others, and no neighbour of theirs."""


def keys(scores: Array) -> NDArray[np.uint64]:
    """Scores as whole numbers, 0 for the highest: rounded to `GRAIN` of their range.

    Parameters
    ----------
    scores : (..., unit)

    Returns
    -------
    (..., unit). Scores that are equal but for rounding noise have equal or neighbouring keys, whatever the order in
    which their sums were added up; `MISSING` for NaN.
    """
    high, step = _grid(scores)
    inverse = np.divide(1.0, step, out=np.zeros(step.shape), where=step > 0)
    scaled = (high - scores) * inverse + 2.0**52  # adding 2^52 rounds to a whole number, which stands in the low bits
    got = np.minimum(scaled.view(np.uint64) & np.uint64(2**52 - 1), np.uint64(TOP))
    return np.where(np.isnan(scores), MISSING, got)


def _grid(scores: Array) -> tuple[Array, Array]:
    low, high = np.fmin.reduce(scores, axis=-1, keepdims=True), np.fmax.reduce(scores, axis=-1, keepdims=True)
    return high, np.maximum((high - low) * GRAIN, np.maximum(np.abs(low), np.abs(high)) * NOISE)


def rounded(scores: Array, decimals: int) -> Array:
    """Scores to some decimals; one that lies half-way but for rounding noise goes the same way however it was summed up."""
    high, step = _grid(scores)
    settled: Array = np.where(np.isnan(scores), np.nan, high - keys(scores).astype(float) * step)
    return np.asarray(np.round(settled, decimals), float)


def rank(scores: Array, *, ties: Ties = "best", decimals: int | None = None, exact: bool = False) -> Array:
    """Rank of each unit, 1 for the highest score; NaN stays NaN.

    Parameters
    ----------
    scores : (..., unit)
    ties : {"best", "worst", "average", "dense"}
        Which rank equal scores share.
    decimals : int, optional
        Round scores to this many decimals first, where the published method does (UNDP).
    exact : bool
        Compare scores as they are; otherwise neighbours whose `keys` are no more than 1 apart
        are equal, as they would be in exact arithmetic.

    Returns
    -------
    (..., unit), as float so that a missing rank can be NaN.
    """
    if exact or decimals is not None:
        s = -(scores if decimals is None else rounded(scores, decimals))
        apart = 0.0
    else:
        s = np.where(np.isnan(scores), np.nan, keys(scores).astype(float))
        apart = 1.0
    order = np.argsort(s, axis=-1)  # NaN last
    ordered = np.take_along_axis(s, order, axis=-1)
    place = np.arange(1.0, s.shape[-1] + 1.0)
    new = np.ones(s.shape, bool)
    new[..., 1:] = ~(ordered[..., 1:] - ordered[..., :-1] <= apart)  # a missing score is a run of its own
    if ties == "dense":
        got = np.cumsum(new, axis=-1).astype(float)
    else:
        first, last = _ends(new, place)
        got = {"best": first, "worst": last, "average": (first + last) / 2}[ties]
    out = np.empty(s.shape)
    np.put_along_axis(out, order, got, axis=-1)
    return np.where(np.isnan(s), np.nan, out)


def _ends(new: NDArray[np.bool_], place: Array) -> tuple[Array, Array]:
    """First and last place of the run of equal values each position is in."""
    first = np.maximum.accumulate(np.where(new, place, 0.0), axis=-1)
    closes = np.ones(new.shape, bool)
    closes[..., :-1] = new[..., 1:]
    last = np.minimum.accumulate(np.where(closes, place, np.inf)[..., ::-1], axis=-1)[..., ::-1]
    return first, last
