"""The least change in one indicator that reaches a goal, for every unit and indicator at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from biaochi.diagnosis.costs import Costs
from biaochi.diagnosis.ladder import ladder
from biaochi.diagnosis.trial import Standing, Trials
from biaochi.errors import BadOption, Text, UnknownName
from biaochi.framework import Optimum
from biaochi.kernels.rank import GRAIN, rounded
from biaochi.kernels.shapley import climb
from biaochi.method import Array, is_number, is_whole

STEPS = 60
"""Halvings of a bracket."""
CLOSE = 1e-10
"""How near the least change is found, as a share of it."""
Places = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Aim:
    """What each unit shall reach."""

    most_above: NDArray[np.intp]
    """(unit,) -1 where nothing is aimed at."""
    score: Array
    """(unit,) NaN where the aim is a place."""
    said: tuple[Text | None, ...]

    def reached(self, units: Places, score: Array, above: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Whether standings reach the aim."""
        by_score = ~np.isnan(self.score[units])
        return np.asarray(np.where(by_score, score >= self.score[units], above <= self.most_above[units]))


def aim(trials: Trials, *, rank: int | str | None, score: float | None) -> Aim:
    """The next place, a place, or a score, for every unit that counts.

    Raises
    ------
    BadOption, UnknownName
        If the goal is none of these.
    """
    n = len(trials.scores)
    every = np.arange(n)
    _, above = trials.above(np.broadcast_to(trials.scores, (n, n)), every, clearly=False)
    ranked = trials.counts & ~np.isnan(trials.scores)
    most, target, said = np.full(n, -1), np.full(n, np.nan), [None] * n
    goals: list[Text | None] = list(said)
    if score is not None:
        if not is_number(score) or not np.isfinite(score):
            raise BadOption("score", f"must be a number; got {score!r}.", f"目标得分应为数；得到 {score!r}。")
        for u in np.flatnonzero(ranked & (trials.scores < score)):
            target[u], goals[u] = score, Text(f"a score of {score:g}", f"得分达到 {score:g}")
        return Aim(most, target, tuple(goals))
    if isinstance(rank, str) and rank != "next":
        raise UnknownName(Text("goal", "目标"), rank, ["next", "a whole number"])
    if not isinstance(rank, str) and not is_whole(rank, 1):
        raise BadOption("rank", f"must be 'next' or a whole number from 1 up; got {rank!r}.", f"目标位次应为 next 或不小于 1 的整数；得到 {rank!r}。")
    for u in np.flatnonzero(ranked & (above > 0)):
        ahead = above[ranked & (above < above[u])]
        place = int(ahead.max()) if rank == "next" and ahead.size else int(above[u]) - 1 if rank == "next" else int(rank or 1) - 1
        if above[u] > place:
            most[u], goals[u] = place, Text(f"place {place + 1}", f"第 {place + 1} 位")
    return Aim(most, target, tuple(goals))


def bounds(trials: Trials, mask: NDArray[np.bool_], price: Costs, within: float | None, movable: NDArray[np.bool_]) -> Array:
    """(unit, indicator): how far each may be moved; NaN where it is there already."""
    if within is not None and (not is_number(within) or not within > 0):
        raise BadOption("within", f"must be years above 0; got {within!r}.", f"within 应为大于 0 的年数；得到 {within!r}。")
    r = trials.result
    out = np.full(trials.x.shape, np.nan)
    same = bool((mask == mask[:1]).all())
    for i, code in enumerate(r.indicators):
        if not movable[i]:
            continue
        x = np.where(r.counts, r.stages["denominated"][..., i], np.nan)
        direction = r.framework[code].direction
        own = trials.x[:, i]
        if isinstance(direction, Optimum):
            best = np.clip(own, direction.low, direction.high)
        else:
            with np.errstate(all="ignore"):
                of_unit = np.fmax.reduce(x * direction, axis=0)
                best = np.full(len(own), np.fmax.reduce(of_unit[mask[0]])) if same else np.array([np.fmax.reduce(of_unit[m]) for m in mask])
            best = best * direction
            best = np.where((best - own) * direction > 0, best, np.nan)
        if within is not None and price.fastest[i] == price.fastest[i]:
            best = own + np.clip(best - own, -within * price.fastest[i], within * price.fastest[i])
        out[:, i] = best
    return out


def least(trials: Trials, goal: Aim, u: Places, i: Places, bound: Array) -> tuple[NDArray[np.bool_], Standing, Array]:
    """The least change of each pair of unit and indicator, confirmed: whether found, how the unit then stands, value."""
    start, high = trials.x[u, i], _guess(trials, goal, u, i, bound)
    low = start.copy()
    at = trials.stand(u, i, high)
    ok = goal.reached(u, at.score, at.above)
    doubtful = (at.moved & ~trials.steady[i]) | ~ok

    def ask(rows: Places, values: Array) -> NDArray[np.bool_]:
        now = trials.stand(u[rows], i[rows], values)
        return goal.reached(u[rows], now.score, now.above)

    short = np.flatnonzero(~ok & (high != bound))  # not far enough: as far as may be
    low[short], high[short] = high[short], bound[short]
    ok[short] = ask(short, high[short])
    check = np.flatnonzero(doubtful & ok & (low == start) & (high != bound))  # far enough: is less enough too?
    less = start[check] + (high[check] - start[check]) * (1.0 - 1e-3)
    early = ask(check, less)
    low[check[~early]], high[check[early]] = less[~early], less[early]
    rows = np.flatnonzero(doubtful & ok)
    _halve(ask, low, high, rows, start)
    if rows.size:
        now = trials.stand(u[rows], i[rows], high[rows])
        at.score[rows], at.above[rows] = now.score, now.above
    return ok, at, high


def _halve(ask: Callable[[Places, Array], NDArray[np.bool_]], low: Array, high: Array, rows: Places, start: Array) -> None:
    """Brackets halved until they are close; ``high`` always reaches."""
    for _ in range(STEPS):
        rows = rows[np.abs(high[rows] - low[rows]) > CLOSE * np.abs(high[rows] - start[rows])]
        if not rows.size:
            return
        middle = (low[rows] + high[rows]) / 2
        reached = ask(rows, middle)
        high[rows[reached]], low[rows[~reached]] = middle[reached], middle[~reached]


def _guess(trials: Trials, goal: Aim, u: Places, i: Places, bound: Array) -> Array:
    """What would do if the scale stayed as it is, or the bound."""
    z = _needed_leaf(trials, u, i, needed(trials, goal, u))
    guess = bound.copy()
    for k in np.unique(i):
        rows = np.flatnonzero((i == k) & ~np.isnan(z))
        if rows.size:
            guess[rows] = _value_of(trials, int(k), z[rows], trials.x[u[rows], k], bound[rows])
    return guess


def needed(trials: Trials, goal: Aim, u: Places) -> Array:
    """Score each unit must have, if the others stay."""
    told = trials.scores[trials.counts & ~np.isnan(trials.scores)]
    decimals, ties = trials.result.recipe.decimals, trials.result.recipe.ties
    slack = 16 * GRAIN * max(float(np.ptp(told)), 1e-300)
    if decimals is not None:
        told = rounded(told, decimals)
    strict = ties in ("worst", "average")
    order = np.sort(told)[::-1]
    place = np.clip(goal.most_above[u], 0, len(order) - 1)
    threshold = order[place]
    if decimals is not None:
        half = 0.5 * 10.0**-decimals
        threshold = threshold + (half if strict else -half)
        slack = max(slack, 1e-9 * half)
    return np.asarray(np.where(np.isnan(goal.score[u]), threshold + slack, goal.score[u] + slack))


def _needed_leaf(trials: Trials, u: Places, i: Places, need: Array) -> Array:
    """Score each indicator must have, if everything else stays; NaN where the tree is not a sum and no score will do."""
    if trials.additive:
        with np.errstate(all="ignore"):
            return np.asarray(trials.z[u, i] + (need - trials.scores[u]) / trials.shares[u, i])
    tree = ladder(trials.result, (np.full(len(u), trials.p), u))
    z = trials.z[u]
    every = np.arange(len(u))
    low, high = z[every, i].copy(), np.maximum(z[every, i], 0.0) + np.ptp(trials.result.recipe.range)

    def at(v: Array) -> Array:
        x = z.copy()
        x[every, i] = v
        return climb(tree, x)

    enough = at(high) >= need
    for _ in range(STEPS):
        middle = (low + high) / 2
        far = at(middle) >= need
        high, low = np.where(far, middle, high), np.where(far, low, middle)
    return np.where(enough, high, np.nan)


def _value_of(trials: Trials, k: int, z: Array, start: Array, bound: Array) -> Array:
    """Values of an indicator that have given scores, between a start and a bound; the bound where none has."""
    low, high = start.copy(), bound.copy()
    at_low, at_high = trials.held(k, low) - z, trials.held(k, high) - z
    rows = np.flatnonzero((at_high >= 0) & (at_low < 0))
    f, g = at_low[rows], at_high[rows]
    a, b = low[rows], high[rows]
    done = np.zeros(len(rows), bool)
    for turn in range(80):  # regula falsi, every third step a halving
        with np.errstate(all="ignore"):
            middle = np.where(turn % 3 == 2, (a + b) / 2, a - f * (b - a) / (g - f))
        middle = np.where((middle - a) * (middle - b) <= 0, middle, (a + b) / 2)
        value = trials.held(k, middle) - z[rows]
        far = value >= 0
        moved = np.where(far, b - middle, middle - a)
        b, g = np.where(far, middle, b), np.where(far, value, g)
        a, f = np.where(far, a, middle), np.where(far, f, value)
        done |= (np.abs(b - a) <= 1e-12 * np.abs(b - start[rows])) | (g <= 1e-13 * np.maximum(np.abs(z[rows]), 1.0)) | (moved == 0) & (turn > 60)
        if done.all():
            break
    high[rows] = b
    return np.where(at_high >= 0, high, bound)
