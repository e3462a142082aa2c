"""How close a result comes to scores published elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from biaochi.errors import Text
from biaochi.files.project import Published
from biaochi.kernels.rank import rank
from biaochi.result import Result


@dataclass(frozen=True)
class Agreement:
    """Scores and ranks of a result beside published ones."""

    scores: int
    """Published scores compared."""
    worst: float
    """Largest difference, in points."""
    at: str
    """Unit and period of the largest difference."""
    decimals: int | None
    """Decimals the published scores are rounded to; ours are rounded alike before comparing."""
    ranks: int
    """Ranks compared."""
    ranks_equal: int
    missing: int
    """Published scores for which the result has none."""

    @property
    def text(self) -> Text:
        """The agreement in one sentence."""
        rounded = (f" at {self.decimals} decimals", f"（保留 {self.decimals} 位小数）") if self.decimals is not None else ("", "")
        lost = (f"; {self.missing} have no score here", f"；其中 {self.missing} 个未能算出") if self.missing else ("", "")
        worst = np.format_float_positional(self.worst, precision=2, fractional=False, trim="-")
        at = (f" ({self.at})", f"（{self.at}）") if self.worst else ("", "")
        return Text(
            f"{self.scores:,} published scores{rounded[0]}: largest difference {worst}{at[0]}; {self.ranks_equal:,} of {self.ranks:,} ranks equal{lost[0]}.",
            f"与已公布的 {self.scores:,} 个得分{rounded[1]}相比：最大差 {worst}{at[1]}；{self.ranks:,} 个位次中 {self.ranks_equal:,} 个相同{lost[1]}。",
        )


def compare_published(result: Result, published: Published) -> Agreement:
    """Compare a result with published scores; ranks are compared among the units ranked in both."""
    n = result.node_at(published.node)
    ours, theirs = result.scores[..., n], published.values
    if published.decimals is not None:
        ours = np.round(ours, published.decimals)
    both = ~np.isnan(ours) & ~np.isnan(theirs)
    gap = np.where(both, np.abs(ours - theirs), -1.0)
    p, u = np.unravel_index(int(gap.argmax()), gap.shape)
    ranked = both & result.counts
    ties: Any = result.recipe.ties
    a, b = (rank(np.where(ranked, x, np.nan), ties=ties, decimals=result.recipe.decimals) for x in (ours, theirs))
    return Agreement(
        int(both.sum()), max(float(gap.max()), 0.0), f"{result.panel.units[u].code} {result.panel.periods[p]}",
        published.decimals, int(ranked.sum()), int((a == b)[ranked].sum()), int((np.isnan(ours) & ~np.isnan(theirs)).sum()),
    )  # fmt: skip
