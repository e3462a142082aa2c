"""What a change in an indicator costs: as stated, or the years in which peers achieve as much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from biaochi.errors import BadOption, Text, UnknownName
from biaochi.framework import Optimum
from biaochi.kernels import missing
from biaochi.method import Array, is_number
from biaochi.result import Result

UNITS: dict[str, Text] = {
    "years": Text("years at the usual pace of peers that improve", "年（按有进步的同类单位的通常速度）"),
    "spreads": Text("interquartile ranges of peers", "倍（同类单位的四分位距）"),
    "stated": Text("as stated", "（按给定成本）"),
}
"""What costs are counted in."""


@dataclass(frozen=True, eq=False)
class Costs:
    """What one unit of improvement costs in each indicator, and how fast the quickest peer improved."""

    kind: str
    per_unit: Array
    """(indicator,) NaN where unknown."""
    fastest: Array
    """(indicator,) best improvement a year by any peer; NaN where unknown."""


def costs(result: Result, inside: NDArray[np.bool_], stated: Mapping[str, float] | None = None) -> Costs:
    """Costs of one unit of improvement in every indicator.

    Parameters
    ----------
    result : Result
    inside : (unit,)
        The peers.
    stated : mapping, optional
        Cost of one unit (in the indicator's own unit) by indicator; those not named cannot be moved.

    Returns
    -------
    Costs
        Stated ones; else years: 1 over the median of all yearly improvements of peers, of those that improved; where there
        is one period, or nobody ever improved in any indicator, 1 over the interquartile range of the peers.

    Raises
    ------
    UnknownName, BadOption
        If an indicator is not known, or a cost is not above 0.
    """
    n = len(result.indicators)
    steps = improvements(result, inside)
    fastest = np.array([s.max() if s.size else np.nan for s in steps])
    if stated is not None:
        per = np.full(n, np.nan)
        for code, cost in stated.items():
            if code not in result.indicators:
                raise UnknownName(Text("indicator", "指标"), code, result.indicators)
            if not is_number(cost) or not 0 < cost < np.inf:
                raise BadOption("costs", f"of {code} must be a number above 0; got {cost!r}.", f"{code} 的成本应为大于 0 的数；得到 {cost!r}。")
            per[result.indicators.index(code)] = float(cost)
        return Costs("stated", per, fastest)
    if any(s.size for s in steps):
        return Costs("years", np.array([1.0 / np.median(s) if s.size else np.nan for s in steps]), fastest)
    x = result.stages["denominated"][result.period_at()][inside & result.counts[result.period_at()]]
    with np.errstate(all="ignore"):
        low, high = missing.quantile(x, [0.25, 0.75], axis=0)
        full = np.fmax.reduce(x, axis=0, initial=np.nan) - np.fmin.reduce(x, axis=0, initial=np.nan)
        per = 1.0 / np.where(high > low, high - low, np.where(full > 0, full, np.nan))
    return Costs("spreads", per, fastest)


def improvements(result: Result, inside: NDArray[np.bool_]) -> list[Array]:
    """For each indicator, all improvements a year of peers from one value to their next; only those above 0."""
    ends = np.array([p.end_month / 12.0 for p in result.panel.periods])
    x = result.stages["denominated"]
    out = []
    for i, code in enumerate(result.indicators):
        better = toward_better(result, code, x[..., i])
        seen: list[Array] = []
        last, when = np.full(x.shape[1], np.nan), np.full(x.shape[1], np.nan)
        for p, t in enumerate(ends):
            with np.errstate(all="ignore"):
                step = (better[p] - last) / (t - when)
            seen.append(step[inside & result.counts[p] & (step > 0)])
            there = ~np.isnan(better[p])
            last, when = np.where(there, better[p], last), np.where(there, t, when)
        out.append(np.concatenate(seen))
    return out


def toward_better(result: Result, code: str, x: Array) -> Array:
    """Values turned so that higher is better; with an optimum, minus the distance to it."""
    direction = result.framework[code].direction
    if isinstance(direction, Optimum):
        return -np.maximum(np.maximum(direction.low - x, x - direction.high), 0.0)
    return x * float(direction)
