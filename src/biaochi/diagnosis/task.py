"""What may be moved how far at which cost, and a proposal brought to where the goal is just reached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from biaochi.diagnosis.trial import Trials
from biaochi.method import Array

CLOSE = 1e-7
"""Share of the cost at which a bound is near enough."""

Places = NDArray[np.intp]
Reach = Callable[[Array], NDArray[np.bool_]]
"""(trial, indicator) values -> whether each reaches the goal."""


class Found(NamedTuple):
    """The cheapest combination found."""

    values: Array
    """(indicator,)"""
    cost: float
    lowest: float | None
    """What is certified: no combination costs less. None where more could be worse, so that nothing is certain."""


@dataclass(frozen=True, eq=False)
class Task:
    """A unit, its goal, and what may be moved how far at which cost."""

    trials: Trials
    unit: int
    columns: Places
    """Indicators that may be moved."""
    bound: Array
    """(indicator moved,)"""
    price: Array
    """(indicator moved,) cost of one unit."""
    reach: Reach
    most_above: int
    score: float
    """The score aimed at; NaN where it is a place."""
    need: float
    """Score the unit must have if the others stay as they are."""
    best: float
    """Cost of the cheapest single lever; infinite where there is none."""

    @property
    def start(self) -> Array:
        """(indicator moved,) values as they are."""
        return np.asarray(self.trials.x[self.unit, self.columns])

    @property
    def full(self) -> Array:
        """(indicator moved,) cost of going all the way."""
        return np.abs(self.bound - self.start) * self.price

    def at(self, spent: Array) -> Array:
        """(..., indicator) values where so much is spent on each indicator moved."""
        spent = np.atleast_2d(spent)
        x = np.repeat(self.trials.x[self.unit][None], len(spent), axis=0)
        share = np.clip(spent / self.full, 0.0, 1.0)
        x[:, self.columns] = np.where(share == 1.0, self.bound, self.start + share * (self.bound - self.start))
        return x


def with_one(x: Array, k: int, value: float) -> Array:
    """A copy with one number changed."""
    out = x.copy()
    out[k] = value
    return out


def better(a: Found | None, b: Found | None) -> Found | None:
    """The one that costs less."""
    return b if a is None or (b is not None and b.cost < a.cost) else a


def repaired(task: Task, spent: Array, lowest: float) -> Found | None:
    """What a program proposes, brought to where the goal is just reached by the steps of the run."""
    spent = np.minimum(spent, task.full)
    if task.reach(task.at(spent))[0]:
        spent = _least_on(task, np.zeros(len(spent)), spent)
    else:
        used = np.where(spent > 1e-12 * task.full, task.full, spent)
        end = used if task.reach(task.at(used))[0] else task.full
        if not task.reach(task.at(end))[0]:
            return None
        spent = _least_on(task, spent, end)
    if spent.sum() > lowest * (1 + CLOSE):
        for k in np.argsort(-spent, kind="stable"):
            if spent[k] > 0:
                spent = _least_on(task, with_one(spent, int(k), 0.0), spent)
    return Found(task.at(spent)[0], float(spent.sum()), min(lowest, float(spent.sum())))


def _least_on(task: Task, low: Array, high: Array, width: int = 24) -> Array:
    """The least point that reaches the goal on the way from one that need not to one that does."""
    a, b = 0.0, 1.0
    if task.reach(task.at(low))[0]:
        return low
    for _ in range(9):
        t = np.linspace(a, b, width + 1)[1:-1]
        there = task.reach(task.at(low + t[:, None] * (high - low)))
        first = int(np.argmax(there)) if there.any() else len(t)
        a, b = (t[first - 1] if first else a), (t[first] if first < len(t) else b)
    return np.asarray(low + b * (high - low))


def task_of(trials: Trials, unit: int, bound: Array, price: Array, aim: Any, need: float, best: float) -> Task:
    """The task of a unit: indicators that can be moved at a known cost."""
    with np.errstate(all="ignore"):
        movable = np.flatnonzero(~np.isnan(trials.z[unit]) & ~np.isnan(bound) & (bound != trials.x[unit]) & ~np.isnan(price) & (price > 0))
    units = np.array([unit])

    def reach(values: Array) -> NDArray[np.bool_]:
        x = np.repeat(trials.x[None], len(values), axis=0)
        x[:, unit] = values
        scores, _ = trials.whole(x)
        own, above = trials.above(scores, np.repeat(units, len(values)))
        return np.asarray(aim.reached(np.repeat(units, len(values)), own, above))

    return Task(trials, unit, movable, bound[movable], price[movable], reach, int(aim.most_above[unit]), float(aim.score[unit]), need, best)
