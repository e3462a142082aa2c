"""Ranks over editions, and who rose fastest beyond what choices of method can make."""

from __future__ import annotations

from typing import Any

import numpy as np

from biaochi.errors import BadOption
from biaochi.kernels import missing
from biaochi.method import Array, or_none
from biaochi.period import Period
from biaochi.result import Result, takes_result
from biaochi.robustness import robustness
from biaochi.scenarios import TIES
from biaochi.study import Study


@takes_result
def rank_flow(result: Result, node: str | None = None) -> list[dict[str, Any]]:
    """Rows of unit, and its rank in every period: order of the last period."""
    n = result.node_at(node)
    units = result.panel.units
    order = result.order(None, node)
    periods = [str(p) for p in result.panel.periods]
    return [{"unit": units[u].code, "ranks": {p: or_none(result.ranks[k, u, n]) for k, p in enumerate(periods)}} for u in order]


@takes_result
def risers(
    result: Result,
    since: str | Period | None = None,
    until: str | Period | None = None,
    *,
    study: Study | None = None,
    replicates: int = 1000,
    level: float = 0.9,
) -> list[dict[str, Any]]:
    """Who gained places between two periods, with the interval over what-ifs that both periods share.

    Parameters
    ----------
    result : Result
    since, until : str or Period, optional
        By default the last period with scores and the one before.
    study : Study, optional
        What varies; by default what `usual` finds.
    replicates : int
    level : float
        Share of the what-ifs inside the interval.

    Returns
    -------
    list of dict
        unit, rank_before, rank_after, places (gained), low, high, chance (share of what-ifs in which it rose), tied (whether the
        interval holds 0), points (difference of scores); most places first, those that are surest first among equals.

    Raises
    ------
    UnknownName, BadOption
        If a period is not known, or both are the same.
    """
    q = result.period_at(until)
    p = result.period_at(since) if since is not None else q - 1
    if p < 0 or p == q:
        raise BadOption("risers", "needs two different periods.", "须为两个不同的期。")
    first, last = (str(result.panel.periods[k]) for k in (p, q))
    made = robustness(result, study, replicates=replicates, periods=[first, last], keep=True, pairs=False)
    before, after = (_by_unit(made, k, len(result.panel.units)) for k in (first, last))
    known = (before > 0) & (after > 0)
    gained = np.where(known, before - after, np.nan)
    rows = []
    for u, unit in enumerate(result.panel.units):
        a, b = result.ranks[p, u, 0], result.ranks[q, u, 0]
        if np.isnan(a) or np.isnan(b) or not known[u].any():
            continue
        low, high = missing.quantile(gained[u], [(1 - level) / 2, (1 + level) / 2])
        rows.append({"unit": unit.code, "rank_before": float(a), "rank_after": float(b), "places": float(a - b), "low": float(low), "high": float(high),
                     "chance": float(missing.mean(gained[u] > 0)), "tied": bool(low <= 0 <= high), "points": or_none(result.scores[q, u, 0] - result.scores[p, u, 0])})  # fmt: skip
    return sorted(rows, key=lambda r: (-r["places"], -r["chance"], r["unit"]))


def _by_unit(made: Any, period: str, units: int) -> Array:
    """(unit, replicate) ranks; 0 for none."""
    found = made.ranks(None, period)
    at = made.targets.index((found.node, period)) if hasattr(found, "node") else [p for _, p in made.targets].index(period)
    kept = made.counted.ranks[at]
    out = np.zeros((units, kept.shape[1]))
    out[np.asarray(found.target.order)] = kept / (2.0 if made.plan.ties == TIES["average"] else 1.0)
    return out
