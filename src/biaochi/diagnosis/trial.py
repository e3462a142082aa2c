"""What scores and ranks would be with other values: one period of a result, its steps taken again for many trials at once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from biaochi.checks import REGISTRIES, choice_of
from biaochi.framework import Framework, Optimum
from biaochi.job import Job
from biaochi.kernels.rank import GRAIN, rounded
from biaochi.method import Array, Trait
from biaochi.panel import Panel
from biaochi.period import Period
from biaochi.result import Result
from biaochi.run import impute, normalise, score, treat
from biaochi.units import Unit

CELLS = 1_500_000
"""Values worked on at a time."""
Places = NDArray[np.intp]


class Standing(NamedTuple):
    """How a unit would stand."""

    score: Array
    """(trial,)"""
    above: NDArray[np.intp]
    """(trial,) units that count and are not clearly below it; where scores are rounded and ties are good, those above it."""
    moved: NDArray[np.bool_]
    """(trial,) whether it changes what others have in the indicator, or is not known not to."""


class After(NamedTuple):
    """One trial in full."""

    scores: Array
    """(unit,) of the index."""
    ranks: Array
    z: Array
    """(unit, indicator) scores of the indicators."""


class Trials:
    """One period of a result and what it would be with other values after the denominators.

    Where all steps look at one period only, trials are run as so many periods; else each is a run of its own.
    """

    def __init__(self, result: Result, period: str | Period | None = None) -> None:
        self.result, self.p = result, result.period_at(period)
        self.x: Array = result.stages["denominated"][self.p]
        """(unit, indicator)"""
        self.z: Array = np.where(result.screened[self.p][:, None], np.nan, result.stages["normalised"][self.p])
        self.scores: Array = result.scores[self.p, :, 0]
        self.counts: NDArray[np.bool_] = result.counts[self.p]
        self.signs = np.array([0.0 if isinstance(d := result.framework[c].direction, Optimum) else float(d) for c in result.indicators])

    @cached_property
    def local(self) -> bool:
        """Whether every step looks at one period only."""
        recipe = self.result.recipe
        methods = [self._methods(c) for c in self.result.indicators]
        if len(self.result.panel.periods) == 1 and recipe.scale != "base" and not any("at" in m.needs or "before" in m.needs for ms in methods for m in ms):
            return recipe.weigh_period is None
        fixed = all(Trait.IGNORES_REF in n.traits and not _again(o) for (_, _, n), o in zip(methods, self._scales, strict=True))
        alone = recipe.scale in ("period", "fixed") or (fixed and recipe.scale != "base")
        untreated = recipe.treat_over == "period" or all(t is REGISTRIES["treat"]["none"] for _, t, _ in methods)
        timeless = not any(_along(m) for ms in methods for m in ms)
        return alone and untreated and timeless and recipe.weigh_period is None and not self._compares

    def _methods(self, code: str) -> list[Any]:
        node = self.result.framework[code]
        return [REGISTRIES[s][choice_of(self.result.framework, self.result.recipe, s, node)[0]] for s in ("impute", "treat", "normalise")]

    @cached_property
    def _scales(self) -> list[dict[str, Any]]:
        return [choice_of(self.result.framework, self.result.recipe, "normalise", self.result.framework[c])[1] for c in self.result.indicators]

    @cached_property
    def _parents(self) -> list[Any]:
        r = self.result
        return [n for n in r.nodes if r.framework.children(n.code)]

    @cached_property
    def _compares(self) -> bool:
        """Whether a parent compares units over all periods."""
        r = self.result
        return r.recipe.scale == "pooled" and any(
            Trait.COMPARES_UNITS in REGISTRIES["aggregate"][choice_of(r.framework, r.recipe, "aggregate", n)[0]].traits for n in self._parents
        )

    @cached_property
    def given(self) -> bool:
        """Whether weights stay what they are and no parent compares units."""
        r = self.result
        weighing = [REGISTRIES["weigh"][choice_of(r.framework, r.recipe, "weigh", n)[0]] for n in self._parents]
        parents = [REGISTRIES["aggregate"][choice_of(r.framework, r.recipe, "aggregate", n)[0]] for n in self._parents]
        return not any(Trait.FROM_DATA in m.traits for m in weighing) and not any(Trait.COMPARES_UNITS in m.traits for m in parents)

    @cached_property
    def steady(self) -> NDArray[np.bool_]:
        """(indicator,) whether no value can move the scale: known for fixed goalposts on values as they are."""
        r = self.result
        out = np.zeros(len(r.indicators), bool)
        for k, code in enumerate(r.indicators):
            filling, treated, method = self._methods(code)
            options = self._scales[k]
            stated = bool(method.posts) and all(options.get(p) is not None for p in method.posts)
            filled = filling is not REGISTRIES["impute"]["none"] and bool(np.isnan(self.x[~r.screened[self.p], k]).any())
            plain = treated is REGISTRIES["treat"]["none"] and not filled
            out[k] = plain and not options.get("rescale") and (stated or Trait.IGNORES_REF in method.traits)
        return out & self.given & self.local

    @cached_property
    def additive(self) -> bool:
        """Whether a change in one indicator adds to scores what it adds to that indicator's, times a weight that stays."""
        r = self.result
        sums = all(Trait.ADDITIVE in REGISTRIES["aggregate"][choice_of(r.framework, r.recipe, "aggregate", n)[0]].traits for n in self._parents)
        apart = not any(Trait.JOINT in m.traits or "branches" in m.needs for c in r.indicators for m in self._methods(c))
        return sums and self.given and apart and self.local

    @cached_property
    def shares(self) -> Array:
        """(unit, indicator): weight in the index among what the unit has; only for additive trees."""
        r = self.result
        out = np.ones(self.x.shape)
        for i, code in enumerate(r.indicators):
            for node in r.framework.path(code):
                out[:, i] *= r.shares[self.p, :, r.node_at(node.code)]
        return out

    # --- scales ---------------------------------------------------------------------------------------------------------------

    def held(self, i: int, values: Array) -> Array:
        """Scores that values of an indicator would have on the scale as it is, (n,)."""
        r, n = self.result, len(values)
        units = (*r.panel.units, *(Unit(f"\x00{k}", ranked=False) for k in range(n)))
        at = [self.p] if self.local else list(range(len(r.panel.periods)))
        x = np.full((len(at), len(units), 1), np.nan)
        x[:, : -n or None, 0] = r.stages["imputed"][at][..., i]
        x[at.index(self.p), len(r.panel.units) :, 0] = values
        counts = np.zeros(x.shape[:2], bool)
        counts[:, : len(r.panel.units)] = r.counts[at]
        job = self._job(i, tuple(r.panel.periods[a] for a in at), units)
        with np.errstate(all="ignore"):
            z = normalise(job, treat(job, x, counts), counts)
        return np.asarray(z[at.index(self.p), len(r.panel.units) :, 0])

    def _job(self, i: int | None, periods: tuple[Period, ...], units: tuple[Unit, ...]) -> Job:
        """A job of one indicator or all, on a panel that has no data of its own."""
        r = self.result
        if i is None:
            framework = r.framework
        else:
            path = r.framework.path(r.indicators[i])
            framework = Framework([replace(n, formula=None, denominator=None, weight=1.0) for n in path])
        empty = np.empty((len(periods), len(units), 0))
        return Job(framework, Panel(periods, units, (), empty, empty.astype("<U1"), empty.astype(np.int32)), r.recipe)

    # --- trials ---------------------------------------------------------------------------------------------------------------

    def column(self, i: int, units: Places, values: Array) -> Array:
        """Scores of all units in one indicator, where a unit has another value: (trial, unit). Only for additive trees."""
        r = self.result
        x = np.repeat(np.where(r.screened[self.p], np.nan, self.x[:, i])[None, :, None], len(units), axis=0)
        x[np.arange(len(units)), units, 0] = values
        counts = np.broadcast_to(self.counts, x.shape[:2])
        job = self._job(i, tuple(Period("A", k) for k in range(len(units))), r.panel.units)
        job.screened = np.broadcast_to(r.screened[self.p], x.shape[:2])
        with np.errstate(all="ignore"):
            return np.asarray(normalise(job, treat(job, impute(job, x, counts), counts), counts)[..., 0])

    def whole(self, x: Array) -> tuple[Array, Array]:
        """Scores and ranks of the index for other values of the period, (trial, unit, indicator): each (trial, unit)."""
        r = self.result
        scores, ranks = np.empty(x.shape[:2]), np.empty(x.shape[:2])
        step = max(1, CELLS // x[0].size) if self.local else 1
        for k in range(0, len(x), step):
            some = x[k : k + step]
            if self.local:
                job, ratios, at = self._job(None, tuple(Period("A", j) for j in range(len(some))), r.panel.units), some, slice(None)
            else:
                job, ratios, at = Job(r.framework, r.panel, r.recipe), r.stages["denominated"].copy(), slice(self.p, self.p + 1)
                ratios[self.p] = some[0]
            with np.errstate(all="ignore"):
                made = score(job, ratios)
            scores[k : k + step], ranks[k : k + step] = made.tree.scores[at, :, 0], made.ranks[at, :, 0]
        return scores, ranks

    def retake(self, x: Array) -> After:
        """Scores, ranks and indicator scores for other values of the period, (unit, indicator)."""
        r = self.result
        if self.local:
            job, ratios, at = self._job(None, (r.panel.periods[self.p],), r.panel.units), x[None].copy(), 0
        else:
            job, ratios, at = Job(r.framework, r.panel, r.recipe), r.stages["denominated"].copy(), self.p
            ratios[at] = x
        with np.errstate(all="ignore"):
            made = score(job, ratios)
        return After(made.tree.scores[at, :, 0], made.ranks[at, :, 0], made.stages["normalised"][at])

    def stand(self, units: Places, columns: Places, values: Array) -> Standing:
        """How units would stand, each with another value in one indicator."""
        out = Standing(np.full(len(units), np.nan), np.zeros(len(units), np.intp), np.ones(len(units), bool))
        work = list(self._pieces(columns))
        if self.additive and len(work) > 1:
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda rows: self._stand(units, columns, values, rows, out), work))
        else:
            for rows in work:
                self._stand(units, columns, values, rows, out)
        return out

    def _pieces(self, columns: Places) -> Iterator[Places]:
        """Trials that can be run together."""
        groups = [np.flatnonzero(columns == i) for i in np.unique(columns)] if self.additive else [np.arange(len(columns))]
        step = max(1, CELLS // (len(self.x) * (1 if self.additive else self.x.shape[1])))
        for rows in groups:
            yield from (rows[k : k + step] for k in range(0, len(rows), step))

    def _stand(self, units: Places, columns: Places, values: Array, rows: Places, out: Standing) -> None:
        if self.additive:
            i = int(columns[rows[0]])
            z = self.column(i, units[rows], values[rows])
            change = z - self.z[:, i]
            scores = self.scores + np.where(np.isnan(change), 0.0, self.shares[:, i] * change)
            change[np.arange(len(rows)), units[rows]] = 0.0
            out.moved[rows] = (np.abs(change) > 1e-12 * np.abs(self.z[:, i])).any(axis=1)
        else:
            x = np.repeat(self.x[None], len(rows), axis=0)
            x[np.arange(len(rows)), units[rows], columns[rows]] = values[rows]
            scores, _ = self.whole(x)
        out.score[rows], out.above[rows] = self.above(scores, units[rows])

    def above(self, scores: Array, units: Places, *, clearly: bool = True) -> tuple[Array, NDArray[np.intp]]:
        """Each trial's unit, of (trial, unit) scores: its score, and how many that count it does not stand clearly above.

        With ``clearly`` off, or where scores are rounded and ties get the better rank: how many stand above it.
        """
        decimals, ties = self.result.recipe.decimals, self.result.recipe.ties
        own = scores[np.arange(len(units)), units]
        told = np.where(self.counts, scores, np.nan)
        if decimals is not None:
            told = rounded(told, decimals)
        mine = told[np.arange(len(units)), units] if decimals is not None else own
        gains = ties not in ("worst", "average")  # a tie with the one above
        spread = np.nanmax(told, axis=1) - np.nanmin(told, axis=1)
        slack = 4 * GRAIN * np.maximum(spread, 1e-300)
        if gains and (decimals is not None or not clearly):
            return own, (told > (mine + slack)[:, None]).sum(axis=1)
        return own, (told >= (mine - slack)[:, None]).sum(axis=1) - self.counts[units]


def _again(options: dict[str, Any]) -> bool:
    """Whether results are put on a scale once more."""
    return bool(options.get("rescale") or options.get("range"))


def _along(method: Any) -> bool:
    return bool(method.needs & {"before", "origin", "at", "times", "cycle"}) or method.kernel.__module__.endswith(".time")
