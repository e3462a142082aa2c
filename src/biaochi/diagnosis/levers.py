"""What would lift a unit: the change in one indicator, or the cheapest in several, that reaches a rank or a score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biaochi.diagnosis.combine import cheapest
from biaochi.diagnosis.costs import UNITS, Costs, costs
from biaochi.diagnosis.ladder import ladder
from biaochi.diagnosis.least import Aim, Places, aim, bounds, least, needed
from biaochi.diagnosis.peers import Peers, peer_mask
from biaochi.diagnosis.survive import Chances, chances
from biaochi.diagnosis.task import task_of
from biaochi.diagnosis.trial import Trials
from biaochi.errors import Text
from biaochi.kernels.shapley import shapley
from biaochi.method import Array, or_none
from biaochi.period import Period
from biaochi.result import Result, takes_result
from biaochi.study import Study


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
    chances: Chances | None = None
    """How often the gain survives the what-ifs; None where it was not asked for."""

    def to_dict(self, lang: str = "en") -> dict[str, Any]:
        """Plain data."""
        return {
            "unit": self.unit, "goal": self.goal.to("zh" if lang == "zh" else "en"), "score": self.score, "rank": self.rank, "cost": self.cost,
            "lowest_cost": self.lowest_cost, "chances": None if self.chances is None else self.chances._asdict(), "moves": [m.to_dict() for m in self.moves], "displaced": list(self.displaced),
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
    aim: Aim
    trials: Trials = field(repr=False)

    @property
    def goals(self) -> tuple[Text | None, ...]:
        """(unit,) what was aimed at; None where the unit is there already, or has no rank."""
        return self.aim.said

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

    def cheapest(self, unit: str) -> Lever | None:
        """The cheapest combination of changes that reaches the goal; None where even all together do not, or no cost is known."""
        u = self.result.panel.position(unit)
        goal = self.goals[u]
        if goal is None:
            return None
        best = float(np.fmin.reduce(self.cost[u], initial=np.inf))
        task = task_of(self.trials, u, self.bound[u], self.costs.per_unit, self.aim, float(needed(self.trials, self.aim, np.array([u]))[0]), best)
        found = cheapest(task)
        if found is None or best <= found.cost:
            single = next(iter(self.of(unit, 1)), None) if best < np.inf else None
            return single and replace(single, lowest_cost=None if found is None or found.lowest is None else min(found.lowest, best))
        return self._told(u, goal, found.values, found.lowest)

    def _told(self, u: int, goal: Text, values: Array, lowest: float | None) -> Lever:
        """A combination as it is told."""
        t = self.trials
        moved = np.flatnonzero((values != t.x[u]) & ~np.isnan(values))
        after = t.retake(_with(t.x, u, values))
        z = t.z[[u]].copy()
        z[0, moved] = after.z[u, moved]
        points, _ = shapley(ladder(self.result, (np.array([t.p]), np.array([u]))), z, t.z[[u]])
        _, above = t.above(after.scores[None], np.array([u]))
        moves = tuple(self.move(u, int(i), values[i] - t.x[u, i], points[0, i]) for i in moved)
        moves = tuple(sorted(moves, key=lambda m: (-(m.cost or 0.0), m.code)))
        return Lever(self.result.panel.units[u].code, goal, moves, float(after.scores[u]), float(above[0] + 1), sum(m.cost or 0.0 for m in moves), lowest)

    def effects(self, lever: Lever) -> Lever:
        """The lever with the units whose rank it changes."""
        t, r = self.trials, self.result
        after = t.retake(self._values(lever))
        before = r.ranks[t.p, :, 0]
        u = r.panel.position(lever.unit)
        own = np.abs(after.scores - t.scores) > 1e-12 * np.maximum(np.abs(t.scores), 1e-300)
        rows = tuple(
            {"unit": r.panel.units[k].code, "before": float(before[k]), "after": float(after.ranks[k]), "why": "scale" if own[k] else "overtaken"}
            for k in sorted(
                np.flatnonzero((before != after.ranks) & ~np.isnan(before) & ~np.isnan(after.ranks)), key=lambda k: (before[k], r.panel.units[k].code)
            )
            if k != u
        )
        return replace(lever, displaced=rows)

    def survival(self, lever: Lever, study: Study | None = None, *, replicates: int = 1000) -> Lever:
        """The lever with the share of what-ifs in which its gain holds.

        Parameters
        ----------
        lever : Lever
        study : Study, optional
            What varies; by default what `usual` finds.
        replicates : int
        """
        u = self.result.panel.position(lever.unit)
        return replace(lever, chances=chances(self.trials, self._values(lever), u, lever.rank, study, replicates))

    def _values(self, lever: Lever) -> Array:
        """(unit, indicator) values of the period with the changes made."""
        x = self.trials.x.copy()
        u = self.result.panel.position(lever.unit)
        for m in lever.moves:
            x[u, self.result.indicators.index(m.code)] = m.needed
        return x

    def move(self, u: int, i: int, change: float, points: float) -> Move:
        """A change as it is told."""
        x = float(self.trials.x[u, i])
        with np.errstate(all="ignore"):
            fast = abs(change) / self.costs.fastest[i]
        return Move(self.result.indicators[i], x, x + float(change), float(change), float(points), or_none(abs(change) * self.costs.per_unit[i]), or_none(fast))

    def rows(self) -> list[dict[str, Any]]:
        """Rows of unit, goal, indicator, value, needed, change, points, cost, years, score, rank."""
        return [
            {"unit": lever.unit, "goal": lever.goal.en, **lever.moves[0].to_dict(), "score": lever.score, "rank": lever.rank}
            for u in self.result.panel.units
            for lever in self.of(u.code)
        ]


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
    found, standing, there = least(trials, goal, u, i, bound[u, i])
    change[u[found], i[found]] = there[found] - trials.x[u[found], i[found]]
    reached_score[u[found], i[found]], above[u[found], i[found]] = standing.score[found], standing.above[found]
    return Levers(result, str(result.panel.periods[trials.p]), price, bound, change, reached_score, above, goal, trials)


def _asked(result: Result, units: list[str] | str | None) -> Places:
    if units is None:
        return np.arange(len(result.panel.units))
    return np.array([result.panel.position(c) for c in ([units] if isinstance(units, str) else units)], np.intp)


def _with(x: Array, u: int, values: Array) -> Array:
    out = x.copy()
    out[u] = values
    return out
