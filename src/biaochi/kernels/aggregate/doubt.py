"""Benefit of the doubt: each unit's own best weights, within a corridor around the nominal ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from biaochi.errors import Text
from biaochi.kernels.aggregate.compared import compared
from biaochi.kernels.frontier.forms import radial
from biaochi.kernels.frontier.simplex import Restrictions
from biaochi.kernels.moments import Counts
from biaochi.method import Array, Method, Tell, Trait


def benefit_of_the_doubt(z: Array, w: Array, *, counts: Counts = None, low: float = 0.0, high: float | None = None, tell: Tell = None) -> Array:
    """Share of the best weighted sum of any unit, under the weights that serve the unit best.

    ``max y_k . v`` with ``Y v <= 1, v >= 0`` and, where asked for, ``low w_j <= v_j y_kj / v . y_k <= high w_j``

    Parameters
    ----------
    z : (..., unit, indicator)
        Scores of the children, from 0 up. NaN counts as 0: a unit earns nothing where it has no value.
    w : (..., indicator)
        Nominal weights, the middle of the corridor; without one they matter only where they are 0.
    counts : (..., unit) bool
        Units compared with.
    low, high : float
        Lowest and highest share a child may have in a unit's sum, as multiples of its nominal weight; ``high`` None
        is no limit.

    Returns
    -------
    (..., unit), 0 to 1 for the units that count. NaN for a unit no weights within the corridor can serve, or with a
    value below 0.

    References
    ----------
    .. [1] Melyn and Moesen (1991); Cherchye, Moesen, Rogge and Van Puyenbroeck, Social Indicators Research 82 (2007) 111-145.
    """
    z = compared(z, w, counts)
    shape = z.shape[:-1]
    flat = z.reshape(-1, *z.shape[-2:])
    weights = np.broadcast_to(w, (*shape[:-1], z.shape[-1])).reshape(-1, z.shape[-1])
    inside = np.ones(shape, bool) if counts is None else np.broadcast_to(counts, shape)
    out = np.stack([_one(x, v, c, low, high) for x, v, c in zip(flat, weights, inside.reshape(-1, shape[-1]), strict=True)])
    lost = int((np.isnan(out) & ~np.isnan(flat).all(axis=-1)).sum())
    if lost and tell is not None:
        tell(f"no weights within the corridor can serve {lost} units", f"有 {lost} 个单位在权重范围内无可行权重")
    return out.reshape(shape)


def _one(z: Array, w: Array, counts: NDArray[np.bool_], low: float, high: float | None) -> Array:
    """Scores of one period."""
    there = ~np.isnan(z).all(axis=1) & ~(z < 0).any(axis=1)
    used = (w > 0) & (~np.isnan(z[there & counts])).any(axis=0)
    rows = np.nan_to_num(z[there & counts][:, used])
    out = np.full(len(z), np.nan)
    if len(rows) and used.any():
        out[there] = radial(np.nan_to_num(z[there][:, used]), rows, _corridor(w[used] / w[used].sum(), low, high)).scores
    return np.where(np.isfinite(out), out, np.nan)


def _corridor(w: Array, low: float, high: float | None) -> Restrictions | None:
    m = len(w)
    rows = []
    if low > 0:
        rows.append(low * w[:, None] - np.eye(m))
    if high is not None:
        rows.append(np.eye(m) - high * w[:, None])
    if not rows:
        return None
    shares = np.concatenate(rows)
    return Restrictions(np.zeros_like(shares), shares, np.zeros(len(shares)))


METHODS = {
    "bod": Method(
        benefit_of_the_doubt, Text("benefit of the doubt (data envelopment)", "数据包络（BoD）"), "Melyn and Moesen (1991); Cherchye et al. (2007)",
        frozenset({Trait.COMPARES_UNITS, Trait.NEEDS_NONNEGATIVE, Trait.UNIT_INTERVAL}),
        limits={"low": (0.0, 1.0), "high": (1.0, np.inf)},
        proof="linear programs posed to SciPy's HiGHS",
    ),
}  # fmt: skip
"""The registry's lines of this theme."""
