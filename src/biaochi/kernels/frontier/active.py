"""Many small linear programs that share their rows, solved side by side by an active-set method.

Each unit k has its own program in weights p (one an indicator) and a level t::

    minimise    t - goal_k . p / scale_k
    subject to  rows . (p / scale_k) <= t        every unit on the frontier
                cone . p <= 0                    restrictions of weights
                norm_k . p = 1                   (left out where norm is None)
                p >= low_k

A vertex is kept as the inverse of the matrix of its active constraints, which one pivot updates by an outer
product; all units of a block pivot together. The pivot rule is steepest edge. At the end the active constraints
are solved afresh, so that errors of updating do not stay.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from biaochi.method import Array

Ints = NDArray[np.intp]
BLOCK = 256
"""Units that pivot together: their matrices fit the cache."""
ZERO = 1e-10
"""Rates below this are rounding (rows are scaled to at most 1)."""
OPTIMAL = 1e-11
JITTER = 1e-9
"""Constraints are let out by about so much on the way, each by another amount, so that ties do not stop the method; at the
end they stand where they should."""


@dataclass(frozen=True)
class Programme:
    """Programs that share rows and restrictions; the shapes are those of the module's description."""

    goal: Array
    """(unit, indicator)"""
    scale: Array
    """(unit, indicator); above 0."""
    low: Array
    """(unit, indicator); infinite nowhere."""
    norm: Array | None
    """(unit, indicator), or None."""
    cone: Array
    """(restriction, indicator)"""
    start: Ints | None = None
    """Active bounds (0 to m - 1) and restrictions (m and up) at a vertex of ``cone . p <= 0, p >= 0, norm . p = 1``,
    m - 1 of them; None starts from the one weight that serves a unit best, or from the lower bounds where there is no norm."""

    def of(self, units: Ints) -> Programme:
        """The programs of some units."""
        norm = None if self.norm is None else self.norm[units]
        return Programme(self.goal[units], self.scale[units], self.low[units], norm, self.cone, self.start)


@dataclass(frozen=True)
class Solved:
    """Optimal weights, level and multipliers of each unit."""

    weights: Array
    """(unit, indicator): p."""
    level: Array
    """(unit,): t."""
    peers: Ints
    """(unit, place): rows that bind; -1 where fewer do."""
    intensities: Array
    """(unit, place): multipliers of these rows, summing to 1; 0 where fewer bind."""
    good: NDArray[np.bool_]
    """(unit,): proven optimal: feasible, and no multiplier below 0."""
    unbounded: NDArray[np.bool_]
    """(unit,): the program has no lowest value: the unit lies outside what the rows span."""


def solve(rows: Array, programme: Programme) -> Solved:
    """Optimal weights of every unit against all rows, which are brought in as they turn out to bind.

    Parameters
    ----------
    rows : (row, indicator)
        From 0 up, columns of maximum about 1.
    programme : Programme

    Returns
    -------
    Solved
        ``good`` is False where the method gave up or cannot prove its answer.
    """
    n, m = programme.goal.shape
    taken = np.unique(_candidates(rows))
    weights, level = np.full((n, m), np.nan), np.full(n, np.nan)
    good, unbounded = np.zeros(n, bool), np.zeros(n, bool)
    peers, intensities = np.full((n, m + 1), -1), np.zeros((n, m + 1))
    todo = np.arange(n)
    while todo.size:
        found: list[Ints] = []
        again: list[Ints] = []
        for at in range(0, len(todo), BLOCK):
            k = todo[at : at + BLOCK]
            part = _block(rows[taken], programme.of(k))
            beyond = (part.weights / programme.scale[k]) @ rows.T - part.level[:, None]
            worst = beyond.argmax(axis=1)
            broken = (part.good | part.unbounded) & (beyond[np.arange(len(k)), worst] > 1e-12 * np.maximum(part.level, 1.0)) & ~np.isin(worst, taken)
            weights[k], level[k], good[k], unbounded[k] = part.weights, part.level, part.good, part.unbounded
            peers[k], intensities[k] = np.where(part.peers >= 0, taken[part.peers], -1), part.intensities
            found.append(worst[broken])
            again.append(k[broken])
        taken = np.union1d(taken, np.concatenate(found))
        todo = np.concatenate(again)
    weights[unbounded], level[unbounded] = np.nan, np.nan
    return Solved(weights, level, peers, intensities, good, unbounded)


def _candidates(rows: Array) -> Ints:
    """Rows that are best for some weights: for each indicator alone, and for some mixtures of them."""
    mixtures = np.random.default_rng(0).dirichlet(np.full(rows.shape[1], 0.2), size=1000)  # which ones matters to speed only
    return np.concatenate([rows.argmax(axis=0), (rows @ mixtures.T).argmax(axis=0)])


def _block(rows: Array, programme: Programme) -> Solved:
    """Optimal weights against some rows, for one block of units."""
    n, m = programme.goal.shape
    active = _start(rows, programme)
    final = active.copy()
    live = np.arange(n)
    state = _State(rows, programme, active)
    for _ in range(100 + 20 * m):
        leave, done = state.price()
        final[live[done]] = state.active[done]
        live, leave = live[~done], leave[~done]
        state.keep(~done)
        if not live.size:
            break
        lost = state.pivot(live, leave)
        live = live[~lost]
        state.keep(~lost)
    final[live] = state.active
    return _with_rays(_finished(rows, programme, final), state.rays)


class _State:
    """Vertices of the units still on their way; all arrays have one line a unit."""

    def __init__(self, rows: Array, programme: Programme, active: Ints) -> None:
        self.rows, self.cone, self.active = rows, programme.cone, active
        self.rays: list[tuple[int, Array]] = []
        self.inverse: Array = np.asarray(np.linalg.inv(_normals(rows, programme, active)), float)
        m, r = programme.goal.shape[1], len(rows)
        self.loose = _jitter(m + r + len(programme.cone))
        z = (self.inverse @ (_right(programme, active) + np.where(active >= 0, self.loose[np.clip(active, 0, None)], 0.0))[..., None])[..., 0]
        self.p, t = z[:, :-1], z[:, -1]
        self.scale, self.low = programme.scale, programme.low
        self.cost = np.concatenate([-programme.goal / programme.scale, np.ones((len(t), 1))], axis=1)
        self.slack = np.concatenate([t[:, None] - (self.p / self.scale) @ rows.T, -self.p @ self.cone.T], axis=1) + self.loose[m:]

    def keep(self, which: NDArray[np.bool_]) -> None:
        """Let go of the units that have arrived."""
        if not which.all():
            for name in ("active", "inverse", "p", "scale", "low", "cost", "slack"):
                setattr(self, name, getattr(self, name)[which])

    def price(self) -> tuple[Ints, NDArray[np.bool_]]:
        """The active constraint each unit gains most by leaving, and which units have none."""
        multiplier = -(self.cost[:, None, :] @ self.inverse)[:, 0, :]
        length = np.sqrt(np.einsum("kij,kij->kj", self.inverse, self.inverse))
        gain = np.where(self.active < 0, np.inf, multiplier / length)
        leave = gain.argmin(axis=1)
        return leave, gain[np.arange(len(leave)), leave] >= -OPTIMAL

    def pivot(self, live: Ints, leave: Ints) -> NDArray[np.bool_]:
        """Move each unit along its edge to the next vertex; which have an edge without end."""
        k, m = np.arange(len(leave)), self.p.shape[1]
        d = -self.inverse[k, :, leave]
        rate = np.concatenate([(d[:, :m] / self.scale) @ self.rows.T - d[:, m:], d[:, :m] @ self.cone.T], axis=1)
        step, enter = self._step(d[:, :m], np.asarray(rate, float))
        lost = ~np.isfinite(step)
        self.rays += [(int(live[i]), d[i]) for i in np.flatnonzero(lost)]
        step = np.where(lost, 0.0, step)
        self.p = self.p + step[:, None] * d[:, :m]
        self.slack -= step[:, None] * rate
        self._swap(k, leave, enter)
        return lost

    def _step(self, d: Array, rate: Array) -> tuple[Array, Ints]:
        """How far each unit can go, and what stops it."""
        k = np.arange(len(d))
        with np.errstate(divide="ignore", invalid="ignore"):
            to_bound = np.where(d < -ZERO, np.maximum(self.p - self.low + self.loose[: d.shape[1]], 0.0) / -d, np.inf)
            to_row = np.where(rate > ZERO, np.maximum(self.slack, 0.0) / rate, np.inf)
        ways = np.concatenate([to_bound, to_row], axis=1)
        unit, slot = np.nonzero(self.active >= 0)
        ways[unit, self.active[unit, slot]] = np.inf  # already active: a rate but for rounding 0
        enter = ways.argmin(axis=1)
        return ways[k, enter], enter

    def _swap(self, k: Ints, leave: Ints, enter: Ints) -> None:
        m, r = self.p.shape[1], len(self.rows)
        v = np.empty((len(k), m + 1))
        bound, row, cone = enter < m, (enter >= m) & (enter < m + r), enter >= m + r
        v[bound] = -self.inverse[k[bound], enter[bound], :]
        normal = self.rows[enter[row] - m] / self.scale[row]
        v[row] = (normal[:, None, :] @ self.inverse[row][:, :m, :])[:, 0, :] - self.inverse[row][:, m, :]
        v[cone] = (self.cone[enter[cone] - m - r][:, None, :] @ self.inverse[cone][:, :m, :])[:, 0, :]
        by = v[k, leave].copy()
        v[k, leave] -= 1.0
        self.active[k, leave] = enter
        with np.errstate(divide="ignore", invalid="ignore"):  # for units without a next vertex, which are let go of
            column = self.inverse[k, :, leave] / by[:, None]
            self.inverse -= column[:, :, None] * v[:, None, :]


def _with_rays(solved: Solved, rays: list[tuple[int, Array]]) -> Solved:
    """Weights and level of units without end replaced by the direction they leave in."""
    for k, d in rays:
        solved.weights[k], solved.level[k], solved.good[k], solved.unbounded[k] = d[:-1], d[-1], False, True
    return solved


def _jitter(n: int) -> Array:
    """By how much each of n constraints is let out."""
    return JITTER * np.random.default_rng(1).uniform(0.5, 1.0, size=n)


def _start(rows: Array, programme: Programme) -> Ints:
    """Active constraints of a feasible vertex: bounds 0.., rows m.., restrictions after them, the norm -1."""
    n, m = programme.goal.shape
    active = np.tile(np.arange(m + 1), (n, 1))
    k = np.arange(n)
    if programme.norm is None:
        p = programme.low
    elif programme.start is None:
        best = (programme.norm * programme.scale / np.maximum(rows.max(axis=0), 1e-100)).argmax(axis=1)
        active[k, best] = -1
        p = np.zeros((n, m))
        p[k, best] = 1.0 / programme.norm[k, best]
    else:
        active[:, : m - 1] = np.where(programme.start < m, programme.start, programme.start + len(rows))
        active[:, m - 1] = -1
        system = np.concatenate([np.tile(_homogeneous(programme), (n, 1, 1)), programme.norm[:, None, :]], axis=1)
        p = np.linalg.solve(system, np.eye(m)[:, -1:])[..., 0]
    active[:, m] = m + ((p / programme.scale) @ rows.T - _jitter(m + len(rows))[m:]).argmax(axis=1)
    return active


def _homogeneous(programme: Programme) -> Array:
    """Normals of the starting vertex, (m - 1, indicator)."""
    every = np.concatenate([-np.eye(programme.goal.shape[1]), programme.cone])
    return np.asarray(every[programme.start])


def _normals(rows: Array, programme: Programme, active: Ints) -> Array:
    """Matrices of active constraints over (p, t), (unit, m + 1, m + 1)."""
    m = programme.goal.shape[1]
    every = np.zeros((m + len(rows) + len(programme.cone), m + 1))
    every[:m, :m] = -np.eye(m)
    every[m : m + len(rows), :m], every[m : m + len(rows), m] = rows, -1.0
    every[m + len(rows) :, :m] = programme.cone
    out = every[active]
    row = (active >= m) & (active < m + len(rows))
    out[..., :m] = np.where(row[..., None], out[..., :m] / programme.scale[:, None, :], out[..., :m])
    if programme.norm is not None:
        k, slot = np.nonzero(active < 0)
        out[k, slot, :m], out[k, slot, m] = programme.norm[k], 0.0
    return out


def _right(programme: Programme, active: Ints) -> Array:
    """Right-hand sides of active constraints, (unit, m + 1)."""
    m = programme.goal.shape[1]
    bound = (active >= 0) & (active < m)
    return np.where(bound, -np.take_along_axis(programme.low, np.clip(active, 0, m - 1), axis=1), np.where(active < 0, 1.0, 0.0))


def _each(a: Array, b: Array) -> Array:
    """Solutions of many small systems, NaN for those that have none."""
    try:
        return np.asarray(np.linalg.solve(a, b[..., None])[..., 0], float)
    except np.linalg.LinAlgError:
        out = np.full(b.shape, np.nan)
        for k in range(len(a)):
            with suppress(np.linalg.LinAlgError):
                out[k] = np.linalg.solve(a[k], b[k])
        return out


def _finished(rows: Array, programme: Programme, active: Ints) -> Solved:
    """The vertex and its multipliers from its active constraints, solved afresh and checked."""
    n, m = programme.goal.shape
    normals = _normals(rows, programme, active)
    cost = np.concatenate([-programme.goal / programme.scale, np.ones((n, 1))], axis=1)
    z = _each(normals, _right(programme, active))
    multipliers = _each(np.swapaxes(normals, 1, 2), -cost)
    p, t = z[:, :m], np.asarray(z[:, m], float)
    beyond = np.maximum(((p / programme.scale) @ rows.T - t[:, None]).max(axis=1), (programme.low - p).max(axis=1))
    if len(programme.cone):
        beyond = np.maximum(beyond, (p @ programme.cone.T).max(axis=1))
    least = np.where(active >= 0, multipliers, np.inf).min(axis=1)
    good = (beyond <= 1e-9 * np.maximum(np.abs(z).max(axis=1), 1.0)) & (least >= -1e-9 * np.maximum(np.abs(multipliers).max(axis=1), 1.0))
    row = (active >= m) & (active < m + len(rows)) & (multipliers > 0)
    return Solved(np.maximum(p, programme.low), t, np.where(row, active - m, -1), np.where(row, multipliers, 0.0), good, np.zeros(n, bool))
