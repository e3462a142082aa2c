"""A common scale. ``ref`` sets it: the same period, all periods, a base period; higher is better by now."""

from biaochi.kernels.normalise import efficacy, order, ratio, scale, time

NORMALISERS = {**scale.METHODS, **efficacy.METHODS, **ratio.METHODS, **order.METHODS, **time.METHODS}
