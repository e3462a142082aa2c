"""Differences from a reference and movements over time: the parts add up, and are what an independent formula says."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

import biaochi
from biaochi.diagnosis.gaps import gaps
from biaochi.diagnosis.movement import Movement, movement
from biaochi.errors import BadOption, UnknownName
from biaochi.framework import Framework
from biaochi.recipe import Choice
from biaochi.result import Result


@pytest.mark.parametrize("name", ["desi-2022", "hdi", "shanxi-cities", "china-counties"])
@pytest.mark.parametrize("reference", ["best", "leader", "mean", "median"])
def test_points_sum_to_the_difference_from_any_reference(name: str, reference: str) -> None:
    result = biaochi.evaluate(name)
    made = gaps(result, reference)
    p = result.period_at()
    there = ~np.isnan(result.scores[p, :, 0])
    np.testing.assert_allclose(made.score[there], result.scores[p, there, 0], rtol=1e-12)
    np.testing.assert_allclose(made.points.sum(axis=1)[there], made.difference[there], rtol=0, atol=1e-12 * np.nanmax(np.abs(made.score)))
    if reference == "best":
        assert np.nanmax(made.points[result.counts[p]]) <= 1e-12
    if reference == "leader":
        best = result.order()[0]
        assert set(made.who) == {result.panel.units[best].code}
        np.testing.assert_allclose(made.difference[best], 0, atol=1e-12)


def test_a_sum_costs_weight_times_gap_and_nodes_add_their_indicators() -> None:
    result = biaochi.evaluate("desi-2022")
    p = result.period_at()
    made = gaps(result, "mean", peers=["DE", "FR", "IT"])
    z = result.stages["normalised"][p]
    among = [result.panel.position(c) for c in ("DE", "FR", "IT")]
    weights = np.array([result.effective_weights[c] for c in result.indicators])
    for k in (0, 5, 20):
        expected = weights * (z[k] - z[[*among]].mean(axis=0))
        if not np.isnan(expected).any():
            np.testing.assert_allclose(made.points[k], expected, atol=1e-10)
    told = made.nodes("DE")
    root = result.framework.root.code
    assert told[root] == pytest.approx(made.difference[made.at("DE")])
    for parent in result.nodes:
        kids = result.framework.children(parent.code)
        if kids:
            assert told[parent.code] == pytest.approx(sum(told[c.code] for c in kids))


def test_another_unit_and_the_own_past_are_references() -> None:
    result = biaochi.evaluate("hdi")
    p = result.period_at()
    made = gaps(result, "NOR")
    np.testing.assert_allclose(made.other_score, result.scores[p, result.panel.position("NOR"), 0])
    past = gaps(result, "past", ["CHN"])
    assert past.difference[0] == pytest.approx(result.scores[p, result.panel.position("CHN"), 0] - result.scores[p - 1, result.panel.position("CHN"), 0])
    assert "2021" in past.reference.en
    with pytest.raises(UnknownName, match="reference"):
        gaps(result, "bset")
    with pytest.raises(BadOption, match="states none"):
        gaps(result, "target")
    with pytest.raises(BadOption, match="a period before"):
        gaps(result, "past", period="1990")


def test_targets_are_held_on_the_scale_as_it_is() -> None:
    result = biaochi.evaluate("shanxi-cities")
    code = result.indicators[0]
    p = result.period_at()
    goal = float(np.nanmedian(result.stages["denominated"][p, :, 0]))
    frame = Framework([replace(n, target=goal) if n.code == code else n for n in result.framework.nodes])
    again = biaochi.run(frame, result.panel, result.recipe)
    made = gaps(again, "target")
    there = made.points[:, 1:]
    assert (there == 0).all()
    x = again.stages["denominated"][p, :, 0]
    sign = float(again.framework[code].direction)  # type: ignore[arg-type]
    assert (np.sign(made.points[:, 0]) == np.sign((x - goal) * sign)).all()


def test_what_ifs_give_an_interval_and_what_lies_in_it_is_tied() -> None:
    result = biaochi.evaluate("desi-2022")
    made = gaps(result, "mean", ["DE", "BG"]).under(replicates=120)
    assert made.replicates == 120
    assert made.low is not None and made.high is not None
    assert (made.low <= made.high + 1e-12).all()
    inside = (made.low <= made.points + 1e-9) & (made.points <= made.high + 1e-9)
    assert inside.mean() > 0.95
    rows = made.rows("BG")
    assert rows[0]["points"] == min(r["points"] for r in rows)
    assert any(r["tied"] for r in made.rows()) or not made.tied.any()


# --- movements -------------------------------------------------------------------------------------------------------------


def adds_up(made: Movement) -> None:
    np.testing.assert_allclose(sum(made.parts.values()), made.after - made.before, rtol=0, atol=1e-9)
    np.testing.assert_allclose(made.own.sum(axis=1), made.parts["own"], rtol=0, atol=1e-9)
    told = ~np.isnan(made.rank_before) & ~np.isnan(made.rank_after)
    np.testing.assert_allclose(sum(v[told] for v in made.rank_parts.values()), (made.rank_before - made.rank_after)[told], rtol=0, atol=1e-9)


def test_every_pair_of_desi_editions_adds_up() -> None:
    result = biaochi.evaluate("desi-2022")
    weights = np.array([result.effective_weights[c] for c in result.indicators])
    for p, q in combinations(range(len(result.panel.periods)), 2):
        made = movement(result, periods=(result.panel.periods[p], result.panel.periods[q]))
        assert len(made.units) == len(result.panel.units)
        adds_up(made)
        assert set(made.parts) == {"own"}  # goalposts are fixed
        z = result.stages["normalised"]
        complete = ~np.isnan(z[[p, q]]).any(axis=(0, 2))
        np.testing.assert_allclose(made.own[complete], (weights * (z[q] - z[p]))[complete], atol=1e-9)


def _relative_or_not(kind: str) -> Result:
    result = biaochi.evaluate("desi-2022")
    if kind == "fixed":
        return result
    recipe = replace(result.recipe, normalise=Choice("minmax"), scale="period", constant=50.0)
    if kind == "geometric":
        recipe = replace(recipe, aggregate=Choice("geometric"), range=(1.0, 100.0))
    return biaochi.run(result.framework, result.panel, recipe)


@pytest.mark.parametrize("kind", ["minmax", "geometric"])
def test_a_scale_set_by_others_is_a_part_of_its_own(kind: str) -> None:
    result = _relative_or_not(kind)
    made = movement(result)
    adds_up(made)
    assert np.abs(made.parts["reference"]).max() > 0.01
    assert "others" not in made.parts  # a score is not touched by others otherwise
    assert np.nanmax(np.abs(made.rank_parts["others"])) > 0.5


@pytest.mark.parametrize("kind", ["fixed", "minmax"])
def test_a_changed_framework_and_revised_data_are_parts_and_add_up(kind: str) -> None:
    old = _relative_or_not(kind)
    dropped = old.indicators[3]
    nodes = [replace(n, weight=(n.weight or 1.0) * (1.5 if n.code == old.nodes[1].code else 1.0)) for n in old.framework.nodes if n.code != dropped]
    rng = np.random.default_rng(3)
    values = old.panel.values.copy()
    values[-2] *= 1 + 0.02 * rng.standard_normal(values[-2].shape)
    values = np.where(np.isnan(old.panel.values), np.nan, np.clip(values, 0, 100))
    late = biaochi.run(Framework(nodes_of(old, nodes)),
                       replace(old.panel, values=values), old.recipe)  # fmt: skip
    for first, second in ((old, late), (late, old)):
        made = movement(first, second, periods=(old.panel.periods[-2], old.panel.periods[-1]))
        adds_up(made)
        assert {"own", "revisions", "indicators", "weights"} <= set(made.parts)
        before = first.scores[len(old.panel.periods) - 2, [first.panel.position(u) for u in made.units], 0]
        np.testing.assert_allclose(made.before, before)
    same = movement(old, late, periods=(old.panel.periods[-1], old.panel.periods[-1]))
    adds_up(same)


def nodes_of(old: Result, nodes: list[biaochi.Node]) -> list[biaochi.Node]:
    """The nodes, and what was an indicator as data that stand by."""
    codes = {n.code for n in nodes}
    return [*nodes, *(biaochi.Node(c, series=True) for c in old.panel.codes if c not in codes)]


def test_editions_of_other_units_and_periods_share_what_they_have() -> None:
    result = biaochi.evaluate("hdi")
    made = movement(result, periods=("1990", "2022"))
    adds_up(made)
    assert len(made.units) < len(result.panel.units)
    row = next(r for r in made.rows() if r["unit"] == "CHN")
    assert row["places"]["own"] + row["places"]["others"] == pytest.approx(row["rank_before"] - row["rank_after"])
    with pytest.raises(BadOption, match="two periods"):
        movement(biaochi.evaluate("shanxi-cities"))
