"""Multiple imputation: what is not known is drawn many times, and the scores show how much that matters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from biaochi.checks import REGISTRIES, choice_of
from biaochi.errors import BadOption, Text, UnknownName
from biaochi.framework import Framework
from biaochi.method import Array
from biaochi.panel import Panel
from biaochi.recipe import Recipe
from biaochi.result import Result
from biaochi.run import run


@dataclass(frozen=True, eq=False)
class Imputations:
    """Results of several data sets that differ in what gaps were filled with."""

    nominal: Result
    """The result with each gap filled by its best guess."""
    scores: Array
    """(draw, period, unit, node)."""
    ranks: Array
    """(draw, period, unit, node)."""

    @property
    def mean(self) -> Array:
        """(period, unit, node): mean score over the draws, the estimate of Rubin's rules."""
        return np.asarray(self.scores.mean(axis=0))

    @property
    def sd(self) -> Array:
        """(period, unit, node): standard deviation among draws (n - 1), 0 where nothing was filled."""
        return np.asarray(self.scores.std(axis=0, ddof=1))

    def interval(self, level: float = 0.9, *, of: str = "ranks") -> tuple[Array, Array]:
        """Lowest and highest score or rank in the middle ``level`` of the draws, each (period, unit, node)."""
        if of not in ("scores", "ranks"):
            raise UnknownName(Text("figure", "指标量"), of, ("scores", "ranks"))
        drawn = {"scores": self.scores, "ranks": self.ranks}[of]
        if not 0 < level < 1:
            raise BadOption("interval", f"needs a level between 0 and 1; got {level!r}.", f"level 须在 0 与 1 之间；得到 {level!r}。")
        low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
        return np.asarray(low), np.asarray(high)

    def table(self, period: str | None = None) -> list[dict[str, Any]]:
        """Units of one period, best first: score, rank, spread of the score, and the middle 90 % of ranks."""
        r, p = self.nominal, self.nominal.period_at(period)
        low, high = self.interval()
        return [
            {"unit": r.panel.units[u].code, "score": float(r.scores[p, u, 0]), "rank": float(r.ranks[p, u, 0]), "sd": float(self.sd[p, u, 0]),
             "low": float(low[p, u, 0]), "high": float(high[p, u, 0])}
            for u in r.order(period)
        ]  # fmt: skip


def impute_many(framework: Framework, panel: Panel, recipe: Recipe, *, draws: int = 20, rng: np.random.Generator) -> Imputations:
    """Fill gaps by draws instead of best guesses, several times, and score each data set.

    Parameters
    ----------
    framework, panel, recipe
        As for `run`; at least one indicator with gaps must have an imputer that can draw
        (``regression``, ``em``, ``iterative``).
    draws : int
        Data sets to make, 2 or more.
    rng : numpy.random.Generator
        The same state gives the same draws.

    Raises
    ------
    BadOption
        If no imputer in use can draw, so that all data sets would be the same.
    BadInput
        See `run`.

    References
    ----------
    .. [1] Rubin, Multiple Imputation for Nonresponse in Surveys (1987).
    """
    if not isinstance(rng, np.random.Generator):
        raise BadOption("impute_many", f"needs a numpy.random.Generator as rng; got {rng!r}.", f"rng 须为 numpy.random.Generator；得到 {rng!r}。")
    if not isinstance(draws, int) or draws < 2:
        raise BadOption("impute_many", f"needs at least 2 draws; got {draws}.", f"至少需要 2 次抽取；得到 {draws}。")
    nominal = run(framework, panel, recipe)
    used = {choice_of(framework, recipe, "impute", n)[0] for n in framework.indicators}
    able = sorted(n for n, m in REGISTRIES["impute"].items() if "rng" in m.needs)
    if not used & set(able):
        told = ", ".join(sorted(used))
        raise BadOption(
            "impute_many",
            f"needs an imputer that draws ({', '.join(able)}); the recipe has {told}.",
            f"需要可抽取的插补方法（{'、'.join(able)}）；方案中为 {told}。",
        )
    results = [run(framework, panel, recipe, rng=rng) for _ in range(draws)]
    return Imputations(nominal, np.stack([r.scores for r in results]), np.stack([r.ranks for r in results]))
