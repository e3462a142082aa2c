"""Children to parent. Missing children are left out and the weights of the others renormalised."""

from biaochi.kernels.aggregate import doubt, electre, ideal, mean, outrank

AGGREGATORS = {**mean.METHODS, **ideal.METHODS, **outrank.METHODS, **electre.METHODS, **doubt.METHODS}
