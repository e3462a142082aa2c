"""Early warning, rank flow and neighbours: back-tested on real series, and held against plain formulas."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import biaochi
from biaochi.diagnosis.flow import rank_flow, risers
from biaochi.diagnosis.neighbours import alike, nearest, went_before
from biaochi.diagnosis.outlook import outlook
from biaochi.errors import BadOption, UnknownName
from biaochi.framework import Framework
from biaochi.kernels.forecast import Series, backtest


@pytest.mark.parametrize("name", ["hdi", "desi-2022"])
@pytest.mark.parametrize("level", [0.8, 0.9, 0.95])
def test_intervals_hold_what_they_promise_within_three_points(name: str, level: float) -> None:
    record = outlook(biaochi.evaluate(name), level=level).record
    for what in ("values", "scores"):
        rows = [r for r in record if r["what"] == what]
        assert sum(r["of"] for r in rows) > 80
        assert abs(sum(r["held"] for r in rows) / sum(r["of"] for r in rows) - level) < 0.03


def test_a_forecast_knows_nothing_of_what_comes_after() -> None:
    x = biaochi.evaluate("hdi").stages["denominated"]
    for t in (5, 20):
        changed = x.copy()
        changed[t:] = np.random.default_rng(0).normal(size=x[t:].shape)
        a, b = Series(x).ahead(t), Series(changed).ahead(t)
        assert a is not None
        assert b is not None
        np.testing.assert_array_equal(a.value, b.value)
        np.testing.assert_array_equal(a.size, b.size)
        assert a.reach(0.9) == b.reach(0.9)
    known, _ = backtest(Series(x[:12]), 0.9)
    whole, _ = backtest(Series(x), 0.9)
    for (_, _, low, high), (_, _, low2, high2) in zip(known, whole, strict=False):
        np.testing.assert_array_equal(low, low2)
        np.testing.assert_array_equal(high, high2)


def test_forecasts_of_random_walks_and_of_lines_are_what_they_should_be() -> None:
    rng = np.random.default_rng(1)
    walk = np.cumsum(rng.normal(size=(40, 200, 1)), axis=0)
    made = Series(walk).ahead(40)
    assert made is not None
    assert 1.5 < float(np.mean(made.reach(0.9) * made.size)) < 1.85  # 1.645 standard deviations of a step
    line = np.arange(10.0)[:, None, None] * rng.uniform(1, 2, size=(1, 50, 1))
    ahead = Series(line).ahead(10)
    assert ahead is not None
    np.testing.assert_allclose(ahead.value, line[-1] + line[1], rtol=1e-12)


def test_warnings_of_lost_ranks_beat_guessing() -> None:
    for name in ("hdi", "desi-2022"):
        made = outlook(biaochi.evaluate(name))
        told = next(r for r in made.record if r["what"] == "rank")
        assert told["came_true"] / told["warned"] > 1.4 * told["lost"] / told["of"]
        assert all(w["chance"] >= 0.5 for w in made.warnings())
        assert ((made.lose + made.gain)[~np.isnan(made.lose)] <= 1 + 1e-12).all()


def test_too_few_periods_are_refused() -> None:
    with pytest.raises(BadOption, match="four periods"):
        outlook(biaochi.evaluate("shanxi-cities"))
    with pytest.raises(BadOption, match="between 0 and 1"):
        outlook(biaochi.evaluate("hdi"), level=90)


def test_risers_are_ordered_and_ties_are_told() -> None:
    result = biaochi.evaluate("desi-2022")
    rows = risers(result)
    assert [r["places"] for r in rows] == sorted((r["places"] for r in rows), reverse=True)
    assert sum(r["places"] for r in rows) == pytest.approx(0)
    for r in rows:
        assert r["low"] <= r["high"]
        assert r["tied"] == (r["low"] <= 0 <= r["high"])
    flow = rank_flow(result)
    assert [f["ranks"]["2022"] for f in flow if f["ranks"]["2022"] is not None] == sorted(f["ranks"]["2022"] for f in flow if f["ranks"]["2022"] is not None)
    with pytest.raises(BadOption, match="two different"):
        risers(result, "2022", "2022")


def test_nearest_units_by_brute_force() -> None:
    result = biaochi.evaluate("hdi")
    p = result.period_at()
    z = result.stages["normalised"][p]
    w = np.array([result.effective_weights[c] for c in result.indicators])
    w = w / w.sum()
    u = result.panel.position("CHN")
    far = np.sqrt((w * (z - z[u]) ** 2).sum(axis=1))
    able = [k for k in range(len(z)) if k != u and result.counts[p, k] and not np.isnan(far[k])]
    expected = sorted(able, key=lambda k: far[k])[:5]
    made = nearest(result, "CHN", 5)
    assert [m["unit"] for m in made] == [result.panel.units[k].code for k in expected]
    np.testing.assert_allclose([m["distance"] for m in made], far[expected], rtol=1e-9)
    with pytest.raises(UnknownName):
        nearest(result, "CHN", by=["population"])


def test_groups_that_are_there_are_found_and_called_stable() -> None:
    made = alike(biaochi.evaluate("shanxi-cities"))
    assert sorted(len(g["units"]) for g in made["groups"]) == [1, 10]
    hdi = alike(biaochi.evaluate("hdi"), 4)
    assert hdi["number"] == 4
    assert [g["score"] for g in hdi["groups"]] == sorted((g["score"] for g in hdi["groups"]), reverse=True)
    assert all(0 < g["stability"] <= 1 for g in hdi["groups"])


def test_too_few_units_are_refused() -> None:
    result = biaochi.evaluate("shanxi-cities")
    few = biaochi.run(result.framework, result.panel, replace(result.recipe, drop=tuple(u.code for u in result.panel.units[3:])))
    with pytest.raises(BadOption, match="4 units"):
        alike(few)


def test_who_went_before_started_no_higher_and_stands_higher_now() -> None:
    result = biaochi.evaluate("hdi")
    q, own = result.period_at(), result.scores[result.period_at(), result.panel.position("CHN"), 0]
    rows = went_before(result, "CHN", 5)
    assert len(rows) == 5
    for r in rows:
        assert r["score_then"] <= own < r["score_now"]
        assert r["points"] == pytest.approx(r["score_now"] - r["score_then"])
        assert result.scores[q, result.panel.position(r["unit"]), 0] == r["score_now"]
    assert [r["pace"] for r in rows] == sorted((r["pace"] for r in rows), reverse=True)


def test_targets_that_will_be_missed_are_warned_of_and_the_record_stands_beside() -> None:
    result = biaochi.evaluate("hdi")
    p = result.period_at()
    frame = Framework([replace(n, target=75.0) if n.code == "le" else n for n in result.framework.nodes])
    made = outlook(biaochi.run(frame, result.panel, result.recipe))
    i = result.indicators.index("le")
    x = result.stages["denominated"][p, :, i]
    assert (made.miss[x > 84, i] < 0.02).all()
    assert (made.miss[x < 60, i] > 0.98).all()
    assert np.isnan(np.delete(made.miss, i, axis=1)).all()
    order = np.argsort(made.value[:, i])
    assert made.miss[order[0], i] >= made.miss[order[100], i] >= made.miss[order[-10], i]
    told = next(r for r in made.record if r["what"] == "target")
    assert told["came_true"] / told["warned"] > 0.95
    assert told["foreseen"] / told["lost"] > 0.95
    assert {w["indicator"] for w in made.warnings() if w["what"] == "target"} == {"le"}
