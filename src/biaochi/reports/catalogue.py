"""The catalogue of methods: each with its formula, options, edge cases, traits, source, and a worked example."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from biaochi.checks import REGISTRIES
from biaochi.errors import MissingExtra
from biaochi.method import Array, Method

NAN = np.nan


@dataclass(frozen=True)
class Entry:
    """One method as the catalogue shows it."""

    step: str
    name: str
    method: Method
    text: str
    """What the docstring says between its first sentence and its parameters: formula, remarks."""
    takes: str
    """What the values are that it is given: their scale, what is left out, whose statistics count."""
    meanings: Mapping[str, str]
    """What each option means, as the docstring says."""
    shape: str
    """Shapes in and out and edge cases: what the docstring says it returns."""
    errors: str
    references: str
    example: tuple[str, ...]
    """A call on a few numbers, and what it gives."""


def entry(step: str, name: str, *, worked: bool = True) -> Entry:
    """The catalogue's entry of a method; without its example unless ``worked``."""
    method = REGISTRIES[step][name]
    doc = inspect.getdoc(method.kernel) or ""
    parts = re.split(r"\n([A-Z][a-z]+)\n-+\n", "\n" + doc)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    text = parts[0].strip().split("\n\n", 1)
    shared = re.search(r"^Parameters(?:, result)?: see `(\w+)`(.*)$", doc, re.MULTILINE)
    like = entry(step, shared[1], worked=False) if shared and shared[1] in REGISTRIES[step] else None
    said = {**(like.meanings if like else {}), **_meanings(step, sections.get("Parameters", ""))}
    meanings = {k: MEANINGS.get(k, "") if k in method.run_only else said.get(k, "") for k in method.options}
    shape = " ".join(sections.get("Returns", "").split()) or (like.shape if like else "")
    takes = " ".join(f"{k}: {said[k]}" for k in ("x", "z", "ref", "w", "counts") if said.get(k))
    return Entry(
        step, name, method, re.sub(r"Parameters(, result)?: see `\w+`.*", "", text[1], flags=re.DOTALL).strip() if len(text) > 1 else "", takes, meanings, shape, " ".join(sections.get("Raises", "").split()),
        re.sub(r"\s*\.\. \[\d+\]\s*", "; ", " ".join(sections.get("References", "").split())).strip("; "), _example(step, method) if worked else (),
    )  # fmt: skip


MEANINGS: Mapping[str, str] = {
    "range": "output range of its own, lower end first, in place of the recipe's",
    "rescale": "bring what it gives onto the range by min-max",
    "among": "`siblings`: from the children of each parent; `indicators`: from all indicators of the tree at once, summed upwards",
    "min_children": "share of the children a parent needs, in place of the recipe's",
    "missing": "score given to missing children; left out by default",
    "group": "a grouping column of the table of units",
    "level": "level of the tree whose nodes are the branches (1 is below the index, 0 all indicators together); the indicator's own parent by default",
    "over": "`year` compares with the same period a year before, `period` with the one just before",
    "base": "the base period; the recipe's `base`, else the first period, by default",
    "unit": "code of the reference unit",
    "comparisons": "a list of `[child, other child, times as important]`, with the expert's name fourth where there are several; each parent takes those of its own children",
    "points": "a list of `[child, points]`, with the expert's name third where there are several",
    "outcome": "code of a series or indicator",
    "of": "names of the weightings to combine; further options are handed on to them",
}
"""What the options mean that concern the run, or name what a kernel gets as an array."""


def _meanings(step: str, parameters: str) -> dict[str, str]:
    out: dict[str, str] = {}
    names: list[str] = []
    for line in parameters.splitlines():
        if line and not line.startswith(" "):
            names = [n.strip() for n in line.partition(" : ")[0].split(",")]
            out.update(dict.fromkeys(names, ""))
            like = re.search(r" : see `(\w+)`", line)
            if like and like[1] in REGISTRIES[step]:
                seen = _meanings(step, _section(step, like[1]))
                out.update({n: seen.get(n, "") for n in names})
                follows = re.search(r"`\w+`[;.]\s*(.*)$", line)
                out.update({n: f"{out[n]} {follows[1]}".strip() for n in names[-1:] if follows})
        else:
            out.update({n: f"{out[n]} {line.strip()}".strip() for n in names})
    return out


def _section(step: str, name: str) -> str:
    """The parameters of a method's docstring."""
    doc = inspect.getdoc(REGISTRIES[step][name].kernel) or ""
    found = re.search(r"\nParameters\n-+\n(.*?)(?:\n\n[A-Z][a-z]+\n-+\n|$)", doc, re.DOTALL)
    return found[1] if found else ""


COLUMN = np.array([[2.0], [4.0], [5.0], [7.0], [12.0]])
SKEWED = np.array([[1.0], [2.0], [2.0], [3.0], [3.0], [4.0], [5.0], [6.0], [40.0]])
SERIES = np.array([10.0, NAN, 14.0, 15.0, NAN])[:, None, None]
GAPS = np.array([[1.0, 10, 3], [2, 20, 2], [NAN, 31, 5], [4, 39, 4], [5, 50, 7]])
SCORES = np.array([[80.0, 60, 40], [60, 70, 20], [90, 50, 60], [30, 80, 10], [70, 65, 55]])
EXPERTS: Mapping[str, Any] = {
    "pairs": np.array([[[1.0, 2, 4], [0.5, 1, 2], [0.25, 0.5, 1]]]),
    "points": np.array([[50.0, 30, 20], [40, 40, 20]]),
    "sets": np.array([[0.5, 0.3, 0.2], [0.2, 0.2, 0.6]]),
    "weights": np.array([3.0, 2.0, 1.0]),
    "outcome": np.array([70.0, 55, 80, 40, 68]),
}
WANTED: Mapping[str, Mapping[str, Any]] = {
    "goalposts": {"low": 0.0, "high": 10.0}, "scaled": {"low": 0.0, "high": 20.0}, "distance_to_target": {"target": 10.0}, "kemeny": {}, "electre": {"preference": 5.0},
}  # fmt: skip
"""Options of the examples that cannot do without."""


def _example(step: str, m: Method) -> tuple[str, ...]:
    """The call on the example's numbers and its result, computed as the page is made."""
    options = dict(WANTED.get(m.kernel.__name__, {}))
    told = "".join(f", {k}={v:g}" for k, v in options.items())
    makers: dict[str, Callable[[], tuple[Array, Array, str]]] = {
        "impute": lambda: _impute(m),
        "treat": lambda: (SKEWED, m.kernel(SKEWED), "x"),
        "normalise": lambda: _normalise(m, options),
        "weigh": lambda: (SCORES, m.kernel(SCORES, **{k: v for k, v in EXPERTS.items() if k in m.needs}), "z"),
        "aggregate": lambda: (SCORES, m.kernel(SCORES, np.array([3.0, 2.0, 1.0]), **options), "z"),
    }
    try:
        with np.errstate(all="ignore"):
            given, got, letter = makers[step]()
    except MissingExtra:
        return ()
    extra = {"aggregate": ", w = 3, 2, 1", "weigh": _said(m)}.get(step, "")
    return (f"{letter} = {_table(given)}{extra}{told}", _table(got))


def _said(m: Method) -> str:
    return "".join(f", {k} = {_table(np.atleast_2d(v[0] if v.ndim == 3 else v))}" for k, v in EXPERTS.items() if k in m.needs)


def _impute(m: Method) -> tuple[Array, Array, str]:
    if m.kernel.__module__.endswith(".time"):
        context = {"times": np.arange(5), "cycle": 1}
        return SERIES, m.kernel(SERIES, **{k: v for k, v in context.items() if k in m.needs}), "x over periods"
    context = {"groups": np.array([0, 0, 0, 1, 1]), "branches": np.zeros(3, int), "signs": np.ones(3)}
    return GAPS, m.kernel(GAPS, **{k: v for k, v in context.items() if k in m.needs}), "x"


def _normalise(m: Method, options: Mapping[str, Any]) -> tuple[Array, Array, str]:
    if m.needs & {"before", "origin"} or m.kernel.__name__ == "cyclical":
        series = np.array([10.0, 12, 15, 9])[:, None, None]
        context = {"before": np.arange(4) - 1, "origin": 0, "signs": np.ones(1)}
        return series, m.kernel(series, series, **{k: v for k, v in context.items() if k in m.needs}), "x over periods"
    x = -np.abs(COLUMN - 5.0) if m.kernel.__name__ == "furthest" else COLUMN
    context = {"signs": np.ones(1), "at": x[[3]]}
    got = m.kernel(x, x, **options, **{k: v for k, v in context.items() if k in m.needs})
    return (COLUMN, got, "optimum = 5, x") if m.kernel.__name__ == "furthest" else (x, got, "x")


def _table(x: Array) -> str:
    """Numbers in a row; rows of a table between semicolons."""
    flat = np.squeeze(x)
    rows = flat[None] if flat.ndim == 1 else flat
    return "; ".join(", ".join("–" if v != v else f"{v:.4g}" for v in row) for row in rows)
