"""Exact answers about weights: how far one may move, which ranks are reachable, who is ahead whatever the weights."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biaochi.errors import BadOption, UnknownName
from biaochi.errors import Text as _Text
from biaochi.limits import Limits, restrictions
from biaochi.method import Array, is_number, is_whole, or_none
from biaochi.period import Period
from biaochi.result import Result, takes_result
from biaochi.robustness import Robustness, a_study
from biaochi.stability import Field, field_of

MOST_UNITS = 400
"""Units up to which all pairs are compared by linear programs."""


# --- a region of weights ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Region:
    """Weights that are allowed: rows ``a v <= 0`` over v from 0 up, in any unit."""

    a: Array
    """(row, input)."""
    low: Array | None = None
    """(input,) and ``high``: a box instead of rows; differences then have closed forms."""
    high: Array | None = None


def region_of(f: Field, noise: float | None, bounds: Mapping[str, tuple[float, float]] | None, limits: Limits | None) -> Region:
    """The region asked for: noise around the stated weights, bounds on shares, or limits."""
    if sum(v is not None for v in (noise, bounds, limits)) > 1:
        raise BadOption("region", "takes one of noise, bounds and limits.", "noise、bounds、limits 只能给出一个。")
    if bounds is not None:
        for c in bounds:
            if c not in f.inputs:
                raise UnknownName(_Text("input under bounds", "bounds 中的投入项"), c, f.inputs)
        limits = Limits(shares=dict(bounds), at="weights")
    if limits is not None:
        if limits.at != "weights":
            limits = Limits(limits.shares, limits.within, limits.ratios, limits.order, limits.weights, "weights")
        made = restrictions(limits, f.inputs, f.result.framework, np.ones(len(f.inputs)))
        if limits.weights:
            raise BadOption("limits", "of weights themselves mean nothing here; use shares or ratios.", "此处对权重本身的限制没有意义，请用 shares 或 ratios。")
        return Region(np.empty((0, len(f.inputs))) if made is None else made.weights)
    size = 0.25 if noise is None else noise
    if not is_number(size) or not 0 <= size <= 1:
        raise BadOption("noise", f"must be a share from 0 to 1; got {size!r}.", f"应为 0 到 1 之间的比例；得到 {size!r}。")
    low, high = f.weights * (1 - size), f.weights * (1 + size)
    return Region(np.empty((0, len(f.inputs))), low, high)


@dataclass(frozen=True, eq=False)
class Reachable:
    """What ranks weights of a region can give."""

    field: Field
    nominal: NDArray[np.int64]
    """(unit,) rank under the stated weights, among the units looked at; ties share the best."""
    best: NDArray[np.int64]
    """(unit,) best rank under any weights of the region."""
    worst: NDArray[np.int64]
    """(unit,) worst rank, ties counting against the unit."""
    ahead: NDArray[np.bool_]
    """(unit, unit) whether the first is ahead of the second whatever the weights."""
    solved: NDArray[np.bool_]
    """(unit,) False where best and worst are bounds from pairs only: not asked for, or too many units."""

    @property
    def exact(self) -> bool:
        """Whether best and worst are exact for all units."""
        return bool(self.solved.all())

    def rows(self) -> list[dict[str, Any]]:
        """One row a unit, in nominal order."""
        order = np.lexsort((np.arange(len(self.nominal)), self.nominal))
        codes = self.field.codes
        return [
            {"unit": codes[i], "rank": int(self.nominal[i]), "best": int(self.best[i]), "worst": int(self.worst[i]),
             "always_ahead_of": int(self.ahead[i].sum()), "always_behind": int(self.ahead[:, i].sum()), "exact": bool(self.solved[i])}
            for i in order
        ]  # fmt: skip

    def dominates(self, a: str, b: str) -> bool:
        """Whether unit ``a`` is ahead of unit ``b`` whatever the weights."""
        codes = self.field.codes
        for c in (a, b):
            if c not in codes:
                raise UnknownName(_Text("unit", "单位"), c, codes)
        return bool(self.ahead[codes.index(a), codes.index(b)])


@takes_result
def reachable_ranks(
    result: Result,
    node: str | None = None,
    *,
    period: str | Period | None = None,
    noise: float | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    limits: Limits | None = None,
    units: Sequence[str] | None = None,
) -> Reachable:
    """Best and worst rank each unit can reach, and who is always ahead of whom, over a region of weights.

    Parameters
    ----------
    result : Result
    node : str, optional
        Whose children are weighed; the index by default. Its mean must be arithmetic, geometric, harmonic or a power mean.
    period : str or Period, optional
    noise : float, optional
        The region in which each weight is between (1 - noise) and (1 + noise) times what is stated; 0.25 by default.
    bounds : mapping of str to (low, high), optional
        Instead, lowest and highest share of each child; those not named are free.
    limits : Limits, optional
        Instead, shares, ratios and orders (see `Limits`).
    units : sequence of str, optional
        Units whose best and worst ranks are wanted; all by default.

    Returns
    -------
    Reachable
        Pairs by closed form (noise) or linear programs, ranks by mixed-integer programs (HiGHS) where the pairs leave
        room. With more than 400 units and none named, ranks are bounds from the pairs (``exact`` is False).

    References
    ----------
    .. [1] Salo and Punkka, Management Science 57 (2011) 201-214 (ranking intervals and dominance).
    """
    for name, given, fits in (("bounds", bounds, isinstance(bounds, Mapping)), ("limits", limits, isinstance(limits, Limits)),
                              ("units", units, isinstance(units, (list, tuple)))):  # fmt: skip
        if given is not None and not fits:
            wanted_en, wanted_zh = {"bounds": ("a table of two numbers by child", "以下级为键的两数表"), "limits": ("biaochi.Limits(...)", "biaochi.Limits(...)"),
                                    "units": ("a list of unit codes", "单位代码列表")}[name]  # fmt: skip
            raise BadOption(name, f"must be {wanted_en}; got {given!r}.", f"应为{wanted_zh}；得到 {given!r}。")
    f = field_of(result, node, period)
    region = region_of(f, noise, bounds, limits)
    n = len(f.units)
    if region.low is None and n > MOST_UNITS:
        raise BadOption(
            "reachable_ranks",
            f"compares up to {MOST_UNITS} units under bounds or limits; got {n}. Use noise, or fewer units.",
            f"bounds 或 limits 下最多比较 {MOST_UNITS} 个单位；得到 {n} 个。请改用 noise 或减少单位。",
        )
    wanted = range(n) if units is None else [_place(f, c) for c in units]
    least = _least(f, region)
    ahead = least > f.tie
    best, worst = 1 + ahead.sum(axis=0), n - ahead.sum(axis=1)
    solved = np.zeros(n, bool)
    if n <= MOST_UNITS or units is not None:
        solved[list(wanted)] = True
        for i in wanted:
            best[i], worst[i] = _extreme(f, region, least, i, up=True), _extreme(f, region, least, i, up=False)
    score = f.x @ f.weights
    nominal = 1 + np.array([(score > s + f.tie).sum() for s in score])
    return Reachable(f, nominal, best, worst, ahead, solved)


def _place(f: Field, code: str) -> int:
    if code not in f.codes:
        raise UnknownName(_Text("unit with all inputs", "具备全部投入项的单位"), code, f.codes)
    return f.codes.index(code)


def _least(f: Field, region: Region) -> Array:
    """(unit, unit) smallest difference of the first's sum and the second's over the region, weights summing to 1 or about so."""
    n = len(f.x)
    out = np.empty((n, n))
    if region.low is not None and region.high is not None:
        scale = 1.0 / region.high.sum()  # the sign is what counts; this keeps the size of a score
        for i in range(n):
            d = f.x[i] - f.x
            out[i] = (np.where(d > 0, region.low, region.high) * d).sum(axis=1) * scale
        return out
    corners = _corners(region)
    if corners is not None:
        at = f.x @ corners.T
        for i in range(n):
            out[i] = (at[i] - at).min(axis=1)
        return out
    return _least_by_programs(f, region)


def _corners(region: Region) -> Array | None:
    """Corners of the region with weights summing to 1, where it has few enough rows to try all; None otherwise."""
    from itertools import combinations
    from math import comb

    k = region.a.shape[1]
    rows = np.vstack([region.a, -np.eye(k)])
    if comb(len(rows), k - 1) > 200_000:
        return None
    found = []
    for chosen in combinations(range(len(rows)), k - 1):
        m = np.vstack([rows[list(chosen)], np.ones(k)])
        if abs(np.linalg.det(m)) < 1e-12:
            continue
        v = np.linalg.solve(m, np.append(np.zeros(k - 1), 1.0))
        if (rows @ v <= 1e-10).all():
            found.append(v)
    return np.unique(np.round(found, 12), axis=0) if found else None


def _least_by_programs(f: Field, region: Region) -> Array:
    from scipy.optimize import linprog

    n, k = f.x.shape
    out = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            if i != j:
                d = f.x[i] - f.x[j]
                got = linprog(d, A_ub=region.a, b_ub=np.zeros(len(region.a)), A_eq=np.ones((1, k)), b_eq=[1.0], method="highs")
                out[i, j] = got.fun
    return out


def _extreme(f: Field, region: Region, least: Array, i: int, *, up: bool) -> int:
    """Best (``up``) or worst rank of a unit: fewest units ahead of it, or most that are ahead of it or level."""
    others = np.array([j for j in range(len(f.x)) if j != i])
    always_ahead = others[least[others, i] > f.tie] if up else others[least[others, i] >= -f.tie]
    never_ahead = others[least[i, others] >= -f.tie] if up else others[least[i, others] > f.tie]
    unsettled = np.setdiff1d(others, np.concatenate([always_ahead, never_ahead]))
    more = _most_or_fewest(f, region, least, i, unsettled, up=up) if unsettled.size else 0
    return 1 + len(always_ahead) + more


@contextmanager
def silenced() -> Iterator[None]:
    """Keep what HiGHS's mixed-integer solver prints by itself off standard output."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        with open(os.devnull, "w", encoding="utf-8") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _most_or_fewest(f: Field, region: Region, least: Array, i: int, unsettled: NDArray[np.intp], *, up: bool) -> int:
    """How many of the unsettled units are ahead at best (``up``), or ahead or level at worst, by a mixed-integer program.

    Up: d v <= reach z, z = 1 where j is ahead. Down: d v <= reach (1 - z), z = 1 where j is ahead or level.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    k, m = f.x.shape[1], len(unsettled)
    sign = 1.0 if up else -1.0
    d = sign * (f.x[unsettled] - f.x[i])  # up: how far j is ahead; down: how far it is behind
    slack = np.diag((-least[i, unsettled] if up else -least[unsettled, i]) * 1.0000001 + f.tie)
    rows, right = (np.hstack([d, -slack]), np.full(m, f.tie)) if up else (np.hstack([d, slack]), slack.sum(axis=1) + f.tie)
    constraints = [LinearConstraint(rows, -np.inf, right)]
    if region.low is not None and region.high is not None:
        scale = region.high.sum()
        box = Bounds(np.concatenate([region.low / scale, np.zeros(m)]), np.concatenate([region.high / scale, np.ones(m)]))
    else:
        constraints.append(LinearConstraint(np.append(np.ones(k), np.zeros(m))[None], 1.0, 1.0))
        constraints += [LinearConstraint(np.hstack([region.a, np.zeros((len(region.a), m))]), -np.inf, 0.0)] if len(region.a) else []
        box = Bounds(np.zeros(k + m), np.ones(k + m))
    cost, whole = np.append(np.zeros(k), np.ones(m) * sign), np.append(np.zeros(k), np.ones(m))
    with silenced():
        got = milp(cost, constraints=constraints, bounds=box, integrality=whole)
    if got.x is None:  # the solver gave up: the bound from pairs stands
        return 0 if up else m
    return round(float(np.sum(got.x[k:])))


# --- acceptability ----------------------------------------------------------------------------------------------------------------


def acceptability(made: Robustness, *, rank: int = 1) -> list[dict[str, Any]]:
    """How acceptable each unit is at a rank, and the mean weights that put it there (SMAA).

    Parameters
    ----------
    made : Robustness
        With ``keep=True``.
    rank : int
        The rank, or better.

    Returns
    -------
    list of dict
        unit, acceptability (share of the replicates with that rank or better), and ``weights``: the central weight
        vector, mean shares among siblings of those replicates; None where there are none. Highest first.

    References
    ----------
    .. [1] Lahdelma and Salminen, Operations Research 49 (2001) 444-454 (SMAA-2).
    """
    a_study(made, "acceptability")
    if not is_whole(rank, 1):
        raise BadOption("rank", f"must be a whole number from 1 up; got {rank!r}.", f"应为不小于 1 的整数；得到 {rank!r}。")
    if made.counted.ranks is None:
        raise BadOption("acceptability", "needs a study made with keep=True.", "需要以 keep=True 运行的研究。")
    t, tree = made.plan.targets[0], made.plan.tree
    weights = np.array([[row["weights"][n.code] for n in tree.nodes[1:]] for row in made.parameters()])
    share = np.full_like(weights, np.nan)
    for kids in tree.kids.values():
        at = [k - 1 for k in kids]
        with np.errstate(all="ignore"):
            share[:, at] = weights[:, at] / weights[:, at].sum(axis=1, keepdims=True)
    out = []
    for k, u in enumerate(t.order):
        ranks = made.counted.ranks[0][k]
        there = ranks > 0
        hits = there & (ranks <= rank * (2 if made.plan.ties == 2 else 1))
        row: dict[str, Any] = {"unit": made.result.panel.units[int(u)].code, "acceptability": or_none(hits.sum() / there.sum()) if there.any() else None}
        row["weights"] = None if not hits.any() else {n.code: float(w) for n, w in zip(tree.nodes[1:], share[hits].mean(axis=0), strict=True)}
        out.append(row)
    return sorted(out, key=lambda r: -(r["acceptability"] or 0.0))
