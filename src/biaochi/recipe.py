"""Every choice of method, frozen, with a fingerprint; and the one rule by which overrides merge."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

from biaochi.errors import BadOption, Place, Problem, Text, refuse, unknown
from biaochi.fingerprint import fingerprint
from biaochi.method import is_number

STEPS = ("impute", "treat", "normalise", "weigh", "aggregate")
"""The steps that are choices of a method, in the order they run."""


@dataclass(frozen=True)
class Choice:
    """A method by name, with its options.

    Examples
    --------
    >>> Choice.of("goalposts", clip=False).to_dict()
    {'method': 'goalposts', 'clip': False}
    """

    method: str | None
    """None: keep the method of the less specific choice and change only the options given here."""
    options: tuple[tuple[str, Any], ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.options, tuple) or not all(isinstance(o, tuple) and len(o) == 2 and isinstance(o[0], str) for o in self.options):
            raise BadOption(
                "Choice",
                "takes options as (name, value) pairs; Choice.of(method, name=value) makes them.",
                "的选项应为 (名称, 值) 对，可用 Choice.of(方法, 名称=值)。",
            )

    @classmethod
    def of(cls, method: str | None, **options: Any) -> Choice:
        """A choice from a name and keyword options."""
        return cls(method, tuple(sorted((k, _frozen(v)) for k, v in options.items())))

    def over(self, weaker: Choice) -> Choice:
        """This choice laid over a less specific one (the merge rule, see `Recipe.choice`)."""
        if self.method not in (None, weaker.method):
            return self
        return Choice.of(weaker.method, **{**dict(weaker.options), **dict(self.options)})

    def to_dict(self) -> dict[str, Any]:
        """As it is written in a recipe table."""
        return {"method": self.method, **{k: _thawed(v) for k, v in self.options}}

    def __str__(self) -> str:
        options = ", ".join(f"{k}={_thawed(v)}" for k, v in self.options)
        return f"{self.method}({options})" if options else str(self.method)


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, (list, tuple)) else value


def _thawed(value: Any) -> Any:
    return list(map(_thawed, value)) if isinstance(value, tuple) else value


Overrides = Mapping[str, Choice]


def _key(table: str, key: Any) -> Any:
    """Levels are numbers, also where they come as text."""
    return int(key) if table == "level" and isinstance(key, str) and key.isdecimal() and len(key) < 3 else key


def _as_choice(value: Any) -> Any:
    """A name is a choice without options; anything else is left for the checks to name."""
    return Choice(value) if isinstance(value, str) else value


_EMPTY: Mapping[Any, Overrides] = MappingProxyType({})


@dataclass(frozen=True)
class Recipe:
    """Every choice of method of one index. A variant is ``dataclasses.replace(recipe, ...)``."""

    impute: Choice = Choice("none")
    treat: Choice = Choice("none")
    normalise: Choice = Choice("minmax")
    weigh: Choice = Choice("given")
    aggregate: Choice = Choice("arithmetic")
    range: tuple[float, float] = (0.0, 100.0)
    """Where a normaliser's 0 and 1 are put: the common output range of all that give 0 to 1."""
    scale: str = "period"
    """What sets the scale: ``period`` (each its own), ``pooled`` (all periods), ``base``, ``fixed``."""
    base: str | None = None
    """The base period, with ``scale = "base"``."""
    treat_over: str = "period"
    """Over what outliers are looked for: ``period`` (each its own) or ``pooled`` (all periods together)."""
    weigh_period: str | None = None
    """The period whose scores set weights taken from data; all periods together by default."""
    min_share: float = 0.0
    """Share of its indicators a unit must have in a period to be scored (screening)."""
    min_nonzero: float = 0.0
    """Share of a unit's values that must not be 0 for it to be scored."""
    min_branch_share: float = 0.0
    """Share of the indicators a unit must have in every branch of the tree to be scored."""
    branch_level: int = 1
    """The level of the tree whose nodes are the branches of ``min_branch_share``."""
    min_indicator_share: float = 0.0
    """Share of the units and periods an indicator must have values for to be used (screening of indicators)."""
    min_indicator_nonzero: float = 0.0
    """Share of an indicator's values that must not be 0 for it to be used."""
    keep_indicators: tuple[str, ...] = ()
    """Indicators never screened out."""
    drop_indicators: tuple[str, ...] = ()
    """Indicators always screened out."""
    keep: tuple[str, ...] = ()
    """Units never screened out for too little data; one without any value is, unless an imputer looks at other periods."""
    drop: tuple[str, ...] = ()
    """Units always screened out."""
    min_children: float = 0.0
    """Share of its children a node needs to have a score; below it the score is missing."""
    constant: str | float = "refuse"
    """An indicator that has no score because its scale has no spread: ``refuse``, ``missing``, or a score to give."""
    nonpositive: str | float = "refuse"
    """Scores at or below 0 under a geometric mean: ``refuse``, ``missing``, ``zero``, or a floor for all lower scores."""
    ties: str = "best"
    """Rank that equal scores share: ``best``, ``worst``, ``average``, ``dense``."""
    decimals: int | None = None
    """Round scores to this many decimals before ranking, where the published method does."""
    level: Mapping[int, Overrides] = field(default_factory=lambda: _EMPTY)
    """Choices for all nodes at one level (0 is the index, 1 the first-level indicators, ...)."""
    node: Mapping[str, Overrides] = field(default_factory=lambda: _EMPTY)
    """Choices for one parent (weigh, aggregate) or one indicator (impute, treat, normalise)."""
    place: Place = field(default=Place(), compare=False, repr=False)
    """Where the recipe came in, for messages."""

    def __post_init__(self) -> None:
        for step in STEPS:
            object.__setattr__(self, step, _as_choice(getattr(self, step)))
        for key in ("level", "node"):
            tables = getattr(self, key)
            if isinstance(tables, Mapping):
                frozen = {_key(key, k): MappingProxyType({s: _as_choice(c) for s, c in v.items()}) if isinstance(v, Mapping) else v for k, v in tables.items()}
                object.__setattr__(self, key, MappingProxyType(frozen))

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def choice(self, step: str, code: str, level: int, own: Choice | None = None, *, named: bool = True) -> Choice:
        """The choice for a step at a node.

        The rule: recipe, then the recipe's level, then the framework's own entry, then the recipe's
        entry for the node; each is laid over the one before. A choice that names another method
        replaces everything; one that names the same method, or none, changes only the options it gives.
        With ``named=False`` the recipe's entry for the node is left out.
        """
        got: Choice = getattr(self, step)
        last = self.node.get(code, {}).get(step) if named else None
        for stronger in (self.level.get(level, {}).get(step), own, last):
            if stronger is not None:
                got = stronger.over(got)
        return got

    def to_dict(self) -> dict[str, Any]:
        """All settings as plain data, those left at their default included; options of methods as given."""
        out: dict[str, Any] = {"biaochi.recipe": 1}
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name == "place":
                continue
            if f.name in ("level", "node"):
                value = {str(k): {s: c.to_dict() for s, c in v.items()} for k, v in value.items() if v}
            elif isinstance(value, Choice):
                value = value.to_dict()
            elif isinstance(value, tuple):
                value = list(value) if f.name == "range" else sorted(set(value))
            out[f.name] = value
        return out

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all choices."""
        return fingerprint(self.to_dict())

    @classmethod
    def from_dict(cls, table: Mapping[str, Any], place: Place = Place(), *, over: Recipe | None = None) -> Recipe:
        """A recipe from a table as read from TOML; what it leaves out comes from ``over`` or the defaults.

        Raises
        ------
        BadInput
            With every problem: unknown keys, wrong types.
        """
        recipe, found = cls.read(table, place, over=over)
        refuse(found)
        return recipe

    @classmethod
    def read(cls, table: Mapping[str, Any], place: Place = Place(), *, over: Recipe | None = None) -> tuple[Recipe, list[Problem]]:
        """The sound part of a table as a recipe, and the problems of the rest."""
        base = over or cls()
        found: list[Problem] = []
        got: dict[str, Any] = {}
        known = [f.name for f in fields(cls) if f.name != "place"]
        for key, value in table.items():
            wild = list(_wild_numbers(value, place, f"recipe.{key}"))
            if key not in known:
                found.append(Problem("unknown-setting", unknown(Text("recipe setting", "方案设置"), key, known), _SEE, place))
            elif wild:
                found.extend(wild)
            elif key in STEPS:
                got[key] = _one(key, value, place, found, getattr(base, key))
            elif key in ("level", "node"):
                got[key] = _tables(key, value, place, found)
            else:
                holds, en, zh = _HOLDS[key]
                setting = _setting(key, value)
                if holds(setting):
                    got[key] = setting
                else:
                    found.append(_wrong(key, setting, en, zh, place))
        if got.get("scale", "base") != "base" and "base" not in got:
            got["base"] = None  # a scale that has no base forgets the one before
        recipe = replace(base, place=place, **got)
        unsettled = list(setting_problems(recipe, place))
        return (replace(recipe, scale="period", base=None) if unsettled else recipe), [*found, *unsettled]

    def __repr__(self) -> str:
        steps = ", ".join(f"{s}={getattr(self, s)}" for s in STEPS)
        return f"<Recipe {steps}, scale={self.scale}, {self.fingerprint[:12]}>"


_SEE = Text("See docs/guide/recipe.md.", "参见 docs/guide/recipe.md。")


def setting_problems(recipe: Recipe, place: Place = Place()) -> Iterator[Problem]:
    """Settings that are not what they must be, however the recipe was made."""
    yield from _choice_shapes(recipe, place)
    for key, (holds, en, zh) in _HOLDS.items():
        if not holds(getattr(recipe, key)):
            yield _wrong(key, getattr(recipe, key), en, zh, place)
    if (recipe.scale == "base") != (recipe.base is not None):
        yield _wrong("base", recipe.base, 'a period exactly when scale = "base"', '当且仅当 scale = "base" 时填写的期', place)


def _choice_shapes(recipe: Recipe, place: Place) -> Iterator[Problem]:
    for step in STEPS:
        if not isinstance(getattr(recipe, step), Choice):
            yield _wrong(step, getattr(recipe, step), "a method's name or a Choice", "方法名或 Choice", place)
    for key in ("level", "node"):
        tables = getattr(recipe, key)
        if not isinstance(tables, Mapping) or not all(isinstance(steps, Mapping) for steps in tables.values()):
            yield _wrong(key, tables, "a table of tables of steps", "由步骤表组成的表", place)
            continue
        for name, steps in tables.items():
            for step, choice in steps.items():
                if step not in STEPS:
                    yield Problem("unknown-step", unknown(Text("step", "步骤"), step, STEPS), _SEE, place)
                elif not isinstance(choice, Choice):
                    yield _wrong(f"{key}.{name}.{step}", choice, "a method's name or a Choice", "方法名或 Choice", place)


def _is_number(value: Any) -> bool:
    return is_number(value) and -1e50 <= float(value) <= 1e50


def _is_share(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= 1


def _is_names(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(v, str) for v in value)


def _is_range(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2 and all(map(_is_number, value)) and value[0] < value[1]


def _one_of(*words: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and value in words


_HOLDS: Mapping[str, tuple[Callable[[Any], bool], str, str]] = {
    "range": (_is_range, "two numbers, the lower one first", "两个数，小者在前"),
    "scale": (_one_of("period", "pooled", "base", "fixed"), "one of period, pooled, base, fixed", "period、pooled、base、fixed 之一"),
    "base": (lambda v: v is None or isinstance(v, str), "a period", "期"),
    "treat_over": (_one_of("period", "pooled"), "period or pooled", "period 或 pooled"),
    "weigh_period": (lambda v: v is None or isinstance(v, str), "a period", "期"),
    "branch_level": (lambda v: is_number(v) and not isinstance(v, float) and 1 <= v <= 99, "a level of the tree, from 1", "从 1 起的层级"),
    **dict.fromkeys(
        ("min_share", "min_nonzero", "min_branch_share", "min_indicator_share", "min_indicator_nonzero"),
        (_is_share, "a share from 0 to 1", "0 到 1 之间的比例"),
    ),
    **dict.fromkeys(("keep_indicators", "drop_indicators"), (_is_names, "a list of indicator codes", "指标代码列表")),
    "min_children": (_is_share, "a share from 0 to 1", "0 到 1 之间的比例"),
    "keep": (_is_names, "a list of unit codes", "单位代码列表"),
    "drop": (_is_names, "a list of unit codes", "单位代码列表"),
    "constant": (lambda v: _is_number(v) or (isinstance(v, str) and v in ("refuse", "missing")), "refuse, missing, or a number", "refuse、missing 或一个数"),
    "nonpositive": (
        lambda v: (isinstance(v, str) and v in ("refuse", "missing", "zero")) or (_is_number(v) and v > 0),
        "refuse, missing, zero, or a floor above 0",
        "refuse、missing、zero 或大于 0 的下限",
    ),
    "ties": (_one_of("best", "worst", "average", "dense"), "one of best, worst, average, dense", "best、worst、average、dense 之一"),
    "decimals": (
        lambda v: v is None or (is_number(v) and 0 <= v <= 15 and int(v) == v and not isinstance(v, float)),
        "a whole number from 0 to 15",
        "0 到 15 的整数",
    ),
}
"""What the value of a setting must be: a test, and the words for it in English and Chinese."""


def _wrong(key: str, value: object, en: str, zh: str, place: Place) -> Problem:
    return Problem("bad-setting", Text(f"{key} must be {en}; got {value!r}.", f"{key} 应为{zh}；得到 {value!r}。"), _SEE, place)


def _setting(key: str, value: Any) -> Any:
    """A setting as the recipe holds it; whether it is sound is asked afterwards."""
    if key in ("base", "weigh_period") and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if key in ("keep", "drop", "keep_indicators", "drop_indicators", "range") and isinstance(value, list):
        return tuple(str(v) if isinstance(v, int) and key != "range" else float(v) if key == "range" and _is_number(v) else v for v in value)
    return value


def choice_from(step: str, value: Any) -> Choice | Text:
    """A choice from a name or an inline table; a sentence when it is neither."""
    if isinstance(value, (str, Choice)):
        return Choice(value) if isinstance(value, str) else value
    if isinstance(value, Mapping) and all(isinstance(k, str) for k in value):
        rest = {k: v for k, v in value.items() if k != "method"}
        method = value.get("method")
        if (method is None or isinstance(method, str)) and not any(isinstance(v, Mapping) for v in rest.values()):
            return Choice.of(method, **rest)
    return Text(
        f'{step} must be a method name or a table {{method = "...", option = ...}}; got {value!r}.',
        f'{step} 应为方法名或 {{method = "…", 选项 = …}}；得到 {value!r}。',
    )


def _one(step: str, value: Any, place: Place, found: list[Problem], default: Choice) -> Choice:
    got = choice_from(step, value)
    if isinstance(got, Text):
        found.append(Problem("bad-choice", got, _SEE, place))
        return default
    return got.over(default) if got.method is None else got


def _tables(key: str, value: Any, place: Place, found: list[Problem]) -> Mapping[Any, Overrides]:
    out: dict[Any, Overrides] = {}
    if not isinstance(value, Mapping):
        found.append(_wrong(key, value, f"tables [recipe.{key}.NAME]", f"[recipe.{key}.名称] 表", place))
        return out
    for name, table in value.items():
        if not isinstance(table, Mapping) or (key == "level" and not re.fullmatch("0|[1-9][0-9]?", str(name))):
            found.append(_wrong(f"{key}.{name}", table, "a table of steps", "步骤表", place))
            continue
        steps: dict[str, Choice] = {}
        for step, raw in table.items():
            if step not in STEPS:
                found.append(Problem("unknown-step", unknown(Text("step", "步骤"), step, STEPS), _SEE, place))
                continue
            got = choice_from(f"{key}.{name}.{step}", raw)
            if isinstance(got, Text):
                found.append(Problem("bad-choice", got, _SEE, place))
            else:
                steps[step] = got
        out[int(name) if key == "level" else name] = steps
    return out


def _wild_numbers(value: Any, place: Place, key: str) -> Iterator[Problem]:
    """Numbers no computation can work with, anywhere in a table."""
    if isinstance(value, Mapping):
        for k, v in value.items():
            yield from _wild_numbers(v, place, f"{key}.{k}")
    elif isinstance(value, (list, tuple)):
        for v in value:
            yield from _wild_numbers(v, place, key)
    elif isinstance(value, (int, float)) and not -1e50 <= value <= 1e50:
        yield Problem("bad-setting", Text(f"{key} holds a number beyond what can be computed with.", f"{key} 含有超出可计算范围的数。"), _SEE, place)


def variant(recipe: Recipe, **changes: Any) -> Recipe:
    """A recipe with some choices changed; names and tables as in TOML.

    Examples
    --------
    >>> variant(Recipe(), normalise="zscore", ties="average").normalise
    Choice(method='zscore', options=())
    """
    return Recipe.from_dict(changes, recipe.place, over=recipe)
