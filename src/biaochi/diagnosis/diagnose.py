"""Everything a unit is told: where it stands, what to mend, strengthen and seize, what would lift it, and where it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from biaochi.diagnosis.findings import Finding, findings, standing
from biaochi.diagnosis.gaps import Gaps, gaps
from biaochi.diagnosis.levers import Lever, Levers, levers
from biaochi.diagnosis.movement import Movement, movement
from biaochi.diagnosis.neighbours import nearest, went_before
from biaochi.diagnosis.outlook import Outlook, outlook
from biaochi.diagnosis.peers import Peers, peer_mask
from biaochi.errors import BadOption, BiaochiError, Text
from biaochi.kernels import missing
from biaochi.method import Array, is_whole, or_none
from biaochi.period import Period
from biaochi.result import Result, takes_result
from biaochi.robustness import Robustness, robustness
from biaochi.study import Study
from biaochi.usual import usual

LEVEL = 0.9
"""Share of the what-ifs inside intervals."""


@dataclass(frozen=True)
class Diagnosis:
    """One unit in one period."""

    unit: str
    period: str
    score: float
    rank: float | None
    of: int
    low: int | None
    """Interval of the rank over what-ifs."""
    high: int | None
    reference: Text
    difference: float
    """Score less that of the reference."""
    shortfalls: tuple[Finding, ...]
    weak: tuple[Finding, ...]
    openings: tuple[Finding, ...]
    levers: tuple[Lever, ...]
    """Single ones to the next place, the cheapest first."""
    combination: Lever | None
    cost_unit: Text
    history: tuple[dict[str, Any], ...]
    """period, score, rank, and the median score of the peers."""
    moved: dict[str, Any] | None
    """The movement from the period before: a row of `Movement.rows`."""
    ahead: dict[str, Any] | None
    """The next period: score, low, high, chance of a worse and of a better rank."""
    alike: tuple[dict[str, Any], ...]
    went_before: tuple[dict[str, Any], ...]
    notices: tuple[Text, ...] = ()

    def to_dict(self, lang: str = "en") -> dict[str, Any]:
        """Plain data."""
        said: Any = "zh" if lang == "zh" else "en"
        plain = {k: getattr(self, k) for k in ("unit", "period", "score", "rank", "of", "low", "high", "difference", "moved", "ahead")}
        return {
            **plain, "reference": self.reference.to(said), "cost_unit": self.cost_unit.to(said),
            **{k: [f.to_dict() for f in getattr(self, k)] for k in ("shortfalls", "weak", "openings")},
            "levers": [lever.to_dict(lang) for lever in self.levers], "combination": None if self.combination is None else self.combination.to_dict(lang),
            "history": list(self.history), "alike": list(self.alike), "went_before": list(self.went_before), "notices": [n.to(said) for n in self.notices],
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class Diagnoses:
    """What is worked out once for all units of a period; each unit's diagnosis is made when asked for."""

    result: Result
    p: int
    peers: Peers
    against: Gaps
    middle: Gaps
    levers: Levers
    robust: Robustness | None
    movement: Movement | None
    outlook: Outlook | None
    study: Study
    notices: tuple[Text, ...] = field(default=())

    def of(self, unit: str, *, top: int = 3, survival: int = 400, combined: bool = True) -> Diagnosis:
        """One unit.

        Parameters
        ----------
        unit : str
        top : int
            So many shortfalls, weak points, openings and levers.
        survival : int
            What-ifs in which it is looked whether a lever's gain holds; 0 for none.
        combined : bool
            Look for the cheapest combination, too.
        """
        if not is_whole(top, 1) or not is_whole(survival, 0):
            raise BadOption("top", f"must be a whole number from 1 up; got {top!r}.", f"top 应为不小于 1 的整数；得到 {top!r}。")
        r, p, u = self.result, self.p, self.result.panel.position(unit)
        score = r.scores[p, u, 0]
        if np.isnan(score):
            raise BadOption("diagnose", f"needs a score of {unit!r} in {r.panel.periods[p]}; it has none.", f"{unit!r} 在 {r.panel.periods[p]} 没有得分。")
        mask = peer_mask(r, self.peers, itself=False)
        found = findings(
            r, p, u, self.against, self.middle, standing(r, p, _only(mask, u)), self.levers, (_values(r, p, u, self.against, mask[u]), _median(r, p, mask[u]))
        )
        single = self.levers.of(unit, top)
        both = self.levers.cheapest(unit) if combined else None
        if survival:
            single = [self.levers.survival(self.levers.effects(lever), self.study, replicates=survival) for lever in single]
            both = both and self.levers.survival(self.levers.effects(both), self.study, replicates=survival)
        low, high = self._span(u)
        shown = {k: tuple([f for f in found if f.kind == k]) for k in ("shortfall", "weak", "opening")}
        mended = {f.indicator for f in shown["shortfall"][:top]}
        weak = tuple(sorted(shown["weak"], key=lambda f: f.indicator in mended))[:top]  # what is not named already comes first
        named = mended | {f.indicator for f in weak}
        openings = tuple(sorted(shown["opening"], key=lambda f: f.indicator in named and "leads" not in f.reasons))[:top]
        return Diagnosis(
            unit, str(r.panel.periods[p]), float(score), or_none(r.ranks[p, u, 0]), int((~np.isnan(r.ranks[p, :, 0])).sum()), low, high, self.against.reference,
            float(self.against.difference[self.against.at(unit)]), shown["shortfall"][:top], weak, openings, tuple(single),
            both if both is not None and len(both.moves) > 1 else None, self.levers.cost_unit, tuple(self._history(u, mask[u])), self._moved(unit), self._ahead(u),
            tuple(self._neighbours(unit, top)), tuple(self._before(unit, top)), self.notices,
        )  # fmt: skip

    def __iter__(self) -> Iterator[Diagnosis]:
        for u in self.result.order(str(self.result.panel.periods[self.p])):
            if not np.isnan(self.result.scores[self.p, u, 0]):
                yield self.of(self.result.panel.units[u].code, survival=0)

    def _span(self, u: int) -> tuple[int | None, int | None]:
        ranks = None if self.robust is None else self.robust.found(None, self.p)
        if ranks is None:
            return None, None
        row = next((r for r in ranks.rows(LEVEL) if r["unit"] == self.result.panel.units[u].code), None)
        return (None, None) if row is None else (row.get("low"), row.get("high"))

    def _history(self, u: int, inside: Any) -> Iterator[dict[str, Any]]:
        r = self.result
        for p in range(self.p + 1):
            some = r.scores[p, inside & r.counts[p], 0]
            told = some[~np.isnan(some)]
            yield {
                "period": str(r.panel.periods[p]),
                "score": or_none(r.scores[p, u, 0]),
                "rank": or_none(r.ranks[p, u, 0]),
                "median": float(np.median(told)) if told.size else None,
            }

    def _moved(self, unit: str) -> dict[str, Any] | None:
        rows = [] if self.movement is None else [r for r in self.movement.rows() if r["unit"] == unit]
        if not rows or self.movement is None:
            return None
        return {**rows[0], "first": self.movement.first, "labels": {k: self.movement.label(k).en for k in self.movement.parts}}

    def _ahead(self, u: int) -> dict[str, Any] | None:
        o = self.outlook
        if o is None or np.isnan(o.score[u]):
            return None
        return {"score": float(o.score[u]), "low": float(o.score_low[u]), "high": float(o.score_high[u]), "level": o.level, "lose": or_none(o.lose[u]), "gain": or_none(o.gain[u]),
                "misses": [w for w in o.warnings() if w["what"] == "target" and w["unit"] == self.result.panel.units[u].code], "record": o.record[-1]}  # fmt: skip

    def _neighbours(self, unit: str, top: int) -> list[dict[str, Any]]:
        try:
            return nearest(self.result, unit, top, period=str(self.result.panel.periods[self.p]))
        except BiaochiError:
            return []

    def _before(self, unit: str, top: int) -> list[dict[str, Any]]:
        try:
            return went_before(self.result, unit, top, period=str(self.result.panel.periods[self.p]))
        except BiaochiError:
            return []


def _only(mask: Any, u: int) -> Any:
    """Peers of one unit, for all: only its own row is looked at."""
    return np.broadcast_to(mask[u], mask.shape)


def _values(result: Result, p: int, u: int, against: Gaps, inside: Any) -> Array:
    """(indicator,) values of a reference in the indicators' own units."""
    x = result.stages["denominated"][p]
    k = against.at(result.panel.units[u].code)
    who = against.who[k]
    if who is not None:
        return np.asarray(x[result.panel.position(who)])
    what = against.what
    names = [str(t) for t in result.panel.periods]
    if what in names:
        return np.asarray(result.stages["denominated"][names.index(what), u])
    if what == "target":
        return np.array([np.nan if (g := result.framework[c].target) is None else float(g) for c in result.indicators])
    some = np.where((inside & result.counts[p])[:, None], x, np.nan)
    if what == "best":
        z = np.where((inside & result.counts[p])[:, None], result.stages["normalised"][p], -np.inf)
        best = np.argmax(np.where(np.isnan(z) | np.isnan(x), -np.inf, z), axis=0)
        return np.asarray(x[best, np.arange(x.shape[1])])
    with np.errstate(all="ignore"):
        return np.asarray(missing.mean(some, axis=0) if what == "mean" else missing.median(some, axis=0))


def _median(result: Result, p: int, inside: Any) -> Array:
    x = np.where((inside & result.counts[p])[:, None], result.stages["denominated"][p], np.nan)
    with np.errstate(all="ignore"):
        return np.where(np.isnan(x).all(axis=0), np.nan, missing.median(np.where(np.isnan(x).all(axis=0), 0.0, x), axis=0))


@takes_result
def diagnose(
    result: Result, units: list[str] | str | None = None, *, reference: str = "best", peers: Peers = None, period: str | Period | None = None,
    study: Study | None = None, replicates: int = 200, robust: Robustness | None = None,
) -> Diagnoses:  # fmt: skip
    """Diagnose units: shortfalls, weak points, openings, levers, history and what lies ahead.

    Parameters
    ----------
    result : Result
    units : list of str, optional
        Codes that will be asked for; all by default.
    reference : str
        What shortfalls are measured against; see `gaps`.
    peers : str or list of str, optional
        A grouping or codes: whom units are compared with. All units by default.
    period : str or Period, optional
        The last period with scores by default.
    study : Study, optional
        What varies in the what-ifs that intervals come from; by default what `usual` finds.
    replicates : int
        What-ifs behind the intervals of points.
    robust : Robustness, optional
        A study of robustness whose intervals of ranks are told; made here by default.

    Returns
    -------
    Diagnoses
        `Diagnoses.of` gives one unit's.

    Raises
    ------
    UnknownName, BadOption
        If a name is not known.
    """
    p = result.period_at(period)
    name = str(result.panel.periods[p])
    varied = study or usual(result)
    notices: list[Text] = []
    against = gaps(result, reference, units, period=name, peers=peers).under(varied, replicates=replicates, level=LEVEL)
    middle = gaps(result, "median", units, period=name, peers=peers).under(varied, replicates=replicates, level=LEVEL)
    if against.low is None:
        notices.append(Text("Nothing varies in the what-ifs: intervals are not known.", "没有可变动的选择：不给出区间。"))
    if robust is None and varied.vary:
        try:
            robust = robustness(result, varied, replicates=2000, periods=[name], pairs=False)
        except BiaochiError as e:
            notices.append(e.text)
    return Diagnoses(result, p, peers, against, middle, levers(result, units, period=name, peers=peers), robust, _movement(result, p, notices),
                     _outlook(result, p, notices), varied, tuple(notices))  # fmt: skip


def _movement(result: Result, p: int, notices: list[Text]) -> Movement | None:
    if p == 0:
        return None
    try:
        return movement(result, periods=(result.panel.periods[p - 1], result.panel.periods[p]))
    except BiaochiError as e:
        notices.append(e.text)
        return None


def _outlook(result: Result, p: int, notices: list[Text]) -> Outlook | None:
    if p != result.period_at() or p < 3:
        return None
    try:
        return outlook(result)
    except BiaochiError as e:
        notices.append(e.text)
        return None
