"""The cheapest change in several indicators that reaches a goal, and what no such change can cost less than."""

from __future__ import annotations

from heapq import heappop, heappush

import numpy as np

from biaochi.diagnosis.ladder import ladder
from biaochi.diagnosis.programs import concave, convex, linear
from biaochi.diagnosis.task import CLOSE, Found, Task, better, repaired, with_one
from biaochi.method import Array

BOXES = 1500
EXCHANGES = 60
"""Exchanges followed to their end."""


def cheapest(task: Task) -> Found | None:
    """The cheapest combination: a linear program where the tree is a sum, cutting planes where it is a concave function of
    scores on a scale that stays, else a search in boxes; None where all bounds together do not reach the goal."""
    if not len(task.columns) or not task.reach(task.at(task.full))[0]:
        return None
    if task.trials.additive:
        return linear(task)
    tree = ladder(task.trials.result, (np.array([task.trials.p]), np.array([task.unit])))
    steady = bool(task.trials.steady[task.columns].all())
    if steady and concave(tree, task.trials.z[task.unit]):
        return convex(task, tree)
    return _search(task, certain=steady)


def _search(task: Task, *, certain: bool) -> Found | None:
    """Boxes of what is spent on each indicator, the most promising first: one whose upper corner does not reach the goal is empty,
    one whose lower corner costs more than what is found is not looked at."""
    full, n = task.full, len(task.full)
    starts = [repaired(task, spent, 0.0) for spent in (full, *np.diag(full))]  # of one as much as there is, of the rest what is missing
    found = min((s for s in starts if s is not None), key=lambda s: s.cost, default=None)
    if found is None:
        return None
    found = _exchanged(task, found)
    queue: list[tuple[float, int, Array, Array]] = [(0.0, 0, np.zeros(n), full.copy())]
    for number in range(1, BOXES):
        if not queue or queue[0][0] >= found.cost * (1 - CLOSE):
            break
        cost, _, low, high = heappop(queue)
        high = np.minimum(high, low + (found.cost - cost))  # no more than what is found may be spent
        k = int(np.argmax(high - low))
        middle = (low[k] + high[k]) / 2
        halves = [(low, with_one(high, k, middle)), (with_one(low, k, middle), high)]
        inside = task.reach(np.concatenate([task.at(h) for _, h in halves] + [task.at(lo) for lo, _ in halves]))
        for j, (lo, hi) in enumerate(halves):
            if inside[2 + j] and lo.sum() < found.cost:
                found = better(found, repaired(task, lo, 0.0)) or found
            elif inside[j]:
                heappush(queue, (float(lo.sum()), 2 * number + j, lo, hi))
    found = _exchanged(task, found)
    lowest = min([found.cost, *[q[0] for q in queue]])
    return found._replace(lowest=lowest if certain else None)


def _exchanged(task: Task, found: Found) -> Found:
    """Spend a little more on one indicator and as much less on another as that allows, as long as it pays."""
    share, left = 0.3, EXCHANGES
    while share > 1e-3 and left > 0:
        spent = np.abs(found.values[task.columns] - task.start) * task.price
        pairs = [(i, j) for j in np.flatnonzero(spent > 0) for i in range(len(spent)) if i != j and spent[i] < task.full[i]]
        if not pairs:
            break
        more = np.repeat(spent[None], len(pairs), axis=0)
        less = more.copy()
        for row, (i, j) in enumerate(pairs):
            more[row, i] = min(spent[i] + share * found.cost, task.full[i])
            less[row] = with_one(more[row], int(j), max(spent[j] - (more[row, i] - spent[i]) * (1 + 1e-6), 0.0))
        made = [repaired(task, more[row], 0.0) for row in np.flatnonzero(task.reach(task.at(less)))[: min(3, left)]]
        left -= len(made)
        best = min((m for m in made if m is not None), key=lambda m: m.cost, default=found)
        found, share = (best, share) if best.cost < found.cost * (1 - 1e-5) else (found, share / 2)
    return found
