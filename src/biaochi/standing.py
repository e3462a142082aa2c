"""Where a unit stands: ranks inside groups, strengths and weaknesses."""

from __future__ import annotations

from typing import Any

import numpy as np

from biaochi.errors import BadOption, Text, UnknownName
from biaochi.framework import Optimum
from biaochi.kernels.rank import rank
from biaochi.method import Array, is_number
from biaochi.period import Period
from biaochi.result import Result


def group_ranks(result: Result, group: str) -> Array:
    """Ranks inside each unit's group, (period, unit, node); NaN for units without a group or not ranked.

    Raises
    ------
    UnknownName
        If no units are grouped by that name.
    """
    numbers = result.panel.groups(group)
    out = np.full(result.scores.shape, np.nan)
    for g in range(int(numbers.max()) + 1):
        inside = (numbers == g) & result.counts
        among = np.moveaxis(np.where(inside[..., None], result.scores, np.nan), 1, -1)
        ties: Any = result.recipe.ties
        out = np.where(inside[..., None], np.moveaxis(rank(among, ties=ties, decimals=result.recipe.decimals), -1, 1), out)
    return out


def strengths(
    result: Result,
    unit: str,
    n: int = 5,
    *,
    stage: str = "derived",
    group: str | None = None,
    min_unique: float = 0.0,
    discard_last: bool = True,
    period: str | Period | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """The indicators a unit ranks best and worst in.

    Parameters
    ----------
    result : Result
    unit : str
    n : int
        So many of each.
    stage : str
        The values ranked, turned so that 1 is best.
    group : str, optional
        Rank inside the unit's group of this grouping.
    min_unique : float
        Leave out indicators of which no larger share of the values is different.
    discard_last : bool
        Leave out indicators in which the unit shares the last rank (often a pile of zeros), among strengths and weaknesses,
        as COINr does; with False they count as weaknesses.
    period : str or Period, optional

    Returns
    -------
    dict
        "strengths" and "weaknesses": lists of code, parent, rank, of (units ranked), value; best first, and worst last. Equal ranks
        stand in the framework's order of codes.

    Raises
    ------
    UnknownName, BadOption
        If there is no such unit, period or grouping, or n is not a whole number from 1 up.

    References
    ----------
    .. [1] COINr 1.1.14, get_str_weak.
    """
    if not is_number(n) or n != int(n) or n < 1:
        raise BadOption("n", f"must be a whole number from 1 up; got {n!r}.", f"n 应为不小于 1 的整数；得到 {n!r}。")
    p, u = result.period_at(period), result.panel.position(unit)
    if stage not in result.stages:
        raise UnknownName(Text("stage", "阶段"), stage, list(result.stages))
    x = result.stages[stage][p]
    inside = result.counts[p]
    if group is not None:
        numbers = result.panel.groups(group)
        inside = inside & (numbers == numbers[u])
    rows: list[dict[str, Any]] = []
    for i, code in enumerate(result.indicators):
        node = result.framework[code]
        sign = 1.0 if stage == "normalised" or isinstance(node.direction, Optimum) else float(node.direction)
        values = np.where(inside, x[:, i] * sign, np.nan)
        ranks = rank(values, exact=True)
        known = values[~np.isnan(values)]
        if ranks[u] != ranks[u] or len(np.unique(known)) / max(int(inside.sum()), 1) <= min_unique or (discard_last and ranks[u] == np.nanmax(ranks)):
            continue
        rows.append({"code": code, "parent": node.parent, "rank": float(ranks[u]), "of": len(known), "value": float(x[u, i])})
    rows.sort(key=lambda r: float(r["rank"]))
    return {"strengths": rows[:n], "weaknesses": rows[-n:]}
