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
        Compare scores as they are; otherwise neighbours no further apart than `GRAIN` of the
        range are equal, as they would be in exact arithmetic.

    Returns
    -------
    (..., unit), as float so that a missing rank can be NaN.
    """
    s = -(scores if decimals is None else np.round(scores, decimals))
    order = np.argsort(s, axis=-1)  # NaN last
    ordered = np.take_along_axis(s, order, axis=-1)
    place = np.arange(1.0, s.shape[-1] + 1.0)
    new = np.ones(s.shape, bool)
    step = np.zeros(s.shape[:-1] + (1,)) if exact or decimals is not None else _noise(s)
    new[..., 1:] = ~(ordered[..., 1:] - ordered[..., :-1] <= step)  # a missing score is a run of its own
    if ties == "dense":
        got = np.cumsum(new, axis=-1).astype(float)
    else:
        first, last = _ends(new, place)
        got = {"best": first, "worst": last, "average": (first + last) / 2}[ties]
    out = np.empty(s.shape)
    np.put_along_axis(out, order, got, axis=-1)
    return np.where(np.isnan(s), np.nan, out)


def _noise(s: Array) -> Array:
    low, high = np.fmin.reduce(s, axis=-1, keepdims=True), np.fmax.reduce(s, axis=-1, keepdims=True)
    return np.maximum((high - low) * GRAIN, np.maximum(np.abs(low), np.abs(high)) * NOISE)


def _ends(new: NDArray[np.bool_], place: Array) -> tuple[Array, Array]:
    """First and last place of the run of equal values each position is in."""
    first = np.maximum.accumulate(np.where(new, place, 0.0), axis=-1)
    closes = np.ones(new.shape, bool)
    closes[..., :-1] = new[..., 1:]
    last = np.minimum.accumulate(np.where(closes, place, np.inf)[..., ::-1], axis=-1)[..., ::-1]
    return first, last
