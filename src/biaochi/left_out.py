"""The index without each of its nodes in turn."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from biaochi.changes import with_data
from biaochi.errors import BadInput, BadOption, BiaochiError
from biaochi.framework import Framework
from biaochi.method import Array
from biaochi.period import Period
from biaochi.recipe import Choice, Recipe
from biaochi.result import Result, takes_result
from biaochi.run import run


@dataclass(frozen=True)
class LeftOut:
    """What the index would be without each node of a level."""

    units: tuple[str, ...]
    scores: dict[str, Array]
    """(unit,) scores by the node left out; those of the full index under ""."""
    ranks: dict[str, Array]
    mean_shift: dict[str, float]
    """Mean absolute shift of ranks by the node left out."""
    refused: dict[str, str]
    """Nodes without which the index cannot be computed, and why."""


@takes_result
def leave_out(result: Result, level: int | None = None, *, code: str | None = None, period: str | Period | None = None) -> LeftOut:
    """Leave out each node of a level in turn, with all below it, and compute the index again.

    Parameters
    ----------
    result : Result
    level : int, optional
        The indicators by default, whatever their level.
    code : str, optional
        The node scored; the index by default.
    period : str or Period, optional

    Returns
    -------
    LeftOut
        A parent left without children goes as well, and what the recipe says of those gone. What other formulas read
        stays as a series.

    Raises
    ------
    BadOption
        If the level has no nodes below the index.

    References
    ----------
    .. [1] COINr 1.1.14, remove_elements.
    """
    p, n = result.period_at(period), result.node_at(code)
    framework = result.original or result.framework
    every = [x.code for x in result.nodes[1:] if (x.code in result.indicators if level is None else result.framework.levels[x.code] == level)]
    if not every or isinstance(level, bool):
        depth = max(result.framework.levels.values())
        raise BadOption("level", f"must be 1 to {depth}; got {level!r}.", f"层级应为 1 至 {depth}；得到 {level!r}。")
    scores, ranks = {"": result.scores[p, :, n]}, {"": result.ranks[p, :, n]}
    refused = {}
    for gone in every:
        try:
            less, below = _without(framework, gone)
            made = run(with_data(less, result.panel.codes), result.panel, _forgotten(result.recipe, below))
            at = made.node_at(code)
            scores[gone], ranks[gone] = made.scores[p, :, at], made.ranks[p, :, at]
        except BadInput as e:
            refused[gone] = e.problems[0].what.en
        except BiaochiError as e:
            refused[gone] = e.text.en
    shift = {k: _mean(np.abs(r - ranks[""])) for k, r in ranks.items() if k}
    return LeftOut(tuple(u.code for u in result.panel.units), scores, ranks, shift, refused)


def _without(framework: Framework, gone: str) -> tuple[Framework, set[str]]:
    """The framework without a node, all below it, and parents left without children."""
    below = {n.code for n in framework.walk(gone)}
    for parent in reversed(framework.path(gone)[:-1]):
        if parent.parent is None or any(c.code not in below for c in framework.children(parent.code)):
            break
        below.add(parent.code)
    read = {name for n in framework.nodes if n.code not in below for f in (n.reads, n.divides_by) if f for name in f.names}
    kept = [n if n.code not in below else replace(n, parent=None, series=True, weight=1.0, goalposts=None, target=None, overrides=(), aggregate=None, denominator=None)
            for n in framework.nodes if n.code not in below or n.code in read]  # fmt: skip
    return Framework(kept), below


def _mean(shift: Array) -> float:
    known = shift[~np.isnan(shift)]
    return float(known.mean()) if known.size else float("nan")


def _forgotten(recipe: Recipe, gone: Collection[str]) -> Recipe:
    """The recipe without what it says of nodes that are gone: their choices, their rows among comparisons and points."""
    steps: dict[str, Any] = {step: _choice(getattr(recipe, step), gone) for step in ("weigh", "aggregate")}
    level = {k: {s: _choice(c, gone) for s, c in v.items()} for k, v in recipe.level.items()}
    node = {k: {s: _choice(c, gone) for s, c in v.items()} for k, v in recipe.node.items() if k not in gone}
    kept: dict[str, Any] = {name: tuple(c for c in getattr(recipe, name) if c not in gone) for name in ("keep_indicators", "drop_indicators")}
    return replace(recipe, **steps, level=level, node=node, **kept)


def _choice(choice: Choice, gone: Collection[str]) -> Choice:
    """A choice whose tables name nobody that is gone; comparisons name two children first, points one."""
    options: Mapping[str, Any] = dict(choice.options)
    named = {"comparisons": 2, "points": 1}
    cut = {k: tuple(row for row in v if not set(row[: named[k]]) & set(gone)) for k, v in options.items() if k in named and isinstance(v, (tuple, list))}
    return Choice.of(choice.method, **{**options, **cut}) if cut else choice
