"""The first steps that replicates share: data sets, and each step computed once for all that begin alike."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np

from biaochi.checks import REGISTRIES, choice_of
from biaochi.derived import derive
from biaochi.errors import BadInput, BadOption, Problem, Text, refuse
from biaochi.framework import Framework
from biaochi.job import Job, Mask
from biaochi.job import Tree as ScoreTree
from biaochi.method import Array, Trait
from biaochi.panel import Panel
from biaochi.parents import aggregate, weigh
from biaochi.pooled import Pooled
from biaochi.recipe import STEPS, Recipe
from biaochi.run import denominate, impute, normalise, screened, treat
from biaochi.screening import screen_units
from biaochi.steps import scale_key, step_key
from biaochi.variation import DataDraws, Errors, ImputationDraws, Peers, Settings, Variation, laid

T = TypeVar("T")
CACHE_BYTES = 128 * 2**20
"""How much of the shared steps is kept at a time; what is needed again after that is computed again."""
BLOCKS_KEPT = 10
"""The same in blocks as large as the data, for large data: what two threads need at a time."""


class Shared:
    """Results by key, each computed once even when several threads ask; the oldest go when there are too many bytes."""

    def __init__(self, most: int = CACHE_BYTES) -> None:
        self._most, self._held = most, 0
        self._lock = threading.Lock()
        self._made: OrderedDict[Hashable, tuple[threading.Event, list[Any]]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T], size: Callable[[T], int] = lambda _: 0) -> T:
        """The result of ``make``, or what it raised, from before where there is one."""
        with self._lock:
            mine = key not in self._made
            ready, box = self._made.setdefault(key, (threading.Event(), []))
            self._made.move_to_end(key)
        if mine:
            self._fill(key, ready, box, make, size)
        ready.wait()
        if box[1] is not None:
            raise box[1]
        return box[0]  # type: ignore[no-any-return]

    def _fill(self, key: Hashable, ready: threading.Event, box: list[Any], make: Callable[[], T], size: Callable[[T], int]) -> None:
        """Make a result; a refusal is kept as a result is, any other failure is raised and forgotten."""
        try:
            got = make()
            box.extend((got, None, size(got)))
        except (BadInput, BadOption) as e:
            box.extend((None, e, 0))
        except BaseException:
            with self._lock:
                self._made.pop(key, None)
            box.extend((None, RuntimeError("a step failed in another thread"), 0))
            raise
        finally:
            ready.set()
        self._make_room(box[2])

    def _make_room(self, more: int) -> None:
        with self._lock:
            self._held += more
            for key, (ready, box) in list(self._made.items())[:-1]:
                if self._held <= self._most:
                    return
                if ready.is_set() and box[2]:
                    self._held -= box[2]
                    del self._made[key]


@dataclass(frozen=True)
class Scale:
    """Indicators on a common scale, for the units of the panel."""

    z: Array
    """(period, unit, indicator)."""
    counts: Mask
    """(period, unit): ranked in this replicate."""
    inside: Mask
    """(period, row): what sets scales, the rows of a drawn peer set included."""
    rows: Array
    """(period, row, indicator): the units, then a drawn peer set, if any."""
    framework: Framework
    """Without the indicators screened out."""
    panel: Panel


Filled = tuple[Framework, Panel, Mask, Array, np.random.Generator | None, Mask]
"""Framework, panel, units that count, values without gaps, generator, units screened out."""


class Prefixes:
    """Data sets, recipes and scales of the replicates of one study."""

    def __init__(self, framework: Framework, panel: Panel, recipe: Recipe, vary: Sequence[Variation], seed: int, pooled: Pooled | None = None) -> None:
        self.pooled = pooled
        self.framework, self.panel, self.recipe, self.seed = framework, panel, recipe, seed
        self.settings = [v for v in vary if isinstance(v, Settings)]
        self.data = [(i, v) for i, v in enumerate(vary) if isinstance(v, DataDraws)]
        self._recipes: dict[tuple[int, ...], Recipe] = {}
        self.shared = Shared(max(CACHE_BYTES, BLOCKS_KEPT * panel.values.nbytes))

    def recipe_of(self, choice: tuple[int, ...]) -> Recipe:
        """The recipe with the chosen alternatives laid over it, in the order declared."""
        if not choice:
            return self.recipe
        if choice not in self._recipes:
            self._recipes[choice] = laid(self.recipe_of(choice[:-1]), self.settings[len(choice) - 1].alternatives[choice[-1]])
        return self._recipes[choice]

    def panel_of(self, draws: tuple[int, ...]) -> tuple[Panel, np.random.Generator | None]:
        """The data set of some draws, and the generator for its imputation, if that is drawn."""
        panel, rng = self.panel, None
        for (i, v), k in zip(self.data, draws, strict=True):
            stream = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(1, i, k)))
            if isinstance(v, ImputationDraws):
                rng = stream
            elif isinstance(v, Errors):
                panel = with_errors(self.framework, panel, v, stream)
            elif isinstance(v, Peers):
                panel = with_peers(panel, self.recipe, stream)
        return panel, rng

    def key_of(self, choice: tuple[int, ...], draws: tuple[int, ...]) -> tuple[Hashable, ...]:
        """What combinations with the same scale share: the data, and what they decide step by step."""
        return (draws, *scale_key(self.recipe_of(choice)))

    def filled(self, choice: tuple[int, ...], draws: tuple[int, ...]) -> Filled:
        """Data of a combination with gaps filled."""
        recipe = self.recipe_of(choice)
        return self.shared.get((draws, step_key(recipe, "impute")), lambda: self._filled(recipe, draws), lambda f: f[3].nbytes)

    def scale(self, choice: tuple[int, ...], draws: tuple[int, ...]) -> tuple[Hashable, Scale]:
        """The common scale of a combination, and a key that combinations with the same scale share."""
        key = self.key_of(choice, draws)
        return key, self.shared.get(key, lambda: self._scale(choice, draws, key), lambda s: s.rows.nbytes)

    def _scale(self, choice: tuple[int, ...], draws: tuple[int, ...], key: tuple[Hashable, ...]) -> Scale:
        recipe = self.recipe_of(choice)
        framework, panel, counts, filled, rng, out = self.filled(choice, draws)
        with np.errstate(all="ignore"):
            tamed = self.shared.get(key[:3], lambda: treat(self._job(framework, panel, recipe, rng, out), filled, counts), lambda x: x.nbytes)
            rows = normalise(self._job(framework, panel, recipe, rng, out), tamed, counts)
        n = len(self.panel.units)
        ranked = self.panel.counts & ~out[:, :n]
        return Scale(rows[:, :n], ranked, counts, rows, framework, panel)

    def _job(self, framework: Framework, panel: Panel, recipe: Recipe, rng: np.random.Generator | None, out: Mask) -> Job:
        job = Job(framework, panel, recipe, rng, self.pooled)
        job.screened = out
        return job

    def _filled(self, recipe: Recipe, draws: tuple[int, ...]) -> Filled:
        panel, rng, _derived, ratios = self.shared.get(("data", draws), lambda: self._ratios(draws))
        with np.errstate(all="ignore"):
            job, used = screened(Job(self.framework, panel, recipe, rng), ratios)
            kept, counts = screen_units(job, ratios[..., used])
            filled = impute(job, kept, counts)
        return job.framework, panel, counts, filled, rng, job.screened

    def _ratios(self, draws: tuple[int, ...]) -> tuple[Panel, np.random.Generator | None, Array, Array]:
        panel, rng = self.panel_of(draws)
        job = Job(self.framework, panel, self.recipe, rng)
        with np.errstate(all="ignore"):
            derived = derive(job)
            return panel, rng, derived, denominate(job, derived)

    def weights(self, choice: tuple[int, ...], draws: tuple[int, ...]) -> tuple[Hashable, Array]:
        """Weights among siblings that the recipe gives in a combination, (node,), and their key; 0 for a node screened out."""
        recipe = self.recipe_of(choice)
        free = self.shared.get(("free", step_key(recipe, "weigh")), lambda: self._free(recipe))
        screens = step_key(recipe, "impute") if _screens_indicators(recipe) else None
        key: tuple[Hashable, ...] = ("weights", screens, step_key(recipe, "weigh"))
        if not free:
            key = (*key, self.scale(choice, draws)[0], step_key(recipe, "aggregate"))
        return key, self.shared.get(key, lambda: self._weights(recipe, choice, draws, climb=not free))

    def _free(self, recipe: Recipe) -> bool:
        """Whether no parent's weights depend on the data."""
        kinds = {choice_of(self.framework, recipe, "weigh", n)[0] for n in self.framework.walk() if self.framework.children(n.code)}
        return not any(Trait.FROM_DATA in REGISTRIES["weigh"][k].traits or REGISTRIES["weigh"][k].needs & {"sets", "outcome"} for k in kinds)

    def _weights(self, recipe: Recipe, choice: tuple[int, ...], draws: tuple[int, ...], *, climb: bool) -> Array:
        _, scale = self.scale(choice, draws)
        job = Job(scale.framework, scale.panel, recipe)
        tree = ScoreTree.of(job, scale.rows)
        with np.errstate(all="ignore"):
            for parent in tree.upwards:
                weigh(job, tree, parent, scale.inside)
                if climb:
                    aggregate(job, tree, parent, scale.inside)
        refuse(tree.refused)
        return np.array([tree.weights[tree.at[n.code]] if n.code in tree.at else 0.0 for n in self.framework.walk()])


def _screens_indicators(recipe: Recipe) -> bool:
    return bool(recipe.min_indicator_share or recipe.min_indicator_nonzero or recipe.drop_indicators)


def with_errors(framework: Framework, panel: Panel, errors: Errors, rng: np.random.Generator) -> Panel:
    """The panel with every value in question moved by a normal draw, held within its valid range."""
    codes, units, periods = (
        np.isin(list(names), wanted) if wanted else np.ones(len(names), bool)
        for names, wanted in (
            (panel.codes, errors.indicators), ([u.code for u in panel.units], errors.units), (list(map(str, panel.periods)), errors.periods))
    )  # fmt: skip
    x = panel.values
    cells = periods[:, None, None] & units[:, None] & codes & ~np.isnan(x)
    if errors.relative:
        sd = errors.relative * np.abs(x)
    elif errors.absolute:
        sd = np.full(x.shape, errors.absolute)
    else:
        inside = np.where(panel.counts[:, None], x, np.nan)
        n = (~np.isnan(inside)).sum(axis=1, keepdims=True)
        mean = np.nansum(inside, axis=1, keepdims=True) / np.maximum(n, 1)
        sd = np.broadcast_to(errors.spread * np.sqrt(np.nansum((inside - mean) ** 2, axis=1, keepdims=True) / np.maximum(n - 1, 1)), x.shape)
    drawn = rng.standard_normal(x.shape)  # drawn for all cells, so that one cell's draw does not depend on which others are there
    valid = [framework[c].valid if c in framework else (None, None) for c in panel.codes]
    low, high = (np.array([s if v[k] is None else v[k] for v in valid], float) for k, s in ((0, -np.inf), (1, np.inf)))
    moved = np.clip(np.where(cells, x + sd * drawn, 0.0), low, high)
    return replace(panel, values=np.where(cells, moved, x))


def with_peers(panel: Panel, recipe: Recipe, rng: np.random.Generator) -> Panel:
    """The panel with a drawn peer set beside it: copies of units that set the scales, while the units themselves do not."""
    able = [i for i, u in enumerate(panel.units) if u.ranked and u.code not in recipe.drop]
    drawn = np.sort(rng.choice(able, size=len(able)))
    copies = tuple(replace(panel.units[i], code=f"{panel.units[i].code} / {k}") for k, i in enumerate(drawn))
    units = (*(replace(u, ranked=False) for u in panel.units), *copies)
    at = np.concatenate([np.arange(len(panel.units)), drawn])
    return replace(panel, units=units, values=panel.values[:, at], status=panel.status[:, at], source=panel.source[:, at])


def effects(framework: Framework, recipe: Recipe, steps: Sequence[str] = STEPS) -> Any:
    """What a recipe decides in some steps, node by node, and its settings: two recipes with the same effects give the same numbers.

    How ties share ranks is no matter of choice within a study: all its ranks are counted as the recipe says.
    """
    settings = [getattr(recipe, f.name) for f in fields(recipe) if f.name not in (*STEPS, "level", "node", "place", "ties")]
    chosen = [
        (step, n.code, choice_of(framework, recipe, step, n))
        for step in steps
        for n in framework.walk()
        if bool(framework.children(n.code)) == (step in ("weigh", "aggregate"))
    ]
    return repr((settings, chosen))


def problem_of(e: BadInput | BadOption) -> Problem:
    """The first problem of a refusal."""
    return e.problems[0] if isinstance(e, BadInput) else Problem("bad-option", e.text, Text("", ""))
