"""Work over time: growth, trends with their uncertainty, convergence among units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from biaochi.coherence import STAGES, Codes, codes_of
from biaochi.errors import BadOption, Text, choose
from biaochi.framework import Optimum
from biaochi.kernels import trend
from biaochi.kernels.structure.association import association
from biaochi.method import Array, is_whole, or_none
from biaochi.period import Period
from biaochi.result import Result, takes_result

METHODS = {"cagr": trend.cagr, "change": trend.change, "linear": trend.linear, "exponential": trend.exponential, "theil_sen": trend.theil_sen}


def years(periods: tuple[Period, ...]) -> Array:
    """Ends of periods in years: what trends are taken over."""
    return np.array([p.end_month / 12.0 for p in periods])


@takes_result
def trends(
    result: Result,
    codes: Codes = None,
    *,
    method: str = "cagr",
    stage: str = "scores",
    since: str | Period | None = None,
    until: str | Period | None = None,
    last: int | None = None,
    interpolate: bool = False,
    directed: bool = False,
) -> list[dict[str, Any]]:
    """Growth or trend of every unit's series, with 95 % interval and p-value where the method has them.

    Parameters
    ----------
    result : Result
    codes : int, str or list of str, optional
        A level, a node, or nodes; the index by default.
    method : {"cagr", "change", "linear", "exponential", "theil_sen"}
        Compound annual growth rate; percent of the start a year; slope of a line; growth of a line through
        logarithms; median slope.
    stage : str
        "scores", or a stage of indicators.
    since, until : str or Period, optional
        First and last period looked at. (COINr's ``Time`` takes the first periods of the panel instead.)
    last : int, optional
        Only the latest values of each series, so many of them.
    interpolate : bool
        Fill gaps between values along a straight line first; such rows say how many in ``filled``.
    directed : bool
        Turn indicators for which lower is better, so that up is better (stages before normalisation).

    Returns
    -------
    list of dict
        unit, code, value, low, high, p, n (values used), filled, available (share of the periods looked at with a value,
        filled ones included), first and last period used. Sorted by code, then unit. What cannot be had is None, an
        infinite rate (from 0) is infinite.

    Raises
    ------
    UnknownName, BadOption
        If a name is not known, or no period lies between since and until.

    References
    ----------
    .. [1] COINr 1.1.14, get_trends.
    """
    choose(Text("kind of trend", "趋势方法"), method, METHODS)
    if last is not None and not is_whole(last, 2):
        raise BadOption("last", f"must be a whole number from 2 up; got {last!r}.", f"last 应为不小于 2 的整数；得到 {last!r}。")
    chosen = _nodes(result, codes)
    at = _between(result, since, until)
    periods = tuple(result.panel.periods[i] for i in at)
    t = years(periods)
    y = _series(result, chosen, stage, directed=directed)[at].reshape(len(at), -1)
    filled = np.zeros(y.shape, bool)
    if interpolate:
        whole = trend.interpolate(y, t)
        filled, y = np.isnan(y) & ~np.isnan(whole), whole
    if last is not None:
        seen = (~np.isnan(y))[::-1].cumsum(axis=0)[::-1]
        y = np.where(seen <= last, y, np.nan)
    got = METHODS[method](y, t)
    there = ~np.isnan(y)
    first, end = trend.ends(y)
    n, used = there.sum(axis=0), (filled & there).sum(axis=0)
    units = [u.code for u in result.panel.units]
    rows = []
    for i, (code, unit) in enumerate((c, u) for u in units for c in chosen):
        row: dict[str, Any] = {"unit": unit, "code": code, "value": or_none(got.value[i]), "low": or_none(got.low[i]), "high": or_none(got.high[i]), "p": or_none(got.p[i]),
                               "n": int(n[i]), "filled": int(used[i]), "available": float(n[i] / len(at)),
                               "first": str(periods[first[i]]) if n[i] > 1 else None, "last": str(periods[end[i]]) if n[i] > 1 else None}  # fmt: skip
        rows.append(row)
    return sorted(rows, key=lambda r: (chosen.index(r["code"]), units.index(r["unit"])))


def _nodes(result: Result, codes: Codes) -> list[str]:
    """Codes asked for: the index, a node, the nodes of a level, or those named."""
    named = result.nodes[0].code if codes is None else codes
    return codes_of(result, [named] if isinstance(named, str) else named)


def _series(result: Result, codes: list[str], stage: str, *, directed: bool = False) -> Array:
    """(period, unit, code) values of nodes at a stage."""
    choose(Text("stage", "阶段"), stage, STAGES)
    if stage == "scores":
        return result.scores[..., [result.node_at(c) for c in codes]]
    parents = [c for c in codes if c not in result.indicators]
    if parents:
        raise BadOption("stage", f"{stage!r} has values of indicators only; {', '.join(parents[:3])} have scores. Use stage='scores'.",
                        f"{stage!r} 仅有指标的数值；{'、'.join(parents[:3])} 只有得分，请用 stage='scores'。")  # fmt: skip
    x = result.stages[stage][..., [result.indicators.index(c) for c in codes]]
    if not directed or stage == "normalised":
        return x
    signs = np.array([1.0 if isinstance(d := result.framework[c].direction, Optimum) else float(d) for c in codes])
    return np.asarray(x * signs)


def _between(result: Result, since: str | Period | None, until: str | Period | None) -> list[int]:
    low = result.period_at(since) if since is not None else 0
    high = result.period_at(until) if until is not None else len(result.panel.periods) - 1
    if low > high:
        raise BadOption("since", f"{since} lies after {until}.", f"since {since} 晚于 until {until}。")
    return list(range(low, high + 1))


@takes_result
def growth(result: Result, codes: Codes = None, *, stage: str = "scores", over: str = "year", form: str = "rate") -> list[dict[str, Any]]:
    """Growth of every series from one period to the next, or on the same period a year before.

    Parameters
    ----------
    result : Result
    codes : int, str or list of str, optional
        The index by default.
    stage : str
    over : {"year", "period"}
        The same period a year before, or the one just before.
    form : {"rate", "points", "log"}
        ``a / b - 1``, ``a - b``, or ``ln(a / b)``.

    Returns
    -------
    list of dict
        unit, code, period, value, before, growth; a row for each value that has one to be compared with. A rate from a base
        of 0 or less is None.
    """
    choose(Text("over", "over"), over, ["period", "year"])
    choose(Text("form", "form"), form, ["log", "points", "rate"])
    chosen = _nodes(result, codes)
    x = _series(result, chosen, stage)
    where = {p: i for i, p in enumerate(result.panel.periods)}
    rows = []
    for i, period in enumerate(result.panel.periods):
        j = where.get(period.year_before if over == "year" else period.previous)
        if j is None:
            continue
        for u, unit in enumerate(result.panel.units):
            for c, code in enumerate(chosen):
                a, b = float(x[i, u, c]), float(x[j, u, c])
                if a == a and b == b:
                    rows.append({"unit": unit.code, "code": code, "period": str(period), "value": a, "before": b, "growth": _grown(a, b, form)})
    return rows


def _grown(a: float, b: float, form: str) -> float | None:
    if form == "points":
        return a - b
    if b <= 0 or (form == "log" and a <= 0):
        return None
    return a / b - 1.0 if form == "rate" else float(np.log(a / b))


@dataclass(frozen=True)
class Convergence:
    """Whether units draw closer: in spread (sigma), by catching up (beta), in rank (gamma)."""

    code: str
    since: str
    until: str
    units: int
    """Units with a value above 0 in the first and the last period."""
    sigma: list[dict[str, Any]]
    """period, cv (standard deviation over mean), sd_log: over the units with values in all periods looked at."""
    sigma_trend: dict[str, float | None]
    """Slope of cv a year, with interval and p-value; below 0 is convergence."""
    beta: dict[str, float | None]
    """Slope of log growth a year on the log of the start, its standard error and p-value, R squared; ``speed`` a year and
    ``half_life`` in years where it is convergence."""
    gamma: dict[str, float | None]
    """Kendall's tau-b of first and last values, with p-value: 1 where nobody changed places."""


@takes_result
def convergence(
    result: Result, code: str | None = None, *, stage: str = "scores", since: str | Period | None = None, until: str | Period | None = None
) -> Convergence:
    """Sigma, beta and gamma convergence of units in a score or indicator.

    Parameters
    ----------
    result : Result
    code : str, optional
        The index by default.
    stage : str
    since, until : str or Period, optional

    Returns
    -------
    Convergence

    Raises
    ------
    BadOption
        If fewer than 3 units have values above 0 at both ends, or there are fewer than 2 periods.

    References
    ----------
    .. [1] Barro and Sala-i-Martin, J. Political Economy 100 (1992) 223-251. Boyle and McCarthy, Applied Economics Letters 4 (1997) 629-634.
    """
    chosen = result.nodes[result.node_at(code)].code
    at = _between(result, since, result.panel.periods[result.period_at()] if until is None else until)
    y = np.where(result.counts, _series(result, [chosen], stage)[..., 0], np.nan)[at]
    periods = tuple(result.panel.periods[i] for i in at)
    t = years(periods)
    both = (y[0] > 0) & (y[-1] > 0)
    if both.sum() < 3 or len(at) < 2:
        raise BadOption("convergence", f"needs 2 periods and 3 units with values above 0 at both ends; got {len(at)} periods and {int(both.sum())} units.",
                        f"需要至少 2 期，且至少 3 个单位首末期均大于 0；得到 {len(at)} 期、{int(both.sum())} 个单位。")  # fmt: skip
    steady = y[:, (y > 0).all(axis=0)]
    spread = [{"period": str(p), "cv": float(v.std(ddof=1) / v.mean()), "sd_log": float(np.log(v).std(ddof=1))} for p, v in zip(periods, steady, strict=True)] if steady.shape[1] > 2 else []  # fmt: skip
    moving = trend.linear(np.array([s["cv"] for s in spread])[:, None], t) if spread else None
    slope = {k: or_none(v[0]) for k, v in moving._asdict().items()} if moving else dict.fromkeys(("value", "low", "high", "p"))
    r, p = association(y[0][both][:, None], y[-1][both][:, None], "kendall")
    gamma = {"tau": or_none(r[0, 0]), "p": or_none(p[0, 0])}
    return Convergence(chosen, str(periods[0]), str(periods[-1]), int(both.sum()), spread, slope, _beta(y[0][both], y[-1][both], t[-1] - t[0]), gamma)


def _beta(first: Array, last: Array, span: float) -> dict[str, float | None]:
    x, g = np.log(first), np.log(last / first) / span
    slope, _, error, _, p = (float(v[0]) for v in trend.line(g[:, None], x))
    fit = 1.0 - float(((g - g.mean() - slope * (x - x.mean())) ** 2).sum() / ((g - g.mean()) ** 2).sum()) if np.ptp(g) > 0 else np.nan
    inside = 1.0 + slope * span
    speed = -float(np.log(inside)) / span if slope < 0 < inside else np.nan
    half = float(np.log(2)) / speed if speed == speed else np.nan
    return {"slope": or_none(slope), "error": or_none(error), "p": or_none(p), "r2": or_none(fit), "speed": or_none(speed), "half_life": or_none(half)}
