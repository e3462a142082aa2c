"""Distance from the best, and from the worst, among the units: scores are relative to the units compared."""

from __future__ import annotations

from typing import Literal

import numpy as np

from biaochi.errors import Text
from biaochi.kernels.aggregate.compared import compared, shares
from biaochi.kernels.moments import Counts, counted, flat, highest, lowest, ratio, total, whole
from biaochi.method import Array, Method, Trait


def topsis(
    z: Array, w: Array, *, counts: Counts = None, scale: Literal["none", "minmax", "vector"] = "none", weighting: Literal["inside", "outside"] = "inside"
) -> Array:
    """Closeness to the best values among the units, seen from the worst ones.

    ``D- / (D+ + D-)``, Euclidean distances to the lowest and to the highest value of each child

    Parameters
    ----------
    z : (..., unit, indicator)
        Scores of the children, higher is better. NaN is left out and the others' weights renormalised.
    w : (..., indicator)
        Weights; a child of weight 0 is not looked at.
    counts : (..., unit) bool
        Units that set the best and the worst.
    scale : {"none", "minmax", "vector"}
        Whether children are scaled once more before (pymcdm: minmax; pyDecision: vector; scikit-criteria: none).
    weighting : {"inside", "outside"}
        ``(w d)^2`` or ``w d^2``; the first is Hwang and Yoon's.

    Returns
    -------
    (..., unit), 0 to 1. NaN where the units agree in all children a unit has, and for a unit without any.

    References
    ----------
    .. [1] Hwang and Yoon, Multiple Attribute Decision Making (1981).
    """
    z = compared(z, w, counts)
    inside = counted(z, counts)
    high, low = highest(inside), lowest(inside)
    one = np.ones((1, 1))
    by = {"none": one, "minmax": np.where(flat(low, high), 0.0, high - low), "vector": np.sqrt(total(inside * inside))}[scale]
    scaled = np.where(by > 0, ratio(one, by), np.nan)  # a child without spread, or of zeros only, says nothing
    up, down = _distances(z, w, (high, low), scaled, inside_squares=weighting == "inside")
    return ratio(down, up + down)


def vikor(z: Array, w: Array, *, counts: Counts = None, majority: float = 0.5) -> Array:
    """Compromise between the largest total and the smallest single regret, 1 for the best unit.

    ``1 - Q``, ``Q = v (S - S*) / (S- - S*) + (1 - v) (R - R*) / (R- - R*)``; S sums and R takes the largest of ``w (best - z) / (best - worst)``

    Parameters
    ----------
    z : (..., unit, indicator)
        Scores of the children, higher is better. NaN is left out and the others' weights renormalised.
    w : (..., indicator)
        Weights; a child of weight 0 is not looked at.
    counts : (..., unit) bool
        Units that set the best and the worst.
    majority : float
        v, 0 to 1: weight of the total against the single regret.

    Returns
    -------
    (..., unit), 0 to 1 within the units that count. A child without spread costs nobody anything; where
    S or R has no spread its half is 0.

    References
    ----------
    .. [1] Opricovic and Tzeng, European Journal of Operational Research 156 (2004).
    """
    z = compared(z, w, counts)
    inside = counted(z, counts)
    high, low = highest(inside), lowest(inside)
    regret = np.where(flat(low, high) & ~np.isnan(z), 0.0, ratio(high - z, high - low)) * shares(z, w)
    none = np.isnan(z).all(axis=-1)
    s = np.where(none, np.nan, np.nansum(regret, axis=-1))
    r = np.fmax.reduce(regret, axis=-1)
    return 1.0 - (majority * _place(s, counts) + (1.0 - majority) * _place(r, counts))


def grey(z: Array, w: Array, *, counts: Counts = None, resolution: float = 0.5) -> Array:
    """Grey relational grade 灰色关联度: closeness of a unit's profile to the best of all children.

    ``sum w (dmin + rho dmax) / (d + rho dmax)``, ``d = best - z``, dmin and dmax over all units and children

    Parameters
    ----------
    z : (..., unit, indicator)
        Scores of the children on one scale, higher is better. NaN is left out and the others' weights renormalised.
    w : (..., indicator)
        Weights; a child of weight 0 is not looked at.
    counts : (..., unit) bool
        Units that set the best, dmin and dmax.
    resolution : float
        rho, above 0 up to 1; smaller spreads the grades out.

    Returns
    -------
    (..., unit), 0 to 1, 1 for a unit that is best in everything, and for all where all agree. A unit that
    does not count and lies beyond the best counts as best.

    References
    ----------
    .. [1] Deng, Systems and Control Letters 1 (1982) 288-294.
    """
    z = compared(z, w, counts)
    inside = counted(z, counts)
    d = highest(inside) - z
    known = highest(inside) - inside
    top = np.fmax.reduce(known, axis=(-2, -1), keepdims=True)
    least = np.fmin.reduce(known, axis=(-2, -1), keepdims=True)
    grade = ratio(least + resolution * top, np.maximum(d, least) + resolution * top)
    grade = np.where((top == 0) & ~np.isnan(z), (d <= 0).astype(float), grade)
    none = np.isnan(z).all(axis=-1)
    return np.where(none, np.nan, np.nansum(grade * shares(z, w), axis=-1))


def wroclaw(z: Array, w: Array, *, counts: Counts = None) -> Array:
    """Wroclaw taxonomic measure: 1 at the ideal, 0 two deviations beyond the mean distance.

    ``1 - D / (mean D + 2 sd D)``, sd with n - 1, D the Euclidean distance to the highest value of each child

    Parameters
    ----------
    z : (..., unit, indicator)
        Scores of the children, z-scores in the original. NaN is left out and the others' weights renormalised.
    w : (..., indicator)
        Weights, none below 0; the square root of the weighted mean square is D.
    counts : (..., unit) bool
        Units that set the highest values, mean and sample standard deviation (n - 1).

    Returns
    -------
    (..., unit), at most 1. NaN where all units agree.

    References
    ----------
    .. [1] Hellwig (1968); Florek et al. (1952); Compind, ci_wroclaw.
    """
    z = compared(z, w, counts)
    inside = counted(z, counts)
    none = np.isnan(z).all(axis=-1)
    far = np.where(none, np.nan, np.sqrt(np.nansum(shares(z, w) * (z - highest(inside)) ** 2, axis=-1)))
    known = far if counts is None else np.where(counts, far, np.nan)
    n = (~np.isnan(known)).sum(axis=-1, keepdims=True).astype(float)
    middle = ratio(np.nansum(known, axis=-1, keepdims=True), n)
    sd = np.sqrt(ratio(np.nansum((known - middle) ** 2, axis=-1, keepdims=True), np.maximum(n - 1.0, 1.0)))
    return 1.0 - ratio(far, middle + 2.0 * sd)


def _distances(z: Array, w: Array, ends: tuple[Array, Array], scaled: Array, *, inside_squares: bool) -> tuple[Array, Array]:
    """Weighted distances of units to two ends, children multiplied by ``scaled`` first."""
    if whole(z) and not np.isnan(scaled).any():
        share = w / w.sum(axis=-1, keepdims=True)
        by = (share**2 if inside_squares else share) * scaled[..., 0, :] ** 2

        def far(at: Array) -> Array:
            d = z - at
            d *= d
            return np.asarray(np.sqrt((d @ by[..., None])[..., 0]))
    else:
        z = np.where(np.isnan(scaled), np.nan, z)
        share = shares(z, w)
        part = share**2 if inside_squares else share

        def far(at: Array) -> Array:
            return np.asarray(np.sqrt(np.nansum(part * ((z - at) * scaled) ** 2, axis=-1)))

    return far(ends[0]), far(ends[1])


def _place(s: Array, counts: Counts) -> Array:
    known = s if counts is None else np.where(counts, s, np.nan)
    low, high = np.fmin.reduce(known, axis=-1, keepdims=True), np.fmax.reduce(known, axis=-1, keepdims=True)
    spread = np.where(flat(low, high), np.nan, high - low)
    return np.where(np.isnan(s), np.nan, np.nan_to_num(ratio(s - low, spread)))


_RELATIVE = frozenset({Trait.COMPARES_UNITS})

METHODS = {
    "topsis": Method(topsis, Text("TOPSIS", "TOPSIS 优劣解距离法"), "Hwang and Yoon (1981)", _RELATIVE | {Trait.UNIT_INTERVAL}, proof="pymcdm, TOPSIS"),
    "vikor": Method(
        vikor,
        Text("VIKOR", "VIKOR 折衷法"),
        "Opricovic and Tzeng (2004)",
        _RELATIVE | {Trait.UNIT_INTERVAL},
        limits={"majority": (0, 1)},
        proof="pymcdm, VIKOR",
    ),
    "grey": Method(
        grey,
        Text("grey relational grade", "灰色关联度"),
        "Deng (1982)",
        _RELATIVE | {Trait.UNIT_INTERVAL},
        limits={"resolution": (1e-6, 1)},
        proof="formula, cell by cell",
    ),
    "wroclaw": Method(
        wroclaw, Text("Wroclaw taxonomic measure", "弗罗茨瓦夫分类法"), "Hellwig (1968)", _RELATIVE, proof="formula of Compind's documentation, unit by unit"
    ),
}
