"""Where a unit stands: ranks inside groups, strengths and weaknesses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biaochi.errors import BadOption, Text, choose
from biaochi.framework import Optimum
from biaochi.kernels.rank import rank
from biaochi.method import Array, is_number, is_whole
from biaochi.orient import from_optimum
from biaochi.period import Period
from biaochi.result import Result, takes_result


@takes_result
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
        leaf = np.array([n.code in result.indicators for n in result.nodes])  # compared as they are; sums only beyond rounding
        made = [rank(among, ties=ties, decimals=result.recipe.decimals, exact=exact) for exact in (False, True)]
        out = np.where(inside[..., None], np.moveaxis(np.where(leaf[:, None], made[1], made[0]), -1, 1), out)
    return out


@takes_result
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
        Leave out indicators with no more different values than this share of the units.
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
    choose(Text("stage", "阶段"), stage, result.stages)
    if not is_number(min_unique):
        raise BadOption("min_unique", f"must be a number; got {min_unique!r}.", f"min_unique 应为数；得到 {min_unique!r}。")
    if not is_whole(n, 1):
        raise BadOption("n", f"must be a whole number from 1 up; got {n!r}.", f"n 应为不小于 1 的整数；得到 {n!r}。")
    p, u = result.period_at(period), result.panel.position(unit)
    inside = result.counts[p]
    if group is not None:
        numbers = result.panel.groups(group)
        if numbers[u] < 0:
            raise BadOption("group", f"{unit!r} has no {group}.", f"{unit!r} 没有 {group} 分组。")
        inside = inside & (numbers == numbers[u])
    rows = list(_ranked(result, stage, p, u, inside, min_unique, discard_last=discard_last))
    rows.sort(key=lambda r: float(r["rank"]))
    return {"strengths": rows[: int(n)], "weaknesses": rows[-int(n) :]}


def _ranked(result: Result, stage: str, p: int, u: int, inside: NDArray[np.bool_], min_unique: float, *, discard_last: bool) -> Iterator[dict[str, Any]]:
    """The indicators a unit has a rank in, those left out by the rules passed over."""
    for i, code in enumerate(result.indicators):
        node = result.framework[code]
        x = result.stages[stage][p, :, i]
        if stage == "normalised":
            turned = x
        else:
            turned = from_optimum(x, node.direction, None, clip=False) if isinstance(node.direction, Optimum) else x * node.direction
        values = np.where(inside, turned, np.nan)
        ranks = rank(values, exact=True)
        known = values[~np.isnan(values)]
        if ranks[u] != ranks[u] or len(np.unique(known)) / max(int(inside.sum()), 1) <= min_unique or (discard_last and ranks[u] == np.nanmax(ranks)):
            continue
        yield {"code": code, "parent": node.parent, "rank": float(ranks[u]), "of": len(known), "value": float(x[u])}
