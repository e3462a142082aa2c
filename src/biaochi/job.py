"""What a run carries from step to step: the inputs in a fixed order, the notes taken, the tree being climbed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biaochi.checks import REGISTRIES, choice_of
from biaochi.errors import Problem, Text
from biaochi.framework import Framework, Node
from biaochi.method import Array, Method, Trait, is_number
from biaochi.panel import Panel
from biaochi.pooled import Pooled
from biaochi.recipe import Recipe

Mask = NDArray[np.bool_]


class Job:
    """The three inputs with their labels in a fixed order, and what the steps write down on the way."""

    def __init__(self, framework: Framework, panel: Panel, recipe: Recipe, rng: np.random.Generator | None = None, pooled: Pooled | None = None) -> None:
        self.framework, self.panel, self.recipe, self.rng, self.pooled = framework, panel, recipe, rng, pooled
        self.indicators = tuple(sorted(framework.indicators, key=lambda n: n.code))
        shape = panel.values.shape[:2]
        self.marks = np.zeros((*shape, len(self.indicators)), np.uint8)
        self.screened = np.zeros(shape, bool)
        self.notices: list[Problem] = []

    def reduced(self, framework: Framework) -> Job:
        """The same job on a smaller tree."""
        out = Job(framework, self.panel, self.recipe, self.rng, self.pooled)
        out.notices = self.notices
        return out

    def note(self, kind: str, en: str, zh: str) -> None:
        """Write down something the reader of the result must know."""
        self.notices.append(Problem(kind, Text(en, zh), Text("", "")))

    def batches(self, step: str) -> Iterator[Batch]:
        """Indicators that share a method and its options other than numbers; numbers become arrays."""
        groups: dict[Any, list[tuple[int, dict[str, Any]]]] = {}
        alike: dict[int, tuple[Any, dict[str, Any]]] = {}
        """By level, what indicators without any choice of their own have."""
        for i, node in enumerate(self.indicators):
            own = node.overrides or node.goalposts or node.target is not None or node.code in self.recipe.node
            level = self.framework.levels[node.code]
            key, options = self._batch_of(step, node) if own or level not in alike else alike[level]
            if not own:
                alike[level] = key, options
            groups.setdefault(key, []).append((i, options))
        for (name, fixed, keys), members in groups.items():
            options = dict(fixed)
            for key in set(keys) - options.keys():
                options[key] = np.array([o[key] for _, o in members])
            yield Batch(REGISTRIES[step][name], [i for i, _ in members], options)

    def _batch_of(self, step: str, node: Node) -> tuple[Any, dict[str, Any]]:
        """What indicators of one batch have in common, and an indicator's options."""
        name, options = choice_of(self.framework, self.recipe, step, node)
        method = REGISTRIES[step][name]
        # indicators that are filled from one another must be seen by one call with the same numbers
        alone = Trait.JOINT in method.traits
        fixed = tuple(sorted(((k, v) for k, v in options.items() if alone or k in method.run_only or not is_number(v)), key=lambda o: o[0]))
        return (name, fixed, tuple(sorted(options))), options


@dataclass(frozen=True)
class Batch:
    """Indicators handled by one call of a kernel."""

    method: Method
    columns: list[int]
    options: dict[str, Any]


@dataclass(frozen=True)
class Tree:
    """Scores climbing from the indicators to the index; nodes stand in the framework's order."""

    nodes: tuple[Node, ...]
    at: dict[str, int]
    scores: Array
    """(period, unit, node)."""
    shares: Array
    """(period, unit, node): weight among the siblings that have a value."""
    weights: Array
    """(node,): weight among all siblings; 1 for the index."""
    kin: dict[str, tuple[list[Node], list[int]]]
    refused: list[Problem]

    @classmethod
    def of(cls, job: Job, z: Array) -> Tree:
        """A tree whose leaves have the scores ``z``."""
        nodes = tuple(job.framework.walk())
        at = {n.code: i for i, n in enumerate(nodes)}
        scores = np.full((*z.shape[:2], len(nodes)), np.nan)
        scores[..., [at[n.code] for n in job.indicators]] = z
        shares = np.full(scores.shape, np.nan)
        shares[..., 0] = 1.0
        kin = {}
        for n in nodes:  # children sorted by code, so that sums do not depend on the order of the input
            children = sorted(job.framework.children(n.code), key=lambda c: c.code)
            kin[n.code] = (children, [at[c.code] for c in children])
        return cls(nodes, at, scores, shares, np.ones(len(nodes)), kin, [])

    @property
    def upwards(self) -> Iterator[Node]:
        """Parents, every child before its parent."""
        return (n for n in reversed(self.nodes) if self.kin[n.code][0])

    def children(self, parent: Node) -> tuple[list[Node], list[int]]:
        """The children of a parent and where they stand."""
        return self.kin[parent.code]
