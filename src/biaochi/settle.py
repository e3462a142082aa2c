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


def settle_undefined(job: Job, z: Array, undefined: Mask, still: Mask, counts: Mask) -> Array:
    """Settle values without a score.

    The recipe's ``constant`` rule holds where the scale has no spread (``still``: period, indicator), and where
    no unit that counts gets a score from its own; elsewhere single values stay without one, and are told.
    """
    among = undefined & counts[..., None]
    had = (undefined | ~np.isnan(z)) & counts[..., None]
    whole = among.any(axis=1) & (among == had).all(axis=1)
    timeless = np.array([not along_time(job, n) for n in job.indicators])
    ruled = (still | (whole & timeless)) & undefined.any(axis=1) & had.any(axis=1)
    cells = undefined & ruled[:, None]
    _tell_single(job, undefined & ~cells)
    if not cells.any():
        return z
    rule = job.recipe.constant
    of = {"base": Text(f"base period {job.recipe.base}", f"基期 {job.recipe.base}"), "pooled": Text("all periods", "全部各期")}.get(job.recipe.scale)
    found = {(int(i), of or Text(str(job.panel.periods[p]), str(job.panel.periods[p])), bool(still[p, i])): None for p, i in np.argwhere(cells.any(axis=1))}
    if rule == "refuse":
        refuse(_unscored(job, job.indicators[i], period, flat=flat) for i, period, flat in found)
    for i, period, flat in found:
        fate = ("left out", "未计分") if rule == "missing" else (f"scored {rule:g}", f"记 {rule:g} 分")
        why = (
            ("has no spread", "没有差异")
            if flat
            else (f"has no score by {_label(job, job.indicators[i]).en}", f"无法以{_label(job, job.indicators[i]).zh}计分")
        )
        job.note(
            "constant",
            f"{job.indicators[i].code} {why[0]} in {period.en}: {fate[0]} for all units.",
            f"{job.indicators[i].code} 在 {period.zh} {why[1]}：所有单位{fate[1]}。",
        )
    if rule == "missing":
        return np.where(cells, np.nan, z)
    job.marks[cells] |= NEUTRAL
    return np.where(cells, float(rule), z)


def along_time(job: Job, node: Node) -> bool:
    """Whether an indicator's normaliser compares periods, so that the first ones have no score."""
    method = REGISTRIES["normalise"][choice_of(job.framework, job.recipe, "normalise", node)[0]]
    return bool(method.needs & {"before", "origin"}) or method.kernel.__module__.endswith(".time")


def _label(job: Job, node: Node) -> Text:
    return REGISTRIES["normalise"][choice_of(job.framework, job.recipe, "normalise", node)[0]].label


def _unscored(job: Job, n: Node, period: Text, *, flat: bool) -> Problem:
    if flat:
        what = Text(f"{n.code!r} has no spread in {period.en}: all units that count have the same value, or at most one has any.",
                    f"{n.code!r} 在 {period.zh} 没有差异：各单位取值相同，或至多一个单位有值。")  # fmt: skip
    else:
        what = Text(f"{n.code!r} gets no score from {_label(job, n).en} in {period.en}: see its edge cases in docs/reference/methods.md.",
                    f"{n.code!r} 在 {period.zh} 无法以{_label(job, n).zh}计分：参见 docs/reference/methods.md 中的边界情形。")  # fmt: skip
    return Problem("constant", what, Text('Take it out, give it goalposts, or set constant = "missing" or a score in the recipe.',
                   '请移除该指标、设置固定上下限，或在方案中设 constant = "missing" 或一个分值。'), n.place)  # fmt: skip


def _tell_single(job: Job, cells: Mask) -> None:
    for i, n in enumerate(cells.sum(axis=(0, 1))):
        if n:
            node = job.indicators[i]
            job.note("no-score", f"{node.name('en')} ({node.code}): {n} values have no score by {_label(job, node).en}, and are left out.",
                     f"{node.name('zh')}（{node.code}）：{n} 个值无法以{_label(job, node).zh}计分，合成时未计入。")  # fmt: skip


def tell_lost(job: Job, parent: Node, score: Array, there: Mask, enough: Mask) -> None:
    """Say how many units have no score at a parent though they have some child's."""
    lost = np.isnan(score) & there.any(axis=-1)
    short, undefined = int((lost & ~enough).sum()), int((lost & enough).sum())
    if short:
        job.note(
            "no-score",
            f"{parent.code}: {short} scores are missing for too few children (min_children).",
            f"{parent.code}：{short} 个得分因下级不足而缺失（min_children）。",
        )
    if undefined:
        name, _ = choice_of(job.framework, job.recipe, "aggregate", parent)
        label = REGISTRIES["aggregate"][name].label
        job.note(
            "no-score",
            f"{parent.code}: {undefined} scores are not defined under {label.en}: see its edge cases.",
            f"{parent.code}：{undefined} 个得分在{label.zh}下无定义，参见其边界情形。",
        )


def positive(job: Job, tree: Tree, parent: Node, z: Array, counts: Mask, *, zero_too: bool) -> Array:
    """Apply the recipe's ``nonpositive`` rule to the children of a mean that cannot take them."""
    children, at = tree.children(parent)
    rule = job.recipe.nonpositive
    floor = 0.0 if isinstance(rule, str) else float(rule)
    low = ((z < floor) if floor else (z <= 0) if zero_too else (z < 0)) & (tree.weights[at] > 0)
    if not low.any():
        return z
    if rule == "refuse":
        outside = low & ~counts[..., None]
        if outside.any():
            job.note(
                "nonpositive",
                f"{parent.code}: {outside.sum()} such scores of units that are not ranked were left out.",
                f"{parent.code}：不参与排名单位的 {outside.sum()} 个此类得分未计入。",
            )
        of = REGISTRIES["aggregate"][choice_of(job.framework, job.recipe, "aggregate", parent)[0]].label
        for p, u, c in np.argwhere(low & counts[..., None])[:20]:
            where = f"{job.panel.units[u].code} / {job.panel.periods[p]} / {children[c].code}"
            tree.refused.append(
                Problem(
                    "nonpositive",
                    Text(f"{where}: the score {z[p, u, c]:g} cannot enter a {of.en} ({low.sum()} such scores under {parent.code!r}).",
                         f"{where}：得分 {z[p, u, c]:g} 无法取{of.zh}（{parent.code!r} 下共 {low.sum()} 个）。"),
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
