"""Every registry line is held to the traits it states; a trait nobody checks cannot be stated."""

import inspect
from collections.abc import Callable

import numpy as np
import pytest

from biaochi.checks import REGISTRIES
from biaochi.method import Method, Trait

LINES = [(step, name, m) for step, registry in REGISTRIES.items() for name, m in registry.items()]
IDS = [f"{step}-{name}" for step, name, _ in LINES]

CELLWISE = [line for line in LINES if line[0] in ("impute", "treat", "normalise")]

REQUIRED = {("normalise", "goalposts"): {"low": 20.0, "high": 80.0}}
"""Options for lines that cannot run without."""


def data(*shape: int, gaps: bool = True, seed: int = 7) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.gamma(1.5, 20.0, shape) + 1.0
    if gaps:
        x[rng.random(shape) < 0.1] = np.nan
    return x


def call(step: str, name: str, m: Method, x: np.ndarray, ref: np.ndarray | None = None, w: np.ndarray | None = None, **options):
    """The kernel with whatever its family takes; ``x`` is (..., unit, indicator)."""
    keywords = {**REQUIRED.get((step, name), {}), **options}
    if "groups" in m.needs and "groups" not in keywords:
        keywords["groups"] = np.arange(x.shape[-2]) % 3 - (np.arange(x.shape[-2]) == 4)
    if "weights" in m.needs:
        keywords["weights"] = np.arange(1.0, x.shape[-1] + 1)
    if step == "normalise":
        return m.kernel(x, x if ref is None else ref, **keywords)
    if step == "aggregate":
        return m.kernel(x, np.linspace(1.0, 2.0, x.shape[-1]) if w is None else w, **keywords)
    return m.kernel(x, **keywords)


@pytest.mark.parametrize(("step", "name", "m"), LINES, ids=IDS)
def test_batch_equals_loop(step, name, m):
    x = data(2, 3, 15, 4)
    got = call(step, name, m, x)
    if step == "weigh" and got.ndim == 1:
        got = np.broadcast_to(got, (2, 3, 4))
    for i in np.ndindex(2, 3):
        np.testing.assert_array_equal(got[i], call(step, name, m, x[i]))


@pytest.mark.parametrize(("step", "name", "m"), LINES, ids=IDS)
def test_input_is_left_untouched(step, name, m):
    x = data(3, 12, 4)
    before = x.copy()
    x.flags.writeable = False
    got = call(step, name, m, x)
    np.testing.assert_array_equal(x, before)
    assert not np.shares_memory(got, x)


@pytest.mark.parametrize(("step", "name", "m"), CELLWISE, ids=[f"{s}-{n}" for s, n, _ in CELLWISE])
def test_numeric_options_broadcast_over_indicators(step, name, m):
    """A number for all equals the same number for each indicator; different ones equal separate calls."""
    x = data(25, 3) ** 2
    numeric = {n: p.default for n, p in m.options.items() if isinstance(p.default, (int, float)) and not isinstance(p.default, bool)}
    numeric |= REQUIRED.get((step, name), {})
    for option, value in numeric.items():
        values = np.array([1, 0, 1] if option == "ddof" else [value, value + 1, value + 2])
        got = call(step, name, m, x, **{option: values})
        for i, v in enumerate(values):
            np.testing.assert_allclose(got[:, [i]], call(step, name, m, x[:, [i]], **{option: v.item()}), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("step", "name", "m"), CELLWISE, ids=[f"{s}-{n}" for s, n, _ in CELLWISE])
def test_the_order_of_units_does_not_matter(step, name, m):
    x, groups = data(3, 15, 4), np.arange(15) % 3
    order = np.random.default_rng(3).permutation(15)
    one, two = ({"groups": g} if "groups" in m.needs else {} for g in (groups, groups[order]))
    np.testing.assert_allclose(call(step, name, m, x[:, order], **two), call(step, name, m, x, **one)[:, order], rtol=1e-12)


@pytest.mark.parametrize(
    ("step", "name", "m"),
    [line for line in LINES if "counts" in line[2].needs],
    ids=[i for i, line in zip(IDS, LINES, strict=True) if "counts" in line[2].needs],
)
def test_units_that_do_not_count_change_nothing(step, name, m):
    """And a gap of theirs stays a gap under a treatment."""
    x = data(2, 20, 4) ** 3
    x[:, 5:8] *= 1e6
    counts = np.ones((2, 20), bool)
    counts[:, 5:8] = False
    keep = [i for i in range(20) if i not in (5, 6, 7)]
    groups = np.arange(20) % 3
    one, two = ({"groups": g} if "groups" in m.needs else {} for g in (groups, groups[keep]))
    got = call(step, name, m, x, counts=counts, **one)
    np.testing.assert_array_equal(got[:, keep], call(step, name, m, x[:, keep], counts=counts[:, keep], **two))
    if step == "treat":
        np.testing.assert_array_equal(np.isnan(got), np.isnan(x))


# --- one check a trait -------------------------------------------------------------------------


def keeps_observed(line):
    x = data(2, 20, 5)
    got = call(*line, x)
    there = ~np.isnan(x)
    np.testing.assert_array_equal(got[there], x[there])


def fills_within_range(line):
    x = data(2, 20, 5)
    got = call(*line, x)
    low, high = np.nanmin(x, axis=-2, keepdims=True), np.nanmax(x, axis=-2, keepdims=True)
    filled = np.isnan(x) & ~np.isnan(got)
    assert ((got >= low) & (got <= high))[filled].all()
    if line[1] != "none":
        assert filled.any()


def keeps_unit(line):
    x = data(40, 5) ** 8  # so skewed that whatever may take logarithms does
    got = call(*line, x)
    assert (got >= np.nanmin(x, axis=0))[~np.isnan(x)].all()
    assert (got <= np.nanmax(x, axis=0))[~np.isnan(x)].all()
    np.testing.assert_allclose(call(*line, x * 1000), got * 1000, rtol=1e-12)


def order_preserving(line):
    for seed in range(3):
        x = data(30, 4, gaps=False, seed=seed) ** 2
        got = call(*line, x)
        for i in range(4):
            order = np.argsort(x[:, i])
            assert (np.diff(got[order, i]) >= -1e-12).all()
            assert np.ptp(got[:, i]) > 0


def unit_free(line):
    x = data(2, 20, 5)
    np.testing.assert_allclose(call(*line, x), call(*line, x * 3.5 + 12.0), rtol=1e-9, atol=1e-12)


def affine(line):
    ref = data(20, 5)
    a, b = data(20, 5, gaps=False, seed=1), data(20, 5, gaps=False, seed=2)
    mixed = call(*line, 0.3 * a + 0.7 * b, ref)
    np.testing.assert_allclose(mixed, 0.3 * call(*line, a, ref) + 0.7 * call(*line, b, ref), rtol=1e-9, atol=1e-12)


def ignores_ref(line):
    x = data(20, 5)
    np.testing.assert_array_equal(call(*line, x, data(9, 5, seed=5)), call(*line, x, data(30, 5, seed=6)))


def unit_interval(line):
    x = data(2, 20, 5)
    for values in (x, x * 1000 - 5):
        got = call(*line, values)
        assert np.nanmin(got) >= 0
        assert np.nanmax(got) <= 1
    if Trait.IGNORES_REF not in line[2].traits:
        assert np.ptp(call(*line, x, x)[0][~np.isnan(x[0])]) > 0.5, "the reference is what is spread over the interval"


def sums_to_one(line):
    got = call(*line, data(3, 20, 5))
    np.testing.assert_allclose(got.sum(axis=-1), 1.0, rtol=1e-12)
    assert (got >= 0).all()


def idempotent(line):
    same = np.broadcast_to(data(2, 20, 1, gaps=False), (2, 20, 4))
    np.testing.assert_allclose(call(*line, same), same[..., 0], rtol=1e-12)


def monotone(line):
    z = data(20, 5, gaps=False)
    for i in range(5):
        higher = z.copy()
        higher[:, i] *= 1.5
        assert (call(*line, higher) >= call(*line, z) - 1e-12).all()


def within_children(line):
    z = data(40, 5)
    got = call(*line, z)
    assert (got >= np.nanmin(z, axis=-1) - 1e-9).all()
    assert (got <= np.nanmax(z, axis=-1) + 1e-9).all()


def scales(line):
    z = data(20, 5)
    np.testing.assert_allclose(call(*line, z * 4.0), call(*line, z) * 4.0, rtol=1e-12)


def additive(line):
    w = np.array([1.0, 2.0, 0.0, 3.0, 0.5])
    for z in (data(20, 5, gaps=False), data(40, 5)):
        kept = np.where(np.isnan(z), 0.0, w)
        np.testing.assert_allclose(call(*line, z, w=w), np.nansum(z * kept / kept.sum(axis=-1, keepdims=True), axis=-1), rtol=1e-12)


def needs_positive(line):
    w = np.array([1.0, 1.0])
    got = call(*line, np.array([[0.0, 4.0], [-1.0, 4.0], [1.0, 4.0]]), w=w)
    assert got[0] == 0
    assert np.isnan(got[1])
    assert got[2] > 0


CHECKS: dict[Trait, Callable] = {trait: globals()[trait.name.lower()] for trait in Trait}


def test_every_trait_has_a_check():
    assert CHECKS.keys() == set(Trait)


STATED = [(line, trait) for line in LINES for trait in sorted(line[2].traits, key=lambda t: t.name)]


@pytest.mark.parametrize(("line", "trait"), STATED, ids=[f"{line[0]}-{line[1]}-{t.name.lower()}" for line, t in STATED])
def test_traits_hold(line, trait):
    CHECKS[trait](line)


@pytest.mark.parametrize(("step", "name", "m"), LINES, ids=IDS)
def test_the_line_is_documented(step, name, m):
    doc = inspect.getdoc(m.kernel)
    assert doc
    assert len(m.summary) <= 90
    assert m.summary.endswith((".", "later.")), "the first sentence is what help shows"
    assert m.source
    assert m.label.en
    assert m.label.zh
    for option in m.options:
        assert option in doc or "see `" in doc.lower() or option == "group"
