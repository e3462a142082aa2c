"""How sure a ranking is: the ranks of every unit under thousands of what-ifs, with the error of each figure."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from biaochi.errors import BadOption, Problem, Text, UnknownName
from biaochi.files.project import Project
from biaochi.kernels.whatif.engine import choose
from biaochi.method import Array, is_number, or_none
from biaochi.period import Period
from biaochi.ranks import Ranks
from biaochi.result import Result, takes_result
from biaochi.scenarios import TIES, Plan
from biaochi.spread import spread
from biaochi.study import Study, as_study
from biaochi.tally import Counted
from biaochi.usual import in_time, usual
from biaochi.variation import Variation

BAND = 128
"""Units compared pair by pair: all of so many, or each with this many below it in the nominal order."""
FEW = 40
"""The band where there are more units."""
FIRST_LOOK = 1024
"""Replicates after which a stop rule is first asked; then at every doubling."""


@dataclass(frozen=True, eq=False)
class Robustness:
    """What a study of robustness found."""

    result: Result
    """The run itself: the nominal ranks."""
    plan: Plan
    study: Study
    replicates: int
    """Replicates made, failed ones included."""
    counted: Counted = field(repr=False)
    seconds: float = 0.0
    notices: tuple[Problem, ...] = ()
    """What the reader must know: failed replicates, fewer replicates than asked for."""

    @property
    def targets(self) -> list[tuple[str, str]]:
        """Node and period of everything ranked."""
        return [(self.plan.tree.nodes[t.node].code, str(self.result.panel.periods[t.period])) for t in self.plan.targets]

    def _at(self, node: str | None, period: str | Period | None) -> int:
        code = self.result.framework.root.code if node is None else node
        wanted = str(self.result.panel.periods[self.result.period_at(period)])
        if (code, wanted) not in self.targets:
            raise UnknownName(Text("node and period of the study", "研究中的节点与期"), f"{code} {wanted}", [f"{c} {p}" for c, p in self.targets])
        return self.targets.index((code, wanted))

    def ranks(self, node: str | None = None, period: str | Period | None = None) -> Ranks:
        """Ranks of one node and period; the index and the last period with scores by default."""
        i = self._at(node, period)
        return Ranks(self.result, self.plan.targets[i], self.counted.tallies[i], self.plan.ties == TIES["average"], self.targets[i][0])

    def found(self, node: str | None, period: int) -> Ranks | None:
        """Ranks of a node (the index by default) in a period by its place; None where they were not studied."""
        code = self.result.framework.root.code if node is None else node
        pair = (code, str(self.result.panel.periods[period]))
        return self.ranks(*pair) if pair in self.targets else None

    def rows(self, level: float = 0.9) -> list[dict[str, Any]]:
        """Rows of every node, unit and period."""
        return [row for node, period in self.targets for row in self.ranks(node, period).rows(level)]

    def shift(self, node: str | None = None, period: str | Period | None = None) -> Array:
        """(replicate,) mean absolute difference from the nominal ranks over the units; NaN where a replicate failed."""
        i = self._at(node, period)
        with np.errstate(all="ignore"):
            mean = self.counted.shift[i] / self.counted.compared[i]
        return np.where(self.counted.compared[i] > 0, mean, np.nan) / (2.0 if self.plan.ties == TIES["average"] else 1.0)

    @property
    def mean_shift(self) -> tuple[float, float]:
        """Mean absolute shift of ranks over replicates, and its Monte Carlo error: of the index, or else the first node, in the last period studied."""
        nodes, periods = [n for n, _ in self.targets], [p for _, p in self.targets]
        root = self.result.framework.root.code
        s = self.shift(root if root in nodes else nodes[0], periods[-1])
        s = s[~np.isnan(s)]
        return (float(s.mean()), float(s.std(ddof=1) / np.sqrt(len(s)))) if len(s) > 1 else (float("nan"), float("nan"))

    @property
    def error(self) -> float:
        """Largest Monte Carlo standard error of a mean rank, over all units, nodes and periods."""
        return max(float(np.nanmax(np.nan_to_num(self.ranks(*t).error_of_mean), initial=0.0)) for t in self.targets)

    @property
    def failures(self) -> list[dict[str, Any]]:
        """Replicates that could not be computed, by reason: kind, why (English, Chinese), number."""
        found = sorted(self.counted.failures.items(), key=lambda f: (-f[1], f[0]))
        return [{"kind": k, "why": Text(en, zh), "number": n} for (k, en, zh), n in found]

    def parameters(self) -> list[dict[str, Any]]:
        """For each replicate, what it took: alternative by input, and weights among siblings of its nodes under "weights"."""
        ids = self.counted.ids
        u = self.plan.uniforms(ids)
        picks = self.plan.picks(u)
        out: list[dict[str, Any]] = []
        groups = {tuple(g.choice + g.draws): g for g in self.plan.groups(picks)}
        weights = np.full((len(self.plan.tree.nodes), len(ids)), np.nan)
        for g in groups.values():
            try:
                _, base = self.plan.prefixes.weights(g.choice, g.draws)
            except Exception:
                continue
            weights[:, g.rows] = self.plan.varied(base, [d[:, g.rows] for d in u])
        failed = set(self.counted.failed)
        for k, i in enumerate(ids.tolist()):
            row: dict[str, Any] = {"replicate": i, "failed": i in failed}
            row |= {v.name: int(p) for v, p in zip(self.plan.vary, picks[k], strict=True) if p >= 0}
            row["weights"] = {n.code: float(w) for n, w in zip(self.plan.tree.nodes[1:], weights[1:, k], strict=True)}
            out.append(row)
        return out

    def to_dict(self, level: float = 0.9) -> dict[str, Any]:
        """Study, fingerprints, what failed, and rows of every node, unit and period, as plain data."""
        shift, error = self.mean_shift
        return {
            "fingerprints": {**self.result.fingerprints, "study": self.study.fingerprint},
            "study": self.study.to_dict(),
            "replicates": self.replicates,
            "failed": [{"kind": f["kind"], "why": f["why"].en, "number": f["number"]} for f in self.failures],
            "whole_runs": self.counted.whole_runs,
            "mean_shift": or_none(shift),
            "mean_shift_error": or_none(error),
            "largest_error": or_none(self.error),
            "interval": level,
            "rows": self.rows(level),
        }

    def __repr__(self) -> str:
        shift, error = self.mean_shift
        return f"<Robustness {self.replicates} replicates of {len(self.plan.vary)} inputs; mean shift {shift:.3g} +- {error:.1g} ranks, {len(self.counted.failed)} failed>"


def a_study(made: object, who: str) -> None:
    """Refuse what is not a study of robustness."""
    if not isinstance(made, Robustness):
        raise BadOption(who, f"needs what biaochi.robustness(...) gives; got {made!r:.80}.", f"{who} 需要 biaochi.robustness(...) 的结果；得到 {made!r:.80}。")


@takes_result
def robustness(
    result: Result,
    vary: Sequence[Variation] | Study | None = None,
    *,
    replicates: int | None = None,
    seed: int | None = None,
    nodes: Sequence[str] | None = None,
    periods: Sequence[str] | None = None,
    until: float | None = None,
    engine: str = "auto",
    workers: int | None = None,
    processes: bool = False,
    cluster: str | None = None,
    keep: bool = False,
    pairs: bool = True,
    progress: Callable[[int, int], None] | None = None,
    state: Any = None,
) -> Robustness:
    """Rank the units again under thousands of what-ifs.

    Parameters
    ----------
    result : Result
        The run whose choices are varied.
    vary : sequence of Variation or Study, optional
        What varies; by default what `usual` finds for the recipe.
    replicates : int, optional
        What-ifs to make, 10,000 by default; with ``until``, at most.
    seed : int, optional
        The same seed gives the same bits, whatever the number of workers.
    nodes, periods : sequence of str, optional
        What is ranked: the index, in the last period with scores, by default.
    until : float, optional
        Stop as soon as the Monte Carlo standard error of every mean rank is at most this many ranks; asked after 1,024
        replicates and at every doubling.
    engine : {"auto", "plain", "compiled"}
        Inner loops: plain NumPy for small work, compiled (extra ``fast``) for large, by default.
    workers : int, optional
        Threads, or processes; as many as there are processors by default.
    processes : bool
        Processes instead of threads.
    cluster : str, optional
        ``dask://HOST:PORT`` or ``ray://HOST:PORT``: an existing cluster.
    keep : bool
        Keep the rank of every unit in every replicate (``counted.ranks``).
    pairs : bool
        Count who is ahead of whom.
    progress : callable, optional
        Told replicates done and replicates to do.
    state : `State`, optional
        Where an interrupted study goes on.

    Returns
    -------
    Robustness

    Raises
    ------
    BadOption
        If a variation touches nothing, or an argument is out of its range.
    BadInput
        If an alternative cannot be run with the framework and the data.

    References
    ----------
    .. [1] Saisana, Saltelli and Tarantola, JRSS A 168 (2005) 307-323; OECD/JRC Handbook (2008), step 7.
    """
    study = _study(result, vary, replicates, seed)
    if until is not None and (not is_number(until) or not until > 0):
        raise BadOption("until (--stop-at)", f"must be a number of ranks above 0; got {until!r}.", f"应为大于 0 的位次数；得到 {until!r}。")
    if progress is not None and not callable(progress):
        raise BadOption("progress", f"must be a function of replicates done and to do; got {progress!r}.", f"应为接受已完成数与总数的函数；得到 {progress!r}。")
    if state is not None and not (hasattr(state, "load") and hasattr(state, "save")):
        raise BadOption("state", f"must be a biaochi.resume.State; got {state!r}.", f"应为 biaochi.resume.State；得到 {state!r}。")
    began = time.perf_counter()
    plan = Plan(result, study.vary, seed=study.seed, nodes=nodes, periods=periods)
    cells = float(study.replicates) * sum(len(t.order) for t in plan.targets)
    band = 0
    if pairs:
        most = max(len(t.order) for t in plan.targets)
        band = most if most <= BAND else FEW if most <= 5000 else 0
    place = spread(plan, workers=workers, processes=processes, cluster=cluster, cells=cells, engine=engine, options={"band": band, "keep": keep})
    try:
        counted = _count(plan, study, place, until, progress, state, result)
    finally:
        place.close()
    made = Robustness(result, plan, study, len(counted.ids), counted, time.perf_counter() - began)
    return replace(made, notices=tuple(_notices(made, until, missed=choose(cells, engine)[1])))


def of_run(project: Project, result: Result) -> Robustness | None:
    """The study that comes with a plain run: the index in all periods, as many replicates as take no time to speak of.

    Returns
    -------
    Robustness, or None where nothing can vary: one indicator, or none with siblings.
    """
    study = project.study or usual(result)
    periods = [str(p) for i, p in enumerate(result.panel.periods) if (result.ranks[i, :, 0] > 0).any()]
    if not study.vary or not periods:
        return None
    fitted = in_time(result, study, len(periods))
    made = robustness(result, fitted, periods=periods, pairs=len(result.panel.units) <= BAND)
    if fitted.replicates == study.replicates:
        return made
    told = _notice("fewer-replicates", f"rank intervals rest on {fitted.replicates:,} replicates instead of {study.replicates:,}, to stay quick: biaochi robustness makes them all.",
                   f"为保持快速，位次区间仅基于 {fitted.replicates:,} 次模拟（而非 {study.replicates:,} 次）；biaochi robustness 可做满。")  # fmt: skip
    return replace(made, notices=(told, *made.notices))


def _study(result: Result, vary: Sequence[Variation] | Study | None, replicates: int | None, seed: int | None) -> Study:
    study = as_study(vary, lambda: usual(result))
    changes: Mapping[str, Any] = {k: v for k, v in (("replicates", replicates), ("seed", seed)) if v is not None}
    return replace(study, **changes)


def _count(plan: Plan, study: Study, place: Any, until: float | None, progress: Callable[[int, int], None] | None, state: Any, result: Result) -> Counted:
    """Portions of the replicates, one after the other; asked after each whether to stop, kept after each where there is a state."""
    total = study.replicates
    counted: Counted | None = state.load(plan, study) if state is not None else None
    done = 0 if counted is None else len(counted.ids)
    cells = sum(len(t.order) for t in plan.targets)
    for stop in _portions(total, cells, looked=until is not None, kept=state is not None):
        if stop <= done:
            continue
        first = done

        def tell(more: int, start: list[int] = [first]) -> None:  # noqa: B006 - counts within one portion
            start[0] += more
            if progress is not None:
                progress(start[0], total)

        part = place.count(np.arange(done, stop), tell)
        if counted is None:
            counted = part.in_order()
        else:
            counted.add(part.in_order())
        done = stop
        if state is not None:
            state.save(plan, study, counted)
        if until is not None and Robustness(result, plan, study, done, counted).error <= until:
            break
    assert counted is not None
    return counted


def _portions(total: int, cells: int, *, looked: bool, kept: bool) -> list[int]:
    """Where to stop and look, save or take breath."""
    at = {total}
    if looked:
        at |= {FIRST_LOOK << k for k in range(40) if FIRST_LOOK << k < total}
    most = max(1024, 200_000_000 // max(cells, 1) // 1024 * 1024) if kept else max(16_384, 1024)
    at |= set(range(most, total, most))
    return sorted(at)


def _notices(made: Robustness, until: float | None, *, missed: bool) -> list[Problem]:
    out = []
    n = len(made.counted.failed)
    if n:
        why = made.failures[0]["why"]
        out.append(_notice("failed-replicates", f"{n:,} of {made.replicates:,} replicates could not be computed and are in no figure; most often: {why.en}",
                           f"{made.replicates:,} 次模拟中有 {n:,} 次无法计算，未计入任何数字；最常见的原因：{why.zh}"))  # fmt: skip
    if until is not None and made.error > until:
        out.append(_notice("not-reached", f"the error of mean ranks is still up to {made.error:.3g} after {made.replicates:,} replicates, above {until:g}.",
                           f"{made.replicates:,} 次模拟后平均位次的误差最大仍为 {made.error:.3g}，高于 {until:g}。"))  # fmt: skip
    if missed:
        out.append(_notice("no-compiler", 'this would be several times as fast with compiled loops: pip install "biaochi[fast]".',
                           '安装编译加速后可快数倍：pip install "biaochi[fast]"。'))  # fmt: skip
    band = min(t.ahead.shape[1] for t in made.counted.tallies)
    if 0 < band < max(len(t.order) for t in made.plan.targets) - 1:
        out.append(_notice("pairs", f"who is ahead of whom is known for the {band} units below each; longer runs of units that cannot be told apart are cut there.",
                           f"两两先后仅统计每个单位之后的 {band} 个单位；更长的难分先后组在此截断。"))  # fmt: skip
    width = max(t.width for t in made.counted.tallies)
    if width > 1:
        out.append(_notice("classes", f"quantiles are to within {width} ranks: with so many units ranks are counted in classes of {width}.",
                           f"分位数精确到 {width} 个位次以内：单位过多，位次按每 {width} 个一组计数。"))  # fmt: skip
    return out


def _notice(kind: str, en: str, zh: str) -> Problem:
    return Problem(kind, Text(en, zh), Text("", ""))
