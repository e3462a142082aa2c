"""A tree of means as a few matrix products: what has the same mean all the way down collapses into one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType, ModuleType

import numpy as np
from numpy.typing import NDArray

from biaochi.method import Array

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Shape:
    """A tree by numbers: nodes from 0, the children of each parent, the column of each leaf, each parent's mean."""

    kids: Mapping[int, Sequence[int]]
    column: Mapping[int, int]
    means: Mapping[int, float | Callable[[Array, Array], Array]]
    """Exponent of a power mean (1 arithmetic, 0 geometric, -1 harmonic), or any aggregation of (..., unit, child)."""
    least: Mapping[int, float] = field(default_factory=dict)
    """Share of its children that a parent needs to have a score, where it needs any."""
    forms: dict[int, Part] = field(default_factory=dict)
    """The parts of nodes where nothing is missing, once they have been asked for."""

    def upwards(self, top: int) -> list[int]:
        """The parents below and at a node, every child before its parent."""
        out, waiting = [], [top]
        while waiting:
            n = waiting.pop()
            if n in self.kids:
                out.append(n)
                waiting.extend(self.kids[n])
        return out[::-1]


@dataclass
class Part:
    """One sum of products: a parent with all below it that has the same mean and no gaps."""

    mean: float | Callable[[Array, Array], Array]
    paths: list[tuple[int, ...]]
    """For each entry, leaves first, the nodes whose shares multiply up to its weight."""
    leaves: list[int]
    parts: list[Part]
    f: Array
    """(entry, unit): transformed scores of the leaves, 0 where missing."""
    there: Array | None
    """(entry, unit): 1 where a leaf has a score; None where all have."""
    short: Mask | None = None
    """(unit,): fewer children than the parent needs."""
    guard: str | float | None = None
    """What is done with a score of a part below that this mean cannot take: ``refuse``, ``missing``, ``zero``, or a floor."""
    signed: str = ""
    """Its `signature`, once that has been asked for."""


def shares(shape: Shape, top: int, weights: Array) -> Array:
    """Weights as shares among siblings, (node, replicate), in their place; a parent whose children all have weight 0 gets none itself."""
    out = weights
    for parent in shape.upwards(top):
        kids = list(shape.kids[parent])
        total = out[kids[0]].copy()
        for k in kids[1:]:
            total += out[k]
        dead = total <= 0
        gone = bool(dead.any())
        inverse = np.divide(1.0, total, out=np.zeros(total.shape), where=~dead) if gone else 1.0 / total
        for k in kids:
            out[k] *= inverse
        if gone and parent != top:
            out[parent][dead] = 0.0
    return out


def build(shape: Shape, top: int, z: Array, zeros: bool, stated: Array | None = None, guards: Mapping[int, str | float] = MappingProxyType({})) -> Part:
    """The parts of a tree for one set of scores.

    Parameters
    ----------
    shape : Shape
    top : int
        The node wanted.
    z : (column, unit)
        Scores of the leaves, NaN for none; above 0 under any mean but the arithmetic.
    zeros : bool
        Whether some weight is 0 in some replicate, so that a parent of gappy children may have no score.
    stated : (column, unit), optional
        Scores before a rule took out what a mean cannot take: those still count as children that are there.
    guards : mapping, optional
        For parents below which scores may come out that their mean cannot take, what is done then (`Part.guard`).

    Returns
    -------
    Part
    """
    if not shape.least and not guards and not np.isnan(z.sum()):  # nothing is missing, and nothing can be: one form for all
        if top not in shape.forms:
            shape.forms[top] = _part(shape, top, z, dict.fromkeys(shape.kids, False), {}, guards)
        return _filled(shape.forms[top], z)
    there: dict[int, Mask] = {n: ~np.isnan(z[c]) for n, c in shape.column.items()}
    had = there if stated is None else {n: ~np.isnan(stated[c]) for n, c in shape.column.items()}
    gappy: dict[int, bool] = {n: not there[n].all() for n in shape.column}
    short: dict[int, Mask] = {}
    holes: dict[int, bool] = {}
    for parent in shape.upwards(top):
        kids = shape.kids[parent]
        block = np.stack([there[k] for k in kids])
        there[parent] = np.asarray(block.any(axis=0))
        least = shape.least.get(parent, 0.0)
        if least > 0:
            short[parent] = np.stack([had.get(k, there[k]) for k in kids]).mean(axis=0) < least - 1e-12
            there[parent] &= ~short[parent]
        lossy = guards.get(parent) == "missing"
        holes[parent] = any(gappy[k] for k in kids) or lossy
        gappy[parent] = lossy or not there[parent].all() or (zeros and holes[parent])
    return _part(shape, top, z, holes, short, guards)


def _part(
    shape: Shape, top: int, z: Array, holes: Mapping[int, bool], short: Mapping[int, Mask], guards: Mapping[int, str | float]
) -> Part:  # fmt: skip
    mean = shape.means[top]
    leaves: list[tuple[int, tuple[int, ...]]] = []
    parts: list[tuple[Part, tuple[int, ...]]] = []
    waiting: list[tuple[int, tuple[int, ...]]] = [(k, (k,)) for k in reversed(shape.kids[top])]
    while waiting:
        n, path = waiting.pop()
        if n in shape.column:
            leaves.append((shape.column[n], path))
        elif not callable(mean) and not holes[top] and not holes[n] and shape.means[n] == mean and n not in short:
            waiting.extend((k, (*path, k)) for k in reversed(shape.kids[n]))
        else:
            parts.append((_part(shape, n, z, holes, short, guards), path))
    columns = [c for c, _ in leaves]
    f = _rows(z, columns)
    there = None
    if not callable(mean):
        f = _transformed(f, mean)
        if holes[top]:
            there = np.asarray(~np.isnan(f), float)
            f = np.where(np.isnan(f), 0.0, f)
    return Part(mean, [*(p for _, p in leaves), *(p for _, p in parts)], columns, [p for p, _ in parts], f,
                there if not holes[top] or there is not None else np.ones_like(f), short.get(top), guards.get(top))  # fmt: skip


def _filled(form: Part, z: Array) -> Part:
    """The same parts with other scores."""
    f = _rows(z, form.leaves)
    return replace(form, f=f if callable(form.mean) else _transformed(f, form.mean), parts=[_filled(p, z) for p in form.parts])


def _rows(z: Array, columns: list[int]) -> Array:
    return z if columns == list(range(len(z))) else z[columns]


def _transformed(f: Array, exponent: float) -> Array:
    with np.errstate(all="ignore"):
        return f if exponent == 1 else np.log(f) if exponent == 0 else f**exponent


@dataclass(frozen=True)
class Weighted:
    """Weights of the entries of a part, (replicate, entry), and of the parts below it."""

    own: Array
    below: list[Weighted]
    dead: bool
    """Whether all weights are 0 in some replicate, which then has no score."""

    def __getitem__(self, rows: slice | NDArray[np.intp]) -> Weighted:
        return Weighted(self.own[rows], [b[rows] for b in self.below], self.dead)


def signature(part: Part) -> str:
    """What the weights of a part depend on, beside the shares: parts with equal ones have equal weights."""
    if not part.signed:
        part.signed = repr((part.paths, [signature(p) for p in part.parts]))
    return part.signed


def weigh(part: Part, share: Array) -> Weighted:
    """Weights of all entries, below too, from shares (node, replicate)."""
    own = np.empty((len(part.paths), share.shape[1]))
    made: dict[tuple[int, ...], Array] = {}
    for row, path in zip(own, part.paths, strict=True):
        above = share[path[0]]
        for k in range(2, len(path)):
            above = made[path[:k]] if path[:k] in made else made.setdefault(path[:k], above * share[path[k - 1]])
        np.multiply(above, share[path[-1]], out=row) if len(path) > 1 else np.copyto(row, above)
    return Weighted(np.ascontiguousarray(own.T), [weigh(p, share) for p in part.parts], not own.any(axis=0).all())


def score(part: Part, w: Weighted, engine: ModuleType, refused: Mask, *, for_ranks: bool = False, into: Array | None = None) -> Array:
    """Scores of a part's node, (replicate, unit); for ranks, on any rising scale.

    Replicates in which a score comes out that a mean cannot take, and is to be refused, are marked in ``refused``. With
    ``into``, a block at least as long, that is written to: memory that is there already costs nothing to get.
    """
    out = np.empty((len(w.own), part.f.shape[1])) if into is None else into[: len(w.own)]
    if callable(part.mean):
        below = [np.broadcast_to(row, out.shape) for row in part.f] + [score(p, v, engine, refused) for p, v in zip(part.parts, w.below, strict=True)]
        out[...] = part.mean(np.stack(below, axis=-1), w.own)
    else:
        _sum(part, w, out, engine, refused)
        _back(part.mean, out, engine, for_ranks=for_ranks and part.guard != "zero")  # the logarithm of 0 has no place among ranks
    if part.short is not None:
        out[:, part.short] = np.nan
    return out


def _sum(part: Part, w: Weighted, out: Array, engine: ModuleType, refused: Mask) -> None:
    n = len(part.f)
    own = np.ascontiguousarray(w.own[:, :n])
    den = None if part.there is None else np.empty_like(out)
    if den is None or part.there is None:
        engine.product(own, part.f, out)
    else:
        engine.product_there(own, part.f, part.there, out, den)
    for i, (p, v) in enumerate(zip(part.parts, w.below, strict=True)):
        g = score(p, v, engine, refused)
        if part.guard is not None:
            _settle(part, g, w.own[:, n + i], refused)
        if v.dead and den is None:
            g[~v.own.any(axis=1)] = 1.0  # has no score, and no weight either
        if part.mean == 0:
            engine.log(g)
        elif part.mean != 1:
            engine.power(g, float(part.mean))  # type: ignore[arg-type]
        if den is None:
            engine.combine(out, w.own[:, n + i], g)
        else:
            engine.combine_there(out, den, w.own[:, n + i], g)
    if den is not None:
        engine.divide(out, den)
    elif w.dead:
        out[~w.own.any(axis=1)] = np.nan


def _settle(part: Part, g: Array, w: Array, refused: Mask) -> None:
    """Apply the rule for scores that a mean cannot take, in place."""
    idle = w == 0
    if idle.any():  # has no say, whatever it is
        g[idle] = np.where(np.isnan(g[idle]), np.nan, 1.0)
    low = g <= 0 if part.mean in (0.0, -1.0) else g < 0
    if isinstance(part.guard, float):
        np.maximum(g, part.guard, out=g)
    elif part.guard == "zero":
        g[low] = 0.0
    elif part.guard == "missing":
        g[low & (w > 0)[:, None]] = np.nan
    elif low.any():
        refused |= low.any(axis=1) & (w > 0)
        g[low] = 1.0  # whatever: the replicate is refused, or the child has no weight


def _back(exponent: float, out: Array, engine: ModuleType, *, for_ranks: bool) -> None:
    """From the scale of the sum to that of the scores."""
    if exponent == 1 or (for_ranks and exponent >= 0):
        return
    if for_ranks:
        np.negative(out, out=out)
    elif exponent == 0:
        engine.exp(out)
    else:
        engine.power(out, 1.0 / exponent)
