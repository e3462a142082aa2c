"""What moves the ranks, and what weights can do: variance shares, single alternatives, exact answers, acceptability."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

import biaochi
from biaochi import BadOption, Dirichlet, Drop, Limits, Noise, Sets, Settings, UnknownName

METHOD = Settings("method", ({}, {"normalise": "zscore"}))
METHODS = Settings("method", ({}, {"aggregate": "geometric", "range": [1, 100]}))


@pytest.fixture(scope="module")
def made(asem: biaochi.Result) -> biaochi.Robustness:
    return biaochi.robustness(asem, [Noise("weights"), METHODS, Drop("drop")], replicates=600, keep=True)


# --- what drives ranks ----------------------------------------------------------------------------------------------------------------


def test_sensitivity_targets_groups_and_second_order(asem: biaochi.Result) -> None:
    vary = [Noise("w1", level=1), Noise("w2", level=2), METHOD]
    got = biaochi.sensitivity(asem, vary, samples=128, targets=("shift", "correlation", "ranks", "scores"), second=True)
    assert (got.samples, got.runs, got.failed) == (128, 128 * 8, 0)
    assert got.shares["shift"].found.second is not None
    ranks, scores = got.unit("CHE"), got.unit("CHE", "scores")
    assert ranks.inputs == ("w1", "w2", "method")
    assert scores.found.total[2] > 0.9, "z-scores are on another scale"
    plainly = biaochi.sensitivity(asem, vary, samples=128, engine="plain", targets=("ranks",))
    assert got.ranks is not None
    assert plainly.ranks is not None
    np.testing.assert_allclose(got.ranks.total, plainly.ranks.total, rtol=1e-12)
    grouped = biaochi.sensitivity(asem, vary, samples=128, groups={"weights": ["w1", "w2"]})
    assert grouped.inputs == ("weights", "method")
    assert [t["samples"] for t in got.trace if t["input"] == "w1"] == [16, 32, 64, 128]
    y = got.outputs["shift"].reshape(-1, 128)
    want = biaochi.kernels.sobol.indices(y[0], y[1], y[2:5])  # type: ignore[attr-defined]
    np.testing.assert_allclose(got.shares["shift"].found.total, want.total)
    for wrong in (
        {"samples": 2},
        {"targets": ("rank",)},
        {"design": "lhs"},
        {"groups": {"g": ["w9"]}},
        {"groups": {"g": ["w1"], "h": ["w1"]}},
        {"level": 2},
        {"draws": 1},
    ):
        with pytest.raises((BadOption, UnknownName)):
            biaochi.sensitivity(asem, vary, **wrong)
    with pytest.raises(BadOption, match="two inputs"):
        biaochi.sensitivity(asem, [Noise()], samples=16)


def test_chunks_of_samples_change_nothing(asem: biaochi.Result, monkeypatch: pytest.MonkeyPatch) -> None:
    vary = [Noise("weights"), METHOD]
    whole = biaochi.sensitivity(asem, vary, samples=100)
    monkeypatch.setattr(sys.modules["biaochi.sensitivity"], "CHUNK_BYTES", 51 * 4 * 2 * 33)
    parts = biaochi.sensitivity(asem, vary, samples=100)
    assert whole.rows() == parts.rows()
    assert whole.ranks is not None
    assert parts.ranks is not None
    np.testing.assert_array_equal(whole.ranks.first, parts.ranks.first)


def test_one_at_a_time_is_a_run_each(asem: biaochi.Result) -> None:
    rows = biaochi.one_at_a_time(
        asem, [METHOD, Noise("weights", level=1), Drop("drop", indicators=("LPI",)), Sets("sets", sets={"a": {"Conn": 3.0}, "b": {"Sust": 3.0}})]
    )
    by = {(r["input"], r["alternative"]): r for r in rows}
    assert by["method", "—"]["mean_shift"] == 0
    other = biaochi.run(asem.framework, asem.panel, biaochi.variant(asem.recipe, normalise="zscore"))
    assert by["method", "normalise: zscore"]["mean_shift"] == pytest.approx(np.abs(other.ranks[0, :, 0] - asem.ranks[0, :, 0]).mean())
    assert by["drop", "LPI"]["mean_shift"] == pytest.approx(biaochi.leave_out(asem).mean_shift["LPI"])
    assert {a for i, a in by if i == "weights"} == {"Conn -", "Conn +", "Sust -", "Sust +"}
    assert by["sets", "a"]["unit"] is not None


def test_regional_and_delta(made: biaochi.Robustness, asem: biaochi.Result) -> None:
    rows = biaochi.regional(made, "LUX", top=10)
    assert rows[0]["input"] == "method", "a geometric mean brings Luxembourg down"
    chances = rows[0]["chances"]
    assert chances[0] > chances[1] + 0.5
    assert biaochi.regional(made, "CHE", top=51) == []
    told = biaochi.delta(made)
    assert told[0]["input"] == "method"
    assert all(0 <= r["delta"] <= 1 for r in told)
    assert biaochi.delta(made, unit="LUX")[0]["input"] == "method"
    with pytest.raises(BadOption, match="keep=True"):
        biaochi.regional(biaochi.robustness(asem, [Noise()], replicates=20), "LUX")


# --- exact answers --------------------------------------------------------------------------------------------------------------------


def _ranks(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    s = x @ w.T
    return 1 + (s[None] > s[:, None] + 1e-9).sum(axis=1)


def test_weight_stability_is_where_the_first_rank_changes(desi: biaochi.Result) -> None:
    from biaochi.stability import field_of

    f = field_of(desi, None, None)
    nominal = _ranks(f.x, f.weights[None])[:, 0]
    for first_only in (False, True):
        for k, row in enumerate(biaochi.weight_stability(desi, first_only=first_only)):
            rest = np.delete(np.arange(4), k)
            for end, pair in (("low", "low_pair"), ("high", "high_pair")):
                for step, changed in ((-1e-6, False), (1e-6, True)):
                    t = row[end] + (step if end == "high" else -step)
                    if not 0 < t < 1:
                        continue
                    w = np.empty(4)
                    w[k], w[rest] = t, (1 - t) / 3
                    got = _ranks(f.x, w[None])[:, 0]
                    same = (got == 1).tolist() == (nominal == 1).tolist() if first_only else (got == nominal).all()
                    assert same != changed, (k, end, step)
                    if row[pair] and changed:
                        a, b = (f.codes.index(c) for c in row[pair])
                        assert nominal[a] < nominal[b]
                        assert got[a] > got[b]


def test_weight_stability_where_units_tie() -> None:
    """A = (60, 60), B = (50, 50), C = (85, 35), weights 3 : 7: B and C tie at 50; C passes A where 35 + 50 t = 60."""
    framework = biaochi.Framework([biaochi.Node("I"), biaochi.Node("x", parent="I", weight=3.0), biaochi.Node("y", parent="I", weight=7.0)])
    panel = biaochi.Panel.of({"unit": ["A", "B", "C"], "x": [60.0, 50.0, 85.0], "y": [60.0, 50.0, 35.0]}, period="2024")
    result = biaochi.run(framework, panel, biaochi.Recipe(normalise=biaochi.Choice.of("goalposts", low=0.0, high=100.0), scale="fixed"))
    x, y = biaochi.weight_stability(result)
    assert (x["high"], x["high_pair"]) == (pytest.approx(0.5), ("A", "C"))
    assert (y["low"], y["low_pair"]) == (pytest.approx(0.5), ("A", "C"))


def test_few_samples_of_many_draws_are_not_degenerate(asem: biaochi.Result) -> None:
    """Two of 118 columns of a short Sobol sequence can agree in every row; an input would then seem to do nothing."""
    vary = [Noise("w", noise=0.2), Settings("m", ({}, {"normalise": "rank"}))]
    for seed in (1, 2, 3):
        assert 0.6 < biaochi.sensitivity(asem, vary, samples=256, seed=seed).shares["shift"].rows()[1]["total"] < 1.2


def test_a_node_without_the_index(desi: biaochi.Result) -> None:
    made = biaochi.robustness(desi, [Noise(level=2)], replicates=100, nodes=["1"])
    assert made.mean_shift[0] >= 0
    assert "Robustness 100" in repr(made)
    assert made.to_dict()["mean_shift"] is not None


def test_groups_look_both_ways(asem: biaochi.Result) -> None:
    ranks = biaochi.robustness(asem, [Settings("m", ({}, {"normalise": "rank"}), chances=(0.02, 0.98))], replicates=500).ranks()
    assert ranks.ahead("NLD", "DNK") < 0.05
    assert all({"NLD", "DNK"} - set(g) for g in ranks.groups())
    with pytest.raises(BadOption, match="pairs=True"):
        biaochi.robustness(asem, [Noise()], replicates=20, pairs=False).ranks().groups()


def test_exact_only_where_it_was_solved(asem: biaochi.Result, capfd: pytest.CaptureFixture[str]) -> None:
    some = biaochi.reachable_ranks(asem, noise=0.25, units=["CHE"])
    assert not some.exact
    assert [r["unit"] for r in some.rows() if r["exact"]] == ["CHE"]
    assert biaochi.reachable_ranks(asem, "Sust").exact
    assert capfd.readouterr().out == "", "the solver prints nothing"
    for wrong in ({"bounds": 5}, {"limits": 5}, {"units": "CHE"}):
        with pytest.raises(BadOption):
            biaochi.reachable_ranks(asem, **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("region", ["noise", "bounds", "limits"])
def test_reachable_ranks_are_reached_and_not_passed(desi: biaochi.Result, region: str) -> None:
    """Against a fine grid over the region: what it finds is never outside, and what is promised is found but for corners."""
    asked: dict[str, Any] = {"noise": {"noise": 0.3}, "bounds": {"bounds": {"1": (0.1, 0.4), "3": (0.2, 0.6)}},
                             "limits": {"limits": Limits(ratios={("1", "2"): (0.5, 2.0)}, order=["1", "4"])}}[region]  # fmt: skip
    got = biaochi.reachable_ranks(desi, **asked)
    grid = np.array([w for w in np.ndindex(41, 41, 41, 41) if sum(w) == 40], float) / 40
    if region == "noise":
        v = 0.25 * (1 + 0.3 * (2 * np.array(list(np.ndindex(13, 13, 13, 13))) / 12 - 1))
        grid = v / v.sum(axis=1, keepdims=True)
    elif region == "bounds":
        grid = grid[(grid[:, 0] >= 0.1) & (grid[:, 0] <= 0.4) & (grid[:, 2] >= 0.2) & (grid[:, 2] <= 0.6)]
    else:
        grid = grid[(grid[:, 0] <= 2 * grid[:, 1]) & (grid[:, 1] <= 2 * grid[:, 0]) & (grid[:, 3] <= grid[:, 0])]
    ranks = _ranks(got.field.x, grid)
    low, high = ranks.min(axis=1), ranks.max(axis=1)
    assert (got.best <= low).all()
    assert (got.worst >= high).all()
    assert ((got.best == low).mean(), (got.worst == high).mean()) >= (0.8, 0.8)
    s = got.field.x @ grid.T
    for i, j in np.argwhere(got.ahead):
        assert (s[i] > s[j]).all()
    assert got.exact


def test_what_reachable_ranks_refuse(asem: biaochi.Result) -> None:
    with pytest.raises(BadOption, match="takes one of"):
        biaochi.reachable_ranks(asem, noise=0.1, bounds={"Conn": (0, 1)})
    with pytest.raises(UnknownName, match="bounds"):
        biaochi.reachable_ranks(asem, bounds={"Con": (0, 1)})
    with pytest.raises(BadOption, match="two children"):
        biaochi.reachable_ranks(asem, "LPI")
    copeland = biaochi.run(asem.framework, asem.panel, biaochi.variant(asem.recipe, aggregate="copeland"))
    with pytest.raises(BadOption, match="arithmetic, geometric"):
        biaochi.weight_stability(copeland)


def test_acceptability_and_central_weights(asem: biaochi.Result) -> None:
    anything = Dirichlet("any", concentration=2.0, level=1)  # with two children of equal weight: any share alike
    made = biaochi.robustness(asem, [anything], replicates=2000, keep=True)
    rows = biaochi.acceptability(made)
    assert sum(r["acceptability"] for r in rows) == pytest.approx(1, abs=1e-12)
    first = {r["unit"]: r for r in rows if r["acceptability"] > 0}
    conn, sust = (asem.scores[0, :, asem.node_at(c)] for c in ("Conn", "Sust"))
    share = np.linspace(0, 1, 20001)
    leaders = (share[:, None] * conn + (1 - share[:, None]) * sust).argmax(axis=1)
    for unit, row in first.items():
        inside = share[leaders == asem.panel.position(unit)]
        assert row["acceptability"] == pytest.approx(len(inside) / len(share), abs=0.04)
        assert row["weights"]["Conn"] == pytest.approx(inside.mean(), abs=0.04)
