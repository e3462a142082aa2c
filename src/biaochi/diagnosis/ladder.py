"""The tree of a result, ready to be climbed again from other scores of its indicators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from biaochi.checks import REGISTRIES, choice_of
from biaochi.framework import Node
from biaochi.kernels.shapley import Branch, Places
from biaochi.method import Array, Method, Trait
from biaochi.result import Result

At = tuple[Places, Places]
"""(case,) period and unit of each case."""


def ladder(result: Result, at: At, node: str | None = None) -> Branch:
    """A node of a result as what it is made of; leaves are the columns of ``result.indicators``.

    Parameters
    ----------
    result : Result
        Its weights are held, and where a method compares units, the scores of the others.
    at : (case,) periods, (case,) units
        Whose scores are looked at.
    node : str, optional
        The index by default.
    """
    top = result.nodes[result.node_at(node)]
    column = {c: i for i, c in enumerate(result.indicators)}

    def branch(parent: Node) -> Branch:
        children = sorted(result.framework.children(parent.code), key=lambda c: c.code)
        name, options = choice_of(result.framework, result.recipe, "aggregate", parent)
        method = REGISTRIES["aggregate"][name]
        weights = np.array([result.weights[result.node_at(c.code)] for c in children])
        parts = tuple(column[c.code] if c.code in column else branch(c) for c in children)
        positive = bool(method.traits & {Trait.NEEDS_POSITIVE, Trait.NEEDS_NONNEGATIVE})
        kind = _kind(result, name, options)
        return Branch(parts, weights, kind, _combine(result, children, method, options, weights, positive=positive, at=at), _floor(result))

    if top.code in column:
        return Branch((column[top.code],), np.ones(1), "sum", lambda z, _: z[..., 0])
    return branch(top)


def _floor(result: Result) -> float:
    rule = result.recipe.nonpositive
    return 0.0 if isinstance(rule, str) else float(rule)


def _kind(result: Result, name: str, options: dict[str, Any]) -> Any:
    """How a parent is told to the kernel of Shapley values."""
    if options.get("missing") is not None or options.get("rescale"):
        return "other"
    if name == "arithmetic":
        return "sum"
    return "product" if name == "geometric" and result.recipe.nonpositive != "missing" else "other"


def _combine(
    result: Result, children: list[Node], method: Method, options: dict[str, Any], weights: Array, *, positive: bool, at: At
) -> Callable[[Array, Places], Array]:
    """Children to parent, by the rules of the recipe."""
    recipe = result.recipe
    given = {k: v for k, v in options.items() if k not in method.run_only}
    if "weights" in method.needs:
        given["weights"] = weights
    least = recipe.min_children if options.get("min_children") is None else float(options["min_children"])
    unit_interval = Trait.UNIT_INTERVAL in method.traits or bool(options.get("rescale"))
    low, high = recipe.range
    columns = [result.node_at(c.code) for c in children]

    def combine(z: Array, cases: Places) -> Array:
        there = ~np.isnan(z)
        if options.get("missing") is not None:
            z = np.where(~there & there.any(axis=-1, keepdims=True), float(options["missing"]), z)
        if positive:
            z = _positive(result, z, weights, zero_too=Trait.NEEDS_POSITIVE in method.traits)
        with np.errstate(all="ignore"):
            if Trait.COMPARES_UNITS in method.traits:
                got = _among_others(result, columns, method, {**given, "rescale": options.get("rescale")}, weights, z, (at[0][cases], at[1][cases]))
            else:
                got = method.kernel(z.reshape(1, -1, z.shape[-1]), weights, **given).reshape(z.shape[:-1])
        got = got * (high - low) + low if unit_interval else got
        return np.where(there.mean(axis=-1) >= least - 1e-12, got, np.nan)

    return combine


def _positive(result: Result, z: Array, weights: Array, *, zero_too: bool) -> Array:
    """The recipe's ``nonpositive`` rule."""
    rule, floor = result.recipe.nonpositive, _floor(result)
    low = ((z < floor) if floor else (z <= 0) if zero_too else (z < 0)) & (weights > 0)
    return np.where(low, np.nan if rule in ("missing", "refuse") else floor, z)


def _among_others(result: Result, columns: list[int], method: Method, given: dict[str, Any], weights: Array, z: Array, at: At) -> Array:
    """A unit's score among the others, whose scores are those of the result."""
    rescale = given.pop("rescale")
    given.pop("tell", None)
    out = np.empty(z.shape[:-1])
    flat = z.reshape(len(z), -1, z.shape[-1])
    pooled = result.recipe.scale == "pooled"
    for c, (p, u) in enumerate(zip(*at, strict=True)):
        others = result.scores[..., columns] if pooled else result.scores[p][None][..., columns]
        counts = (result.counts if pooled else result.counts[[p]]).reshape(-1)
        rows = others.reshape(-1, len(columns))
        place = p * result.scores.shape[1] + u if pooled else u
        for s in range(flat.shape[1]):
            x = rows.copy()
            x[place] = flat[c, s]
            got = method.kernel(x[None], weights, counts=counts[None], **given)
            if rescale:
                among = got[0][counts & ~np.isnan(got[0])]
                got = (got - among.min()) / (among.max() - among.min())
            out.reshape(len(z), -1)[c, s] = got[0, place]
    return out
