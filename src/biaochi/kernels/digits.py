"""What digits of reported figures look like: rounding and first digits, against what the other figures look like."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from biaochi.kernels import missing
from biaochi.method import Array

FROM = 100.0
"""The last digits of smaller figures are not looked at."""
FIRST = np.log10(1 + 1 / np.arange(1, 10))
"""Benford's law."""
PRIOR = 20.0
"""Figures that Benford's law weighs as much as, beside the first digits that a series has."""


def whole(x: Array) -> NDArray[np.bool_]:
    """(series,) whether all values are counts: whole numbers, some of them large enough to be looked at."""
    there = ~np.isnan(x)
    same = np.where(there, x == np.round(x), True)
    return np.asarray(same.all(axis=0) & (np.where(there, np.abs(x), 0.0) >= FROM).any(axis=0))


def rounded_off(x: Array, to: int) -> tuple[NDArray[np.bool_], Array, NDArray[np.intp]]:
    """Counts that are multiples of a number far more often in a unit than in the rest.

    Parameters
    ----------
    x : (unit, series)
        Counts.
    to : int
        5, 10 or 100.

    Returns
    -------
    (unit, series) whether a count is such a multiple, (unit,) the chance of so many by the share that all units have, and
    (unit,) how many counts were looked at.
    """
    looked = ~np.isnan(x) & (np.abs(x) >= max(FROM, to * 10))
    round_ = looked & (np.where(looked, x, 1.0) % to == 0)
    total, hits = looked.sum(), round_.sum()
    base = max(hits / total if total else 0.0, 1 / to)
    n, k = looked.sum(axis=1), round_.sum(axis=1)
    return round_, np.where(n > 0, binom.sf(k - 1, n, base), 1.0), n


def first_digits(x: Array) -> NDArray[np.intp]:
    """First digits, 1 to 9; 0 where there is none."""
    there = ~np.isnan(x) & (x != 0)
    size = np.abs(np.where(there, x, 1.0))
    lead = np.floor(size / 10 ** np.floor(np.log10(size)) + 1e-9).astype(np.intp)
    return np.where(there, np.clip(lead, 1, 9), 0)


def unlike_others(x: Array) -> tuple[Array, NDArray[np.intp]]:
    """How unlikely each unit's first digits are, by those its series have in other units and Benford's law.

    Parameters
    ----------
    x : (unit, series)

    Returns
    -------
    (unit,) deviations of the mean log chance from that of the other units, in robust standard deviations (below 0: less
    likely), and (unit,) how many figures were looked at.
    """
    d = first_digits(np.where(np.abs(x) >= 10, x, np.nan))
    log = np.zeros(x.shape)
    spread = np.zeros(x.shape)
    for j in range(x.shape[1]):
        n = np.bincount(d[d[:, j] > 0, j], minlength=10)[1:].astype(float)
        chance = (n + PRIOR * FIRST) / (n.sum() + PRIOR)
        mean = float(chance @ np.log(chance))
        log[:, j] = np.where(d[:, j] > 0, np.log(chance)[np.maximum(d[:, j] - 1, 0)] - mean, 0.0)
        spread[:, j] = np.where(d[:, j] > 0, float(chance @ (np.log(chance) - mean) ** 2), 0.0)
    n = (d > 0).sum(axis=1)
    with np.errstate(all="ignore"):
        z = np.where(n > 0, log.sum(axis=1) / np.sqrt(np.maximum(spread.sum(axis=1), 1e-12)), np.nan)
        center = missing.median(z)
        scale = 1.4826 * missing.median(np.abs(z - center))
    return (z - center) / max(float(scale), 1e-12), n
