"""What sets a pooled scale where the data are in parts: known statistics, and what a part has to say to those still wanted."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from biaochi.kernels.summary import Summary, joined
from biaochi.method import Array
from biaochi.recipe import Recipe
from biaochi.steps import scale_key

Known = Mapping[Hashable, Mapping[str, Any]]
Found = Mapping[Hashable, tuple[str, Any]]


class Pooled:
    """Statistics by scale and batch of indicators."""

    def __init__(self, known: Known | None = None) -> None:
        self.known: Known = known or {}
        self.found: dict[Hashable, tuple[str, Any]] = {}
        """What this part says to statistics that are not known yet: the level asked for, and the part's own."""

    def reference(self, recipe: Recipe, columns: Sequence[int], again: bool, here: Array) -> Summary:
        """What stands for the values of all parts; ``again`` where scores are put on a scale once more.

        Parameters
        ----------
        here : (1, value, indicator)
            Those of this part.
        """
        key = (scale_key(recipe), tuple(columns), again)
        return Summary(self.known.get(key, {}), here, lambda level, part: self.found.__setitem__(key, (level, part)), "normalise")


def put_together(known: Known, parts: Sequence[Found]) -> dict[Hashable, Mapping[str, Any]]:
    """Known statistics with those that all parts have said something to.

    A part in which a scale cannot be had says nothing; the others go on without it, and it fails when its turn comes.
    """
    out = dict(known)
    for key in sorted({k for p in parts for k in p}, key=repr):
        said = [p[key] for p in parts if key in p]
        level = said[0][0]
        out[key] = joined(known.get(key, {}), level, [part for at, part in said if at == level])
    return out
