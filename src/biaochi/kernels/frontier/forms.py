"""Forms of benefit of the doubt: what each makes of a unit's values, and the programs it poses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from biaochi.kernels.frontier import active, simplex
from biaochi.kernels.frontier.active import Ints, Programme, Solved
from biaochi.kernels.frontier.simplex import Restrictions
from biaochi.kernels.moments import ratio
from biaochi.method import Array


@dataclass(frozen=True)
class Judged:
    """What the frontier says of each unit; NaN where nothing can be said."""

    scores: Array
    """(unit,): 1 on the frontier; above 1 beyond it, where the unit is not among the rows."""
    gap: Array
    """(unit,): how far values can rise: in proportion (radial, nonradial), in steps of the direction."""
    weights: Array
    """(unit, indicator): weights under which no row has a sum above 1."""
    shares: Array
    """(unit, indicator): what each indicator adds to the unit's own weighted sum, as a share of it."""
    targets: Array
    """(unit, indicator): where the unit would stand on the frontier."""
    peers: Ints
    """(unit, place): rows whose mixture is the target; -1 for none."""
    intensities: Array
    """(unit, place): their parts in it, summing to 1."""
    level: Array
    """(unit,): highest weighted sum of the rows, where the unit's own is 1 (radial)."""


def radial(values: Array, rows: Array, restrictions: Restrictions | None = None) -> Judged:
    """Benefit of the doubt: each unit weighted to its best advantage; the score is its share of the best sum.

    ``max y_k . w`` with ``rows . w <= 1``, ``w >= 0`` and the restrictions: output-oriented data envelopment with one
    constant input (Melyn and Moesen 1991; Cherchye et al. 2007).

    Parameters
    ----------
    values : (unit, indicator)
        From 0 up. A unit without any value above 0 is scored 0.
    rows : (row, indicator)
        What is compared with; the units themselves or others.
    restrictions : Restrictions, optional

    Returns
    -------
    Judged
    """
    got = _solved(values, rows, np.zeros(values.shape), values, np.zeros(values.shape), restrictions)
    nothing = ~(values > 0).any(axis=1)
    scores = np.where(nothing, 0.0, ratio(np.ones(len(values)), got.level))
    scores = np.where(~nothing & (got.level == 0), np.inf, scores)
    targets = np.where(np.isfinite(scores)[:, None], ratio(values, scores[:, None]), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = 1.0 / scores - 1.0
    return _judged(values, scores, gap, targets, got)


def directional(values: Array, rows: Array, direction: Array, restrictions: Restrictions | None = None) -> Judged:
    """How far each unit can go in a stated direction before it meets the frontier.

    ``max b`` with ``y_k + b g`` within the free disposal convex hull of the rows and 0; the score is
    ``1 / (1 + b)``, which is the radial one where the direction is the unit's own values (Chambers, Chung and
    Färe 1998; Fusco 2015). Under weight restrictions the hull widens accordingly.

    Parameters
    ----------
    values : (unit, indicator)
    rows : (row, indicator)
    direction : (unit, indicator)
        From 0 up; a unit whose direction is 0 throughout is where it would go (one without any value is scored 0).
    restrictions : Restrictions, optional

    Returns
    -------
    Judged
    """
    got = _solved(values, rows, values, direction, np.zeros(values.shape), restrictions)
    still = ~(direction > 0).any(axis=1) & ~np.isnan(values).any(axis=1)
    nothing = ~(values > 0).any(axis=1)
    if restrictions is not None and restrictions.shares.any():  # which weights on values of 0 alone satisfy too
        empty = np.flatnonzero((values > 0).any(axis=1) & ((got.weights * values).sum(axis=1) <= 1e-9 * got.level))
        out = [k for k in empty if simplex.shut_out(restrictions, values[k])]
        got.weights[out], got.level[out], got.good[out] = np.nan, np.nan, False
    gap = np.where(still, 0.0, _clean(got.level - (got.weights * values).sum(axis=1)))
    scores = np.where(gap > -1.0, ratio(np.ones(len(gap)), 1.0 + gap), np.where(np.isnan(gap), np.nan, np.inf))
    scores, gap = np.where(nothing & still, 0.0, scores), np.where(nothing & still, np.inf, gap)
    return _judged(values, scores, gap, values + np.where(np.isfinite(gap), gap, 0.0)[:, None] * direction, got)


def nonradial(values: Array, rows: Array, importance: Array, restrictions: Restrictions | None = None) -> Judged:
    """Russell measure: every value rises by a rate of its own, and the weighted mean rate counts.

    ``max sum_j a_j b_j`` with ``y_kj (1 + b_j)`` within the hull, ``b_j >= 0``; the score is one over one plus
    that (Färe and Lovell 1978). Values of 0 cannot rise in proportion: they take no part, and the
    importance of the others is brought to 1.

    Parameters
    ----------
    values : (unit, indicator)
    rows : (row, indicator)
    importance : (indicator,)
        Summing to 1.
    restrictions : Restrictions, optional

    Returns
    -------
    Judged
    """
    there = np.where(values > 0, importance, 0.0)
    low = np.where(values > 0, ratio(ratio(there, there.sum(axis=1, keepdims=True)), values), 0.0)
    got = _solved(values, rows, values, None, np.nan_to_num(low), restrictions)
    gap = _clean(got.level - (got.weights * values).sum(axis=1))
    nothing = ~(values > 0).any(axis=1)
    scores = np.where(nothing, 0.0, ratio(np.ones(len(gap)), 1.0 + gap))
    gap = np.where(nothing, np.inf, gap)
    return _judged(values, scores, gap, _mixture(rows, got), got)


def slacks(targets: Array, rows: Array) -> tuple[Array, Solved]:
    """What could still be added to the targets without leaving the hull, in all as much as possible.

    The second stage of data envelopment: ``max sum_j s_j / max_j`` over the hull of the rows.

    Parameters
    ----------
    targets : (unit, indicator)
        Points of the hull; NaN lines give NaN.
    rows : (row, indicator)

    Returns
    -------
    slacks : (unit, indicator)
    solved : Solved
        With the peers of the points so reached.
    """
    known = np.asarray(~np.isnan(targets).any(axis=1))
    size = np.where(rows.max(axis=0) > 0, rows.max(axis=0), 1.0)
    point = np.where(known[:, None], targets, 0.0)
    got = _solved(point, rows, point, None, np.broadcast_to(1.0 / size, point.shape), None)
    left = _mixture(rows, got) - targets
    return np.where(np.abs(left) <= 1e-9 * size, 0.0, np.maximum(left, 0.0)), got


def order_m(values: Array, rows: Array, size: int) -> Array:
    """Expected expansion of each unit to the best of ``size`` rows drawn with replacement, exact, hull not convex.

    A row allows ``min_j row_j / y_kj``; with these sorted as v, the mean of the highest of m draws from N is
    ``sum_i v_i ((i/N)^m - ((i-1)/N)^m)`` (Cazals, Florens and Simar 2002; Daraio and Simar 2005).

    Parameters
    ----------
    values : (unit, indicator)
    rows : (row, indicator)
    size : int
        Rows in a draw, m.

    Returns
    -------
    (unit,)
        Expansions; below 1 for a unit ahead of what is expected of the rows drawn. NaN for a unit without any value above 0.
    """
    n = len(rows)
    parts = np.diff((np.arange(n + 1) / n) ** size)
    out = np.full(len(values), np.nan)
    for k, y in enumerate(values):
        there = y > 0
        if there.any():
            out[k] = np.sort((rows[:, there] / y[there]).min(axis=1)) @ parts
    return out


def drawn(values: Array, rows: Array, restrictions: Restrictions | None, *, size: int, draws: int, rng: np.random.Generator) -> Array:
    """Order-m with a convex hull and restrictions: expansions against rows drawn at random, draw by draw.

    The same draws serve all units, so differences between units are steadier.

    Parameters
    ----------
    values : (unit, indicator)
    rows : (row, indicator)
    restrictions : Restrictions or None
    size, draws : int
        Rows in a draw, with replacement, and number of draws.
    rng : numpy.random.Generator

    Returns
    -------
    (draw, unit)
    """
    out = np.empty((draws, len(values)))
    nothing = np.zeros(values.shape)
    for d in range(draws):
        inside = np.unique(rng.integers(len(rows), size=size))
        out[d] = _solved(values, rows[inside], nothing, values, nothing, restrictions).level
    return out


_SHARP = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}


def common(values: Array, rows: Array, restrictions: Restrictions | None, aim: str) -> Array:
    """One set of weights for all units, as kind to them as one set can be.

    Parameters
    ----------
    values : (unit, indicator)
    rows : (row, indicator)
    restrictions : Restrictions or None
        Shares are those of the mean unit.
    aim : {"mean", "worst"}
        Highest mean score (Roll and Golany 1993); or least largest shortfall from the units' own benefit of
        the doubt (Despotis 2005), and among equals the highest mean.

    Returns
    -------
    (indicator,)
        Weights; NaN where no weights satisfy the restrictions.
    """
    from scipy.optimize import linprog

    m = values.shape[1]
    size = _sizes(rows)
    y, r = values / size, rows / size
    fixed = [(np.append(row, 0.0), 1.0) for row in r]
    if restrictions is not None:
        level = restrictions.level
        at_mean = Restrictions((restrictions.weights + restrictions.shares * values.mean(axis=0)) / size, np.zeros(restrictions.weights.shape), level)
        fixed += [(np.append(row, 0.0), -t) for row, _, t in zip(*at_mean.scaled(), strict=True)]
    bounds: list[tuple[float, float | None]] = [(0.0, None) for _ in range(m + 1)]
    most = np.append(-y.mean(axis=0), 0.0)
    if aim == "worst":
        own = radial(values, rows, restrictions).scores
        fixed += [(np.append(-row, -1.0), -s) for row, s in zip(y, own, strict=True) if np.isfinite(s)]
        a, b = np.array([f[0] for f in fixed]), np.array([f[1] for f in fixed])
        least = linprog(np.append(np.zeros(m), 1.0), A_ub=a, b_ub=b, bounds=bounds, method="highs", options=_SHARP)
        bounds[m] = (0.0, max(float(least.x[m]), 0.0) * (1 + 1e-9) + 1e-12) if least.status == 0 else (0.0, None)
    a, b = np.array([f[0] for f in fixed]), np.array([f[1] for f in fixed])
    best = linprog(most, A_ub=a, b_ub=b, bounds=bounds, method="highs", options=_SHARP)
    return np.asarray(best.x[:m] / size) if best.status == 0 else np.full(m, np.nan)


def _sizes(rows: Array) -> Array:
    top = rows.max(axis=0)
    return np.where(top > 0, top, 1.0)


def _clean(gap: Array) -> Array:
    return np.where(np.abs(gap) <= 1e-12, 0.0, gap)


def _mixture(rows: Array, got: Solved) -> Array:
    """The mixtures of peers, (unit, indicator)."""
    out = np.einsum("kp,kpj->kj", got.intensities, rows[got.peers])
    return np.where(got.good[:, None], out, np.nan)


def _judged(values: Array, scores: Array, gap: Array, targets: Array, got: Solved) -> Judged:
    weights = ratio(got.weights, got.level[:, None])
    own = values * got.weights
    return Judged(scores, gap, weights, ratio(own, own.sum(axis=1, keepdims=True)), targets, got.peers, got.intensities, got.level)


def _solved(values: Array, rows: Array, goal: Array, norm: Array | None, low: Array, restrictions: Restrictions | None) -> Solved:
    """Solve by the side-by-side method where it takes the restrictions, and by HiGHS what is left."""
    n, m = values.shape
    size = _sizes(rows)
    y, r = values / size, rows / size
    scaled = [goal / size, None if norm is None else norm / size, low * size]
    limits = restrictions or Restrictions.none(m)
    limits = Restrictions(limits.weights / size, limits.shares, limits.level)
    out = Solved(np.full((n, m), np.nan), np.full(n, np.nan), np.full((n, m + 1), -1), np.zeros((n, m + 1)), np.zeros(n, bool), np.zeros(n, bool))
    posed = np.ones(n, bool) if norm is None else (norm > 0).any(axis=1)
    fit, cone, start = _side_by_side(y, scaled[1], limits)
    on_shares = bool(limits.shares.any())
    able = np.flatnonzero(fit & posed)
    if able.size:
        scale = y[able] if on_shares else np.ones((len(able), m))
        normed = None if scaled[1] is None else scaled[1][able] / scale
        programme = Programme(_line(scaled[0], able), scale, _line(scaled[2], able) * scale, normed, cone, start)
        got = active.solve(r, programme)
        _put(out, able, got, scale)
    left = np.flatnonzero(posed & ~out.good & ~out.unbounded)
    if left.size:
        got = simplex.solve(r, y[left], scaled[0][left], None if scaled[1] is None else scaled[1][left], scaled[2][left], limits)  # type: ignore[index]
        _put(out, left, got, np.ones((len(left), m)))
    out.weights[:] = out.weights / size
    return out


def _line(a: Array | None, which: Ints) -> Array:
    assert a is not None
    return np.asarray(a[which])


def _put(out: Solved, which: Ints, got: Solved, scale: Array) -> None:
    out.weights[which], out.level[which], out.good[which] = got.weights / scale, got.level, got.good
    out.peers[which], out.intensities[which], out.unbounded[which] = got.peers, got.intensities, got.unbounded


def _side_by_side(y: Array, norm: Array | None, limits: Restrictions) -> tuple[NDArray[np.bool_], Array, Ints | None]:
    """Which units the side-by-side method can serve, the cone of restrictions in its variables, and a vertex of it."""
    n, m = y.shape
    on_weights, on_shares = bool(limits.weights.any()), bool(limits.shares.any())
    nobody = np.zeros(n, bool), np.zeros((0, m)), None
    if not len(limits):
        starts = np.ones(n, bool) if norm is None else (norm > 0).any(axis=1)
        return np.asarray(starts), np.zeros((0, m)), None
    if norm is None or limits.level.any() or (on_weights and on_shares):
        return nobody
    cone = limits.shares if on_shares else limits.weights
    cone = cone / np.abs(cone).max(axis=1, keepdims=True)
    found = simplex.vertex(cone)
    if found is None:
        return nobody
    start, point = found
    whole = np.asarray((y > 1e-9).all(axis=1))
    reach = (np.asarray(norm) / np.where(whole[:, None], y, 1.0) if on_shares else np.asarray(norm)) @ point
    fit = reach > 1e-6 * np.abs(norm).max(axis=1)
    fit = fit & whole if on_shares else fit
    return np.asarray(fit), cone, start
