"""Units compared with one another, child by child: large leads in one child do not make up for many small lags."""

from __future__ import annotations

from typing import Literal

import numpy as np

from biaochi.errors import BadOption, Text
from biaochi.kernels.aggregate.compared import compared
from biaochi.kernels.aggregate.kemeny import kemeny_order
from biaochi.kernels.moments import Counts, counted, ratio
from biaochi.method import Array, Method, Tell, Trait

NOISE = 1e-12
"""Shares of weight no larger than this are rounding, not a majority."""


def margins(z: Array, w: Array, others: Array | None = None) -> Array:
    """Weight for less weight against, of each unit over each other one.

    Parameters
    ----------
    z : (unit, indicator)
        Higher is better. Children that either unit lacks say nothing.
    w : (indicator,)
    others : (other, indicator), optional
        The units compared with; ``z`` itself by default.

    Returns
    -------
    (unit, other), -1 to 1: a share of the weight of the children both have.
    """
    a, b = np.broadcast_arrays(z[:, None, :], (z if others is None else others)[None, :, :])
    d = np.nan_to_num(np.sign(a - b))
    both = (~np.isnan(a) & ~np.isnan(b)) @ w
    return np.asarray(np.divide(d @ w, both, out=np.zeros(both.shape), where=both > 0))


def outranking(z: Array, w: Array) -> Array:
    """Share of the weight by which each unit is ahead of each other one, ties counting half.

    Parameters
    ----------
    z : (unit, indicator)
    w : (indicator,)

    Returns
    -------
    (unit, unit), 0 to 1, ``M[i, j] + M[j, i] = 1``; 0 on the diagonal. Where a child is missing for one
    of two units, its weight goes to neither (COINr gives it to the later row).

    References
    ----------
    .. [1] Munda and Nardo (2005); COINr 1.1.14, outrankMatrix.
    """
    out = (1.0 + margins(z, w)) / 2.0
    np.fill_diagonal(out, 0.0)
    return out


def copeland(z: Array, w: Array, *, counts: Counts = None) -> Array:
    """Copeland: units beaten by a majority of the weight less units lost to.

    ``sum_j sign(M_ij - 1/2)``, M the share of the weight by which i is ahead of j, ties counting half

    Parameters
    ----------
    z : (..., unit, indicator)
        Scores of the children, higher is better. Two units are compared on the children both have.
    w : (..., indicator)
        Weights, none below 0.
    counts : (..., unit) bool
        Units compared with; the others are given a score against these.

    Returns
    -------
    (..., unit), from -(n - 1) to n - 1 (n for one that does not count). NaN for a unit without any child.
    Takes O(n) memory.

    References
    ----------
    .. [1] Copeland (1951); Munda and Nardo (2005); COINr 1.1.14, a_copeland.
    """
    z = compared(z, w, counts)
    inside = counted(z, counts)
    w = np.broadcast_to(w, (*z.shape[:-2], z.shape[-1]))
    out = np.empty(z.shape[:-1])
    for at in np.ndindex(z.shape[:-2]):
        out[at] = _copeland(z[at], inside[at], w[at])
    return np.where(np.isnan(z).all(axis=-1), np.nan, out)


def borda(z: Array, w: Array, *, counts: Counts = None) -> Array:
    """Weighted Borda count: mean number of units beaten over the children, ties counting half.

    Parameters
    ----------
    z, w, counts : see `copeland`. Missing children are left out, weights renormalised.

    Returns
    -------
    (..., unit), from 0 to n - 1. NaN for a unit without any child.

    References
    ----------
    .. [1] de Borda (1784); OECD/JRC Handbook (2008), step 6.
    """
    z = compared(z, w, counts)
    below, above, _ = _standing(z, counted(z, counts))
    inside = ~np.isnan(z) if counts is None else ~np.isnan(z) & counts[..., None]
    n = (~np.isnan(counted(z, counts))).sum(axis=-2, keepdims=True) - inside  # a unit is not compared with itself
    return _weighted(below + (n - below - above) / 2.0, z, w)


def promethee(
    z: Array,
    w: Array,
    *,
    counts: Counts = None,
    preference: Literal["usual", "u_shape", "v_shape", "level", "linear", "gaussian"] = "usual",
    indifference: float = 0.0,
    strict: float = 1.0,
) -> Array:
    """PROMETHEE II: mean preference over the other units less that of theirs over it.

    Preference for a lead d: usual 1 for d > 0; u_shape 1 for d > q; v_shape d / p up to 1; level 1/2 above q,
    1 above p; linear (d - q) / (p - q) between q and p; gaussian ``1 - exp(-d^2 / (2 p^2))``

    Parameters
    ----------
    z : (..., unit, indicator)
        Scores of the children, higher is better. Missing ones are left out of a child's comparisons
        and of the unit's mean.
    w : (..., indicator)
        Weights, none below 0.
    counts : (..., unit) bool
        Units compared with.
    preference
        See above; the same for all children, which are on one scale by now.
    indifference, strict : float
        q and p, in score points, ``0 <= q < p``; gaussian takes p as its inflection point.

    Returns
    -------
    (..., unit), -1 to 1. NaN for a unit without any child, or with no other to compare with. All but
    gaussian are exact in O(n log n).

    Raises
    ------
    BadOption
        If ``q >= p`` where both matter, or ``p <= 0``.

    References
    ----------
    .. [1] Brans and Vincke, Management Science 31 (1985); Calders and Van Assche, arXiv:1603.00091.
    """
    q, p = float(indifference), float(strict)
    if q < 0 or p <= 0 or (preference in ("level", "linear") and q >= p):
        raise BadOption("promethee", f"needs 0 <= indifference < strict; got {q:g}, {p:g}.", f"须满足 0 ≤ indifference < strict；得到 {q:g}、{p:g}。")
    z = compared(z, w, counts)
    inside = counted(z, counts)
    match preference:
        case "usual":
            net = _steps(z, inside, 0.0)
        case "u_shape":
            net = _steps(z, inside, q)
        case "level":
            net = (_steps(z, inside, q) + _steps(z, inside, p)) / 2.0
        case "v_shape":
            net = _ramps(z, inside, 0.0, p)
        case "linear":
            net = _ramps(z, inside, q, p)
        case "gaussian":
            net = _gaussian(z, inside, p)
    here = ~np.isnan(inside)
    others = here.sum(axis=-2, keepdims=True) - here
    return _weighted(ratio(net, others.astype(float)), z, w)


def kemeny(z: Array, w: Array, *, counts: Counts = None, tell: Tell = None) -> Array:
    """Kemeny: the order of all units that disagrees least with the pairwise majorities.

    Disagreement: the sum of the majorities (weight for less weight against, as a share) an order goes against.

    Parameters
    ----------
    z : (..., unit, indicator)
        Scores of the children, higher is better. Two units are compared on the children both have.
    w : (..., indicator)
        Weights, none below 0.
    counts : (..., unit) bool
        Units ordered; the others get no score.
    tell
        Told whether the order is proven best, and else how far from it it can be at most.

    Returns
    -------
    (..., unit): number of units placed behind, n - 1 for the first. Units no child tells apart from one
    another share their mean place.

    References
    ----------
    .. [1] Kemeny (1959); Young and Levenglick (1978); Conitzer, Davenport and Kalagnanam (2006) for the bounds.
    """
    z = compared(z, w, counts)
    w = np.broadcast_to(w, (*z.shape[:-2], z.shape[-1]))
    out = np.full(z.shape[:-1], np.nan)
    for at in np.ndindex(z.shape[:-2]):
        ranked = np.flatnonzero(~np.isnan(counted(z, counts)[at]).all(axis=-1))
        rows = z[at][ranked]
        _, first, which, n = np.unique(np.nan_to_num(rows, nan=-np.inf), axis=0, return_index=True, return_inverse=True, return_counts=True)
        m = margins(rows[first], w[at]) * np.outer(n, n)  # units alike in everything may stand together: one, with their number
        order, cost, bound = kemeny_order(m)
        behind = n[order][::-1].cumsum()[::-1] - n[order]
        places = np.empty(len(order))
        places[order] = behind + (n[order] - 1) / 2.0
        out[(*at, ranked)] = places[which.reshape(-1)]
        if tell and cost > bound + 1e-9:
            tell(
                f"the order found disagrees with the majorities by {cost:.6g}; no order can by less than {bound:.6g} (gap {(cost - bound) / cost:.1%}).",
                f"所得次序与多数意见的分歧为 {cost:.6g}；任何次序不低于 {bound:.6g}（差距 {(cost - bound) / cost:.1%}）。",
            )
        elif tell:
            tell(f"the order is proven best: it disagrees with the majorities by {cost:.6g}.", f"所得次序已证明最优：与多数意见的分歧为 {cost:.6g}。")
    return out


def _copeland(z: Array, others: Array, w: Array) -> Array:
    """One comparison of each pair where units and others are the same, block by block."""
    gaps = np.isnan(z).any()
    same = z.shape == others.shape and np.array_equal(z, others, equal_nan=True)
    noise = NOISE * w.sum()
    out = np.zeros(len(z))
    for i in range(len(z)):
        rest = others[i + 1 :] if same else others
        lead = np.sign(z[i] - rest)
        won = (np.nan_to_num(lead) if gaps or not same else lead) @ w
        verdict = np.where(won > noise, 1.0, np.where(won < -noise, -1.0, 0.0))
        out[i] += verdict.sum()
        if same:
            out[i + 1 :] -= verdict
    return out


def _standing(z: Array, inside: Array, lead: float = 0.0) -> tuple[Array, Array, Array]:
    """How many units of ``inside`` are below ``z - lead``, above ``z + lead``, and how many there are."""
    below, above = np.empty(z.shape), np.empty(z.shape)
    cols, among = np.moveaxis(z, -1, -2), np.moveaxis(inside, -1, -2)
    lower, higher = np.moveaxis(below, -1, -2), np.moveaxis(above, -1, -2)
    for at in np.ndindex(cols.shape[:-1]):
        a = np.sort(among[at])
        a = a[: np.searchsorted(a, np.nan)]
        lower[at] = np.searchsorted(a, cols[at] - lead, "left")
        higher[at] = len(a) - np.searchsorted(a, cols[at] + lead, "right")
    return below, above, (~np.isnan(inside)).sum(axis=-2, keepdims=True)


def _steps(z: Array, inside: Array, q: float) -> Array:
    below, above, _ = _standing(z, inside, q)
    return below - above


def _ramps(z: Array, inside: Array, q: float, p: float) -> Array:
    """Net sums of ``clip((d - q) / (p - q), 0, 1)`` by sorting and running sums."""
    out = np.empty(z.shape)
    cols, among, got = (np.moveaxis(v, -1, -2) for v in (z, inside, out))
    for at in np.ndindex(cols.shape[:-1]):
        a = np.sort(among[at])
        a = a[: np.searchsorted(a, np.nan)]
        middle = a.mean() if a.size else 0.0
        a, c = a - middle, cols[at] - middle
        sums = np.concatenate([[0.0], np.cumsum(a)])
        # ahead: all of those at least p below, a part of those between q and p below
        n_full, n_part = np.searchsorted(a, c - p, "right"), np.searchsorted(a, c - q, "left")
        n_part = np.maximum(n_part, n_full)
        ahead = n_full + ((n_part - n_full) * (c - q) - (sums[n_part] - sums[n_full])) / (p - q)
        m_part, m_full = np.searchsorted(a, c + q, "right"), np.searchsorted(a, c + p, "left")
        m_full = np.maximum(m_full, m_part)
        behind = len(a) - m_full + ((sums[m_full] - sums[m_part]) - (m_full - m_part) * (c + q)) / (p - q)
        got[at] = ahead - behind
    return out


def _gaussian(z: Array, inside: Array, p: float) -> Array:
    out = np.empty(z.shape)
    for u in range(z.shape[-2]):
        d = z[..., [u], :] - inside
        out[..., u, :] = np.nansum(np.sign(d) * (1.0 - np.exp(-(d**2) / (2.0 * p * p))), axis=-2)
    return np.where(np.isnan(z), np.nan, out)


def _weighted(per_child: Array, z: Array, w: Array) -> Array:
    there = ~np.isnan(z) & ~np.isnan(per_child)
    kept = np.where(there, w[..., None, :], 0.0)
    return ratio((np.where(there, per_child, 0.0) * kept).sum(axis=-1), kept.sum(axis=-1))


_RELATIVE = frozenset({Trait.COMPARES_UNITS})

METHODS = {
    "copeland": Method(
        copeland, Text("Copeland", "Copeland 法"), "Munda and Nardo (2005)", _RELATIVE | {Trait.MONOTONE}, proof="COINr, agg_copeland*.csv, copeland_scores.csv"
    ),
    "borda": Method(borda, Text("Borda count", "Borda 计数法"), "de Borda (1784)", _RELATIVE | {Trait.MONOTONE}, proof="SciPy, stats.rankdata"),
    "promethee": Method(
        promethee,
        Text("PROMETHEE II", "PROMETHEE II"),
        "Brans and Vincke (1985)",
        _RELATIVE | {Trait.MONOTONE},
        limits={"indifference": (0, 1e50), "strict": (1e-50, 1e50)},
        proof="pymcdm, PROMETHEE_II",
    ),
    "kemeny": Method(
        kemeny,
        Text("Kemeny", "Kemeny 法"),
        "Young and Levenglick (1978)",
        _RELATIVE,
        proof="all orders of small sets; beyond, its certificate and every neighbouring order",
    ),
}
