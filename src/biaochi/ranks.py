"""Ranks of the units for one node and period under what-ifs: quantiles, probabilities, ties, and the error of each figure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biaochi.errors import BadOption
from biaochi.kernels.whatif.engine import choose
from biaochi.method import Array, is_number, is_whole, or_none
from biaochi.result import Result
from biaochi.scenarios import Target
from biaochi.tally import Tally


@dataclass(frozen=True, eq=False)
class Ranks:
    """Ranks of the units for one node and period. Arrays are (unit,) as in the panel; NaN for units not ranked."""

    result: Result
    target: Target
    tally: Tally
    doubled: bool
    node: str

    @property
    def period(self) -> str:
        """The period."""
        return str(self.result.panel.periods[self.target.period])

    @cached_property
    def nominal(self) -> Array:
        """(unit,) ranks of the run itself."""
        return self._out(np.where(self.target.nominal > 0, self.target.nominal, np.nan) / self._by)

    @property
    def _by(self) -> float:
        return 2.0 if self.doubled else 1.0

    def _out(self, values: Array) -> Array:
        out = np.full(len(self.result.panel.units), np.nan)
        out[self.target.order] = values
        return out

    @cached_property
    def number(self) -> Array:
        """(unit,) replicates in which it was ranked."""
        return np.nan_to_num(self._out(self.tally.number.astype(float)))

    @cached_property
    def mean(self) -> Array:
        """(unit,) mean rank."""
        with np.errstate(all="ignore"):
            return self._out(np.where(self.tally.number > 0, self.tally.total / self.tally.number, np.nan) / self._by)

    @cached_property
    def sd(self) -> Array:
        """(unit,) standard deviation of the rank (n - 1)."""
        t = self.tally
        with np.errstate(all="ignore"):
            squares = t.squares.astype(float) - t.total.astype(float) ** 2 / t.number
            return self._out(np.where(t.number > 1, np.sqrt(np.maximum(squares, 0.0) / (t.number - 1)), np.nan) / self._by)

    @cached_property
    def mean_shift(self) -> Array:
        """(unit,) mean absolute difference from the nominal rank."""
        ranked = (self.tally.number > 0) & (self.target.nominal > 0)
        with np.errstate(all="ignore"):
            return self._out(np.where(ranked, self.tally.moved / self.tally.number, np.nan) / self._by)

    def quantile(self, *shares: float) -> Array:
        """(share, unit) quantiles of the rank, linear between neighbours (type 7)."""
        if not shares:
            raise BadOption("quantile", "needs one share or more, such as 0.5.", "至少需要一个分位点，如 0.5。")
        for s in shares:
            if not is_number(s) or not 0 <= s <= 1:
                raise BadOption("quantile", f"needs shares from 0 to 1; got {s!r}.", f"分位点应在 0 与 1 之间；得到 {s!r}。")
        t = self.tally
        at = np.asarray(shares)[None] * np.maximum(t.number - 1, 0)[:, None]
        below = np.floor(at).astype(np.int64)
        above = np.minimum(below + 1, np.maximum(t.number - 1, 0)[:, None])
        low, high = self._placed(below), self._placed(above)
        got = low + (high - low) * (at - below)
        return np.stack([self._out(np.where(t.number > 0, q, np.nan) / self._by) for q in got.T])

    def _placed(self, places: NDArray[np.int64]) -> Array:
        """Ranks at places in rising order, (unit, place); the middle of its class where ranks stand in classes."""
        t = self.tally
        by = np.argsort(places, axis=1, kind="stable")
        out = np.zeros(places.shape, np.int64)
        engine = choose(0.0)[0] if t.hist.size < 2**16 else choose(t.hist.size)[0]
        engine.order_statistics(t.hist, 0, len(t.hist), np.take_along_axis(places, by, axis=1), out)
        back = np.empty_like(out)
        np.put_along_axis(back, by, out, axis=1)
        return np.where(back > 0, (back - 1) * t.width + (t.width + 1) / 2, 0.0)

    @cached_property
    def median(self) -> Array:
        """(unit,) median rank."""
        return np.asarray(self.quantile(0.5)[0])

    def interval(self, level: float = 0.9) -> tuple[Array, Array]:
        """(unit,) lowest and highest rank in the middle ``level`` of the replicates."""
        if not is_number(level) or not 0 < level < 1:
            raise BadOption("interval", f"needs a level between 0 and 1; got {level!r}.", f"应在 0 与 1 之间；得到 {level!r}。")
        low, high = self.quantile((1 - level) / 2, (1 + level) / 2)
        return low, high

    @property
    def resolution(self) -> int:
        """Ranks that quantiles and probabilities cannot tell apart: 1 but for very many units."""
        return self.tally.width

    def probabilities(self) -> Array:
        """(unit, rank) share of the replicates in which each unit had each rank; column 0 is rank 1."""
        t = self.tally
        if t.width > 1 or self.doubled:
            raise BadOption(
                "probabilities",
                "are by single ranks: not kept for so many units, or where ties get average ranks.",
                "按单个位次给出：单位过多或并列取平均位次时不提供。",
            )
        out = np.full((len(self.result.panel.units), len(t.hist)), np.nan)
        with np.errstate(all="ignore"):
            out[self.target.order] = t.hist[:, 1 : len(t.hist) + 1] / t.number[:, None]
        return out

    def top(self, n: int) -> Array:
        """(unit,) probability of a rank from 1 to ``n``."""
        if not is_whole(n, 1):
            raise BadOption("top", f"needs a whole number from 1 up; got {n!r}.", f"应为不小于 1 的整数；得到 {n!r}。")
        upto = (int(n * self._by) - 1) // self.tally.width + 1
        with np.errstate(all="ignore"):
            return self._out(np.where(self.tally.number > 0, self.tally.hist[:, 1 : upto + 1].sum(axis=1) / self.tally.number, np.nan))

    def errors(self) -> dict[str, Array]:
        """Monte Carlo standard error of mean, mean_shift, low, median and high, each (unit,)."""
        t = self.tally
        n = np.maximum(t.number, 1).astype(float)
        nominal = self.target.nominal.astype(float)
        squared = t.squares - 2 * nominal * t.total + n * nominal**2
        with np.errstate(all="ignore"):
            shift = np.sqrt(np.maximum(squared / n - (t.moved / n) ** 2, 0.0) / n) / self._by
        out = {"mean": self.error_of_mean, "mean_shift": self._out(np.where(nominal > 0, shift, np.nan))}
        return out | {name: self._out(self._error_of_quantile(q) / self._by) for name, q in (("low", 0.05), ("median", 0.5), ("high", 0.95))}

    def _error_of_quantile(self, q: float) -> Array:
        """Standard deviation of the order statistic at ``q``, where the counts are the distribution (Maritz and Jarrett, JASA 73 (1978) 194-196)."""
        from scipy.special import bdtrc

        t = self.tally
        ranks = np.arange(t.hist.shape[1] - 1) * t.width + (t.width + 1) / 2
        out = np.zeros(len(t.hist))
        step = max(1, 2**20 // t.hist.shape[1])
        for first in range(0, len(out), step):
            rows = slice(first, first + step)
            n = np.maximum(t.number[rows], 1)[:, None]
            upto = np.cumsum(t.hist[rows, 1:], axis=1, dtype=np.int64) / n
            place = np.floor((n - 1) * q)
            near = (upto > 0) & (upto < 1) & (np.abs(upto - q) < 8 * np.sqrt(q * (1 - q) / n) + 2 / n)
            below = np.where(upto >= 1, 1.0, np.where(near, 0.0, (upto > q) * 1.0))  # how probably the order statistic is at most each rank
            at = np.nonzero(near)
            below[at] = bdtrc(np.broadcast_to(place, upto.shape)[at], np.broadcast_to(n, upto.shape)[at], upto[at])
            chance = np.diff(below, axis=1, prepend=0.0)
            middle = chance @ ranks
            out[rows] = np.sqrt(np.maximum(chance @ ranks**2 - middle**2, 0.0))
        return out

    @property
    def error_of_mean(self) -> Array:
        """(unit,) Monte Carlo standard error of the mean rank."""
        return self.sd / np.sqrt(np.maximum(self.number, 1))

    def ahead(self, a: str, b: str) -> float:
        """Probability that unit ``a`` is ranked before unit ``b``, where both are ranked; a shared rank counts half."""
        place = {int(u): k for k, u in enumerate(self.target.order)}
        i, j = (place.get(self.result.panel.position(c), -1) for c in (a, b))
        if i < 0 or j < 0:
            return float("nan")
        first, distance = min(i, j), abs(i - j) - 1
        if distance < 0:
            return 0.5
        if distance >= self.tally.ahead.shape[1]:
            raise BadOption(
                "ahead",
                f"is kept for pairs up to {self.tally.ahead.shape[1]} places apart; {a} and {b} are {distance + 1}.",
                f"仅保留相距 {self.tally.ahead.shape[1]} 位以内的单位对；{a} 与 {b} 相距 {distance + 1} 位。",
            )
        p = self._ahead[first, distance]
        return float(p if i < j else 1 - p)

    @cached_property
    def _ahead(self) -> Array:
        """(unit, distance) in nominal order: probability to be ahead of the unit so many places below; NaN past the end."""
        t = self.tally
        with np.errstate(all="ignore"):
            return np.asarray((t.ahead + t.level / 2) / t.both)

    def groups(self, level: float = 0.95) -> list[tuple[str, ...]]:
        """Units that cannot be told apart: runs of the nominal order in which nobody is ahead of another with ``level``.

        Runs may overlap; a run inside another is not listed, nor is one of a single unit. Where pairs are kept only so
        far down the order (`robustness` says so), longer runs are cut there.
        """
        if not is_number(level) or not 0.5 < level <= 1:
            raise BadOption("groups", f"needs a level above 0.5, up to 1; got {level!r}.", f"应大于 0.5 且不超过 1；得到 {level!r}。")
        n = int((self.target.nominal > 0).sum())
        if n > 1 and not self.tally.ahead.shape[1]:
            raise BadOption("groups", "need a study made with pairs=True, of up to 5,000 units.", "需要以 pairs=True 运行、且单位不超过 5,000 个的研究。")
        apart = (self._ahead >= level) | (self._ahead <= 1 - level)
        reach = np.arange(n)
        for i in range(n):
            hits = np.flatnonzero(apart[i, : n - 1 - i])
            reach[i] = i + (hits[0] if hits.size else min(n - 1 - i, apart.shape[1]))
        ends = np.minimum.accumulate(reach[::-1])[::-1] if n else reach
        codes = [self.result.panel.units[int(u)].code for u in self.target.order]
        runs = [(i, int(ends[i])) for i in range(n) if ends[i] > i and (i == 0 or ends[i] > ends[i - 1])]
        return [tuple(codes[a : b + 1]) for a, b in runs]

    def rows(self, level: float = 0.9) -> list[dict[str, Any]]:
        """Rows of node, unit, period, nominal rank, mean, median, low, high, mean shift; units as in the panel."""
        low, high = self.interval(level)
        figures = (self.nominal, self.mean, self.median, low, high, self.mean_shift, self.number)
        return [
            {"node": self.node, "unit": u.code, "period": self.period, "rank": _whole(f[0]), "mean": or_none(f[1]), "median": or_none(f[2]),
             "low": or_none(f[3]), "high": or_none(f[4]), "mean_shift": or_none(f[5]), "replicates": int(f[6])}
            for u, f in zip(self.result.panel.units, np.stack(figures, axis=1).tolist(), strict=True) if f[6] > 0 or f[0] == f[0]
        ]  # fmt: skip


def _whole(v: float) -> float | int | None:
    return None if v != v else int(v) if v == int(v) else v
