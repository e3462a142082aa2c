"""Methods of one's own, usable wherever a method's name is: a function that keeps its step's kernel contract."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import numpy as np

from biaochi.checks import FAMILIES, REGISTRIES
from biaochi.errors import BadOption, Problem, Text, UnknownName
from biaochi.job import Job
from biaochi.method import Array, Method, Trait
from biaochi.recipe import Choice

ARGUMENTS = {"impute": ("x",), "treat": ("x",), "normalise": ("x", "ref"), "weigh": ("z",), "aggregate": ("z", "w")}
"""What the function of a step is called with, in this order; options and context come by keyword."""


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
        If the function does not take what the step gives it.

    Examples
    --------
    >>> def tanh(x, ref, *, scale: float = 1.0):
    ...     return np.tanh(scale * (x - np.nanmean(ref, axis=-2, keepdims=True)))
    >>> own("normalise", tanh, scale=0.1).options
    (('scale', 0.1),)
    """
    if step not in ARGUMENTS:
        raise UnknownName(Text("step", "步骤"), step, ARGUMENTS)
    wanted = ", ".join(ARGUMENTS[step])
    params = list(inspect.signature(function).parameters.values())
    plain = tuple(p.name for p in params if p.kind is not p.KEYWORD_ONLY)
    if plain != ARGUMENTS[step] or any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in params):
        raise BadOption(
            f"own({step!r}, ...)",
            f"needs a function of ({wanted}, *, options); got {inspect.signature(function)}.",
            f"需要形如 ({wanted}, *, 选项) 的函数；得到 {inspect.signature(function)}。",
        )
    called = str(getattr(function, "__name__", "function"))
    name = f"own:{called}@{_digest(function)[:12]}"
    registry = cast(dict[str, Method], REGISTRIES[step])
    registry[name] = Method(function, Text(label or called, label or called), "own function", frozenset(traits))
    return Choice.of(name, **options)


def changed_values(job: Job, before: Array, after: Array) -> Iterator[Problem]:
    """Observed values an imputer of one's own has changed: it may only fill gaps."""
    for p, u, i in np.argwhere(~np.isnan(before) & (before != after) & ~job.screened[..., None])[:20]:
        where = f"{job.panel.units[u].code} / {job.panel.periods[p]} / {job.indicators[i].code}"
        yield Problem("changed-value", Text(f"{where}: the {FAMILIES['impute'].en} turned {before[p, u, i]:g} into {after[p, u, i]:g}.",
                      f"{where}：{FAMILIES['impute'].zh}把 {before[p, u, i]:g} 改成了 {after[p, u, i]:g}。"),
                      Text("Return observed values as they are.", "已有数值须原样返回。"), job.recipe.place)  # fmt: skip


def _digest(function: Callable[..., Array]) -> str:
    try:
        text = inspect.getsource(function)
    except (OSError, TypeError):
        code = getattr(function, "__code__", None)
        text = repr((code.co_code, code.co_consts, code.co_names)) if code else repr(function)
    return hashlib.sha256(text.encode()).hexdigest()
