"""Methods of one's own, usable wherever a method's name is: a function that keeps its step's kernel contract."""

from __future__ import annotations

import functools
import hashlib
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast

import numpy as np

from biaochi.checks import FAMILIES, REGISTRIES
from biaochi.errors import BadOption, BiaochiError, Problem, Text, UnknownName, few
from biaochi.job import Job
from biaochi.method import CONTEXT, Array, Method, Trait
from biaochi.recipe import Choice

ARGUMENTS = {"impute": ("x",), "treat": ("x",), "normalise": ("x", "ref"), "weigh": ("z",), "aggregate": ("z", "w")}
"""What the function of a step is called with, in this order; options and context come by keyword."""


KNOWN: Mapping[str, frozenset[str]] = {
    "impute": frozenset({"counts", "groups", "branches", "signs", "times", "cycle", "rng"}),
    "treat": frozenset({"counts", "groups", "branches", "signs", "times", "cycle"}),
    "normalise": frozenset({"counts", "signs", "times", "before", "origin", "at"}),
    "weigh": frozenset({"weights", "pairs", "points", "outcome", "tell"}),
    "aggregate": frozenset({"counts", "weights", "tell"}),
}
"""What a function may ask for beside the values, by keyword."""


def own(step: str, function: Callable[..., Array], *, label: str = "", traits: Iterable[Trait] = (), **options: Any) -> Choice:
    """A choice that runs a function of your own.

    Parameters
    ----------
    step : str
        impute, treat, normalise, weigh or aggregate.
    function : callable
        Takes arrays as the step's kernels do (see docs/guide/own-methods.md): ``f(x)``, ``f(x, ref)``,
        ``f(z)`` or ``f(z, w)``; keyword-only parameters are options, or context such as ``counts``.
    label : str, optional
        How reports call it; the function's name by default.
    traits : iterable of Trait, optional
        What it claims of itself; `UNIT_INTERVAL` puts its results into the recipe's range.
    **options
        Values of its options.

    Returns
    -------
    Choice
        For ``Recipe(impute=...)`` and the like. Its name holds a digest of the function's source, and so
        does the recipe's fingerprint; elsewhere the same function must be made known first.

    Raises
    ------
    UnknownName
        If there is no such step.
    BadOption
        If the function does not take what the step gives it; in a run, if it fails or gives back what its
        step cannot use.

    Examples
    --------
    >>> def tanh(x, ref, *, scale: float = 1.0):
    ...     return np.tanh(scale * (x - np.nanmean(ref, axis=-2, keepdims=True)))
    >>> own("normalise", tanh, scale=0.1).options
    (('scale', 0.1),)
    """
    if step not in ARGUMENTS:
        raise UnknownName(Text("step", "步骤"), step, ARGUMENTS)
    if not callable(function):
        raise BadOption(f"own({step!r}, ...)", f"needs a function; got {function!r}.", f"需要函数；得到 {function!r}。")
    wanted = ", ".join(ARGUMENTS[step])
    params = list(inspect.signature(function).parameters.values())
    plain = tuple(p.name for p in params if p.kind is not p.KEYWORD_ONLY)
    if plain != ARGUMENTS[step] or any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in params):
        raise BadOption(
            f"own({step!r}, ...)",
            f"needs a function of ({wanted}, *, options); got {inspect.signature(function)}.",
            f"需要形如 ({wanted}, *, 选项) 的函数；得到 {inspect.signature(function)}。",
        )
    strange = sorted(p.name for p in params if p.name in CONTEXT - KNOWN[step])
    if strange:
        known = ", ".join(sorted(KNOWN[step])) or "—"
        raise BadOption(
            f"own({step!r}, ...)",
            f"gives its function {known} beside the values; got a function that asks for {', '.join(strange)}.",
            f"除数值外可提供 {known}；该函数要求 {'、'.join(strange)}。",
        )
    called = str(getattr(function, "__name__", "function"))
    name = f"own:{called}@{_digest(function)[:12]}"
    registry = cast(dict[str, Method], REGISTRIES[step])
    registry[name] = Method(_checked(step, called, function), Text(label or called, label or called), "own function", frozenset(traits), proof="its author")
    return Choice.of(name, **options)


def _checked(step: str, called: str, function: Callable[..., Array]) -> Callable[..., Array]:
    """The function, with what it gives back held against the contract of its step."""

    @functools.wraps(function)
    def call(x: Array, *rest: Array, **keywords: Any) -> Array:
        x, rest = _read_only(x), tuple(map(_read_only, rest))
        wanted = {"weigh": x.shape[-1:], "aggregate": x.shape[:-1]}.get(step, x.shape)
        try:
            got = np.asarray(function(x, *rest, **keywords), float)
        except BiaochiError:
            raise
        except Exception as e:
            raise BadOption(called, f"failed: {type(e).__name__}: {e}", f"运行失败：{type(e).__name__}：{e}") from e
        if got.shape != wanted or np.isinf(got).any():
            raise BadOption(
                called,
                f"must give finite numbers or NaN of shape {wanted}; got shape {got.shape}.",
                f"应返回形状为 {wanted} 的有限数或 NaN；得到 {got.shape}。",
            )
        if step == "weigh":
            if (got < 0).any() or not got.sum() > 0:
                raise BadOption(called, f"must give weights from 0 up; got {few(got.tolist())}.", f"权重须不小于 0 且不全为 0；得到 {few(got.tolist())}。")
            return np.asarray(got / got.sum())
        return got

    return call


def _read_only(values: Array) -> Array:
    """A view a function of one's own cannot write into."""
    view = np.asarray(values).view()
    view.flags.writeable = False
    return view


def changed_values(job: Job, before: Array, after: Array) -> Iterator[Problem]:
    """Observed values an imputer of one's own has changed: it may only fill gaps."""
    for p, u, i in np.argwhere(~np.isnan(before) & (before != after) & ~job.screened[..., None])[:20]:
        where = f"{job.panel.units[u].code} / {job.panel.periods[p]} / {job.indicators[i].code}"
        yield Problem("changed-value", Text(f"{where}: the {FAMILIES['impute'].en} turned {before[p, u, i]:g} into {after[p, u, i]:g}.",
                      f"{where}：{FAMILIES['impute'].zh}把 {before[p, u, i]:g} 改成了 {after[p, u, i]:g}。"),
                      Text("Return observed values as they are.", "已有数值须原样返回。"), job.recipe.place)  # fmt: skip


def _digest(function: Callable[..., Array]) -> str:
    if isinstance(function, functools.partial):
        return hashlib.sha256((_digest(function.func) + _told((function.args, sorted(function.keywords.items())))).encode()).hexdigest()
    try:
        text = inspect.getsource(function)
    except (OSError, TypeError):
        code = getattr(function, "__code__", None)
        text = repr((code.co_code, code.co_consts, code.co_names)) if code else repr(function)
    cells = [c.cell_contents for c in getattr(function, "__closure__", None) or ()]
    return hashlib.sha256((text + _told((cells, getattr(function, "__defaults__", None)))).encode()).hexdigest()


def _told(values: Any) -> str:
    """What a function holds on to, as text without memory addresses."""
    if isinstance(values, (list, tuple)):
        return "[" + ",".join(map(_told, values)) + "]"
    if isinstance(values, np.ndarray):
        return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest() + str(values.shape)
    if callable(values) and hasattr(values, "__code__"):
        return _digest(values)
    return re.sub(" at 0x[0-9a-f]+", "", repr(values))
