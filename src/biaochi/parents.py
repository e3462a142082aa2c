"""A parent from its children: their weights, and its score."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from biaochi import context
from biaochi.checks import REGISTRIES, choice_of
from biaochi.derived import series_of
from biaochi.errors import Problem, Text, refuse
from biaochi.framework import Node
from biaochi.job import Job, Mask, Tree
from biaochi.kernels.moments import counted
from biaochi.kernels.normalise import NORMALISERS
from biaochi.method import Array, Method, Trait
from biaochi.settle import positive, tell_lost


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
