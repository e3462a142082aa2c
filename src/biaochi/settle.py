"""What a step cannot score is settled by a rule of the recipe, and written down."""

from __future__ import annotations

from typing import Any

import numpy as np

from biaochi.checks import REGISTRIES, choice_of
from biaochi.errors import Problem, Text, refuse
from biaochi.framework import Node
from biaochi.job import Batch, Job, Mask, Tree
from biaochi.method import Array
from biaochi.result import CLIPPED, NEUTRAL


def note_idle_posts(job: Job) -> None:
    """Say which goalposts the normalisation has no use for."""
    idle = [n.code for n in job.indicators if n.goalposts and not REGISTRIES["normalise"][choice_of(job.framework, job.recipe, "normalise", n)[0]].posts]
    if idle:
        told = ", ".join(idle[:5]) + (" …" if len(idle) > 5 else "")
        job.note(
            "idle-goalposts",
            f"the normalisation does not use the goalposts of {len(idle)} of {len(job.indicators)} indicators ({told}).",
            f"{len(job.indicators)} 项指标中有 {len(idle)} 项的上下限未被其无量纲化方法使用（{told}）。",
        )


def mark_clipped(job: Job, batch: Batch, v: Array, options: dict[str, Any]) -> None:
    """Mark values held at a goalpost."""
    if options.get("clip", True):
        low, high = (options[p] for p in batch.method.posts or ())
        job.marks[..., batch.columns] |= np.where((v < low) | (v > high), CLIPPED, 0).astype(np.uint8)


def settle_undefined(job: Job, z: Array, undefined: Mask) -> Array:
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


def positive(job: Job, tree: Tree, parent: Node, z: Array, *, zero_too: bool) -> Array:
    """Apply the recipe's ``nonpositive`` rule to the children of a mean that cannot take them."""
    children, at = tree.children(parent)
    rule = job.recipe.nonpositive
    floor = 0.0 if isinstance(rule, str) else float(rule)
    low = ((z < floor) if floor else (z <= 0) if zero_too else (z < 0)) & (tree.weights[at] > 0)
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
