"""Outliers and skew."""

from biaochi.kernels.treat import pull, scheme, transform

TREATMENTS = {**pull.METHODS, **transform.METHODS, **scheme.METHODS}
