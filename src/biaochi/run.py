"""From raw data to ranks. The order of the steps is the body of `run`; labels are added here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from biaochi.checks import REGISTRIES, choice_of, problems, value_problems
from biaochi.errors import Problem, Text, refuse
from biaochi.files.project import Project, load
from biaochi.formula import Setting
from biaochi.framework import Framework, Node, Optimum
from biaochi.job import Batch, Job, Mask, Tree
from biaochi.kernels import rank as ranking
from biaochi.kernels.impute import counted
from biaochi.method import Array, Method, Trait
from biaochi.panel import Panel
from biaochi.period import Period
from biaochi.recipe import Recipe
from biaochi.result import CLIPPED, IMPUTED, NEUTRAL, TREATED, Result


def run(framework: Framework, panel: Panel, recipe: Recipe = Recipe()) -> Result:
    """Compute scores and ranks of every node, unit and period.

    Parameters
    ----------
    framework, panel, recipe
        The tree of indicators, the observations, the choices of method.

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
    job = Job(framework, panel, recipe)
    with np.errstate(all="ignore"):
        derived = derive(job)
        ratios = denominate(job, derived)
        kept, counts = screen(job, ratios)
        filled = impute(job, kept, counts)
        tamed = treat(job, filled, counts)
        common = normalise(job, tamed, counts)
        tree = Tree.of(job, common)
        for parent in tree.upwards:
            weigh(job, tree, parent)
            aggregate(job, tree, parent)
        refuse(tree.refused)
        ranks = rank(job, tree, counts)
    stages = {"derived": derived, "denominated": ratios, "imputed": filled, "treated": tamed, "normalised": common}
    return Result(
        framework, panel, recipe, stages, tree.scores, ranks, tree.weights, tree.shares, counts,
        screened=job.screened, marks=job.marks, notices=tuple(job.notices),
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


def derive(job: Job) -> Array:
    """Indicators as they are in the data or as their formulas give them, (period, unit, indicator)."""
    series: dict[str, Array] = {}
    for node in job.indicators:
        _series(job, node.code, series)
    return np.stack([series[n.code] for n in job.indicators], axis=-1)


def denominate(job: Job, x: Array) -> Array:
    """Divide by the denominators; no value where the denominator is 0 or missing."""
    out, lost_cells = x.copy(), np.zeros(x.shape, bool)
    series: dict[str, Array] = {}
    for i, node in enumerate(job.indicators):
        if node.divides_by is None:
            continue
        for name in node.divides_by.names:
            _series(job, name, series)
        by = node.divides_by.compute(series, _setting(job))
        out[..., i] = np.divide(x[..., i], by, out=np.full(by.shape, np.nan), where=(by != 0) & ~np.isnan(by))
        lost_cells[..., i] = np.isnan(out[..., i]) & ~np.isnan(x[..., i])
    _count(job, "no-denominator", lost_cells, Text("lost because the denominator is 0 or missing", "因分母为 0 或缺失而无法计算"))
    refuse(value_problems(job.framework, job.panel, out))
    return out


def screen(job: Job, x: Array) -> tuple[Array, Mask]:
    """Leave out units with too little data; the second result tells which units count, (period, unit)."""
    there = ~np.isnan(x)
    share = there.mean(axis=-1)
    codes = [u.code for u in job.panel.units]
    keep, drop = (np.isin(codes, getattr(job.recipe, key)) for key in ("keep", "drop"))
    short = (share < job.recipe.min_share - 1e-12) & ~keep
    job.screened = short | drop | ~there.any(axis=-1)
    for p, u in np.argwhere(job.screened):
        code, period = codes[u], job.panel.periods[p]
        if drop[u]:
            job.note("dropped", f"{code} is not scored in {period}: the recipe drops it.", f"{code} {period} 未评分：方案将其排除。")
            continue
        job.note("screened", f"{code} is not scored in {period}: {share[p, u]:.0%} of its indicators have a value.",
                 f"{code} {period} 未评分：指标可得率 {share[p, u]:.0%}。")  # fmt: skip
    counts = job.panel.counts & ~job.screened
    if not counts.any():
        what = Text("no unit is left to score: all are dropped, or have too little data.", "没有可评分的单位：均被排除或数据不足。")
        refuse([Problem("nothing-to-score", what, Text("Lower min_share or shorten drop.", "请降低 min_share 或减少 drop。"), job.recipe.place)])
    return np.where(job.screened[..., None], np.nan, x), counts


def impute(job: Job, x: Array, counts: Mask) -> Array:
    """Fill gaps by each indicator's imputer; filled cells are marked."""
    out = _each(job, "impute", x, lambda m, v, o: m.kernel(v, counts=counts, **_groups(job, o)))
    out[job.screened] = np.nan
    job.marks[np.isnan(x) & ~np.isnan(out)] |= IMPUTED
    _count(job, "imputed", (job.marks & IMPUTED) > 0, Text("imputed", "经插补"))
    _count(job, "missing", np.isnan(out) & ~job.screened[..., None], Text("missing and left out", "缺失，合成时未计入"))
    return out


def treat(job: Job, x: Array, counts: Mask) -> Array:
    """Treat outliers and skew, each period on its own; changed cells are marked."""
    out = _each(job, "treat", x, lambda m, v, o: m.kernel(v, counts=counts, **o))
    job.marks[(x != out) & ~np.isnan(x)] |= TREATED
    _count(job, "treated", (job.marks & TREATED) > 0, Text("changed by the treatment of outliers and skew", "经异常值与偏态处理"))
    return out


def normalise(job: Job, x: Array, counts: Mask) -> Array:
    """To a common scale, higher is better; what sets the scale is the recipe's choice."""
    out = np.full(x.shape, np.nan)
    low, high = job.recipe.range
    for batch in job.batches("normalise"):
        nodes = [job.indicators[i] for i in batch.columns]
        v, options = _orient(x[..., batch.columns], nodes, batch)
        z = batch.method.kernel(v, _reference(job, counted(v, counts)), **options)
        if batch.method.posts:
            _mark_clipped(job, batch, v, options)
        out[..., batch.columns] = z * (high - low) + low if Trait.UNIT_INTERVAL in batch.method.traits else z
    _note_idle_posts(job)
    undefined = ~np.isnan(x) & ~np.isfinite(out)
    return _settle_undefined(job, out, undefined) if undefined.any() else out


def weigh(job: Job, tree: Tree, parent: Node) -> None:
    """Weights of the children of one parent, from the framework or from their scores."""
    children, at = tree.children(parent)
    name, options = choice_of(job.framework, job.recipe, "weigh", parent)
    method = REGISTRIES["weigh"][name]
    context = {"weights": np.array([c.weight for c in children], float)} if "weights" in method.needs else {}
    tree.weights[at] = method.kernel(tree.scores[..., at], **context, **options)


def aggregate(job: Job, tree: Tree, parent: Node) -> None:
    """Score of one parent from its children, and each child's share among those that have a value."""
    _, at = tree.children(parent)
    weights = tree.weights[at]
    name, options = choice_of(job.framework, job.recipe, "aggregate", parent)
    method = REGISTRIES["aggregate"][name]
    z = tree.scores[..., at]
    if Trait.NEEDS_POSITIVE in method.traits:
        z = _positive(job, tree, parent, z)
    there = ~np.isnan(z)
    enough = there.mean(axis=-1) >= job.recipe.min_children - 1e-12
    tree.scores[..., tree.at[parent.code]] = np.where(enough, method.kernel(z, weights, **options), np.nan)
    kept = np.where(there, weights, 0.0)
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


def _setting(job: Job) -> Setting:
    shape = job.panel.values.shape[:2]
    return Setting(job.panel.periods, np.broadcast_to(job.panel.counts, shape))


def _series(job: Job, code: str, series: dict[str, Array]) -> Array:
    """A series from the data or from its formula, with everything the formula reads; no recursion, chains may be long."""
    waiting = [code]
    while waiting:
        at = waiting[-1]
        formula = job.framework[at].reads
        missing = [n for n in sorted(formula.names) if n not in series] if formula else []
        if at in series or missing:
            waiting = waiting[:-1] if at in series else waiting + missing
            continue
        series[at] = formula.compute(series, _setting(job)) if formula else job.panel.series(at)
        waiting.pop()
    return series[code]


def _each(job: Job, step: str, x: Array, call: Callable[[Method, Array, dict[str, Any]], Array]) -> Array:
    out = np.empty(x.shape)
    for batch in job.batches(step):
        out[..., batch.columns] = call(batch.method, x[..., batch.columns], batch.options)
    return out


def _groups(job: Job, options: dict[str, Any]) -> dict[str, Any]:
    """Options with the name of a grouping replaced by the groups themselves."""
    rest = {k: v for k, v in options.items() if k != "group"}
    return {**rest, "groups": job.panel.groups(options["group"])} if "group" in options else rest


def _count(job: Job, kind: str, cells: Mask, what: Text) -> None:
    """Note, for each indicator, how many of its values something happened to."""
    several = len(job.panel.periods) > 1
    for node, n in zip(job.indicators, cells.sum(axis=(0, 1)), strict=True):
        if n:
            en = f"{node.name('en')} ({node.code}): {n} value{'s' if n > 1 else ''} {what.en}{', all periods together' if several else ''}."
            job.note(kind, en, f"{node.name('zh')}（{node.code}）：{n} 个值{what.zh}{'（各期合计）' if several else ''}。")


def _reference(job: Job, v: Array) -> Array:
    match job.recipe.scale:
        case "pooled":
            return v.reshape(1, -1, v.shape[-1])
        case "base":
            return v[[job.panel.periods.index(Period.parse(str(job.recipe.base)))]]
    return v


def _orient(v: Array, nodes: list[Node], batch: Batch) -> tuple[Array, dict[str, Any]]:
    """Values and posts turned so that higher is better."""
    signs = np.array([1 if isinstance(n.direction, Optimum) else n.direction for n in nodes], float)
    out, options = v * signs + 0.0, dict(batch.options)
    posts = batch.method.posts
    if posts:
        low, high = (np.asarray(options[p], float) * signs for p in posts)
        options.update(zip(posts, (np.minimum(low, high), np.maximum(low, high)), strict=True))
    for i, n in enumerate(nodes):
        if isinstance(n.direction, Optimum):
            between = (options[posts[0]][i], options[posts[1]][i]) if posts else None
            out[..., i] = _from_optimum(v[..., i], n.direction, between, clip=bool(options.get("clip", True)))
            if posts:
                options[posts[0]][i], options[posts[1]][i] = 0.0, 1.0
    return out, options


def _from_optimum(v: Array, best: Optimum, posts: tuple[float, float] | None, *, clip: bool) -> Array:
    """Minus the distance to the optimum; with posts, 1 at the optimum and 0 at the post of either side."""
    off = np.maximum(np.maximum(best.low - v, v - best.high), 0.0)
    if posts is None:
        return 0.0 - off
    room = np.where(v < best.low, best.low - posts[0], posts[1] - best.high)
    outside = -1.0 if clip else 0.0  # where a post is the optimum itself there is no room: 0 at once, and held there if clipped
    beyond = np.where(off > 0, outside, 1.0)
    return np.where(np.isnan(v), np.nan, np.where(room > 0, 1.0 - off / np.where(room > 0, room, 1.0), beyond))


def _note_idle_posts(job: Job) -> None:
    idle = [n.code for n in job.indicators if n.goalposts and not REGISTRIES["normalise"][choice_of(job.framework, job.recipe, "normalise", n)[0]].posts]
    if idle:
        told = ", ".join(idle[:5]) + (" …" if len(idle) > 5 else "")
        job.note(
            "idle-goalposts",
            f"the normalisation does not use the goalposts of {len(idle)} of {len(job.indicators)} indicators ({told}).",
            f"{len(job.indicators)} 项指标中有 {len(idle)} 项的上下限未被其无量纲化方法使用（{told}）。",
        )


def _mark_clipped(job: Job, batch: Batch, v: Array, options: dict[str, Any]) -> None:
    if options.get("clip", True):
        low, high = (options[p] for p in batch.method.posts or ())
        job.marks[..., batch.columns] |= np.where((v < low) | (v > high), CLIPPED, 0).astype(np.uint8)


def _settle_undefined(job: Job, z: Array, undefined: Mask) -> Array:
    """Apply the recipe's ``constant`` rule where a value has no score: its scale has no spread."""
    rule = job.recipe.constant
    of = {"base": f"base period {job.recipe.base}", "pooled": "all periods"}.get(job.recipe.scale)
    cells = {(i, of or str(job.panel.periods[p])): None for p, i in np.argwhere(undefined.any(axis=1))}
    where = [(job.indicators[i], period) for i, period in cells]
    if rule == "refuse":
        refuse(
            Problem(
                "constant",
                Text(f"{n.code!r} has no spread in {p}: all units that count have the same value, or at most one has any.",
                     f"{n.code!r} 在 {p} 没有差异：各单位取值相同，或至多一个单位有值。"),
                Text('Take it out, give it goalposts, or set constant = "missing" or a score in the recipe.',
                     '请移除该指标、设置固定上下限，或在方案中设 constant = "missing" 或一个分值。'),
                n.place,
            )
            for n, p in where
        )  # fmt: skip
    for n, p in where:
        fate = ("left out", "未计分") if rule == "missing" else (f"scored {rule:g}", f"记 {rule:g} 分")
        job.note("constant", f"{n.code} has no spread in {p}: {fate[0]} for all units.", f"{n.code} 在 {p} 没有差异：所有单位{fate[1]}。")
    if rule == "missing":
        return np.where(undefined, np.nan, z)
    job.marks[undefined] |= NEUTRAL
    return np.where(undefined, float(rule), z)


def _positive(job: Job, tree: Tree, parent: Node, z: Array) -> Array:
    """Apply the recipe's ``nonpositive`` rule to the children of a geometric mean."""
    children, at = tree.children(parent)
    rule = job.recipe.nonpositive
    floor = 0.0 if isinstance(rule, str) else float(rule)
    low = ((z < floor) if floor else (z <= 0)) & (tree.weights[at] > 0)
    if not low.any():
        return z
    if rule == "refuse":
        for p, u, c in np.argwhere(low)[:20]:
            where = f"{job.panel.units[u].code} / {job.panel.periods[p]} / {children[c].code}"
            tree.refused.append(
                Problem(
                    "nonpositive",
                    Text(f"{where}: the score {z[p, u, c]:g} has no geometric mean ({low.sum()} such scores under {parent.code!r}).",
                         f"{where}：得分 {z[p, u, c]:g} 无法取几何平均（{parent.code!r} 下共 {low.sum()} 个）。"),
                    Text('Use a range above 0, such as range = [1, 100], or set nonpositive = "missing", "zero" or a floor in the recipe.',
                         '请使用大于 0 的值域（如 range = [1, 100]），或在方案中设 nonpositive = "missing"、"zero" 或一个下限。'),
                )
            )  # fmt: skip
        return np.where(low, np.nan, z)
    fate = {"missing": ("left out", "未计入"), "zero": ("taken as 0", "按 0 计")}.get(str(rule), (f"raised to {rule}", f"提高到 {rule}"))
    below = f"below {floor:g}" if floor else "at or below 0"
    below_zh = f"低于 {floor:g}" if floor else "不大于 0"
    job.note("nonpositive", f"{parent.code}: {low.sum()} scores {below} were {fate[0]}.", f"{parent.code}：{low.sum()} 个{below_zh}的得分{fate[1]}。")
    return np.where(low, np.nan if rule == "missing" else floor, z)
