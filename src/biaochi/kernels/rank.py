"""Order units: rank 1 is the best score."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from biaochi.method import Array

Ties = Literal["best", "worst", "average", "dense"]
TIES: tuple[str, ...] = get_args(Ties)
GRAIN = 2.0**-40
"""Differences below this share of the range are rounding noise of sums, not differences."""


def settle(scores: Array, *, decimals: int | None = None, grain: float = GRAIN) -> Array:
    """Scores as they are compared: rounded as published, or to a tiny share of their range.

    The second form makes scores equal that are equal in exact arithmetic.

    Parameters
    ----------
    scores : (..., unit)
    decimals : int, optional
        Published decimals, where the published method ranks rounded scores (UNDP).
    grain : float
        Share of the range to round to; 0 compares the numbers as they are.

    Returns
    -------
    (..., unit)
    """
    if decimals is not None:
        return np.round(scores, decimals)
    if not grain:
        return scores
    low, high = np.fmin.reduce(scores, axis=-1, keepdims=True), np.fmax.reduce(scores, axis=-1, keepdims=True)
    step = (high - low) * grain
    steps = np.divide(scores - low, step, out=np.zeros(scores.shape), where=step > 0)
    return np.where(np.isnan(scores), np.nan, np.rint(steps))


def rank(scores: Array, *, ties: Ties = "best", decimals: int | None = None, grain: float = GRAIN) -> Array:
    """Rank of each unit, 1 for the highest score; NaN stays NaN.

    Parameters
    ----------
    scores : (..., unit)
    ties : {"best", "worst", "average", "dense"}
        Which rank equal scores share.
    decimals : int, optional
        Round scores to this many decimals first.
    grain : float
        See `settle`.

    Returns
    -------
    (..., unit), as float so that a missing rank can be NaN.
    """
    s = -settle(scores, decimals=decimals, grain=grain)
    flat = s.reshape(-1, s.shape[-1])
    out = np.empty(flat.shape)
    for row, got in zip(flat, out, strict=True):
        got[:] = _rank_row(row, ties)
    return out.reshape(s.shape)


def _rank_row(s: Array, ties: str) -> Array:
    ordered = np.sort(s)
    ordered = ordered[: np.searchsorted(ordered, np.nan)]
    if ties == "dense":
        ordered = np.unique(ordered)
    first: NDArray[np.intp] = np.searchsorted(ordered, s, "left") + 1
    last: NDArray[np.intp] = np.searchsorted(ordered, s, "right")
    got = {"best": first, "dense": first, "worst": last, "average": (first + last) / 2}[ties]
    return np.where(np.isnan(s), np.nan, got)
