"""Programs of one unit at a time by HiGHS: for restrictions the side-by-side method does not take, and to settle doubt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from biaochi.kernels.frontier.active import Ints, Solved
from biaochi.method import Array

FIRST = 64
"""Rows a program starts with at least, where there are more."""


@dataclass(frozen=True)
class Restrictions:
    """Restrictions of weights w, shares v_j = w_j y_j of a unit's value, and level t: three blocks of ``... <= 0``."""

    weights: Array
    """(restriction, indicator)"""
    shares: Array
    """(restriction, indicator)"""
    level: Array
    """(restriction,)"""

    def __len__(self) -> int:
        return len(self.level)

    def scaled(self) -> tuple[Array, Array, Array]:
        """The three blocks with the largest coefficient of each row at 1, lest a solver drops small ones."""
        size = np.max([np.abs(self.weights).max(axis=1, initial=0.0), np.abs(self.shares).max(axis=1, initial=0.0), np.abs(self.level)], axis=0)
        by = np.where(size > 0, size, 1.0)
        return self.weights / by[:, None], self.shares / by[:, None], self.level / by

    @classmethod
    def none(cls, m: int) -> Restrictions:
        """No restrictions on m indicators."""
        return cls(np.zeros((0, m)), np.zeros((0, m)), np.zeros(0))


def solve(rows: Array, values: Array, goal: Array, norm: Array | None, low: Array, restrictions: Restrictions) -> Solved:
    """Optimal weights of every unit by HiGHS, one model changed from unit to unit, rows brought in as they bind.

    For each unit k: minimise ``t - goal_k . w`` with ``rows . w <= t``, ``norm_k . w = 1`` (if any),
    ``w >= low_k`` and the restrictions on w, on ``v = w * values_k`` and on t.

    Parameters
    ----------
    rows : (row, indicator)
    values, goal, norm, low : (unit, indicator)
        ``norm`` may be None.
    restrictions : Restrictions

    Returns
    -------
    Solved
        NaN and ``good`` False for a unit whose restrictions no weights satisfy.
    """
    n, m = goal.shape
    model = _Model(rows, restrictions, norm is not None)
    weights, level = np.full((n, m), np.nan), np.full(n, np.nan)
    peers, intensities = np.full((n, m + 1), -1), np.zeros((n, m + 1))
    for k in range(n):
        got = model.run(values[k], goal[k], None if norm is None else norm[k], low[k])
        if got is not None:
            weights[k], level[k], binding, multipliers = got
            strongest = np.argsort(-multipliers, kind="stable")[: m + 1]
            peers[k, : len(strongest)], intensities[k, : len(strongest)] = binding[strongest], multipliers[strongest]
    peers[intensities <= 0] = -1
    return Solved(weights, level, peers, intensities, ~np.isnan(level), np.zeros(n, bool))


class _Model:
    """One HiGHS model over (w, v, t); its rows: v = w * values, the norm, the restrictions, then those of the frontier."""

    def __init__(self, rows: Array, restrictions: Restrictions, normed: bool) -> None:
        import highspy

        self.rows, self.m = rows, rows.shape[1]
        m = self.m
        self.inf = highspy.kHighsInf
        self.optimal, self.infeasible = highspy.HighsModelStatus.kOptimal, highspy.HighsModelStatus.kInfeasible
        h = self.h = highspy.Highs()  # type: ignore[no-untyped-call]
        h.silent()
        h.setOptionValue("primal_feasibility_tolerance", 1e-10)
        h.setOptionValue("dual_feasibility_tolerance", 1e-10)
        h.setOptionValue("presolve", "off")
        for _ in range(2 * m + 1):
            h.addVar(0.0, self.inf)
        self.shares = bool(np.any(restrictions.shares))
        for j in range(m if self.shares else 0):
            self._add(0.0, 0.0, {j: 1.0, m + j: -1.0})
        self.norm = self._add(1.0, 1.0, dict.fromkeys(range(m), 1.0)) if normed else None
        for w, v, t in zip(*restrictions.scaled(), strict=True):
            self._add(-self.inf, 0.0, {j: float(c) for j, c in enumerate((*w, *v, t)) if c})
        self.first = h.getNumRow()
        self.taken: list[int] = []
        self._take(np.unique(np.concatenate([rows.argmax(axis=0), np.arange(len(rows))[:FIRST]])))

    def _add(self, low: float, high: float, entries: dict[int, float]) -> int:
        self.h.addRow(low, high, len(entries), np.fromiter(entries, np.int32), np.fromiter(entries.values(), float))
        return int(self.h.getNumRow()) - 1

    def _take(self, which: Ints) -> None:
        for i in which:
            entries = {j: float(c) for j, c in enumerate(self.rows[i]) if c}
            self._add(-self.inf, 0.0, {**entries, 2 * self.m: -1.0})
            self.taken.append(int(i))

    def run(self, values: Array, goal: Array, norm: Array | None, low: Array) -> tuple[Array, float, Ints, Array] | None:
        """Optimal weights, level, binding rows and their multipliers; None where no weights satisfy the restrictions."""
        h, m = self.h, self.m
        h.changeColsCost(2 * m + 1, np.arange(2 * m + 1, dtype=np.int32), np.concatenate([-goal, np.zeros(m), [1.0]]))
        h.changeColsBounds(m, np.arange(m, dtype=np.int32), low, np.full(m, self.inf))
        unit = _unit(values)
        for j in range(m):
            if self.shares:
                h.changeCoeff(j, j, float(values[j]) / unit)
            if self.norm is not None and norm is not None:
                h.changeCoeff(self.norm, j, float(norm[j]))
        while True:
            if not self._settled():
                left = np.setdiff1d(np.arange(len(self.rows)), self.taken)
                if not left.size or self.h.getModelStatus() == self.infeasible:  # which more rows do not mend
                    return None
                self._take(left)  # without them it may have no lowest value
                continue
            solution = h.getSolution()
            z = np.array(solution.col_value)
            w, t = z[:m], float(z[2 * m])
            beyond = self.rows @ w - t
            beyond[self.taken] = -np.inf
            new = np.argsort(-beyond)[:3]
            new = new[beyond[new] > 1e-11 * max(abs(t), 1.0)]
            if not new.size:
                duals = -np.array(solution.row_dual)[self.first :]
                return w, t, np.array(self.taken), np.maximum(duals, 0.0)
            self._take(new)

    def _settled(self) -> bool:
        """Run, and run again from scratch where the answer is not beyond doubt; whether there is an optimum."""
        for attempt in range(2):
            self.h.run()
            status: Any = self.h.getModelStatus()
            info = self.h.getInfo()
            gap = abs(info.objective_function_value - self._dual_value()) if status == self.optimal else np.inf
            if status == self.optimal and gap <= 1e-9 * max(abs(info.objective_function_value), 1.0):
                return True
            if status == self.infeasible and attempt:
                return False
            if attempt == 0:
                self.h.clearSolver()
        return bool(status == self.optimal)

    def _dual_value(self) -> float:
        """Objective of the dual solution: only the norm and bounds other than 0 enter."""
        solution, lp = self.h.getSolution(), self.h.getLp()
        low = np.array(lp.col_lower_)
        reduced = np.array(solution.col_dual)
        value = float((np.where(np.isfinite(low), low, 0.0) * reduced).sum())
        return value + (float(solution.row_dual[self.norm]) if self.norm is not None else 0.0)


def vertex(cone: Array) -> tuple[Ints, Array] | None:
    """Active constraints, and the point, of a vertex of ``cone . p <= 0, p >= 0, sum p = 1``: bounds 0 to m - 1, restrictions from m up.

    None where there is none: no weights satisfy the restrictions.
    """
    import highspy

    m = cone.shape[1]
    h = highspy.Highs()  # type: ignore[no-untyped-call]
    h.silent()
    h.setOptionValue("presolve", "off")
    for _ in range(m):
        h.addVar(0.0, highspy.kHighsInf)
    every = np.arange(m, dtype=np.int32)
    h.addRow(1.0, 1.0, m, every, np.ones(m))
    for row in cone:
        h.addRow(-highspy.kHighsInf, 0.0, m, every, np.asarray(row, float))
    h.run()
    if h.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    basis = h.getBasis()
    inside = highspy.HighsBasisStatus.kBasic
    bounds = [j for j, status in enumerate(basis.col_status) if status != inside]
    binding = [m + i for i, status in enumerate(basis.row_status[1:]) if status != inside]
    return np.array(bounds + binding, np.intp), np.array(h.getSolution().col_value)


def _unit(values: Array) -> float:
    """What shares of a unit are counted in: its smallest value, lest small shares drown in the tolerance."""
    there = values[values > 0]
    return max(float(there.min()), 1e-9 * float(there.max())) if there.size else 1.0


def shut_out(restrictions: Restrictions, values: Array) -> bool:
    """Whether no weights give a unit with these values a sum above 0 within restrictions of weights and shares."""
    from scipy.optimize import linprog

    free = restrictions.level == 0
    unit = values / values.max()
    weights, shares, _ = Restrictions(restrictions.weights[free], restrictions.shares[free] * unit, restrictions.level[free]).scaled()
    rows = np.stack([weights, shares]).sum(axis=0)
    got = linprog(np.zeros(len(values)), A_ub=rows, b_ub=np.zeros(len(rows)), A_eq=unit[None], b_eq=[1.0], method="highs")
    return bool(got.status == 2)


def feasible(restrictions: Restrictions, values: Array) -> bool:
    """Whether any weights at all satisfy the restrictions of weights and shares for a unit with these values."""
    from scipy.optimize import linprog

    rows = restrictions.weights + restrictions.shares * np.where(values > 0, values, 1.0)
    free = restrictions.level == 0
    m = rows.shape[1]
    got = linprog(np.zeros(m), A_ub=rows[free], b_ub=np.zeros(int(free.sum())), A_eq=np.ones((1, m)), b_eq=[1.0], method="highs") if free.any() else None
    return got is None or got.status == 0
