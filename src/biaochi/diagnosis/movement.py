"""Why a score and a rank moved between two periods: every part of the difference, and nothing left over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np

from biaochi.changes import framework_changes, mixed_framework, mixed_recipe, recipe_changes, with_data
from biaochi.compare import Chosen, blocks_of, label_of, mean_effects, separable
from biaochi.diagnosis.gaps import scores_of
from biaochi.diagnosis.ladder import ladder
from biaochi.diagnosis.trial import Trials
from biaochi.errors import BadOption, BiaochiError, Text
from biaochi.kernels.rank import rank
from biaochi.kernels.shapley import climb, shapley
from biaochi.method import Array, or_none
from biaochi.period import Period
from biaochi.result import Result, takes_result
from biaochi.run import run

PARTS: dict[str, Text] = {
    "own": Text("own indicators", "自身指标变化"),
    "others": Text("other units", "其他单位变化"),
    "reference": Text("the scale others set", "参照尺度变化"),
    "revisions": Text("data revised since", "数据修订"),
    "fitted": Text("weights drawn from the data", "由数据确定的权重"),
}
"""What a movement is made of, besides parts of the framework and settings of the recipe."""


@dataclass(frozen=True, eq=False)
class Movement:
    """How units moved from one period to another. Arrays are (unit,), for units that have a score in both."""

    first: str
    second: str
    units: tuple[str, ...]
    before: Array
    after: Array
    rank_before: Array
    rank_after: Array
    parts: Mapping[str, Array]
    """Points by part: `own`, `others`, `reference`, `revisions`, parts of the framework, settings of the recipe; they sum to ``after - before``."""
    rank_parts: Mapping[str, Array]
    """Places gained by part; they sum to ``rank_before - rank_after``."""
    indicators: tuple[str, ...]
    own: Array
    """(unit, indicator) points of `own`."""
    notices: tuple[Text, ...] = ()

    def label(self, part: str) -> Text:
        """What a part is called."""
        return PARTS.get(part) or label_of(part)

    def rows(self) -> list[dict[str, Any]]:
        """Rows of unit, score and rank before and after, points and places by part, points by indicator."""
        out: list[dict[str, Any]] = []
        for k, unit in enumerate(self.units):
            row: dict[str, Any] = {"unit": unit, "score_before": or_none(self.before[k]), "score_after": or_none(self.after[k]),
                                   "rank_before": or_none(self.rank_before[k]), "rank_after": or_none(self.rank_after[k])}  # fmt: skip
            row |= {"points": {n: or_none(v[k]) for n, v in self.parts.items()}, "places": {n: or_none(v[k]) for n, v in self.rank_parts.items()}}
            row["indicators"] = {c: or_none(v) for c, v in zip(self.indicators, self.own[k], strict=True)}
            out.append(row)
        return out


@takes_result
def movement(result: Result, second: Result | None = None, *, periods: tuple[str | Period | None, str | Period | None] = (None, None)) -> Movement:
    """Split what happened to every unit's score and rank between two periods.

    A unit moves because its own indicators change, because the values of others set another scale or overtake it, because
    weights, indicators, goalposts or settings are changed, and because data of the first period are revised. Data, parts of
    the framework and settings have their mean effect over all orders (Shapley value). What data do is split into revisions
    of the first period, and the way from there to the second: own values, the scale and other units by their mean effect
    over all orders, own values again by indicator.

    Parameters
    ----------
    result : Result
    second : Result, optional
        Another edition, with its own framework, recipe and data; the same by default.
    periods : pair of periods, optional
        By default the last of each with scores; of one result, the last and the one before.

    Returns
    -------
    Movement

    Raises
    ------
    UnknownName, BadOption
        If a period is not known, or no unit has a score in both.
    """
    other = result if second is None else second
    if not isinstance(other, Result):
        raise BadOption("movement", f"needs a second result of biaochi.run; got {second!r:.80}.", f"第二个参数应为运行结果；得到 {second!r:.80}。")
    q = other.period_at(periods[1])
    p = result.period_at(periods[0]) if periods[0] is not None or second is not None else q - 1
    if p < 0:
        raise BadOption("movement", "needs two periods; there is one.", "须有两期数据；仅有一期。")
    units = [u.code for u in result.panel.units if u.code in {v.code for v in other.panel.units}]
    return _Movement(result, other, p, q, units).made()


class _Movement:
    """Two ends and what lies between."""

    def __init__(self, a: Result, b: Result, p: int, q: int, units: list[str]) -> None:
        self.a, self.b, self.p, self.q, self.notices = a, b, p, q, list[Text]()
        here, there = [a.panel.position(u) for u in units], [b.panel.position(u) for u in units]
        both = ~np.isnan(a.scores[p, here, 0]) & ~np.isnan(b.scores[q, there, 0])
        self.units = [u for u, ok in zip(units, both, strict=True) if ok]
        if not self.units:
            raise BadOption("movement", "needs a unit with a score in both periods; there is none.", "须有单位在两期均有得分；没有找到。")
        self.here, self.there = (np.array([r.panel.position(u) for u in self.units], np.intp) for r in (a, b))
        self.frames = (a.original or a.framework, b.original or b.framework)
        self.settings = {r["setting"] for r in recipe_changes(a.recipe, b.recipe)}
        self.runs: dict[tuple[Chosen, bool], Result | None] = {}
        periods = [str(x) for x in b.panel.periods]
        self.again = periods.index(str(a.panel.periods[p])) if str(a.panel.periods[p]) in periods else None
        """The first period among those of the second."""

    def made(self) -> Movement:
        """The movement with its parts."""
        changed = {r["part"] for r in framework_changes(*self.frames)} - {"words"}
        blocks = separable(blocks_of(["data", *sorted(changed), *sorted(self.settings)], self.settings, self.notices), self.value, self.notices)
        if not any(b == frozenset({"data"}) for b in blocks):
            whole = Text("The data cannot be run apart from other changes: own changes are not told apart.", "数据无法与其他变化分开运行：自身变化未单列。")
            self.notices.append(whole)
        effects = mean_effects(blocks, self.value)
        parts = {n: e[0] for n, e in effects.items() if n != "data"}
        places = {n: 0.0 - e[1] for n, e in effects.items() if n != "data"}
        codes = tuple(sorted({*self.a.indicators, *self.b.indicators}))
        own = np.zeros((len(self.units), len(codes)))
        if "data" in effects:
            split, ranks, own = self.data(blocks, codes)
            parts, places = {**split, **parts}, {**ranks, **places}
        a, b = self.value(frozenset()), self.value(frozenset().union(*blocks))
        assert a is not None
        assert b is not None
        return Movement(str(self.a.panel.periods[self.p]), str(self.b.panel.periods[self.q]), tuple(self.units), a[0], b[0], a[1], b[1],
                        _told(parts), _told(places), codes, own, tuple(self.notices))  # fmt: skip

    def value(self, taken: Chosen) -> tuple[Array, Array] | None:
        """Scores and ranks with some blocks of the second."""
        made = self.run(taken - {"data"}, second="data" in taken)
        if made is None:
            return None
        p, at = (self.q, self.there) if "data" in taken else (self.p, self.here)
        return made.scores[p, at, 0], made.ranks[p, at, 0]

    def run(self, taken: Chosen, *, second: bool) -> Result | None:
        """A run with some choices and one of the two data sets; None where there is none."""
        key = (frozenset(taken), second)
        if key not in self.runs:
            source = self.b if second else self.a
            same = not taken if not second else taken == self.every
            try:
                framework = with_data(mixed_framework(*self.frames, taken - self.settings), source.panel.codes)
                recipe = mixed_recipe(self.a.recipe, self.b.recipe, taken & self.settings)
                self.runs[key] = source if same else run(framework, source.panel, recipe)
            except BiaochiError:
                self.runs[key] = None
        return self.runs[key]

    @property
    def every(self) -> Chosen:
        """All in which the two differ besides data."""
        return frozenset({r["part"] for r in framework_changes(*self.frames)} - {"words"} | self.settings)

    def data(self, blocks: list[Chosen], codes: tuple[str, ...]) -> tuple[dict[str, Array], dict[str, Array], Array]:
        """What data do, in parts: the mean over all coalitions of other choices that has the Shapley weights."""
        rest = [b for b in blocks if b != frozenset({"data"})]
        n = len(self.units)
        parts, places = ({k: np.zeros(n) for k in PARTS} for _ in range(2))
        own = np.zeros((n, len(codes)))
        for share, taken in _coalitions(rest):
            first, last = self.run(taken, second=False), self.run(taken, second=True)
            assert first is not None
            assert last is not None
            p, at = self.p, self.here
            if first.panel is not last.panel and self.again is not None:
                parts["revisions"] += share * (last.scores[self.again, self.there, 0] - first.scores[p, at, 0])
                places["revisions"] -= share * (last.ranks[self.again, self.there, 0] - first.ranks[p, at, 0])
                first, p, at = last, self.again, self.there
            by_part, by_place, by_indicator = _way(first, p, at, last, self.q, self.there)
            for k in by_part:
                parts[k] += share * by_part[k]
                places[k] += share * by_place[k]
            own[:, [codes.index(c) for c in first.indicators]] += share * by_indicator
        return parts, places, own


def _coalitions(rest: list[Chosen]) -> list[tuple[float, Chosen]]:
    """Sets of other blocks, with the share of orders in which exactly they come before."""
    n = len(rest) + 1
    return [(factorial(k) * factorial(n - 1 - k) / factorial(n), frozenset[str]().union(*some)) for k in range(n) for some in combinations(rest, k)]


Scores = dict[tuple[bool, bool, bool], Array]
"""(own of the second, scale of the second, others of the second) -> (unit,)"""


def _way(first: Result, p: int, at: Any, last: Result, q: int, there: Any) -> tuple[dict[str, Array], dict[str, Array], Array]:
    """From one period to another by the same framework and recipe: own values, scale, other units."""
    if first.indicators != last.indicators:
        return _apart(first, p, at, last, q, there)
    z = {(False, False): scores_of(first, p)[at], (True, True): scores_of(last, q)[there]}
    z[True, False] = _on_scale(first, p, last, q, there, z[True, True])
    z[False, True] = _on_scale(last, q, first, p, at, z[False, False])
    trees = {False: ladder(first, (np.full(len(at), p), at)), True: ladder(last, (np.full(len(there), q), there))}
    scores: Scores = {(o, s, t): climb(trees[t], z[o, s]) for o in (False, True) for s in (False, True) for t in (False, True)}
    own = np.zeros((len(at), len(first.indicators)))
    for s in (False, True):
        for t in (False, True):
            points, _ = shapley(trees[t], z[True, s], z[False, s])
            own += points / (3 if s == t else 6)
    parts = _three(scores)
    if not np.array_equal(first.weights, last.weights):  # others decide a score by the weights that data give, too
        parts["fitted"] = parts.pop("others")
    return parts, _places(scores, first, p, at, last, q, there), own


def _three(v: Mapping[tuple[bool, bool, bool], Array]) -> dict[str, Array]:
    """Mean effects of three blocks over their six orders."""
    out = {}
    for axis, name in enumerate(("own", "reference", "others")):
        total: Any = 0.0
        for x in (False, True):
            for y in (False, True):
                with_, without = [x, y], [x, y]
                with_.insert(axis, True)
                without.insert(axis, False)
                a, b = (v[k[0], k[1], k[2]] for k in (with_, without))
                total = total + (a - b) / (3 if x == y else 6)
        out[name] = total
    return out


def _on_scale(scale: Result, s: int, source: Result, p: int, at: Any, own: Array) -> Array:
    """Scores that values of one period would have on the scale of another."""
    trials = Trials(scale, scale.panel.periods[s])
    x = source.stages["imputed"][p][at]
    with np.errstate(all="ignore"):
        z = np.stack([trials.held(i, x[:, i]) for i in range(x.shape[1])], axis=1)
    return np.where(np.isnan(own) | np.isnan(z), np.where(np.isnan(own), np.nan, own), z)


def _places(v: Scores, first: Result, p: int, at: Any, last: Result, q: int, there: Any) -> dict[str, Array]:
    """Places gained by each of the three: ranks of the unit with others as they are in the first period or the second."""
    recipe: Any = last.recipe
    counted = first.counts[p, at] & last.counts[q, there]
    outsiders = [np.where(r.counts[k], r.scores[k, :, 0], np.nan) for r, k in ((first, p), (last, q))]
    ranks: dict[tuple[bool, bool, bool], Array] = {}
    for o, s, t in v:
        outside = outsiders[int(t)].copy()
        mine, stood = (there, last.counts[q, there]) if t else (at, first.counts[p, at])
        outside[mine] = np.where(stood, v[t, s, t], np.nan)
        table = np.repeat(outside[None], len(mine), axis=0)
        table[np.arange(len(mine)), mine] = v[o, s, t]
        found = rank(table, ties=recipe.ties, decimals=recipe.decimals)[np.arange(len(mine)), mine]
        ranks[o, s, t] = np.where(counted, found, np.nan)
    ranks[False, False, False] = first.ranks[p, at, 0]
    ranks[True, True, True] = last.ranks[q, there, 0]
    return {k: 0.0 - e for k, e in _three(ranks).items()}


def _apart(first: Result, p: int, at: Any, last: Result, q: int, there: Any) -> tuple[dict[str, Array], dict[str, Array], Array]:
    """Where data screen out different indicators, all is the unit's own data."""
    parts = {"own": last.scores[q, there, 0] - first.scores[p, at, 0]}
    own = np.full((len(at), len(first.indicators)), np.nan)
    return parts, {"own": first.ranks[p, at, 0] - last.ranks[q, there, 0]}, own


def _told(parts: dict[str, Array]) -> dict[str, Array]:
    """Parts that there are; what is left by rounding is nothing."""
    size = max((float(np.nanmax(np.abs(v), initial=0.0)) for v in parts.values()), default=0.0)
    return {k: v for k, v in parts.items() if k == "own" or (np.abs(np.nan_to_num(v)) > 1e-12 * size).any()}
