"""Why a score is what it is: its difference from a reference, split exactly over indicators."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biaochi.diagnosis.ladder import ladder
from biaochi.diagnosis.peers import Peers, peer_mask
from biaochi.diagnosis.trial import Trials
from biaochi.diagnosis.whatifs import variants
from biaochi.errors import BadOption, Text, UnknownName
from biaochi.kernels import missing
from biaochi.kernels.shapley import climb, shapley
from biaochi.method import Array, is_number, or_none
from biaochi.period import Period
from biaochi.result import Result, takes_result
from biaochi.study import Study

REFERENCES: dict[str, Text] = {
    "best": Text("the best of the peers in each indicator", "同类各指标最优值"),
    "leader": Text("the peer with the highest score", "得分最高的同类单位"),
    "mean": Text("the mean of the peers", "同类平均水平"),
    "median": Text("the median of the peers", "同类中位水平"),
    "target": Text("the targets", "目标值"),
    "past": Text("itself in the period before", "自身上期"),
}
"""What a unit can be held against, besides another unit (its code) and its own past (a period)."""


@dataclass(frozen=True, eq=False)
class Gaps:
    """Differences of scores from a reference. Arrays are (unit, indicator), for the units in `units`."""

    result: Result
    period: str
    reference: Text
    units: tuple[str, ...]
    own: Array
    """Scores of the indicators."""
    other: Array
    """Those of the reference."""
    points: Array
    """Points of the index that each indicator adds to the difference; below 0 where it costs the unit points. Sums to `difference`."""
    score: Array
    """(unit,)"""
    other_score: Array
    """(unit,) of the reference."""
    exact: NDArray[np.bool_]
    """(unit,) whether points are exact; else means over orders drawn at random."""
    who: tuple[str | None, ...] = field(repr=False, default=())
    """(unit,) the unit that is the reference, where it is one."""
    low: Array | None = None
    """Interval of the points over what-ifs."""
    high: Array | None = None
    replicates: int = 0

    @property
    def difference(self) -> Array:
        """(unit,) score less that of the reference."""
        return np.asarray(self.score - self.other_score)

    @property
    def tied(self) -> NDArray[np.bool_]:
        """(unit, indicator): the difference is inside the uncertainty, or there is none."""
        none = ~(np.abs(self.points) > 1e-9 * np.maximum(np.abs(self.score), 1e-300)[:, None])
        if self.low is None or self.high is None:
            return none
        return np.asarray(none | ~((self.low > 0) | (self.high < 0)))

    @property
    def what(self) -> str:
        """The reference as it was asked for; of the own past, the period."""
        return "" if self._again is None else self._again[2]

    def at(self, unit: str) -> int:
        """Place of a unit in the arrays."""
        if unit not in self.units:
            raise UnknownName(Text("unit looked at", "所分析的单位"), unit, self.units)
        return self.units.index(unit)

    def nodes(self, unit: str) -> dict[str, float]:
        """Points of every node: those of the indicators below it, added."""
        k, r = self.at(unit), self.result
        out = dict.fromkeys((n.code for n in r.nodes), 0.0)
        for i, code in enumerate(r.indicators):
            for node in r.framework.path(code):
                out[node.code] += float(self.points[k, i])
        return out

    def rows(self, unit: str | None = None) -> list[dict[str, Any]]:
        """Rows of unit, indicator, score, reference, points, low, high, tied: what costs the most points first."""
        out = []
        tied = self.tied
        for k in range(len(self.units)) if unit is None else [self.at(unit)]:
            for i in sorted(range(len(self.result.indicators)), key=lambda i: (np.nan_to_num(self.points[k, i]), self.result.indicators[i])):
                low, high = (None if b is None else or_none(b[k, i]) for b in (self.low, self.high))
                out.append({"unit": self.units[k], "indicator": self.result.indicators[i], "score": or_none(self.own[k, i]), "reference": or_none(self.other[k, i]),
                            "points": or_none(self.points[k, i]), "low": low, "high": high, "tied": bool(tied[k, i])})  # fmt: skip
        return out

    def under(self, study: Study | None = None, *, replicates: int = 200, level: float = 0.9) -> Gaps:
        """The same with intervals over what-ifs.

        Parameters
        ----------
        study : Study, optional
            What varies; by default what `usual` finds.
        replicates : int
        level : float
            Share of the what-ifs inside an interval.
        """
        if not is_number(level) or not 0 < level < 1:
            raise BadOption("level", f"must lie between 0 and 1; got {level!r}.", f"置信水平应在 0 与 1 之间；得到 {level!r}。")
        assert self._again is not None
        p, at, what, mask = self._again
        seen = []
        for made in variants(self.result, study, replicates):
            points = np.zeros(self.points.shape)
            try:
                found = _gaps(made, p, at, what, mask).points * _scale(self.result, made, p)
            except BadOption:
                continue
            column = [made.indicators.index(c) if c in made.indicators else -1 for c in self.result.indicators]
            for i, c in enumerate(column):
                points[:, i] = found[:, c] if c >= 0 else 0.0
            seen.append(points)
        if len(seen) < 20:
            return self
        with np.errstate(all="ignore"):
            low, high = missing.quantile(np.array(seen), [(1 - level) / 2, (1 + level) / 2], axis=0)
        return replace(self, low=low, high=high, replicates=len(seen))

    _again: tuple[int, NDArray[np.intp], str, NDArray[np.bool_]] | None = field(default=None, repr=False)


@takes_result
def gaps(result: Result, reference: str = "best", units: list[str] | str | None = None, *, period: str | Period | None = None, peers: Peers = None) -> Gaps:
    """Split the difference of scores from a reference over indicators.

    Points are Shapley values: the mean effect of each indicator over all orders in which the unit could go from the
    reference to where it is. Where the tree is a sum they are weight times gap.

    Parameters
    ----------
    result : Result
    reference : str
        "best", "leader", "mean", "median", "target" or "past", the code of a unit, or a period: the unit's own past.
        With "best", "mean", "median" and "target" only what the unit has is compared, and without a target there is no gap.
    units : list of str, optional
        Codes; all units by default.
    period : str or Period, optional
        The last period with scores by default.
    peers : str or list of str, optional
        A grouping or codes; all units that count by default.

    Returns
    -------
    Gaps

    Raises
    ------
    UnknownName, BadOption
        If a name is not known, or there is no reference of this kind.
    """
    p = result.period_at(period)
    asked = [u.code for u in result.panel.units] if units is None else [units] if isinstance(units, str) else list(units)
    at = np.array([result.panel.position(c) for c in asked], np.intp)
    what = _known(result, p, reference)
    return _gaps(result, p, at, what, peer_mask(result, peers, itself=False)[at])


def _scale(result: Result, made: Result, p: int) -> float:
    """What points of another run are worth in those of this one: by the spread of scores, so that a z-score's points compare."""
    units = np.flatnonzero(result.counts[p])
    there = climb(ladder(made, (np.full(len(units), p), units)), scores_of(made, p)[units])
    with np.errstate(all="ignore"):
        spread, now = missing.spread(there), missing.spread(result.scores[p, units, 0])
    return float(now / spread) if spread > 0 and now > 0 else 1.0


def _known(result: Result, p: int, reference: str) -> str:
    """A reference that there is."""
    periods = [str(x) for x in result.panel.periods]
    units = [u.code for u in result.panel.units]
    if reference == "past":
        if p == 0:
            raise BadOption(
                "reference", f"'past' needs a period before {periods[p]}; there is none.", f"reference='past' 需要 {periods[p]} 之前的一期；没有找到。"
            )
        return periods[p - 1]
    if reference == "target" and all(result.framework[c].target is None for c in result.indicators):
        raise BadOption("reference", "'target' needs targets in the framework; it states none.", "reference='target' 需要指标体系写明目标值；没有找到。")
    if reference not in REFERENCES and reference not in units and reference not in periods:
        raise UnknownName(Text("reference", "参照"), reference, [*REFERENCES, *units, *periods])
    return reference


def scores_of(result: Result, p: int) -> Array:
    """(unit, indicator) scores of the indicators in a period; NaN where a unit is left out."""
    return np.where(result.screened[p][:, None], np.nan, result.stages["normalised"][p])


def _gaps(result: Result, p: int, at: NDArray[np.intp], what: str, mask: NDArray[np.bool_]) -> Gaps:
    z = scores_of(result, p)
    own = z[at]
    other, who = _reference(result, p, at, what, mask, z)
    tree = ladder(result, (np.full(len(at), p), at))
    points, exact = shapley(tree, own, other)
    named = next((u for u in result.panel.units if u.code == what), None)
    label = REFERENCES.get(what) or (Text(what, what) if named is None else Text(named.name("en"), named.name("zh")))
    if what not in REFERENCES and what not in {u.code for u in result.panel.units}:
        label = Text(f"itself in {what}", f"自身 {what} 年" if len(what) == 4 else f"自身 {what}")
    return Gaps(result, str(result.panel.periods[p]), label, tuple(result.panel.units[k].code for k in at), own, other, points,
                climb(tree, own), climb(tree, other), exact, who, _again=(p, at, what, mask))  # fmt: skip


def _reference(result: Result, p: int, at: NDArray[np.intp], what: str, mask: NDArray[np.bool_], z: Array) -> tuple[Array, tuple[str | None, ...]]:
    """(case, indicator) scores of the reference, and the unit it is."""
    codes = [u.code for u in result.panel.units]
    nobody = (None,) * len(at)
    if what in codes:
        return np.repeat(z[[codes.index(what)]], len(at), axis=0), (what,) * len(at)
    periods = [str(x) for x in result.panel.periods]
    if what in periods:
        return scores_of(result, periods.index(what))[at], nobody
    if what == "target":
        trials = Trials(result, result.panel.periods[p])
        goals = [result.framework[c].target for c in result.indicators]
        goal = np.array([np.nan if g is None else trials.held(i, np.array([float(g)]))[0] for i, g in enumerate(goals)])
        return np.where(np.isnan(goal) | np.isnan(z[at]), z[at], goal), nobody
    return _among(result, p, at, what, mask, z)


def _among(result: Result, p: int, at: NDArray[np.intp], what: str, mask: NDArray[np.bool_], z: Array) -> tuple[Array, tuple[str | None, ...]]:
    """A reference among the peers."""
    out = np.empty((len(at), z.shape[1]))
    who: list[str | None] = []
    n = mask.shape[1]
    counts = result.counts[p, :n]
    seen: dict[bytes, tuple[Array, int]] = {}
    everyone = np.arange(len(result.panel.units))
    score = climb(ladder(result, (np.full(len(everyone), p), everyone)), z)[:n] if what == "leader" else np.zeros(n)
    for k in range(len(at)):
        inside = mask[k] & counts
        key = inside.tobytes()
        if key not in seen:
            seen[key] = _one(what, z[:n], inside, score)
        row, leader = seen[key]
        out[k] = row if what == "leader" else np.where(np.isnan(z[at[k]]), np.nan, row)
        who.append(result.panel.units[leader].code if leader >= 0 else None)
    return out, tuple(who)


def _one(what: str, z: Array, inside: NDArray[np.bool_], score: Array) -> tuple[Array, int]:
    if not inside.any():
        return np.full(z.shape[1], np.nan), -1
    if what == "leader":
        best = int(np.nanargmax(np.where(inside, score, np.nan))) if not np.isnan(score[inside]).all() else int(np.flatnonzero(inside)[0])
        return z[best], best
    some = z[inside]
    there = ~np.isnan(some)
    if what == "best":
        return np.where(there.any(axis=0), np.where(there, some, -np.inf).max(axis=0), np.nan), -1
    with np.errstate(all="ignore"):
        if what == "mean":
            return np.where(there, some, 0.0).sum(axis=0) / np.where(there.any(axis=0), there.sum(axis=0), np.nan), -1
        full = np.where(there.any(axis=0), some, 0.0)
        return np.where(there.any(axis=0), missing.median(full, axis=0), np.nan), -1
