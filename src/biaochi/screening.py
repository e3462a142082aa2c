"""Which indicators and which units have enough data to be used."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from biaochi.context import branches
from biaochi.errors import Problem, Text, refuse
from biaochi.framework import Framework, Node
from biaochi.job import Job, Mask
from biaochi.method import Array


def screen_indicators(job: Job, x: Array) -> Job:
    """The job without indicators that have too little data, and without parents left childless."""
    recipe, several = job.recipe, len(job.panel.periods) > 1
    inside = np.where(np.broadcast_to(job.panel.counts, x.shape[:2])[..., None], x, np.nan)
    there = ~np.isnan(inside)
    n = np.broadcast_to(job.panel.counts, x.shape[:2]).sum()
    share = there.sum(axis=(0, 1)) / max(n, 1)
    nonzero = (there & (inside != 0)).sum(axis=(0, 1)) / np.maximum(there.sum(axis=(0, 1)), 1)
    out: set[str] = set()
    for i, node in enumerate(job.indicators):
        if node.code in recipe.drop_indicators:
            out.add(node.code)
            job.note("indicator-dropped", f"{node.code} is not used: the recipe drops it.", f"{node.code} 未使用：方案将其排除。")
        elif node.code not in recipe.keep_indicators and (share[i] < recipe.min_indicator_share - 1e-12 or nonzero[i] < recipe.min_indicator_nonzero - 1e-12):
            out.add(node.code)
            over = (", all periods together", "（各期合计）") if several else ("", "")
            job.note("indicator-screened", f"{node.code} is not used: {share[i]:.0%} of its values are there, {nonzero[i]:.0%} of these are not 0{over[0]}.",
                     f"{node.code} 未使用：可得率 {share[i]:.0%}，其中非零 {nonzero[i]:.0%}{over[1]}。")  # fmt: skip
    if not out:
        return job
    left = tuple(_without(job.framework, out))
    if len([n for n in left if not n.series]) < 2:
        what = Text("no indicator is left to score: all are dropped, or have too little data.", "没有可用的指标：均被排除或数据不足。")
        refuse(
            [
                Problem(
                    "nothing-to-score",
                    what,
                    Text("Lower min_indicator_share or shorten drop_indicators.", "请降低 min_indicator_share 或减少 drop_indicators。"),
                    recipe.place,
                )
            ]
        )
    return job.reduced(Framework(left))


def screen_units(job: Job, x: Array) -> tuple[Array, Mask]:
    """Leave out units with too little data; the second result tells which units count, (period, unit)."""
    recipe = job.recipe
    there = ~np.isnan(x)
    share = there.mean(axis=-1)
    nonzero = (there & (x != 0)).sum(axis=-1) / np.maximum(there.sum(axis=-1), 1)
    least = _branch_shares(job, there)
    codes = [u.code for u in job.panel.units]
    keep, drop = (np.isin(codes, getattr(recipe, key)) for key in ("keep", "drop"))
    short = (share < recipe.min_share - 1e-12) | (nonzero < recipe.min_nonzero - 1e-12) | (least < recipe.min_branch_share - 1e-12)
    job.screened = (short & ~keep) | drop | (~there.any(axis=-1) & ~(keep & _looks_back(job)))
    for p, u in np.argwhere(job.screened):
        code, period = codes[u], job.panel.periods[p]
        if drop[u]:
            job.note("dropped", f"{code} is not scored in {period}: the recipe drops it.", f"{code} {period} 未评分：方案将其排除。")
            continue
        en, zh = [f"{share[p, u]:.0%} of its indicators have a value"], [f"指标可得率 {share[p, u]:.0%}"]
        if recipe.min_nonzero:
            en, zh = [*en, f"{nonzero[p, u]:.0%} of these are not 0"], [*zh, f"非零 {nonzero[p, u]:.0%}"]
        if recipe.min_branch_share:
            en, zh = [*en, f"{least[p, u]:.0%} in the branch with the fewest"], [*zh, f"最缺分支 {least[p, u]:.0%}"]
        job.note("screened", f"{code} is not scored in {period}: {', '.join(en)}.", f"{code} {period} 未评分：{'，'.join(zh)}。")
    counts = job.panel.counts & ~job.screened
    if not counts.any():
        what = Text("no unit is left to score: all are dropped, or have too little data.", "没有可评分的单位：均被排除或数据不足。")
        refuse([Problem("nothing-to-score", what, Text("Lower min_share or shorten drop.", "请降低 min_share 或减少 drop。"), recipe.place)])
    return np.where(job.screened[..., None], np.nan, x), counts


def _looks_back(job: Job) -> bool:
    """Whether an imputer takes values from other periods, so that a unit that must be kept can be filled without any."""
    return any(b.method.kernel.__module__.endswith("impute.time") for b in job.batches("impute"))


def _branch_shares(job: Job, there: Mask) -> Array:
    """Share of the indicators a unit has in the branch where it has the fewest, (period, unit)."""
    of = branches(job, job.indicators, job.recipe.branch_level)
    return np.asarray(np.min([there[..., of == b].mean(axis=-1) for b in np.unique(of)], axis=0))


def _without(framework: Framework, out: set[str]) -> Iterator[Node]:
    """Nodes that stay: not screened out, and with an indicator left below them."""
    for n in framework.nodes:
        if n.series or any(leaf.code not in out for leaf in framework.walk(n.code) if not framework.children(leaf.code)):
            yield n
        elif n.code in out:  # formulas and denominators of others may still read it
            yield Node(n.code, series=True, unit=n.unit, formula=n.formula, name_zh=n.name_zh, name_en=n.name_en, place=n.place)
