"""What kernels need beside the values: the arrays behind the names a recipe uses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from biaochi import judgements
from biaochi.framework import Node, Optimum
from biaochi.job import Job
from biaochi.method import Array, Method, Tell
from biaochi.period import Period


def for_indicators(job: Job, method: Method, nodes: Sequence[Node], options: dict[str, Any], counts: Any = None) -> dict[str, Any]:
    """Options of an imputer, treatment or normaliser, names replaced by what they stand for."""
    out = {k: v for k, v in options.items() if k not in method.run_only}
    periods = job.panel.periods
    makers: dict[str, Callable[[], Any]] = {
        "counts": lambda: counts,
        "groups": lambda: job.panel.groups(options["group"]),
        "branches": lambda: branches(job, nodes, options.get("level")),
        "signs": lambda: signs(nodes),
        "times": lambda: times(periods),
        "cycle": lambda: periods[0].per_year if len({p.freq for p in periods}) == 1 else 12,
        "rng": lambda: job.rng,
        "before": lambda: before(periods, options.get("over", "year")),
        "origin": lambda: position(periods, options.get("base") or job.recipe.base or str(periods[0])),
    }
    return {**out, **{k: make() for k, make in makers.items() if k in method.needs}}


def experts(option: str, rows: Sequence[Sequence[Any]], codes: Sequence[str]) -> list[str]:
    """Names of those who judge the children, in the order of the arrays."""
    n = 2 if option == "comparisons" else 1
    return sorted({str(r[n + 1]) if len(r) > n + 1 else "" for r in rows if set(r[:n]) <= set(codes)})


def for_children(job: Job, method: Method, children: Sequence[Node], options: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Options of a weighting, names replaced by what they stand for."""
    out = {k: v for k, v in options.items() if k not in method.run_only}
    codes = [c.code for c in children]
    makers: dict[str, Callable[[], Any]] = {
        "weights": lambda: np.array([c.weight for c in children], float),
        "pairs": lambda: judgements.pairs(options["comparisons"], codes),
        "points": lambda: judgements.points(options["points"], codes),
        "tell": lambda: tell,
    }
    return {**out, **{k: make() for k, make in makers.items() if k in method.needs}}


def signs(nodes: Sequence[Node]) -> Array:
    """Direction of each indicator; a distance to an optimum is better when lower."""
    return np.array([-1 if isinstance(n.direction, Optimum) else n.direction for n in nodes], float)


def branches(job: Job, nodes: Sequence[Node], level: int | None) -> Any:
    """Number of the branch each indicator is in: its parent, or its ancestor at a level of the tree."""
    paths = [job.framework.path(n.code) for n in nodes]
    found = [p[-2].code if level is None else p[min(level, len(p) - 1)].code for p in paths]
    return np.unique(found, return_inverse=True)[1].reshape(-1)


def times(periods: Sequence[Period]) -> Array:
    """When periods are: counted in periods of their frequency, or in months where frequencies differ."""
    same = len({p.freq for p in periods}) == 1
    return np.array([p.number if same else (p.number + 1) * 12 / p.per_year for p in periods], float)


def before(periods: Sequence[Period], over: str) -> Any:
    """Where the period a year before, or just before, stands; -1 for none."""
    at = {p: i for i, p in enumerate(periods)}
    return np.array([at.get(p.year_before if over == "year" else p.previous, -1) for p in periods], np.intp)


def position(periods: Sequence[Period], text: str) -> int:
    """Where a period stands."""
    return list(periods).index(Period.parse(str(text)))
