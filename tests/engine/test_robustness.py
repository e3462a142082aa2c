"""Studies of robustness as people use them: what may vary, what comes out, what is refused, how they stop and go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import biaochi
from biaochi import (
    BadInput,
    BadOption,
    Bounds,
    Dirichlet,
    Drop,
    Errors,
    ImputationDraws,
    Limits,
    Noise,
    Peers,
    Sampler,
    Sets,
    Settings,
    Study,
    UnknownName,
)  # fmt: skip
from biaochi.kernels.whatif import engine, plain
from biaochi.resume import State
from biaochi.tally import Tally
from biaochi.usual import in_time

METHOD = Settings("method", ({}, {"normalise": "zscore"}))
METHODS = Settings("method", ({}, {"aggregate": "geometric", "range": [1, 100]}))


@pytest.fixture(scope="module")
def made(asem: biaochi.Result) -> biaochi.Robustness:
    return biaochi.robustness(asem, [Noise("weights"), METHODS, Drop("drop")], replicates=600, keep=True)


# --- what varies ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("vary", "told"),
    [
        ([Noise("too deep", level=9)], "too deep touches nothing"),
        ([Settings("same", ({}, {"normalise": "minmax"}))], "same touches nothing"),
        ([Settings("twice", ({"normalise": "zscore"}, {"normalise": "zscore"}))], "twice touches nothing"),
        ([ImputationDraws("draws")], "draws touches nothing"),
        ([Errors("errors", relative=0.1, units=("XXX",))], "errors touches nothing"),
        ([Errors("none of the data", relative=0.1, indicators=("Index",))], "touches nothing"),
        ([], "needs something that varies"),
    ],
)
def test_what_touches_nothing_is_refused_by_name(asem: biaochi.Result, vary: list[Any], told: str) -> None:
    with pytest.raises(BadOption, match=told):
        biaochi.robustness(asem, vary, replicates=10)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Noise(noise=0), lambda: Noise(noise=2), lambda: Dirichlet(concentration=-1), lambda: Bounds(bounds={"a": (2, 1)}), Bounds,
        lambda: Sets(sets={"one": {"a": 1}}), Sampler, lambda: Settings("s", ({},)), lambda: Settings("s", ({}, {"a": 1}), chances=(1,)),
        Errors, lambda: Errors(relative=1, spread=1), lambda: Peers(draws=1), lambda: Drop(chance=0), lambda: Drop(mode="two"),
        lambda: Study((Noise(),), replicates=0), lambda: Study((Noise(),), seed=-1), lambda: Study(("noise",)),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_wrong_declarations_are_refused(make: Any) -> None:
    with pytest.raises((BadOption, UnknownName)):
        make()


def test_arguments_of_the_wrong_kind_are_answered_in_words(asem: biaochi.Result, made: biaochi.Robustness) -> None:
    robust, sense = biaochi.robustness, biaochi.sensitivity
    noise: Any = [Noise(), METHOD]
    for call in (
        lambda: robust(asem, 5), lambda: robust(asem, Noise()), lambda: robust(asem, noise, nodes=5), lambda: robust(asem, noise, nodes=[]),
        lambda: robust(asem, noise, periods=[]), lambda: robust(asem, noise, periods="2018"), lambda: robust(asem, noise, cluster=5),
        lambda: robust(asem, noise, cluster="dask://h:abc"), lambda: robust(asem, noise, cluster="ray://h:99999"), lambda: robust(asem, noise, progress=5),
        lambda: robust(asem, noise, state="x"), lambda: robust(5), lambda: sense(asem, 5), lambda: sense(asem, noise, seed=-1), lambda: sense(asem, noise, seed=1.5),
        lambda: sense(asem, noise, targets=5), lambda: sense(asem, noise, groups="x"), lambda: sense(asem, noise, groups={"g": 5}),
        lambda: biaochi.one_at_a_time(asem, 5), lambda: biaochi.regional(asem, "CHE"), lambda: biaochi.delta(5), lambda: biaochi.acceptability(asem),
        lambda: biaochi.acceptability(made, rank="a"), lambda: made.ranks().quantile(), lambda: Bounds(bounds=5), lambda: Bounds(bounds={"a": (0, np.inf)}),
        lambda: Sets(sets=5), lambda: Sets(sets={"a": {"x": np.inf}, "b": {"x": 1}}), lambda: Drop(indicators=5), lambda: Errors(relative=0.1, units=5),
        lambda: Settings("s", ({}, {"a": 1}), chances=(1, np.inf)), lambda: Sampler(draw=lambda r, n, c: 1, codes=5),
        lambda: robust(asem, [Sampler(draw=lambda r, n, c: 1 / 0, codes=("Conn",))]), lambda: robust(asem, [Settings("ties", ({}, {"ties": "worst"}))]),
    ):  # fmt: skip
        with pytest.raises((BadOption, UnknownName)):
            call()  # type: ignore[no-untyped-call]


def test_names_that_are_none_and_recipes_that_cannot_be(asem: biaochi.Result) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'Conn'"):
        biaochi.robustness(asem, [Bounds(bounds={"Con": (0, 1)})], replicates=10)
    with pytest.raises(UnknownName, match="indicator of drop"):
        biaochi.robustness(asem, [Drop(indicators=("Conn",))], replicates=10)
    with pytest.raises(BadInput, match="scale: unknown normaliser 'zscor'"):
        biaochi.robustness(asem, [Settings("scale", ({}, {"normalise": "zscor"}))], replicates=10)
    with pytest.raises(BadOption, match="must be nodes with children"):
        biaochi.robustness(asem, [Noise()], nodes=["LPI"], replicates=10)


def test_draws_have_the_distribution_they_say(asem: biaochi.Result) -> None:
    plan_of = lambda v: biaochi.robustness(asem, [v], replicates=4096, keep=True)  # noqa: E731
    weights = {v.what: [p["weights"]["Conn"] for p in plan_of(v).parameters()]
               for v in (Noise(noise=0.2, level=1), Dirichlet(concentration=20.0, level=1), Bounds(bounds={"Conn": (0.5, 3.0)}))}  # fmt: skip
    noise, drawn, spread = (np.array(weights[k]) for k in ("noise", "dirichlet", "bounds"))
    base = 0.5  # two sub-indices of equal weight, as shares
    assert noise.min() >= 0.8 * base
    assert noise.max() <= 1.2 * base
    assert noise.std() == pytest.approx(0.2 * base / np.sqrt(3), rel=0.05)
    assert drawn.mean() == pytest.approx(0.5, abs=0.01)
    assert drawn.std() == pytest.approx(np.sqrt(0.25 / 21), rel=0.05)
    assert (spread.min(), spread.max()) == (pytest.approx(0.5, abs=0.01), pytest.approx(3.0, abs=0.01))


def test_chances_are_kept_and_a_dropped_indicator_has_no_weight(made: biaochi.Robustness, asem: biaochi.Result) -> None:
    rows = made.parameters()
    assert 0.4 < np.mean([r["method"] for r in rows]) < 0.6
    dropped = [sum(w == 0 for w in r["weights"].values()) for r in rows]
    assert set(dropped) == {0, 1}
    assert 0.4 < np.mean(dropped) < 0.6
    rare = biaochi.robustness(asem, [Settings("rare", ({}, {"normalise": "zscore"}), chances=(0.99, 0.01))], replicates=2000)
    assert 0 < sum(r["rare"] for r in rare.parameters()) < 60


# --- what comes out ---------------------------------------------------------------------------------------------------------------


def test_every_figure_is_what_the_kept_ranks_give(made: biaochi.Robustness, asem: biaochi.Result) -> None:
    r = made.ranks()
    assert made.counted.ranks is not None
    kept = np.full((51, 600), np.nan)
    kept[r.target.order] = made.counted.ranks[0]
    np.testing.assert_allclose(r.mean, kept.mean(axis=1))
    np.testing.assert_allclose(r.sd, kept.std(axis=1, ddof=1))
    np.testing.assert_allclose(r.median, np.median(kept, axis=1))
    np.testing.assert_allclose(np.stack(r.interval(0.8)), np.quantile(kept, [0.1, 0.9], axis=1))
    np.testing.assert_allclose(r.quantile(0.0, 0.33, 1.0), np.quantile(kept, [0.0, 0.33, 1.0], axis=1))
    np.testing.assert_allclose(r.top(10), (kept <= 10).mean(axis=1))
    np.testing.assert_allclose(r.mean_shift, np.abs(kept - asem.ranks[0, :, 0][:, None]).mean(axis=1))
    np.testing.assert_allclose(made.shift(), np.abs(kept - asem.ranks[0, :, 0][:, None]).mean(axis=0))
    probabilities = r.probabilities()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_allclose(probabilities[3, 4], (kept[3] == 5).mean())
    codes = [u.code for u in asem.panel.units]
    a, b = codes.index("LUX"), codes.index("MLT")
    want = (kept[a] < kept[b]).mean() + (kept[a] == kept[b]).mean() / 2
    assert r.ahead("LUX", "MLT") == pytest.approx(want)
    assert r.ahead("MLT", "LUX") == pytest.approx(1 - want)
    assert r.ahead("LUX", "LUX") == 0.5
    for group in r.groups(0.9):
        assert all(r.ahead(x, y) < 0.9 for i, x in enumerate(group) for y in group[i + 1 :]), group
    errors = r.errors()
    np.testing.assert_allclose(errors["mean"], kept.std(axis=1, ddof=1) / np.sqrt(600))
    np.testing.assert_allclose(errors["mean_shift"], np.abs(kept - asem.ranks[0, :, 0][:, None]).std(axis=1) / np.sqrt(600), atol=1e-12)


def test_errors_of_monte_carlo_are_what_seeds_differ_by(asem: biaochi.Result) -> None:
    runs = [biaochi.robustness(asem, [Noise(), METHOD], replicates=400, seed=s).ranks() for s in range(40)]
    for name, figure in (("mean", "mean"), ("mean_shift", "mean_shift")):
        told = np.sqrt(np.mean([r.errors()[name] ** 2 for r in runs], axis=0))
        seen = np.std([getattr(r, figure) for r in runs], axis=0, ddof=1)
        assert 0.85 < np.median(seen[told > 0] / told[told > 0]) < 1.15


def test_ties_that_share_average_ranks(asem: biaochi.Result) -> None:
    result = biaochi.run(asem.framework, asem.panel, biaochi.variant(asem.recipe, ties="average", decimals=0))
    got = biaochi.robustness(result, [Noise()], replicates=200, keep=True)
    r = got.ranks()
    assert (r.nominal % 1 == 0.5).any()
    assert got.counted.ranks is not None
    np.testing.assert_allclose(r.mean[r.target.order], got.counted.ranks[0].mean(axis=1) / 2)
    with pytest.raises(BadOption, match="single ranks"):
        r.probabilities()


def test_classes_of_ranks_for_very_many_units(asem: biaochi.Result, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = biaochi.robustness(asem, [Noise(), METHOD], replicates=500).ranks()
    monkeypatch.setattr(sys.modules["biaochi.tally"], "HIST_BYTES", 51 * 15 * 4)
    made = biaochi.robustness(asem, [Noise(), METHOD], replicates=500)
    r = made.ranks()
    assert r.resolution == 4
    assert "within 4 ranks" in made.notices[0].what.en
    np.testing.assert_array_equal(r.mean, exact.mean)
    np.testing.assert_array_equal(r.sd, exact.sd)
    np.testing.assert_array_equal(r.mean_shift, exact.mean_shift)
    assert np.abs(r.median - exact.median).max() <= 2
    assert Tally.empty(10, doubled=True, band=0).hist.shape == (10, 21)


def test_failed_replicates_are_counted_explained_and_in_no_figure(asem: biaochi.Result) -> None:
    vary = [Noise("weights"), METHOD, Settings("mean", ({}, {"aggregate": "geometric", "range": [1, 100]}))]
    made = biaochi.robustness(asem, vary, replicates=400)  # z-scores under a geometric mean
    failed = len(made.counted.failed)
    assert 60 < failed < 140
    assert [f["kind"] for f in made.failures] == ["nonpositive"]
    assert made.failures[0]["number"] == failed
    assert "cannot enter" in made.failures[0]["why"].en
    assert made.notices[0].kind == "failed-replicates"
    assert (made.ranks().number == 400 - failed).all()
    assert np.isnan(made.shift()).sum() == failed
    assert {r["replicate"] for r in made.parameters() if r["failed"]} == set(made.counted.failed)


def test_whole_runs_where_steps_cannot_be_shared(asem: biaochi.Result) -> None:
    made = biaochi.robustness(asem, [Noise(), Settings("mean", ({}, {"node": {"Index": {"aggregate": "copeland"}}}))], replicates=40)
    assert 8 < made.counted.whole_runs < 32
    assert made.to_dict()["whole_runs"] == made.counted.whole_runs


def test_nodes_and_periods(desi: biaochi.Result) -> None:
    made = biaochi.robustness(desi, [Noise()], replicates=300, nodes=["DESI", "1"], periods=["2017", "2022"])
    assert made.targets == [("DESI", "2017"), ("1", "2017"), ("DESI", "2022"), ("1", "2022")]
    alone = biaochi.robustness(desi, [Noise()], replicates=300, nodes=["1"], periods=["2022"])
    np.testing.assert_array_equal(made.ranks("1", "2022").mean, alone.ranks("1", "2022").mean)
    assert {(r["node"], r["period"]) for r in made.rows()} == set(made.targets)
    with pytest.raises(UnknownName, match="node and period"):
        made.ranks("2", "2022")


def test_data_that_vary(asem: biaochi.Result) -> None:
    errors = biaochi.robustness(asem, [Errors("errors", spread=0.05, draws=30)], replicates=60)
    peers = biaochi.robustness(asem, [Peers("peers", draws=30)], replicates=60)
    for made in (errors, peers):
        assert (made.ranks().number == 60).all()
        assert made.mean_shift[0] > 0.1
    drawn = biaochi.run(asem.framework, asem.panel, biaochi.variant(asem.recipe, impute="regression"))
    imputed = biaochi.robustness(drawn, [ImputationDraws("gaps", draws=8)], replicates=40)
    assert len({r["gaps"] for r in imputed.parameters()}) == 8
    assert imputed.mean_shift[0] > 0


# --- stopping, and going on ---------------------------------------------------------------------------------------------------------


def test_it_stops_when_it_is_sure_enough(asem: biaochi.Result) -> None:
    made = biaochi.robustness(asem, [Noise()], until=0.05)
    assert made.replicates in (1024, 2048, 4096, 8192)
    assert made.error <= 0.05
    never = biaochi.robustness(asem, [Noise()], until=1e-6, replicates=3000)
    assert never.replicates == 3000
    assert never.notices[0].kind == "not-reached"
    with pytest.raises(BadOption, match="until"):
        biaochi.robustness(asem, [Noise()], until=0)


def test_an_interrupted_study_goes_on_to_the_same_bits(asem: biaochi.Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vary = [Noise("weights"), METHOD, Settings("mean", ({}, {"aggregate": "geometric", "range": [1, 100]}))]
    whole = biaochi.robustness(asem, vary, replicates=5000)
    monkeypatch.setattr(sys.modules["biaochi.robustness"], "_portions", lambda *_, **__: [1024, 2048, 3072, 5000])
    state = State(tmp_path / "part.npz")
    calls = []

    def stop(done: int, total: int) -> None:
        calls.append(done)
        if done > 2500:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        biaochi.robustness(asem, vary, replicates=5000, state=state, progress=stop)
    again = State(tmp_path / "part.npz")
    made = biaochi.robustness(asem, vary, replicates=5000, state=again)
    assert again.resumed == 2048
    assert made.to_dict() == whole.to_dict()
    np.testing.assert_array_equal(made.counted.shift, whole.counted.shift)
    other = State(tmp_path / "part.npz")
    biaochi.robustness(asem, vary, replicates=5000, seed=2, state=other)
    assert other.resumed == 0, "the counts of another study are not its own"
    (tmp_path / "part.npz").write_bytes(b"PK broken")
    assert biaochi.robustness(asem, vary, replicates=5000, state=State(tmp_path / "part.npz")).to_dict() == whole.to_dict()


@pytest.mark.extras
def test_ctrl_c_and_again_on_the_command_line(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "biaochi",
        "robustness",
        "china-counties",
        "--replicates",
        "400000",
        "--samples",
        "0",
        "--lang",
        "en",
        "--out",
        str(tmp_path),
    ]
    p = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONWARNINGS": "ignore"})
    part = tmp_path / "china-counties-robustness.part.npz"
    for _ in range(600):
        time.sleep(0.1)
        if part.exists():
            break
    p.send_signal(signal.SIGINT)
    _, told = p.communicate(timeout=60)
    assert p.returncode == 130
    assert "goes on from here" in told
    done = len(np.load(part)["ids"])
    again = subprocess.run([*command[:6], str(done + 2000), *command[7:]], capture_output=True, text=True, check=True, timeout=300)
    assert f"went on from {done:,} replicates" in again.stderr
    assert not part.exists()
    assert (tmp_path / "china-counties-robustness.html").stat().st_size > 100_000


# --- engines ------------------------------------------------------------------------------------------------------------------------


def test_small_work_never_waits_for_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, engine.COMPILED, raising=False)
    assert engine.choose(51 * 10_000.0) == (plain, False)
    monkeypatch.setattr(engine, "find_spec", lambda name: None)
    assert engine.choose(1e11) == (plain, True), "and without one it says what it misses"
    with pytest.raises(biaochi.MissingExtra, match="fast"):
        engine.choose(1.0, "compiled")
    with pytest.raises(UnknownName, match="Did you mean 'plain'"):
        engine.choose(1.0, "plan")


def test_a_plain_run_makes_as_many_as_it_has_time_for(asem: biaochi.Result, monkeypatch: pytest.MonkeyPatch) -> None:
    study = biaochi.usual(asem)
    assert in_time(asem, study, 1).replicates == 10_000
    monkeypatch.setattr(sys.modules["biaochi.usual"], "SECONDS", 0.001)
    assert in_time(asem, study, 5).replicates == 200
    from biaochi.robustness import of_run

    made = of_run(biaochi.load("asem"), asem)
    assert made is not None
    assert made.replicates < 10_000
    assert "instead of 10,000" in made.notices[0].what.en


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
    for wrong in ({"samples": 2}, {"targets": ("rank",)}, {"design": "lhs"}, {"groups": {"g": ["w9"]}}, {"level": 2}, {"draws": 1}):
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


# --- projects, files, the command line ------------------------------------------------------------------------------------------------


STUDY = """
[robustness]
replicates = 500
seed = 3

[[robustness.vary]]
what = "noise"
name = "weights"
noise = 0.1

[[robustness.vary]]
what = "settings"
name = "scale"
alternatives = [{}, {normalise = "zscore"}]
chances = [0.75, 0.25]

[[robustness.vary]]
what = "bounds"
bounds = {A = [0.5, 2]}
"""


def with_study(folder: Path, text: str) -> Path:
    path = folder / "biaochi.toml"
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")
    return folder


def test_a_study_in_a_project_file_comes_back_from_every_format(folder: Path, tmp_path: Path) -> None:
    project = biaochi.load(folder)
    first = [n.code for n in project.framework.walk()][1]
    project = biaochi.load(with_study(folder, STUDY.replace("A =", f"{first} =")))
    assert project.study is not None
    assert [v.name for v in project.study.vary] == ["weights", "scale", "bounds"]
    biaochi.save(project, tmp_path / "csv", "csv")
    again = biaochi.load(tmp_path / "csv").study
    assert again is not None
    assert again.fingerprint == project.study.fingerprint


@pytest.mark.extras
def test_a_study_in_a_workbook(folder: Path, tmp_path: Path) -> None:
    first = [n.code for n in biaochi.load(folder).framework.walk()][1]
    project = biaochi.load(with_study(folder, STUDY.replace("A =", f"{first} =")))
    (book,) = biaochi.save(project, tmp_path / "book", "excel")
    again = biaochi.load(book).study
    assert again is not None
    assert project.study is not None
    assert again.fingerprint == project.study.fingerprint


def test_every_mistake_in_a_study_is_listed(folder: Path) -> None:
    wrong = """
[robustness]
replicate = 5
[[robustness.vary]]
what = "noise"
noise = 7
[[robustness.vary]]
what = "nois"
[[robustness.vary]]
what = "drop"
chanc = 1
[[robustness.vary]]
what = "bounds"
bounds = 5
"""
    with pytest.raises(BadInput) as e:
        biaochi.load(with_study(folder, wrong))
    told = "\n".join(p.say("en") for p in e.value.problems)
    for text in (
        "unknown key of [robustness] 'replicate'. Did you mean 'replicates'?",
        "needs noise above 0",
        "'nois'. Did you mean 'noise'?",
        "Did you mean 'chance'?",
    ):
        assert text in told, told


def biao(*args: str, **more: Any) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "LC_ALL": "C.UTF-8", "COLUMNS": "120"}
    return subprocess.run([sys.executable, "-W", "error", "-m", "biaochi", *args], capture_output=True, text=True, check=False, env=env, **more)


def test_intervals_stand_beside_the_ranks_unless_told_otherwise() -> None:
    shown, plainly = biao("run", "asem", "--no-files", "--top", "3"), biao("run", "asem", "--no-files", "--top", "3", "--no-robustness")
    assert "1–2   CHE" in shown.stdout
    assert "10,000 what-ifs" in shown.stdout
    assert "90 %" not in plainly.stdout
    assert json.loads(biao("run", "asem", "--json", "--no-robustness").stdout)["robustness"] is None
    chinese = biao("run", "asem", "--no-files", "--lang", "zh").stdout
    assert "10,000 次模拟" in chinese


@pytest.mark.extras
def test_page_workbook_and_terminal(tmp_path: Path) -> None:
    import python_calamine

    done = biao("robustness", "shanxi-cities", "--replicates", "500", "--samples", "64", "--lang", "zh", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "shanxi-cities-robustness.html").read_text(encoding="utf-8")
    for text in (
        "演示数据",
        "位次区间",
        "难分先后",
        "方差分解",
        "权重稳定区间",
        "可达位次",
        "逐项单独变动",
        "可复算性",
        'http-equiv="Content-Security-Policy"',
    ):
        assert text in page, text
    assert "太原市" in done.stdout
    assert "演示数据" in done.stdout
    assert biao("run", "shanxi-cities", "--lang", "zh", "--out", str(tmp_path)).returncode == 0
    assert "位次有多确定" in (tmp_path / "shanxi-cities.html").read_text(encoding="utf-8")
    book = python_calamine.CalamineWorkbook.from_path(str(tmp_path / "shanxi-cities.xlsx"))
    rows = book.get_sheet_by_name("稳健性").to_python()
    heads = next(i for i, r in enumerate(rows) if r[0] == "节点")
    assert rows[heads][:4] == ["节点", "单位", "期", "位次"]
    assert len(rows) - heads - 1 == 11
    results = book.get_sheet_by_name("结果").to_python()
    assert any("90 % 区间" in [str(c) for c in r] for r in results)


def test_wrong_use_of_the_command() -> None:
    for args, told in (
        (("--of", "LPI"), "is an indicator"),
        (("--cluster", "here"), "dask://HOST:PORT"),
        (("--stop-at", "-1"), "until"),
        (("--period", "1900"), "unknown period"),
    ):
        done = biao("robustness", "asem", "--no-files", "--replicates", "20", *args)
        assert done.returncode in (1, 2), args
        assert told in done.stderr, done.stderr
        assert "Traceback" not in done.stderr
