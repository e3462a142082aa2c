"""The inner loops in plain NumPy. `compiled` has the same, faster; both add in the same order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from biaochi.kernels.rank import keys
from biaochi.method import Array

Ranks = NDArray[np.integer]


def product(w: Array, f: Array, out: Array) -> None:
    """``out[b, u] = sum over k of w[b, k] f[k, u]``, added in the order of k."""
    out[...] = 0.0
    part = np.empty_like(out)
    for k in range(len(f)):
        np.multiply(w[:, k, None], f[k], out=part)
        np.add(out, part, out=out)


def product_there(w: Array, f: Array, there: Array, num: Array, den: Array) -> None:
    """`product` of the values that are there (0 elsewhere), and of the weights that they have."""
    product(w, f, num)
    product(w, there, den)


def divide(num: Array, den: Array) -> None:
    """``num / den`` in place, NaN where nothing is there."""
    np.divide(num, np.where(den > 0, den, np.nan), out=num)


def log(x: Array) -> None:
    """Natural logarithm in place."""
    np.log(x, out=x)


def exp(x: Array) -> None:
    """Exponential in place."""
    np.exp(x, out=x)


def power(x: Array, p: float) -> None:
    """``x ** p`` in place."""
    np.power(x, p, out=x)


def combine(num: Array, w: Array, g: Array) -> None:
    """Add one more child, with its weights (row,), to a sum."""
    num += w[:, None] * g


def combine_there(num: Array, den: Array, w: Array, g: Array) -> None:
    """Add one more child where it has a score, and its weight there to the weights."""
    there = ~np.isnan(g)
    num += np.where(there, w[:, None] * g, 0.0)
    den += np.where(there, w[:, None], 0.0)


def ranks(scores: Array, out: Ranks, ties: int) -> None:
    """Rank of each unit in each row, 1 the highest score; 0 for a missing one. Ties 2 (average) come doubled."""
    units = scores.shape[1]
    packed = (keys(scores) << np.uint64(24)) | np.arange(units, dtype=np.uint64)
    packed.sort(axis=1)
    order = (packed & np.uint64(0xFFFFFF)).astype(np.intp)
    packed >>= np.uint64(24)
    new = np.ones(scores.shape, bool)
    new[:, 1:] = packed[:, 1:] - packed[:, :-1] > 1
    place = np.arange(1, units + 1, dtype=np.int32)
    n = (~np.isnan(scores)).sum(axis=1, dtype=np.int32)[:, None]
    if ties == 3:
        got = np.cumsum(new, axis=1, dtype=np.int32)
    else:
        first = np.maximum.accumulate(np.where(new, place, 0), axis=1)
        if ties:
            closes = np.ones(new.shape, bool)
            closes[:, :-1] = new[:, 1:]
            closes |= place == n
            last = np.minimum.accumulate(np.where(closes, place, units + 1)[:, ::-1], axis=1)[:, ::-1]
            got = last if ties == 1 else first + last
        else:
            got = first
    np.put_along_axis(out, order, np.where(place <= n, got, 0).astype(out.dtype), axis=1)


def turn(ranked: Ranks, out: Ranks, at: int) -> None:
    """Write rows of ranks as columns of (unit, replicate)."""
    out[:, at : at + len(ranked)] = ranked.T


def shifts(ranked: Ranks, nominal: Ranks, total: NDArray[np.int64], number: NDArray[np.int64]) -> None:
    """Sum of absolute differences from the nominal ranks, and over how many units, by row; 0 is not ranked."""
    both = (ranked > 0) & (nominal > 0)
    total[...] = np.where(both, np.abs(ranked.astype(np.int64) - nominal), 0).sum(axis=1)
    number[...] = both.sum(axis=1)


def fold(
    buffer: Ranks, nominal: NDArray[np.int32], first: int, last: int, hist: NDArray[np.uint32], width: int,
    number: NDArray[np.int64], total: NDArray[np.int64], squares: NDArray[np.int64], moved: NDArray[np.int64],
) -> None:  # fmt: skip
    """Add the ranks of units ``first`` to ``last`` to their counts; to their sums too where they are counted in classes."""
    for u in range(first, last):
        counts = np.bincount(buffer[u])
        if width == 1:
            hist[u, : len(counts)] += counts.astype(np.uint32)
            continue
        at = np.arange(len(counts))
        hist[u] += np.bincount((at + width - 1) // width, counts, minlength=hist.shape[1]).astype(np.uint32)
        for sums, one in zip((number, total, squares, moved), _sums(counts, int(nominal[u])), strict=True):
            sums[u] += one


def settle(
    nominal: NDArray[np.int32], first: int, last: int, hist: NDArray[np.uint32],
    number: NDArray[np.int64], total: NDArray[np.int64], squares: NDArray[np.int64], moved: NDArray[np.int64],
) -> None:  # fmt: skip
    """Sums of ranks from counts rank by rank."""
    for u in range(first, last):
        number[u], total[u], squares[u], moved[u] = _sums(hist[u], int(nominal[u]))


def _sums(counts: NDArray[Any], nominal: int) -> tuple[int, int, int, int]:
    """Number of ranks, their sum, that of their squares, and that of their differences from the nominal one."""
    at = np.flatnonzero(counts)
    at = at[at > 0]
    k = counts[at].astype(np.int64)
    return int(k.sum()), int((k * at).sum()), int((k * at * at).sum()), int((k * np.abs(at - nominal)).sum()) if nominal > 0 else 0


def pairs(buffer: Ranks, first: int, last: int, ahead: NDArray[np.int64], level: NDArray[np.int64], both: NDArray[np.int64]) -> None:
    """For units ``first`` to ``last`` and those just below: how often ahead, on one rank, and both ranked."""
    for u in range(first, last):
        own = buffer[u]
        for d in range(min(ahead.shape[1], len(buffer) - 1 - u)):
            other = buffer[u + 1 + d]
            there = (own > 0) & (other > 0)
            ahead[u, d] += np.count_nonzero((own < other) & there)
            level[u, d] += np.count_nonzero((own == other) & there)
            both[u, d] += np.count_nonzero(there)


def order_statistics(hist: NDArray[np.uint32], first: int, last: int, places: NDArray[np.int64], out: NDArray[np.int64]) -> None:
    """Class of the ranks at some places, counted from 0 and rising along the row, when those ranked are sorted."""
    for u in range(first, last):
        out[u] = np.searchsorted(np.cumsum(hist[u, 1:], dtype=np.int64), places[u], side="right") + 1


def sobol_sums(ranks: Ranks, centre: NDArray[np.int32], sums: NDArray[np.int64]) -> None:
    """Add to each unit's sums over samples: A, B, A^2, B^2, then for each input B (AB - A), AB - A, (AB - A)^2.

    ``ranks`` is (unit, run, sample), runs in the order A, B, AB_1, ...; ranks are taken from ``centre`` (unit,), which
    changes none of the variances and keeps the sums small.
    """
    for u in range(len(ranks)):
        y = ranks[u].astype(np.int64) - int(centre[u])
        a, b, d = y[0], y[1], y[2:] - y[0]
        sums[u, :4] += (a.sum(), b.sum(), (a * a).sum(), (b * b).sum())
        sums[u, 4:] += np.stack([d @ b, d.sum(axis=1), (d * d).sum(axis=1)], axis=1).ravel()
