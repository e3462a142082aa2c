"""Variance-based indices from the outputs of a Saltelli design, and their bootstrap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from biaochi.errors import BadOption
from biaochi.method import Array


@dataclass(frozen=True)
class Indices:
    """Shares of the variance of one output, by input."""

    first: Array
    """(..., input) due to the input alone; sampling error can take it a little below 0."""
    total: Array
    """(..., input) due to the input alone and together with others."""
    second: Array | None
    """(..., input, input) due to two together, beyond each alone; NaN on and below the diagonal."""
    variance: Array
    """(...,) of the output."""


def indices(a: Array, b: Array, ab: Array, ba: Array | None = None, *, centred: bool = True, ddof: int = 0) -> Indices:
    """Sobol indices: first order after Saltelli (2010), total after Jansen (1999), second after Saltelli (2002).

    ``S_i = mean((yB - m)(yAB_i - yA)) / V``, ``T_i = mean((yA - yAB_i)^2) / 2V``,
    ``S_ij = mean(yBA_i yAB_j - yA yB) / V - S_i - S_j``

    Parameters
    ----------
    a, b : (..., sample)
        Outputs at two independent designs A and B.
    ab : (..., input, sample)
        Outputs at A with the columns of one input from B.
    ba : (..., input, sample), optional
        The reverse, for second order.
    centred : bool
        Take the mean m of all of A and B from the outputs first: without (COINr, m = 0) the first order is very noisy.
    ddof : int
        V over A and B together, divided by their number less this.

    Returns
    -------
    Indices. An output without variance has NaN.

    References
    ----------
    .. [1] Saltelli et al., Computer Physics Communications 181 (2010) 259-270; 145 (2002) 280-297.
    .. [2] Jansen, Computer Physics Communications 117 (1999) 35-43.
    """
    if a.shape != b.shape or ab.shape != (*a.shape[:-1], ab.shape[-2], a.shape[-1]):
        raise BadOption(
            "indices",
            f"needs outputs of one shape (..., sample); got {a.shape}, {b.shape}, {ab.shape}.",
            f"需要形状一致的输出 (..., 样本)；得到 {a.shape}、{b.shape}、{ab.shape}。",
        )
    both = np.concatenate([a, b], axis=-1)
    mean = both.mean(axis=-1, keepdims=True)
    variance = both.var(axis=-1, ddof=ddof)
    flat = np.ptp(both, axis=-1) <= 1e-12 * np.abs(mean[..., 0])
    v = np.where(flat | (variance == 0), np.nan, variance)[..., None]
    shift = mean if centred else np.zeros_like(mean)
    first = ((b - shift)[..., None, :] * (ab - a[..., None, :])).mean(axis=-1) / v
    total = ((a[..., None, :] - ab) ** 2).mean(axis=-1) / (2 * v)
    second = None
    if ba is not None:
        m = shift[..., None, :]
        cross = np.einsum("...in,...jn->...ij", ba - m, ab - m) / a.shape[-1] - ((a - shift) * (b - shift)).mean(axis=-1)[..., None, None]
        second = cross / v[..., None] - first[..., :, None] - first[..., None, :]
        second = np.where(np.triu(np.ones(second.shape[-2:], bool), 1), second, np.nan)
    return Indices(first, total, second, variance)


def resampled(
    a: Array, b: Array, ab: Array, *, draws: int, rng: np.random.Generator, fixed_variance: bool = False, centred: bool = True, ddof: int = 0
) -> tuple[Array, Array]:
    """First and total order of bootstrap samples, each (draw, ..., input): base samples are drawn with replacement.

    Parameters
    ----------
    a, b, ab
        See `indices`.
    draws : int
    rng : numpy.random.Generator
    fixed_variance : bool
        Divide by the variance of the original sample (COINr) instead of each draw's own.
    """
    n = a.shape[-1]
    counts = rng.multinomial(n, np.full(n, 1 / n), size=draws) / n  # (draw, sample): weights of the samples
    both_mean = (counts @ np.moveaxis(a + b, -1, 0).reshape(n, -1) / 2).reshape(draws, *a.shape[:-1])
    squares = (counts @ np.moveaxis(a**2 + b**2, -1, 0).reshape(n, -1) / 2).reshape(draws, *a.shape[:-1])
    whole = np.concatenate([a, b], axis=-1)
    mean = whole.mean(axis=-1)
    v = np.broadcast_to(whole.var(axis=-1, ddof=ddof), both_mean.shape) if fixed_variance else squares - both_mean**2
    v = np.where(v > 0, v, np.nan)[..., None]
    m = mean if centred else np.zeros_like(mean)
    p1 = (b - m[..., None])[..., None, :] * (ab - a[..., None, :])
    p2 = (a[..., None, :] - ab) ** 2
    first, total = ((counts @ np.moveaxis(p, -1, 0).reshape(n, -1)).reshape(draws, *p.shape[:-1]) for p in (p1, p2))
    return first / v, total / (2 * v)
