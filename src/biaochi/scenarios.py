"""What-ifs: draw them, plan the work they share once, run them in pieces that fit the cache, count their ranks."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biaochi.checks import REGISTRIES, choice_of, panel_targets, recipe_problems
from biaochi.errors import BadOption, Text, UnknownName, refuse
from biaochi.framework import Framework
from biaochi.kernels.rank import rank
from biaochi.method import Array
from biaochi.panel import Panel
from biaochi.prefix import Prefixes, effects, with_errors
from biaochi.recipe import STEPS, Choice, Recipe
from biaochi.result import Result
from biaochi.reweigh import Weights
from biaochi.run import run
from biaochi.steps import step_key
from biaochi.variation import DataDraws, Errors, ImputationDraws, Settings, Tree, Variation, laid, touches_nothing
from biaochi.variation import named as with_names

DRAWN_TOGETHER = 1024
"""Replicates whose draws come from one stream, so that any of them can be drawn again alone."""
TIES = {"best": 0, "worst": 1, "average": 2, "dense": 3}

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Target:
    """A node in a period: what is ranked."""

    period: int
    node: int
    """As the framework walks."""
    order: NDArray[np.intp]
    """Units that may be ranked, by nominal rank."""
    nominal: NDArray[np.int32]
    """Their nominal ranks, 0 for none; doubled where ties get average ranks."""


@dataclass
class Group:
    """Replicates that differ in nothing but weights."""

    choice: tuple[int, ...]
    draws: tuple[int, ...]
    rows: NDArray[np.intp]
    """Where they stand among the ids at work."""


class Plan:
    """One study: what varies, of what, seen where. Everything a replicate is follows from its number and the seed."""

    def __init__(
        self, result: Result, vary: Sequence[Variation], *, seed: int = 1, nodes: Sequence[str] | None = None, periods: Sequence[str] | None = None,
        design: Array | None = None,
    ) -> None:  # fmt: skip
        self.result, self.seed = result, seed
        self.framework: Framework = result.original or result.framework
        self.panel: Panel = result.panel
        self.recipe: Recipe = result.recipe
        self.vary = tuple(with_names(vary))
        self.tree = Tree(self.framework)
        self.design = design
        self.prefixes = Prefixes(self.framework, self.panel, self.recipe, self.vary, seed, result.pooled)
        check(self)
        self.dims = [v.dims(self.tree) for v in self.vary]
        self.ties = TIES[self.recipe.ties]
        self.targets = [self._target(p, n) for p in self._periods(periods) for n in self._nodes(nodes)]

    def _periods(self, periods: Sequence[str] | None) -> list[int]:
        return [self.result.period_at(None)] if periods is None else [self.result.period_at(p) for p in _listed("periods", periods)]

    def _nodes(self, nodes: Sequence[str] | None) -> list[int]:
        codes = [self.framework.root.code] if nodes is None else _listed("nodes", nodes)
        for c in codes:
            self.result.node_at(c)
            if not self.framework.children(c):
                raise BadOption("nodes", f"must be nodes with children; {c!r} is an indicator.", f"应为有下级的节点；{c!r} 是指标。")
        return [self.tree.at[c] for c in codes]

    def _target(self, p: int, n: int) -> Target:
        at = self.result.node_at(self.tree.nodes[n].code)
        ranks = self.result.ranks[p, :, at]
        able = np.flatnonzero(self.panel.counts)
        order = able[np.lexsort((np.nan_to_num(-self.result.scores[p, able, at], nan=np.inf), np.nan_to_num(ranks[able], nan=np.inf)))]
        nominal = np.nan_to_num(ranks[order] * (2 if self.ties == 2 else 1), nan=0.0)
        return Target(p, n, order, np.rint(nominal).astype(np.int32))

    def uniforms(self, ids: Ids) -> list[Array]:
        """The draws of some replicates: for each input (draw, replicate), between 0 and 1."""
        if self.design is not None:
            ends = np.cumsum([0, *self.dims])
            return [np.ascontiguousarray(self.design[ids, a:b].T) for a, b in itertools.pairwise(ends)]
        blocks, at = np.unique(ids // DRAWN_TOGETHER, return_inverse=True)
        inside = at * DRAWN_TOGETHER + ids % DRAWN_TOGETHER
        whole = [np.concatenate([self._stream(i, int(b)).random((d, DRAWN_TOGETHER)) for b in blocks], axis=1) for i, d in enumerate(self.dims)]
        return [w[:, : len(ids)] if (inside == np.arange(len(ids))).all() else w[:, inside] for w in whole]

    def _stream(self, factor: int, block: int) -> np.random.Generator:
        return np.random.Generator(np.random.Philox(np.random.SeedSequence(self.seed, spawn_key=(0, factor, block))))

    def picks(self, u: Sequence[Array]) -> NDArray[np.intp]:
        """(replicate, input) number of the alternative or data set taken; inputs that change weights have -1."""
        out = np.full((u[0].shape[1], len(self.vary)), -1, np.intp)
        for i, v in enumerate(self.vary):
            if isinstance(v, (Settings, DataDraws)):
                out[:, i] = v.pick(u[i])
        return out

    def groups(self, picks: NDArray[np.intp]) -> list[Group]:
        """Replicates by everything but weights, in an order in which first steps are shared."""
        settings = [i for i, v in enumerate(self.vary) if isinstance(v, Settings)]
        data = [i for i, v in enumerate(self.vary) if isinstance(v, DataDraws)]
        code = np.zeros(len(picks), np.int64)
        for i in (*data, *settings):
            code = code * (int(picks[:, i].max(initial=0)) + 1) + picks[:, i]
        _, first, which = np.unique(code, return_index=True, return_inverse=True)
        rows = np.split(np.argsort(which, kind="stable"), np.cumsum(np.bincount(which))[:-1]) if len(first) else []
        out = [Group(tuple(int(picks[f, i]) for i in settings), tuple(int(picks[f, i]) for i in data), r) for f, r in zip(first, rows, strict=True)]
        return sorted(
            out, key=lambda g: (g.draws, *(str(step_key(self.prefixes.recipe_of(g.choice), s)) for s in ("impute", "treat", "normalise", "aggregate")))
        )

    def varied(self, base: Array, u: Sequence[Array]) -> Array:
        """Weights among siblings of some replicates, (node, replicate), from those the recipe gives."""
        out = np.repeat(base[:, None], u[0].shape[1], axis=1)
        for v, draws in zip(self.vary, u, strict=True):
            if isinstance(v, Weights):
                v.lay(out, draws, self.tree)
        return out


def _listed(name: str, given: Any) -> list[Any]:
    if not isinstance(given, (list, tuple)) or not given:
        raise BadOption(name, f"must be a list of one or more; got {given!r}.", f"应为非空列表；得到 {given!r}。")
    return list(given)


def check(plan: Plan) -> None:
    """Refuse inputs that touch nothing, and alternatives that cannot be run."""
    if not plan.vary:
        raise BadOption("robustness", "needs something that varies.", "须至少声明一项变动。")
    for v in plan.vary:
        if isinstance(v, Settings):
            steps = tuple(s for s in STEPS if any(s in touched(a) for a in v.alternatives))
            told = {effects(plan.framework, laid_alone(plan, v, k, steps), steps) for k in range(len(v.alternatives))}
            if len(told | {effects(plan.framework, plan.recipe, steps)}) < 2:
                raise touches_nothing(v, "all its alternatives are what the recipe has", "所有备选均与方案相同")
            if len(told) < 2:
                raise touches_nothing(v, "its alternatives are all the same", "各备选彼此相同")
        elif isinstance(v, Weights):
            v.check(plan.tree)
        elif isinstance(v, DataDraws):
            _check_data(plan, v)


def touched(changes: Mapping[str, Any]) -> set[str]:
    """Steps that an alternative says something of; all of them where what it says is of no known shape."""
    tables = [t for key in ("level", "node") if isinstance(changes.get(key), Mapping) for t in changes[key].values()]
    return set(changes) | {s for t in tables for s in (t if isinstance(t, Mapping) else STEPS)}


def laid_alone(plan: Plan, v: Settings, k: int, steps: Sequence[str] = STEPS) -> Recipe:
    """The recipe with one alternative of one input; refused where it is wrong."""
    recipe = laid(plan.recipe, v.alternatives[k])
    looked_at = STEPS if "treat" in steps else steps  # what a treatment leaves decides which scales will do
    found = [*recipe_problems(plan.framework, recipe, looked_at), *panel_targets(plan.framework, plan.panel, recipe)]
    refuse(replace(p, what=replace_text(v.name, p.what)) for p in found)
    return recipe


def replace_text(name: str, what: Any) -> Any:
    """A problem's sentence with the input it came from."""
    return type(what)(f"{name}: {what.en}", f"{name}：{what.zh}")


def _check_codes(plan: Plan, v: Errors) -> None:
    there = {"indicators": plan.panel.codes, "units": [u.code for u in plan.panel.units], "periods": [str(p) for p in plan.panel.periods]}
    words = {"indicators": Text("series of the data", "数据中的序列"), "units": Text("unit", "单位"), "periods": Text("period", "期")}
    for key, codes in there.items():
        for c in getattr(v, key):
            if c not in codes:
                raise UnknownName(Text(f"{words[key].en} of {v.name}", f"{v.name} 的{words[key].zh}"), c, codes)


def _check_data(plan: Plan, v: DataDraws) -> None:
    if isinstance(v, ImputationDraws):
        recipes = [plan.recipe, *(laid_alone(plan, s, k) for s in plan.prefixes.settings for k in range(len(s.alternatives)))]
        able = sorted(n for n, m in REGISTRIES["impute"].items() if "rng" in m.needs)
        used = {choice_of(plan.framework, r, "impute", n)[0] for r in recipes for n in plan.framework.indicators}
        gaps = bool(np.isnan(plan.result.stages["denominated"]).any())
        if not used & set(able) or not gaps:
            raise touches_nothing(v, f"it needs gaps and an imputer that draws ({', '.join(able)})", f"需要有缺口，且插补方法可抽取（{'、'.join(able)}）")
    elif isinstance(v, Errors):
        _check_codes(plan, v)
        moved = with_errors(plan.framework, plan.panel, v, np.random.default_rng(0))
        same = (moved.values == plan.panel.values) | np.isnan(plan.panel.values)
        if same.all():
            raise touches_nothing(v, "no value of these indicators, units and periods is moved", "所列指标、单位和期中没有可变动的值")


# --- one replicate as a run of its own: where steps cannot be shared, and what everything else is tested against ---------------


def replicate(plan: Plan, i: int) -> list[tuple[Array, Array]]:
    """Scores and ranks of one replicate by runs of the whole pipeline: for each target (unit,) in its order.

    Raises
    ------
    BadInput, BadOption
        Where the replicate cannot be computed.
    """
    ids = np.array([i])
    u = plan.uniforms(ids)
    group = plan.groups(plan.picks(u))[0]
    recipe = plan.prefixes.recipe_of(group.choice)
    panel, _ = plan.prefixes.panel_of(group.draws)
    drawn = plan.prefixes.panel_of(group.draws)[1]
    dead: set[str] = set()
    if any(isinstance(v, Weights) for v in plan.vary):
        _, base = plan.prefixes.weights(group.choice, group.draws)
        framework, dead = reweighted(plan, plan.varied(base, u)[:, 0])
        made = run(framework, panel, with_given(recipe), rng=drawn, pooled=plan.result.pooled)
    else:
        made = run(plan.framework, panel, recipe, rng=drawn, pooled=plan.result.pooled)
    return [_seen(plan, made, t, dead) for t in plan.targets]


def _seen(plan: Plan, made: Result, t: Target, dead: set[str]) -> tuple[Array, Array]:
    n = len(plan.panel.units)
    code = plan.tree.nodes[t.node].code
    if code in dead or code not in made.framework:
        empty = np.full(len(t.order), np.nan)
        return empty, empty
    counts = plan.panel.counts & ~made.screened[t.period, :n]
    scores = np.where(counts, made.scores[t.period, :n, made.node_at(code)], np.nan)
    ties: Any = plan.recipe.ties
    return scores[t.order], rank(scores, ties=ties, decimals=made.recipe.decimals)[t.order]


def reweighted(plan: Plan, weights: Array) -> tuple[Framework, set[str]]:
    """The framework with weights among siblings as given, and the parents left without any weight below them.

    Such a parent weighs nothing itself; its children get equal weights, because a framework must state some.
    """
    local = dict(zip([n.code for n in plan.tree.nodes], weights.tolist(), strict=True))
    dead: set[str] = set()
    for parent in reversed(plan.tree.nodes):
        kids = plan.framework.children(parent.code)
        if kids and not any(local[c.code] > 0 for c in kids):
            dead.add(parent.code)
            local |= dict.fromkeys((c.code for c in kids), 1.0)
            local[parent.code] = 0.0
    return Framework([replace(n, weight=local[n.code]) if n.code in local and not n.series else n for n in plan.framework.nodes]), dead


def with_given(recipe: Recipe) -> Recipe:
    """The recipe with weights taken as the framework states them."""
    tables: Any = {key: {k: {s: c for s, c in v.items() if s != "weigh"} for k, v in getattr(recipe, key).items()} for key in ("level", "node")}
    return replace(recipe, weigh=Choice("given"), weigh_period=None, **tables)
