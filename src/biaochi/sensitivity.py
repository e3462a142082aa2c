"""Which choice moves the ranks: variance shares of every input, with their intervals and how they settle."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biaochi.errors import BadOption, Text, UnknownName
from biaochi.kernels.sobol import Indices, indices, resampled
from biaochi.kernels.whatif.engine import choose
from biaochi.method import Array, is_number, is_whole, or_none
from biaochi.result import Result, takes_result
from biaochi.scenarios import TIES, Plan
from biaochi.spread import spread
from biaochi.study import Study, as_study
from biaochi.tally import Counted
from biaochi.usual import usual
from biaochi.variation import Variation

TARGETS = ("shift", "correlation", "ranks", "scores")
SOBOL_FROM = 1024
"""Samples from which a Sobol sequence is taken as it comes: with fewer, pairs of its many columns can go together, so each
is shuffled on its own (a Latin hypercube)."""
CHUNK_BYTES = 2**30
"""Ranks held at a time; larger studies are summed up in several rounds."""


@dataclass(frozen=True, eq=False)
class Shares:
    """Variance shares of one output."""

    target: str
    inputs: tuple[str, ...]
    found: Indices
    first_interval: tuple[Array, Array] | None = None
    """(input,) low and high of the bootstrap."""
    total_interval: tuple[Array, Array] | None = None

    def rows(self) -> list[dict[str, Any]]:
        """One row an input: first and total order, with intervals where there are any."""
        f, t = self.found.first, self.found.total
        ends = [i or (np.full_like(f, np.nan), np.full_like(f, np.nan)) for i in (self.first_interval, self.total_interval)]
        return [
            {"target": self.target, "input": name, "first": or_none(f[k]), "first_low": or_none(ends[0][0][k]), "first_high": or_none(ends[0][1][k]),
             "total": or_none(t[k]), "total_low": or_none(ends[1][0][k]), "total_high": or_none(ends[1][1][k])}
            for k, name in enumerate(self.inputs)
        ]  # fmt: skip


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """What a variance-based study found. Arrays by unit are as in the panel; NaN for units not ranked in all runs."""

    result: Result
    inputs: tuple[str, ...]
    samples: int
    """Base samples of which no run failed; each stands for inputs + 2 runs."""
    runs: int
    shares: Mapping[str, Shares]
    """Of "shift", the mean absolute shift of ranks, and "correlation", the rank correlation with the nominal."""
    trace: list[dict[str, Any]]
    """First and total order of each input for the mean shift after the first so many samples."""
    ranks: Indices | None = None
    """(unit, input) for each unit's rank."""
    scores: Indices | None = None
    """(unit, input) for each unit's score."""
    failed: int = 0
    seconds: float = 0.0
    outputs: Mapping[str, Array] = field(default_factory=dict, repr=False)
    """(run,) of "shift" and "correlation", in the order A, B, AB_1, ..., for estimates of one's own."""

    def unit(self, code: str, of: str = "ranks") -> Shares:
        """Variance shares of one unit's rank or score."""
        found = {"ranks": self.ranks, "scores": self.scores}.get(of) if isinstance(of, str) else None
        if found is None:
            raise UnknownName(Text("target of the study", "研究的目标"), str(of), [t for t in ("ranks", "scores") if getattr(self, t) is not None] or ["—"])
        u = self.result.panel.position(code)
        second = None if found.second is None else found.second[u]
        return Shares(f"{of}: {code}", self.inputs, Indices(found.first[u], found.total[u], second, found.variance[u]))

    def rows(self) -> list[dict[str, Any]]:
        """Rows of target, input, first, total and their intervals."""
        return [row for s in self.shares.values() for row in s.rows()]

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {"inputs": list(self.inputs), "samples": self.samples, "runs": self.runs, "failed": self.failed, "rows": self.rows(), "trace": self.trace}

    def __repr__(self) -> str:
        told = ", ".join(f"{r['input']} {r['total']:.2f}" for r in self.shares["shift"].rows() if r["total"] is not None)
        return f"<Sensitivity {self.samples} samples, {self.runs} runs; total order: {told}>"


@takes_result
def sensitivity(
    result: Result,
    vary: Sequence[Variation] | Study | None = None,
    *,
    samples: int = 1024,
    seed: int = 1,
    node: str | None = None,
    period: str | None = None,
    targets: Sequence[str] = ("shift", "correlation", "ranks"),
    groups: Mapping[str, Sequence[str]] | None = None,
    second: bool = False,
    design: str = "sobol",
    draws: int = 200,
    level: float = 0.9,
    engine: str = "auto",
    workers: int | None = None,
) -> Sensitivity:
    """Share of the variance of ranks that each input causes, alone and together with others (Sobol).

    Parameters
    ----------
    result : Result
    vary : sequence of Variation or Study, optional
        Inputs, two or more; by default what `usual` finds.
    samples : int
        Base samples; a power of 2 suits the Sobol sequence. ``samples * (inputs + 2)`` runs are made, with ``second``
        ``samples * (2 inputs + 2)``.
    seed : int
    node, period : str, optional
        What is ranked; the index and the last period with scores by default.
    targets : sequence of {"shift", "correlation", "ranks", "scores"}
        Mean absolute shift of ranks; rank correlation with the nominal; each unit's rank; each unit's score.
    groups : mapping of str to sequence of str, optional
        Inputs taken together, by a name for the group.
    second : bool
        Second order too, for "shift" and "correlation".
    design : {"sobol", "random"}
        Scrambled Sobol sequence (below 1,024 samples its columns are shuffled: a Latin hypercube), or plain draws.
    draws : int
        Bootstrap draws for the intervals of "shift" and "correlation".
    level : float
        Of the intervals.

    Returns
    -------
    Sensitivity

    Raises
    ------
    BadOption
        If there are fewer than two inputs, or an argument is out of its range.

    References
    ----------
    .. [1] Saltelli et al., Global Sensitivity Analysis: The Primer (2008); Computer Physics Communications 181 (2010).
    .. [2] Saisana, Saltelli and Tarantola, JRSS A 168 (2005) 307-323.
    """
    study = as_study(vary, lambda: usual(result))
    _check(samples, draws, level, targets, design, seed, groups)
    began = time.perf_counter()
    plan = Plan(result, study.vary, seed=seed, nodes=None if node is None else [node], periods=None if period is None else [period])
    blocks = _blocks(plan, groups)
    if len(blocks) < 2:
        raise BadOption("sensitivity", "needs two inputs or more to compare.", "须至少两项输入才能比较。")
    plan.design = saltelli(plan.dims, blocks, samples, seed, design, second=second)
    sums = _Sums(plan, len(blocks), samples, second, targets)
    per = (2 if second else 1) * len(blocks) + 2
    units = len(plan.targets[0].order)
    at_once = max(1, min(samples, CHUNK_BYTES // (per * units * (10 if "scores" in targets else 2))))
    options = {"keep": True, "keep_scores": "scores" in targets, "tallied": False}
    place = spread(plan, workers=workers, processes=False, cluster=None, cells=float(per * samples * units), engine=engine, options=options)
    loops = choose(float(per * samples * units), engine)[0]
    try:
        for first in range(0, samples, at_once):
            base = np.arange(first, min(first + at_once, samples))
            ids = (np.arange(per)[:, None] * samples + base).ravel()
            sums.add(place.count(ids, lambda _: None), base, per, loops)
    finally:
        place.close()
    return sums.settle(result, tuple(blocks), draws, level, np.random.default_rng(seed), began)


def _check(samples: int, draws: int, level: float, targets: Sequence[str], design: str, seed: int, groups: Any) -> None:
    if not is_whole(seed, 0):
        raise BadOption("seed", f"must be a whole number from 0 up; got {seed!r}.", f"应为不小于 0 的整数；得到 {seed!r}。")
    if not isinstance(groups or {}, Mapping) or not all(isinstance(m, (list, tuple)) for m in (groups or {}).values()):
        raise BadOption(
            "groups", f"must be a table of lists of inputs by the name of the group; got {groups!r}.", f"应为以组名为键的输入列表；得到 {groups!r}。"
        )
    if not is_whole(samples, 4) or samples > 2**22:
        raise BadOption("samples", f"must be a whole number from 4 to {2**22:,}; got {samples!r}.", f"应为 4 至 {2**22:,} 的整数；得到 {samples!r}。")
    if not is_whole(draws, 10):
        raise BadOption("draws", f"must be 10 or more; got {draws!r}.", f"至少为 10；得到 {draws!r}。")
    if not is_number(level) or not 0 < level < 1:
        raise BadOption("level", f"must lie between 0 and 1; got {level!r}.", f"应在 0 与 1 之间；得到 {level!r}。")
    if not isinstance(targets, (str, list, tuple)):
        raise BadOption("targets", f"must be a list out of {', '.join(TARGETS)}; got {targets!r}.", f"应取自 {'、'.join(TARGETS)}；得到 {targets!r}。")
    for t in [targets] if isinstance(targets, str) else targets:
        if t not in TARGETS:
            raise UnknownName(Text("target", "目标"), str(t), TARGETS)
    if design not in ("sobol", "random"):
        raise UnknownName(Text("design", "设计"), str(design), ("sobol", "random"))


def _blocks(plan: Plan, groups: Mapping[str, Sequence[str]] | None) -> dict[str, list[int]]:
    """Columns of the design by input, groups in the place of their first input."""
    ends = np.cumsum([0, *plan.dims])
    own = {v.name: list(range(a, b)) for v, a, b in zip(plan.vary, ends, ends[1:], strict=False)}
    group_of: dict[str, str] = {}
    for name, members in (groups or {}).items():
        for m in members:
            if m not in own:
                raise UnknownName(Text("input of a group", "分组中的输入"), str(m), list(own))
            if m in group_of:
                raise BadOption("groups", f"name {m!r} twice; an input is in one group only.", f"{m!r} 出现两次；每个输入只能属于一组。")
            group_of[m] = name
    out: dict[str, list[int]] = {}
    for name, columns in own.items():
        out.setdefault(group_of.get(name, name), []).extend(columns)
    return out


def saltelli(dims: Sequence[int], blocks: Mapping[str, Sequence[int]], samples: int, seed: int, design: str, *, second: bool) -> Array:
    """(run, column) draws in the order A, B, AB_1, ..., and BA_1, ... with second order."""
    d = int(sum(dims))
    if design == "sobol":
        from scipy.stats import qmc

        drawn = qmc.Sobol(2 * d, scramble=True, rng=np.random.default_rng(seed)).random_base2(int(np.ceil(np.log2(samples))))[:samples]
    else:
        drawn = np.random.default_rng(seed).random((samples, 2 * d))
    if design == "sobol" and samples < SOBOL_FROM:
        drawn = np.random.default_rng([seed, 1]).permuted(drawn, axis=0)
    a, b = drawn[:, :d], drawn[:, d:]
    out = [a, b]
    for base, other in ((a, b), (b, a))[: 2 if second else 1]:
        for columns in blocks.values():
            mixed = base.copy()
            mixed[:, columns] = other[:, columns]
            out.append(mixed)
    return np.asarray(np.minimum(np.concatenate(out), np.nextafter(1.0, 0.0)))


class _Sums:
    """Outputs and sums of a Saltelli design, filled base sample by base sample. Sums of ranks are whole numbers."""

    def __init__(self, plan: Plan, inputs: int, samples: int, second: bool, targets: Sequence[str]) -> None:
        self.plan, self.inputs, self.samples, self.second, self.targets = plan, inputs, samples, second, targets
        per = (2 if second else 1) * inputs + 2
        self.shift, self.correlation = np.full((per, samples), np.nan), np.full((per, samples), np.nan)
        units = len(plan.targets[0].order)
        self.whole = np.zeros((units, 4 + 3 * inputs), np.int64)
        """Sums over samples for each unit: A, B, A^2, B^2, then for each input B (AB - A), AB - A, (AB - A)^2."""
        self.gaps = np.zeros(units, bool)
        self.scores: list[Array] = []
        self.failed = 0
        self.good = 0
        self.by = 2.0 if plan.ties == TIES["average"] else 1.0

    def add(self, counted: Counted, base: NDArray[np.int64], per: int, engine: Any) -> None:
        t = self.plan.targets[0]
        failed = np.isin(counted.ids, counted.failed).reshape(per, len(base))
        self.failed += int(failed.sum())
        compared = counted.compared[0].reshape(per, len(base))
        with np.errstate(all="ignore"):
            shift = counted.shift[0].reshape(per, len(base)) / np.where(compared > 0, compared, np.nan) / self.by
        self.shift[:, base] = np.where(failed, np.nan, shift)
        good = np.flatnonzero(~failed.any(axis=0) & (compared > 0).all(axis=0))
        self.good += len(good)
        assert counted.ranks is not None
        ranks = counted.ranks[0]
        if "correlation" in self.targets:
            self.correlation[:, base] = np.where(failed, np.nan, _correlations(ranks, t.nominal).reshape(per, len(base)))
        if "ranks" in self.targets and len(good):
            kept = ranks.reshape(len(ranks), per, len(base))[:, : 2 + self.inputs]
            kept = np.ascontiguousarray(kept[:, :, good]) if len(good) < len(base) else kept
            self.gaps |= (kept == 0).any(axis=(1, 2))
            engine.sobol_sums(kept, t.nominal, self.whole)
        if counted.scores is not None and len(good):
            self.scores.append(counted.scores[0].reshape(len(ranks), per, len(base))[:, : 2 + self.inputs][:, :, good])

    def settle(self, result: Result, inputs: tuple[str, ...], draws: int, level: float, rng: np.random.Generator, began: float) -> Sensitivity:
        """The indices of all targets."""
        if self.good < 4:
            raise BadOption(
                "sensitivity", f"has {self.good} samples without a failed run; 4 are needed.", f"没有失败运行的样本仅 {self.good} 个；至少需要 4 个。"
            )
        outputs = {"shift": self.shift, "correlation": self.correlation}
        shares = {name: self._shares(name, y, inputs, draws, level, rng) for name, y in outputs.items() if name in self.targets or name == "shift"}
        scores = None
        if self.scores:
            y = np.concatenate(self.scores, axis=2)
            scores = self._onto(result, indices(y[:, 0], y[:, 1], y[:, 2:]))
        return Sensitivity(
            result, inputs, self.good, self.shift.size, shares, self._trace(inputs), self._of_ranks(result) if "ranks" in self.targets else None,
            scores, self.failed, time.perf_counter() - began, {k: v.ravel() for k, v in outputs.items()},
        )  # fmt: skip

    def _split(self, y: Array) -> tuple[Array, Array, Array, Array | None]:
        y = y[:, ~np.isnan(y).any(axis=0)]
        k = self.inputs
        return y[0], y[1], y[2 : 2 + k], y[2 + k :] if self.second else None

    def _shares(self, name: str, y: Array, inputs: tuple[str, ...], draws: int, level: float, rng: np.random.Generator) -> Shares:
        a, b, ab, ba = self._split(y)
        found = indices(a, b, ab, ba)
        ends = [(1 - level) / 2, (1 + level) / 2]
        first, total = (np.quantile(d, ends, axis=0) for d in resampled(a, b, ab, draws=draws, rng=rng))
        return Shares(name, inputs, found, (first[0], first[1]), (total[0], total[1]))

    def _trace(self, inputs: tuple[str, ...]) -> list[dict[str, Any]]:
        """Estimates for the mean shift from the first so many samples, at every doubling."""
        a, b, ab, _ = self._split(self.shift)
        at = sorted({len(a), *(n for n in (16 << k for k in range(20)) if n < len(a))})
        out = []
        for n in at:
            found = indices(a[:n], b[:n], ab[:, :n])
            out += [{"samples": n, "input": name, "first": or_none(found.first[k]), "total": or_none(found.total[k])} for k, name in enumerate(inputs)]
        return out

    def _of_ranks(self, result: Result) -> Indices:
        s, n = self.whole.astype(float), float(self.good)
        mean = (s[:, 0] + s[:, 1]) / (2 * n)
        variance = (s[:, 2] + s[:, 3]) / (2 * n) - mean**2
        v = np.where((variance > 1e-12) & ~self.gaps, variance, np.nan)[:, None]
        by = s[:, 4:].reshape(len(s), self.inputs, 3)
        first = (by[..., 0] - mean[:, None] * by[..., 1]) / n / v
        return self._onto(result, Indices(first, by[..., 2] / (2 * n) / v, None, variance / self.by**2))

    def _onto(self, result: Result, found: Indices) -> Indices:
        """From the order of the target to that of the panel."""
        order = self.plan.targets[0].order

        def out(x: Array) -> Array:
            y = np.full((len(result.panel.units), *x.shape[1:]), np.nan)
            y[order] = x
            return y

        return Indices(out(found.first), out(found.total), None, out(found.variance))


def _correlations(ranks: NDArray[Any], nominal: NDArray[np.int32]) -> Array:
    """(replicate,) Pearson correlation of ranks (unit, replicate) with the nominal ones, over the units ranked in both."""
    out = np.empty(ranks.shape[1])
    ranked = nominal > 0
    y = nominal[ranked].astype(float)
    for first in range(0, ranks.shape[1], 512):
        x = ranks[ranked, first : first + 512].astype(float)
        there = x > 0
        n = there.sum(axis=0)
        with np.errstate(all="ignore"):
            mx, my = x.sum(axis=0) / n, (there * y[:, None]).sum(axis=0) / n
            dx, dy = np.where(there, x - mx, 0.0), np.where(there, y[:, None] - my, 0.0)
            out[first : first + 512] = (dx * dy).sum(axis=0) / np.sqrt((dx**2).sum(axis=0) * (dy**2).sum(axis=0))
    return out
