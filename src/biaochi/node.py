"""One node of the indicator tree, with its metadata."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from biaochi.errors import Place
from biaochi.formula import Formula, parse
from biaochi.recipe import Choice


@dataclass(frozen=True)
class Optimum:
    """The direction of an indicator whose best value lies in between: a value (low = high) or a range."""

    low: float
    high: float

    def __str__(self) -> str:
        low, high = (repr(float(v)).removesuffix(".0") for v in (self.low, self.high))
        return f"={low}" if low == high else f"{low}..{high}"


Direction = int | Optimum
"""+1 higher is better, -1 lower is better, or an `Optimum`."""


@dataclass(frozen=True)
class Node:
    """One node of the tree. A node without children is an indicator; ``series`` stand beside the tree.

    ``unit`` and everything after it describe indicators. ``goalposts``, ``valid`` and ``target`` are
    in the indicator's own unit (after ``denominator``).
    """

    code: str
    parent: str | None = None
    name_zh: str = ""
    name_en: str = ""
    weight: float = 1.0
    aggregate: Choice | None = None
    series: bool = False
    """An auxiliary series (denominator, part of a formula): read, never scored."""
    unit: str = ""
    direction: Direction = 1
    owner: str = ""
    frequency: str = ""
    source: str = ""
    definition: str = ""
    valid: tuple[float | None, float | None] = (None, None)
    denominator: str | None = None
    """A series code or a formula; the indicator is divided by it."""
    goalposts: tuple[float, float] | None = None
    target: float | None = None
    formula: str | None = None
    overrides: tuple[tuple[str, Choice], ...] = ()
    """(step, choice) pairs for this indicator: impute, treat, normalise."""
    place: Place = field(default=Place(), compare=False)

    def name(self, lang: str = "en") -> str:
        """The name in one language, in the other where it has none, else the code."""
        first, second = (self.name_zh, self.name_en) if lang == "zh" else (self.name_en, self.name_zh)
        return first or second or self.code

    @cached_property
    def reads(self) -> Formula | None:
        """The parsed formula, if there is one."""
        return parse(self.formula) if self.formula else None

    @cached_property
    def divides_by(self) -> Formula | None:
        """The parsed denominator, if there is one."""
        return parse(as_formula(self.denominator)) if self.denominator else None

    def choice(self, step: str) -> Choice | None:
        """The node's own choice for a step."""
        return self.aggregate if step == "aggregate" else dict(self.overrides).get(step)


def as_formula(denominator: str) -> str:
    """A denominator that is a bare code need not be a plain name; one with operators in it is a formula."""
    plain = denominator.strip()
    return plain if any(c in plain for c in "+-*/()'\"") and not plain.isidentifier() else repr(plain)


def to_dict(n: Node) -> dict[str, Any]:
    """A node as plain data, defaults left out."""
    out: dict[str, Any] = {"code": n.code}
    for key, default in _DEFAULTS.items():
        value = getattr(n, key)
        if value != default:
            out[key] = value
    out["weight"] = float(n.weight)
    for key in ("goalposts", "valid"):
        if key in out:
            out[key] = [None if v is None else float(v) for v in out[key]]
    if n.target is not None:
        out["target"] = float(n.target)
    if n.aggregate is not None:
        out["aggregate"] = n.aggregate.to_dict()
    if n.overrides:
        out["overrides"] = {step: c.to_dict() for step, c in n.overrides}
    out["direction"] = str(n.direction) if isinstance(n.direction, Optimum) else int(n.direction)
    return out


_DEFAULTS = {name: f.default for name, f in Node.__dataclass_fields__.items() if name not in ("code", "place")}
