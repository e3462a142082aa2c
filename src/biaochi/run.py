"""From raw data to ranks. The order of the steps is the body of `run`; labels are added here and nowhere else."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from biaochi import context, custom
from biaochi.checks import REGISTRIES, choice_of, problems, value_problems
from biaochi.derived import derive, series_of, setting_of
from biaochi.errors import BadInput, BadOption, Problem, Text, refuse
from biaochi.files.project import Project, load
from biaochi.framework import Framework, Node
from biaochi.job import Batch, Job, Mask, Tree
from biaochi.kernels import rank as ranking
from biaochi.kernels.moments import counted, number, still_at, whole
from biaochi.kernels.normalise import NORMALISERS
from biaochi.kernels.summary import Summary, Wanted
from biaochi.method import Array, Method, Trait
from biaochi.orient import orient
from biaochi.panel import Panel
from biaochi.period import Period
from biaochi.pooled import Pooled
from biaochi.recipe import Recipe
from biaochi.result import IMPUTED, TREATED, Result
from biaochi.screening import screen_indicators, screen_units
from biaochi.settle import mark_clipped, note_idle_posts, positive, settle_undefined, tell_lost


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
        kept, counts = screen_units(job, ratios)
        filled = impute(job, kept, counts)
        tamed = treat(job, filled, counts)
        common = normalise(job, tamed, counts)
        tree = Tree.of(job, common)
        for parent in tree.upwards:
            weigh(job, tree, parent, counts)
            aggregate(job, tree, parent, counts)
        refuse(tree.refused)
        ranks = rank(job, tree, counts)
    stages = {"derived": derived, "denominated": ratios, "imputed": filled, "treated": tamed, "normalised": common}
    return Result(
        job.framework, panel, recipe, stages, tree.scores, ranks, tree.weights, tree.shares, counts,
        screened=job.screened, marks=job.marks, notices=tuple(job.notices), original=framework, pooled=pooled,
    )  # fmt: skip


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


def weigh(job: Job, tree: Tree, parent: Node, counts: Mask) -> None:
    """Weights of the children of one parent, from the framework, from experts or from their scores."""
    children, at = tree.children(parent)
    name, options = choice_of(job.framework, job.recipe, "weigh", parent)
    method = REGISTRIES["weigh"][name]
    if len(children) == 1:
        tree.weights[at] = 1.0
        return
    rows = (
        counts
        if job.recipe.weigh_period is None
        else counts & (np.arange(len(counts)) == context.position(job.panel.periods, job.recipe.weigh_period))[:, None]
    )
    if not rows.any():
        what = Text(f"no unit counts in {job.recipe.weigh_period}, which is to set the weights.", f"{job.recipe.weigh_period} 没有可用于确定权重的单位。")
        refuse([Problem("no-weights", what, Text("Name another period under weigh_period.", "请在 weigh_period 中改用其他期。"), job.recipe.place)])
    outcome = series_of(job, str(options["outcome"]), {})[rows] if "outcome" in options else None
    if options.get("among") == "indicators":
        leaves = [tree.at[n.code] for n in job.indicators]
        every = dict(zip(leaves, _weights(job, method, options, list(job.indicators), tree.scores[rows][:, leaves], outcome, parent), strict=True))
        below = [[every[tree.at[n.code]] for n in job.framework.walk(c.code) if tree.at[n.code] in every] for c in children]
        got = np.array([math.fsum(w) for w in below])  # exact, so that the order of rows does not matter
        got = got / got.sum() if got.sum() > 0 else np.full(len(got), np.nan)
    else:
        got = _weights(job, method, options, children, tree.scores[rows][:, at], outcome, parent)
    if np.isnan(got).any() or not np.isfinite(got).all():
        label = method.label
        what = Text(f"{label.en} gives no weights for the children of {parent.code!r}.", f"{label.zh}无法得出 {parent.code!r} 的下级权重。")
        fix = Text(f"Scores without spread, below 0, or comparisons that do not connect all children can be the cause: see {name} in docs/reference/methods.md.",
                   f"可能因得分无差异、为负，或判断未能联系全部下级：参见 docs/reference/methods.md 中的 {name}。")  # fmt: skip
        refuse([Problem("no-weights", what, fix, job.recipe.place)])
    tree.weights[at] = got


def aggregate(job: Job, tree: Tree, parent: Node, counts: Mask) -> None:
    """Score of one parent from its children, and each child's share among those that have a value."""
    _, at = tree.children(parent)
    weights = tree.weights[at]
    name, options = choice_of(job.framework, job.recipe, "aggregate", parent)
    method = REGISTRIES["aggregate"][name]
    if (weights < 0).any() and Trait.ADDITIVE not in method.traits:
        what = Text(f"some weights under {parent.code!r} are below 0, which only an arithmetic mean can take; it has {method.label.en}.",
                    f"{parent.code!r} 下有负权重，仅算术平均可用；当前为{method.label.zh}。")  # fmt: skip
        refuse(
            [
                Problem(
                    "negative-weights",
                    what,
                    Text('Use negative = "zero", or an arithmetic mean.', '请用 negative = "zero"，或改用算术平均。'),
                    job.recipe.place,
                )
            ]
        )
    z = tree.scores[..., at]
    there = ~np.isnan(z)
    if options.get("missing") is not None:
        z = _given_score(job, parent, z, there, float(options["missing"]))
    if method.traits & {Trait.NEEDS_POSITIVE, Trait.NEEDS_NONNEGATIVE}:
        z = positive(job, tree, parent, z, counts, zero_too=Trait.NEEDS_POSITIVE in method.traits)
    least = options.get("min_children")
    enough = there.mean(axis=-1) >= (job.recipe.min_children if least is None else least) - 1e-12
    score = np.where(enough, _combined(job, method, options, z, weights, counts, parent), np.nan)
    tree.scores[..., tree.at[parent.code]] = score
    tell_lost(job, parent, score, there, enough)
    kept = np.where(np.isnan(z), 0.0, weights)
    tree.shares[..., at] = kept / kept.sum(axis=-1, keepdims=True)


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


def _weights(job: Job, method: Method, options: dict[str, Any], children: list[Node], z: Array, outcome: Array | None, parent: Node) -> Array:
    """Weights of some nodes from the scores of the rows that count, (row, node)."""

    def tell(en: str, zh: str) -> None:
        for i, c in enumerate(children):  # judgements are told by the children's and the experts' numbers
            en, zh = en.replace(f"{{{i}}}", c.code), zh.replace(f"{{{i}}}", c.code)
        for e, who in enumerate(context.experts("comparisons", options.get("comparisons", ()), [c.code for c in children]), start=1):
            en, zh = (en.replace(f"expert {e}:", f"{who}:"), zh.replace(f"第 {e} 位专家：", f"{who}：")) if who else (en, zh)
        job.note("weights", f"{parent.code}, {method.label.en}: {en}", f"{parent.code}，{method.label.zh}：{zh}")

    given = context.for_children(job, method, children, options, tell)
    if outcome is not None and "outcome" in method.needs:
        given["outcome"] = outcome
    if "sets" in method.needs:
        parts = [REGISTRIES["weigh"][name] for name in options["of"]]
        shared = [{k: v for k, v in options.items() if k in part.options} for part in parts]
        given["sets"] = np.stack([_weights(job, part, o, children, z, outcome, parent) for part, o in zip(parts, shared, strict=True)])
        given = {k: v for k, v in given.items() if k in ("sets", "tell")}
    return np.asarray(method.kernel(z, **given))


def _combined(job: Job, method: Method, options: dict[str, Any], z: Array, weights: Array, counts: Mask, parent: Node) -> Array:
    """Scores of a parent; methods that compare units do so among those that count, by period or pooled."""
    given = {k: v for k, v in options.items() if k not in method.run_only}
    if "weights" in method.needs:
        given["weights"] = weights
    if Trait.COMPARES_UNITS not in method.traits:
        return method.kernel(z, weights, **given, **({"counts": counts} if "counts" in method.needs else {}))
    together = job.recipe.scale == "pooled"
    v, inside = (z.reshape(1, -1, z.shape[-1]), counts.reshape(1, -1)) if together else (z, counts)
    if "tell" in method.needs:
        given["tell"] = lambda en, zh: job.note("aggregate", f"{parent.code}, {method.label.en}: {en}", f"{parent.code}，{method.label.zh}：{zh}")
    got = method.kernel(v, weights, counts=inside, **given)
    low, high = job.recipe.range
    if options.get("rescale"):
        got = NORMALISERS["minmax"].kernel(got[..., None], counted(got[..., None], inside))[..., 0]
    got = got * (high - low) + low if Trait.UNIT_INTERVAL in method.traits or options.get("rescale") else got
    return np.asarray(got.reshape(z.shape[:-1]))


def _given_score(job: Job, parent: Node, z: Array, there: Mask, score: float) -> Array:
    """Missing children of units that have some take the score the recipe gives them."""
    holes = ~there & there.any(axis=-1, keepdims=True)
    if holes.any():
        job.note(
            "given-score",
            f"{parent.code}: {holes.sum()} missing scores of its children were taken as {score:g}.",
            f"{parent.code}：{holes.sum()} 个缺失的下级得分按 {score:g} 计。",
        )
    return np.where(holes, score, z)


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
