"""Benefit of the doubt; references: OECD Handbook Table 19, published Russell measures, SciPy's linear programs."""

import numpy as np
import pytest
from scipy.optimize import linprog

import biaochi
from biaochi import BadOption, Framework, Limits, Node, Panel, Recipe, UnknownName
from biaochi.kernels.aggregate import AGGREGATORS
from biaochi.kernels.frontier import active, forms, simplex
from biaochi.kernels.frontier.simplex import Restrictions
from tests.golden.test_tai import raw

CODES = ["PATENTS", "ROYALTIES", "INTERNET", "EXPORTS", "TELEPHONES", "ELECTRICITY", "SCHOOLING", "UNIVERSITY"]
TABLE_19 = [1, 1, 1, 0.87, 0.80, 0.75, 0.71, 0.73, 0.66, 0.62, 0.62, 0.86, 0.60, 0.54, 0.58, 0.52, 0.51, 0.49, 0.34, 0.38, 0.31, 0.27, 0.28]


def index(x: np.ndarray, **recipe) -> biaochi.Result:
    """A flat index of columns that are scores already."""
    codes = [f"i{j}" for j in range(x.shape[1])]
    framework = Framework([Node("top"), *(Node(c, "top") for c in codes)])
    data = {"unit": [f"u{k:03}" for k in range(len(x))], **{c: np.where(np.isnan(x[:, j]), None, x[:, j]).tolist() for j, c in enumerate(codes)}}
    choice = {"normalise": "none", "impute": "none", "scale": "pooled", **recipe}
    return biaochi.run(framework, Panel.of(data, period="2024"), Recipe(**choice))


def test_table_19_of_the_handbook():
    """Shares of the weights between 10 and 15 % on min-max scores. The print rounds to two decimals; its weights
    are not unique, and its normalised data are rounded before, so 0.01."""
    z = raw()
    z = (z - z.min(axis=0)) / (z.max(axis=0) - z.min(axis=0))
    got = biaochi.frontier(index(z), limits=Limits(shares={"*": (0.10, 0.15)}, at="weights"))
    np.testing.assert_allclose(got.scores, TABLE_19, atol=0.01)


RUSSELL = np.array([(7, 7), (4, 8), (8, 4), (3, 5), (3, 3), (8, 2), (6, 4), (1.5, 5)])


def test_russell_measure_as_published():
    """Test set of DataEnvelopmentAnalysis.jl (one input of 1): mean expansions, and those of each output."""
    got = forms.nonradial(RUSSELL, RUSSELL, np.array([0.5, 0.5]))
    np.testing.assert_allclose(1 / got.scores, [1, 1, 1, 1.8666667, 2.3333333, 1.5, 1.4583333, 3.0555556], atol=5e-8)
    each = got.targets / RUSSELL
    np.testing.assert_allclose(each[[3, 5, 6, 7]], [(7 / 3, 1.4), (1, 2), (7 / 6, 7 / 4), (46 / 9, 1)], atol=1e-9)


def best(goal, y, rows, limits, norm, low):
    """The program of one unit posed to SciPy, all rows at once."""
    a = np.concatenate([rows, -np.ones((len(rows), 1))], axis=1)
    if limits is not None:
        a = np.concatenate([a, np.concatenate([limits.weights + limits.shares * y, limits.level[:, None]], axis=1)])
    equal = {} if norm is None else {"A_eq": np.append(norm, 0.0)[None], "b_eq": [1.0]}
    got = linprog(np.append(-goal, 1.0), A_ub=a, b_ub=np.zeros(len(a)), bounds=[*((v, None) for v in low), (0, None)], method="highs", **equal)
    return got.fun if got.status == 0 else np.nan


def limited(kind: str, m: int, rng) -> Restrictions | None:
    eye, zero = np.eye(m), np.zeros((m, m))
    falling = np.array([eye[j + 1] - eye[j] for j in range(m - 1)])
    match kind:
        case "shares":
            s = np.concatenate([0.5 / m - eye, eye - 1.8 / m])
            return Restrictions(np.zeros_like(s), s, np.zeros(2 * m))
        case "order":
            return Restrictions(falling, np.zeros_like(falling), np.zeros(m - 1))
        case "ratio":
            c = np.concatenate([[0.5 * eye[0] - eye[j], eye[j] - 3 * eye[0]] for j in range(1, m)])
            return Restrictions(c, np.zeros_like(c), np.zeros(len(c)))
        case "both":
            c = np.concatenate([falling, zero])
            return Restrictions(c, np.concatenate([np.zeros_like(falling), 0.2 / m - eye]), np.zeros(len(c)))
        case "weights":
            return Restrictions(-eye, zero, np.full(m, 0.1))
    return None


@pytest.mark.parametrize("kind", ["none", "shares", "order", "ratio", "both", "weights"])
@pytest.mark.parametrize("seed", range(6))
def test_every_form_under_every_limit_against_linear_programs(kind, seed):
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(3, 40)), int(rng.integers(2, 7))
    y = rng.random((n, m))
    if seed % 3 == 0:
        y = np.where(rng.random((n, m)) < 0.15, 0.0, y)
        y[:, 0] += 0.01  # no unit without anything
    if seed % 3 == 1:
        y = np.round(y, 1) + 0.1  # ties and alike units
    limits = limited(kind, m, rng)
    step, weight, zero = np.broadcast_to(y.mean(axis=0), y.shape), np.full(m, 1 / m), np.zeros(m)
    radial, straight, own = forms.radial(y, y, limits), forms.directional(y, y, step, limits), forms.nonradial(y, y, weight, limits)
    for k in range(n):
        rates = np.where(y[k] > 0, weight, 0) / np.where(y[k] > 0, weight, 0).sum() / np.where(y[k] > 0, y[k], 1)
        want = [best(zero, y[k], y, limits, y[k], zero), best(y[k], y[k], y, limits, step[k], zero), best(y[k], y[k], y, limits, None, rates)]
        if kind in ("shares", "both") and np.isnan(want[0]):  # weights on values of 0 alone would do for the second program
            want[1] = np.nan
        np.testing.assert_allclose([radial.level[k], straight.gap[k], own.gap[k]], want, rtol=1e-8, atol=1e-8)
    inside = radial.weights[~np.isnan(radial.scores)] @ y.T
    assert inside.max() <= 1 + 1e-9


def test_three_hundred_units_and_twenty_indicators_equal_highs_to_nine_digits():
    rng = np.random.default_rng(3)
    y = np.sqrt(0.6) * rng.random((300, 1)) + rng.random((300, 20)) + 0.01
    got, zero = forms.radial(y, y), np.zeros(20)
    np.testing.assert_allclose(got.level, [best(zero, v, y, None, v, zero) for v in y], rtol=1e-9)


def test_the_method_by_highs_agrees_with_the_one_side_by_side():
    rng = np.random.default_rng(4)
    y = rng.random((80, 6)) + 0.05
    zero, none = np.zeros_like(y), Restrictions.none(6)
    by_highs = simplex.solve(y, y, zero, y, zero, none)
    ours = active.solve(y, active.Programme(zero, np.ones_like(y), zero, y, np.zeros((0, 6))))
    assert ours.good.all()
    assert by_highs.good.all()
    np.testing.assert_allclose(ours.level, by_highs.level, rtol=1e-10)


def test_a_unit_outside_what_the_rows_span_is_told():
    """The Russell gap of a unit ahead of all rows has no lowest value: nothing bounds its weights."""
    rows, beyond = np.array([[1.0, 1.0], [2.0, 0.5]]), np.array([[3.0, 3.0], [1.0, 0.5]])
    got = active.solve(rows, active.Programme(beyond, np.ones((2, 2)), np.full((2, 2), 0.1), None, np.zeros((0, 2))))
    assert got.unbounded.tolist() == [True, False]
    assert np.isnan(got.level[0])
    assert forms.radial(beyond, rows).scores[0] > 1


def test_peers_mix_to_the_target_and_slacks_are_the_most_there_are():
    rng = np.random.default_rng(5)
    y = rng.random((40, 4)) + 0.1
    got = biaochi.frontier(index(y))
    at = {u: k for k, u in enumerate(got.units)}
    for k, peers in enumerate(got.peers):
        mix = sum(part * y[at[u]] for u, part in peers.items())
        np.testing.assert_allclose(mix, got.targets[k], atol=1e-9)
        assert sum(peers.values()) == pytest.approx(1)
        assert all(got.scores[at[u]] == pytest.approx(1) for u in peers)
        # second stage, posed as the envelopment program
        radial = y[k] / got.scores[k]
        c = np.concatenate([np.zeros(40), -1 / y.max(axis=0)])
        a = np.concatenate([y.T, -np.eye(4)], axis=1)
        most = linprog(c, A_eq=a, b_eq=radial, A_ub=np.append(np.ones(40), np.zeros(4))[None], b_ub=[1 + 1e-12], method="highs")
        assert (got.slacks[k] / y.max(axis=0)).sum() == pytest.approx(-most.fun, abs=1e-8)


def test_order_m_exact_against_simulation_and_the_whole_against_the_free_hull():
    got = 1 / forms.order_m(RUSSELL, RUSSELL, 5)
    rng = np.random.default_rng(1)
    drawn = rng.integers(8, size=(40_000, 5))
    ratios = (RUSSELL[None] / RUSSELL[:, None]).min(axis=-1)  # [unit, row]
    np.testing.assert_allclose(1 / got, ratios[:, drawn].max(axis=-1).mean(axis=-1), atol=0.01)
    np.testing.assert_allclose(forms.order_m(RUSSELL, RUSSELL, 10_000), ratios.max(axis=1), rtol=1e-12)  # enough draws meet everyone
    result = biaochi.frontier(index(RUSSELL), sample=5)
    np.testing.assert_allclose(result.scores, got)
    convex = biaochi.frontier(index(RUSSELL), sample=60, draws=50, rng=np.random.default_rng(2))
    np.testing.assert_allclose(convex.scores, biaochi.frontier(index(RUSSELL)).scores, rtol=0.02)
    assert (convex.errors < 0.02).all()


def test_direction_of_own_values_is_the_radial_form():
    y = np.random.default_rng(6).random((30, 5)) + 0.1
    a, b = biaochi.frontier(index(y)), biaochi.frontier(index(y), form="directional", direction="own")
    np.testing.assert_allclose(a.scores, b.scores, rtol=1e-10)
    to_ideal = biaochi.frontier(index(np.vstack([y, y.max(axis=0)])), form="directional", direction="potential")
    assert to_ideal.scores[-1] == 1  # nothing lacks: nowhere to go


def test_groups_are_compared_among_themselves():
    y = np.random.default_rng(7).random((20, 3)) + 0.1
    codes = [f"u{k:03}" for k in range(20)]
    units = {"code": codes, "half": ["a"] * 10 + ["b"] * 9 + [""]}
    framework = Framework([Node("top"), *(Node(f"i{j}", "top") for j in range(3))])
    panel = Panel.of({"unit": codes, **{f"i{j}": y[:, j].tolist() for j in range(3)}}, period="2024", units=units)
    result = biaochi.run(framework, panel, Recipe(normalise="none"))
    got = biaochi.frontier(result, group="half")
    np.testing.assert_allclose(got.scores[:10], forms.radial(y[:10], y[:10]).scores)
    np.testing.assert_allclose(got.scores[10:19], forms.radial(y[10:19], y[10:19]).scores)
    assert np.isnan(got.scores[19])
    assert "u019" in got.notices[-1].en
    assert (got.scores[:19] >= biaochi.frontier(result).scores[:19] - 1e-12).all()


def tree() -> biaochi.Result:
    y = np.random.default_rng(8).random((25, 4)) + 0.1
    nodes = [Node("top"), Node("A", "top"), Node("B", "top"), Node("a1", "A"), Node("a2", "A"), Node("b1", "B"), Node("b2", "B")]
    data = {"unit": [f"u{k:02}" for k in range(25)], **{c: y[:, j].tolist() for j, c in enumerate(["a1", "a2", "b1", "b2"])}}
    return biaochi.run(Framework(nodes), Panel.of(data, period="2024"), Recipe(normalise="none"))


def test_shares_of_branches_hold_through_the_tree():
    result = tree()
    limits = Limits(shares={"A": (0.4, 0.5)}, within={"a1": (0.3, 0.6), "b1": (0.2, 0.5)})
    got = biaochi.frontier(result, level=2, limits=limits)
    assert got.inputs == ("a1", "a2", "b1", "b2")
    of_a = got.shares[:, :2].sum(axis=1)
    assert of_a.min() >= 0.4 - 1e-9
    assert of_a.max() <= 0.5 + 1e-9
    for first, of, low, high in ((0, of_a, 0.3, 0.6), (2, 1 - of_a, 0.2, 0.5)):
        part = got.shares[:, first] / of
        assert part.min() >= low - 1e-9
        assert part.max() <= high + 1e-9
    assert (got.scores <= biaochi.frontier(result, level=2).scores + 1e-12).all()


def test_common_weights_against_their_program():
    y = np.random.default_rng(9).random((30, 4)) + 0.1
    result = index(y)
    mean = biaochi.common_weights(result, aim="mean")
    want = linprog(-y.mean(axis=0), A_ub=y, b_ub=np.ones(30), method="highs")
    assert mean.scores.mean() == pytest.approx(-want.fun, rel=1e-9)
    worst = biaochi.common_weights(result)
    own = forms.radial(y, y).scores
    assert (own - mean.scores).max() >= (own - worst.scores).max() - 1e-9
    a = np.concatenate([np.concatenate([y, np.zeros((30, 1))], axis=1), np.concatenate([-y, -np.ones((30, 1))], axis=1)])
    least = linprog([0, 0, 0, 0, 1], A_ub=a, b_ub=np.append(np.ones(30), -own), method="highs")
    assert (own - worst.scores).max() == pytest.approx(least.fun, abs=1e-8)
    bounded = biaochi.common_weights(result, limits=Limits(shares={"*": (0.2, 0.4)}))
    assert min(bounded.shares.values()) >= 0.2 - 1e-9
    assert max(bounded.shares.values()) <= 0.4 + 1e-9


def test_as_an_aggregator():
    y = np.random.default_rng(10).random((2, 30, 4)) + 0.1
    w = np.array([0.4, 0.3, 0.2, 0.1])
    kernel = AGGREGATORS["bod"].kernel
    np.testing.assert_allclose(kernel(y, w), [forms.radial(v, v).scores for v in y])
    narrow = kernel(y, w, low=1.0)  # the corridor is the nominal weights: each unit's shares are given
    shares = 1 / (y[0][None] * (w / y[0])[:, None]).sum(axis=-1).max(axis=1)
    np.testing.assert_allclose(narrow[0], shares, rtol=1e-9)
    result = biaochi.run(tree().framework, tree().panel, Recipe(normalise="none", aggregate="bod"))
    assert np.nanmax(result.scores[..., 0]) == pytest.approx(100)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda r: biaochi.frontier(r, form="radia"), UnknownName, "radial"),
        (lambda r: biaochi.frontier(r, direction="up", form="directional"), UnknownName, "potential"),
        (lambda r: biaochi.frontier(r, limits=Limits(shares={"*": (0.5, 0.6)})), BadOption, "sum to 2 "),
        (lambda r: biaochi.frontier(r, limits=Limits(shares={"i9": (0.1, 0.6)})), UnknownName, "i0"),
        (lambda r: biaochi.frontier(r, limits=Limits(shares={"i0": (0.6, 0.1)})), BadOption, "lower one first"),
        (
            lambda r: biaochi.frontier(r, limits=Limits(ratios={("i0", "i1"): (2, 3)}, order=["i1", "i0"], shares={"i0": (0.1, 1)})),
            BadOption,
            "no weights satisfy",
        ),
        (lambda r: biaochi.frontier(r, limits=Limits(order=["i0"])), BadOption, "two different inputs"),
        (lambda r: biaochi.frontier(r, limits=Limits(order=["i0", "x"])), UnknownName, "input"),
        (lambda r: biaochi.frontier(r, sample=0), BadOption, "from 1 up"),
        (lambda r: biaochi.frontier(r, sample=5, draws=10), BadOption, "default_rng"),
        (lambda r: biaochi.frontier(r, sample=5, form="nonradial"), BadOption, "radial form"),
        (lambda r: biaochi.frontier(r, of="i0"), BadOption, "children"),
        (lambda r: biaochi.frontier(r, importance={"i0": -1}, form="nonradial"), BadOption, "importance"),
        (lambda r: biaochi.common_weights(r, aim="best"), UnknownName, "worst"),
    ],
)
def test_wrong_questions_are_answered_in_words(call, error, words):
    with pytest.raises(error, match=words):
        call(index(np.random.default_rng(0).random((8, 4))))


def test_scores_below_zero_are_refused_and_missing_ones_told():
    with pytest.raises(BadOption, match=r"u000 i0 \(-1\)"):
        biaochi.frontier(index(np.array([[-1.0, 1.0], [1.0, 2.0]])))
    got = biaochi.frontier(index(np.array([[np.nan, 1.0], [1.0, 2.0], [3.0, 1.0]])))
    assert "1 missing" in got.notices[0].en
    assert got.scores[0] == pytest.approx(0.5)


def test_a_unit_no_weights_can_serve_is_named_with_the_reason():
    y = np.array([[0.0, 1.0], [1.0, 2.0], [3.0, 1.0]])
    got = biaochi.frontier(index(y), limits=Limits(shares={"*": (0.2, 0.8)}))
    assert np.isnan(got.scores[0])
    assert "u000" in got.notices[0].en
    assert "i0" in got.notices[0].en
    assert not np.isnan(got.scores[1:]).any()


@pytest.mark.parametrize("seed", [0, 2, 4])
def test_data_of_few_levels_do_not_stop_the_method(seed):
    """0 and 1 only: every vertex is degenerate."""
    y = np.random.default_rng([300, 20, 2, seed]).integers(0, 2, (300, 20)).astype(float)
    got = forms.radial(y, y)
    some = range(0, 300, 25)
    np.testing.assert_allclose(got.scores[list(some)], [1 / best(np.zeros(20), y[k], y, None, y[k], np.zeros(20)) for k in some], rtol=1e-8)


def reference(y: np.ndarray, extra: list[float]) -> biaochi.Result:
    codes = [f"u{k}" for k in range(len(y))] + ["z"]
    rows = np.vstack([y, extra])
    framework = Framework([Node("top"), *(Node(f"i{j}", "top") for j in range(y.shape[1]))])
    units = {"code": codes, "ranked": ["yes"] * len(y) + ["no"]}
    return biaochi.run(
        framework, Panel.of({"unit": codes, **{f"i{j}": rows[:, j].tolist() for j in range(y.shape[1])}}, period="2024", units=units), Recipe(normalise="none")
    )


SMALL = np.array([[5.0, 5, 1], [3, 3, 3], [1, 2, 5], [4, 1, 2]])


def test_a_reference_unit_disturbs_nobody():
    plain = biaochi.frontier(index(SMALL)).scores
    np.testing.assert_allclose(biaochi.frontier(reference(SMALL, [1e12, 1, 1])).scores[:4], plain, rtol=1e-9)
    assert biaochi.frontier(reference(SMALL, [20, 20, 20])).scores[-1] > 1
    assert biaochi.frontier(reference(SMALL, [20, 20, 20]), form="directional", direction="mean").scores[-1] == np.inf


def test_units_without_scores_and_units_of_zeros():
    got = biaochi.frontier(index(np.array([[5.0, 5], [3, 3], [np.nan, np.nan]])))
    assert np.isnan(got.scores[2])
    assert "u002" in got.notices[-1].en
    zeros = np.vstack([SMALL, np.zeros(3)])
    for form in ("radial", "directional", "nonradial"):
        assert biaochi.frontier(index(zeros), form=form).scores[-1] == 0
    assert biaochi.frontier(index(zeros), sample=3).scores[-1] == 0


def test_limits_hold_at_any_scale_of_the_inputs():
    by = np.array([1, 1e8, 1e-8])
    limits = Limits(weights={f"i{j}": (0.05 / by[j], 1 / by[j]) for j in range(3)})
    small = biaochi.frontier(index(SMALL), limits=Limits(weights={"*": (0.05, 1)}))
    np.testing.assert_allclose(biaochi.frontier(index(SMALL * by), limits=limits).scores, small.scores, rtol=1e-7)


def test_directions_of_zeros_under_limits_of_shares():
    for direction in ("potential", {"i2": 1.0}):
        got = biaochi.frontier(index(SMALL), form="directional", direction=direction, limits=Limits(shares={"*": (0, 0.5)}))
        assert not np.isnan(got.scores).all()


def test_common_weights_are_no_better_than_the_units_own():
    got = biaochi.common_weights(index(SMALL), limits=Limits(shares={"*": (0.25, 0.45)}))
    assert (got.scores <= got.own + 1e-9).all()
    with pytest.raises(BadOption, match="above 0"):
        biaochi.common_weights(index(0 * SMALL))


def test_a_child_nobody_has_takes_no_share():
    y = np.where(np.arange(3) == 2, np.nan, SMALL)
    got = AGGREGATORS["bod"].kernel(y, np.ones(3), low=0.5)
    np.testing.assert_allclose(got, AGGREGATORS["bod"].kernel(SMALL[:, :2], np.ones(2), low=0.5))


@pytest.mark.parametrize("direction", ["own", "mean", "ideal", "potential"])
def test_a_unit_the_shares_shut_out_has_no_score_and_is_named(direction):
    x = np.array([[1, 1, 1], [0.5, 0.8, 0.4], [0, 0.5, 0.9]])
    made = biaochi.frontier(index(x), form="directional", direction=direction, limits=Limits(shares={"*": (0.1, 0.6)}))
    assert np.isnan(made.scores).tolist() == [False, False, True]
    assert "u002" in made.notices[0].en


def test_shares_of_tiny_values_do_not_drown_in_the_tolerance():
    rng = np.random.default_rng(43)
    x = rng.random((8, 4))
    x[0, :3] = rng.random(3) * 1e-8
    made = biaochi.frontier(index(x), form="directional", direction="potential", limits=Limits(shares={"*": (0.05, 0.6)}))
    assert made.scores[0] == pytest.approx(0.62496, abs=1e-5)  # the same program in v = w y, by HiGHS
    assert made.shares[0].min() >= 0.05 - 1e-6


def test_what_is_no_mapping_or_no_chain_is_answered_in_words():
    made = index(np.random.default_rng(1).random((5, 3)))
    for wrong in ({"form": "nonradial", "importance": 1.0}, {"form": "nonradial", "importance": []}, {"limits": Limits(order=[["i0", ["i1"]]])},
                  {"sample": 10**30}, {"level": True}):  # fmt: skip
        with pytest.raises(biaochi.BadOption):
            biaochi.frontier(made, **wrong)
