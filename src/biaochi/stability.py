"""How far one weight may move before a rank changes: exact, because scores are straight lines in it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biaochi.checks import choice_of
from biaochi.errors import BadOption
from biaochi.method import Array
from biaochi.period import Period
from biaochi.result import Result, takes_result

TIE = 1e-9
"""Differences up to this share of the range of scores are ties."""


@dataclass(frozen=True, eq=False)
class Field:
    """Units as points whose score is a weighted sum of their inputs: children of one node under one kind of mean."""

    result: Result
    node: str
    period: str
    inputs: tuple[str, ...]
    weights: Array
    """(input,) stated shares, summing to 1."""
    units: NDArray[np.intp]
    """Units that are ranked and have all inputs, by their place in the panel."""
    x: Array
    """(unit, input), on the scale on which the mean adds up."""

    @property
    def codes(self) -> list[str]:
        """Codes of the units."""
        return [self.result.panel.units[int(u)].code for u in self.units]

    @cached_property
    def tie(self) -> float:
        """Differences of sums up to this are ties."""
        return TIE * max(float(np.ptp(self.x)), 1e-300)


def field_of(result: Result, node: str | None, period: str | Period | None) -> Field:
    """The children of a node as a field of points.

    Raises
    ------
    BadOption
        If the node's mean is no weighted sum on any scale, or fewer than two units have all children.
    """
    p, top = result.period_at(period), result.nodes[result.node_at(node)]
    kids = result.framework.children(top.code)
    if len(kids) < 2:
        raise BadOption(
            "node", f"needs two children or more to weigh; {top.code!r} has {len(kids)}.", f"需要至少两个下级才能赋权；{top.code!r} 有 {len(kids)} 个。"
        )
    name, options = choice_of(result.framework, result.recipe, "aggregate", top)
    exponent = {"arithmetic": 1.0, "geometric": 0.0, "harmonic": -1.0}.get(name, float(options.get("exponent", 2.0)) if name == "power" else None)
    if exponent is None:
        raise BadOption("node", f"needs an arithmetic, geometric, harmonic or power mean at {top.code!r}; it has {name}.",
                        f"{top.code!r} 须为算术、几何、调和或幂平均；当前为 {name}。")  # fmt: skip
    at = [result.node_at(k.code) for k in kids]
    z = result.scores[p][:, at]
    able = result.counts[p] & ~np.isnan(z).any(axis=1) & (exponent == 1.0 or (z > 0).all(axis=1))
    units = np.flatnonzero(able)
    if len(units) < 2:
        raise BadOption(
            "field",
            f"needs two units with all children of {top.code!r}; got {len(units)}.",
            f"至少需要两个单位具备 {top.code!r} 的全部下级得分；得到 {len(units)} 个。",
        )
    x = z[units]
    x = x if exponent == 1.0 else np.log(x) if exponent == 0.0 else np.sign(exponent) * x**exponent
    w = np.array([result.weights[i] for i in at])
    return Field(result, top.code, str(result.panel.periods[p]), tuple(k.code for k in kids), w / w.sum(), units, x)


# --- one weight at a time ---------------------------------------------------------------------------------------------------------


@takes_result
def weight_stability(result: Result, node: str | None = None, *, period: str | Period | None = None, first_only: bool = False) -> list[dict[str, Any]]:
    """How far each weight may move, the others keeping their proportions, before any rank changes.

    Parameters
    ----------
    result : Result
    node : str, optional
        Whose children are weighed; the index by default.
    period : str or Period, optional
    first_only : bool
        Before the leader changes, instead of any rank.

    Returns
    -------
    list of dict
        input, weight (share), low, high (0 and 1 where nothing changes), and the pairs (unit above, unit below) whose
        order turns there. Exact: scores are straight lines in the share. Units that lack a child are not looked at.

    References
    ----------
    .. [1] Mareschal, European Journal of Operational Research 33 (1988) 54-64.
    """
    f = field_of(result, node, period)
    score = f.x @ f.weights
    out = []
    for k, code in enumerate(f.inputs):
        w = float(f.weights[k])
        rest = np.delete(f.weights, k)
        others = np.delete(f.x, k, axis=1) @ (rest / rest.sum() if rest.sum() > 0 else np.full(len(rest), 1 / len(rest)))
        slope = f.x[:, k] - others
        low, high = _turns(score, slope, w, f.tie, first_only=first_only)
        pairs = [None if turn is None else (f.codes[turn[1]], f.codes[turn[2]]) for turn in (low, high)]
        out.append({"input": code, "weight": w, "low": 0.0 if low is None else low[0], "high": 1.0 if high is None else high[0],
                    "low_pair": pairs[0], "high_pair": pairs[1]})  # fmt: skip
    return out


def _turns(score: Array, slope: Array, w: float, tie: float, *, first_only: bool) -> tuple[tuple[float, int, int] | None, tuple[float, int, int] | None]:
    """The nearest share below and above at which two units that differ now change places: share, who was above, who below."""
    order = np.argsort(-score, kind="stable")
    runs = np.split(order, np.flatnonzero(np.diff(-score[order]) > tie) + 1)  # units with one score
    best: list[tuple[float, int, int] | None] = [None, None]
    pairs = [(runs[0], np.concatenate(runs[1:]))] if first_only and len(runs) > 1 else [] if first_only else list(pairwise(runs))
    for above, below in pairs:
        for i in above.tolist():
            for j in below.tolist():
                gap, turn = score[i] - score[j], slope[i] - slope[j]
                if turn == 0:
                    continue
                t, side = float(w - gap / turn), 0 if turn > 0 else 1
                held = best[side]
                inside = t >= 0 if side == 0 else t <= 1
                if inside and (held is None or (t > held[0] if side == 0 else t < held[0])):
                    best[side] = (t, i, j)
    return best[0], best[1]
