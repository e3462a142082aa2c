"""ELECTRE III: a fuzzy outranking relation, distilled into an order from both ends."""

from __future__ import annotations

import numpy as np

from biaochi.errors import BadOption, Text
from biaochi.kernels.aggregate.compared import compared
from biaochi.kernels.moments import Counts, counted
from biaochi.method import Array, Method, Trait

MOST = 2000
"""More units would take minutes and gigabytes."""
NOISE = 1e-10
"""Differences of credibility no larger are rounding."""


def electre(z: Array, w: Array, *, counts: Counts = None, indifference: float = 0.0, preference: float = 10.0, veto: float = 1e9) -> Array:
    """ELECTRE III: a fuzzy outranking relation, distilled into an order from both ends.

    Credibility ``C prod_{d_j > C} (1 - d_j) / (1 - C)``: C the weight of the children in which a unit does not
    lag (in part between q and p), d_j how far child j vetoes (from p to v).

    Parameters
    ----------
    z : (..., unit, indicator)
        Scores of the children, higher is better. Two units are compared on the children both have.
    w : (..., indicator)
        Weights, none below 0.
    counts : (..., unit) bool
        Units ranked; the others get no score.
    indifference, preference, veto : float
        Thresholds on a lag, in score points, ``0 <= q <= p < v``: up to q it does not count, from p
        on it counts in full, from v on it forbids outranking whatever the other children say.

    Returns
    -------
    (..., unit): minus the mean of the places in the descending and the ascending preorder (classes counted
    from 1, the best). Units with no child in common do not outrank each other.
    Takes O(n^2) memory.

    Raises
    ------
    BadOption
        If the thresholds are out of order, or there are more than 2,000 units.

    References
    ----------
    .. [1] Roy (1978); Figueira, Mousseau and Roy, in Multiple Criteria Decision Analysis (2005), with
       the distillation threshold s(x) = 0.3 - 0.15 x.
    """
    q, p, v = float(indifference), float(preference), float(veto)
    if not 0 <= q <= p < v:
        raise BadOption(
            "electre",
            f"needs 0 <= indifference <= preference < veto; got {q:g}, {p:g}, {v:g}.",
            f"须满足 0 ≤ indifference ≤ preference < veto；得到 {q:g}、{p:g}、{v:g}。",
        )
    z = compared(z, w, counts)
    w = np.broadcast_to(w, (*z.shape[:-2], z.shape[-1]))
    out = np.full(z.shape[:-1], np.nan)
    for at in np.ndindex(z.shape[:-2]):
        if z.shape[-2] > MOST:
            raise BadOption(
                "electre",
                f"compares all pairs again and again: at most {MOST} units; got {z.shape[-2]}.",
                f"需反复比较全部单位对：最多 {MOST} 个单位；得到 {z.shape[-2]}。",
            )
        ranked = ~np.isnan(counted(z, counts)[at]).all(axis=-1)
        s = credibility(z[at][ranked], w[at], q, p, v)
        down, up = _distil(s, best=True), _distil(s, best=False)
        out[at][ranked] = -(down + (up.max(initial=0.0) + 1.0 - up)) / 2.0
    return out


def credibility(z: Array, w: Array, q: float, p: float, v: float) -> Array:
    """How far each unit is at least as good as each other one, ELECTRE III.

    Parameters
    ----------
    z : (unit, indicator)
    w : (indicator,)
    q, p, v : float
        Thresholds of indifference, preference and veto.

    Returns
    -------
    (unit, unit), 0 to 1; 1 on the diagonal.
    """
    n = len(z)
    agree, weight, doubt = np.zeros((n, n)), np.zeros((n, n)), []
    for j in range(z.shape[1]):
        lag = z[:, j][None, :] - z[:, j][:, None]  # of the row behind the column
        both = ~np.isnan(lag)
        lag = np.where(both, lag, 0.0)
        agree += w[j] * np.where(both, _fall(lag, q, p), 0.0)
        weight += w[j] * both
        doubt.append(np.clip((lag - p) / (v - p), 0.0, 1.0))
    c = np.divide(agree, weight, out=np.zeros((n, n)), where=weight > 0)
    out = c.copy()
    for d in doubt:
        strong = d > c
        out = np.where(strong, out * np.divide(1.0 - d, 1.0 - c, out=np.zeros((n, n)), where=c < 1), out)
    np.fill_diagonal(out, 1.0)
    return out


def _fall(lag: Array, q: float, p: float) -> Array:
    """1 up to q, 0 from p on (beyond it where they are equal)."""
    return np.clip((p - lag) / (p - q), 0.0, 1.0) if p > q else (lag <= q).astype(float)


def _distil(s: Array, *, best: bool) -> Array:
    """Places of a complete preorder: the best classes first, or the worst first."""
    n = len(s)
    place, left, step = np.zeros(n), np.arange(n), 1.0
    while left.size:
        chosen = left
        among = s[np.ix_(chosen, chosen)]
        top = float(among[~np.eye(len(chosen), dtype=bool)].max(initial=0.0))
        while top > 0 and len(chosen) > 1:
            among = s[np.ix_(chosen, chosen)]
            off = among[~np.eye(len(chosen), dtype=bool)]
            lower = off[off < top - (0.3 - 0.15 * top) - NOISE]
            cut = float(lower.max()) if lower.size else 0.0
            ahead = (among > cut + NOISE) & (among > among.T + (0.3 - 0.15 * among) + NOISE)
            np.fill_diagonal(ahead, False)
            strength = ahead.sum(axis=1) - ahead.sum(axis=0)
            keep = strength == (strength.max() if best else strength.min())
            chosen, top = chosen[keep], cut
        place[chosen] = step
        step += 1.0
        left = left[~np.isin(left, chosen)]
    return place


METHODS = {
    "electre": Method(
        electre,
        Text("ELECTRE III", "ELECTRE III"),
        "Roy (1978)",
        frozenset({Trait.COMPARES_UNITS}),
        limits={"indifference": (0, 1e50), "preference": (0, 1e50), "veto": (0, 1e50)},
        proof="the definition, pair by pair; a clear order with a tie",
    ),
}
