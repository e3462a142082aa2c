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
    order = np.argsort(s, axis=-1)  # NaN last
    ordered = np.take_along_axis(s, order, axis=-1)
    place = np.arange(1.0, s.shape[-1] + 1.0)
    new = np.ones(s.shape, bool)
    new[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
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
