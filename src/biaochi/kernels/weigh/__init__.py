"""Weights of the children of one parent; they sum to 1."""

from biaochi.kernels.weigh import factors, spread, stated

WEIGHTINGS = {**stated.METHODS, **spread.METHODS, **factors.METHODS}
