"""Studies of robustness as people use them: what may vary, what comes out, what is refused, how they stop and go on."""

from __future__ import annotations

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
    ("key", "code", "told"),
    [("indicators", "Index", "Index"), ("indicators", "Godos", "Did you mean"), ("units", "XXX", "XXX"), ("periods", "1999", "1999")],
)
def test_codes_that_are_not_in_the_data_are_told_with_those_that_are(asem: biaochi.Result, key: str, code: str, told: str) -> None:
    with pytest.raises(UnknownName, match=told):
        biaochi.robustness(asem, [Errors("errors", relative=0.1, **{key: (code,)})], replicates=10)


@pytest.mark.parametrize(
    ("vary", "told"),
    [
        ([Noise("too deep", level=9)], "too deep touches nothing"),
        ([Settings("same", ({}, {"normalise": "minmax"}))], "same touches nothing"),
        ([Settings("twice", ({"normalise": "zscore"}, {"normalise": "zscore"}))], "twice touches nothing"),
        ([ImputationDraws("draws")], "draws touches nothing"),
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
    quantiles = np.stack([r.quantile(0.05, 0.5, 0.95) for r in runs])
    for k, name in enumerate(("low", "median", "high")):
        told = np.sqrt(np.mean([r.errors()[name] ** 2 for r in runs], axis=0))
        seen = quantiles[:, k].std(axis=0, ddof=1)
        assert 0.8 < np.sqrt((seen**2).sum() / (told**2).sum()) < 1.2, name  # over all units: a single one may lie on a step


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
