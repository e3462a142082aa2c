"""What varies in a study of robustness: frozen declarations, each a function of uniform draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from biaochi.errors import BadOption, Text, UnknownName
from biaochi.framework import Framework, Node
from biaochi.method import Array, is_number, is_whole
from biaochi.recipe import Recipe


class Tree:
    """The framework by numbers, for what changes weights: nodes as the framework walks them."""

    def __init__(self, framework: Framework) -> None:
        self.framework = framework
        self.nodes: tuple[Node, ...] = tuple(framework.walk())
        self.at = {n.code: i for i, n in enumerate(self.nodes)}
        self.level = np.array([framework.levels[n.code] for n in self.nodes])
        self.kids = {self.at[n.code]: sorted((self.at[c.code] for c in framework.children(n.code)), key=lambda i: self.nodes[i].code)
                     for n in self.nodes if framework.children(n.code)}  # fmt: skip

    def alone(self, i: int) -> bool:
        """Whether a node has no siblings, so that its weight is nothing to vary."""
        parent = self.nodes[i].parent
        return parent is None or len(self.framework.children(parent)) < 2

    def find(self, who: str, codes: Sequence[str]) -> list[int]:
        """Where nodes stand; names there are not are refused."""
        for c in codes:
            if c not in self.at:
                raise UnknownName(Text(f"node of {who}", f"{who} 的节点"), c, list(self.at))
        return [self.at[c] for c in codes]


@dataclass(frozen=True)
class Variation:
    """One input of the study. ``name`` is how figures and tables call it."""

    name: str = ""
    what: ClassVar[str] = ""
    """The kind, as written in a project file."""

    def dims(self, tree: Tree) -> int:
        """Uniform draws a replicate needs."""
        return 1

    def to_dict(self) -> dict[str, Any]:
        """As written in a project file."""
        out: dict[str, Any] = {"what": self.what}
        for f in fields(self):
            value = getattr(self, f.name)
            if value not in (None, (), {}):
                out[f.name] = _plain(value)
        return out


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if callable(value):
        return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', repr(value))}"
    return value


# --- one of several: choices of method, draws of the data -------------------------------------------------------------------


@dataclass(frozen=True)
class Settings(Variation):
    """Alternatives of the recipe: each a table of settings laid over it; an empty one is the recipe itself."""

    alternatives: tuple[Mapping[str, Any], ...] = ()
    chances: tuple[float, ...] | None = None
    """Probability of each alternative; equal by default."""
    what: ClassVar[str] = "settings"

    def __post_init__(self) -> None:
        if not isinstance(self.alternatives, (list, tuple)) or len(self.alternatives) < 2 or not all(isinstance(a, Mapping) for a in self.alternatives):
            raise BadOption(
                self.name or "settings",
                f"needs two or more alternatives, each a table of recipe settings; got {self.alternatives!r}.",
                f"需要至少两个备选，每个为方案设置表；得到 {self.alternatives!r}。",
            )
        object.__setattr__(self, "alternatives", tuple(self.alternatives))
        if self.chances is not None:
            given = self.chances
            fits = isinstance(given, (list, tuple)) and len(given) == len(self.alternatives) and all(is_number(c) and 0 <= c < np.inf for c in given)
            if not fits or not sum(given) > 0:
                raise BadOption(
                    self.name or "settings",
                    f"needs one chance from 0 up for each alternative; got {given!r}.",
                    f"每个备选需一个不小于 0 的概率；得到 {given!r}。",
                )
            object.__setattr__(self, "chances", tuple(float(c) for c in given))

    def pick(self, u: Array) -> NDArray[np.intp]:
        """Number of the alternative for each draw (1, replicate)."""
        return picked(u[0], self.chances or (1.0,) * len(self.alternatives))


@dataclass(frozen=True)
class DataDraws(Variation):
    """A pool of data sets, numbered; a replicate takes one of them."""

    draws: int = 50

    def __post_init__(self) -> None:
        if not is_whole(self.draws, 2):
            raise BadOption(self.name or self.what, f"needs 2 or more draws; got {self.draws!r}.", f"至少为 2；得到 {self.draws!r}。")

    def pick(self, u: Array) -> NDArray[np.intp]:
        """Number of the data set for each draw (1, replicate)."""
        return picked(u[0], (1.0,) * self.draws)


@dataclass(frozen=True)
class ImputationDraws(DataDraws):
    """Gaps filled by draws of the recipe's imputer instead of its best guess (multiple imputation)."""

    draws: int = 20
    what: ClassVar[str] = "imputations"


@dataclass(frozen=True)
class Errors(DataDraws):
    """Measurement error: every value is moved by a normal draw."""

    relative: float = 0.0
    """Standard deviation as a share of the value."""
    absolute: float = 0.0
    """Standard deviation in the indicator's own unit."""
    spread: float = 0.0
    """Standard deviation as a share of the indicator's spread among the units of the period."""
    indicators: tuple[str, ...] = ()
    """Codes of data touched; all by default."""
    units: tuple[str, ...] = ()
    """Units touched; all by default."""
    periods: tuple[str, ...] = ()
    """Periods touched; all by default."""
    what: ClassVar[str] = "errors"

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes = (self.relative, self.absolute, self.spread)
        if not all(is_number(v) and 0 <= v < np.inf for v in sizes) or sum(v > 0 for v in sizes) != 1:
            raise BadOption(
                self.name or "errors",
                f"needs exactly one of relative, absolute and spread above 0; got {sizes}.",
                f"relative、absolute、spread 中须恰有一个大于 0；得到 {sizes}。",
            )
        for key in ("indicators", "units", "periods"):
            object.__setattr__(self, key, names(self, key))


@dataclass(frozen=True)
class Peers(DataDraws):
    """The peer set: units that set scales are drawn anew with replacement (bootstrap); all are still ranked."""

    what: ClassVar[str] = "peers"


def names(v: Variation, key: str) -> tuple[str, ...]:
    """A list of codes as it was declared; anything else is refused."""
    given = getattr(v, key)
    if not isinstance(given, (list, tuple)) or not all(isinstance(c, (str, int)) for c in given):
        raise BadOption(v.name or v.what, f"needs {key} as a list of codes; got {given!r}.", f"{key} 应为代码列表；得到 {given!r}。")
    return tuple(map(str, given))


def picked(u: Array, chances: Sequence[float]) -> NDArray[np.intp]:
    """Number of the alternative for each draw between 0 and 1."""
    upto = np.cumsum(chances) / np.sum(chances)
    return np.minimum(np.searchsorted(upto, u, side="right"), len(upto) - 1)


def touches_nothing(v: Variation, en: str, zh: str) -> BadOption:
    """The refusal of an input that changes no number."""
    return BadOption(v.name or v.what, f"touches nothing: {en}.", f"没有作用：{zh}。")


def laid(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """A recipe with settings laid over it; tables of levels and nodes are merged entry by entry."""
    if not changes:
        return recipe
    got = Recipe.from_dict({k: v for k, v in changes.items() if k not in ("level", "node")}, recipe.place, over=recipe)
    for key in ("level", "node"):
        if key in changes:
            more = getattr(Recipe.from_dict({key: changes[key]}, recipe.place), key)
            old = getattr(got, key)
            merged: Any = {key: {**old, **{k: {**old.get(k, {}), **steps} for k, steps in more.items()}}}
            got = replace(got, **merged)
    return got


def named(variations: Sequence[Variation]) -> Iterator[Variation]:
    """Variations with a name each; those without take their kind's, numbered where it is taken."""
    taken: set[str] = set()
    for v in variations:
        name, k = v.name or v.what, 2
        while name in taken:
            name, k = f"{v.name or v.what} {k}", k + 1
        taken.add(name)
        yield v if name == v.name else replace(v, name=name)
