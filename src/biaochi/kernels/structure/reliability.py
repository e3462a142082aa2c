"""Whether the children of a parent measure one thing: Cronbach's alpha, McDonald's omega."""

from __future__ import annotations

import numpy as np

from biaochi.kernels.moments import pairs, spread
from biaochi.kernels.structure.components import one_factor
from biaochi.method import Array


def covariances(z: Array) -> Array:
    """Covariances pair by pair over the units that have both, (indicator, indicator); NaN below 2 of them."""
    n, cov, _ = pairs(z)
    return np.where(n >= 2, cov / np.maximum(n - 1.0, 1.0), np.nan)


def alpha(z: Array, *, standard: bool = False) -> float:
    """Cronbach's alpha: mean covariance of the indicators over the mean of all covariances and variances.

    ``k^2 c / sum C`` with pairwise covariances C and their mean off the diagonal c

    Parameters
    ----------
    z : (unit, indicator)
    standard : bool
        Of correlations in place of covariances.

    Returns
    -------
    float
        Below 0 where covariances are mostly negative. NaN for fewer than 2 indicators, one without spread
        (standard) or a pair without 2 common units.

    References
    ----------
    .. [1] Cronbach, Psychometrika 16 (1951) 297-334; COINr 1.1.14, get_cronbach.
    """
    k = z.shape[1]
    if k < 2:
        return float("nan")
    c = _matrix(z, standard=standard)
    total = float(c.sum())
    return float(k**2 * ((total - np.trace(c)) / (k * (k - 1))) / total) if total != 0 else float("nan")


def _matrix(z: Array, *, standard: bool) -> Array:
    if not standard:
        return covariances(z)
    r = spread(z)[1].copy()
    np.fill_diagonal(r, np.where(np.isnan(np.diagonal(r)), np.nan, 1.0))
    return r


def without(z: Array, *, standard: bool = False) -> tuple[Array, Array]:
    """Alpha without each indicator, and the correlation of each with the sum of the others.

    Parameters
    ----------
    z : (unit, indicator)
    standard : bool
        Indicators brought to unit variance first.

    Returns
    -------
    alpha, correlation : (indicator,)
        The correlation over the units that have all indicators.

    References
    ----------
    .. [1] OECD/JRC Handbook (2008), Table 11.
    """
    k = z.shape[1]
    each = np.array([alpha(np.delete(z, j, axis=1), standard=standard) for j in range(k)])
    full = z[~np.isnan(z).any(axis=1)]
    if standard and len(full) > 1:
        full = (full - full.mean(axis=0)) / np.where(full.std(axis=0) > 0, full.std(axis=0), np.nan)
    rest = np.full(k, np.nan)
    for j in range(k if len(full) > 2 and k > 1 else 0):
        others = np.delete(full, j, axis=1).sum(axis=1)
        if np.ptp(full[:, j]) > 0 and np.ptp(others) > 0:
            rest[j] = float(np.corrcoef(full[:, j], others)[0, 1])
    return each, rest


def omega(z: Array) -> float:
    """McDonald's omega: share of the variance of the sum that one common factor explains.

    ``(sum l)^2 / ((sum l)^2 + sum (1 - l^2))`` with the loadings l of one factor on the correlations

    Parameters
    ----------
    z : (unit, indicator)

    Returns
    -------
    float
        0 to 1; NaN for fewer than 3 indicators (one factor is not determined), or an indicator without spread.

    References
    ----------
    .. [1] McDonald, Test Theory (1999), omega total.
    """
    if z.shape[1] < 3:
        return float("nan")
    loadings = one_factor(_matrix(z, standard=True))
    common = float(loadings.sum() ** 2)
    return common / (common + float((1.0 - loadings**2).sum()))
