"""From raw data to ranks. The order of the steps is the body of `run`; labels are added here and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from biaochi import context, custom
from biaochi.checks import problems, value_problems
from biaochi.derived import derive, series_of, setting_of
from biaochi.errors import BadInput, BadOption, Problem, Text, refuse
from biaochi.files.project import Project, load
from biaochi.framework import Framework
from biaochi.job import Batch, Job, Mask, Tree
from biaochi.kernels import rank as ranking
from biaochi.kernels.moments import counted, number, still_at, whole
from biaochi.kernels.normalise import NORMALISERS
from biaochi.kernels.summary import Summary, Wanted
from biaochi.method import Array, Trait
from biaochi.orient import orient
from biaochi.panel import Panel
from biaochi.parents import aggregate, weigh
from biaochi.period import Period
from biaochi.pooled import Pooled
from biaochi.recipe import Recipe
from biaochi.result import IMPUTED, TREATED, Result
from biaochi.screening import screen_indicators, screen_units
from biaochi.settle import mark_clipped, note_idle_posts, settle_undefined


def run(
    framework: Framework, panel: Panel, recipe: Recipe = Recipe(), *, rng: np.random.Generator | None = None, pooled: Pooled | None = None
) -> Result:  # fmt: skip
    """Compute scores and ranks of every node, unit and period.

    Parameters
    ----------
    framework, panel, recipe
        The tree of indicators, the observations, the choices of method.
    rng : numpy.random.Generator, optional
        Draw what imputers that can draw fill in, instead of their best guess: one of the data sets of a
        multiple imputation (`impute_many` makes several).
    pooled : Pooled, optional
        What sets a pooled scale where the panel is one part of a larger data set (`robustness_in_parts`).

    Returns
    -------
    Result
        Scores, ranks, weights, and every stage on the way.

    Raises
    ------
    BadInput
        With every problem that keeps the three from being run together, or that the recipe's
        rules (``constant``, ``nonpositive``) say to refuse.
    """
    refuse(problems(framework, panel, recipe))
    try:
        return _run(framework, panel, recipe, rng, pooled)
    except BadOption as e:  # what only a kernel can tell of its options
        fix = Text("Correct the option: docs/reference/methods.md says what it may be.", "请更正该选项：可取值见 docs/reference/methods.md。")
        raise BadInput([Problem("bad-option", e.text, fix, recipe.place)]) from e


def _run(framework: Framework, panel: Panel, recipe: Recipe, rng: np.random.Generator | None, pooled: Pooled | None) -> Result:
    """The steps in their order."""
    job = Job(framework, panel, recipe, rng, pooled)
    with np.errstate(all="ignore"):
        derived = derive(job)
        ratios = denominate(job, derived)
        job, used = screened(job, ratios)
        derived, ratios = derived[..., used], ratios[..., used]
        made = score(job, ratios)
    stages = {"derived": derived, "denominated": ratios, **made.stages}
    return Result(
        job.framework, panel, recipe, stages, made.tree.scores, made.ranks, made.tree.weights, made.tree.shares, made.counts,
        screened=job.screened, marks=job.marks, notices=tuple(job.notices), original=framework, pooled=pooled,
    )  # fmt: skip


class Scored(NamedTuple):
    """What the steps after the denominators give."""

    stages: dict[str, Array]
    counts: Mask
    tree: Tree
    ranks: Array


def score(job: Job, ratios: Array) -> Scored:
    """From values of the indicators, after their denominators, to ranks."""
    kept, counts = screen_units(job, ratios)
    filled = impute(job, kept, counts)
    tamed = treat(job, filled, counts)
    common = normalise(job, tamed, counts)
    tree = Tree.of(job, common)
    for parent in tree.upwards:
        weigh(job, tree, parent, counts)
        aggregate(job, tree, parent, counts)
    refuse(tree.refused)
    return Scored({"imputed": filled, "treated": tamed, "normalised": common}, counts, tree, rank(job, tree, counts))


def evaluate(project: Project | str | Path) -> Result:
    """Load a project, unless it is loaded already, and run it.

    Parameters
    ----------
    project : Project, str or Path
        A project, or what `load` takes: an example's name, a folder, a workbook.

    Raises
    ------
    BadInput
        See `load` and `run`.
    """
    loaded = project if isinstance(project, Project) else load(project)
    return run(loaded.framework, loaded.panel, loaded.recipe)


def screened(job: Job, x: Array) -> tuple[Job, list[int]]:
    """The job on the indicators that have enough data, and where they stand among all."""
    left = screen_indicators(job, x)
    return left, [i for i, n in enumerate(job.indicators) if n.code in left.framework and not left.framework[n.code].series]


def denominate(job: Job, x: Array) -> Array:
    """Divide by the denominators; no value where the denominator is 0 or missing."""
    out, lost_cells = x.copy(), np.zeros(x.shape, bool)
    series: dict[str, Array] = {}
    for i, node in enumerate(job.indicators):
        if node.divides_by is None:
            continue
        for name in node.divides_by.names:
            series_of(job, name, series)
        by = node.divides_by.compute(series, setting_of(job))
        out[..., i] = np.divide(x[..., i], by, out=np.full(by.shape, np.nan), where=(by != 0) & ~np.isnan(by))
        lost_cells[..., i] = np.isnan(out[..., i]) & ~np.isnan(x[..., i])
    _count(job, "no-denominator", lost_cells, Text("lost because the denominator is 0 or missing", "因分母为 0 或缺失而无法计算"))
    refuse(value_problems(job.framework, job.panel, out))
    return out


def impute(job: Job, x: Array, counts: Mask) -> Array:
    """Fill gaps by each indicator's imputer; filled cells are marked."""
    out = np.empty(x.shape)
    for batch in job.batches("impute"):
        joint = Trait.JOINT in batch.method.traits  # filled from all indicators, whatever their own imputer
        columns = list(range(len(job.indicators))) if joint else batch.columns
        options = context.for_indicators(job, batch.method, [job.indicators[i] for i in columns], batch.options, counts)
        got = batch.method.kernel(_columns(x, columns), **options)
        out[..., batch.columns] = got[..., batch.columns] if joint else got
    out[job.screened] = np.nan
    _hold_valid(job, x, out)
    refuse(custom.changed_values(job, x, out))
    job.marks[np.isnan(x) & ~np.isnan(out)] |= IMPUTED
    _count(job, "imputed", (job.marks & IMPUTED) > 0, Text("imputed", "经插补"))
    _count(job, "missing", np.isnan(out) & ~job.screened[..., None], Text("missing and left out", "缺失，合成时未计入"))
    return out


def _hold_valid(job: Job, x: Array, out: Array) -> None:
    """Hold what was filled in within the valid range of its indicator."""
    if all(n.valid == (None, None) for n in job.indicators):
        return
    low, high = (np.array([s if n.valid[k] is None else n.valid[k] for n in job.indicators], float) for k, s in ((0, -np.inf), (1, np.inf)))
    beyond = np.isnan(x) & ((out < low) | (out > high))
    _count(job, "held", beyond, Text("filled in and held within the valid range", "插补后截至有效范围"))
    out[...] = np.where(beyond, np.clip(out, low, high), out)


def treat(job: Job, x: Array, counts: Mask) -> Array:
    """Treat outliers and skew, each period on its own or all together; changed cells are marked."""
    out = np.empty(x.shape)
    together = job.recipe.treat_over == "pooled"
    for batch in job.batches("treat"):
        v = _columns(x, batch.columns)
        inside = counts.reshape(1, -1) if together else counts
        options = context.for_indicators(job, batch.method, [job.indicators[i] for i in batch.columns], batch.options, inside)
        got = batch.method.kernel(v.reshape(1, -1, v.shape[-1]) if together else v, **options)
        out[..., batch.columns] = got.reshape(v.shape)
    out[np.isnan(x)] = np.nan  # a treatment fills nothing in, not even one's own
    job.marks[(x != out) & ~np.isnan(x)] |= TREATED
    _count(job, "lost", np.isnan(out) & ~np.isnan(x), Text("without a value after the treatment and left out", "经处理后无值，合成时未计入"))
    _count(job, "treated", (job.marks & TREATED) > 0, Text("changed by the treatment of outliers and skew", "经异常值与偏态处理"))
    return out


def normalise(job: Job, x: Array, counts: Mask) -> Array:
    """To a common scale, higher is better; what sets the scale is the recipe's choice."""
    out, references, wanted = np.empty(x.shape), list[tuple[Batch, Array | Summary, bool]](), False
    for batch in job.batches("normalise"):
        try:
            z = _on_scale(job, batch, _columns(x, batch.columns), counts, references)
        except Wanted:  # other parts must be asked first; the other batches ask in the same turn
            wanted = True
            continue
        if z.shape == out.shape:
            out = z
        else:
            out[..., batch.columns] = z
    if wanted:
        raise Wanted
    note_idle_posts(job)
    if np.isfinite(out.sum()) and whole(x):  # nothing is missing, and nothing beyond what numbers hold
        return out
    out[np.isnan(x) | ~np.isfinite(out)] = np.nan  # nothing is filled in here, and nothing beyond what numbers hold is kept
    undefined = ~np.isnan(x) & np.isnan(out)
    if not undefined.any():
        return out
    still = np.zeros((len(x), x.shape[-1]), bool)
    for batch, ref, rescaled in references:
        still[:, batch.columns] |= (still_at(ref) & (number(ref) > 0) if rescaled else still_at(ref))[..., 0, :]
    return settle_undefined(job, out, undefined, still, counts)


def _on_scale(job: Job, batch: Batch, x: Array, counts: Mask, references: list[tuple[Batch, Array | Summary, bool]]) -> Array:
    """Indicators of one batch on their scale; what set it is added to the references."""
    nodes = [job.indicators[i] for i in batch.columns]
    v, turned = orient(x, nodes, batch)
    options = context.for_indicators(job, batch.method, nodes, turned, counts)
    if "at" in batch.method.needs:
        options["at"] = _unit_values(job, v, str(batch.options["unit"]))
    ref = _reference(job, counted(v, counts), batch)
    z = batch.method.kernel(v, ref, **options)
    if Trait.IGNORES_REF not in batch.method.traits:
        references.append((batch, ref, False))
    if "clip" in batch.method.options:
        mark_clipped(job, batch, v, turned)
    unit_interval = Trait.UNIT_INTERVAL in batch.method.traits
    onto = batch.options.get("range")
    if batch.options.get("rescale") or (onto and not unit_interval):
        ref = _reference(job, counted(z, counts), batch, again=True)
        references.append((batch, ref, True))
        z = NORMALISERS["minmax"].kernel(z, ref)
        unit_interval = True
    low, high = onto or job.recipe.range
    if not unit_interval:
        return z
    if np.may_share_memory(z, v) or z.dtype != float:  # a method that hands back what it was given
        return z * (high - low) + low
    z *= high - low
    z += low
    return z


def _columns(x: Array, columns: list[int]) -> Array:
    """Some indicators; all of them as they are."""
    return x if columns == list(range(x.shape[-1])) else x[..., columns]


def rank(job: Job, tree: Tree, counts: Mask) -> Array:
    """Ranks of the units that count, for every node: (period, unit, node).

    Scores of parents are sums, so what differs by rounding noise only is a tie; scores of
    indicators are compared as they are.
    """
    among = np.moveaxis(np.where(counts[..., None], tree.scores, np.nan), 1, -1)
    ties: Any = job.recipe.ties
    leaves = [tree.at[n.code] for n in job.indicators]
    parents = [tree.at[n.code] for n in tree.upwards]
    out = np.empty(among.shape)
    for at, exact in ((parents, False), (leaves, True)):
        out[:, at] = ranking.rank(among[:, at], ties=ties, decimals=job.recipe.decimals, exact=exact)
    return np.moveaxis(out, -1, 1)


def _unit_values(job: Job, v: Array, unit: str) -> Array:
    """Values of a reference unit: its own of each period, or of the base period."""
    own_values = v[:, [job.panel.position(unit)]]
    return own_values[[context.position(job.panel.periods, str(job.recipe.base))]] if job.recipe.scale == "base" else own_values


def _count(job: Job, kind: str, cells: Mask, what: Text) -> None:
    """Note, for each indicator, how many of its values something happened to."""
    several = len(job.panel.periods) > 1
    for node, n in zip(job.indicators, cells.sum(axis=(0, 1)), strict=True):
        if n:
            en = f"{node.name('en')} ({node.code}): {n} value{'s' if n > 1 else ''} {what.en}{', all periods together' if several else ''}."
            job.note(kind, en, f"{node.name('zh')}（{node.code}）：{n} 个值{what.zh}{'（各期合计）' if several else ''}。")


def _reference(job: Job, v: Array, batch: Batch, *, again: bool = False) -> Array | Summary:
    match job.recipe.scale:
        case "pooled":
            here = v.reshape(1, -1, v.shape[-1])
            return here if job.pooled is None else job.pooled.reference(job.recipe, batch.columns, again, here)
        case "base":
            return v[[job.panel.periods.index(Period.parse(str(job.recipe.base)))]]
    return v
