"""Levers: what they promise comes true when the raw data are changed and everything is run again, and no less does."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

import biaochi
from biaochi.diagnosis.levers import Levers, levers
from biaochi.framework import Framework, Node
from biaochi.panel import Panel
from biaochi.recipe import Choice, Recipe
from biaochi.result import Result


def raw_again(result: Result, unit: int, changes: dict[str, float]) -> Result:
    """The whole run with raw values of the last period changed: of an indicator with a denominator, the numerator."""
    panel = result.panel
    p = result.period_at()
    values = panel.values.copy()
    for code, needed in changes.items():
        i, c = result.indicators.index(code), panel.codes.index(code)
        now = result.stages["denominated"][p, unit, i]
        values[p, unit, c] *= needed / now if now else 1.0
        if not now:
            values[p, unit, c] = needed
    return biaochi.run(result.framework, replace(panel, values=values), result.recipe)


def reached(result: Result, made: Levers, unit: int) -> bool:
    p = result.period_at()
    return bool(result.ranks[p, unit, 0] <= made.aim.most_above[unit] + 1)


@pytest.mark.parametrize("name", ["desi-2022", "shanxi-cities"])
@pytest.mark.parametrize("rank", ["next", 3])
def test_single_levers_reach_their_place_from_raw_data_and_one_per_cent_less_does_not(name: str, rank: int | str) -> None:
    result = biaochi.evaluate(name)
    made = levers(result, rank=rank)
    units, indicators = np.nonzero(~np.isnan(made.change))
    assert len(units) > 20 or rank != "next"
    assert len(set(units.tolist())) >= (6 if rank == "next" else 1)
    x = made.trials.x
    for u, i in zip(units.tolist(), indicators.tolist(), strict=True):
        code, change = result.indicators[i], made.change[u, i]
        assert reached(raw_again(result, u, {code: x[u, i] + change}), made, u)
        assert not reached(raw_again(result, u, {code: x[u, i] + 0.99 * change}), made, u)


def test_an_indicator_without_weight_is_no_lever() -> None:
    result = biaochi.evaluate("shanxi-cities")
    codes = [n.code for n in result.framework.indicators if n.parent == "L"]
    frame = Framework([replace(n, weight=0.0) if n.code == codes[0] else n for n in result.framework.nodes])
    made = levers(biaochi.run(frame, result.panel, replace(result.recipe, weigh=Choice("given"))))
    assert np.isnan(made.change[:, result.indicators.index(codes[0])]).all()
    assert (~np.isnan(made.change)).sum() > 10


def test_a_score_is_reached_and_one_per_cent_less_does_not() -> None:
    result = biaochi.evaluate("desi-2022")
    p = result.period_at()
    goal = float(np.nanmax(result.scores[p, :, 0])) * 0.9
    made = levers(result, score=goal)
    units, indicators = np.nonzero(~np.isnan(made.change))
    assert len(units)
    for u, i in zip(units.tolist(), indicators.tolist(), strict=True):
        for share, there in ((1.0, True), (0.99, False)):
            again = raw_again(result, u, {result.indicators[i]: made.trials.x[u, i] + share * made.change[u, i]})
            assert bool(again.scores[p, u, 0] >= goal) is there


@pytest.mark.parametrize("name", ["desi-2022", "shanxi-cities"])
@pytest.mark.parametrize("rank", ["next", 3])
def test_combinations_reach_their_place_and_are_no_dearer_than_any_single_lever(name: str, rank: int | str) -> None:
    result = biaochi.evaluate(name)
    made = levers(result, rank=rank)
    found = 0
    for unit in result.panel.units:
        best = made.cheapest(unit.code)
        if best is None:
            continue
        found += 1
        u = result.panel.position(unit.code)
        assert reached(raw_again(result, u, {m.code: m.needed for m in best.moves}), made, u)
        assert best.cost is not None and best.lowest_cost is not None
        assert best.lowest_cost <= best.cost
        if not np.isnan(made.cost[u]).all():
            assert best.cost <= np.nanmin(made.cost[u]) * (1 + 1e-9)
        assert sum(m.points for m in best.moves) == pytest.approx(best.score - made.trials.scores[u], abs=1e-9)
    assert found >= 8


def _small(aggregate: str, normalise: str, seed: int) -> Result:
    rng = np.random.default_rng(seed)
    nodes = [Node("index"), *[Node(c, "index", weight=w) for c, w in zip("abc", (1.0, 2.0, 1.5), strict=True)]]
    table = {"unit": [f"u{k}" for k in range(7)], "period": ["2020"] * 7, **{c: (rng.random(7) * 80 + 10).tolist() for c in "abc"}}
    return biaochi.run(Framework(nodes), Panel.of(table), Recipe(normalise=normalise, aggregate=aggregate, range=(1.0, 100.0)))


def _goalposts(aggregate: str, seed: int) -> Result:
    made = _small(aggregate, "minmax", seed)
    nodes = [replace(n, goalposts=(0.0, 100.0)) if n.parent else n for n in made.framework.walk()]
    return biaochi.run(Framework(nodes), made.panel, Recipe(normalise="goalposts", aggregate=aggregate, range=(1.0, 100.0)))


def _by_grid(made: Levers, u: int, steps: int = 41) -> float:
    """The cheapest point of a grid that reaches the goal, every point tried."""
    t = made.trials
    axes = [np.linspace(t.x[u, i], b if b == b else t.x[u, i], steps) for i, b in enumerate(made.bound[u])]
    points = np.array(list(product(*axes)))
    cost: NDArray[np.float64] = (np.abs(points - t.x[u]) * made.costs.per_unit).sum(axis=1)
    order = np.argsort(cost)
    for first in range(0, len(order), 2000):
        some = order[first : first + 2000]
        x = np.repeat(t.x[None], len(some), axis=0)
        x[:, u] = points[some]
        scores, _ = t.whole(x)
        own, above = t.above(scores, np.full(len(some), u))
        there = made.aim.reached(np.full(len(some), u), own, above)
        if there.any():
            return float(cost[some[np.argmax(there)]])
    return np.inf


@pytest.mark.parametrize("aggregate", ["arithmetic", "geometric", "harmonic"])
@pytest.mark.parametrize("fixed", [True, False])
def test_a_combination_is_no_dearer_than_any_point_of_a_grid(aggregate: str, fixed: bool) -> None:
    looked = 0
    for seed in range(2):
        result = _goalposts(aggregate, seed) if fixed else _small(aggregate, "minmax", seed)
        made = levers(result, rank=2)
        for u, unit in enumerate(result.panel.units):
            best = made.cheapest(unit.code)
            if best is None:
                continue
            looked += 1
            by_grid = _by_grid(made, u)
            assert best.cost is not None
            assert best.cost <= by_grid * (1 + 1e-3)
            if best.lowest_cost is not None:
                assert best.lowest_cost <= by_grid * (1 + 1e-9)
    assert looked >= 4


def test_fixed_goalposts_and_sums_or_products_have_certified_answers() -> None:
    for aggregate in ("arithmetic", "geometric"):
        made = levers(_goalposts(aggregate, 3), rank=1)
        for unit in made.result.panel.units:
            best = made.cheapest(unit.code)
            if best is not None:
                assert best.cost is not None and best.lowest_cost == pytest.approx(best.cost, rel=1e-5)


def test_units_that_change_places_are_named_with_the_reason() -> None:
    result = biaochi.evaluate("shanxi-cities")
    made = levers(result)
    p = result.period_at()
    seen = set()
    for unit in result.panel.units:
        for lever in made.of(unit.code):
            told = made.effects(lever)
            u = result.panel.position(unit.code)
            again = raw_again(result, u, {lever.moves[0].code: lever.moves[0].needed})
            moved = {result.panel.units[k].code for k in np.flatnonzero(again.ranks[p, :, 0] != result.ranks[p, :, 0]) if k != u and result.counts[p, k]}
            assert {d["unit"] for d in told.displaced} == moved
            for d in told.displaced:
                k = result.panel.position(d["unit"])
                same = abs(again.scores[p, k, 0] - result.scores[p, k, 0]) <= 1e-9
                assert d["why"] == ("overtaken" if same else "scale")
                seen.add(d["why"])
    assert seen == {"overtaken", "scale"}


def test_a_gain_survives_the_what_ifs_more_often_the_larger_it_is() -> None:
    result = biaochi.evaluate("shanxi-cities")
    unit = result.panel.units[result.order()[6]].code
    made = levers(result, rank=3)
    found = made.cheapest(unit)
    assert found is not None
    far = made.survival(found, replicates=300)
    near = levers(result)
    small = near.cheapest(unit)
    assert small is not None
    little = near.survival(small, replicates=300)
    assert far.chances is not None and little.chances is not None
    assert 0.0 <= little.chances.gains < far.chances.gains <= 1.0
    again = made.survival(found, replicates=300)
    assert again.chances == far.chances


def test_the_survival_of_no_change_is_no_gain() -> None:
    result = biaochi.evaluate("desi-2022")
    made = levers(result)
    first = made.of("AT", 1)[0]
    still = made.survival(replace(first, moves=(replace(first.moves[0], needed=first.moves[0].value),)), replicates=200)
    assert still.chances is not None
    assert still.chances.gains == 0.0


def test_a_cost_given_is_the_cost_charged_and_others_are_not_moved() -> None:
    made = levers(biaochi.evaluate("desi-2022"), rank=5, costs_per_unit={"2c1": 3.0, "2c2": 1.0, "4a5": 2.0})
    for unit in made.result.panel.units:
        best = made.cheapest(unit.code)
        if best is not None:
            assert {m.code for m in best.moves} <= {"2c1", "2c2", "4a5"}
            assert best.cost == pytest.approx(sum(abs(m.change) * {"2c1": 3.0, "2c2": 1.0, "4a5": 2.0}[m.code] for m in best.moves))


def test_levers_of_goals_that_cannot_be() -> None:
    result = biaochi.evaluate("shanxi-cities")
    for wrong in (
        {"rank": 0},
        {"rank": "nex"},
        {"score": "high"},
        {"within": 0},
        {"costs_per_unit": {"none": 1.0}},
        {"costs_per_unit": {"urban_share_pct": -1.0}},
        {"peers": ["140100"]},
    ):
        with pytest.raises(biaochi.BiaochiError):
            levers(result, **wrong)  # type: ignore[arg-type]
    assert levers(result, score=1e9).cheapest("140200") is None
