"""Early warning: where indicators and scores are heading, which target will be missed, which place lost, and how often such warnings held."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biaochi.errors import BadOption
from biaochi.framework import Optimum
from biaochi.kernels import missing
from biaochi.kernels.forecast import Forecast, Series, backtest
from biaochi.kernels.rank import rank
from biaochi.method import Array, is_number, or_none
from biaochi.result import Result, takes_result

DRAWS = 2000
WARN = 0.5
"""Chance from which on there is a warning."""


@dataclass(frozen=True, eq=False)
class Outlook:
    """The period after the last. Arrays are (unit, indicator) in the indicators' own units, or (unit,) of scores of the index."""

    result: Result
    after: str
    """The last period with scores; all is about the one that follows."""
    level: float
    """Share of intervals that shall hold the value."""
    value: Array
    low: Array
    high: Array
    score: Array
    score_low: Array
    score_high: Array
    miss: Array
    """(unit, indicator) chance that the target is missed in the period after the last; NaN without a target."""
    lose: Array
    """(unit,) chance of a worse rank."""
    gain: Array
    """(unit,) chance of a better rank."""
    record: tuple[dict[str, Any], ...] = field(repr=False)
    """How such intervals and warnings did in the past: see `outlook`."""

    def warnings(self) -> list[dict[str, Any]]:
        """Rows of unit, what ("rank" or "target"), indicator, chance, expected, low, high: chances of one half and more, the surest first."""
        units = [u.code for u in self.result.panel.units]
        rows: list[dict[str, Any]] = [
            {"unit": units[u], "what": "rank", "indicator": None, "chance": float(self.lose[u]), "expected": or_none(self.score[u]),
             "low": or_none(self.score_low[u]), "high": or_none(self.score_high[u])}
            for u in np.flatnonzero(self.lose >= WARN)
        ]  # fmt: skip
        rows += [
            {"unit": units[u], "what": "target", "indicator": self.result.indicators[i], "chance": float(self.miss[u, i]), "expected": or_none(self.value[u, i]),
             "low": or_none(self.low[u, i]), "high": or_none(self.high[u, i])}
            for u, i in zip(*np.nonzero(self.miss >= WARN), strict=True)
        ]  # fmt: skip
        return sorted(rows, key=lambda r: (-r["chance"], r["unit"], r["indicator"] or ""))


@takes_result
def outlook(result: Result, *, level: float = 0.9, seed: int = 1) -> Outlook:
    """Look one period ahead.

    Each series goes on by a share of its mean past change, later changes weighing more; the share is the one that did best
    for the indicator before. Intervals come from how far off such forecasts were, pooled over units and indicators.

    Parameters
    ----------
    result : Result
        Of four periods or more.
    level : float
        Share of values that the intervals shall hold.
    seed : int
        Of the draws that chances of ranks come from.

    Returns
    -------
    Outlook
        Its record has rows of ``what``: "values" and "scores": period, held, of, share; "rank" and, with targets, "target": warnings
        of lost ranks and missed targets over all past periods: warned, came_true, lost (how many there were), foreseen, of.

    Raises
    ------
    BadOption
        If there are fewer than four periods with scores.
    """
    if not is_number(level) or not 0 < level < 1:
        raise BadOption("level", f"must lie between 0 and 1; got {level!r}.", f"置信水平应在 0 与 1 之间；得到 {level!r}。")
    last = result.period_at()
    if last < 3:
        raise BadOption("outlook", f"needs four periods with data, to learn how far off forecasts are; got {last + 1}.",
                        f"需要至少四期数据，以估计预测误差；得到 {last + 1} 期。")  # fmt: skip
    x = np.where(result.screened[: last + 1, :, None], np.nan, result.stages["denominated"][: last + 1])
    scored = np.where(result.counts[: last + 1], result.scores[: last + 1, :, 0], np.nan)[..., None]
    values, scores = Series(x), Series(scored)
    past_values, asked = backtest(values, level)
    past_scores, asked_score = backtest(scores, level)
    made, made_score = values.ahead(last + 1), scores.ahead(last + 1)
    assert made is not None
    assert made_score is not None
    half, half_score = made.reach(asked) * made.size, (made_score.reach(asked_score) * made_score.size)[:, 0]
    rng = np.random.Generator(np.random.Philox(seed))
    lose, gain = _places(result, made_score, scored[last, :, 0], rng)
    record = [*_held("values", result, past_values), *_held("scores", result, past_scores), *_missed_before(result, values), _foreseen(result, scores, rng)]
    center = made_score.value[:, 0]
    return Outlook(result, str(result.panel.periods[last]), level, made.value, made.value - half, made.value + half, center, center - half_score,
                   center + half_score, _missed(result, made), lose, gain, tuple(record))  # fmt: skip


def _held(what: str, result: Result, past: list[tuple[int, NDArray[np.bool_], Array, Array]]) -> list[dict[str, Any]]:
    rows = []
    for t, inside, low, _ in past:
        of = int((~np.isnan(low)).sum())
        rows.append(
            {"what": what, "period": str(result.panel.periods[t]), "held": int(inside.sum()), "of": of, "share": float(inside.sum() / of) if of else None}
        )
    return rows


def _missed(result: Result, made: Forecast) -> Array:
    """Chance that targets are missed."""
    out = np.full(made.value.shape, np.nan)
    errors = made.errors[~np.isnan(made.errors)]
    for i, code in enumerate(result.indicators):
        node = result.framework[code]
        if node.target is None or isinstance(node.direction, Optimum):
            continue
        short = (float(node.target) - made.value[:, i]) / made.size[:, i]
        share = np.array([np.mean(errors < s) if node.direction > 0 else np.mean(errors > s) for s in short])
        out[:, i] = np.where(np.isnan(short), np.nan, share)
    return out


def _missed_before(result: Result, values: Series) -> list[dict[str, Any]]:
    """How warnings of missed targets did over all past periods."""
    goals = [(i, float(n.target), float(n.direction)) for i, n in enumerate(map(result.framework.__getitem__, result.indicators))
             if n.target is not None and not isinstance(n.direction, Optimum)]  # fmt: skip
    if not goals:
        return []
    told: dict[str, Any] = {"what": "target", "warned": 0, "came_true": 0, "lost": 0, "foreseen": 0, "of": 0}
    for t in range(3, len(values.x)):
        made = values.ahead(t)
        assert made is not None
        chance = _missed(result, made)
        for i, goal, sign in goals:
            known = ~np.isnan(chance[:, i]) & ~np.isnan(values.x[t, :, i])
            warned, missed = known & (chance[:, i] >= WARN), known & (sign * values.x[t, :, i] < sign * goal)
            for name, there in (("warned", warned), ("came_true", warned & missed), ("lost", missed), ("foreseen", warned & missed), ("of", known)):
                told[name] += int(there.sum())
    return [told]


def _places(result: Result, made: Forecast, now: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Chances of a worse and of a better rank, by draws of past errors without what a round had in common."""
    with np.errstate(all="ignore"):
        own = made.errors[..., 0] - missing.median(made.errors[..., 0], axis=1)[:, None]
    pool = own[~np.isnan(own)]
    center, size = made.value[:, 0], made.size[:, 0]
    drawn = center + size * rng.choice(pool, size=(DRAWS, len(center)))
    recipe: Any = result.recipe
    both = ~np.isnan(center) & ~np.isnan(now)
    here = rank(np.where(both, now, np.nan)[None], ties=recipe.ties, decimals=recipe.decimals)[0]
    then = rank(np.where(both, drawn, np.nan), ties=recipe.ties, decimals=recipe.decimals)
    nothing = np.where(both, 0.0, np.nan)
    return (then > here).mean(axis=0) + nothing, (then < here).mean(axis=0) + nothing


def _foreseen(result: Result, scores: Series, rng: np.random.Generator) -> dict[str, Any]:
    """How warnings of lost ranks did over all past periods."""
    warned = came = lost = foreseen = of = 0
    recipe: Any = result.recipe
    for t in range(3, len(scores.x)):
        made = scores.ahead(t)
        assert made is not None
        before, then = scores.x[t - 1, :, 0], scores.x[t, :, 0]
        lose, _ = _places(result, made, before, rng)
        both = ~np.isnan(before) & ~np.isnan(then) & ~np.isnan(lose)
        a, b = (rank(np.where(both, x, np.nan)[None], ties=recipe.ties, decimals=recipe.decimals)[0] for x in (before, then))
        fell, warning = (b > a) & both, (lose >= WARN) & both
        warned, came = warned + int(warning.sum()), came + int((warning & fell).sum())
        lost, foreseen, of = lost + int(fell.sum()), foreseen + int((warning & fell).sum()), of + int(both.sum())
    return {"what": "rank", "warned": warned, "came_true": came, "lost": lost, "foreseen": foreseen, "of": of}
