"""Who is alike: nearest units by profile or by context, groups with their stability, and who was here before and went on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage

from biaochi.diagnosis.gaps import scores_of
from biaochi.diagnosis.ladder import ladder
from biaochi.errors import BadOption, Text, UnknownName
from biaochi.kernels import missing
from biaochi.kernels.shapley import shapley
from biaochi.method import Array, is_whole
from biaochi.period import Period
from biaochi.result import Result, takes_result

RESAMPLED = 100
FEWEST = 4
"""Units that groups can be made of at least."""
SHARE = 0.5
"""Values that two units must have in common."""


@takes_result
def nearest(result: Result, unit: str, n: int = 5, *, by: Sequence[str] | None = None, period: str | Period | None = None) -> list[dict[str, Any]]:
    """The units most alike.

    Parameters
    ----------
    result : Result
    unit : str
    n : int
    by : sequence of str, optional
        Indicators or series, in standard deviations (such as population or income: the context); by default the profile: scores
        of the indicators, each by its weight in the index.
    period : str or Period, optional

    Returns
    -------
    list of dict
        unit, distance, shared (values both have); nearest first. Units with less than half of the values in common are left out.

    Raises
    ------
    UnknownName, BadOption
        If a name is not known, or the unit has no values.
    """
    if not is_whole(n, 1):
        raise BadOption("n", f"must be a whole number from 1 up; got {n!r}.", f"n 应为不小于 1 的整数；得到 {n!r}。")
    p, u = result.period_at(period), result.panel.position(unit)
    x = _context(result, p, by) if by is not None else _profile(result, p)
    distance, shared = _distances(x)
    if not (shared[u, np.arange(len(x)) != u] > 0).any():
        raise BadOption(
            "nearest", f"has no values of {unit!r} to compare in {result.panel.periods[p]}.", f"{result.panel.periods[p]} 中 {unit!r} 没有可比较的数值。"
        )
    able = [k for k in range(len(x)) if k != u and result.counts[p, k] and shared[u, k] >= SHARE * x.shape[1]]
    order = sorted(able, key=lambda k: (distance[u, k], result.panel.units[k].code))[:n]
    return [{"unit": result.panel.units[k].code, "distance": float(distance[u, k]), "shared": int(shared[u, k])} for k in order]


def _profile(result: Result, p: int) -> Array:
    weights = np.array([result.effective_weights[c] for c in result.indicators])
    z = scores_of(result, p)
    low, high = result.recipe.range
    return np.asarray(z * np.sqrt(np.maximum(weights, 0.0) / max(weights.sum(), 1e-300)) / max(high - low, 1e-300))


def _context(result: Result, p: int, by: Sequence[str]) -> Array:
    codes = [by] if isinstance(by, str) else list(by)
    for c in codes:
        if c not in result.panel.codes:
            raise UnknownName(Text("series of the data", "数据中的序列"), c, result.panel.codes)
    x = result.panel.values[p][:, [result.panel.codes.index(c) for c in codes]]
    with np.errstate(all="ignore"):
        spread = missing.spread(x, axis=0)
        return np.asarray((x - missing.mean(x, axis=0)) / np.where(spread > 0, spread, 1.0))


def _distances(x: Array) -> tuple[Array, NDArray[np.intp]]:
    """(unit, unit) distances over what both have, stretched to all columns, and how much that is."""
    there = (~np.isnan(x)).astype(float)
    filled = np.where(np.isnan(x), 0.0, x)
    shared = there @ there.T
    square = (filled**2) @ there.T
    total = np.maximum(square + square.T - 2 * filled @ filled.T, 0.0)
    with np.errstate(all="ignore"):
        return np.sqrt(total * x.shape[1] / np.where(shared > 0, shared, np.nan)), shared.astype(np.intp)


@takes_result
def alike(result: Result, groups: int | None = None, *, by: Sequence[str] | None = None, period: str | Period | None = None, seed: int = 1) -> dict[str, Any]:
    """Units in groups, with how stable each group is.

    Ward's method on the profiles (or on ``by``, as in `nearest`); gaps are filled with the mean. The stability of a group is the mean
    of its best Jaccard similarity with the groups of 100 resamples of the units: above 0.75 it is taken to be there.

    Parameters
    ----------
    result : Result
    groups : int, optional
        How many; by default, of 2 to 8, the number whose least stable group is the most stable.
    by, period
        As in `nearest`.
    seed : int
        Of the resamples.

    Returns
    -------
    dict
        "groups": list of group, units, stability, and mean score; by mean score, best first. "number": how many.

    References
    ----------
    .. [1] Ward, JASA 58 (1963) 236-244; Hennig, Computational Statistics & Data Analysis 52 (2007) 258-271.
    """
    p = result.period_at(period)
    able = np.flatnonzero(result.counts[p] & ~np.isnan(result.scores[p, :, 0]))
    if len(able) < FEWEST:
        raise BadOption("alike", f"needs {FEWEST} units with scores or more; got {len(able)}.", f"至少需要 {FEWEST} 个有分的单位；得到 {len(able)} 个。")
    if groups is not None and (not is_whole(groups, 2) or groups >= len(able)):
        raise BadOption(
            "groups", f"must be a whole number from 2 to {len(able) - 1}; got {groups!r}.", f"组数应为 2 至 {len(able) - 1} 的整数；得到 {groups!r}。"
        )
    x = (_context(result, p, by) if by is not None else _profile(result, p))[able]
    with np.errstate(all="ignore"):
        x = np.where(np.isnan(x), np.nan_to_num(missing.mean(x, axis=0)), x)
    tried = [groups] if groups is not None else [k for k in range(2, 9) if k < len(able) - 1]
    found = {k: _stability(x, int(k), np.random.Generator(np.random.Philox(seed))) for k in tried}
    best = max(found, key=lambda k: (found[k][1].min(), -k))
    which, stable = found[best]
    rows: list[dict[str, Any]] = [{"units": [result.panel.units[able[i]].code for i in np.flatnonzero(which == g)], "stability": float(stable[g]),
             "score": float(result.scores[p, able[which == g], 0].mean())} for g in range(best)]  # fmt: skip
    rows.sort(key=lambda r: float(-r["score"]))
    return {"number": int(best), "groups": [{"group": k + 1, **r} for k, r in enumerate(rows)]}


def _cut(x: Array, k: int) -> NDArray[np.intp]:
    return np.asarray(fcluster(linkage(x, "ward"), k, "maxclust") - 1, np.intp)


def _stability(x: Array, k: int, rng: np.random.Generator) -> tuple[NDArray[np.intp], Array]:
    which = _cut(x, k)
    k = int(which.max()) + 1
    total = np.zeros(k)
    times = np.zeros(k)
    for _ in range(RESAMPLED):
        drawn = np.unique(rng.integers(0, len(x), len(x)))
        if len(drawn) <= k:
            continue
        again = _cut(x[drawn], k)
        for g in range(k):
            inside = which[drawn] == g
            if inside.any():
                similar = [(inside & (again == h)).sum() / (inside | (again == h)).sum() for h in range(int(again.max()) + 1)]
                total[g] += max(similar)
                times[g] += 1
    return which, total / np.maximum(times, 1)


@takes_result
def went_before(result: Result, unit: str, n: int = 3, *, period: str | Period | None = None) -> list[dict[str, Any]]:
    """Who was where the unit is now, and what they raised since.

    Parameters
    ----------
    result : Result
    unit : str
    n : int
    period : str or Period, optional

    Returns
    -------
    list of dict
        unit, since (the last period in which its score was no higher than the unit's is now), score then and now, points and places
        gained, years, raised: indicator and points, most first. Those that gained most a year come first.

    Raises
    ------
    UnknownName, BadOption
        If a name is not known, or there is no earlier period.
    """
    q, u = result.period_at(period), result.panel.position(unit)
    if q == 0:
        raise BadOption("went_before", f"needs a period before {result.panel.periods[q]}.", f"需要 {result.panel.periods[q]} 之前的数据。")
    own = result.scores[q, u, 0]
    ends = np.array([p.end_month / 12.0 for p in result.panel.periods])
    cases = []
    for v in range(len(result.panel.units)):
        now = result.scores[q, v, 0]
        below = np.flatnonzero(result.scores[:q, v, 0] <= own)
        if v == u or not result.counts[q, v] or not now > own or not below.size:
            continue
        p = int(below[-1])
        cases.append(((now - result.scores[p, v, 0]) / (ends[q] - ends[p]), v, p))
    rows = []
    for pace, v, p in sorted(cases, key=lambda c: (-c[0], result.panel.units[c[1]].code))[:n]:
        tree = ladder(result, (np.array([q]), np.array([v])))
        points, _ = shapley(tree, scores_of(result, q)[[v]], scores_of(result, p)[[v]])
        raised = [
            {"indicator": result.indicators[i], "points": float(points[0, i])} for i in np.argsort(-np.nan_to_num(points[0]), kind="stable") if points[0, i] > 0
        ]
        rows.append({"unit": result.panel.units[v].code, "since": str(result.panel.periods[p]), "score_then": float(result.scores[p, v, 0]),
                     "score_now": float(result.scores[q, v, 0]), "points": float(result.scores[q, v, 0] - result.scores[p, v, 0]),
                     "places": float(result.ranks[p, v, 0] - result.ranks[q, v, 0]), "years": float(ends[q] - ends[p]), "pace": float(pace), "raised": raised})  # fmt: skip
    return rows
