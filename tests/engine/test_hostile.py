"""Every registry line on what data are like at their worst: one unit, constants, zeros, negatives, ties, nothing at all."""

import numpy as np
import pytest

from biaochi.method import Trait
from tests.engine.test_traits import CELLWISE, IDS, LINES, call, data, over_time

NAN = np.nan


def frame(column: list[float]) -> np.ndarray:
    """Four periods of the column between two ordinary ones."""
    n = len(column)
    ordinary = np.random.default_rng(1).gamma(2.0, 10.0, (4, n, 3)) + 5.0
    ordinary[..., 1] = column
    return ordinary


CASES = {
    "one unit": frame([3.0]),
    "two units": frame([3.0, 4.0]),
    "constant": frame([0.1] * 9),
    "all missing": frame([NAN] * 9),
    "one value": frame([NAN, 2.0] + [NAN] * 7),
    "zeros": frame([0.0] * 5 + [1.0, 2.0, 0.0, 4.0]),
    "all zero": frame([0.0] * 9),
    "negatives": frame([-3.0, -1.0, 0.0, 2.0, 5.0, -7.0, 1.0, 1.0, 4.0]),
    "ties": frame([1.0, 1.0, 2.0, 2.0, 2.0, 3.0, 3.0, 1.0, 2.0]),
    "huge": frame([1e40, 2e40, 3e40, -1e40, 5e40, 6e40, 7e40, 8e40, 9e45]),
    "tiny": frame([1e-40, 2e-40, 3e-40, 5e-40, 6e-40, 4e-40, 7e-40, 8e-40, 9e-30]),
    "outlier": frame([1.0] * 8 + [1e9]),
    "nothing": np.full((4, 9, 3), NAN),
}


@pytest.mark.parametrize(("step", "name", "m"), LINES, ids=IDS)
def test_no_exception_no_infinity_and_the_right_shape(step, name, m):
    for x in CASES.values():
        check(step, name, m, x)


def check(step, name, m, x):
    with np.errstate(all="ignore"):  # as the run does; Python's own warnings are errors here
        got = call(step, name, m, x)
    if step == "weigh":
        assert got.shape[-1] == x.shape[-1]
        assert (np.isnan(got).all(axis=-1) | (np.abs(got.sum(axis=-1) - 1) < 1e-9)).all(), "weights are all there or none is"
        assert (got[~np.isnan(got)] >= 0).all()
        return
    assert got.shape == (x.shape[:-1] if step == "aggregate" else x.shape)
    assert not np.isinf(got).any()
    if step in ("treat", "normalise"):
        assert np.isnan(got[np.isnan(x)]).all(), "what is missing stays missing"
    if step == "aggregate":
        assert np.isnan(got[np.isnan(x).all(axis=-1)]).all(), "nothing comes of nothing"


@pytest.mark.parametrize(("step", "name", "m"), CELLWISE, ids=[i for i in IDS if i.split("-")[0] in ("impute", "treat", "normalise")])
def test_constant_and_empty_columns(step, name, m):
    """A treatment leaves a constant alone, an imputer an empty column empty; a constant is told apart by no scale."""
    constant, empty = CASES["constant"], CASES["all missing"]
    with np.errstate(all="ignore"):
        if step == "treat":
            np.testing.assert_array_equal(call(step, name, m, constant)[..., 1], constant[..., 1])
        elif step == "impute":
            assert np.isnan(call(step, name, m, empty)[..., 1]).all()
        elif not over_time(m):
            got = call(step, name, m, constant)[..., 1]
            assert (np.isnan(got) | (got == got[:, :1])).all()


AGGREGATES = [line for line in LINES if line.values[0] == "aggregate"]
AGGREGATE_IDS = [i for i in IDS if i.startswith("aggregate")]


@pytest.mark.parametrize(("step", "name", "m"), AGGREGATES, ids=AGGREGATE_IDS)
def test_weights_only_matter_as_shares(step, name, m):
    z, w = data(14, 5), np.array([1.0, 2.0, 0.0, 3.0, 0.5])
    got = call(step, name, m, z, w=w)
    np.testing.assert_allclose(call(step, name, m, z, w=w * 7.0), got, rtol=1e-9, atol=1e-12)
    other = z.copy()
    other[:, 2] = np.random.default_rng(0).random(14) * 1000  # a child of weight 0 is not looked at
    np.testing.assert_allclose(call(step, name, m, other, w=w), got, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("step", "name", "m"), AGGREGATES, ids=AGGREGATE_IDS)
def test_units_that_are_alike_get_the_same_score(step, name, m):
    z = data(12, 5)
    z[[3, 9]] = z[6]
    got = call(step, name, m, z)
    np.testing.assert_allclose(got[[3, 9]], got[6], rtol=1e-12)


@pytest.mark.parametrize(("step", "name", "m"), AGGREGATES, ids=AGGREGATE_IDS)
def test_the_order_of_units_and_children_does_not_matter(step, name, m):
    z, w = data(12, 5), np.array([1.0, 2.0, 0.5, 3.0, 0.7])
    got = call(step, name, m, z, w=w)
    units, children = np.random.default_rng(3).permutation(12), np.random.default_rng(4).permutation(5)
    np.testing.assert_allclose(call(step, name, m, z[units], w=w), got[units], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(call(step, name, m, z[:, children], w=w[children]), got, rtol=1e-9, atol=1e-12)


RELATIVE = [line for line in AGGREGATES if Trait.COMPARES_UNITS in line.values[2].traits]


@pytest.mark.parametrize(("step", "name", "m"), RELATIVE, ids=[line.values[1] for line in RELATIVE])
def test_units_that_do_not_count_change_nobodys_score(step, name, m):
    z = data(14, 4)
    counts = np.ones(14, bool)
    counts[[2, 7]] = False
    z[2] = 1e6
    got = call(step, name, m, z, counts=counts)
    np.testing.assert_allclose(got[counts], call(step, name, m, z[counts]), rtol=1e-12)


WEIGHED = [line for line in LINES if line.values[0] == "weigh" and Trait.FROM_DATA in line.values[2].traits]


@pytest.mark.parametrize(("step", "name", "m"), WEIGHED, ids=[line.values[1] for line in WEIGHED])
def test_weights_go_with_their_children_and_do_not_see_the_order_of_units(step, name, m):
    z = data(40, 5, gaps=False) + data(40, 1, gaps=False, seed=5)
    outcome = {"outcome": z[:, :3].sum(axis=1) ** 1.2} if "outcome" in m.needs else {}
    stated = {"weights": np.arange(1.0, 6.0)} if "weights" in m.needs else {}
    got = m.kernel(z, **outcome, **stated)
    order = np.random.default_rng(2).permutation(5)
    again = m.kernel(z[:, order], **outcome, **{k: v[order] for k, v in stated.items()})
    np.testing.assert_allclose(again, got[order], rtol=1e-6, atol=1e-9)
    rows = np.random.default_rng(2).permutation(40)
    np.testing.assert_allclose(m.kernel(z[rows], **{k: v[rows] for k, v in outcome.items()}, **stated), got, rtol=1e-9, atol=1e-9)
