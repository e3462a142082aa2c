"""What would lift a unit: the change in one indicator, or the cheapest in several, that reaches a rank or a score."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biaochi.diagnosis.costs import UNITS, Costs, costs
from biaochi.diagnosis.ladder import ladder
from biaochi.diagnosis.peers import Peers, peer_mask
from biaochi.diagnosis.trial import Standing, Trials
from biaochi.errors import BadOption, Text, UnknownName
from biaochi.framework import Optimum
from biaochi.kernels.rank import GRAIN, rounded
from biaochi.kernels.shapley import climb
from biaochi.method import Array, is_number, is_whole, or_none
from biaochi.period import Period
from biaochi.result import Result, takes_result

STEPS = 60
"""Halvings of a bracket."""
CLOSE = 1e-10
"""How near the least change is found, as a share of it."""
Places = NDArray[np.intp]


@dataclass(frozen=True)
class Move:
    """One indicator's change."""

    code: str
    value: float
    """As it is, in the indicator's own unit after its denominator."""
    needed: float
    change: float
    """Towards better is not always up."""
    points: float
    """What it adds to the score."""
    cost: float | None
    """None where no cost is known."""
    years: float | None
    """At the best pace any peer has had; None where no peer ever improved."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {k: or_none(v) if isinstance(v, float) else v for k, v in vars(self).items()}


@dataclass(frozen=True)
class Lever:
    """Changes of one unit that reach a goal."""

    unit: str
    goal: Text
    moves: tuple[Move, ...]
    score: float
    rank: float
    """Place reached: one more than the units above."""
    cost: float | None
    lowest_cost: float | None = None
    """No combination of these indicators costs less: what is certified."""
    displaced: tuple[dict[str, Any], ...] = ()
    """Units whose rank changes: unit, before, after, and why: "overtaken", or "scale" where the change moves the common scale."""
    holds: float | None = None
    """Share of the what-ifs in which the place is reached; None where it was not asked for."""

    def to_dict(self, lang: str = "en") -> dict[str, Any]:
        """Plain data."""
        return {
            "unit": self.unit, "goal": self.goal.to("zh" if lang == "zh" else "en"), "score": self.score, "rank": self.rank, "cost": self.cost,
            "lowest_cost": self.lowest_cost, "holds": self.holds, "moves": [m.to_dict() for m in self.moves], "displaced": list(self.displaced),
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class Levers:
    """Single levers of all units asked for; arrays are (unit, indicator)."""

    result: Result
    period: str
    costs: Costs
    bound: Array
    """Best value any peer has had, up to which an indicator may be moved."""
    change: Array
    """Least change that reaches the goal; NaN where none within the bound does, or none is needed."""
    score: Array
    """The unit's score after it."""
    above: NDArray[np.intp]
    """Units above it then."""
    goals: tuple[Text | None, ...]
    """(unit,) what was aimed at; None where the unit is there already, or has no rank."""
    trials: Trials = field(repr=False)

    @property
    def cost(self) -> Array:
        """(unit, indicator) costs."""
        return np.abs(self.change) * self.costs.per_unit

    @property
    def cost_unit(self) -> Text:
        """What costs are counted in."""
        return UNITS[self.costs.kind]

    def of(self, unit: str, n: int | None = None) -> list[Lever]:
        """Single levers of a unit, the cheapest first."""
        u = self.result.panel.position(unit)
        goal = self.goals[u]
        cost = self.cost[u]
        order = sorted(np.flatnonzero(~np.isnan(self.change[u])), key=lambda i: (np.nan_to_num(cost[i], nan=np.inf), self.result.indicators[i]))
        return [
            Lever(unit, goal, (self.move(u, i, self.change[u, i], self.score[u, i] - self.trials.scores[u]),), float(self.score[u, i]), float(self.above[u, i] + 1),
                  or_none(cost[i]), or_none(cost[i]))
            for i in map(int, order[:n])
            if goal is not None
        ]  # fmt: skip

    def move(self, u: int, i: int, change: float, points: float) -> Move:
        """A change as it is told."""
        x = float(self.trials.x[u, i])
        fast = abs(change) / self.costs.fastest[i]
        return Move(self.result.indicators[i], x, x + float(change), float(change), float(points), or_none(abs(change) * self.costs.per_unit[i]), or_none(fast))

    def rows(self) -> list[dict[str, Any]]:
        """Rows of unit, goal, indicator, value, needed, change, points, cost, years, score, rank."""
        return [
            {"unit": lever.unit, "goal": lever.goal.en, **lever.moves[0].to_dict(), "score": lever.score, "rank": lever.rank}
            for u in self.result.panel.units
            for lever in self.of(u.code)
        ]


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


@takes_result
def levers(
    result: Result,
    units: list[str] | str | None = None,
    *,
    rank: int | str | None = "next",
    score: float | None = None,
    period: str | Period | None = None,
    peers: Peers = None,
    costs_per_unit: Mapping[str, float] | None = None,
    within: float | None = None,
) -> Levers:
    """The least change in one indicator that takes a unit to a place or a score, for every unit and indicator.

    Everything else stays as it is; where the change moves the common scale, others' scores move with it, and that is
    counted. Each answer is confirmed by taking the steps of the run again.

    Parameters
    ----------
    result : Result
    units : list of str, optional
        Codes; all that count by default.
    rank : int or "next"
        The place aimed at, or one place up.
    score : float, optional
        A score to be reached instead.
    period : str or Period, optional
        The last period with scores by default.
    peers : str or list of str, optional
        A grouping or codes: no indicator is moved beyond the best value any peer has had in any period. All units by default.
    costs_per_unit : mapping, optional
        Cost of one unit of each indicator; see `costs` for what is taken by default. Those not named are not moved.
    within : float, optional
        Years at hand: no indicator is moved further than the quickest peer has gone in so many.

    Raises
    ------
    UnknownName, BadOption
        If a unit, period, grouping or goal is not known.
    """
    trials = Trials(result, period)
    goal = aim(trials, rank=rank, score=score)
    asked = _asked(result, units)
    mask = peer_mask(result, peers)
    shape = trials.x.shape
    price = costs(result, np.asarray(mask[asked].any(axis=0)), costs_per_unit)
    bound = bounds(trials, mask, price, within, movable=~np.isnan(price.per_unit) if costs_per_unit is not None else np.ones(shape[1], bool))
    wanted = np.zeros(shape, bool)
    wanted[asked] = True
    wanted &= np.array([g is not None for g in goal.said])[:, None]
    with np.errstate(all="ignore"):
        u, i = np.nonzero(wanted & ~np.isnan(trials.z) & ~np.isnan(bound) & (bound != trials.x))
    change, reached_score, above = np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, -1)
    found, standing, there = _least(trials, goal, u, i, bound[u, i])
    change[u[found], i[found]] = there[found] - trials.x[u[found], i[found]]
    reached_score[u[found], i[found]], above[u[found], i[found]] = standing.score[found], standing.above[found]
    return Levers(result, str(result.panel.periods[trials.p]), price, bound, change, reached_score, above, goal.said, trials)


def _asked(result: Result, units: list[str] | str | None) -> Places:
    if units is None:
        return np.arange(len(result.panel.units))
    return np.array([result.panel.position(c) for c in ([units] if isinstance(units, str) else units)], np.intp)


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


def _least(trials: Trials, goal: Aim, u: Places, i: Places, bound: Array) -> tuple[NDArray[np.bool_], Standing, Array]:
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
    z = _needed_leaf(trials, u, i, _needed(trials, goal, u))
    guess = bound.copy()
    for k in np.unique(i):
        rows = np.flatnonzero((i == k) & ~np.isnan(z))
        if rows.size:
            guess[rows] = _value_of(trials, int(k), z[rows], trials.x[u[rows], k], bound[rows])
    return guess


def _needed(trials: Trials, goal: Aim, u: Places) -> Array:
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
