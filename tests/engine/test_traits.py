"""Every registry line is held to the traits it states; a trait nobody checks cannot be stated."""

import inspect
from collections.abc import Callable

import numpy as np
import pytest

from biaochi.checks import REGISTRIES
from biaochi.method import Method, Trait

LINES = [
    pytest.param(step, name, m, marks=pytest.mark.extras if name == "iterative" else ())
    for step, registry in REGISTRIES.items()
    for name, m in registry.items()
    if not name.startswith("own:")
]
IDS = [f"{line.values[0]}-{line.values[1]}" for line in LINES]

CELLWISE = [line for line in LINES if line.values[0] in ("impute", "treat", "normalise")]
CELL_IDS = [i for i, line in zip(IDS, LINES, strict=True) if line in CELLWISE]

REQUIRED = {
    ("normalise", "goalposts"): {"low": 20.0, "high": 80.0},
    ("normalise", "scaled"): {"low": 20.0, "high": 80.0},
    ("normalise", "distance_to_target"): {"target": 1e5},
}
"""Options for lines that cannot run without."""


def consistent(k: int) -> np.ndarray:
    w = np.arange(1.0, k + 1)
    return w[:, None] / w


CONTEXTS = {
    "groups": lambda x: np.arange(x.shape[-2]) % 3 - (np.arange(x.shape[-2]) == 4),
    "weights": lambda x: np.arange(1.0, x.shape[-1] + 1),
    "signs": lambda x: np.ones(x.shape[-1]),
    "branches": lambda x: np.arange(x.shape[-1]) // 2,
    "times": lambda x: np.arange(x.shape[-3]),
    "cycle": lambda x: 1,
    "before": lambda x: np.arange(x.shape[-3]) - 1,
    "origin": lambda x: 0,
    "at": lambda x: x[..., [0], :],
    "pairs": lambda x: consistent(x.shape[-1])[None],
    "points": lambda x: np.arange(2.0 * x.shape[-1]).reshape(2, -1),
    "sets": lambda x: np.array([np.full(x.shape[-1], 1.0 / x.shape[-1]), consistent(x.shape[-1])[:, 0] / consistent(x.shape[-1])[:, 0].sum()]),
    "outcome": lambda x: np.nan_to_num(x)[..., :3].sum(axis=-1) ** 1.2,
}
"""What the run gives kernels beside the values."""
ALONG_TIME = {"times", "before", "origin"}


def over_time(m: Method) -> bool:
    """Whether a kernel works along the period axis, the third from the end."""
    return bool(m.needs & ALONG_TIME) or m.kernel.__module__.endswith(".time")


def tolerance(m: Method) -> float:
    """Rounding left where matrix products come in another order."""
    return 1e-6 if Trait.JOINT in m.traits else 3e-5 if "power" in m.options else 1e-12


def data(*shape: int, gaps: bool = True, seed: int = 7) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.gamma(1.5, 20.0, shape) + 1.0
    if gaps:
        x[rng.random(shape) < 0.1] = np.nan
    return x


def call(step: str, name: str, m: Method, x: np.ndarray, ref: np.ndarray | None = None, w: np.ndarray | None = None, **options):
    """The kernel with whatever its family takes; ``x`` is (..., unit, indicator)."""
    keywords = {**REQUIRED.get((step, name), {}), **{n: make(x) for n, make in CONTEXTS.items() if n in m.needs}, **options}
    if name == "furthest":  # takes distances to an optimum
        x, ref = -np.abs(x), None if ref is None else -np.abs(ref)
    if step == "normalise":
        return m.kernel(x, x if ref is None else ref, **keywords)
    if step == "aggregate":
        return m.kernel(x, np.linspace(1.0, 2.0, x.shape[-1]) if w is None else w, **keywords)
    return m.kernel(x, **keywords)


@pytest.mark.parametrize(("step", "name", "m"), LINES, ids=IDS)
def test_batch_equals_loop(step, name, m):
    x = data(2, 3, 15, 4)
    if step == "weigh":
        x = x + data(2, 3, 15, 1, gaps=False, seed=5)  # something in common
    got = call(step, name, m, x)
    if step == "weigh" and got.ndim == 1:
        got = np.broadcast_to(got, (2, 3, 4))
    for i in np.ndindex(2) if over_time(m) else np.ndindex(2, 3):
        np.testing.assert_allclose(got[i], call(step, name, m, x[i]), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize(("step", "name", "m"), LINES, ids=IDS)
def test_input_is_left_untouched(step, name, m):
    x = data(3, 12, 4)
    before = x.copy()
    x.flags.writeable = False
    got = call(step, name, m, x)
    np.testing.assert_array_equal(x, before)
    assert not np.shares_memory(got, x)


@pytest.mark.parametrize(("step", "name", "m"), CELLWISE, ids=CELL_IDS)
def test_numeric_options_broadcast_over_indicators(step, name, m):
    """A number for all equals the same number for each indicator; different ones equal separate calls."""
    x = data(4, 25, 3) ** 2
    if Trait.JOINT in m.traits:
        return  # indicators are filled from one another by one set of numbers
    numeric = {n: p.default for n, p in m.options.items() if isinstance(p.default, (int, float)) and not isinstance(p.default, bool)}
    numeric |= REQUIRED.get((step, name), {})
    for option, value in numeric.items():
        values = np.array([1, 0, 1] if option == "ddof" else [value, value + 1, value + 2])
        got = call(step, name, m, x, **{option: values})
        for i, v in enumerate(values):
            np.testing.assert_allclose(got[..., [i]], call(step, name, m, x[..., [i]], **{option: v.item()}), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("step", "name", "m"), CELLWISE, ids=CELL_IDS)
def test_the_order_of_units_does_not_matter(step, name, m):
    x, groups = data(3, 15, 4), np.arange(15) % 3
    order = np.random.default_rng(3).permutation(15)
    one, two = ({"groups": g} if "groups" in m.needs else {} for g in (groups, groups[order]))
    if "at" in m.needs:
        one["at"] = two["at"] = x[:, [3]]
    np.testing.assert_allclose(call(step, name, m, x[:, order], **two), call(step, name, m, x, **one)[:, order], rtol=tolerance(m), atol=1e-12)


@pytest.mark.parametrize(
    ("step", "name", "m"),
    [line for line in CELLWISE if "counts" in line.values[2].needs],
    ids=[i for i, line in zip(CELL_IDS, CELLWISE, strict=True) if "counts" in line.values[2].needs],
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
    np.testing.assert_allclose(got[:, keep], call(step, name, m, x[:, keep], counts=counts[:, keep], **two), rtol=tolerance(m), atol=1e-15)
    if step == "treat":
        np.testing.assert_array_equal(np.isnan(got), np.isnan(x))


@pytest.mark.parametrize(
    ("step", "name", "m"),
    [line for line in CELLWISE if line.values[0] == "normalise" and not over_time(line.values[2])],
    ids=[i for i, line in zip(CELL_IDS, CELLWISE, strict=True) if line.values[0] == "normalise" and not over_time(line.values[2])],
)
def test_the_reference_alone_sets_the_scale(step, name, m):
    x = data(2, 20, 4)
    at = {"at": x[:, [3]]} if "at" in m.needs else {}
    np.testing.assert_allclose(call(step, name, m, x[:, :6], x, **at), call(step, name, m, x, x, **at)[:, :6], rtol=1e-13)


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
    x = data(3, 20, 5)
    np.testing.assert_array_equal(call(*line, x, data(3, 9, 5, seed=5)), call(*line, x, data(3, 30, 5, seed=6)))


def unit_interval(line):
    x = data(2, 20, 5)
    for values in (x, x * 1000 - 5):
        got = call(*line, values)
        assert np.nanmin(got) >= 0
        assert np.nanmax(got) <= 1
    if line[0] == "normalise" and Trait.IGNORES_REF not in line[2].traits:
        assert np.ptp(call(*line, x, x)[0][~np.isnan(x[0])]) > 0.5, "the reference is what is spread over the interval"


def sums_to_one(line):
    got = call(*line, together())
    np.testing.assert_allclose(got.sum(axis=-1), 1.0, rtol=1e-12)
    assert (got >= 0).all()


def idempotent(line):
    same = np.broadcast_to(data(2, 20, 1, gaps=False), (2, 20, 4))
    np.testing.assert_allclose(call(*line, same), same[..., 0], rtol=1e-12)


def monotone(line):
    z = data(20, 5, gaps=False)
    for u in range(20):
        higher = z.copy()
        higher[u, u % 5] *= 1.5  # of one unit: what compares units may lower the others
        assert call(*line, higher)[u] >= call(*line, z)[u] - 1e-12


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


def needs_nonnegative(line):
    got = call(*line, np.array([[0.0, 4.0], [-1.0, 4.0], [1.0, 4.0]]), w=np.array([1.0, 1.0]))
    assert got[0] > 0
    assert np.isnan(got[1])


def together() -> np.ndarray:
    """Scores with something in common, as children of one parent have."""
    return data(3, 40, 5) + data(3, 40, 1, gaps=False, seed=5)


def compares_units(line):
    z = data(12, 5, gaps=False)
    others = z.copy()
    others[1:] += 1000.0
    assert call(*line, z)[0] != call(*line, others)[0]


def joint(line):
    x = data(2, 20, 5)
    other = x.copy()
    other[..., 1:] = other[:, ::-1, 1:]
    gaps = np.isnan(x[..., 0])
    assert gaps.any()
    assert not np.allclose(call(*line, x)[..., 0][gaps], call(*line, other)[..., 0][gaps], equal_nan=True)


def from_data(line):
    z = together()[0]
    assert not np.allclose(call(*line, z), call(*line, np.roll(z, 1, axis=-1)), rtol=1e-3)


def direction_free(line):
    z = together()
    np.testing.assert_allclose(call(*line, 300.0 - z), call(*line, z), rtol=1e-9)


CHECKS: dict[Trait, Callable] = {trait: globals()[trait.name.lower()] for trait in Trait}


def test_every_trait_has_a_check():
    assert CHECKS.keys() == set(Trait)


STATED = [
    pytest.param(line.values, trait, marks=line.marks, id=f"{i}-{trait.name.lower()}")
    for i, line in zip(IDS, LINES, strict=True)
    for trait in sorted(line.values[2].traits, key=lambda t: t.name)
]


@pytest.mark.parametrize(("line", "trait"), STATED)
def test_traits_hold(line, trait):
    CHECKS[trait](line)


@pytest.mark.parametrize(("step", "name", "m"), LINES, ids=IDS)
def test_the_line_is_documented(step, name, m):
    doc = inspect.getdoc(m.kernel)
    assert doc
    assert len(m.summary) <= 90
    assert m.summary.endswith((".", "later.")), "the first sentence is what help shows"
    assert m.source
    assert m.proof, "the docs say what outside this package a method is held to"
    assert m.label.en
    assert m.label.zh
    for option in m.options.keys() - m.run_only:
        assert option in doc or "see `" in doc.lower()
