"""The tree of a recipe as sums of products, where that gives what a run gives; None where only a run will do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biaochi.checks import REGISTRIES, choice_of
from biaochi.errors import Problem, Text, refuse
from biaochi.framework import Framework
from biaochi.kernels.whatif.score import Part, Shape, build
from biaochi.method import Array, Method, Trait
from biaochi.recipe import Recipe
from biaochi.variation import Tree

_MEANS: Mapping[str, float] = {"arithmetic": 1.0, "geometric": 0.0, "harmonic": -1.0}
_POWERS = (0.05, 8.0)
"""Exponents within which powers can be summed as they are; below, a 0 has a rule of its own."""


def shape_of(framework: Framework, tree: Tree, recipe: Recipe) -> Shape | None:
    """The tree by numbers under a recipe; None where some parent needs more than its own children."""
    indicators = sorted(n.code for n in framework.indicators)
    column = {tree.at[c]: i for i, c in enumerate(indicators)}
    means: dict[int, Any] = {}
    least: dict[int, float] = {}
    kids = {}
    for node in framework.walk():
        if not framework.children(node.code):
            continue
        i = tree.at[node.code]
        kids[i] = sorted((tree.at[c.code] for c in framework.children(node.code)), key=lambda k: tree.nodes[k].code)
        name, options = choice_of(framework, recipe, "aggregate", node)
        mean = _mean(REGISTRIES["aggregate"][name], name, options)
        if mean is None:
            return None
        means[i] = mean
        share = options.get("min_children")
        least[i] = recipe.min_children if share is None else float(share)
    return Shape(kids, column, means, {i: v for i, v in least.items() if v > 0})


def _mean(method: Method, name: str, options: Mapping[str, Any]) -> float | Callable[[Array, Array], Array] | None:
    if options.get("missing") is not None or Trait.COMPARES_UNITS in method.traits or method.needs & {"counts", "weights", "tell"}:
        return None
    if name in _MEANS:
        return _MEANS[name]
    if name == "power":
        p = float(options.get("exponent", 2.0))
        return p if _POWERS[0] <= p <= _POWERS[1] else None
    if method.traits & {Trait.NEEDS_POSITIVE, Trait.NEEDS_NONNEGATIVE}:
        return None
    return partial(method.kernel, **{k: v for k, v in options.items() if k not in method.run_only})


def part_of(
    shape: Shape, top: int, z: Array, recipe: Recipe, weights: Array, *, zeros: bool, drawn: bool, label: Callable[[int], str]
) -> Part | None:  # fmt: skip
    """The parts of a node for the units that are ranked, under the recipe's rule for scores that a mean cannot take.

    Parameters
    ----------
    shape, top
        The tree, and the node wanted.
    z : (indicator, unit)
        Of units that are ranked only.
    recipe : Recipe
    weights : (node,)
        Before they vary.
    zeros : bool
        Whether a weight may be 0 in some replicate.
    drawn : bool
        Whether a drawn peer set sets the scales: then only its members are refused for what a mean cannot take.
    label : callable
        Code of a node, for messages.

    Returns
    -------
    Part, or None where a run must be made for each replicate.

    Raises
    ------
    BadInput
        Where the rule is to refuse.
    """
    if (weights < 0).any() or (zeros and shape.least):  # a branch without weight is gone, and no child to be counted
        return None
    least = np.fmin.reduce(z, axis=1, initial=np.inf).tolist()
    lowest: dict[int, float] = {i: least[c] for i, c in shape.column.items()}
    settled, guards = z, dict[int, str | float]()
    for parent in shape.upwards(top):
        mean, kids = shape.means[parent], shape.kids[parent]
        if not callable(mean) and mean != 1:
            low = _too_low(shape, parent, lowest, recipe)
            if low and ((recipe.nonpositive == "zero" and (zeros or mean < 0)) or (recipe.nonpositive == "refuse" and drawn)):
                return None
            if any(k not in shape.column for k in low) or (low and recipe.nonpositive == "zero"):
                guards[parent] = recipe.nonpositive
            leaves = [k for k in low if k in shape.column]
            got = _settled(shape, parent, leaves, settled, lowest, recipe, weights, zeros, label) if leaves else settled
            if got is None:
                return None
            settled = got
        lowest[parent] = -np.inf if callable(mean) else 0.0 if parent in guards else min(lowest[k] for k in kids)
    if shape.least and "missing" in guards.values():  # which children are there is known only when their scores are
        return None
    return build(shape, top, settled, zeros, z, guards)


def _too_low(shape: Shape, parent: int, lowest: Mapping[int, float], recipe: Recipe) -> list[int]:
    """Children that may have a score the parent's mean cannot take, or below the recipe's floor."""
    rule, zero_too = recipe.nonpositive, shape.means[parent] in (0.0, -1.0)
    floor = 0.0 if isinstance(rule, str) else float(rule)
    return [k for k in shape.kids[parent] if lowest[k] < floor or lowest[k] < 0 or (zero_too and lowest[k] == 0)]


def _settled(
    shape: Shape, parent: int, low: list[int], z: Array, lowest: dict[int, float], recipe: Recipe, weights: Array, zeros: bool, label: Callable[[int], str]
) -> Array | None:
    """``z`` with the leaves of a parent as its mean can take them; None where only a run will do."""
    rule, zero_too = recipe.nonpositive, shape.means[parent] in (0.0, -1.0)
    if rule == "refuse":
        heavy = [k for k in low if weights[k] > 0]
        if not heavy or zeros:
            return None
        refuse([_problem(label(parent), [(label(k), lowest[k]) for k in heavy])])
    z = z.copy()
    floor = 0.0 if isinstance(rule, str) else float(rule)
    for k in low:
        column: NDArray[np.float64] = z[shape.column[k]]
        held = np.where((column < 0) | (zero_too & (column == 0)), np.nan, column) if rule == "missing" else np.where(column < floor, floor, column)
        z[shape.column[k]] = held
        lowest[k] = float(np.fmin.reduce(held, initial=np.inf))
    return z


def refused_problem() -> Problem:
    """Why a replicate is refused in which a score comes out on the way that a mean cannot take."""
    return Problem("nonpositive", Text("a score at or below 0 came out that cannot enter the mean above it.", "中间得分不大于 0，无法进入其上级的平均。"), _FIX)


_FIX = Text('Use a range above 0, such as range = [1, 100], or set nonpositive = "missing", "zero" or a floor.',
            '请使用大于 0 的值域（如 range = [1, 100]），或设 nonpositive = "missing"、"zero" 或一个下限。')  # fmt: skip


def _problem(parent: str, low: list[tuple[str, float]]) -> Problem:
    told = ", ".join(f"{c} {v:g}" for c, v in low[:3])
    return Problem(
        "nonpositive",
        Text(f"scores at or below 0 cannot enter the mean of {parent} ({told}).", f"不大于 0 的得分无法进入 {parent} 的平均（{told}）。"),
        _FIX,
    )  # fmt: skip
