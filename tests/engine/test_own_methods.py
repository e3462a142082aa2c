"""Functions of one's own in recipes."""

import numpy as np
import pytest

import biaochi
from biaochi import BadInput, BadOption, Choice, Recipe, UnknownName
from biaochi.checks import REGISTRIES
from tests.engine.test_catalogue import FRAMEWORK, LAB, kinds


@pytest.fixture
def registered():
    before = {step: dict(registry) for step, registry in REGISTRIES.items()}
    yield
    for step, registry in REGISTRIES.items():
        for name in registry.keys() - before[step].keys():
            del registry[name]  # type: ignore[attr-defined]


@pytest.mark.usefixtures("registered")
def test_functions_of_ones_own_in_every_step():
    def fill(x, *, counts, value: float = 7.0):
        return np.where(np.isnan(x), value, x)

    def square(x):
        return x**2

    def half(x, ref, *, signs):
        return x / 2

    def stated(z, *, weights):
        return weights**2

    def middle(z, w, *, counts, cut: int = 0):
        return np.nanmedian(z, axis=-1)

    choices = {
        "impute": biaochi.own("impute", fill, value=9.0), "treat": biaochi.own("treat", square), "normalise": biaochi.own("normalise", half),
        "weigh": biaochi.own("weigh", stated), "aggregate": biaochi.own("aggregate", middle, cut=0),
    }  # fmt: skip
    recipe = Recipe(**choices)
    r = biaochi.run(FRAMEWORK, LAB, recipe)
    assert r.scores[1, 3, r.node_at("a1")] == 81 / 2
    assert r.weights[r.node_at("A")] == pytest.approx(4 / 6)
    assert biaochi.run(FRAMEWORK, LAB, Recipe.from_dict({k: c.to_dict() for k, c in choices.items()})).scores.tobytes() == r.scores.tobytes()

    def fill(x, *, counts, value: float = 7.0):
        return np.where(np.isnan(x), value + 1, x)

    assert Recipe(impute=biaochi.own("impute", fill)).fingerprint != Recipe(impute=Choice(choices["impute"].method)).fingerprint


@pytest.mark.usefixtures("registered")
def test_functions_that_hold_on_to_something_are_told_apart():
    import functools

    def make(k):
        def scaled(z, w):
            return np.nanmean(z, axis=-1) * k

        return scaled

    def by(z, w, k):
        return np.nanmean(z, axis=-1) * k

    one, two = biaochi.own("aggregate", make(1.0)), biaochi.own("aggregate", make(2.0))
    assert one.method != two.method
    a, b = (biaochi.run(FRAMEWORK, LAB, Recipe(aggregate=c)) for c in (one, two))
    np.testing.assert_allclose(b.scores[..., b.node_at("C")], 2 * a.scores[..., a.node_at("C")])
    assert biaochi.own("aggregate", make(1.0)).method == one.method
    assert biaochi.own("aggregate", functools.partial(by, k=2.0)).method != biaochi.own("aggregate", functools.partial(by, k=3.0)).method


@pytest.mark.usefixtures("registered")
def test_functions_of_ones_own_fill_nothing_in_and_write_nothing():
    r = biaochi.run(FRAMEWORK, LAB, Recipe(normalise=biaochi.own("normalise", lambda x, ref: np.nan_to_num(x)), drop=("u02",)))
    assert np.isnan(r.scores[:, 2]).all()
    assert np.isnan(r.scores[1, 3, r.node_at("a1")])

    def greedy(z, w):
        w[:] = 0
        return z[..., 0]

    with pytest.raises(BadInput, match="read-only"):
        biaochi.run(FRAMEWORK, LAB, Recipe(aggregate=biaochi.own("aggregate", greedy)))


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize(
    ("step", "function", "said"),
    [
        ("impute", lambda x: x * 2, "turned"),
        ("impute", lambda x: x[:1], "shape"),
        ("treat", lambda x: 1 / 0, "ZeroDivisionError"),
        ("normalise", lambda x, ref: x / 0, "finite"),
        ("weigh", lambda z: np.full(z.shape[-1], -1.0), "from 0 up"),
        ("weigh", lambda z: np.ones(99), "shape"),
        ("aggregate", lambda z, w: 5.0, "shape"),
        ("aggregate", lambda z, w: z, "shape"),
    ],
)
def test_own_functions_are_held_to_their_step(step, function, said):
    with pytest.raises(BadInput, match=said), np.errstate(all="ignore"):
        biaochi.run(FRAMEWORK, LAB, Recipe(**{step: biaochi.own(step, function)}))


def test_own_functions_that_cannot_be_used():
    for step, function, error in (
        ("treat", 5, BadOption), ("treat", lambda y: y, BadOption), ("weigh", lambda z, *, counts: z, BadOption), ("aggregate", lambda *z: z, BadOption),
        ("score", lambda x: x, UnknownName),
    ):  # fmt: skip
        with pytest.raises(error):
            biaochi.own(step, function)
    assert "unknown-method" in kinds(impute="own:fill@0123456789ab")
