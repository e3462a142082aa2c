"""Places in an order: what counts is who stands before whom."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import numpy as np

from biaochi.errors import BadOption, Text
from biaochi.kernels.moments import number, ratio
from biaochi.method import Array, Method, Trait


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
    if ref is x:
        return _among_themselves(x, ties)
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
        by = np.argsort(cols[at])  # looked up in order, the search stays where it was: three times as fast
        below, upto = np.empty(len(by), np.intp), np.empty(len(by), np.intp)
        below[by], upto[by] = (np.searchsorted(a, cols[at][by], side) for side in ("left", "right"))
        got = {"min": below + 1, "dense": below + 1, "max": upto, "average": (below + 1 + upto) / 2}[ties]
        out[at] = np.where(upto > below, got, below + 0.5)
    return np.moveaxis(np.where(np.isnan(cols), np.nan, out), -1, -2)


def _among_themselves(x: Array, ties: str) -> Array:
    """Ranks of values that are their own reference: by one sort, with nothing to look up."""
    cols = np.ascontiguousarray(np.moveaxis(x, -2, -1))
    out = np.full(cols.shape, np.nan)
    for at in np.ndindex(cols.shape[:-1]):
        by = np.argsort(cols[at])  # NaN last
        ordered = cols[at][by]
        n = int(np.searchsorted(ordered, np.nan))
        starts = np.flatnonzero(np.concatenate([[True], ordered[1:n] != ordered[: n - 1]])) if n else np.empty(0, np.intp)
        ends = np.append(starts[1:], n)
        got = {"min": starts + 1.0, "max": ends * 1.0, "average": (starts + 1.0 + ends) / 2, "dense": np.arange(1.0, len(starts) + 1)}[ties]
        out[at][by[:n]] = np.repeat(got, ends - starts)
    return np.moveaxis(out, -1, -2)


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
    n = number(ref)
    share = ratio(r - 1.0, n - 1.0, spend=True) if over == "steps" else ratio(r, n)
    return np.clip(share, 0.0, 1.0, out=share)


def borda(x: Array, ref: Array, *, ties: Literal["min", "max", "average"] = "min") -> Array:
    """Borda points: how many units of the reference stand below.

    ``rank - 1``

    Parameters
    ----------
    x, ref, ties : see `rank`; "min" gives tied units the units strictly below them.

    Returns
    -------
    (..., unit, indicator), from 0 to n - 1; a value that is not in the reference halfway between its neighbours.

    References
    ----------
    .. [1] COINr 1.1.14, n_borda.
    """
    return rank(x, ref, ties=ties) - 1.0


def categorical(
    x: Array,
    ref: Array,
    *,
    cuts: tuple[float, ...] = (5.0, 15.0, 35.0, 65.0, 85.0, 95.0),
    scores: tuple[float, ...] = (0.0, 20.0, 40.0, 50.0, 60.0, 80.0, 100.0),
) -> Array:
    """Points by class of percentile: below 5 % 0, then 20, 40, 50, 60, 80, and 100 from 95 % on.

    Parameters
    ----------
    x, ref : see `rank`. The percentile is ``100 rank / n``, tied units at the lowest of their ranks.
    cuts : tuple of float
        Percentiles, rising, where the next class begins.
    scores : tuple of float
        Points of the classes, one more than ``cuts``.

    Returns
    -------
    (..., unit, indicator), one of ``scores``. NaN stays NaN.

    Raises
    ------
    BadOption
        If ``cuts`` do not rise within 0 to 100, or ``scores`` fall or are not one more.

    References
    ----------
    .. [1] OECD/JRC Handbook (2008), Table 15.
    """
    if len(scores) != len(cuts) + 1 or any(a >= b for a, b in pairwise((0.0, *cuts, 100.0 + 1e-9))) or any(a > b for a, b in pairwise(scores)):
        raise BadOption(
            "categorical",
            f"needs rising cuts between 0 and 100 and one more of scores, none lower than the one before; got cuts={cuts}, scores={scores}.",
            f"cuts 须在 0 与 100 之间递增，scores 须比 cuts 多一个且不下降；得到 cuts={cuts}, scores={scores}。",
        )
    place = ratio(100.0 * rank(x, ref), number(ref))
    got = np.asarray(scores, float)[np.searchsorted(np.asarray(cuts, float), np.nan_to_num(place), side="right")]
    return np.where(np.isnan(place), np.nan, got)


_OECD = "OECD/JRC Handbook (2008), step 5"
_ORDER = frozenset({Trait.UNIT_FREE, Trait.ORDER_PRESERVING})

METHODS = {
    "rank": Method(rank, Text("rank", "位次法"), _OECD, _ORDER, proof="COINr, norm_rank.csv; OECD Table 15"),
    "percentile_rank": Method(
        percentile_rank, Text("percentile rank", "百分位次法"), _OECD, _ORDER | {Trait.UNIT_INTERVAL}, proof="COINr, norm_prank*.csv; OECD Table 15"
    ),
    "borda": Method(borda, Text("Borda points", "Borda 计分法"), "COINr 1.1.14, n_borda", _ORDER, proof="COINr, norm_borda.csv"),
    "categorical": Method(categorical, Text("classes of percentiles", "分位数等级法"), _OECD, _ORDER, proof="OECD Table 15"),
}
