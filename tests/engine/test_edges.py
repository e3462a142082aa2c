"""Edges found in trials against an independent second implementation: each was wrong once."""

import numpy as np
import pytest

import biaochi
from biaochi import BadInput, Choice, Framework, Node, Optimum, Panel, Recipe, Unit
from tests.engine.test_run import small


def test_screened_and_reference_units_stay_unscored_under_winsorising():
    """Found in a trial: limits must not fill the gaps of units that do not count."""
    framework, panel = small({"a": [1.0, 2, 3, 4, 90], "b": [5.0, 3, 2, 9, 1]})
    r = biaochi.run(framework, panel, biaochi.variant(Recipe(), treat="winsorise_then_log", drop=["u4"]))
    assert np.isnan(r.scores[0, 4]).all()
    assert r.notices[0].kind == "dropped"
    data = {"unit": list("abcP"), "x": [1.0, 2, 4, np.nan], "y": [3.0, 1, 2, 2]}
    p = Panel.of(data, units=[Unit(c, ranked=c != "P") for c in "abcP"], period="2023")
    two = Framework([Node("I"), Node("x", "I"), Node("y", "I")])
    with_treatment, without = (biaochi.run(two, p, biaochi.variant(Recipe(), treat=t)) for t in ("winsorise", "none"))
    np.testing.assert_array_equal(with_treatment.scores, without.scores)


def test_reference_units_are_held_only_where_others_were_pulled_in():
    data = {"unit": list("abcdeP"), "x": [1.0, 2, 3, 4, 5, 100]}
    panel = Panel.of(data, units=[Unit(c, ranked=c != "P") for c in "abcdeP"], period="2023")
    r = biaochi.run(Framework([Node("I"), Node("x", "I")]), panel, biaochi.variant(Recipe(), treat="winsorise"))
    assert r.scores[0, panel.position("P"), 0] == 2475
    assert not r.marks.any()


def test_empty_reference_gives_no_score():
    panel = Panel.of({"unit": ["x", "y"] * 2, "period": ["2020"] * 2 + ["2021"] * 2, "a": [np.nan, np.nan, 1, 2], "b": [1.0, 2, 3, 4]})
    framework = Framework([Node("I"), Node("a", "I"), Node("b", "I")])
    for method in ("percentile_rank", "rank", "minmax"):
        with pytest.raises(BadInput, match="'a' has no spread in base period 2020"):
            biaochi.run(framework, panel, biaochi.variant(Recipe(), scale="base", base="2020", normalise=method))


def test_goalposts_of_the_framework_stand_between_recipe_and_node():
    framework, panel = small({"a": [0, 5, 10]}, nodes=[Node("I"), Node("a", "I", goalposts=(0, 20))])
    general = biaochi.variant(Recipe(), normalise={"method": "goalposts", "low": 0, "high": 10})
    assert biaochi.run(framework, panel, general).scores[0, :, 0].tolist() == [0, 25, 50]
    named = biaochi.variant(general, node={"a": {"normalise": {"high": 40}}})
    assert biaochi.run(framework, panel, named).scores[0, :, 0].tolist() == [0, 12.5, 25]


def test_formulas_never_turn_a_gap_into_a_value():
    nodes = [
        Node("I"),
        *(Node(f"f{i}", "I", formula=f) for i, f in enumerate(("1 / (1 / s) + 0 * t", "t / (1 + t / s)", "s ** 0 + 0 * t", "1 ** m + 0 * t"))),
        Node("s", series=True),
        Node("t", series=True),
        Node("m", series=True),
    ]
    panel = Panel.of({"unit": ["x", "y"], "s": [0.0, 2], "t": [1.0, 2], "m": [None, 1.0]}, period="2023")
    r = biaochi.run(Framework(nodes), panel, Recipe(normalise=Choice("none")))
    got = r.stages["derived"][0]
    assert np.isnan(got[0, [0, 1, 3]]).all()
    assert got[0, 2] == 1
    assert got[1].tolist() == [2, 1, 1, 1]


def test_thresholds_met_exactly_are_met():
    """SKEW = 2 and KURT = 4 exactly, whatever the unit: rounding must not decide."""
    from biaochi.kernels.treat.pull import passes

    for scale, shift in ((1, 0), (1000, 0), (0.1, 1), (7, 3), (1e-6, 0)):
        x = np.array([[0.0], [0], [0], [1]]) * scale + shift
        assert not passes(x, 2.0, 3.5).any()


def test_spread_below_rounding_noise_is_no_spread():
    nodes = [Node("I"), Node("a", "I", formula="s + t"), Node("s", series=True), Node("t", series=True)]
    panel = Panel.of({"unit": ["x", "y", "z"], "s": [0.1, 0.3, 0.15], "t": [0.2, 0.0, 0.15]}, period="2023")
    for method in ("minmax", "zscore"):
        with pytest.raises(BadInput, match="no spread"):
            biaochi.run(Framework(nodes), panel, biaochi.variant(Recipe(), normalise=method))


def test_all_tied_but_for_noise():
    framework, panel = small({"a": [0.1, 0.3, 0.2], "b": [0.2, 0.2, 0.3], "c": [0.3, 0.1, 0.1]})
    r = biaochi.run(framework, panel, Recipe(normalise=Choice("none")))
    assert r.ranks[0, :, 0].tolist() == [1, 1, 1]


def test_a_long_chain_of_formulas():
    nodes = [
        Node("I"),
        Node("a", "I", formula="f2999 + 0"),
        Node("f0", series=True),
        *(Node(f"f{i}", series=True, formula=f"f{i - 1} + 1") for i in range(1, 3000)),
    ]
    panel = Panel.of({"unit": ["x", "y"], "f0": [1.0, 2.0]}, period="2023")
    assert biaochi.run(Framework(nodes), panel).stages["derived"][0, :, 0].tolist() == [3000, 3001]


def test_codes_that_look_like_missing_values():
    """NA is Namibia; as a value it is a gap."""
    panel = Panel.of({"unit": ["NA", "ZA"], "period": ["2023"] * 2, "a": ["1", "NA"]}, units={"code": ["NA", "ZA"], "continent": ["AF", "AF"]})
    assert [u.code for u in panel.units] == ["NA", "ZA"]
    assert np.isnan(panel.series("a")[0, 1])


def test_units_of_one_name_are_told_apart():
    units = [
        Unit("1", name_zh="和平区", groups=(("市", "沈阳市"),)),
        Unit("2", name_zh="和平区", groups=(("市", "天津市"),)),
        Unit("3", name_zh="南开区"),
        Unit("4", name_zh="和平区"),
    ]
    panel = Panel.of({"unit": ["1", "2", "3", "4"], "a": [1.0, 2, 3, 4]}, units=units, period="2023")
    assert panel.labels("zh") == ["和平区 (沈阳市)", "和平区 (天津市)", "南开区", "和平区 (4)"]


def test_fingerprints_tell_close_optima_apart_and_ignore_the_order_of_groups():
    one, two = (Framework([Node("I"), Node("a", "I", direction=Optimum(v, v))]).fingerprint for v in (1234567.0, 1234567.4))
    assert one != two
    groups = (("g", "x"), ("h", "y"))
    panels = [Panel.of({"unit": ["u"], "a": [1.0]}, units=[Unit("u", groups=g)], period="2023").fingerprint for g in (groups, groups[::-1])]
    assert panels[0] == panels[1]


def test_variants_build_on_the_recipe_they_vary():
    zscore = biaochi.variant(Recipe(), normalise={"method": "zscore", "mean": 5})
    assert biaochi.variant(zscore, normalise={"sd": 2}).normalise == Choice.of("zscore", mean=5, sd=2)
    based = biaochi.variant(Recipe(), scale="base", base="2020")
    assert biaochi.variant(based, base="2021").base == "2021"
    assert biaochi.variant(based, scale="pooled").base is None


def test_no_contributions_to_an_index_without_a_score():
    framework, panel = small({"a": [1, 2, 3], "b": [1, 2, np.nan]})
    r = biaochi.run(framework, panel, Recipe(min_children=1.0))
    assert np.isnan(r.contributions[0, 2]).all()


@pytest.mark.parametrize(("ties", "want"), [("best", [1, 2, 2, 4]), ("worst", [1, 3, 3, 4]), ("average", [1, 2.5, 2.5, 4]), ("dense", [1, 2, 2, 3])])
@pytest.mark.parametrize("options", [{}, {"exact": True}, {"decimals": 1}])
def test_ties_beside_missing_scores(ties, want, options):
    from biaochi.kernels.rank import rank

    got = rank(np.array([[np.nan, 3.0, 2.0, np.nan, 2.0, 1.0, np.nan]]), ties=ties, **options)[0]
    assert got[[1, 2, 4, 5]].tolist() == want
    assert np.isnan(got[[0, 3, 6]]).all()


def test_a_refusal_holds_for_each_indicator():
    framework, panel = small({"a": [1, 2, 3], "b": [1, 2, 4]})
    for code in "ab":
        with pytest.raises(BadInput, match="compares periods"):
            biaochi.run(framework, panel, biaochi.variant(Recipe(), scale="pooled", node={code: {"treat": "log_ct"}}))
        with pytest.raises(BadInput, match="in its own unit"):
            biaochi.run(framework, panel, biaochi.variant(Recipe(), normalise={"method": "goalposts", "low": 0, "high": 9}, node={code: {"treat": "log_ct"}}))


def test_a_function_that_overflows_gives_no_value():
    nodes = [Node("I"), Node("f", "I", formula="1 / share(s) + t * 0"), Node("t", "I"), Node("s", series=True)]
    panel = Panel.of({"unit": ["x", "y", "z"] * 2, "period": ["2022"] * 3 + ["2023"] * 3, "s": [1.0, 2, -3, 1, 2, 1], "t": [1.0, 2, 3] * 2})
    r = biaochi.run(Framework(nodes), panel)
    assert np.isnan(r.stages["derived"][0, :, 0]).all()
    assert not np.isnan(r.stages["derived"][1, :, 0]).any()


def test_options_out_of_bounds_are_listed_with_their_place(folder):
    path = folder / "biaochi.toml"
    path.write_text(
        path.read_text()
        .replace('normalise = "minmax"', 'normalise = { method = "zscore", sd = 0, ddof = 2 }')
        .replace('treat = "none"', 'treat = { method = "winsorise", max_points = -1 }')
    )
    with pytest.raises(BadInput) as e:
        biaochi.load(folder) and biaochi.evaluate(folder)
    assert [(p.kind, p.place.file) for p in e.value.problems] == [("bad-option", "biaochi.toml")] * 3


def test_an_optimum_at_its_own_post():
    nodes = [Node("I"), Node("a", "I", direction=Optimum(0, 10), goalposts=(0, 20))]
    framework, panel = small({"a": [-5, 0, 10, 15, 20, 30]}, nodes=nodes)
    for clip, want, marked in ((True, [0, 100, 100, 50, 0, 0], [True, False, False, False, False, True]), (False, [0, 100, 100, 50, 0, -100], [False] * 6)):
        r = biaochi.run(framework, panel, biaochi.variant(Recipe(), normalise={"method": "goalposts", "clip": clip}))
        assert r.scores[0, :, 0].tolist() == want
        assert (r.marks[0, :, 0] > 0).tolist() == marked


def test_a_value_outside_the_reference_ranks_halfway_between_its_neighbours():
    panel = Panel.of({"unit": list("xyz") * 2, "period": ["2020"] * 3 + ["2021"] * 3, "a": [1.0, 2, 4, 0, 3, 9]})
    framework = Framework([Node("I"), Node("a", "I")])
    for ties in ("min", "max", "average"):
        recipe = biaochi.variant(Recipe(), scale="base", base="2020", normalise={"method": "percentile_rank", "ties": ties})
        assert biaochi.run(framework, panel, recipe).scores[..., 0].tolist() == [[0, 50, 100], [0, 75, 100]]
        ranks = biaochi.variant(recipe, normalise={"method": "rank", "ties": ties})
        assert biaochi.run(framework, panel, ranks).scores[..., 0].tolist() == [[1, 2, 3], [0.5, 2.5, 3.5]]
