"""Benefit of the doubt: every unit judged by the weights that serve it best, within stated limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biaochi.errors import BadOption, Text, UnknownName, choose
from biaochi.kernels.frontier import forms
from biaochi.kernels.frontier.active import Solved
from biaochi.kernels.frontier.forms import Judged
from biaochi.kernels.frontier.simplex import Restrictions
from biaochi.limits import Limits, restrictions
from biaochi.method import Array, is_number, is_whole
from biaochi.period import Period
from biaochi.result import Result, takes_result

FORMS = ("radial", "directional", "nonradial")
Direction = Mapping[str, float] | str


@dataclass(frozen=True)
class Frontier:
    """What benefit of the doubt says of the units of one period. Arrays are (unit, ...) and (unit, input)."""

    form: str
    inputs: tuple[str, ...]
    units: tuple[str, ...]
    scores: Array
    """1 on the frontier; NaN where nothing can be said (see ``notices``)."""
    gap: Array
    """How far a unit's values can rise: all by this rate (radial), by this many steps of the direction, or on
    average by this rate (nonradial)."""
    weights: Array
    """A unit's best weights, under which no unit compared with has a sum above 1. An efficient unit may have others as good."""
    shares: Array
    """What each input adds to the unit's weighted sum, as a share of it."""
    targets: Array
    """Where the unit would stand on the frontier, its slacks removed."""
    slacks: Array
    """What is left to gain in single inputs after the common rise; NaN under limits of weights, and in the nonradial form."""
    peers: tuple[Mapping[str, float], ...]
    """Units whose mixture is the target, and their parts in it, largest first; under limits, the units that hold it back."""
    errors: Array
    """Monte Carlo standard error of the scores (order-m); 0 otherwise."""
    notices: tuple[Text, ...]
    """What was settled by a rule, and for which units nothing can be said and why."""

    def rows(self) -> list[dict[str, Any]]:
        """One row a unit: score, gap, error, peers, and weight, share, slack and target of every input."""
        out = []
        for u, unit in enumerate(self.units):
            row: dict[str, Any] = {"unit": unit, "score": float(self.scores[u]), "gap": float(self.gap[u]), "error": float(self.errors[u])}
            row["peers"] = " ".join(f"{code}:{part:.4g}" for code, part in self.peers[u].items())
            for j, code in enumerate(self.inputs):
                row |= {f"{what}.{code}": float(a[u, j]) for what, a in self._tables().items()}
            out.append(row)
        return out

    def _tables(self) -> dict[str, Array]:
        return {"weight": self.weights, "share": self.shares, "slack": self.slacks, "target": self.targets}


@takes_result
def frontier(
    result: Result,
    of: str | None = None,
    *,
    level: int | None = None,
    form: str = "radial",
    limits: Limits | None = None,
    direction: Direction = "own",
    importance: Mapping[str, float] | None = None,
    group: str | None = None,
    sample: int | None = None,
    draws: int | None = None,
    rng: np.random.Generator | None = None,
    period: str | Period | None = None,
) -> Frontier:
    """Judge every unit by the weights that serve it best (benefit of the doubt, data envelopment analysis).

    Parameters
    ----------
    result : Result
    of : str, optional
        The node whose inputs are weighed; the index by default.
    level : int, optional
        Level of the inputs; the children of ``of`` by default. Their scores must be 0 or more.
    form : {"radial", "directional", "nonradial"}
        Share of the best weighted sum; steps to the frontier in a direction; or each input by a rate of its
        own (Russell).
    limits : Limits, optional
        Bounds on weights, on shares of inputs and of branches of the tree, on ratios of weights, and their order.
    direction : mapping or {"own", "mean", "ideal", "potential"}
        Of the directional form: steps by input, or the unit's own values, the mean of the units, the best
        value of each input, or what the unit lacks to it.
    importance : mapping, optional
        Of the nonradial form: importance of each input; equal by default.
    group : str, optional
        A grouping of units: each unit is compared with its own group only.
    sample : int, optional
        Order-m, robust against outliers: compare with what this many units drawn at random are expected to
        reach (radial form). Exact, for a hull that is not convex, as is usual; with ``draws``, a convex
        hull and limits, by so many random draws.
    draws : int, optional
    rng : numpy.random.Generator, optional
        Needed with ``draws``.
    period : str or Period, optional

    Returns
    -------
    Frontier
        Units that do not count are judged but compared with by nobody; they may score above 1.

    Raises
    ------
    UnknownName, BadOption
        If a name is not known, an option has no meaning here, a score is below 0, or no weights satisfy the limits.

    References
    ----------
    .. [1] Cherchye, Moesen, Rogge and Van Puyenbroeck, Social Indicators Research 82 (2007) 111-145.
    .. [2] Fusco, European J. Operational Research 242 (2015) 620-630. Färe and Lovell, J. Econ. Theory 19 (1978) 150-162.
    .. [3] Vidoli and Mazziotta, Statistica Applicata (2013); Daraio and Simar, J. Productivity Analysis 24 (2005) 93-121.
    """
    codes, at, counts, notices = _inputs(result, of, level, period)
    _check(form, sample, draws, rng, limits, direction, importance)
    bound = restrictions(limits, codes, result.framework, at[counts].mean(axis=0))
    steps = _direction(direction, codes, at, counts) if form == "directional" else np.zeros(at.shape)
    counted_as = _importance(importance, codes)
    made = _Made(at)
    for inside in _groups(result, group, len(at)):
        peers = np.flatnonzero(inside & counts)
        judged = np.flatnonzero(inside & ~made.nothing)
        if not peers.size or not judged.size:
            continue
        rows, values = at[peers], at[judged]
        if sample is not None:
            made.put_expected(judged, _expansions(values, rows, bound, sample, draws, rng))
            continue
        if form == "nonradial":
            got = forms.nonradial(values, rows, counted_as, bound)
        elif form == "directional":
            got = forms.directional(values, rows, steps[judged], bound)
        else:
            got = forms.radial(values, rows, bound)
        made.put(judged, got, rows, peers, staged=form != "nonradial" and bound is None)
    notices += _unsaid(result, made.scores, at, codes, limited=limits is not None)
    units = tuple(u.code for u in result.panel.units)
    named = tuple({units[i]: part for i, part in mix} for mix in made.peers)
    return Frontier(form, codes, units, made.scores, made.gap, made.weights, made.shares, made.targets, made.slacks, named, made.errors, tuple(notices))


@dataclass(frozen=True)
class CommonWeights:
    """One set of weights for all units, and the scores it gives."""

    inputs: tuple[str, ...]
    weights: Mapping[str, float]
    """Weight of each input, under which no unit has a sum above 1."""
    shares: Mapping[str, float]
    """What each input adds to the mean unit's weighted sum."""
    units: tuple[str, ...]
    scores: Array
    """(unit,): weighted sums."""
    own: Array
    """(unit,): the unit's own benefit of the doubt under the same limits."""
    notices: tuple[Text, ...]


@takes_result
def common_weights(
    result: Result, of: str | None = None, *, level: int | None = None, aim: str = "worst", limits: Limits | None = None, period: str | Period | None = None
) -> CommonWeights:
    """One set of weights for all units that does the units as much justice as one set can.

    Parameters
    ----------
    result, of, level, limits, period
        As for `frontier`. Shares are those of the mean unit, whatever ``at`` says (unless "weights").
    aim : {"worst", "mean"}
        Least largest shortfall of a unit from its own benefit of the doubt, then the highest mean; or the
        highest mean at once.

    Returns
    -------
    CommonWeights

    Raises
    ------
    UnknownName, BadOption
        As for `frontier`.

    References
    ----------
    .. [1] Despotis, J. Operational Research Society 56 (2005) 969-980. Roll and Golany, Omega 21 (1993) 99-109.
    """
    choose(Text("aim", "目标"), aim, ["mean", "worst"])
    codes, at, counts, notices = _inputs(result, of, level, period)
    if not (at[counts] > 0).any():
        raise BadOption("common_weights", "needs a unit that counts with a score above 0.", "至少需要一个得分大于 0 的参与排名单位。")
    if isinstance(limits, Limits) and limits.at == "own":
        limits = replace(limits, at="mean")
    bound = restrictions(limits, codes, result.framework, at[counts].mean(axis=0))
    w = forms.common(at[counts], at[counts], bound, aim)
    mean = at[counts].mean(axis=0) * w
    if np.isnan(w).any() or not mean.sum() > 0:
        raise BadOption("limits", "leave no common weights above 0. Widen some.", "限制之下没有大于 0 的共同权重，请放宽。")
    own = np.full(len(at), np.nan)
    there = ~np.isnan(at).any(axis=1)
    own[there] = forms.radial(at[there], at[counts], bound).scores
    weights, shares = (dict(zip(codes, map(float, v), strict=True)) for v in (w, mean / mean.sum()))
    return CommonWeights(codes, weights, shares, tuple(u.code for u in result.panel.units), at @ w, own, tuple(notices))


class _Made:
    """Results of all groups put together."""

    def __init__(self, at: Array) -> None:
        n, shape = len(at), at.shape
        self.nothing = np.isnan(at).all(axis=1)  # units without any score, of which nothing is said
        self.scores, self.gap, self.errors = np.full(n, np.nan), np.full(n, np.nan), np.zeros(n)
        self.weights, self.shares, self.targets, self.slacks = (np.full(shape, np.nan) for _ in range(4))
        self.peers: list[list[tuple[int, float]]] = [[] for _ in range(n)]

    def put(self, judged: NDArray[np.intp], got: Judged, rows: Array, peers: NDArray[np.intp], *, staged: bool) -> None:
        self.scores[judged], self.gap[judged] = got.scores, got.gap
        self.weights[judged], self.shares[judged] = got.weights, got.shares
        mixtures: Judged | Solved = got
        self.targets[judged] = got.targets
        if staged:
            left, mixtures = _second_stage(got, rows)
            self.slacks[judged] = left
            self.targets[judged] = got.targets + np.nan_to_num(left)
        for i, u in enumerate(judged):
            parts = zip(mixtures.peers[i], mixtures.intensities[i], strict=True)
            mix = sorted(((int(peers[p]), float(part)) for p, part in parts if p >= 0 and part > 1e-9), key=lambda x: (-x[1], x[0]))
            self.peers[u] = mix if np.isfinite(got.scores[i]) and got.scores[i] > 0 else []

    def put_expected(self, judged: NDArray[np.intp], expansions: Array) -> None:
        mean = expansions.mean(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            self.scores[judged], self.gap[judged] = np.where(np.isnan(mean), 0.0, 1.0 / mean), np.where(np.isnan(mean), np.inf, mean - 1.0)
            if len(expansions) > 1:
                self.errors[judged] = expansions.std(axis=0, ddof=1) / np.sqrt(len(expansions)) / mean**2


def _second_stage(got: Judged, rows: Array) -> tuple[Array, Solved]:
    """Slacks at the targets, with the peers of the points beyond them; targets outside the hull have none."""
    size = np.where(rows.max(axis=0) > 0, rows.max(axis=0), 1.0)
    left, solved = forms.slacks(got.targets, rows)
    inside = (solved.good & (left >= -1e-6 * size).all(axis=1))[:, None]
    return np.where(inside, left, np.nan), solved


def _inputs(result: Result, of: str | None, level: int | None, period: str | Period | None) -> tuple[tuple[str, ...], Array, NDArray[np.bool_], list[Text]]:
    """Codes of the inputs, their scores (missing ones as 0), which units are compared with, and what was done."""
    from biaochi.importance import below

    top = result.nodes[result.node_at(of)].code
    codes = tuple(below(result, top, level, "frontier"))
    p = result.period_at(period)
    scores = result.scores[p][:, [result.node_at(c) for c in codes]]
    low = [f"{result.panel.units[u].code} {codes[j]} ({scores[u, j]:g})" for u, j in np.argwhere(scores < 0)]
    if low:
        more, mehr = (f" and {len(low) - 3} more", f" 等 {len(low)} 个") if len(low) > 3 else ("", "")
        raise BadOption("frontier", f"needs scores of 0 or more; got {', '.join(low[:3])}{more}. Normalise by min-max, or give the normaliser rescale = true.",
                        f"得分须不小于 0；得到 {'、'.join(low[:3])}{mehr}。请改用极差法，或设 rescale = true。")  # fmt: skip
    missing = np.isnan(scores)
    notices = []
    if missing.any():
        n = int((missing & ~missing.all(axis=1, keepdims=True)).sum())
    if missing.any() and n:
        notices.append(Text(f"{n} missing scores were taken as 0: a unit earns nothing where it has no value.", f"{n} 个缺失得分按 0 计：无值之处不得分。"))
    counts = result.counts[p] & ~missing.all(axis=1)
    if not counts.any():
        when = str(result.panel.periods[p])
        raise BadOption("period", f"has no unit that counts and has a score: {when}. Name another.", f"{when} 没有参与排名且有得分的单位，请另选一期。")
    return codes, np.where(missing.all(axis=1, keepdims=True), np.nan, np.nan_to_num(scores)), counts, notices


def _check(
    form: str,
    sample: int | None,
    draws: int | None,
    rng: np.random.Generator | None,
    limits: Limits | None,
    direction: Direction,
    importance: Mapping[str, float] | None,
) -> None:
    choose(Text("form", "形式"), form, FORMS)
    for name, given, wanted in (("direction", direction != "own", "directional"), ("importance", importance is not None, "nonradial")):
        if given and form != wanted:
            raise BadOption(name, f"goes with form={wanted!r} only; got form={form!r}.", f"{name} 仅用于 form={wanted!r}；得到 form={form!r}。")
    if sample is None and draws is None:
        return
    if form != "radial" or sample is None:
        raise BadOption("sample", f"goes with the radial form, and draws with sample; got form={form!r}, sample={sample!r}.", f"sample 仅用于 radial 形式，draws 须与 sample 同用；得到 form={form!r}、sample={sample!r}。")  # fmt: skip
    for name, value, least in (("sample", sample, 1), ("draws", 2 if draws is None else draws, 2)):
        if not is_whole(value, least):
            raise BadOption(name, f"must be a whole number from {least} up; got {value!r}.", f"{name} 应为不小于 {least} 的整数；得到 {value!r}。")
    if draws is None and limits is not None:
        raise BadOption(
            "sample", "takes limits of weights with draws only; add draws=200 and rng.", "sample 须与 draws 同用才能限制权重；请加上 draws=200 和 rng。"
        )
    if draws is not None and not isinstance(rng, np.random.Generator):
        raise BadOption("rng", "is needed with draws: pass rng=numpy.random.default_rng(SEED).", "使用 draws 时须给出 rng=numpy.random.default_rng(种子)。")


def _expansions(values: Array, rows: Array, bound: Restrictions | None, sample: int, draws: int | None, rng: np.random.Generator | None) -> Array:
    """(draw, unit) expansions of order m; one exact line without draws."""
    if draws is None or rng is None:
        return forms.order_m(values, rows, int(sample))[None]
    return forms.drawn(values, rows, bound, size=int(sample), draws=int(draws), rng=rng)


def _direction(direction: Any, codes: Sequence[str], at: Array, counts: NDArray[np.bool_]) -> Array:
    best = at[counts].max(axis=0)
    named = {"own": at, "mean": np.broadcast_to(at[counts].mean(axis=0), at.shape), "ideal": np.broadcast_to(best, at.shape),
             "potential": np.maximum(best - at, 0.0)}  # fmt: skip
    if not isinstance(direction, Mapping):
        choose(Text("direction", "方向"), direction, sorted(named))
        return np.asarray(named[direction])
    return np.broadcast_to(_by_code("direction", direction, codes), at.shape)


def _importance(importance: Mapping[str, float] | None, codes: Sequence[str]) -> Array:
    given = np.ones(len(codes)) if importance is None else _by_code("importance", importance, codes)
    return np.asarray(given / given.sum())


def _by_code(name: str, given: Mapping[str, float], codes: Sequence[str]) -> Array:
    """Numbers by input, from 0 up and not all 0; inputs left out have 0."""
    if not isinstance(given, Mapping):
        raise BadOption(name, f"must be a mapping from input to number; got {given!r}.", f"{name} 应为由投入项到数值的映射；得到 {given!r}。")
    for code in given:
        if code not in codes:
            raise UnknownName(Text(f"input under {name}", f"{name} 中的投入项"), code, codes)
    wrong = [c for c, v in given.items() if not is_number(v) or not 0 <= v < np.inf]
    if wrong or not sum(given.values()) > 0:
        raise BadOption(name, f"needs numbers from 0 up, one of them above 0; wrong: {', '.join(wrong) or 'all are 0'}.",
                        f"{name} 应为不小于 0 且不全为 0 的数；有误：{'、'.join(wrong) or '全为 0'}。")  # fmt: skip
    return np.array([float(given.get(c, 0.0)) for c in codes])


def _groups(result: Result, group: str | None, n: int) -> Iterable[NDArray[np.bool_]]:
    """Which units are compared with one another; those without a group with nobody."""
    if group is None:
        return [np.ones(n, bool)]
    numbers = result.panel.groups(group)
    return [numbers == g for g in range(int(numbers.max()) + 1)]


def _unsaid(result: Result, scores: Array, at: Array, codes: Sequence[str], *, limited: bool) -> list[Text]:
    """Why units have no score, in words; and who lies beyond what can be reached."""
    units = [u.code for u in result.panel.units]
    out = []
    blank = np.isnan(at).all(axis=1)
    if blank.any():
        out.append(
            Text(
                f"No scores at all: {', '.join(units[u] for u in np.flatnonzero(blank))}.",
                f"没有任何得分：{'、'.join(units[u] for u in np.flatnonzero(blank))}。",
            )
        )
    without = np.flatnonzero(np.isnan(scores) & ~blank)
    for u in without[:20]:
        if not limited:
            out.append(
                Text(
                    f"{units[u]}: nobody to compare with, or outside what those compared with span.", f"{units[u]}：没有可比单位，或超出可比单位所构成的范围。"
                )
            )
            continue
        zero = [c for c, v in zip(codes, at[u], strict=True) if v == 0]
        why, grund = (f"; its score is 0 in {', '.join(zero)}", f"；其 {'、'.join(zero)} 得分为 0") if zero else ("", "")
        out.append(
            Text(f"{units[u]}: no weights satisfy the limits, or nobody to compare with{why}.", f"{units[u]}：没有满足限制的权重，或没有可比单位{grund}。")
        )
    if len(without) > 20:
        out.append(Text(f"{len(without) - 20} more units likewise.", f"另有 {len(without) - 20} 个单位亦如此。"))
    beyond = [units[u] for u in np.flatnonzero(np.isinf(scores))]
    if beyond:
        out.append(
            Text(
                f"{', '.join(beyond)}: ahead of all units compared with by any measure; no finite score.",
                f"{'、'.join(beyond)}：超出全部可比单位，得分无上限。",
            )
        )
    return out
