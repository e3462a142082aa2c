"""The cheapest change in several indicators that reaches a goal, and what no such change can cost less than."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

from biaochi.diagnosis.ladder import ladder
from biaochi.diagnosis.trial import Trials
from biaochi.kernels.rank import GRAIN
from biaochi.kernels.shapley import Branch, climb
from biaochi.method import Array

GRID = 17
"""Steps between a value and its bound, besides the values of others."""
NEAR = 40
"""Values of others that are steps, too: the scale may bend there."""
ROUNDS = 6
"""Times steps are laid closer round the answer."""
CUTS = 80
RIVALS = 300
BOXES = 1500
SECONDS = 10.0
"""A program may take."""
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


def cheapest(task: Task) -> Found | None:
    """The cheapest combination: a linear program where the tree is a sum, cutting planes where it is a concave function of
    scores on a scale that stays, else a search in boxes; None where all bounds together do not reach the goal."""
    if not len(task.columns) or not task.reach(task.at(task.full))[0]:
        return None
    if task.trials.additive:
        return _linear(task)
    tree = ladder(task.trials.result, (np.array([task.trials.p]), np.array([task.unit])))
    steady = bool(task.trials.steady[task.columns].all())
    if steady and _concave(tree, task.trials.z[task.unit]):
        return _convex(task, tree)
    return _search(task, certain=steady)


# --- steps -----------------------------------------------------------------------------------------------------------------


class Steps(NamedTuple):
    """What is spent on one indicator and what it brings at most, between the steps, too: (step,) and (step, goal).

    Between two steps a curve that bends one way lies below its chord, or below it and twice the height of its middle over it; one that
    bends both ways is taken at its best from the start.
    """

    spent: Array
    brings: Array
    low: Array
    """(step,) where the curve is looked at more closely if the step is taken; NaN where it is straight."""
    high: Array


def _grid(task: Task, k: int, around: Array) -> Array:
    """What may be spent on an indicator, in steps with three points between each two."""
    start, bound = task.start[k], task.bound[k]
    others = task.trials.x[:, task.columns[k]]
    share = (others - start) / (bound - start)
    share = np.sort(share[(share > 0) & (share < 1)])
    share = np.concatenate([np.linspace(0.0, 1.0, GRID), share[:NEAR], share[-NEAR:], around])
    ends = np.unique(np.round(share.clip(0.0, 1.0), 14)) * task.full[k]
    quarters = ends[:-1, None] + np.diff(ends)[:, None] * np.array([0.0, 0.25, 0.5, 0.75])
    return np.append(quarters.ravel(), ends[-1])


def _steps(spent: Array, brings: Array) -> Steps:
    """Steps of a grid that bring no less than what lies between them."""
    at, ends = spent[::4], brings[::4]
    five = np.stack([brings[j : len(brings) - 4 + j : 4] for j in range(5)])  # (point, segment, goal)
    over = five[1:4] - (five[0] + (five[4] - five[0]) * np.array([0.25, 0.5, 0.75])[:, None, None])
    slack = 1e-9 * np.maximum(np.abs(ends[-1] - ends[0]), 1e-300)
    bend = np.diff(five, 2, axis=0)
    inward, outward = (bend <= slack).all(axis=0), (bend >= -slack).all(axis=0)
    lift = np.where(inward, 2 * np.maximum(over[1], 0.0), 0.0)
    mixed = ~inward & ~outward
    first, last = np.where(mixed, five.max(axis=0), five[0] + lift), np.where(mixed, five.max(axis=0), five[4] + lift)
    bent = np.flatnonzero((mixed | (lift > slack)).any(axis=1))
    low, high = at[:-1][bent], at[1:][bent]
    pace = np.diff(ends, axis=0) / np.diff(at)[:, None]
    corner = (np.abs(np.diff(pace, axis=0)) > slack / at[-1]).any(axis=1)
    kept = np.flatnonzero(np.concatenate([[True], corner, [True]]))
    none = np.full(len(kept), np.nan)
    return Steps(np.concatenate([at[kept], low, high]), np.concatenate([ends[kept], first[bent], last[bent]]),
                 np.concatenate([none, low, low]), np.concatenate([none, high, high]))  # fmt: skip


def _closer(task: Task, steps: list[Steps], taken: Array, around: list[Array]) -> list[Array]:
    """Shares laid closer where a curve was taken at its best."""
    out, first = [], 0
    for k, s in enumerate(steps):
        used = (taken[first : first + len(s.spent)] > 1e-9) & ~np.isnan(s.low)
        first += len(s.spent)
        more = [np.linspace(lo, hi, 9) / task.full[k] for lo, hi in zip(s.low[used], s.high[used], strict=True)]
        out.append(np.concatenate([around[k], *more]))
    return out


# --- sums ------------------------------------------------------------------------------------------------------------------


def _linear(task: Task) -> Found | None:
    """Each indicator adds to the lead over each other unit by itself: a linear program over steps, with a yes or no for each rival
    where it is open which ones to overtake."""
    around = [np.zeros(0) for _ in task.columns]
    found: Found | None = None
    lowest = 0.0
    for _ in range(ROUNDS):
        grids = [_grid(task, k, around[k]) for k in range(len(task.columns))]
        table = [_lead(task, k, g) for k, g in enumerate(grids)]
        steps = [_steps(g, t - t[0]) for g, t in zip(grids, table, strict=True)]
        bound, taken = _program(steps, *_goal(task, found))
        lowest = max(lowest, bound)
        made = _repaired(task, _spent(steps, taken), lowest)
        found = _better(found, made)
        if found is None or found.cost - lowest <= CLOSE * found.cost:
            break
        around = _closer(task, steps, taken, around)
    return None if found is None else found._replace(lowest=min(lowest, found.cost))


def _spent(steps: list[Steps], taken: Array) -> Array:
    """What is spent on each indicator."""
    owner = np.repeat(np.arange(len(steps)), [len(s.spent) for s in steps])
    return np.asarray(np.bincount(owner, np.concatenate([s.spent for s in steps]) * taken, len(steps)), np.float64)


def _lead(task: Task, k: int, spent: Array) -> Array:
    """(step, goal): the unit's lead over each rival, or its score, as far as one indicator decides it."""
    t, i = task.trials, int(task.columns[k])
    values = task.start[k] + spent / task.full[k] * (task.bound[k] - task.start[k])
    if _alone(task):
        z = t.held(i, values) if t.steady[i] else t.column(i, np.full(len(values), task.unit), values)[:, task.unit]
        return np.asarray(t.shares[task.unit, i] * z)[:, None]
    z = np.nan_to_num(t.shares[:, i] * t.column(i, np.full(len(values), task.unit), values))
    return np.asarray(z[:, [task.unit]] - z[:, _rivals(task)])


def _alone(task: Task) -> bool:
    """Whether the goal is a score of the unit, whatever the others do."""
    return task.score == task.score or bool(task.trials.steady[task.columns].all())


def _rivals(task: Task) -> Places:
    t = task.trials
    return np.flatnonzero(t.counts & (t.scores > t.scores[task.unit] - _grain(t)) & (np.arange(len(t.scores)) != task.unit))


def _grain(t: Trials) -> float:
    """Differences of scores that do not count."""
    decimals = t.result.recipe.decimals
    told = t.scores[t.counts & ~np.isnan(t.scores)]
    return max(64 * GRAIN * float(np.ptp(told)), 0.0 if decimals is None else 1.01 * 10.0**-decimals)


def _goal(task: Task, found: Found | None) -> tuple[Array, int, float]:
    """What each rival asks for, how many must be overtaken, and a cost known to do."""
    t = task.trials
    best = min(task.best, np.inf if found is None else found.cost)
    if _alone(task):
        short = (task.score if task.score == task.score else task.need - 2 * 64 * GRAIN * np.ptp(t.scores[t.counts & ~np.isnan(t.scores)])) - t.scores[
            task.unit
        ]
        return np.array([short]), 1, best
    rivals = _rivals(task)
    return t.scores[rivals] - t.scores[task.unit] - _grain(t), max(len(rivals) - task.most_above, 1), best


def _program(steps: list[Steps], short: Array, number: int, best: float) -> tuple[float, Array]:
    """The least cost at which so many of the goals are reached, and the share taken of each step."""
    near, floor = _near(steps, short, number, best)
    cost, brings = np.concatenate([s.spent for s in steps]), np.concatenate([s.brings[:, near] for s in steps])
    n, r = len(cost), len(near) if len(near) > number else 0  # r: which ones to overtake is open
    most = np.array([s.brings[:, near].min(axis=0) for s in steps]).sum(axis=0)
    free = sparse.diags(-np.maximum(short[near] - most, 0.0)) if r else sparse.csr_matrix((len(near), 0))
    one = sparse.csr_matrix((np.ones(n), (np.repeat(np.arange(len(steps)), [len(s.spent) for s in steps]), np.arange(n))), shape=(len(steps), n))
    rows = [LinearConstraint(sparse.hstack([sparse.csr_matrix(brings.T), -free]).tocsr(), lb=short[near]),
            LinearConstraint(sparse.hstack([one, sparse.csr_matrix((len(steps), r))]).tocsr(), ub=1.0)]  # fmt: skip
    if r:
        rows.append(LinearConstraint(np.concatenate([np.zeros(n), np.ones(r)])[None], ub=r - number))
    made = milp(np.concatenate([cost, np.zeros(r)]), integrality=np.concatenate([np.zeros(n), np.ones(r)]),
                bounds=Bounds(0, 1), constraints=rows, options={"time_limit": SECONDS, "mip_rel_gap": CLOSE / 10})  # fmt: skip
    if made.x is None:
        return floor, np.concatenate([(s.spent == s.spent.max()) & np.isnan(s.low) for s in steps]).astype(float)
    bound = made.mip_dual_bound if r and made.mip_dual_bound is not None else made.fun
    return max(float(bound) if len(near) == len(short) or floor == 0.0 else 0.0, floor), made.x[:n]


def _near(steps: list[Steps], short: Array, number: int, best: float) -> tuple[Places, float]:
    """Rivals that could be overtaken at a cost known to do; where there are too many, the easiest, and what even these cost alone."""
    with np.errstate(all="ignore"):
        pace = np.max([np.nanmax(np.where(s.spent[:, None] > 0, s.brings / s.spent[:, None], 0.0), axis=0) for s in steps], axis=0)
        free = np.sum([s.brings[s.spent == 0].max(axis=0) for s in steps], axis=0)
        alone = np.where(short <= free, 0.0, (short - free) / pace)
    near = np.flatnonzero(alone <= best)
    if number <= len(near) <= RIVALS:
        return near, 0.0
    order = np.argsort(alone, kind="stable")
    return order[: max(number, 1)], float(alone[order[number - 1]])


# --- concave trees ---------------------------------------------------------------------------------------------------------


def _concave(tree: Branch, z: Array) -> bool:
    """Whether a tree is made of weighted arithmetic and geometric means of scores above the floor only."""
    if tree.kind == "other" or (tree.weights < 0).any():
        return False
    if tree.kind == "product":
        parts = [z[p] if isinstance(p, int) else climb(p, z[None], np.array([0]))[0] for p in tree.parts]
        if any(v == v and v <= tree.floor + 1e-12 for v in parts):
            return False
    return all(isinstance(p, int) or _concave(p, z) for p in tree.parts)


def _slopes(tree: Branch, z: Array) -> tuple[float, Array]:
    """Score and its derivatives at the scores of the leaves."""
    values, slopes = [], []
    for p in tree.parts:
        if isinstance(p, int):
            value, slope = float(z[p]), np.zeros(len(z))
            slope[p] = 1.0
        else:
            value, slope = _slopes(p, z)
        values.append(value)
        slopes.append(slope)
    v, g = np.array(values), np.array(slopes)
    there = ~np.isnan(v)
    if not there.any():
        return np.nan, np.zeros(len(z))
    w = tree.weights[there] / tree.weights[there].sum()
    if tree.kind == "sum":
        return float(w @ v[there]), w @ g[there]
    score = float(np.exp(w @ np.log(v[there])))
    return score, score * (w / v[there]) @ g[there]


def _convex(task: Task, tree: Branch) -> Found | None:
    """Cutting planes: scores that reach the goal are a convex set, and a plane that touches it cuts nothing off it."""
    t = task.trials
    z0 = t.z[task.unit]
    need = task.score if task.score == task.score else task.need - 128 * GRAIN * np.ptp(t.scores[t.counts & ~np.isnan(t.scores)])
    around, cuts = [np.zeros(0) for _ in task.columns], list[tuple[Array, float]]()
    found: Found | None = None
    lowest = 0.0
    for _ in range(ROUNDS):
        grids = [_grid(task, k, around[k]) for k in range(len(task.columns))]
        values = [task.start[k] + g / task.full[k] * (task.bound[k] - task.start[k]) for k, g in enumerate(grids)]
        steps = [_steps(g, t.held(int(i), v)[:, None] - z0[i]) for i, g, v in zip(task.columns, grids, values, strict=True)]
        taken = np.zeros(sum(len(s.spent) for s in steps))
        for _ in range(CUTS):
            point = z0.copy()
            point[task.columns] += _spent([s._replace(spent=s.brings[:, 0]) for s in steps], taken)
            score, slope = _slopes(tree, point)
            if score >= need - 1e-10 * max(abs(need), 1e-300):
                break
            cuts.append((slope[task.columns], need - score + float(slope[task.columns] @ (point - z0)[task.columns])))
            bound, taken = _cut(steps, cuts)
            lowest = max(lowest, bound)
        found = _better(found, _repaired(task, _spent(steps, taken), lowest))
        if found is None or found.cost - lowest <= CLOSE * found.cost:
            break
        around = _closer(task, steps, taken, around)
    return None if found is None else found._replace(lowest=min(lowest, found.cost))


def _cut(steps: list[Steps], cuts: list[tuple[Array, float]]) -> tuple[float, Array]:
    """The least cost that satisfies all planes, and the share taken of each step."""
    cost = np.concatenate([s.spent for s in steps])
    gain = np.concatenate([s.brings[:, 0] for s in steps])
    owner = np.repeat(np.arange(len(steps)), [len(s.spent) for s in steps])
    one = (owner == np.arange(len(steps))[:, None]).astype(float)
    a = np.concatenate([one, [-slope[owner] * gain for slope, _ in cuts]])
    b = np.concatenate([np.ones(len(steps)), [-c for _, c in cuts]])
    made = linprog(cost, A_ub=a, b_ub=b, bounds=(0, 1), method="highs", options={"time_limit": SECONDS})
    if made.x is None:
        return 0.0, np.concatenate([(s.spent == s.spent.max()) & np.isnan(s.low) for s in steps]).astype(float)
    return float(made.fun), made.x


# --- anything --------------------------------------------------------------------------------------------------------------


def _search(task: Task, *, certain: bool) -> Found | None:
    """Boxes of what is spent on each indicator, the most promising first: one whose upper corner does not reach the goal is empty,
    one whose lower corner costs more than what is found is not looked at."""
    full, n = task.full, len(task.full)
    starts = [_repaired(task, spent, 0.0) for spent in (full, *np.diag(full))]  # of one as much as there is, of the rest what is missing
    found = min((s for s in starts if s is not None), key=lambda s: s.cost, default=None)
    if found is None:
        return None
    queue: list[tuple[float, int, Array, Array]] = [(0.0, 0, np.zeros(n), full.copy())]
    for number in range(1, BOXES):
        if not queue or queue[0][0] >= found.cost * (1 - CLOSE):
            break
        cost, _, low, high = heappop(queue)
        high = np.minimum(high, low + (found.cost - cost))  # no more than what is found may be spent
        k = int(np.argmax(high - low))
        middle = (low[k] + high[k]) / 2
        halves = [(low, _set(high, k, middle)), (_set(low, k, middle), high)]
        inside = task.reach(np.concatenate([task.at(h) for _, h in halves] + [task.at(lo) for lo, _ in halves]))
        for j, (lo, hi) in enumerate(halves):
            if inside[2 + j] and lo.sum() < found.cost:
                found = _better(found, _repaired(task, lo, 0.0)) or found
            elif inside[j]:
                heappush(queue, (float(lo.sum()), 2 * number + j, lo, hi))
    lowest = min([found.cost, *[q[0] for q in queue]])
    return found._replace(lowest=lowest if certain else None)


def _set(x: Array, k: int, value: float) -> Array:
    out = x.copy()
    out[k] = value
    return out


def _better(a: Found | None, b: Found | None) -> Found | None:
    return b if a is None or (b is not None and b.cost < a.cost) else a


# --- to a confirmed answer -------------------------------------------------------------------------------------------------


def _repaired(task: Task, spent: Array, lowest: float) -> Found | None:
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
                spent = _least_on(task, _set(spent, int(k), 0.0), spent)
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
