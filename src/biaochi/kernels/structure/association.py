"""Association of indicators, pair by pair over the units that have both."""

from __future__ import annotations

from typing import Literal

import numpy as np

from biaochi.kernels.moments import correlation, whole
from biaochi.method import Array

Kind = Literal["pearson", "spearman", "kendall"]
KINDS = ("pearson", "spearman", "kendall")


def together(x: Array, y: Array) -> Array:
    """How many units have both, (indicator of x, indicator of y)."""
    return np.asarray((~np.isnan(x)).T.astype(float) @ (~np.isnan(y)).astype(float))


def association(x: Array, y: Array, kind: Kind = "pearson") -> tuple[Array, Array]:
    """Correlation of every column of x with every column of y, and its two-sided p-value.

    Parameters
    ----------
    x : (unit, a)
    y : (unit, b)
    kind : {"pearson", "spearman", "kendall"}
        Product-moment; the same of average ranks among the units of the pair; tau-b.

    Returns
    -------
    r, p : (a, b)
        NaN for a column without spread in the pair, or fewer than 3 common units. Pearson and Spearman by Student's t with n - 2 degrees of freedom; Kendall exact without ties
        and up to 33 units, else normal (SciPy).

    References
    ----------
    .. [1] R, cor.test. Kendall, Rank Correlation Methods (1970).
    """
    if kind == "kendall":
        return _kendall(x, y)
    r = _spearman(x, y) if kind == "spearman" else correlation(np.concatenate([x, y], axis=1))[: x.shape[1], x.shape[1] :]
    n = together(x, y)
    return np.where(n < 3, np.nan, r), student(r, n)


def student(r: Array, n: Array) -> Array:
    """Two-sided p-value of a correlation of n pairs by Student's t; 0 for an exact one."""
    from scipy.special import betainc

    df = n - 2.0
    with np.errstate(divide="ignore", invalid="ignore"):
        p = betainc(np.where(df > 0, df, np.nan) / 2.0, 0.5, (1.0 - r) * (1.0 + r))
    return np.asarray(np.where(df > 0, p, np.nan))


def _ranks(x: Array) -> Array:
    from scipy.stats import rankdata

    return np.asarray(rankdata(x, axis=0, nan_policy="omit"), float)


def _spearman(x: Array, y: Array) -> Array:
    if whole(x) and whole(y):
        return correlation(np.concatenate([_ranks(x), _ranks(y)], axis=1))[: x.shape[1], x.shape[1] :]
    out = np.empty((x.shape[1], y.shape[1]))
    for i, a in enumerate(x.T):
        for j, b in enumerate(y.T):
            both = ~np.isnan(a) & ~np.isnan(b)
            pair = np.column_stack([a, b])[both]
            out[i, j] = correlation(_ranks(pair))[0, 1] if both.sum() >= 2 else np.nan
    return out


def _kendall(x: Array, y: Array) -> tuple[Array, Array]:
    from scipy.stats import kendalltau

    r, p = np.full((x.shape[1], y.shape[1]), np.nan), np.full((x.shape[1], y.shape[1]), np.nan)
    for i, a in enumerate(x.T):
        for j, b in enumerate(y.T):
            both = ~np.isnan(a) & ~np.isnan(b)
            if both.sum() >= 3 and np.ptp(a[both]) > 0 and np.ptp(b[both]) > 0:
                got = kendalltau(a[both], b[both])
                r[i, j], p[i, j] = got.statistic, got.pvalue
    return r, p


def explained(z: Array) -> Array:
    """Share of each indicator's variance the others explain (squared multiple correlation), (indicator,).

    Over the units that have all; NaN where there are too few of them (indicators + 2) or no spread; 1 where the
    others give it exactly. ``1 / (1 - share)`` is the variance inflation factor.
    """
    full = z[~np.isnan(z).any(axis=1)]
    n, m = full.shape
    out = np.full(m, np.nan)
    if n < m + 2:
        return out
    for j in range(m):
        y = full[:, j]
        rest = np.column_stack([np.ones(n), np.delete(full, j, axis=1)])
        if np.ptp(y) > 0:
            size = np.abs(rest).max(axis=0)
            left = y - rest @ (np.linalg.lstsq(rest / np.where(size > 0, size, 1.0), y, rcond=None)[0] / np.where(size > 0, size, 1.0))
            out[j] = 1.0 - min(float((left**2).sum() / ((y - y.mean()) ** 2).sum()), 1.0)
    return out


def clusters(r: Array, apart: float) -> Array:
    """Numbers of the clusters of indicators joined while their mean distance 1 - r is at most ``apart``, (indicator,).

    Average linkage. Indicators are left out, the one with most unknown correlations first, until all are
    known; those left out stand alone.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    m = len(r)
    known = np.ones(m, bool)
    unknown = np.isnan(r)
    while (gaps := unknown[known][:, known].sum(axis=1)).any():
        known[np.flatnonzero(known)[int(gaps.argmax())]] = False
    out = np.zeros(m)
    at = np.flatnonzero(known)
    inner = np.zeros(len(at))
    if len(at) > 1:
        distance = np.clip(1.0 - r[np.ix_(at, at)], 0.0, 2.0)
        np.fill_diagonal(distance, 0.0)
        inner = fcluster(linkage(squareform((distance + distance.T) / 2, checks=False), "average"), apart, "distance").astype(float)
    first: dict[float, int] = {}
    for i in range(m):
        label = inner[np.searchsorted(at, i)] if known[i] else -1.0 - i
        out[i] = first.setdefault(float(label), len(first))
    return out
