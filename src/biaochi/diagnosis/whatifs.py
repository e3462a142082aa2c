"""Runs as they would be under what-ifs: what a diagnosis is looked at again in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from biaochi.errors import BiaochiError
from biaochi.result import Result
from biaochi.run import run
from biaochi.scenarios import Plan, with_given
from biaochi.study import Study
from biaochi.usual import usual


def variants(result: Result, study: Study | None = None, replicates: int = 200) -> Iterator[Result]:
    """The run under each what-if, its indicator scores and its weights; what cannot be run is left out.

    Scores and ranks above the indicators are those before the weights were varied: only `stages` and `weights` are to be used.

    Parameters
    ----------
    result : Result
    study : Study, optional
        What varies; by default what `usual` finds.
    replicates : int
    """
    asked = study or usual(result)
    if not asked.vary:
        return
    plan = Plan(result, asked.vary, seed=asked.seed)
    ids = np.arange(replicates)
    u = plan.uniforms(ids)
    for group in plan.groups(plan.picks(u)):
        panel, rng = plan.prefixes.panel_of(group.draws)
        try:
            made = run(plan.framework, panel, plan.prefixes.recipe_of(group.choice), rng=rng, pooled=result.pooled)
            _, base = plan.prefixes.weights(group.choice, group.draws)
        except BiaochiError:
            continue
        weights = plan.varied(base, [d[:, group.rows] for d in u])
        at = [plan.tree.at[n.code] for n in made.nodes]
        recipe = with_given(made.recipe)
        for k in range(len(group.rows)):
            yield replace(made, weights=weights[at, k], recipe=recipe)
