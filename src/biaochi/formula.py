"""Formulas over series (``a / b * 100``, ``growth_yoy(x)``): parsed into a small tree, never evaluated as code."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from biaochi.errors import BiaochiError, Text, unknown
from biaochi.method import Array
from biaochi.period import Period


class BadFormula(BiaochiError, ValueError):
    """A formula that cannot be read; the message says where and what is allowed."""


@dataclass(frozen=True)
class Setting:
    """What a formula's functions need to know beside the numbers."""

    periods: Sequence[Period]
    counts: NDArray[np.bool_]
    """(period, unit): the units that enter a total."""


@dataclass(frozen=True)
class Formula:
    """A formula ready to be computed; ``names`` are the series it reads."""

    text: str
    names: frozenset[str]
    tree: ast.expr
    found: tuple[str, ...]
    """What the names v0, v1, ... of the tree stand for."""

    def compute(self, series: Mapping[str, Array], setting: Setting) -> Array:
        """The formula's values, (period, unit); NaN where an input is missing or a division is by zero."""
        with np.errstate(all="ignore"):
            got = np.asarray(_value(self.tree, self.found, series, setting), float)
        got = np.broadcast_to(got, setting.counts.shape)
        return np.where(np.isfinite(got), got, np.nan)


def parse(source: str) -> Formula:
    """Read a formula.

    Names are series codes; a code that is not a plain name goes in quotes: ``'1a1' / 'GDP-2' * 100``.

    Raises
    ------
    BadFormula
        With the offending part and what is allowed.

    Examples
    --------
    >>> sorted(parse("patents / population * 10000").names)
    ['patents', 'population']
    """
    if not isinstance(source, str) or len(source) > 1000:
        raise BadFormula(Text("a formula is a text of up to 1,000 characters.", "公式为不超过 1000 个字符的文本。"))
    plain, found = _tokens(source.strip())
    try:
        tree = ast.parse(plain, mode="eval").body
        names: set[str] = set()
        _check(tree, names, found)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as e:
        if isinstance(e, BadFormula):
            raise
        raise BadFormula(Text(f"{source!r} cannot be read as a formula.", f"{source!r} 不是可识别的公式。")) from None
    if not names:
        raise BadFormula(Text(f"{source!r} reads no series.", f"{source!r} 未引用任何序列。"))
    return Formula(source.strip(), frozenset(names), tree, found)


_TOKEN = re.compile(r"""'([^']+)'|"([^"]+)"|(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?(?!\w))|([^\W\d]\w*)|(\*\*|[-+*/(),]|\s+)""")


def _tokens(source: str) -> tuple[str, tuple[str, ...]]:
    """The formula with its names replaced by v0, v1, ..., and the names: read to the letter, whatever they are."""
    out: list[str] = []
    found: list[str] = []
    at = 0
    while at < len(source):
        m = _TOKEN.match(source, at)
        if m is None:
            raise BadFormula(
                Text(
                    f"{source[at : at + 12]!r} is not allowed in a formula; put codes that are no plain names in quotes.",
                    f"公式中不允许 {source[at : at + 12]!r}；不是普通名称的代码请加引号。",
                )
            )
        name = m[1] or m[2] or m[4]
        out.append(f" v{len(found)} " if name else m[0])
        found += [name] if name else []
        at = m.end()
    return "".join(out).strip(), tuple(found)


_BINARY: dict[type[ast.operator], Callable[[Array, Array], Array]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
}


def _check(node: ast.expr, names: set[str], found: tuple[str, ...]) -> None:
    match node:
        case ast.BinOp(left, op, right) if type(op) in _BINARY:
            _check(left, names, found)
            _check(right, names, found)
        case ast.UnaryOp(ast.USub() | ast.UAdd(), operand):
            _check(operand, names, found)
        case ast.Constant(int() | float() as value) if not isinstance(value, bool):
            if abs(float(value)) == np.inf:
                raise BadFormula(Text("numbers must be finite.", "数字须为有限值。"))
        case ast.Name(name):
            names.add(found[int(name[1:])])
        case ast.Call(ast.Name(name), [argument], []):
            function = found[int(name[1:])]
            if function not in FUNCTIONS:
                raise BadFormula(unknown(Text("formula function", "公式函数"), function, [*sorted(FUNCTIONS), "at(series, period)"]))
            _check(argument, names, found)
        case ast.Call(ast.Name(name), [argument, ast.Constant() | ast.Name() as when], []) if found[int(name[1:])] == "at":
            _period(when, found)
            _check(argument, names, found)
        case _:
            raise BadFormula(
                Text(
                    f"use series, numbers, + - * / **, brackets and {', '.join(sorted(FUNCTIONS))} of one argument, at(series, period).",
                    f"只能使用序列、数字、+ - * / **、括号，以及单参数函数 {', '.join(sorted(FUNCTIONS))} 和 at(序列, 期)。",
                )
            )


def _value(node: ast.expr, found: tuple[str, ...], series: Mapping[str, Array], setting: Setting) -> Array:
    match node:
        case ast.BinOp(left, op, right):
            a, b = _value(left, found, series, setting), _value(right, found, series, setting)
            got = _BINARY[type(op)](a, b)
            return np.where(np.isfinite(got) & ~np.isnan(a) & ~np.isnan(b), got, np.nan)
        case ast.UnaryOp(op, operand):
            value = _value(operand, found, series, setting)
            return -value if isinstance(op, ast.USub) else value
        case ast.Name(name):
            return series[found[int(name[1:])]]
        case ast.Constant(value):
            return np.float64(value)  # type: ignore[arg-type, return-value]
        case ast.Call(ast.Name(name), [argument]):
            of = np.broadcast_to(_value(argument, found, series, setting), setting.counts.shape)
            got = FUNCTIONS[found[int(name[1:])]](of, setting)
            return np.where(np.isfinite(got), got, np.nan)
        case ast.Call(ast.Name(), [argument, when]):
            of = np.broadcast_to(_value(argument, found, series, setting), setting.counts.shape)
            fixed = _period(when, found)
            return np.broadcast_to(of[setting.periods.index(fixed)] if fixed in setting.periods else np.nan, of.shape)
    raise AssertionError(ast.dump(node))


def _period(node: ast.expr, found: tuple[str, ...]) -> Period:
    """The period in ``at(series, 2020)`` or ``at(series, '2020-Q1')``."""
    said = found[int(node.id[1:])] if isinstance(node, ast.Name) else str(getattr(node, "value", ""))
    try:
        return Period.parse(said)
    except ValueError:
        raise BadFormula(
            Text(
                f"{said!r} is not a period; write at(series, 2020) or at(series, '2020-Q1').", f"{said!r} 不是期；请写 at(序列, 2020) 或 at(序列, '2020-Q1')。"
            )
        ) from None


def _at(x: Array, setting: Setting, which: Callable[[Period], Period]) -> Array:
    """``x`` of another period, NaN where that period is not in the data."""
    index = {p: i for i, p in enumerate(setting.periods)}
    out = np.full(x.shape, np.nan)
    for i, p in enumerate(setting.periods):
        if (j := index.get(which(p))) is not None:
            out[i] = x[j]
    return out


def growth_yoy(x: Array, setting: Setting) -> Array:
    """Change in % on the same period a year before; missing unless that was above 0."""
    before = _at(x, setting, lambda p: p.year_before)
    return (x / np.where(before > 0, before, np.nan) - 1.0) * 100.0


def growth(x: Array, setting: Setting) -> Array:
    """Change in % on the period just before; missing unless that was above 0."""
    before = _at(x, setting, lambda p: p.previous)
    return (x / np.where(before > 0, before, np.nan) - 1.0) * 100.0


def diff(x: Array, setting: Setting) -> Array:
    """Difference to the period just before."""
    return x - _at(x, setting, lambda p: p.previous)


def diff_yoy(x: Array, setting: Setting) -> Array:
    """Difference to the same period a year before."""
    return x - _at(x, setting, lambda p: p.year_before)


def share(x: Array, setting: Setting) -> Array:
    """Share in % of the total of all ranked units; missing while any of them is missing."""
    total = np.where(setting.counts, x, 0.0).sum(axis=1, keepdims=True)
    return np.asarray(x / total * 100.0)


def ln(x: Array, setting: Setting) -> Array:
    """Natural logarithm; missing at 0 and below."""
    return np.log(np.where(x > 0, x, np.nan))


FUNCTIONS: dict[str, Callable[[Array, Setting], Array]] = {f.__name__: f for f in (growth_yoy, growth, diff, diff_yoy, share, ln)}
