"""Whether a gain survives the what-ifs: the same what-ifs with and without it."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from biaochi.diagnosis.trial import Trials
from biaochi.errors import BiaochiError
from biaochi.framework import Framework
from biaochi.method import Array
from biaochi.panel import Panel
from biaochi.result import Result
from biaochi.robustness import robustness
from biaochi.run import run
from biaochi.scenarios import TIES
from biaochi.study import Study


class Chances(NamedTuple):
    """Shares of the what-ifs."""

    holds: float
    """The place is reached."""
    gains: float
    """The unit stands higher than in the same what-if without the change."""
    replicates: int


def chances(trials: Trials, x: Array, unit: int, place: float, study: Study | None, replicates: int) -> Chances | None:
    """How often a place is reached, and how often there is a gain, with other values of a period.

    Parameters
    ----------
    trials : Trials
    x : (unit, indicator)
        Values after the denominators.
    unit : int
    place : float
    study : Study, optional
    replicates : int

    Returns
    -------
    Chances, or None where nothing can vary, or the run does not come back from values after their denominators.
    """
    before, after = (_ranks(grounded(trials.result, trials.p, v), trials, unit, study, replicates) for v in (trials.x, x))
    if before is None or after is None:
        return None
    known = (before > 0) & (after > 0)
    if not known.any():
        return None
    return Chances(float((after[known] <= place + 1e-9).mean()), float((after[known] < before[known]).mean()), int(known.sum()))


def grounded(result: Result, p: int, x: Array) -> Result | None:
    """The run made anew of values after their denominators, one period of them changed; None where it gives other scores for the
    same values."""
    framework = Framework([replace(n, formula=None, denominator=None) for n in result.framework.walk()])
    values = result.stages["denominated"].copy()
    same = np.array_equal(values[p], x, equal_nan=True)
    values[p] = x
    panel = Panel(result.panel.periods, result.panel.units, result.indicators, values, np.full(values.shape, "", "<U1"), np.zeros(values.shape, np.int32))
    try:
        made = run(framework, panel, result.recipe)
    except BiaochiError:
        return None
    if same and not np.allclose(made.scores[p, :, 0], result.scores[p, :, 0], rtol=1e-9, atol=1e-9, equal_nan=True):
        return None
    return made


def _ranks(made: Result | None, trials: Trials, unit: int, study: Study | None, replicates: int) -> Array | None:
    """(replicate,) ranks of a unit; 0 where it has none."""
    if made is None:
        return None
    period = str(made.panel.periods[trials.p])
    try:
        found = robustness(made, study, replicates=replicates, periods=[period], keep=True, pairs=False)
    except BiaochiError:
        return None
    ranks = found.ranks(None, period)
    assert found.counted.ranks is not None
    at = int(np.flatnonzero(np.asarray(ranks.target.order) == unit)[0])
    return np.asarray(found.counted.ranks[0][at] / (2.0 if found.plan.ties == TIES["average"] else 1.0))
