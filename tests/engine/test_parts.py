"""Studies of data in parts: the same bits as on the whole, wherever the parts are cut and worked at."""

from __future__ import annotations

import math
import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from biaochi import BadInput, BadOption, Errors, Framework, Node, Noise, Panel, Recipe, Settings, robustness, robustness_in_parts, run
from biaochi.kernels.moments import deviation, highest, lowest, total
from biaochi.kernels.summary import joined, largest, limbs, summed

UNITS, INDICATORS = 1800, 7
PERIODS = ("2022", "2023", "2024")
FRAMEWORK = Framework([Node("X"), Node("A", parent="X", weight=2), Node("B", parent="X"),
                       *(Node(f"i{k}", parent="A" if k < 3 else "B", weight=1 + k % 3, direction=-1 if k == 2 else 1) for k in range(INDICATORS))])  # fmt: skip


def columns(period: str) -> dict[str, Any]:
    rng = np.random.default_rng(int(period))
    x = rng.lognormal(size=(UNITS, INDICATORS)) * 10.0 ** np.arange(INDICATORS) + (int(period) - 2020) * 3
    x[rng.random(x.shape) < 0.08] = np.nan
    return {"unit": [f"u{i:04d}" for i in range(UNITS)], "period": [period] * UNITS, **{f"i{k}": x[:, k] for k in range(INDICATORS)}}


def month(period: str, once: str | None = None) -> Panel:
    """A part; with ``once``, its worker is killed the first time."""
    if once is not None and not Path(once).exists():
        Path(once).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return Panel.of(columns(period))


WHOLE = Panel.of([columns(p) for p in PERIODS])
VARY = [
    Noise("weights"),
    Settings("impute", ({}, {"impute": "mean"}, {"impute": {"method": "branch_mean", "level": 1}})),
    Settings("scale", ({}, {"normalise": "zscore"}, {"normalise": "logistic"}, {"normalise": {"method": "zscore", "rescale": True}}, {"normalise": "distance"},
                       {"scale": "period"})),
    Settings("mean", ({}, {"aggregate": "geometric"})),
]  # fmt: skip
RECIPE = Recipe(impute="median", treat="percentile", range=(1.0, 100.0), scale="pooled", nonpositive=1.0)


def same(parts: Any, whole: Any, result: Any) -> None:
    assert sorted((p.period, p.node) for p in parts) == sorted((p, n) for n, p in whole.targets)
    for p in parts:
        r = whole.ranks(p.node, p.period)
        low, high = r.interval(0.9)
        score = result.scores[result.period_at(p.period), :, result.node_at(p.node)]
        for mine, theirs in ((p.score, score), (p.rank, r.nominal), (p.mean, r.mean), (p.median, r.median), (p.low, low), (p.high, high),
                             (p.mean_shift, r.mean_shift), (p.replicates, r.number)):  # fmt: skip
            np.testing.assert_array_equal(mine, theirs)
        assert p.failed == len(whole.counted.failed)


@pytest.fixture(scope="module")
def whole() -> tuple[Any, Any]:
    result = run(FRAMEWORK, WHOLE, RECIPE)
    return result, robustness(result, VARY, replicates=150, seed=3, nodes=["X", "B"], periods=list(PERIODS), pairs=False)


def test_parts_give_the_bits_of_the_whole(whole: tuple[Any, Any]) -> None:
    result, made = whole
    assert len(np.unique(made.ranks("X", "2024").mean)) > 1000  # something to be equal
    got = list(robustness_in_parts(FRAMEWORK, [month(p) for p in PERIODS], RECIPE, VARY, replicates=150, seed=3, nodes=["X", "B"]))
    same(got, made, result)


@pytest.mark.parametrize("cut", [[("2022", "2024"), ("2023",)], [PERIODS]])
def test_wherever_they_are_cut(cut: list[tuple[str, ...]], whole: tuple[Any, Any]) -> None:
    result, made = whole
    parts = [Panel.of([columns(p) for p in periods]) for periods in cut]
    same(list(robustness_in_parts(FRAMEWORK, parts, RECIPE, VARY, replicates=150, seed=3, nodes=["X", "B"])), made, result)


def test_processes_that_load_their_own_and_one_is_killed(whole: tuple[Any, Any], tmp_path: Path) -> None:
    result, made = whole
    flag = str(tmp_path / "killed")
    parts = [partial(month, "2022"), partial(month, "2023", once=flag), partial(month, "2024")]
    got = list(robustness_in_parts(FRAMEWORK, parts, RECIPE, VARY, replicates=150, seed=3, nodes=["X", "B"], workers=2, processes=True))
    assert Path(flag).exists()
    same(got, made, result)


def test_every_period_its_own_scale() -> None:
    recipe = Recipe(impute="mean", normalise="percentile_rank", range=(1.0, 100.0))
    result = run(FRAMEWORK, WHOLE, recipe)
    vary = [Noise("weights"), Settings("scale", ({}, {"normalise": "borda"}))]
    whole = robustness(result, vary, replicates=60, periods=list(PERIODS), pairs=False)
    same(list(robustness_in_parts(FRAMEWORK, [month(p) for p in PERIODS], recipe, vary, replicates=60)), whole, result)


def test_a_scale_that_needs_all_values_is_counted_as_failed_or_refused() -> None:
    parts = [month(p) for p in PERIODS]
    vary = [Noise("weights"), Settings("scale", ({}, {"normalise": "percentile_rank"}))]
    got = list(robustness_in_parts(FRAMEWORK, parts, RECIPE, vary, replicates=100))
    assert {0 < p.failed < 100 for p in got} == {True}
    assert all((p.replicates + p.failed == 100).all() for p in got)
    with pytest.raises(BadInput, match="all values in one place"):
        list(robustness_in_parts(FRAMEWORK, parts, Recipe(normalise="percentile_rank", scale="pooled"), [Noise("weights")], replicates=10))


def test_everything_that_looks_beyond_a_part_is_told_at_once() -> None:
    nodes = [Node("X"), Node("a", parent="X", formula="growth_yoy(s)"), Node("b", parent="X"), Node("s", series=True)]
    recipe = Recipe(impute="linear", scale="base", base="2022", min_indicator_share=0.5, weigh="entropy")
    with pytest.raises(BadInput) as e:
        list(robustness_in_parts(Framework(nodes), [month("2022")], recipe, [Noise("w"), Errors("e", relative=0.1)]))
    told = str(e.value)
    for what in ("growth_yoy(s)", "scale = base", "min_indicator_share", "impute = linear", "weigh = entropy", "the variation of data e"):
        assert what in told


def test_parts_that_disagree() -> None:
    with pytest.raises(BadInput) as e:
        list(
            robustness_in_parts(FRAMEWORK, [month("2022"), month("2022"), Panel.of(columns("2023") | {"unit": [f"v{i}" for i in range(UNITS)]})], RECIPE, VARY)
        )
    assert "2022 are in more than one part" in str(e.value) and "parts 3 do not have the units" in str(e.value)
    with pytest.raises(BadOption, match="replicates must be a whole number from 1"):
        list(robustness_in_parts(FRAMEWORK, [month("2022")], RECIPE, VARY, replicates=0))
    with pytest.raises(BadOption, match="level must be a share"):
        list(robustness_in_parts(FRAMEWORK, [month("2022")], RECIPE, VARY, level=3))
    with pytest.raises(BadOption, match="list of panels"):
        list(robustness_in_parts(FRAMEWORK, [], RECIPE, VARY))
    with pytest.raises(BadOption, match="must load panels"):
        list(robustness_in_parts(FRAMEWORK, [lambda: 3], RECIPE, VARY))  # type: ignore[list-item, return-value]


@pytest.mark.parametrize("seed", range(4))
def test_sums_are_those_of_exact_arithmetic_in_any_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(1, 9000, 5)) * 10.0 ** rng.integers(-12, 12, (1, 9000, 5)) + 10.0 ** rng.integers(0, 9)
    x[rng.random(x.shape) < 0.1] = np.nan
    exact = [math.fsum(c[~np.isnan(c)]) for c in x[0].T]
    np.testing.assert_allclose(total(x)[0, 0], exact, rtol=1e-15)
    parts = np.array_split(x[:, rng.permutation(9000)], 4, axis=1)
    known: dict[str, Any] = joined(
        {}, "extent", [{"low": lowest(p), "high": highest(p), "number": (~np.isnan(p)).sum(axis=1, keepdims=True), "rows": 1} for p in parts]
    )
    most = largest(known)
    got = [limbs(p, most) for p in parts]
    assert np.array_equal(summed((sum(g[0] for g in got), sum(g[1] for g in got)), most), total(x))  # type: ignore[arg-type]
    means = np.array(exact) / (~np.isnan(x[0])).sum(axis=0)
    spread = [math.sqrt(math.fsum((c[~np.isnan(c)] - m) ** 2) / ((~np.isnan(c)).sum() - 1)) for c, m in zip(x[0].T, means, strict=True)]
    np.testing.assert_allclose(deviation(x)[0, 0], spread, rtol=1e-13)


@pytest.mark.parametrize("n", [1, 63, 64, 4095, 4096, 4097, 9001])
def test_extremes_of_any_number(n: int) -> None:
    x = np.random.default_rng(n).normal(size=(1, n, 3))
    assert np.array_equal(lowest(x)[0, 0], x[0].min(axis=0)) and np.array_equal(highest(x)[0, 0], x[0].max(axis=0))
    x[0, n // 2, 1] = np.nan
    assert np.array_equal(lowest(x)[0, 0], np.fmin.reduce(x[0]), equal_nan=True) and np.array_equal(highest(x)[0, 0], np.fmax.reduce(x[0]), equal_nan=True)
    gone = np.full((1, n, 2), np.nan)
    assert np.isnan(lowest(gone)).all() and (total(gone) == 0).all()
