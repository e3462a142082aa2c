"""Series as they are in the data or as their formulas give them."""

from __future__ import annotations

import numpy as np

from biaochi.formula import Setting
from biaochi.job import Job
from biaochi.method import Array


def derive(job: Job) -> Array:
    """Indicators as they are in the data or as their formulas give them, (period, unit, indicator)."""
    series: dict[str, Array] = {}
    for node in job.indicators:
        series_of(job, node.code, series)
    return np.stack([series[n.code] for n in job.indicators], axis=-1)


def setting_of(job: Job) -> Setting:
    """What formulas that look across periods and units need to know."""
    shape = job.panel.values.shape[:2]
    return Setting(job.panel.periods, np.broadcast_to(job.panel.counts, shape))


def series_of(job: Job, code: str, series: dict[str, Array]) -> Array:
    """A series from the data or from its formula, with everything the formula reads; no recursion, chains may be long."""
    waiting = [code]
    while waiting:
        at = waiting[-1]
        formula = job.framework[at].reads
        missing = [n for n in sorted(formula.names) if n not in series] if formula else []
        if at in series or missing:
            waiting = waiting[:-1] if at in series else waiting + missing
            continue
        series[at] = formula.compute(series, setting_of(job)) if formula else job.panel.series(at)
        waiting.pop()
    return series[code]
