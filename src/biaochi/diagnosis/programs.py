"""The cheapest combination of changes as a program over steps: linear where the tree is a sum, cutting planes where it is concave."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

from biaochi.diagnosis.task import CLOSE, Found, Places, Task, better, repaired
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
SECONDS = 10.0
"""A program may take."""


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


def linear(task: Task) -> Found | None:
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
        made = repaired(task, _spent(steps, taken), lowest)
        found = better(found, made)
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


def concave(tree: Branch, z: Array) -> bool:
    """Whether a tree is made of weighted arithmetic and geometric means of scores above the floor only."""
    if tree.kind == "other" or (tree.weights < 0).any():
        return False
    if tree.kind == "product":
        parts = [z[p] if isinstance(p, int) else climb(p, z[None], np.array([0]))[0] for p in tree.parts]
        if any(v == v and v <= tree.floor + 1e-12 for v in parts):
            return False
    return all(isinstance(p, int) or concave(p, z) for p in tree.parts)


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


def convex(task: Task, tree: Branch) -> Found | None:
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
        found = better(found, repaired(task, _spent(steps, taken), lowest))
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
