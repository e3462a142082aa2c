"""Components and factors of correlations, and whether there is anything to factor."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from biaochi.kernels.moments import covariance
from biaochi.method import Array


class Components(NamedTuple):
    """Principal components of correlations, largest first."""

    values: Array
    """(component,): eigenvalues; they sum to the number of indicators."""
    vectors: Array
    """(indicator, component): unit length, each with its largest entries mostly positive."""


def correlations(z: Array) -> Array:
    """Correlations over the units that have all indicators, (indicator, indicator); NaN without 3 of them or spread."""
    full = int((~np.isnan(z).any(axis=-1)).sum())
    c = covariance(z)
    sd = np.sqrt(np.diagonal(c))
    if full < 3 or not (sd > 0).all():
        return np.full(c.shape, np.nan)
    r = c / np.outer(sd, sd)
    np.fill_diagonal(r, 1.0)
    return np.asarray(np.clip(r, -1.0, 1.0))


def components(r: Array) -> Components:
    """Principal components of correlations; NaN where a correlation is unknown.

    Parameters
    ----------
    r : (indicator, indicator)

    Returns
    -------
    Components
        The sign of a vector is free; it is set so that its entries sum to 0 or more.
    """
    if np.isnan(r).any():
        return Components(np.full(len(r), np.nan), np.full(r.shape, np.nan))
    values, vectors = np.linalg.eigh(r)
    values, vectors = values[::-1], vectors[:, ::-1]
    sign = np.where(vectors.sum(axis=0) < 0, -1.0, 1.0)
    return Components(np.maximum(values, 0.0), vectors * sign)


def loadings(r: Array, factors: int, *, method: str = "components", rotate: bool = True) -> Array:
    """Loadings of some factors.

    Parameters
    ----------
    r : (indicator, indicator)
    factors : int
    method : {"components", "axes"}
        Principal components, or principal axes iterated to communalities that reproduce themselves (the
        minimum residual solution).
    rotate : bool
        By varimax.

    Returns
    -------
    (indicator, factor)
    """
    if np.isnan(r).any():
        return np.full((len(r), factors), np.nan)
    if method == "axes":
        found = principal_axes(r, factors)
    else:
        values, vectors = components(r)
        found = vectors[:, :factors] * np.sqrt(values[:factors])
    turned = varimax(found) if rotate and factors > 1 else found
    return np.asarray(turned * np.where(turned.sum(axis=0) < 0, -1.0, 1.0))  # the sign of a factor is free


def principal_axes(r: Array, factors: int, *, sweeps: int = 20_000, tolerance: float = 1e-12) -> Array:
    """Loadings whose communalities reproduce themselves, starting from squared multiple correlations.

    Communalities are held at 1 (a Heywood case) where they would pass it.
    """
    reduced = r.copy()
    h = 1.0 - 1.0 / np.maximum(np.diagonal(np.linalg.pinv(r)), 1.0)
    found = np.zeros((len(r), factors))
    for _ in range(sweeps):
        np.fill_diagonal(reduced, h)
        values, vectors = np.linalg.eigh(reduced)
        found = vectors[:, ::-1][:, :factors] * np.sqrt(np.maximum(values[::-1][:factors], 0.0))
        new = np.minimum((found**2).sum(axis=1), 1.0)
        if np.abs(new - h).max() <= tolerance:
            break
        h = new
    size = (found**2).sum(axis=1, keepdims=True)
    held = found * np.sqrt(np.where(size > 1.0, 1.0 / np.where(size > 0, size, 1.0), 1.0))
    return np.asarray(held * np.where(held.sum(axis=0) < 0, -1.0, 1.0))


def one_factor(r: Array) -> Array:
    """Loadings of one common factor, (indicator,); NaN where a correlation is unknown."""
    return np.full(len(r), np.nan) if np.isnan(r).any() else principal_axes(r, 1)[:, 0]


def kmo(r: Array) -> tuple[float, Array]:
    """Kaiser-Meyer-Olkin measure of sampling adequacy, of all indicators and of each.

    Squared correlations over themselves plus squared partial correlations, which vanish where common factors
    explain all association.

    Parameters
    ----------
    r : (indicator, indicator)

    Returns
    -------
    overall : float
    each : (indicator,)
        0 to 1; NaN where an indicator follows exactly from the others.

    References
    ----------
    .. [1] Kaiser, Psychometrika 39 (1974) 31-36.
    """
    m = len(r)
    if m < 2 or np.isnan(r).any() or np.linalg.cond(r) > 1e12:
        return float("nan"), np.full(m, np.nan)
    inverse = np.linalg.inv(r)
    d = np.sqrt(np.diagonal(inverse))
    partial = inverse / np.outer(d, d)
    a, b = r**2, partial**2
    np.fill_diagonal(a, 0.0)
    np.fill_diagonal(b, 0.0)
    with np.errstate(invalid="ignore"):
        return float(a.sum() / (a.sum() + b.sum())), np.asarray(a.sum(axis=0) / (a.sum(axis=0) + b.sum(axis=0)))


def bartlett(r: Array, n: int) -> tuple[float, int, float]:
    """Bartlett's test that indicators are uncorrelated: statistic, degrees of freedom, p-value.

    ``-(n - 1 - (2 m + 5) / 6) ln det R``, chi-squared with ``m (m - 1) / 2`` degrees of freedom

    Parameters
    ----------
    r : (indicator, indicator)
    n : int
        Units.

    Returns
    -------
    statistic, degrees of freedom, p-value; infinite and 0 where an indicator follows exactly from the others,
    NaN where a correlation is unknown, or there are no more units than indicators.

    References
    ----------
    .. [1] Bartlett, Brit. J. Statistical Psychology 3 (1950) 77-85.
    """
    from scipy.special import gammaincc

    m = len(r)
    df = m * (m - 1) // 2
    if m < 2 or np.isnan(r).any() or n <= m:
        return float("nan"), df, float("nan")
    if np.linalg.cond(r) > 1e12:
        return float("inf"), df, 0.0
    log = float(np.linalg.slogdet(r)[1])
    statistic = float(-(n - 1 - (2 * m + 5) / 6) * log)
    return statistic, df, float(gammaincc(df / 2, max(statistic, 0.0) / 2))


def varimax(loadings: Array, *, sweeps: int = 500, tolerance: float = 1e-12) -> Array:
    """Turn factors so that each has few large loadings (Kaiser's varimax, rows normalised).

    Parameters
    ----------
    loadings : (indicator, factor)
    sweeps : int
        Rounds over all pairs of factors, at most; each pair is turned by the angle that is best for it.
    tolerance : float
        Stop when no angle (in radians) is larger.

    Returns
    -------
    (indicator, factor), the same communalities.

    References
    ----------
    .. [1] Kaiser, Psychometrika 23 (1958) 187-200.
    """
    size = np.sqrt((loadings**2).sum(axis=1, keepdims=True))
    a = loadings / np.where(size > 0, size, 1.0)
    n, m = a.shape
    for _ in range(sweeps):
        largest = 0.0
        for p in range(m):
            for q in range(p + 1, m):
                x, y = a[:, p].copy(), a[:, q].copy()
                u, v = x * x - y * y, 2.0 * x * y
                across = 2.0 * (u @ v) - 2.0 * u.sum() * v.sum() / n
                along = u @ u - v @ v - (u.sum() ** 2 - v.sum() ** 2) / n
                angle = np.arctan2(across, along) / 4.0 if max(abs(across), abs(along)) > 1e-14 else 0.0
                a[:, p], a[:, q] = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
                largest = max(largest, abs(float(angle)))
        if largest <= tolerance:
            break
    return np.asarray(a * size)
