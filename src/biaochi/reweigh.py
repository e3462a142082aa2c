"""What changes weights among siblings in a study of robustness."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from biaochi.errors import BadOption, Text, UnknownName
from biaochi.method import Array, is_number, is_whole
from biaochi.variation import Tree, Variation, names, picked, touches_nothing

POOL = 1024
"""Draws a sampler of one's own is asked for; replicates choose among them."""


@dataclass(frozen=True)
class Weights(Variation):
    """Weights among siblings: what they are multiplied by, or replaced with."""

    level: int | None = None
    """Level of the nodes touched (1 for the first below the index); all levels by default."""

    def touched(self, tree: Tree) -> list[int]:
        """Nodes whose weight may vary."""
        return [i for i in range(1, len(tree.nodes)) if self.level in (None, int(tree.level[i])) and not tree.alone(i)]

    def check(self, tree: Tree) -> None:
        """Refuse what touches no weight."""
        if self.level is not None and not is_whole(self.level, 1):
            raise BadOption(
                self.name or self.what, f"needs level as a whole number from 1 up; got {self.level!r}.", f"level 应为不小于 1 的整数；得到 {self.level!r}。"
            )
        if not self.touched(tree):
            raise touches_nothing(self, f"no node at level {self.level} has siblings", f"第 {self.level} 层没有带同级的节点")

    def dims(self, tree: Tree) -> int:
        """One draw for each weight."""
        return len(self.touched(tree))

    def lay(self, weights: Array, u: Array, tree: Tree) -> None:
        """Change ``weights`` (node, replicate) in place, from ``u`` (draw, replicate)."""
        raise NotImplementedError


@dataclass(frozen=True)
class Noise(Weights):
    """Each weight times ``1 + noise (2u - 1)``, independent (COINr's get_noisy_weights)."""

    noise: float = 0.25
    what: ClassVar[str] = "noise"

    def __post_init__(self) -> None:
        if not is_number(self.noise) or not 0 < self.noise <= 1:
            raise BadOption(self.name or "noise", f"needs noise above 0 and up to 1; got {self.noise!r}.", f"noise 应大于 0 且不超过 1；得到 {self.noise!r}。")

    def lay(self, weights: Array, u: Array, tree: Tree) -> None:
        at = self.touched(tree)
        weights[at] *= 1.0 + self.noise * (2.0 * u - 1.0)


@dataclass(frozen=True)
class Dirichlet(Weights):
    """Weights of each group of siblings drawn around their own shares; the higher the concentration, the nearer."""

    concentration: float = 50.0
    """Sum of the Dirichlet parameters: the standard deviation of a share s is sqrt(s (1 - s) / (concentration + 1))."""
    what: ClassVar[str] = "dirichlet"

    def __post_init__(self) -> None:
        if not is_number(self.concentration) or not 0 < self.concentration <= 1e9:
            raise BadOption(
                self.name or "dirichlet",
                f"needs a concentration above 0; got {self.concentration!r}.",
                f"concentration 须大于 0；得到 {self.concentration!r}。",
            )

    def lay(self, weights: Array, u: Array, tree: Tree) -> None:
        from scipy.special import gammaincinv

        touched = self.touched(tree)
        for kids in tree.kids.values():
            own = [i for i in kids if i in touched]
            if own:
                base = weights[own] / weights[own].sum(axis=0)
                drawn = gammaincinv(np.maximum(base * self.concentration, 1e-12), u[[touched.index(i) for i in own]])
                total = drawn.sum(axis=0)
                weights[own] = np.where(total > 0, drawn / np.where(total > 0, total, 1.0), base) * (base > 0)


@dataclass(frozen=True)
class Bounds(Weights):
    """Weights drawn evenly between two bounds each, in the terms the framework states them."""

    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    what: ClassVar[str] = "bounds"

    def __post_init__(self) -> None:
        if not isinstance(self.bounds, Mapping) or not all(isinstance(c, str) for c in self.bounds):
            raise BadOption(
                self.name or "bounds", f"needs a table of two numbers by node; got {self.bounds!r}.", f"应为以节点为键的两数表；得到 {self.bounds!r}。"
            )
        ill = [
            c for c, b in self.bounds.items() if not (isinstance(b, (list, tuple)) and len(b) == 2 and all(map(is_number, b)) and 0 <= b[0] <= b[1] < np.inf)
        ]
        if ill or not self.bounds:
            raise BadOption(self.name or "bounds", f"needs for each node two numbers from 0 up, the lower first; wrong: {', '.join(ill) or 'no node'}.",
                            f"每个节点须有两个不小于 0 的数，小者在前；有误：{'、'.join(ill) or '未指明节点'}。")  # fmt: skip

    def touched(self, tree: Tree) -> list[int]:
        return [i for i in tree.find(self.name or "bounds", list(self.bounds)) if not tree.alone(i) and len(set(self.bounds[tree.nodes[i].code])) > 1]

    def lay(self, weights: Array, u: Array, tree: Tree) -> None:
        for j, i in enumerate(self.touched(tree)):
            low, high = self.bounds[tree.nodes[i].code]
            weights[i] = low + (high - low) * u[j]


@dataclass(frozen=True)
class Sets(Weights):
    """One of several sets of weights, as experts gave them; a node a set does not name keeps its own."""

    sets: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    what: ClassVar[str] = "sets"

    def __post_init__(self) -> None:
        sound = (
            isinstance(self.sets, Mapping)
            and len(self.sets) > 1
            and all(isinstance(s, Mapping) and s and all(is_number(w) and 0 <= w < np.inf for w in s.values()) for s in self.sets.values())
        )
        if not sound:
            raise BadOption(
                self.name or "sets", "needs two or more sets, each a table of weights from 0 up by node.", "需要至少两组权重，每组为各节点不小于 0 的权重表。"
            )

    def touched(self, tree: Tree) -> list[int]:
        named = sorted({c for s in self.sets.values() for c in s})
        return [i for i in tree.find(self.name or "sets", named) if not tree.alone(i)]

    def dims(self, tree: Tree) -> int:
        return 1

    def lay(self, weights: Array, u: Array, tree: Tree) -> None:
        which = picked(u[0], (1.0,) * len(self.sets))
        for k, given in enumerate(self.sets.values()):
            rows = np.flatnonzero(which == k)
            for code, w in given.items():
                weights[tree.at[code], rows] = w


@dataclass(frozen=True)
class Sampler(Weights):
    """Weights from a function of one's own: ``draw(rng, n, codes) -> (n, len(codes))``, from 0 up."""

    draw: Callable[[np.random.Generator, int, Sequence[str]], Any] | None = None
    codes: tuple[str, ...] = ()
    seed: int = 1
    what: ClassVar[str] = "sampler"

    def __post_init__(self) -> None:
        if not callable(self.draw) or not self.codes:
            raise BadOption(
                self.name or "sampler",
                "needs a function draw(rng, n, codes) and the codes it gives weights of.",
                "需要函数 draw(rng, n, codes) 及其赋权的节点代码。",
            )
        object.__setattr__(self, "codes", names(self, "codes"))
        if not is_whole(self.seed, 0):
            raise BadOption(self.name or "sampler", f"needs a seed from 0 up; got {self.seed!r}.", f"应为不小于 0 的整数；得到 {self.seed!r}。")

    def touched(self, tree: Tree) -> list[int]:
        return [i for i in tree.find(self.name or "sampler", self.codes) if not tree.alone(i)]

    def dims(self, tree: Tree) -> int:
        return 1

    def check(self, tree: Tree) -> None:
        super().check(tree)
        self.lay(np.ones((len(tree.nodes), 1)), np.zeros((1, 1)), tree)  # whatever is wrong with the function shows at once

    def lay(self, weights: Array, u: Array, tree: Tree) -> None:
        assert self.draw is not None
        try:
            pool = np.asarray(self.draw(np.random.default_rng(self.seed), POOL, self.codes), float)
        except Exception as e:
            raise BadOption(
                self.name or "sampler", f"failed: its function raised {type(e).__name__}: {e}.", f"失败：其函数抛出 {type(e).__name__}：{e}。"
            ) from e
        if pool.shape != (POOL, len(self.codes)) or not (pool >= 0).all() or not np.isfinite(pool).all():
            raise BadOption(self.name or "sampler", f"must give ({POOL}, {len(self.codes)}) weights from 0 up; got shape {pool.shape}.",
                            f"应返回 ({POOL}, {len(self.codes)}) 个不小于 0 的权重；得到形状 {pool.shape}。")  # fmt: skip
        weights[[tree.at[c] for c in self.codes]] = pool[np.minimum((u[0] * POOL).astype(int), POOL - 1)].T


@dataclass(frozen=True)
class Drop(Weights):
    """Indicators left out: their weight becomes 0, so that their siblings, or the branches beside, take it over."""

    mode: str = "one"
    """``one``: at most one at a time, with ``chance``; ``each``: every indicator on its own, with ``chance``."""
    chance: float = 0.5
    indicators: tuple[str, ...] = ()
    """Those that may be left out; all by default."""
    what: ClassVar[str] = "drop"

    def __post_init__(self) -> None:
        if self.mode not in ("one", "each"):
            raise UnknownName(Text("mode of drop", "drop 的方式"), str(self.mode), ("one", "each"))
        if not is_number(self.chance) or not 0 < self.chance <= 1:
            raise BadOption(
                self.name or "drop", f"needs a chance above 0 and up to 1; got {self.chance!r}.", f"chance 应大于 0 且不超过 1；得到 {self.chance!r}。"
            )
        object.__setattr__(self, "indicators", names(self, "indicators"))

    def touched(self, tree: Tree) -> list[int]:
        leaves = [i for i in range(len(tree.nodes)) if i not in tree.kids]
        if not self.indicators:
            return leaves
        found = tree.find(self.name or "drop", self.indicators)
        for i in found:
            if i not in leaves:
                raise UnknownName(Text("indicator of drop", "drop 的指标"), tree.nodes[i].code, [tree.nodes[k].code for k in leaves])
        return found

    def dims(self, tree: Tree) -> int:
        return 1 if self.mode == "one" else len(self.touched(tree))

    def lay(self, weights: Array, u: Array, tree: Tree) -> None:
        at = np.array(self.touched(tree))
        if self.mode == "each":
            weights[at] *= u >= self.chance
            return
        rows = np.flatnonzero(u[0] < self.chance)
        which = np.minimum((u[0, rows] / self.chance * len(at)).astype(int), len(at) - 1)
        weights[at[which], rows] = 0.0
