"""Robustness of data too large for one place: a part for each stretch of time, scales put together from all of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biaochi.checks import REGISTRIES, choice_of
from biaochi.errors import BadInput, BadOption, BiaochiError, Problem, Text, refuse
from biaochi.fingerprint import fingerprint
from biaochi.framework import Framework
from biaochi.kernels.summary import LEVELS, Wanted
from biaochi.method import Array, Method, Trait, is_number
from biaochi.panel import Panel
from biaochi.pooled import Found, Known, Pooled, put_together
from biaochi.prefix import Prefixes
from biaochi.recipe import Recipe
from biaochi.robustness import robustness
from biaochi.run import run
from biaochi.spread import Calls, as_sent, place_of
from biaochi.study import Study, as_study
from biaochi.variation import DataDraws, Variation

Part = Panel | Callable[[], Panel]
Sent = dict[str, Any]
_ALONG_TIME = frozenset({"growth_yoy", "growth", "diff", "diff_yoy", "at"})
"""Functions of formulas that look at other periods."""


@dataclass(frozen=True, eq=False)
class PartRanks:
    """Ranks of one node in one period. Arrays are (unit,), as in ``units``; NaN where a unit is not ranked."""

    period: str
    node: str
    units: tuple[str, ...]
    score: Array
    rank: Array
    """Of the run itself."""
    mean: Array
    """Mean rank over the replicates."""
    median: Array
    low: Array
    """Lowest and highest rank in the middle ``level`` of the replicates."""
    high: Array
    mean_shift: Array
    """Mean absolute difference from the rank of the run itself."""
    replicates: NDArray[np.int64]
    """In how many it was ranked."""
    failed: int
    """Replicates that could not be computed, of the whole part."""


def robustness_in_parts(
    framework: Framework,
    parts: Sequence[Part],
    recipe: Recipe,
    vary: Sequence[Variation] | Study,
    *,
    replicates: int | None = None,
    seed: int | None = None,
    nodes: Sequence[str] | None = None,
    level: float = 0.9,
    engine: str = "auto",
    workers: int | None = None,
    processes: bool = False,
    cluster: str | None = None,
) -> Iterator[PartRanks]:
    """Rank the units of every period again under thousands of what-ifs, with no more than a part of the data at any one place.

    A rank needs all units of its period, so the data are cut by periods. What sets a scale over all periods
    (``scale = "pooled"``) is put together from all parts first: lowest, highest and number; then sums; then sums of
    squares about the mean. Each is asked for only where a method needs it, and comes out the same however the data are cut,
    so that ranks and counts are those of `run` and `robustness` on the whole (with a pooled scale: from 4,096 values up).

    Parameters
    ----------
    framework : Framework
    parts : sequence of Panel, or of callables that load one
        One or more periods each, with the same units. What a callable loads is held only while it is at work; with
        processes or a cluster it must be importable there, such as ``functools.partial(load_month, "2024-03.parquet")``.
    recipe : Recipe
    vary : sequence of Variation or Study
        What varies; weights and settings, not data.
    replicates, seed, nodes, engine
        See `robustness`.
    level : float
        Share of the replicates that the interval takes in.
    workers, processes, cluster
        Where parts are worked at, one on each worker: see `robustness`.

    Yields
    ------
    PartRanks
        Of every node and period, part by part as they are finished.

    Raises
    ------
    BadInput
        With every step that looks at other periods, and so cannot be taken in parts; if parts disagree on units or share a
        period; and what `run` refuses.
    BadOption
        If a variation touches nothing, or an argument is out of its range.
    """
    study = as_study(vary, lambda: Study(()))
    study = Study(study.vary, replicates=study.replicates if replicates is None else replicates, seed=study.seed if seed is None else seed)
    if not isinstance(parts, Sequence) or not parts or not all(isinstance(p, Panel) or callable(p) for p in parts):
        raise BadOption(
            "parts", f"must be a list of panels, or of functions that load one; got {parts!r:.80}.", f"应为面板或其载入函数的列表；得到 {parts!r:.80}。"
        )
    if not is_number(level) or not 0 < level < 1:
        raise BadOption("level", f"must be a share between 0 and 1; got {level!r}.", f"应在 0 与 1 之间；得到 {level!r}。")
    recipes = Prefixes(framework, _none(framework), recipe, study.vary, study.seed)
    choices = list(itertools.product(*(range(len(s.alternatives)) for s in recipes.settings)))
    refuse(_looks_across(framework, [recipe, *map(recipes.recipe_of, choices)], study))
    sent, parts = recipe.to_dict(), [p.bare() if isinstance(p, Panel) else p for p in parts]
    calls = Calls(place_of(workers, processes=processes, cluster=cluster))
    try:
        known = _known(calls, framework, parts, sent, study, choices)
        options = {"nodes": nodes, "level": level, "engine": engine}
        for _, ranks in calls.made(_ranks, [(framework, p, sent, study, known, options) for p in parts]):
            yield from ranks
    finally:
        calls.close()


def _none(framework: Framework) -> Panel:
    """A panel of no data, for what depends on recipes only."""
    code = framework.indicators[0].code
    return Panel.of({"unit": ["-"], code: [0.0]}, period="2000")


def _known(calls: Calls, framework: Framework, parts: Sequence[Part], sent: Sent, study: Study, choices: list[tuple[int, ...]]) -> Known:
    """Statistics of all pooled scales: as many rounds over the parts as the methods need."""
    known: Known = {}
    for turn in range(2 * len(LEVELS) + 1):
        said: dict[int, tuple[list[str], str, Found]] = dict(calls.made(_said, [(framework, p, sent, study, choices, known) for p in parts]))
        if turn == 0:
            refuse(_disagree([said[k][:2] for k in sorted(said)]))
        found = [said[k][2] for k in sorted(said)]
        if not any(found):
            break
        known = put_together(known, found)
    return known


def _loaded(part: Part) -> Panel:
    panel = part if isinstance(part, Panel) else part()
    if not isinstance(panel, Panel):
        raise BadOption("parts", f"must load panels; got {panel!r:.80}.", f"应载入面板；得到 {panel!r:.80}。")
    return panel


def _said(framework: Framework, part: Part, sent: Sent, study: Study, choices: list[tuple[int, ...]], known: Known) -> tuple[list[str], str, Found]:
    """What one part says to the statistics still wanted; its periods, and a fingerprint of its units."""
    panel, pooled, recipe = _loaded(part), Pooled(known), as_sent(sent)
    prefixes = Prefixes(framework, panel, recipe, study.vary, study.seed, pooled)
    plain = Prefixes(framework, panel, recipe, (), study.seed, pooled)
    for steps, choice in [(plain, ()), *((prefixes, c) for c in choices)]:
        if steps.recipe_of(choice).scale != "pooled":
            continue
        try:
            steps.scale(choice, ())
        except (Wanted, BadInput, BadOption):  # what is refused is told when ranks are asked for
            continue
    return [str(p) for p in panel.periods], fingerprint({"units": [[u.code, u.ranked] for u in panel.units]}), pooled.found


def _ranks(framework: Framework, part: Part, sent: Sent, study: Study, known: Known, options: dict[str, Any]) -> list[PartRanks]:
    """The study of one part."""
    panel = _loaded(part)
    try:
        result = run(framework, panel, as_sent(sent), pooled=Pooled(known))
        made = robustness(result, study, nodes=options["nodes"], periods=[str(p) for p in panel.periods], engine=options["engine"], workers=1, pairs=False)
    except BiaochiError as e:
        where = ", ".join(str(p) for p in panel.periods)
        e.add_note(where)
        raise
    out = []
    for node, period in made.targets:
        r = made.ranks(node, period)
        low, high = r.interval(options["level"])
        score = result.scores[result.period_at(period), :, result.node_at(node)]
        units = tuple(u.code for u in panel.units)
        out.append(
            PartRanks(period, node, units, score, r.nominal, r.mean, r.median, low, high, r.mean_shift, r.number.astype(np.int64), len(made.counted.failed))
        )
    return out


def _disagree(told: Sequence[tuple[list[str], str]]) -> Iterator[Problem]:
    periods = [p for names, _ in told for p in names]
    twice = sorted({p for p in periods if periods.count(p) > 1})
    if twice:
        what = Text(f"the periods {', '.join(twice)} are in more than one part.", f"{'、'.join(twice)} 出现在不止一个分块中。")
        yield Problem("twice", what, Text("Give each period once.", "每一期只应出现一次。"))
    other = [k for k, (_, units) in enumerate(told) if units != told[0][1]]
    if other:
        numbers = ", ".join(str(k + 1) for k in other[:5]) + (" …" if len(other) > 5 else "")
        what = Text(f"parts {numbers} do not have the units of the first.", f"第 {numbers} 个分块的单位与第一个不同。")
        fix = Text("Give every part all units, with empty values where there are none; ranked alike.", "各分块应含全部单位（无数据留空），且是否排名一致。")
        yield Problem("other-units", what, fix)


def _looks_across(framework: Framework, recipes: Sequence[Recipe], study: Study) -> list[Problem]:
    """Every step that needs other periods than its own, or all data at once."""
    found: dict[str, Text] = {}
    for n in framework.nodes:
        for formula in (n.reads, n.divides_by):
            if formula is not None and _ALONG_TIME & set(formula.found):
                found[n.code] = Text(f"the formula of {n.code}, {formula.text}", f"{n.code} 的公式 {formula.text}")
    for v in study.vary:
        if isinstance(v, DataDraws):
            found[v.name or v.what] = Text(f"the variation of data {v.name or v.what}", f"数据变动 {v.name or v.what}")
    for recipe in recipes:
        found |= _across(framework, recipe)
    fix = Text("Take this step on the whole data first, or choose a method that looks at one period.", "请先在完整数据上完成该步骤，或改用只看单一时期的方法。")
    return [Problem("across", Text(f"{t.en} looks beyond a part of the data.", f"{t.zh}需要分块以外的数据。"), fix) for t in found.values()]


def _across(framework: Framework, recipe: Recipe) -> dict[str, Text]:
    out = {}
    settings = {"scale": recipe.scale == "base", "treat_over": recipe.treat_over == "pooled", "min_indicator_share": bool(recipe.min_indicator_share),
                "min_indicator_nonzero": bool(recipe.min_indicator_nonzero)}  # fmt: skip
    for key in (k for k, set_ in settings.items() if set_):
        out[key] = Text(f"{key} = {getattr(recipe, key)}", f"{key} = {getattr(recipe, key)}")
    for step in ("impute", "treat", "normalise", "weigh", "aggregate"):
        for node in framework.walk():
            if bool(framework.children(node.code)) != (step in ("weigh", "aggregate")):
                continue
            name, _ = choice_of(framework, recipe, step, node)
            if _beyond(REGISTRIES[step][name], recipe):
                out[f"{step} {name}"] = Text(f"{step} = {name}", f"{step} = {name}")
    return out


def _beyond(method: Method, recipe: Recipe) -> bool:
    """Whether a method looks at other periods, or at all units of all periods."""
    kernel = method.kernel.__module__
    along = kernel.endswith(".time") or bool(method.needs & {"times", "cycle", "before", "origin"}) or not kernel.startswith("biaochi.")
    return along or Trait.FROM_DATA in method.traits or "outcome" in method.needs or (recipe.scale == "pooled" and Trait.COMPARES_UNITS in method.traits)


__all__ = ["PartRanks", "robustness_in_parts"]
