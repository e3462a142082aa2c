"""Figures that related series and neighbours do not lead one to expect."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from biaochi.kernels import missing
from biaochi.method import Array

RELATED = 5
"""Series that an expectation is made from."""
TUKEY = 4.685
"""Residuals beyond this many standard deviations have no weight."""
TIMES = 5
FEW = 30
"""Units that an expectation needs."""


def surprises(y: Array, groups: NDArray[np.intp] | None, noise: Array) -> tuple[Array, Array]:
    """How far values lie from what the most related series and the neighbours make expect.

    Parameters
    ----------
    y : (unit, series)
        Values of about the same spread everywhere: logarithms of counts, changes of logarithms.
    groups : (unit,), optional
        Number of each unit's neighbourhood, -1 for none.
    noise : (unit, series)
        Standard deviation that a value has by its own smallness.

    Returns
    -------
    (unit, series) deviations in standard deviations, and expected values; NaN where there is none.
    """
    out, expected = np.full(y.shape, np.nan), np.full(y.shape, np.nan)
    related = _related(y)
    for j in range(y.shape[1]):
        there = ~np.isnan(y[:, j])
        if there.sum() < FEW:
            continue
        filled = y[:, related[j]]
        with np.errstate(all="ignore"):
            filled = np.where(np.isnan(filled), missing.median(filled, axis=0), filled)
        design = np.column_stack([np.ones(len(y)), np.nan_to_num(filled)])
        fit = design @ _robust(design[there], y[there, j], noise[there, j])
        rest = y[:, j] - fit
        if groups is not None:
            shared = _shared(rest, groups)
            fit, rest = fit + shared, rest - shared
        spread = 1.4826 * missing.median(np.abs(rest))
        own = np.sqrt(max(spread, 1e-12) ** 2 + noise[:, j] ** 2)
        out[:, j], expected[:, j] = rest / own, fit
    return out, expected


def _related(y: Array) -> list[NDArray[np.intp]]:
    """For each series, those whose ranks go most with its own."""
    there = ~np.isnan(y)
    ranks = np.argsort(np.argsort(np.where(there, y, np.inf), axis=0, kind="stable"), axis=0, kind="stable").astype(float)
    ranks = np.where(there, ranks, np.nan)
    z = ranks - missing.mean(ranks, axis=0)
    filled = np.where(np.isnan(z), 0.0, z)
    n = np.sqrt(np.maximum((filled**2).sum(axis=0), 1e-12))
    close = np.abs(filled.T @ filled) / n[:, None] / n
    np.fill_diagonal(close, -1.0)
    same = close > 1 - 1e-9  # the same figures again tell nothing
    close[same] = -1.0
    k = min(RELATED, y.shape[1] - 1)
    return [np.argsort(-close[j], kind="stable")[:k] for j in range(y.shape[1])]


def _robust(design: Array, y: Array, noise: Array) -> Any:
    """Coefficients by Tukey's biweight, from the median line on."""
    ridge = 1e-9 * len(y) * np.diag(np.maximum(design.var(axis=0), 1e-12))
    weight: Any = np.ones(len(y))
    b: Any = np.zeros(design.shape[1])
    for turn in range(TIMES):
        w = design * weight[:, None]
        b = np.linalg.solve(w.T @ design + ridge, w.T @ y)
        rest = y - design @ b
        scale = np.sqrt((1.4826 * np.median(np.abs(rest - np.median(rest)))) ** 2 + noise**2)
        t = np.abs(rest) / np.maximum(scale, 1e-12)
        weight = np.where(t < 1.345, 1.0, 1.345 / np.maximum(t, 1e-12)) if turn < 2 else np.maximum(1 - (t / TUKEY) ** 2, 0.0) ** 2
        weight = weight / np.maximum(1.0, (noise / np.maximum(np.median(scale), 1e-12)) ** 2)
    return b


def _shared(rest: Array, groups: NDArray[np.intp]) -> Array:
    """For each unit, what its neighbours have in common, the less the fewer they are."""
    out = np.zeros(len(rest))
    for g in range(int(groups.max(initial=-1)) + 1):
        inside = np.flatnonzero((groups == g) & ~np.isnan(rest))
        for u in inside:
            others = rest[inside[inside != u]]
            if len(others):
                out[u] = np.median(others) * len(others) / (len(others) + 3)
    return out
