"""Weights of the children of one parent; they sum to 1."""

from __future__ import annotations

import numpy as np

from biaochi.errors import Text
from biaochi.method import Array, Method, Trait


def given(z: Array, *, weights: Array) -> Array:
    """Use the weights stated in the framework, divided by their sum.

    Parameters
    ----------
    z : (..., unit, indicator)
        The children's scores; only their number matters.
    weights : (indicator,)
        As stated; at least one above 0, none below.

    Returns
    -------
    (indicator,), summing to 1.
    """
    return np.asarray(weights / weights.sum())


def equal(z: Array) -> Array:
    """Give every child of a parent the same weight.

    Parameters
    ----------
    z : (..., unit, indicator)

    Returns
    -------
    (indicator,), summing to 1.
    """
    return np.full(z.shape[-1], 1.0 / z.shape[-1])


_SUM = frozenset({Trait.SUMS_TO_ONE})

WEIGHTINGS = {
    "given": Method(given, Text("as stated", "给定权重"), "OECD/JRC Handbook (2008), step 6", _SUM),
    "equal": Method(equal, Text("equal", "等权"), "OECD/JRC Handbook (2008), step 6", _SUM),
}
