"""Parts that leaves have in the difference of two scores of one tree: Shapley values, in closed form where the tree has one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from biaochi.errors import BadOption
from biaochi.method import Array

MOST = 14
"""Leaves of a branch whose every combination is tried (2^14)."""
CELLS = 2**22
"""Numbers held at a time."""

Places = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Branch:
    """A parent in a tree: what it is made of and how.

    ``combine`` takes values of the parts (case, ..., part), NaN where missing, and the numbers of the cases, and gives
    (case, ...). A "sum" is its weighted arithmetic mean of what is there, a "product" the weighted geometric one of values
    above ``floor``; "other" is anything.
    """

    parts: tuple[int | Branch, ...]
    """Columns of the leaves, and branches."""
    weights: Array
    kind: Literal["sum", "product", "other"]
    combine: Callable[[Array, Places], Array]
    floor: float = 0.0
    """What a lower value is taken as by a product; the same in all of a tree."""

    @property
    def leaves(self) -> list[int]:
        """Columns of all leaves below."""
        return [c for p in self.parts for c in ([p] if isinstance(p, int) else p.leaves)]


def climb(tree: Branch, z: Array, cases: Places | None = None) -> Array:
    """Scores of a tree.

    Parameters
    ----------
    tree : Branch
    z : (case, ..., leaf)
    cases : (case,), optional
        Numbers of the cases; their places by default.

    Returns
    -------
    (case, ...)
    """
    at = np.arange(len(z)) if cases is None else cases
    parts = [z[..., p] if isinstance(p, int) else climb(p, z, at) for p in tree.parts]
    return tree.combine(np.stack(parts, axis=-1), at)


def shapley(tree: Branch, a: Array, b: Array, *, orders: int = 400) -> tuple[Array, NDArray[np.bool_]]:
    """Mean effect of each leaf's step from ``b`` to ``a`` on the score, over all orders in which they may be taken.

    Sums are additive, and the mean over all orders of a product is the integral over t from 0 to 1 of the expected effect
    where every other leaf has its value of ``a`` with probability t. Both pass through sums and products of independent
    branches, and the integral of a polynomial is exact at the points of Gauss. A branch of another kind, one that a product
    takes to a power, or one whose missing leaves differ, is worked out for all combinations of its leaves (up to `MOST`).
    Where there is no such way, effects are means over orders drawn at random.

    Parameters
    ----------
    tree : Branch
    a, b : (case, leaf)
        Scores of the leaves; NaN is missing.
    orders : int
        Orders drawn where all cannot be looked at; each is also taken backwards.

    Returns
    -------
    (case, leaf) effects that sum to ``climb(tree, a) - climb(tree, b)``, and (case,) whether they are exact. A leaf missing
    in both has 0; NaN where a combination has no score.

    References
    ----------
    .. [1] Shapley (1953); Owen, Management Science 18 (1972) P64-79, for the integral; Castro, Gomez and Tejada,
       Computers & Operations Research 36 (2009), for the orders.
    """
    if a.shape != b.shape or a.ndim != 2:
        raise BadOption("shapley", f"needs two arrays (case, leaf) alike; got {a.shape} and {b.shape}.", f"需要两个同形数组；得到 {a.shape} 与 {b.shape}。")
    out, exact = np.zeros(a.shape), np.ones(len(a), bool)
    for rows in _alike(tree, np.isnan(a) != np.isnan(b)):
        first = 0
        while first < len(rows):
            step = max(1, CELLS // _Cases(tree, a[rows[:1]], b[rows[:1]], rows[:1]).widest(tree))
            some = _Cases(tree, a[rows[first : first + step]], b[rows[first : first + step]], rows[first : first + step])
            out[some.at], exact[some.at] = some.effects(orders)
            first += step
    return out, exact


def _alike(tree: Branch, differs: NDArray[np.bool_]) -> Iterator[Places]:
    """Cases in which the same leaves are missing in one of the two only."""
    used = differs[:, tree.leaves]
    if not used.any():
        if len(used):
            yield np.arange(len(used))
        return
    _, which = np.unique(used, axis=0, return_inverse=True)
    for k in range(int(which.max()) + 1):
        yield np.flatnonzero(which.ravel() == k)


Power = tuple[Array, float] | None
"""What a product above takes a value to, (case,), and what it takes a lower value as."""
Ask = Callable[[float], tuple[Array, Array]]
"""t -> expectation (case,), and how it changes with each leaf's probability (case, leaf)."""


class _Cases:
    """Some cases, alike in what is missing on one side only."""

    def __init__(self, tree: Branch, a: Array, b: Array, at: Places) -> None:
        self.tree, self.a, self.b, self.at = tree, a, b, at
        self.moved = (np.isnan(a) != np.isnan(b)).any(axis=0)
        self.common = np.where(np.isnan(a) | np.isnan(b), np.nan, a)

    def effects(self, orders: int) -> tuple[Array, NDArray[np.bool_]]:
        """Effects, and whether they are exact."""
        degree = self.degree(self.tree, None)
        want = climb(self.tree, self.a, self.at) - climb(self.tree, self.b, self.at)
        if degree is not None:
            got = self.integral(degree)
            near = np.abs(np.nan_to_num(got.sum(axis=1) - want)) <= 1e-9 * np.maximum(1.0, np.abs(np.nan_to_num(want)))
            if near.all():
                return np.where(np.isnan(want)[:, None], np.nan, got), near
        return self.drawn(orders), np.zeros(len(self.a), bool)

    def integral(self, degree: int) -> Array:
        """The integral of the expected effects."""
        ask = self.ready(self.tree, None)
        points, weights = np.polynomial.legendre.leggauss((degree + 1) // 2)
        out = np.zeros(self.a.shape)
        for t, w in zip((points + 1) / 2, weights / 2, strict=True):
            out += w * ask(float(t))[1]
        return out

    def closed(self, branch: Branch, power: Power) -> bool:
        """Whether a branch passes expectations on without a look at its combinations."""
        if any(isinstance(p, int) and self.moved[p] for p in branch.parts):  # a part that comes or goes changes the others' shares
            return False
        for p in branch.parts:
            if not isinstance(p, int) and self.moved[p.leaves].any() and np.isnan(climb(p, self.common, self.at)).any():
                return False
        if branch.kind == "product":
            return power is None or power[1] == 0.0
        return branch.kind == "sum" and power is None

    def passes(self, branch: Branch, power: Power) -> bool:
        """Whether it does, and all branches below can be had."""
        return self.closed(branch, power) and all(isinstance(p, int) or self.degree(p, self.asked(branch)) is not None for p in branch.parts)

    def asked(self, branch: Branch) -> Power:
        """That a branch takes its parts to a power, or not."""
        return (np.ones(1), branch.floor) if branch.kind == "product" else None

    def degree(self, branch: Branch, power: Power) -> int | None:
        """Degree of a branch's expectation in t; None where it cannot be had."""
        if self.closed(branch, power):
            own = [1 if isinstance(p, int) else self.degree(p, self.asked(branch)) for p in branch.parts]
            known = [d for d in own if d is not None]
            if len(known) == len(own):
                return sum(known) if branch.kind == "product" else max(known)
        return len(branch.leaves) if len(branch.leaves) <= MOST else None

    def widest(self, branch: Branch, power: Power = None) -> int:
        """Numbers a case needs at a time, at most."""
        m = len(branch.leaves)
        if not self.passes(branch, power):
            return (2**m if m <= MOST else m + 1) * m
        return max(m, *(1 if isinstance(p, int) else self.widest(p, self.asked(branch)) for p in branch.parts))

    def ready(self, branch: Branch, power: Power) -> Ask:
        """A branch ready to be asked at any t, its value taken to a power where a product above wants it so."""
        if not self.passes(branch, power):
            return self.tried(branch, power)
        shares = self.shares(branch)
        if branch.kind == "sum":
            return self.sum(branch, shares, [None if isinstance(p, int) else self.ready(p, None) for p in branch.parts])
        kept = [s if power is None else s * power[0] for s in shares]
        made = [None if isinstance(p, int) else self.ready(p, (k, branch.floor)) for p, k in zip(branch.parts, kept, strict=True)]
        return self.product(branch, kept, made)

    def shares(self, branch: Branch) -> list[Array]:
        """For each part, (case,) weight among the parts that are there."""
        there = [~np.isnan(self.a[:, p] if isinstance(p, int) else climb(p, self.a, self.at)) for p in branch.parts]
        w = np.where(there, branch.weights[:, None], 0.0)
        total = w.sum(axis=0)
        return list(w / np.where(total > 0, total, np.nan))

    def sum(self, branch: Branch, shares: list[Array], made: list[Ask | None]) -> Ask:
        """Expectations add up."""

        def ask(t: float) -> tuple[Array, Array]:
            value, slope = np.zeros(len(self.a)), np.zeros(self.a.shape)
            for p, w, m in zip(branch.parts, shares, made, strict=True):
                v, s = self.leaf(p, t) if m is None else m(t)
                value += np.where(w > 0, w * v, 0.0)
                slope += np.where((w > 0)[:, None], w[:, None] * s, 0.0)
            return value, slope

        return ask

    def leaf(self, p: int | Branch, t: float) -> tuple[Array, Array]:
        """The expectation of a leaf."""
        slope = np.zeros(self.a.shape)
        x, y = self.a[:, p], self.b[:, p]  # type: ignore[index]
        slope[:, p] = x - y  # type: ignore[index]
        return y + t * (x - y), slope

    def product(self, branch: Branch, kept: list[Array], made: list[Ask | None]) -> Ask:
        """Expectations of independent parts multiply."""

        def powered(x: Array, k: Array) -> Array:
            return np.where(k > 0, np.maximum(x, branch.floor) ** k, 1.0)

        ends = [(powered(self.a[:, p], k), powered(self.b[:, p], k)) if isinstance(p, int) else None for p, k in zip(branch.parts, kept, strict=True)]

        def part(p: int | Branch, e: tuple[Array, Array] | None, m: Ask | None, k: Array, t: float) -> tuple[Array, Array]:
            if e is not None:
                slope = np.zeros(self.a.shape)
                slope[:, p] = e[0] - e[1]  # type: ignore[index]
                return e[1] + t * (e[0] - e[1]), slope
            v, s = m(t) if m is not None else (k, self.a)
            return np.where(k > 0, v, 1.0), np.where((k > 0)[:, None], s, 0.0)

        def ask(t: float) -> tuple[Array, Array]:
            values, slopes = zip(*(part(*each, t) for each in zip(branch.parts, ends, made, kept, strict=True)), strict=True)
            before = np.cumprod([np.ones(len(self.a)), *values[:-1]], axis=0)
            after = np.cumprod([np.ones(len(self.a)), *values[:0:-1]], axis=0)[::-1]
            return before[-1] * values[-1], np.sum([rest[:, None] * s for rest, s in zip(before * after, slopes, strict=True)], axis=0)

        return ask

    def tried(self, branch: Branch, power: Power) -> Ask:
        """A branch by all combinations of its leaves: sums by how many of them have their value of ``a``."""
        leaves = branch.leaves
        m = len(leaves)
        sets = np.arange(2**m)
        taken = (sets[:, None] >> np.arange(m)) & 1 == 1
        z = np.full((len(self.a), 2**m, self.a.shape[1]), np.nan)
        z[..., leaves] = np.where(taken, self.a[:, None, leaves], self.b[:, None, leaves])
        value = climb(branch, z, self.at)
        if power is not None:
            to = np.broadcast_to(power[0], len(self.a))[:, None]
            value = np.where(to > 0, np.maximum(value, power[1]) ** to, 1.0)
        size = taken.sum(axis=1)
        by_size = np.stack([value[:, size == n].sum(axis=1) for n in range(m + 1)], axis=1)
        steps = np.zeros((len(self.a), m, m))  # leaf, how many others
        for k in range(m):
            without = sets[~taken[:, k]]
            effect, others = value[:, without | (1 << k)] - value[:, without], size[without]
            steps[:, k] = np.stack([effect[:, others == n].sum(axis=1) for n in range(m)], axis=1)

        def ask(t: float) -> tuple[Array, Array]:
            n = np.arange(m + 1)
            slope = np.zeros(self.a.shape)
            slope[:, leaves] = steps @ (t ** n[:m] * (1 - t) ** (m - 1 - n[:m]))
            return by_size @ (t**n * (1 - t) ** (m - n)), slope

        return ask

    def drawn(self, orders: int) -> Array:
        """Mean effects over orders drawn at random, each also backwards: they sum to the difference in every order."""
        leaves = np.array(self.tree.leaves)
        n = len(leaves)
        rng = np.random.Generator(np.random.Philox(1))
        out = np.zeros(self.a.shape)
        for _ in range(orders):
            order = rng.permutation(n)
            for o in (order, order[::-1]):
                place = np.empty(n, int)
                place[o] = np.arange(n)
                z = np.full((len(self.a), n + 1, self.a.shape[1]), np.nan)
                z[..., leaves] = np.where(place[None] < np.arange(n + 1)[:, None], self.a[:, None, leaves], self.b[:, None, leaves])
                out[:, leaves[o]] += np.diff(climb(self.tree, z, self.at), axis=1)
        return out / (2 * orders)
