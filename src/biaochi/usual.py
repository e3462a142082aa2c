"""The study of robustness a result gets when none is declared, and how much of it a run has time for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from biaochi.checks import REGISTRIES, choice_of
from biaochi.errors import BiaochiError
from biaochi.kernels.whatif.engine import PLAIN_NS
from biaochi.method import Trait
from biaochi.result import Result, takes_result
from biaochi.reweigh import Noise
from biaochi.run import run
from biaochi.study import Study
from biaochi.variation import Settings, Variation, laid

NOISE = 0.25
"""How far the usual study lets a weight go from what is stated, as a share of it."""
SECONDS = 2.0
"""How long the study of a plain run may take in plain NumPy on two usual cores; the same data always get the same study."""
FEWEST = 200


@takes_result
def usual(result: Result) -> Study:
    """The study a result gets when none is declared.

    Weights go up and down by 25 %, each on its own; indicators are scored as stated or by z-scores (min-max where the
    recipe has z-scores); parents are arithmetic or geometric means; gaps are filled as stated or left. What a recipe
    has no room for is left out: fixed goalposts, for example, are no matter of choice of scale.

    Parameters
    ----------
    result : Result
    """
    recipe, framework = result.recipe, result.original or result.framework
    vary: list[Variation] = [Noise("weights", noise=NOISE)] if any(len(framework.children(n.code)) > 1 for n in framework.nodes) else []
    methods: list[dict[str, Any]] = [{}, *(a for a in _other_methods(result) if _runs(result, a))]
    if len(methods) > 1:
        vary.append(Settings("method", tuple(methods)))
    gaps = bool(np.isnan(result.stages["denominated"][result.counts]).any())
    filled = {choice_of(framework, recipe, "impute", n)[0] for n in result.framework.indicators} != {"none"}
    if gaps and filled and not recipe.level and not recipe.node and _runs(result, {"impute": "none"}):
        vary.append(Settings("imputation", ({}, {"impute": "none"})))
    return Study(tuple(vary))


def _other_methods(result: Result) -> Iterator[dict[str, Any]]:
    recipe, framework = result.recipe, result.framework
    normalisers = {choice_of(framework, recipe, "normalise", n)[0] for n in framework.indicators}
    parents = {choice_of(framework, recipe, "aggregate", n)[0] for n in framework.walk() if framework.children(n.code)}
    relative = all(Trait.IGNORES_REF not in REGISTRIES["normalise"][n].traits for n in normalisers)
    if relative and recipe.scale in ("period", "pooled", "base") and parents == {"arithmetic"}:
        yield {"normalise": "minmax" if normalisers == {"zscore"} else "zscore"}
    if parents == {"arithmetic"}:
        top = recipe.range[1]
        yield {"aggregate": "geometric", **({"range": [max(recipe.range[0], top / 100), top]} if recipe.range[0] <= 0 < top else {})}
    elif parents == {"geometric"}:
        yield {"aggregate": "arithmetic"}
    else:  # the index itself, where its branches are combined by other means
        root = framework.root
        own = choice_of(framework, recipe, "aggregate", root)[0]
        if own in ("arithmetic", "geometric"):
            yield {"node": {root.code: {"aggregate": "geometric" if own == "arithmetic" else "arithmetic"}}}


def _runs(result: Result, changes: Mapping[str, Any]) -> bool:
    """Whether a run with some settings changed gives every unit that is ranked a score, and other scores than before."""
    try:
        made = run(result.original or result.framework, result.panel, laid(result.recipe, changes))
    except BiaochiError:
        return False
    mine, theirs = (np.where(r.counts, r.scores[..., 0], np.nan) for r in (result, made))
    return bool((np.isnan(theirs) <= np.isnan(mine)).all()) and not np.array_equal(mine, theirs, equal_nan=True)


def in_time(result: Result, study: Study, targets: int) -> Study:
    """The study with as many replicates, up to its own number, as a plain run has time for."""
    cells = max(int(result.panel.counts.sum()) * targets, 1)
    most = max(int(SECONDS / (PLAIN_NS * 1e-9 / 2) / cells) // 100 * 100, FEWEST)
    return replace(study, replicates=min(study.replicates, most))
