"""What a unit should mend, strengthen and seize: shortfalls, weak points and openings, beyond what is uncertain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from biaochi.diagnosis.costs import toward_better
from biaochi.diagnosis.gaps import Gaps, scores_of
from biaochi.diagnosis.levers import Levers
from biaochi.errors import Lang, Text
from biaochi.kernels import missing
from biaochi.kernels.rank import rank
from biaochi.method import Array, or_none
from biaochi.result import Result

Kind = Literal["shortfall", "weak", "opening"]
NEAR_TOP = 3
"""Of those that rose, so many are called the fastest."""
EASY = 8
"""Of the levers, so many are called easy."""


@dataclass(frozen=True)
class Finding:
    """One indicator of a unit that stands out."""

    kind: Kind
    indicator: str
    reasons: tuple[str, ...]
    """Of "gap"; "median", "rank", "slower"; "leads", "rises", "lever"."""
    value: float | None
    """As it is, in the indicator's own unit after its denominator."""
    reference: float | None
    """The value held against it: of the reference for a shortfall, of the peers' median for the others."""
    points: float
    """Of the index, to the reference or the median; below 0 where it costs points."""
    low: float | None
    """Interval of the points over what-ifs."""
    high: float | None
    rank: float | None
    """Among the peers, in this indicator."""
    of: int
    rank_before: float | None
    change: float | None
    """Since the period compared with; above 0 is better."""
    peers_change: float | None
    """Median of the peers."""
    since: str | None
    needed: float | None = None
    """Change that reaches the next place, where that is the reason."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {**vars(self), "reasons": list(self.reasons)}


@dataclass(frozen=True)
class Standing:
    """How indicators of all units stand among peers and over time; arrays are (unit, indicator)."""

    rank: Array
    before: Array
    of: NDArray[np.intp]
    alone: NDArray[np.bool_]
    """Nobody among the peers has the same rank."""
    change: Array
    """Towards better."""
    usual: Array
    """Median change of the peers."""
    fastest: Array
    """Rank of the change among the peers."""
    since: str | None


def earlier(result: Result, p: int) -> int | None:
    """The period a year before, or else the one before."""
    names = [str(x) for x in result.panel.periods]
    year = str(result.panel.periods[p].year_before)
    return names.index(year) if year in names else p - 1 if p else None


def standing(result: Result, p: int, mask: NDArray[np.bool_]) -> Standing:
    """Ranks and changes of every indicator among the peers of each unit, itself included."""
    n, m = scores_of(result, p).shape
    q = earlier(result, p)
    now = scores_of(result, p)
    then = scores_of(result, q) if q is not None else np.full((n, m), np.nan)
    x = result.stages["denominated"]
    change = np.full((n, m), np.nan)
    if q is not None:
        for i, code in enumerate(result.indicators):
            change[:, i] = toward_better(result, code, x[p, :, i]) - toward_better(result, code, x[q, :, i])
    empty = np.full((4, n, m), np.nan)
    since = None if q is None else str(result.panel.periods[q])
    out = Standing(empty[0], empty[1], np.zeros((n, m), np.intp), np.zeros((n, m), bool), change, empty[2], empty[3], since)
    done: dict[bytes, list[int]] = {}
    for u in range(n):
        inside = mask[u] & result.counts[p]
        inside[u] = True
        done.setdefault(inside.tobytes(), []).append(u)
    for key, units in done.items():
        inside = np.frombuffer(key, bool)
        _among(result, out, inside, units, now, then)
    return out


def _among(result: Result, out: Standing, inside: NDArray[np.bool_], units: list[int], now: Array, then: Array) -> None:
    ties: Any = result.recipe.ties

    def ranked(z: Array) -> Array:
        return rank(np.where(inside[:, None], z, np.nan).T, ties=ties, decimals=None, exact=True).T

    here, there, fast = ranked(now), ranked(then), ranked(out.change)
    with np.errstate(all="ignore"):
        some = np.where(inside[:, None], out.change, np.nan)
        known = ~np.isnan(some).all(axis=0)
        usual = np.where(known, missing.median(np.where(known, some, 0.0), axis=0), np.nan)
    for u in units:
        out.rank[u], out.before[u], out.fastest[u], out.usual[u] = here[u], there[u], fast[u], usual
        out.of[u] = (~np.isnan(here)).sum(axis=0)
        out.alone[u] = (np.where(inside[:, None], now, np.nan) == now[u]).sum(axis=0) == 1


def findings(result: Result, p: int, u: int, against: Gaps, middle: Gaps, how: Standing, levers: Levers | None, values: tuple[Array, Array]) -> list[Finding]:
    """Shortfalls, weak points and openings of a unit, the weightiest of each first.

    Parameters
    ----------
    result : Result
    p, u : int
        Period and unit.
    against, middle : Gaps
        From the reference, and from the median of the peers, with their intervals.
    how : Standing
    levers : Levers, optional
        To the next place.
    values : (indicator,), (indicator,)
        Values of the reference and of the peers' median.
    """
    unit = result.panel.units[u].code
    k, m = against.at(unit), middle.at(unit)

    def made(kind: Kind, i: int, reasons: tuple[str, ...], gaps: Gaps, row: int, value: float, needed: float | None = None) -> Finding:
        low, high = (None if b is None else or_none(b[row, i]) for b in (gaps.low, gaps.high))
        return Finding(kind, result.indicators[i], reasons, or_none(result.stages["denominated"][p, u, i]), or_none(value), float(gaps.points[row, i]), low, high,
                       or_none(how.rank[u, i]), int(how.of[u, i]), or_none(how.before[u, i]), or_none(how.change[u, i]), or_none(how.usual[u, i]), how.since, needed)  # fmt: skip

    known = np.flatnonzero(~np.isnan(scores_of(result, p)[u])).tolist()
    short = sorted((i for i in known if against.points[k, i] < 0 and not against.tied[k, i]), key=lambda i: (against.points[k, i], i))
    out = [made("shortfall", i, ("gap",), against, k, values[0][i]) for i in short]
    out += _weak(known, u, middle, m, how, lambda i, why: made("weak", i, why, middle, m, values[1][i]))
    return out + _openings(result, known, u, middle, m, how, levers, lambda i, why, needed: made("opening", i, why, middle, m, values[1][i], needed))


def _weak(known: Any, u: int, middle: Gaps, m: int, how: Standing, made: Callable[[int, tuple[str, ...]], Finding]) -> list[Finding]:
    weak = []
    for i in known:
        below = middle.points[m, i] < 0 and not middle.tied[m, i]
        fell = how.rank[u, i] > how.before[u, i]
        slower = how.change[u, i] < how.usual[u, i] and how.change[u, i] < 0
        why = tuple(name for name, there in (("median", below), ("rank", fell), ("slower", slower)) if there)
        if why:
            lost = (how.rank[u, i] - how.before[u, i]) / max(how.of[u, i], 1)
            weak.append((0 if below else 1, middle.points[m, i] if below else -np.nan_to_num(lost), i, why))
    return [made(i, why) for *_, i, why in sorted(weak)]


def _openings(
    result: Result,
    known: Any,
    u: int,
    middle: Gaps,
    m: int,
    how: Standing,
    levers: Levers | None,
    made: Callable[[int, tuple[str, ...], float | None], Finding],
) -> list[Finding]:
    """Where the unit leads, then the easiest levers, then where it rises fastest, in turn."""
    leads = sorted(
        (i for i in known if how.rank[u, i] == 1 and how.alone[u, i] and middle.points[m, i] > 0 and not middle.tied[m, i]),
        key=lambda i: -middle.points[m, i],
    )
    rises = sorted(
        (i for i in known if how.change[u, i] > 0 and how.change[u, i] > how.usual[u, i] and how.fastest[u, i] <= NEAR_TOP),
        key=lambda i: (how.fastest[u, i], i),
    )
    change = np.full(len(result.indicators), np.nan) if levers is None else levers.change[u]
    cost = change if levers is None else levers.cost[u]
    easy = sorted((i for i in known if not np.isnan(change[i])), key=lambda i: (np.nan_to_num(cost[i], nan=np.inf), i))[:EASY]
    out: list[int] = []
    for turn in range(len(known)):
        for some in (leads, easy, rises):
            if turn < len(some) and some[turn] not in out:
                out.append(some[turn])
    return [
        made(i, tuple(n for n, some in (("leads", leads), ("lever", easy), ("rises", rises)) if i in some), or_none(change[i]) if i in easy else None)
        for i in out
    ]


WHY: dict[str, Text] = {
    "gap": Text("costs the most points", "失分最多"),
    "median": Text("worse than the peers' median", "劣于同类中位"),
    "rank": Text("lost places", "位次下降"),
    "slower": Text("fell while peers held", "增势落后于同类"),
    "leads": Text("leads its peers", "领先同类"),
    "rises": Text("among the fastest risers", "增速居前"),
    "lever": Text("a small gain wins a place", "小幅提升即可进位"),
}
"""What reasons are called."""


def why(found: Finding, lang: Lang) -> str:
    """Reasons in words."""
    return ("、" if lang == "zh" else ", ").join(WHY[r].to(lang) for r in found.reasons)
