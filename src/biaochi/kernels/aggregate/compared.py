"""What units are compared on: children that have a weight and that some unit compared with has."""

from __future__ import annotations

import numpy as np

from biaochi.kernels.moments import Counts, counted, ratio, whole
from biaochi.method import Array


def compared(z: Array, w: Array, counts: Counts) -> Array:
    """The scores that take part: NaN for children of weight 0, and for those no unit that counts has."""
    if counts is None and (w != 0).all() and whole(z):
        return z
    known = (~np.isnan(counted(z, counts))).any(axis=-2, keepdims=True)
    return np.where(known & (w[..., None, :] != 0), z, np.nan)


def shares(z: Array, w: Array) -> Array:
    """Weights of the children a unit has, summing to 1; 0 for the missing ones."""
    kept = np.where(np.isnan(z), 0.0, w[..., None, :])
    return np.nan_to_num(ratio(kept, kept.sum(axis=-1, keepdims=True)))
