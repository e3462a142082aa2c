"""Fill gaps. A value that was there always comes back unchanged."""

from biaochi.kernels.impute import column, others, time

IMPUTERS = {**column.METHODS, **time.METHODS, **others.METHODS}
