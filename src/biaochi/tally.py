"""Counts that a study keeps instead of scores: whole numbers, so that they add up to the same bits in any order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
HIST_BYTES = 160 * 2**20
"""Counts by rank are kept rank by rank while they fit in this; above, by classes of ranks next to one another."""


@dataclass
class Tally:
    """What the replicates done so far add up to, for one node and period. Units stand in their nominal order."""

    number: Ints
    """(unit,): replicates in which it was ranked."""
    total: Ints
    """(unit,): sum of its ranks, doubled where ties get average ranks."""
    squares: Ints
    """(unit,): sum of their squares."""
    moved: Ints
    """(unit,): sum of the absolute differences from its nominal rank."""
    hist: NDArray[np.uint32]
    """(unit, class): replicates by rank; class (r - 1) // width + 1, and class 0 where it was not ranked."""
    width: int
    """Ranks in a class."""
    ahead: Ints
    """(unit, distance): replicates in which it was ahead of the unit so many places below it in the nominal order."""
    level: Ints
    """The same, in which the two shared a rank."""
    both: Ints
    """The same, in which both were ranked."""

    @classmethod
    def empty(cls, units: int, doubled: bool, band: int) -> Tally:
        """Nothing counted yet."""
        top = units * (2 if doubled else 1)
        width = 1
        while units * (-(-top // width) + 1) * 4 > HIST_BYTES:
            width *= 2
        hist = np.zeros((units, -(-top // width) + 1), np.uint32)
        n, total, squares, moved = (np.zeros(units, np.int64) for _ in range(4))
        ahead, level, both = (np.zeros((units, band), np.int64) for _ in range(3))
        return cls(n, total, squares, moved, hist, width, ahead, level, both)

    def add(self, other: Tally) -> None:
        """Add what another worker counted."""
        for key in ("number", "total", "squares", "moved", "hist", "ahead", "level", "both"):
            setattr(self, key, getattr(self, key) + getattr(other, key))  # not in place: what a cluster hands back may be read-only


@dataclass
class Counted:
    """Everything a worker gives back of the replicates it was handed."""

    ids: NDArray[np.int64]
    tallies: list[Tally]
    shift: Ints
    """(target, replicate): sum of absolute differences from the nominal ranks, doubled with average ranks."""
    compared: Ints
    """(target, replicate): over how many units."""
    failures: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Replicates that could not be computed: their number by kind, sentence in English, in Chinese."""
    failed: list[int] = field(default_factory=list)
    """Their ids."""
    whole_runs: int = 0
    """Replicates for which the pipeline was run as a whole, because their steps cannot be shared."""
    ranks: list[NDArray[Any]] | None = None
    """(unit, replicate) of each target, where they were asked for; 0 not ranked."""
    scores: list[NDArray[np.float64]] | None = None
    """The same of scores."""

    def add(self, other: Counted) -> None:
        """Add what another worker counted; replicates stand in the order they are added."""
        for mine, theirs in zip(self.tallies, other.tallies, strict=True):
            mine.add(theirs)
        self.ids = np.concatenate([self.ids, other.ids])
        self.shift = np.concatenate([self.shift, other.shift], axis=1)
        self.compared = np.concatenate([self.compared, other.compared], axis=1)
        self.failures.update(other.failures)
        self.failed += other.failed
        self.whole_runs += other.whole_runs
        for key in ("ranks", "scores"):
            mine, theirs = getattr(self, key), getattr(other, key)
            if mine is not None and theirs is not None:
                setattr(self, key, [np.concatenate([a, b], axis=1) for a, b in zip(mine, theirs, strict=True)])

    def in_order(self) -> Counted:
        """With the replicates in the order of their ids."""
        by = np.argsort(self.ids, kind="stable")
        if (by[1:] > by[:-1]).all():
            return self
        taken: Mapping[str, Any] = {k: None if (v := getattr(self, k)) is None else [a[:, by] for a in v] for k in ("ranks", "scores")}
        return Counted(self.ids[by], self.tallies, self.shift[:, by], self.compared[:, by], self.failures, sorted(self.failed), self.whole_runs, **taken)


def merged(parts: Sequence[Counted]) -> Counted:
    """All parts as one."""
    first, *rest = parts
    for p in rest:
        first.add(p)
    return first.in_order()
