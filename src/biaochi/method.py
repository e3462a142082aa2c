"""A method is a kernel, the traits it claims, and where it comes from; a registry maps names to methods."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biaochi.errors import Problem, Text, unknown

Array = NDArray[np.float64]


class Trait(Enum):
    """What a method may claim of itself. Every member is checked by `tests/engine/test_traits.py`."""

    KEEPS_OBSERVED = "a value that was there comes back unchanged"
    FILLS_WITHIN_RANGE = "a filled value lies between the lowest and the highest one observed"
    KEEPS_UNIT = "values stay in the indicator's own unit, between the lowest and the highest one"
    ORDER_PRESERVING = "a unit that was not below another is not below it afterwards"
    UNIT_FREE = "the same result in any unit of measurement (x -> a x + b, a > 0)"
    AFFINE = "a straight line of x once the reference is fixed"
    IGNORES_REF = "the reference has no part in the result: the scale is fixed by options"
    UNIT_INTERVAL = "within the reference, results lie in [0, 1]"
    SUMS_TO_ONE = "weights of one parent sum to 1"
    IDEMPOTENT = "children that agree give their common value"
    MONOTONE = "raising a child never lowers the parent"
    WITHIN_CHILDREN = "the parent lies between its lowest and its highest child"
    SCALES = "multiplying all children by a positive number multiplies the parent by it"
    ADDITIVE = "the parent is the weighted sum of its children"
    NEEDS_POSITIVE = "defined for values above 0 only (0 gives 0)"
    NEEDS_NONNEGATIVE = "defined for values from 0 up only"
    COMPARES_UNITS = "a unit's score depends on the scores of the other units"
    JOINT = "an indicator's gaps are filled from other indicators"
    FROM_DATA = "weights depend on the children's scores"
    DIRECTION_FREE = "turning all children round leaves the weights as they are"


def is_number(value: Any) -> bool:
    """Whether a value is one real number, Python's or NumPy's; NaN and truth values are not."""
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, (bool, np.bool_)) and bool(value == value)


def is_whole(value: Any, least: float = -np.inf) -> bool:
    """Whether a value is a whole number, not below the least."""
    return is_number(value) and bool(abs(value) < 2**63) and value == int(value) and value >= least


def or_none(v: Any) -> float | None:
    """A number as plain data; None for one that is not known."""
    return None if v is None or v != v else float(v)


DERIVED: Mapping[str, tuple[str, str, Any]] = {
    "groups": ("group", "str", inspect.Parameter.empty),
    "branches": ("level", "int | None", None),
    "before": ("over", "Literal['year', 'period']", "year"),
    "origin": ("base", "str | None", None),
    "at": ("unit", "str", inspect.Parameter.empty),
    "pairs": ("comparisons", "table", inspect.Parameter.empty),
    "points": ("points", "table", inspect.Parameter.empty),
    "outcome": ("outcome", "str", inspect.Parameter.empty),
    "sets": ("of", "tuple[str, ...]", inspect.Parameter.empty),
}
"""Arrays a kernel takes that the run makes from what the user names: argument -> (option, type, default)."""

CONTEXT = frozenset({"counts", "weights", "signs", "times", "cycle", "rng", "tell", *DERIVED})
"""Keyword arguments of kernels that the run fills in; everything else is the user's option."""

Tell = Callable[[str, str], None] | None
"""Where a kernel says, in English and Chinese, what the reader of its result must know."""


@dataclass(frozen=True)
class Method:
    """One line of a registry."""

    kernel: Callable[..., Array]
    label: Text
    source: str
    traits: frozenset[Trait] = frozenset()
    posts: tuple[str, ...] | None = None
    """Names of the options that are stated in the indicator's own unit: (low, high), or one value."""
    limits: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Lowest and highest value of an option, where any number will not do."""
    proof: str = ""
    """What outside this package the tests hold the method to."""
    options: Mapping[str, inspect.Parameter] = field(init=False)
    required: tuple[str, ...] = field(init=False)
    """Options without a default."""
    needs: frozenset[str] = field(init=False)
    run_only: frozenset[str] = field(init=False)
    """Options the run sees to itself: they never reach the kernel."""

    def __post_init__(self) -> None:
        params = inspect.signature(self.kernel).parameters
        keywords = {n: p for n, p in params.items() if p.kind is p.KEYWORD_ONLY}
        options = {n: p for n, p in keywords.items() if n not in CONTEXT}
        derived = [DERIVED[name] for name in sorted(keywords.keys() & DERIVED.keys())]
        for option, annotation, default in (*derived, *self._run_options(params.keys(), keywords.keys())):
            options[option] = inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
        object.__setattr__(self, "run_only", frozenset(options.keys() - keywords.keys()))
        object.__setattr__(self, "options", options)
        object.__setattr__(self, "required", tuple(n for n, p in options.items() if p.default is p.empty))
        object.__setattr__(self, "needs", CONTEXT & keywords.keys())

    def _run_options(self, arguments: Collection[str], keywords: Collection[str]) -> Iterator[tuple[str, str, Any]]:
        """Options of the run itself, by family: rescaling, where weights are taken, missing children."""
        if ("ref" in arguments and Trait.UNIT_INTERVAL not in self.traits) or Trait.COMPARES_UNITS in self.traits:
            yield "rescale", "bool", False
        if "ref" in arguments:
            yield "range", "tuple[float, ...] | None", None
        if "w" in arguments:
            yield "min_children", "float | None", None
            yield "missing", "float | None", None
        weighting = "z" in arguments and "w" not in arguments
        if weighting and not {"weights", "pairs", "points", "sets"} & set(keywords):
            yield "among", "Literal['siblings', 'indicators']", "siblings"

    @property
    def summary(self) -> str:
        """First sentence of the kernel's docstring."""
        return (self.kernel.__doc__ or "").strip().splitlines()[0]


Registry = Mapping[str, Method]


_CORRECT = Text("Correct the recipe, or the framework where it says so.", "请更正方案；若写在指标体系中则更正指标体系。")


def option_problems(family: Text, registry: Registry, name: str, options: Mapping[str, Any]) -> Iterator[Problem]:
    """Everything wrong with a method's name and its options, as a user wrote them."""
    if name not in registry:
        yield Problem("unknown-method", unknown(family, name, sorted(registry)), _CORRECT)
        return
    method = registry[name]
    known = dict(method.options)
    limits = {**method.limits, "min_children": (0.0, 1.0)}
    if "sets" in method.needs:  # options of the methods combined are handed on to them
        yield from _set_problems(family, name, registry, options)
        for part in _parts(registry, options):
            known = {**{k: p for k, p in registry[part].options.items() if k != "among"}, **known}
    allowed = sorted(known)
    for key in sorted(options.keys() - known.keys()):
        what = unknown(Text(f"option of {name}", f"{name} 的选项"), key, allowed or ["—"])
        yield Problem("unknown-option", what, _CORRECT)
    for key in sorted(set(method.required) - options.keys()):
        yield Problem(
            "missing-option",
            Text(f"{name} needs the option {key!r}.", f"{name} 缺少选项 {key!r}。"),
            Text("State it in the recipe or for the indicator.", "请在方案中或该指标处写明。"),
        )
    for key, value in sorted((k, v) for k, v in options.items() if k in known):
        found = list(_type_problems(name, key, value, annotation_of(known[key])))
        yield from found
        low, high = limits.get(key, (-np.inf, np.inf))
        if not found and key in limits and value is not None and not low <= value <= high:
            what = Text(
                f"option {key!r} of {name} must lie between {low:g} and {high:g}; got {value!r}.",
                f"{name} 的选项 {key!r} 应在 {low:g} 与 {high:g} 之间，得到 {value!r}。",
            )
            yield Problem("bad-option", what, _CORRECT)


def _parts(registry: Registry, options: Mapping[str, Any]) -> list[str]:
    """The weightings a combination names that there are."""
    of = options.get("of", ())
    return [p for p in of if isinstance(p, str) and p in registry and "sets" not in registry[p].needs] if isinstance(of, (tuple, list)) else []


def _set_problems(family: Text, name: str, registry: Registry, options: Mapping[str, Any]) -> Iterator[Problem]:
    """Weight sets to combine that are no weightings of their own, or lack what they need."""
    able = sorted(n for n, m in registry.items() if "sets" not in m.needs)
    of = options.get("of", ())
    for part in of if isinstance(of, (tuple, list)) else ():
        if part not in able:
            yield Problem("unknown-method", unknown(Text(f"weighting for {name}", f"{name} 可组合的赋权方法"), part, able), _CORRECT)
    for part in _parts(registry, options):
        mine = {k: v for k, v in options.items() if k in registry[part].options}
        yield from option_problems(family, registry, part, mine)


def annotation_of(option: inspect.Parameter) -> str:
    """The type an option states, as text; a function of one's own may state none."""
    stated = option.annotation
    return stated if isinstance(stated, str) else "Any" if stated is option.empty else inspect.formatannotation(stated)


def in_words(annotation: str) -> Text:
    """What may stand for an option, for people."""
    plain = annotation.replace(" | Array", "")
    optional = "None" in plain
    choices = re.findall(r"[\"']([^\"']*)[\"']", plain)
    words = {
        "float": Text("a number", "数"), "int": Text("a whole number", "整数"), "bool": Text("true or false", "true 或 false"), "str": Text("a name", "名称"),
        "table": Text("a list of lists", "由列表组成的列表"), "tuple[float": Text("a list of numbers", "数的列表"), "tuple[str": Text("a list of names", "名称列表"),
    }  # fmt: skip
    said = (
        Text(f"one of {', '.join(choices)}", f"{'、'.join(choices)} 之一")
        if choices
        else next((t for k, t in words.items() if plain.startswith(k)), Text(plain, plain))
    )
    return Text(said.en + (", or left out" if optional else ""), said.zh + ("，或不填" if optional else ""))


def _type_problems(name: str, key: str, value: Any, annotation: str) -> Iterator[Problem]:
    number = is_number(value)
    if key == "range" and value is not None:
        fits = isinstance(value, (tuple, list)) and len(value) == 2 and all(map(is_number, value)) and value[0] < value[1]
        annotation = annotation if fits else "two numbers, the lower one first"
    else:
        fits = _fits(key, value, annotation, number=number)
    if not fits:
        wanted = Text(annotation, "两个数，小者在前") if key == "range" else in_words(annotation)
        yield Problem(
            "bad-option",
            Text(f"option {key!r} of {name} must be {wanted.en}; got {_shown(value)}.", f"{name} 的选项 {key!r} 应为{wanted.zh}，得到 {_shown(value)}。"),
            Text("Correct the value.", "请改正。"),
        )


def _shown(value: Any) -> str:
    text = repr(list(value) if isinstance(value, tuple) else value)
    return text if len(text) < 80 else text[:77] + "..."


def _fits(key: str, value: Any, annotation: str, *, number: bool) -> bool:
    return bool(
        annotation == "Any"
        or (key == "base" and isinstance(value, int))  # a year
        or ("None" in annotation and value is None)
        or (re.match(r"float\b", annotation) is not None and number)
        or (re.match(r"int\b", annotation) is not None and number and isinstance(value, (int, np.integer)))
        or ("bool" in annotation and isinstance(value, bool))
        or (re.match(r"str\b", annotation) is not None and isinstance(value, str))
        or ("tuple[float" in annotation and isinstance(value, (tuple, list)) and len(value) > 0 and all(map(is_number, value)))
        or ("tuple[str" in annotation and isinstance(value, (tuple, list)) and len(value) > 0 and all(isinstance(v, str) for v in value))
        or (annotation == "table" and isinstance(value, (tuple, list)) and len(value) > 0 and all(isinstance(v, (tuple, list)) for v in value))
        or ("Literal" in annotation and isinstance(value, str) and value in re.findall(r"[\"']([^\"']*)[\"']", annotation))
    )
