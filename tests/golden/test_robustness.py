"""Robustness against COINr's stored draws, functions with known Sobol indices, and SALib on the same samples."""

from __future__ import annotations

import csv
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import biaochi
from biaochi import Noise, Sets, Settings
from biaochi.drivers import given_data_delta
from biaochi.kernels.sobol import indices, resampled
from biaochi.kernels.whatif import plain
from biaochi.ranks import Ranks
from biaochi.scenarios import Plan
from biaochi.work import Work
from tests.conftest import GOLDEN

COINR = GOLDEN / "coinr"


def table(name: str) -> list[dict[str, str]]:
    with open(COINR / f"{name}.csv", newline="") as f:
        return list(csv.DictReader(f))


def study_of(rows: list[dict[str, str]]) -> tuple[list[Any], np.ndarray]:
    """The four inputs of COINr's vignette, and the draws that give its stored parameters."""
    noisy = table("ua_noisy_weights")
    sets = {f"rep{k}": {r["iCode"]: float(r[f"rep{k}"]) for r in noisy if r["iCode"] != "Index"} for k in range(1, 101)}
    vary = [
        Settings("Winmax", tuple({"treat": {"max_points": k}} for k in range(1, 6))),
        Settings("Normalisation", ({"normalise": "minmax", "range": [1, 100]}, {"normalise": {"method": "zscore", "mean": 10, "sd": 2}})),
        Sets("Weights", sets=sets),
        Settings("Aggregation", ({"aggregate": "arithmetic"}, {"aggregate": "geometric"})),
    ]
    picks = [(int(r["winmax"]) - 1, r["norm"] == "n_zscore", int(r["weight_rep"]) - 1, r["f_ag"] == "a_gmean") for r in rows]
    return vary, (np.array(picks, float) + 0.5) / (5, 2, 100, 2)


def replayed(asem: biaochi.Result, kind: str) -> tuple[Plan, Any]:
    vary, design = study_of(table(f"{kind}_params"))
    plan = Plan(asem, vary, design=design)
    with ThreadPoolExecutor(2) as pool:
        return plan, Work(plan, np.arange(len(design)), plain, keep=True, keep_scores=True).run(pool, 2)


def stored(kind: str, plan: Plan, n: int) -> np.ndarray:
    rows = {r["uCode"]: r for r in table(kind)}
    codes = [plan.panel.units[int(u)].code for u in plan.targets[0].order]
    return np.array([[float(rows[c][f"r_{k}"]) for k in range(1, n + 1)] for c in codes])


def test_uncertainty_replays_coinr(asem: biaochi.Result) -> None:
    plan, got = replayed(asem, "ua")
    assert not got.failed
    np.testing.assert_allclose(got.scores[0], stored("ua_scores", plan, 100), rtol=1e-9)
    np.testing.assert_array_equal(got.ranks[0], stored("ua_ranks", plan, 100))
    ranks = Ranks(asem, plan.targets[0], got.tallies[0], doubled=False, node="Index")
    low, high = ranks.interval(0.9)
    for r in table("ua_rankstats"):
        u = asem.panel.position(r["uCode"])
        want = [float(r[k]) for k in ("Nominal", "Mean", "Median", "Q5", "Q95")]
        np.testing.assert_allclose([ranks.nominal[u], ranks.mean[u], ranks.median[u], low[u], high[u]], want, rtol=1e-9)


def test_sensitivity_replays_coinr(asem: biaochi.Result) -> None:
    """Its first order is not centred, so it is noise at N = 40; ours on the same outputs is beside it, centred."""
    plan, got = replayed(asem, "sa")
    np.testing.assert_array_equal(got.ranks[0], stored("sa_ranks", plan, 240))
    y = got.shift[0] / got.compared[0]
    np.testing.assert_allclose(y, [float(r["mean_abs_rank_change"]) for r in table("sa_output_y")], rtol=1e-9)
    a, b, ab = y[:40], y[40:80], y[80:].reshape(4, 40)
    coinr = indices(a, b, ab, centred=False, ddof=1)
    for k, r in enumerate(table("sa_indices")):
        np.testing.assert_allclose([coinr.first[k], coinr.total[k]], [float(r["Si"]), float(r["STi"])], rtol=1e-9)
    ours = indices(a, b, ab)
    assert abs(ours.first - coinr.first).max() > 0.01, "centring matters at this size"
    first80 = Ranks(asem, plan.targets[0], _tally(plan, got.ranks[0][:, :80]), doubled=False, node="Index")
    low, high = first80.interval(0.9)  # RankStats of a sensitivity run are those of its first 2N rows
    for r in table("sa_rankstats"):
        u = asem.panel.position(r["uCode"])
        want = [float(r[k]) for k in ("Mean", "Median", "Q5", "Q95")]
        np.testing.assert_allclose([first80.mean[u], first80.median[u], low[u], high[u]], want, rtol=1e-9)


def _tally(plan: Plan, ranks: np.ndarray) -> Any:
    from biaochi.tally import Tally

    t = Tally.empty(len(ranks), doubled=False, band=0)
    plain.fold(ranks, plan.targets[0].nominal, 0, len(ranks), t.hist, t.width, t.number, t.total, t.squares, t.moved)
    plain.settle(plan.targets[0].nominal, 0, len(ranks), t.hist, t.number, t.total, t.squares, t.moved)
    return t


# --- functions whose indices are known ------------------------------------------------------------------------------------------


def ishigami(x: np.ndarray) -> np.ndarray:
    z = np.pi * (2 * x - 1)
    return np.sin(z[:, 0]) + 7 * np.sin(z[:, 1]) ** 2 + 0.1 * z[:, 2] ** 4 * np.sin(z[:, 0])


def g_function(x: np.ndarray) -> np.ndarray:
    a = np.array([0.0, 1.0, 4.5, 9.0])
    return np.prod((np.abs(4 * x - 2) + a) / (1 + a), axis=1)


def product(x: np.ndarray) -> np.ndarray:
    return x[:, 0] + 2 * x[:, 1] + 3 * x[:, 0] * x[:, 1]


def _known() -> dict[str, Any]:
    v1 = 0.5 * (1 + 0.1 * np.pi**4 / 5) ** 2
    v2, v13 = 49 / 8, 0.1**2 * np.pi**8 * (1 / 18 - 1 / 50)
    v = v1 + v2 + v13
    own = 1 / (3 * (1 + np.array([0.0, 1.0, 4.5, 9.0])) ** 2)
    g = np.prod(1 + own) - 1
    # x1 + 2 x2 + 3 x1 x2 on the unit square: main effects 2.5 (x1 - 1/2) and 3.5 (x2 - 1/2), the rest 3 (x1 - 1/2)(x2 - 1/2)
    p = np.array([2.5**2 / 12, 3.5**2 / 12, 9 / 144])
    return {
        "ishigami": (ishigami, 3, np.array([v1, v2, 0]) / v, np.array([v1 + v13, v2, v13]) / v),
        "g": (g_function, 4, own / g, own * (g + 1) / (1 + own) / g),
        "product": (product, 2, p[:2] / p.sum(), (p[:2] + p[2]) / p.sum()),
    }


@pytest.mark.parametrize("name", list(_known()))
def test_known_indices_lie_in_their_intervals(name: str) -> None:
    from scipy.stats import qmc

    f, d, first, total = _known()[name]
    n = 4096
    u = qmc.Sobol(2 * d, scramble=True, rng=np.random.default_rng(3)).random(n)
    a, b = u[:, :d], u[:, d:]
    ab = [np.where(np.arange(d) == i, b, a) for i in range(d)]
    ba = [np.where(np.arange(d) == i, a, b) for i in range(d)]
    ya, yb, yab, yba = f(a), f(b), np.stack([f(x) for x in ab]), np.stack([f(x) for x in ba])
    got = indices(ya, yb, yab, yba)
    draws = resampled(ya, yb, yab, draws=500, rng=np.random.default_rng(1))
    for want, mine in ((first, draws[0]), (total, draws[1])):
        low, high = np.quantile(mine, [0.005, 0.995], axis=0)
        assert (low - 1e-9 <= want).all(), (want, low, high)
        assert (want <= high + 1e-9).all(), (want, low, high)
    if name == "product":
        assert got.second is not None
        assert got.second[0, 1] == pytest.approx(total[0] - first[0], abs=0.01)


def test_ishigami_of_coinr() -> None:
    rows = table("sobol_ishigami_sample")
    y = np.array([float(r["y"]) for r in rows])
    x = np.array([[float(r[f"V{k}"]) for k in (1, 2, 3)] for r in rows])
    n = len(y) // 5
    np.testing.assert_array_equal(x[2 * n : 3 * n, 0], x[n : 2 * n, 0])
    got = indices(y[:n], y[n : 2 * n], y[2 * n :].reshape(3, n), centred=False, ddof=1)
    for k, r in enumerate(table("sobol_ishigami_indices")):
        np.testing.assert_allclose([got.first[k], got.total[k]], [float(r["Si"]), float(r["STi"])], rtol=1e-9)


@pytest.mark.extras
def test_salib_agrees_on_the_same_samples() -> None:
    from SALib.analyze import delta as salib_delta
    from SALib.analyze import sobol as salib

    rng = np.random.default_rng(5)
    d, n = 3, 512
    a, b = rng.random((n, d)), rng.random((n, d))
    ab, ba = (np.stack([np.where(np.arange(d) == i, v, u) for i in range(d)]) for u, v in ((a, b), (b, a)))
    ya, yb = ishigami(a), ishigami(b)
    yab, yba = np.stack([ishigami(x) for x in ab]), np.stack([ishigami(x) for x in ba])
    every = np.concatenate([ya, yb, yab.ravel(), yba.ravel()]).mean()  # SALib centres by the mean of all runs
    mine = indices(ya - every, yb - every, yab - every, yba - every, centred=False)
    theirs = salib.analyze({"num_vars": d, "names": list("abc")}, np.stack([ya, *yab, *yba, yb], axis=1).ravel(), calc_second_order=True, seed=1)
    np.testing.assert_allclose(mine.first, theirs["S1"], rtol=1e-9)
    np.testing.assert_allclose(mine.total, theirs["ST"], rtol=1e-9)
    upper = np.triu_indices(d, 1)
    assert mine.second is not None
    np.testing.assert_allclose(mine.second[upper], theirs["S2"][upper], rtol=1e-9)
    x, y = np.concatenate([a, b]), np.concatenate([ya, yb])
    xr = np.linspace(y.min(), y.max(), 100)
    cut = np.linspace(0, len(y), int(min(np.ceil(len(y) ** (2 / (7 + np.tanh((1500 - len(y)) / 500)))), 48)) + 1)
    for k in range(d):
        want = salib_delta.calc_delta(y, xr, x[:, k], cut)
        assert given_data_delta(x[:, k], y) == pytest.approx(want, rel=1e-9)


def test_an_input_with_two_identical_alternatives_has_index_0(asem: biaochi.Result) -> None:
    same = Settings("same", ({"range": [0, 100]}, {"range": [0, 50]}))  # arithmetic means of min-max scores: the same ranks
    got = biaochi.sensitivity(asem, [Noise("weights"), same], samples=64)
    shares = got.shares["shift"].found
    assert shares.first[1] == 0
    assert shares.total[1] == 0
    assert got.ranks is not None
    assert np.nanmax(np.abs(got.ranks.total[:, 1])) == 0
    assert shares.total[0] > 0.6
