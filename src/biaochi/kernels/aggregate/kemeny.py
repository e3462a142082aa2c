"""The order that disagrees least with pairwise majorities, proven where that can be done."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biaochi.method import Array

EXACT = 12
"""Circles of up to so many units are settled by going through all their orders (2^n n^2 steps)."""
PROGRAM = 60
"""Larger ones, up to here, by an integer program; beyond, a bound is given."""


def kemeny_order(m: Array) -> tuple[NDArray[np.intp], float, float]:
    """A best order for a matrix of majorities, its disagreement, and a lower bound for any order's.

    Units split into classes such that each unit of one beats all units of the next: the best order
    keeps the classes apart (Condorcet), so each is settled alone.

    Parameters
    ----------
    m : (unit, unit)
        ``m[i, j] = -m[j, i]``: majority of i over j.

    Returns
    -------
    order : (unit,)
        Positions, first to last.
    cost, bound : float
        Sum of the majorities the order goes against; equal where the order is proven best.
    """
    order: list[int] = []
    bound = 0.0
    for group in _classes(m):
        inner = m[np.ix_(group, group)]
        if len(group) <= 2:
            best, least = list(range(len(group))), 0.0
            if len(group) == 2 and inner[1, 0] > 0:
                best = [1, 0]
        elif len(group) <= EXACT:
            best = _all_orders(inner)
            least = disagreement(inner, best)
        else:
            best, least = _search(inner), _cycles(inner)
            if len(group) <= PROGRAM and disagreement(inner, best) > least + 1e-9:
                best, least = _program(inner, best, least)
        order += [int(group[i]) for i in best]
        bound += least
    got = np.array(order, np.intp)
    return got, disagreement(m, got), bound


def disagreement(m: Array, order: NDArray[np.intp] | list[int]) -> float:
    """Sum of the majorities an order goes against."""
    at = np.asarray(order)
    placed = m[at][:, at]
    return float(np.triu(np.maximum(-placed, 0.0), 1).sum())


def _classes(m: Array) -> list[NDArray[np.intp]]:
    """Classes of units, first to last, each unit of one ahead of all later ones (or level, by label)."""
    lead = (m > 0).sum(axis=1) - (m < 0).sum(axis=1)
    by = np.lexsort((np.arange(len(m)), -lead))
    placed = m[np.ix_(by, by)]
    ok = np.ones(len(m) + 1, bool)  # may a class end before position k?
    for k in range(1, len(m)):
        ok[k] = bool((placed[:k, k:] >= 0).all())
    cuts = np.flatnonzero(ok)
    return [by[a:b] for a, b in pairwise(cuts)]


def _all_orders(m: Array) -> list[int]:
    """The best order by dynamic programming over sets."""
    n = len(m)
    against = np.maximum(-m, 0.0)
    best = np.full(1 << n, np.inf)
    last = np.zeros(1 << n, np.int8)
    best[0] = 0.0
    sets = np.arange(1 << n)
    bits = ((sets[:, None] >> np.arange(n)) & 1).astype(float)
    outside = (1.0 - bits) @ against.T  # [set, i]: cost of i standing before all units outside the set
    for s in range(1, 1 << n):
        for i in range(n):
            if s >> i & 1:
                cost = best[s ^ (1 << i)] + outside[s, i]
                if cost < best[s] - 1e-15:
                    best[s], last[s] = cost, i
    order, s = [], (1 << n) - 1
    while s:
        order.append(int(last[s]))
        s ^= 1 << int(last[s])
    return order[::-1]


def _search(m: Array) -> list[int]:
    """A good order: by total majority, then units moved to where they fit best until none wants to move."""
    order = list(np.argsort(-m.sum(axis=1), kind="stable"))
    moved = True
    while moved:
        moved = False
        for unit in order:
            at = order.index(unit)
            rest = order[:at] + order[at + 1 :]
            # cost of standing at each place: majorities of those before lost to, of those behind beaten by
            over = m[unit, rest]
            before, behind = np.maximum(over, 0.0), np.maximum(-over, 0.0)
            cost = np.concatenate([[0.0], np.cumsum(before)]) + np.concatenate([np.cumsum(behind[::-1])[::-1], [0.0]])
            to = int(cost.argmin())
            if cost[to] < cost[at] - 1e-12:
                order = [*rest[:to], unit, *rest[to:]]
                moved = True
    return [int(i) for i in order]


def _cycles(m: Array) -> float:
    """A lower bound: circles of three that share no pair each cost at least their weakest majority."""
    left = np.maximum(m, 0.0).copy()
    bound = 0.0
    n = len(m)
    for i in range(n):
        for j in np.flatnonzero(left[i] > 0):
            while left[i, j] > 0:
                thirds = np.minimum(left[j], left[:, i])
                k = int(thirds.argmax())
                least = min(float(thirds[k]), float(left[i, j]))
                if least <= 1e-15:
                    break
                bound += least
                left[i, j] -= least
                left[j, k] -= least
                left[k, i] -= least
    return bound


def _program(m: Array, order: list[int], bound: float) -> tuple[list[int], float]:
    """The linear ordering problem by HiGHS; circles are forbidden as they turn up."""
    n = len(m)
    above = np.triu_indices(n, 1)
    constant = float(np.maximum(m[above], 0.0).sum())
    triples: list[tuple[int, int, int]] = []
    whole = False
    for _ in range(200):
        got = _solve(m, triples, whole=whole)
        if got.x is None:
            break
        reached = got.mip_dual_bound if whole and got.mip_dual_bound is not None else got.fun
        bound = max(bound, constant + float(reached))
        full = np.zeros((n, n))
        full[above], full.T[above] = got.x, 1.0 - got.x
        fresh = _broken(full, triples)
        triples += fresh
        if fresh:
            continue
        if np.abs(got.x - np.round(got.x)).max() < 1e-6:
            best = [int(i) for i in np.argsort(-full.sum(axis=1), kind="stable")]
            found = disagreement(m, best)
            return (best, found if got.status == 0 else bound) if found <= disagreement(m, order) + 1e-12 else (order, bound)
        whole = True
    return order, bound


def _solve(m: Array, triples: list[tuple[int, int, int]], *, whole: bool) -> Any:
    """Least disagreement with x_ij = 1 for i before j, less the sum of the positive majorities."""
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array

    rows, cols = np.triu_indices(len(m), 1)
    number = np.zeros(m.shape, int)
    number[rows, cols] = np.arange(len(rows))
    limits = []
    if triples:
        i, j, k = np.array(triples).T  # 0 <= x_ij + x_jk - x_ik <= 1
        at = np.concatenate([number[i, j], number[j, k], number[i, k]])
        row = np.tile(np.arange(len(triples)), 3)
        signs = np.repeat([1.0, 1.0, -1.0], len(triples))
        limits = [LinearConstraint(csr_array((signs, (row, at)), shape=(len(triples), len(rows))), 0.0, 1.0)]
    return milp(-m[rows, cols], integrality=np.full(len(rows), int(whole)), bounds=Bounds(0.0, 1.0), constraints=limits, options={"time_limit": 30.0})


def _broken(x: Array, known: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    n = len(x)
    seen = np.zeros((n, n, n), bool)
    for t in known:
        seen[t] = True
    sums = x[:, :, None] + x[None, :, :] - x[:, None, :]
    i, j, k = np.nonzero((sums > 1.0 + 1e-7) | (sums < -1e-7))
    fresh = (i < j) & (j < k) & ~seen[i, j, k]
    return [(int(a), int(b), int(c)) for a, b, c in zip(i[fresh], j[fresh], k[fresh], strict=True)][: 20 * n]
