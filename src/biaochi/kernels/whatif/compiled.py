"""The inner loops compiled by Numba: the same steps as `plain`, in the same order of additions."""

from __future__ import annotations

import numpy as np
from numba import njit

from biaochi.kernels.rank import TOP
from biaochi.kernels.whatif.powers import exp, log, power

__all__ = [
    "combine",
    "combine_there",
    "divide",
    "exp",
    "fold",
    "log",
    "order_statistics",
    "pairs",
    "power",
    "product",
    "product_there",
    "ranks",
    "settle",
    "shifts",
    "sobol_sums",
    "turn",
]

_OPTIONS = {"nogil": True, "cache": True, "error_model": "numpy", "boundscheck": False}
_MAGIC = 4503599627370496.0  # 2^52: adding it rounds to a whole number, which stands in the low bits
_SMALL = 160
_TILE = 512


@njit(**_OPTIONS)
def _two_rows(v, w, f, o, q, start, stop):
    n, units = len(v), stop - start
    o[:] = 0.0
    q[:] = 0.0
    k = 0
    while k + 4 <= n:
        v0, v1, v2, v3 = v[k], v[k + 1], v[k + 2], v[k + 3]
        w0, w1, w2, w3 = w[k], w[k + 1], w[k + 2], w[k + 3]
        f0, f1, f2, f3 = f[k, start:stop], f[k + 1, start:stop], f[k + 2, start:stop], f[k + 3, start:stop]
        for u in range(units):
            a, b, c, d = f0[u], f1[u], f2[u], f3[u]
            o[u] = (((o[u] + v0 * a) + v1 * b) + v2 * c) + v3 * d
            q[u] = (((q[u] + w0 * a) + w1 * b) + w2 * c) + w3 * d
        k += 4
    while k < n:
        v0, w0, f0 = v[k], w[k], f[k, start:stop]
        for u in range(units):
            o[u] += v0 * f0[u]
            q[u] += w0 * f0[u]
        k += 1


@njit(**_OPTIONS)
def product(w, f, out):
    """``out[b, u] = sum over k of w[b, k] f[k, u]``, added in the order of k.

    Two rows at a time, so that what is read of f serves both.
    """
    rows, n = w.shape
    units = f.shape[1]
    for start in range(0, units, _TILE):
        stop = min(start + _TILE, units)
        b = 0
        while b + 2 <= rows:
            _two_rows(w[b], w[b + 1], f, out[b, start:stop], out[b + 1, start:stop], start, stop)
            b += 2
        if b < rows:
            o = out[b, start:stop]
            o[:] = 0.0
            for k in range(n):
                w0, f0 = w[b, k], f[k, start:stop]
                for u in range(stop - start):
                    o[u] += w0 * f0[u]


@njit(**_OPTIONS)
def product_there(w, f, there, num, den):
    """`product` of the values that are there (0 elsewhere), and of the weights that they have."""
    product(w, f, num)
    product(w, there, den)


@njit(**_OPTIONS)
def combine(num, w, g):
    """Add one more child, with its weights (row,), to a sum."""
    for b in range(num.shape[0]):
        for u in range(num.shape[1]):
            num[b, u] += w[b] * g[b, u]


@njit(**_OPTIONS)
def combine_there(num, den, w, g):
    """Add one more child where it has a score, and its weight there to the weights."""
    for b in range(num.shape[0]):
        for u in range(num.shape[1]):
            there = g[b, u] == g[b, u]
            num[b, u] += w[b] * g[b, u] if there else 0.0
            den[b, u] += w[b] if there else 0.0


@njit(**_OPTIONS)
def divide(num, den):
    """``num / den`` in place, NaN where nothing is there."""
    for b in range(num.shape[0]):
        for u in range(num.shape[1]):
            num[b, u] = num[b, u] / den[b, u] if den[b, u] > 0 else np.nan


@njit(nogil=True, cache=True, error_model="numpy", boundscheck=False, fastmath={"nnan", "nsz"})
def _ends(s):
    low, high = s[0], s[0]
    for v in s:
        low, high = min(low, v), max(high, v)
    return low, high


@njit(**_OPTIONS)
def _keys(s, keys, scaled):
    """Whole numbers from 0 for the highest score up, and how many scores there are (`biaochi.kernels.rank.keys`)."""
    total = 0.0
    for v in s:
        total += v
    n = len(s)
    if total == total:
        low, high = _ends(s)
    else:
        low, high, n = np.inf, -np.inf, 0
        for v in s:
            if v == v:
                low, high, n = min(low, v), max(high, v), n + 1
        if n == 0:
            return 0, False
    step = max((high - low) * 2.0**-40, max(abs(low), abs(high)) * 2.0**-48)
    inverse = 1.0 / step if step > 0 else 0.0
    for i in range(len(s)):
        scaled[i] = (high - s[i]) * inverse + _MAGIC
    for i in range(len(s)):
        keys[i] = min(keys[i] & np.uint64(0xFFFFFFFFFFFFF), np.uint64(TOP))
    return n, total == total


@njit(**_OPTIONS)
def _radix(keys, n, first, second, low, high):
    """Places sorted by the upper 20 bits of their keys; ``first`` holds packed key and place."""
    low[:] = 0
    high[:] = 0
    for i in range(n):
        k = keys[i]
        low[(k >> np.uint64(20)) & np.uint64(1023)] += np.uint32(1)
        high[k >> np.uint64(30)] += np.uint32(1)
    a, b = np.uint32(0), np.uint32(0)
    for i in range(1024):
        a, low[i] = a + low[i], a
        b, high[i] = b + high[i], b
    for i in range(n):
        k = keys[i] >> np.uint64(20)
        d = k & np.uint64(1023)
        second[low[d]] = (k << np.uint64(24)) | np.uint64(i)
        low[d] += np.uint32(1)
    for i in range(n):
        e = second[i]
        d = e >> np.uint64(34)
        first[high[d]] = np.uint32(e & np.uint64(0xFFFFFF))
        high[d] += np.uint32(1)


@njit(**_OPTIONS)
def _by_insertion(keys, order, n):
    """Places sorted by key, from an order that is nearly sorted; False where that takes too long."""
    moves = 0
    for i in range(1, n):
        at = order[i]
        k = keys[at]
        j = i - 1
        while j >= 0 and keys[order[j]] > k:
            order[j + 1] = order[j]
            j -= 1
        order[j + 1] = at
        moves += i - 1 - j
        if moves > 40 * n + 4000:
            return False
    return True


@njit(**_OPTIONS)
def _assign(keys, order, n, out, ties):
    i, run = 0, 0
    while i < n:
        j = i + 1
        while j < n and keys[order[j]] - keys[order[j - 1]] <= np.uint64(1):
            j += 1
        run += 1
        value = i + 1 if ties == 0 else j if ties == 1 else i + 1 + j if ties == 2 else run
        for m in range(i, j):
            out[order[m]] = value
        i = j


@njit(**_OPTIONS)
def ranks(scores, out, ties):
    """Rank of each unit in each row, 1 the highest score; 0 for a missing one. Ties 2 (average) come doubled."""
    rows, units = scores.shape
    scaled = np.empty(units)
    keys = scaled.view(np.uint64)
    order = np.empty(units, np.uint32)
    second = np.empty(units, np.uint64)
    low, high = np.empty(1024, np.uint32), np.empty(1024, np.uint32)
    for b in range(rows):
        n, whole = _keys(scores[b], keys, scaled)
        row = out[b]
        if not whole:
            row[:] = 0
            m = 0
            for i in range(units):
                if scores[b, i] == scores[b, i]:
                    order[m] = np.uint32(i)
                    m += 1
            chosen = order[:n].copy()
            some = keys[chosen]
            by = np.argsort(some, kind="mergesort")
            for i in range(n):
                order[i] = chosen[by[i]]
        elif n <= _SMALL:
            for i in range(n):
                order[i] = np.uint32(i)
            _by_insertion(keys, order, n)
        else:
            _radix(keys, n, order, second, low, high)
            if not _by_insertion(keys, order, n):
                by = np.argsort(keys, kind="mergesort")
                for i in range(n):
                    order[i] = np.uint32(by[i])
        _assign(keys, order, n, row, ties)


@njit(**_OPTIONS)
def turn(ranked, out, at):
    """Write rows of ranks as columns of (unit, replicate)."""
    rows, units = ranked.shape
    for u in range(units):
        for b in range(rows):
            out[u, at + b] = ranked[b, u]


@njit(**_OPTIONS)
def shifts(ranked, nominal, total, number):
    """Sum of absolute differences from the nominal ranks, and over how many units, by row; 0 is not ranked."""
    rows, units = ranked.shape
    for b in range(rows):
        s, n = np.int64(0), np.int64(0)
        for u in range(units):
            r, m = np.int64(ranked[b, u]), np.int64(nominal[u])
            both = np.int64(r > 0 and m > 0)
            s += both * abs(r - m)
            n += both
        total[b] = s
        number[b] = n


@njit(**_OPTIONS)
def fold(buffer, nominal, first, last, hist, width, number, total, squares, moved):
    """Add the ranks of units ``first`` to ``last`` to their counts; to their sums too where they are counted in classes."""
    shift = 0
    while (1 << shift) < width:  # a power of 2
        shift += 1
    for u in range(first, last):
        row, counts = buffer[u], hist[u]
        if width == 1:
            for c in range(len(row)):
                counts[row[c]] += np.uint32(1)
            continue
        s, q, n, m, own = np.int64(0), np.int64(0), np.int64(0), np.int64(0), np.int64(nominal[u])
        for c in range(len(row)):
            counts[((np.int64(row[c]) - 1) >> shift) + 1] += np.uint32(1)
        for c in range(len(row)):
            r = np.int64(row[c])
            there = np.int64(r > 0)
            s += r
            q += r * r
            n += there
            m += there * abs(r - own)
        number[u] += n
        total[u] += s
        squares[u] += q
        moved[u] += m if own > 0 else 0


@njit(**_OPTIONS)
def settle(nominal, first, last, hist, number, total, squares, moved):
    """Sums of ranks from counts rank by rank."""
    for u in range(first, last):
        counts = hist[u]
        s, q, n, m, own = np.int64(0), np.int64(0), np.int64(0), np.int64(0), np.int64(nominal[u])
        for r in range(1, len(counts)):
            k = np.int64(counts[r])
            s += k * r
            q += k * r * r
            n += k
            m += k * abs(r - own)
        number[u] = n
        total[u] = s
        squares[u] = q
        moved[u] = m if own > 0 else 0


@njit(**_OPTIONS)
def pairs(buffer, first, last, ahead, level, both):
    """For units ``first`` to ``last`` and those just below: how often ahead, on one rank, and both ranked."""
    units, n = buffer.shape
    for u in range(first, last):
        own = buffer[u]
        for d in range(min(ahead.shape[1], units - 1 - u)):
            other = buffer[u + 1 + d]
            a, e, b = np.int64(0), np.int64(0), np.int64(0)
            for c in range(n):
                there = np.int64(own[c] > 0) & np.int64(other[c] > 0)
                a += there & np.int64(own[c] < other[c])
                e += there & np.int64(own[c] == other[c])
                b += there
            ahead[u, d] += a
            level[u, d] += e
            both[u, d] += b


@njit(**_OPTIONS)
def order_statistics(hist, first, last, places, out):
    """Class of the ranks at some places, counted from 0 and rising along the row, when those ranked are sorted."""
    for u in range(first, last):
        counts, k, upto = hist[u], 0, np.int64(0)
        for c in range(1, len(counts)):
            upto += np.int64(counts[c])
            while k < places.shape[1] and upto > places[u, k]:
                out[u, k] = c
                k += 1
            if k == places.shape[1]:
                break


@njit(**_OPTIONS)
def sobol_sums(ranks, centre, sums):
    """Add to each unit's sums over samples, as `plain.sobol_sums`."""
    units, runs, n = ranks.shape
    for u in range(units):
        a, b, m = ranks[u, 0], ranks[u, 1], np.int64(centre[u])
        s0, s1, s2, s3 = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
        for j in range(n):
            p, q = np.int64(a[j]) - m, np.int64(b[j]) - m
            s0 += p
            s1 += q
            s2 += p * p
            s3 += q * q
        sums[u, 0] += s0
        sums[u, 1] += s1
        sums[u, 2] += s2
        sums[u, 3] += s3
        for i in range(2, runs):
            c = ranks[u, i]
            t0, t1, t2 = np.int64(0), np.int64(0), np.int64(0)
            for j in range(n):
                d = np.int64(c[j]) - np.int64(a[j])
                t0 += d * (np.int64(b[j]) - m)
                t1 += d
                t2 += d * d
            sums[u, 3 * i - 2] += t0
            sums[u, 3 * i - 1] += t1
            sums[u, 3 * i] += t2
