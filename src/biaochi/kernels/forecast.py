"""One step ahead: a drift that fades, with intervals from how far off such forecasts were before."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from biaochi.kernels import missing
from biaochi.method import Array

DRIFTS = (0.0, 0.5, 1.0)
"""Shares of the mean past change that are tried."""
FADE = 0.7
"""Weight of a change against the one after it."""
OWN = 4.0
"""Forecasts of a series that weigh as much as those of all series of its kind."""
SPREAD = 1e-12


@dataclass(frozen=True)
class Forecast:
    """One step ahead; arrays are (series, kind)."""

    value: Array
    size: Array
    """What an error is measured in."""
    errors: Array
    """(round, series, kind) past errors, value less forecast, each in the size that was known without its round."""

    def reach(self, level: float) -> float:
        """Half the width of the interval, in sizes: the mean over past rounds of the quantile of errors, and its standard error."""
        with np.errstate(all="ignore"):
            each = [missing.quantile(np.abs(e), level) for e in self.errors if not np.isnan(e).all()]
        more = np.std(each, ddof=1) / np.sqrt(len(each)) if len(each) > 1 else 0.0
        return float(np.mean(each) + more)


class Series:
    """Values over time, (time, series, kind), and the forecasts made of what came before each."""

    def __init__(self, x: Array) -> None:
        self.x = x

    @cached_property
    def tried(self) -> Array:
        """(drift, time, series, kind) forecasts; NaN at the first time. There is one time more than values."""
        n = len(self.x)
        out = np.full((len(DRIFTS), n + 1, *self.x.shape[1:]), np.nan)
        total, weight = np.zeros(self.x.shape[1:]), np.zeros(self.x.shape[1:])
        for t in range(n):
            if t:
                change = self.x[t] - self.x[t - 1]
                there = ~np.isnan(change)
                total, weight = FADE * total + np.where(there, change, 0.0), FADE * weight + there
            mean = np.where(weight > 0, total / np.where(weight > 0, weight, 1.0), 0.0)
            for k, d in enumerate(DRIFTS):
                out[k, t + 1] = self.x[t] + d * mean
        return out

    def ahead(self, t: int) -> Forecast | None:
        """The forecast for a time from what came before; None where fewer than three values came before it."""
        if t < 3:
            return None
        past, tried = self.x[1:t], self.tried[:, 1:t]
        with np.errstate(all="ignore"):
            low, high = missing.quantile(self.x[:t], [0.25, 0.75], axis=(0, 1))
            spread = np.where(high > low, high - low, missing.spread(self.x[:t], axis=(0, 1)))
            spread = np.where(spread > 0, spread, 1.0)
            off = np.abs(tried[:, 1:] - past[None, 1:])
            there = ~np.isnan(off)
            mean = np.where(there, off, 0.0).sum(axis=(1, 2)) / np.maximum(there.sum(axis=(1, 2)), 1)
        best = np.argmin(mean, axis=0)  # (kind,)
        errors = (past - np.take_along_axis(tried, best[None, None, None], 0)[0]) / spread
        sizes = _without_each(np.abs(errors))
        size = _size(np.where(np.isnan(errors), 0.0, np.abs(errors)).sum(axis=0), (~np.isnan(errors)).sum(axis=0))
        value = np.take_along_axis(self.tried[:, t], best[None, None], 0)[0]
        return Forecast(value, size * spread, errors / sizes)


def _size(total: Array, n: NDArray[np.intp]) -> Array:
    """(series, kind): mean absolute error of a series, of its kind and of all, the more of the latter the fewer of the former."""
    everything = max(float(total.sum()) / max(float(n.sum()), 1.0), SPREAD)
    units = max(len(total), 1)
    kind = (total.sum(axis=0) + units * everything) / (n.sum(axis=0) + units)
    return np.asarray((total + OWN * kind) / (n + OWN))


def _without_each(size: Array) -> Array:
    """(round, series, kind): sizes without each round."""
    there = ~np.isnan(size)
    filled = np.where(there, size, 0.0)
    total, n = filled.sum(axis=0), there.sum(axis=0)
    return np.stack([_size(total - f, n - k) for f, k in zip(filled, there, strict=True)])


def backtest(series: Series, level: float, pace: float = 0.2) -> tuple[list[tuple[int, NDArray[np.bool_], Array, Array]], float]:
    """Intervals at every time from what was known before it, the level moved by how often earlier ones held.

    Parameters
    ----------
    series : Series
    level : float
        Share of values that shall lie inside.
    pace : float
        How far the level moves after each time.

    Returns
    -------
    list of (time, whether inside, lower ends, upper ends), and the level to ask for next

    References
    ----------
    .. [1] Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World (2005), for intervals from past errors; Gibbs and
       Candes, Advances in Neural Information Processing Systems 34 (2021), for the moving level.
    """
    out = []
    asked = level
    for t in range(3, len(series.x)):
        made = series.ahead(t)
        assert made is not None
        half = made.reach(min(max(asked, 0.01), 0.999)) * made.size
        x = series.x[t]
        known = ~np.isnan(made.value) & ~np.isnan(x)
        inside = np.abs(x - made.value) <= half + 1e-12 * np.abs(np.nan_to_num(x))
        out.append((t, inside & known, np.where(known, made.value - half, np.nan), np.where(known, made.value + half, np.nan)))
        if known.any():
            asked += pace * (level - float(inside[known].mean()))
    return out, min(max(asked, 0.01), 0.999)
