"""What drives the ranks, seen otherwise than by variance: one input at a time, whole distributions, who gets to the top."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biaochi.errors import BadOption
from biaochi.method import Array, is_whole, or_none
from biaochi.result import Result, takes_result
from biaochi.reweigh import Bounds, Drop, Noise, Sets, Weights
from biaochi.robustness import Robustness, a_study
from biaochi.scenarios import TIES, Plan
from biaochi.spread import Threads, cores
from biaochi.study import Study, as_study
from biaochi.usual import usual
from biaochi.variation import DataDraws, Settings, Variation

DRAWS_SHOWN = 20
"""Data sets of a pool that the one-at-a-time table tries."""


@takes_result
def one_at_a_time(
    result: Result, vary: Sequence[Variation] | Study | None = None, *, node: str | None = None, period: str | None = None
) -> list[dict[str, Any]]:
    """What each alternative of each input does to the ranks, all else as in the recipe.

    Parameters
    ----------
    result : Result
    vary : sequence of Variation or Study, optional
        Settings, Noise, Bounds (each weight at both ends), Sets, Drop (each indicator) and draws of the data (the first
        20); samplers and Dirichlet weights have no single alternatives and are passed over.
    node, period : str, optional
        What is ranked; the index and the last period with scores by default.

    Returns
    -------
    list of dict
        input, alternative, mean_shift, largest_shift, unit (that shifts most), correlation with the nominal ranks, and
        ``why`` where it cannot be computed. In the order declared.
    """
    study = as_study(vary, lambda: usual(result))
    out: list[dict[str, Any]] = []
    for v in study.vary:
        alone = replace(v, mode="one", chance=1.0) if isinstance(v, Drop) else v
        plan = Plan(result, [alone], seed=study.seed, nodes=None if node is None else [node], periods=None if period is None else [period])
        told = _alternatives(plan, alone)
        if not told:
            continue
        plan.design = np.stack([row for _, row in told])
        place = Threads(plan, cores(), cells=float(len(told) * len(plan.targets[0].order)), engine="auto", options={"keep": True, "tallied": False})
        try:
            counted = place.count(np.arange(len(told)), lambda _: None)
        finally:
            place.close()
        why = next((zh_en for (_, zh_en, _) in counted.failures), None)
        assert counted.ranks is not None
        for k, (name, _) in enumerate(told):
            failed = k in counted.failed
            out.append({"input": v.name, "alternative": name, **_effect(plan, counted.ranks[0][:, k]), "why": why if failed else None})
    return out


def _alternatives(plan: Plan, v: Variation) -> list[tuple[str, Array]]:
    """Names of single alternatives, and the draws that give them."""
    if isinstance(v, Settings):
        chances = np.asarray(v.chances or (1.0,) * len(v.alternatives))
        middle = (np.cumsum(chances) - chances / 2) / chances.sum()
        return [(in_words(a), np.array([u])) for a, u, c in zip(v.alternatives, middle, chances, strict=True) if c > 0]
    if isinstance(v, DataDraws):
        return [(f"{k + 1}", np.array([(k + 0.5) / v.draws])) for k in range(min(v.draws, DRAWS_SHOWN))]
    if isinstance(v, Sets):
        return [(name, np.array([(k + 0.5) / len(v.sets)])) for k, name in enumerate(v.sets)]
    if isinstance(v, Drop):
        touched = v.touched(plan.tree)
        return [(plan.tree.nodes[i].code, np.array([(k + 0.5) / len(touched)])) for k, i in enumerate(touched)]
    if isinstance(v, (Noise, Bounds)):
        return list(_ends(plan, v))
    return []


def _ends(plan: Plan, v: Noise | Bounds) -> list[tuple[str, Array]]:
    """Each weight at its lowest and highest, the others as stated (under bounds: held within them)."""
    touched = v.touched(plan.tree)
    at_rest = np.full(len(touched), 0.5)
    if isinstance(v, Bounds):
        for j, i in enumerate(touched):
            low, high = v.bounds[plan.tree.nodes[i].code]
            at_rest[j] = np.clip((plan.tree.nodes[i].weight - low) / (high - low), 0.0, 1.0)
    out = []
    for j, i in enumerate(touched):
        for u, sign in ((0.0, "-"), (np.nextafter(1.0, 0.0), "+")):
            row = at_rest.copy()
            row[j] = u
            out.append((f"{plan.tree.nodes[i].code} {sign}", row))
    return out


def in_words(changes: Any) -> str:
    """An alternative of the recipe as one short line; the recipe itself is a dash."""
    parts = []
    for key, value in dict(changes).items():
        if isinstance(value, dict) and "method" in value:
            rest = ", ".join(f"{k}={v}" for k, v in value.items() if k != "method")
            parts.append(f"{key}: {value['method']}" + (f" ({rest})" if rest else ""))
        elif isinstance(value, dict):
            parts += [f"{key} {k}: {in_words(v)}" for k, v in value.items()]
        else:
            parts.append(f"{key}: {value}")
    return "; ".join(parts) or "—"


def _effect(plan: Plan, ranks: NDArray[Any]) -> dict[str, Any]:
    t = plan.targets[0]
    by = 2.0 if plan.ties == TIES["average"] else 1.0
    both = (ranks > 0) & (t.nominal > 0)
    if not both.any():
        return {"mean_shift": None, "largest_shift": None, "unit": None, "correlation": None}
    shift = np.abs(ranks[both].astype(float) - t.nominal[both]) / by
    at = int(shift.argmax())
    spread = np.ptp(ranks[both]) > 0 and np.ptp(t.nominal[both]) > 0
    r = float(np.corrcoef(ranks[both], t.nominal[both])[0, 1]) if spread else float("nan")
    unit = plan.panel.units[int(t.order[both][at])].code if shift[at] > 0 else None
    return {"mean_shift": float(shift.mean()), "largest_shift": float(shift[at]), "unit": unit, "correlation": or_none(r)}


# --- from the replicates of a study -----------------------------------------------------------------------------------------------


def coordinates(made: Robustness) -> list[tuple[str, str, Array, bool]]:
    """Every single thing drawn: input, what of it, (replicate,) value, and whether it is one of several alternatives."""
    ids = made.counted.ids
    u = made.plan.uniforms(ids)
    picks = made.plan.picks(u)
    out: list[tuple[str, str, Array, bool]] = []
    for i, v in enumerate(made.plan.vary):
        if isinstance(v, (Settings, DataDraws)):
            out.append((v.name, "", picks[:, i].astype(float), True))
        elif isinstance(v, Sets) or (isinstance(v, Drop) and v.mode == "one"):
            n = len(v.sets) if isinstance(v, Sets) else len(v.touched(made.plan.tree))
            share = u[i][0] if isinstance(v, Sets) else np.where(u[i][0] < v.chance, u[i][0] / v.chance, -1.0)
            out.append((v.name, "", np.where(share < 0, -1.0, np.minimum(np.floor(share * n), n - 1)), True))
        elif isinstance(v, Weights) and len(u[i]) == len(v.touched(made.plan.tree)):
            out += [(v.name, made.plan.tree.nodes[k].code, u[i][j], False) for j, k in enumerate(v.touched(made.plan.tree))]
        else:
            out.append((v.name, "", u[i][0], False))
    return out


def delta(made: Robustness, *, unit: str | None = None) -> list[dict[str, Any]]:
    """Borgonovo's delta: how far the distribution of an output moves when one thing drawn is known.

    Parameters
    ----------
    made : Robustness
        With ``keep=True`` where a unit is asked for.
    unit : str, optional
        Whose rank; the mean absolute shift of ranks by default.

    Returns
    -------
    list of dict
        input, of (a node's weight, or nothing), delta from 0 to 1; the largest first.

    References
    ----------
    .. [1] Borgonovo, Reliability Engineering and System Safety 92 (2007) 771-784; Plischke, Borgonovo and Smith,
       European Journal of Operational Research 226 (2013) 536-550.
    """
    a_study(made, "delta")
    y = made.shift() if unit is None else unit_ranks(made, unit)
    kept = ~np.isnan(y)
    rows = [{"input": name, "of": of, "delta": given_data_delta(x[kept], y[kept], alternatives=discrete)} for name, of, x, discrete in coordinates(made)]
    return sorted(rows, key=lambda r: -np.nan_to_num(r["delta"]))


def given_data_delta(x: Array, y: Array, *, alternatives: bool = False) -> float:
    """Delta of an output from one input as drawn.

    Parameters
    ----------
    x, y : (replicate,)
    alternatives : bool
        Whether x is one of a few alternatives; otherwise it is cut into classes of equal size.

    Returns
    -------
    float, 0 to 1; 0 where y has no spread.
    """
    from scipy.stats import gaussian_kde, rankdata

    n = len(y)
    if n < 10 or np.ptp(y) == 0:
        return 0.0
    if alternatives:
        groups = [np.flatnonzero(x == v) for v in np.unique(x)]
    else:
        classes = int(min(np.ceil(n ** (2 / (7 + np.tanh((1500 - n) / 500)))), 48))
        ends = np.linspace(0, n, classes + 1)
        place = rankdata(x, method="ordinal")
        groups = [np.flatnonzero((place > a) & (place <= b)) for a, b in itertools.pairwise(ends)]
    grid = np.linspace(y.min(), y.max(), 100)
    whole = gaussian_kde(y, bw_method="silverman")(grid)
    total = 0.0
    for g in groups:
        if len(g) > 1 and np.ptp(y[g]) > 0:
            total += len(g) / n * float(np.trapezoid(np.abs(whole - gaussian_kde(y[g], bw_method="silverman")(grid)), grid))
        elif len(g):  # a density of one value: it shares nothing with the whole
            total += len(g) / n * 2.0
    return total / 2


def regional(made: Robustness, unit: str, *, top: int = 10) -> list[dict[str, Any]]:
    """What drives a unit into the first places: how each thing drawn differs between replicates in which it is there and not.

    Parameters
    ----------
    made : Robustness
        With ``keep=True``.
    unit : str
    top : int
        How many places.

    Returns
    -------
    list of dict
        input, of, distance (Kolmogorov-Smirnov, 0 to 1), inside and outside (means of a weight's draw, 0 its lowest and
        1 its highest), and for alternatives ``chances``: probability of the first places by alternative. The largest
        distance first; empty where the unit is always or never there.

    References
    ----------
    .. [1] Hornberger and Spear, Journal of Environmental Management 12 (1981) 7-18.
    """
    if not is_whole(top, 1):
        raise BadOption("regional", f"needs top as a whole number from 1 up; got {top!r}.", f"top 应为不小于 1 的整数；得到 {top!r}。")
    ranks = unit_ranks(made, unit)
    kept = ~np.isnan(ranks)
    there = ranks[kept] <= top
    if there.all() or not there.any():
        return []
    rows = []
    for name, of, x, discrete in coordinates(made):
        a, b = x[kept][there], x[kept][~there]
        row: dict[str, Any] = {"input": name, "of": of, "distance": _smirnov(a, b), "inside": None, "outside": None, "chances": None}
        if discrete:
            row["chances"] = {int(v): float(there[x[kept] == v].mean()) for v in np.unique(x[kept])}
        else:
            row |= {"inside": float(a.mean()), "outside": float(b.mean())}
        rows.append(row)
    return sorted(rows, key=lambda r: -r["distance"])


def unit_ranks(made: Robustness, unit: str) -> Array:
    """(replicate,) rank of one unit in the first target; NaN where it has none."""
    a_study(made, "unit_ranks")
    t = made.plan.targets[0]
    if made.counted.ranks is None:
        raise BadOption("robustness", "was made without keep=True, so single replicates are not known.", "未以 keep=True 运行，无法得知各次模拟。")
    at = np.flatnonzero(t.order == made.result.panel.position(unit))
    if not at.size:
        return np.full(len(made.counted.ids), np.nan)
    got = made.counted.ranks[0][int(at[0])].astype(float) / (2.0 if made.plan.ties == TIES["average"] else 1.0)
    return np.where(got > 0, got, np.nan)


def _smirnov(a: Array, b: Array) -> float:
    """Largest distance between two empirical distributions."""
    at = np.sort(np.concatenate([a, b]))
    upto = [np.searchsorted(np.sort(v), at, side="right") / len(v) for v in (a, b)]
    return float(np.abs(upto[0] - upto[1]).max())


__all__ = ["coordinates", "delta", "given_data_delta", "one_at_a_time", "regional", "unit_ranks"]
