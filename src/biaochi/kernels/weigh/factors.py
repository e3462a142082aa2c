"""Weights from principal components and factors of the children."""

from __future__ import annotations

from typing import Literal

import numpy as np

from biaochi.errors import Text
from biaochi.kernels.moments import covariance
from biaochi.kernels.structure.components import varimax
from biaochi.method import Array, Method, Tell, Trait


def pca(z: Array, *, negative: Literal["refuse", "zero", "keep"] = "zero", loadings: Literal["plain", "squared"] = "plain", tell: Tell = None) -> Array:
    """Loadings on the first principal component.

    Parameters
    ----------
    z : (..., unit, indicator)
        Scores; only units that have all children are used. Components are those of the correlations.
    negative : {"refuse", "zero", "keep"}
        A loading against the rest: no weights at all, 0, or a negative weight. The component is turned
        so that its loadings sum to more than 0.
    loadings : {"plain", "squared"}
        Weights in proportion to the loadings (COINr), or to their squares, the shares of variance.
    tell
        Told the share of variance of the component, and any loading against it.

    Returns
    -------
    (..., indicator), summing to 1. NaN with fewer than 3 units, a child without spread, or loadings that
    cancel out (two children that go against each other).

    References
    ----------
    .. [1] COINr 1.1.14, get_PCA. "Weights" that are statistical, not a judgement: OECD/JRC Handbook, step 6.
    """
    out = np.full((*z.shape[:-2], z.shape[-1]), np.nan)
    for at, values, vectors in _components(z):
        first = vectors[:, 0] * (1.0 if vectors[:, 0].sum() >= 0 else -1.0)
        against = int((first < -1e-12).sum())
        if tell:
            share = values[0] / values.sum()
            tell(
                f"the first component has {share:.0%} of the variance; {against} loadings are against it.",
                f"第一主成分解释 {share:.0%} 的方差；{against} 个载荷为负。",
            )
        if (against and negative == "refuse") or abs(first.sum()) < 1e-9:
            continue
        w = first if negative == "keep" else np.maximum(first, 0.0)
        w = np.sign(w) * w**2 if loadings == "squared" else w
        out[at] = w / w.sum()
    return out


def factor(z: Array, *, eigenvalue: float = 0.85, variance: float = 0.1, cumulative: float = 0.6, factors: int = 0, tell: Tell = None) -> Array:
    """Factor weights of the OECD/JRC Handbook: each child by its largest varimax loading.

    Factors are principal components, kept where their eigenvalue is at least ``eigenvalue``, each has at
    least ``variance`` and all together ``cumulative`` of the variance, then rotated by varimax. A child's
    weight is its largest squared loading over the factor's sum of squares, times the factor's share of
    the variance kept.

    Parameters
    ----------
    z : (..., unit, indicator)
        Scores; only units that have all children are used.
    eigenvalue, variance, cumulative : float
        Rules for keeping factors: one is kept while all before it together have less than ``cumulative``,
        or while it meets both the other rules. (The Handbook asks for eigenvalues above 1 and keeps one of
        0.9 in its own example.)
    factors : int
        Keep so many instead; 0 for the rules.
    tell
        Told how many factors are kept and their share of the variance.

    Returns
    -------
    (..., indicator), summing to 1. NaN with fewer than 3 units or a child without spread.

    References
    ----------
    .. [1] Nicoletti, Scarpetta and Boylaud, OECD Economics Department WP 226 (2000); OECD/JRC Handbook
       (2008), step 6; varimax of Kaiser (1958) with row normalisation.
    """
    out = np.full((*z.shape[:-2], z.shape[-1]), np.nan)
    for at, values, vectors in _components(z):
        share = values / values.sum()
        before = np.concatenate([[0.0], np.cumsum(share)[:-1]])
        kept = np.flatnonzero((before < cumulative - 1e-12) | ((values >= eigenvalue) & (share >= variance)))
        m = min(factors, len(values)) if factors else int(kept.max(initial=0)) + 1
        turned = varimax(vectors[:, :m] * np.sqrt(np.maximum(values[:m], 0.0)))
        squares = turned**2
        explained = squares.sum(axis=0)
        scaled = squares / np.where(explained > 0, explained, 1.0) * (explained / explained.sum())
        w = scaled[np.arange(len(values)), squares.argmax(axis=1)]
        out[at] = w / w.sum()
        if tell:
            tell(f"{m} factors kept, {share[:m].sum():.0%} of the variance.", f"保留 {m} 个因子，解释 {share[:m].sum():.0%} 的方差。")
    return out


def _components(z: Array) -> list[tuple[tuple[int, ...], Array, Array]]:
    """Eigenvalues (falling) and vectors of the correlations, for every batch that has them."""
    c = covariance(z)
    full = (~np.isnan(z).any(axis=-1)).sum(axis=-1)
    out = []
    for at in np.ndindex(z.shape[:-2]):
        sd = np.sqrt(np.diag(c[at]))
        if full[at] >= 3 and (sd > 0).all():
            values, vectors = np.linalg.eigh(c[at] / np.outer(sd, sd))
            out.append((at, values[::-1], vectors[:, ::-1]))
    return out


_DATA = frozenset({Trait.SUMS_TO_ONE, Trait.FROM_DATA, Trait.DIRECTION_FREE})

METHODS = {
    "pca": Method(pca, Text("first principal component", "主成分赋权"), "COINr 1.1.14, get_PCA", _DATA, proof="COINr, pca_*_weights.csv, agg_pca_weights.csv"),
    "factor": Method(
        factor,
        Text("factor analysis", "因子分析赋权"),
        "OECD/JRC Handbook (2008), step 6",
        _DATA,
        limits={"variance": (0, 1), "cumulative": (0, 1), "factors": (0, 1000)},
        proof="OECD/JRC Handbook, Table 16 and the row of Table 17 at hand; statsmodels, varimax",
    ),
}
