"""The catalogue in recipes: what users did with it in trials, and what must be answered in words."""

from dataclasses import replace

import numpy as np
import pytest

import biaochi
from biaochi import BadInput, BadOption, Framework, Node, Optimum, Panel, Recipe, Unit
from biaochi.checks import REGISTRIES

PERIODS = ("2019", "2020", "2021")
UNITS = [*(Unit(f"u{i:02d}", name_en=f"Unit {i}", groups=(("region", "north" if i % 2 else "south"),)) for i in range(12)), Unit("zREF", ranked=False)]
TREE = [
    Node("I"), Node("A", "I", weight=2), Node("B", "I"), Node("C", "I"),
    Node("a1", "A"), Node("a2", "A", direction=-1), Node("a3", "A"), Node("b1", "B", direction=Optimum(40, 60)), Node("b2", "B"), Node("c1", "C"), Node("c2", "C"),
    Node("size", series=True),
]  # fmt: skip


def rows(seed: int = 0, **changed: float) -> dict[tuple[str, str, str], float]:
    """Values by (period, unit, indicator): positive, rising a little, with a few gaps."""
    rng = np.random.default_rng(seed)
    out = {}
    for t, p in enumerate(PERIODS):
        for u in UNITS:
            for n in TREE:
                if n.code in ("I", "A", "B", "C"):
                    continue
                out[p, u.code, n.code] = float(rng.gamma(9.0, 6.0) * (1 + 0.05 * t) + 5)
    for key in (("2020", "u03", "a1"), ("2021", "u05", "c2"), ("2019", "u07", "b2")):
        del out[key]
    return out


def panel(values: dict[tuple[str, str, str], float]) -> Panel:
    keys = sorted(values)
    return Panel.of(
        {"period": [k[0] for k in keys], "unit": [k[1] for k in keys], "indicator": [k[2] for k in keys], "value": [values[k] for k in keys]}, units=UNITS
    )


FRAMEWORK = Framework(TREE)
LAB = panel(rows())


def run(values: Panel = LAB, **changes):
    return biaochi.run(FRAMEWORK, values, biaochi.variant(Recipe(), **changes))


def kinds(**changes) -> set[str]:
    with pytest.raises(BadInput) as e:
        run(**changes)
    for p in e.value.problems:
        assert p.what.en
        assert p.what.zh
        assert p.fix.en
    return {p.kind for p in e.value.problems}


def told(result, kind: str) -> str:
    return " ".join(n.what.en for n in result.notices if n.kind == kind)


# --- everything runs ------------------------------------------------------------------------------

GIVEN = {
    "group_mean": {"group": "region"}, "group_median": {"group": "region"}, "scaled": {"low": -100, "high": 200}, "goalposts": {"low": 0, "high": 300},
    "distance_to_unit": {"unit": "u01"}, "distance_to_target": {"target": 200},
    "ahp": {"comparisons": [["A", "B", 2], ["B", "C", 2], ["A", "C", 4], ["a1", "a2", 3], ["a2", "a3", 1], ["b1", "b2", 1], ["c1", "c2", 2]]},
    "best_worst": {"comparisons": [["A", "B", 2], ["A", "C", 4], ["B", "C", 2], ["a1", "a2", 3], ["a1", "a3", 3], ["a2", "a3", 1], ["b1", "b2", 1], ["c1", "c2", 2]]},
    "budget": {"points": [["A", 50, "x"], ["B", 30, "x"], ["C", 20, "x"], ["A", 40, "y"], ["B", 30, "y"], ["C", 30, "y"], *([c, 10] for c in ("a1", "a2", "a3", "b1", "b2", "c1", "c2"))]},
    "game": {"of": ["entropy", "critic"]}, "product": {"of": ["given", "equal"]},
}  # fmt: skip
ALL = [
    pytest.param(step, name, marks=pytest.mark.extras if name == "iterative" else ())
    for step, registry in REGISTRIES.items()
    for name in registry
    if not name.startswith("own:")
]


@pytest.mark.parametrize(("step", "name"), ALL)
def test_every_method_in_a_recipe(step, name):
    options = GIVEN.get(name, {})
    if (step, name) == ("weigh", "regression"):  # not every pillar goes with the outcome
        r = run(node={"I": {"weigh": {"method": name, "outcome": "size"}}})
        assert "explain" in told(r, "weights")
        return
    target = {"node": {"a2": {"normalise": {"target": 5}}, "b1": {"normalise": {"target": 50}}}} if name == "distance_to_target" else {}
    posts = {"node": {"b1": {"normalise": {"low": -50, "high": 400}}}} if name == "goalposts" else {}
    r = run(**{step: {"method": name, **options}, "constant": "missing", "range": [1, 100], **target, **posts})
    assert r.scores.shape == (3, 13, 11)
    assert (~np.isnan(r.scores[2, :12, 0])).sum() >= 10
    again = run(**{step: {"method": name, **options}, "constant": "missing", "range": [1, 100], **target, **posts})
    np.testing.assert_array_equal(r.scores, again.scores)
    assert str(biaochi.explain(r, "u00"))
    r.filled(), r.treated(), r.treatment()


@pytest.mark.parametrize(("step", "name"), ALL)
def test_units_that_are_not_ranked_change_nobodys_score(step, name):
    if name in ("iterative", "distance_to_target", "goalposts") or (step, name) == ("weigh", "regression"):
        return
    options = GIVEN.get(name, {})
    changes = {step: {"method": name, **options}, "constant": "missing", "range": [1, 100], "nonpositive": "missing"}
    wild = {k: v * 50 if k[1] == "zREF" else v for k, v in rows().items()}
    one, two = run(**changes), run(panel(wild), **changes)
    np.testing.assert_allclose(one.scores[:, :12], two.scores[:, :12], rtol=1e-7)


def test_judgements_of_several_experts_are_told_by_name():
    said = [["A", "B", 3, "li"], ["B", "C", 3, "li"], ["A", "C", 0.5, "li"], ["A", "B", 2, "wang"], ["B", "C", 2, "wang"], ["A", "C", 4, "wang"]]
    r = run(node={"I": {"weigh": {"method": "ahp", "comparisons": said}}})
    assert "li: consistency ratio" in told(r, "weights")
    assert "any of them may be wrong" in told(r, "weights")
    assert "wang: consistency ratio 0.000" in told(r, "weights")


def test_among_indicators_sums_upwards():
    r = run(weigh={"method": "equal", "among": "indicators"})
    w = {n.code: r.weights[r.node_at(n.code)] for n in r.nodes}
    assert (w["A"], w["B"], w["C"]) == pytest.approx((3 / 7, 2 / 7, 2 / 7))
    e = run(weigh={"method": "entropy", "among": "indicators"})
    leaves = sum(e.effective_weights[c] for c in e.indicators)
    assert leaves == pytest.approx(1)


def test_weights_of_one_period():
    r = run(weigh="standard_deviation", weigh_period="2020")
    z = r.scores[1, :12][:, [r.node_at(c) for c in ("A", "B", "C")]]
    sd = z.std(axis=0, ddof=1)
    np.testing.assert_allclose([r.weights[r.node_at(c)] for c in ("A", "B", "C")], sd / sd.sum())


def test_ranges_and_rescaling():
    r = run(
        node={
            "a1": {"normalise": {"range": [1, 10]}},
            "a2": {"normalise": {"method": "zscore", "rescale": True}},
            "a3": {"normalise": {"method": "rank", "range": [0, 1]}},
        }
    )
    for code, low, high in (("a1", 1, 10), ("a2", 0, 100), ("a3", 0, 1)):
        z = r.scores[0, :12, r.node_at(code)]
        assert (np.nanmin(z), np.nanmax(z)) == pytest.approx((low, high))
    assert "onto 1 to 10" in str(biaochi.explain(r, "u00", "a1"))
    c = run(node={"A": {"aggregate": {"method": "copeland", "rescale": True}}})
    assert np.nanmax(c.scores[0, :12, c.node_at("A")]) == 100


def test_gaps_under_a_parent():
    base = run()
    strict, filled = run(node={"C": {"aggregate": {"min_children": 1}}}), run(node={"C": {"aggregate": {"missing": 0}}})
    at = base.node_at("C")
    u = base.panel.position("u05")
    assert np.isnan(strict.scores[2, u, at])
    assert "too few children" in told(strict, "no-score")
    assert filled.scores[2, u, at] == pytest.approx(base.scores[2, u, at] / 2)
    assert "taken as 0" in told(filled, "given-score")
    assert "taken as 0 by its parent" in str(biaochi.explain(filled, "u05", "C", "2021"))


def test_screening_of_indicators():
    r = run(drop_indicators=["b1", "b2"], min_indicator_share=0.99)
    assert [n.code for n in r.nodes] == ["I", "A", "a2", "a3", "C", "c1"]
    assert r.fingerprints["framework"] == FRAMEWORK.fingerprint, "as given"
    assert "u" not in told(r, "indicator-dropped")[:1]
    assert run(drop_indicators=["b1"], keep_indicators=["a1"], min_indicator_share=0.99).node_at("a1")
    values = {k: 0.0 if k[2] == "a3" and k[1] != "u01" else v for k, v in rows().items()}
    assert "a3" not in run(panel(values), min_indicator_nonzero=0.5).indicators


def test_a_denominator_of_one_year():
    tree = [replace(n, denominator="at(size, 2019) / 10") if n.code == "a1" else n for n in TREE]
    r = biaochi.run(Framework(tree), LAB, Recipe())
    i = r.indicators.index("a1")
    np.testing.assert_allclose(r.stages["denominated"][2, :, i], LAB.series("a1")[2] / LAB.series("size")[0] * 10)


def test_what_was_filled_and_from_when():
    r = run(impute={"method": "last", "max_age": 1})
    assert r.filled() == [
        {"indicator": "a1", "unit": "u03", "period": "2020", "value": LAB.series("a1")[0, 3], "method": "last(max_age=1)", "source": "2019"},
        {"indicator": "c2", "unit": "u05", "period": "2021", "value": LAB.series("c2")[1, 5], "method": "last(max_age=1)", "source": "2020"},
    ]  # fmt: skip
    line = run(node={"a1": {"impute": "linear"}})
    assert [row["source"] for row in line.filled()] == ["2019 2021"]


def test_every_parent_is_checked_for_what_names_nodes():
    """Not the first one only: the rest may lack what it has."""
    every = GIVEN["budget"]["points"]
    assert kinds(weigh={"method": "budget", "points": [r for r in every if r[0] != "c2"]}) == {"no-judgement"}
    with pytest.raises(BadInput) as e:
        run(weigh={"method": "ahp", "comparisons": GIVEN["ahp"]["comparisons"][:3]})
    assert len([p for p in e.value.problems if p.kind == "no-judgement"]) == 3, "A, B and C"
    tree = [replace(n, target=9.0) if n.code == "a1" else n for n in TREE]
    with pytest.raises(BadInput) as e:
        biaochi.run(Framework(tree), LAB, biaochi.variant(Recipe(), normalise="distance_to_target"))
    assert {p.kind for p in e.value.problems} == {"missing-option"}


def test_an_unranked_unit_that_reports_first_stops_nobody():
    values = {k: v for k, v in rows().items() if not (k[0] == "2021" and k[2] == "b2" and k[1] != "zREF")}
    r = run(panel(values))
    assert np.isnan(r.scores[2, :12, r.node_at("b2")]).all()
    assert not np.isnan(r.scores[2, :12, 0]).any()


def test_what_a_missing_child_was_taken_as_adds_to_the_index():
    r = run(node={"C": {"aggregate": {"missing": 40}}})
    leaves = [r.node_at(c) for c in r.indicators]
    np.testing.assert_allclose(np.nansum(r.contributions[..., leaves], axis=-1)[:, :12], r.scores[:, :12, 0])


def test_optimised_weights_may_leave_a_pillar_out():
    values = rows()
    for p in PERIODS:
        for i, u in enumerate(UNITS):
            values[p, u.code, "b2"] = values[p, u.code, "c1"] = values[p, u.code, "c2"] = 50.0 + i * i
            values[p, u.code, "b1"] = 50.0 - i * i
    r = run(panel(values), node={"b1": {"normalise": {"method": "goalposts", "low": -200, "high": 300}}})
    found = biaochi.optimise_weights(r, 2, {c: 0.0 if c in ("c1", "c2") else 1.0 for c in r.indicators})
    assert sum(found.weights.values()) == pytest.approx(1)
    assert biaochi.run(found.framework, r.panel, r.recipe).scores.shape == r.scores.shape


def test_a_unit_kept_without_any_value_is_carried_over():
    values = {k: v for k, v in rows().items() if k[:2] != ("2020", "u04")}
    assert np.isnan(run(panel(values), impute="last").scores[1, 4, 0])
    kept = run(panel(values), impute="last", keep=["u04"])
    np.testing.assert_array_equal(kept.stages["imputed"][1, 4], kept.stages["denominated"][0, 4])
    assert np.isnan(run(panel(values), impute="mean", keep=["u04"]).scores[1, 4, 0])
    row = next(r for r in kept.availability() if (r["unit"], r["period"]) == ("u04", "2020"))
    assert (row["missing"], row["share"], row["nonzero"], row["screened"]) == (7, 0.0, None, False)


def test_what_models_fill_in_stays_possible():
    tree = [replace(n, valid=(0.0, 20.0)) if n.code == "a1" else n for n in TREE]
    values = {k: v for k, v in rows().items() if k[2] != "a1"}
    values |= {k: values[k[0], k[1], "a2"] / 20.0 for k in rows() if k[2] == "a1" and k[1] != "u00"}
    values |= {(p, "u00", "a2"): 1e6 for p in PERIODS}
    r = biaochi.run(Framework(tree), panel(values), biaochi.variant(Recipe(), impute="regression"))
    i = r.indicators.index("a1")
    assert 0 <= r.stages["imputed"][0, 0, i] <= 20
    assert "held within the valid range" in told(r, "held")


def test_growth_leaves_the_first_period_open_and_says_so():
    r = run(normalise={"method": "growth", "over": "period", "rescale": True})
    assert np.isnan(r.scores[0]).all()
    assert not np.isnan(r.scores[1:, :12, 0]).any()
    assert "have no score by growth" in told(r, "no-score")
    assert "compared with 2019" in str(biaochi.explain(run(normalise={"method": "growth", "over": "period"}), "u00", "a1", "2020"))


def test_treatment_pooled_or_by_period():
    values = rows()
    values["2020", "u02", "a1"] = 9000.0
    one, all_ = (run(panel(values), treat="winsorise", treat_over=over) for over in ("period", "pooled"))
    i = one.indicators.index("a1")
    second = sorted(v for k, v in values.items() if k[2] == "a1" and k[1] != "zREF")[-2]
    assert all_.stages["treated"][1, 2, i] == second
    assert one.stages["treated"][1, 2, i] == sorted(v for k, v in values.items() if k[0] == "2020" and k[2] == "a1" and k[1] != "zREF")[-2]
    assert {row["flag"] for row in one.treated()} == {"winhi"}


def test_a_treatment_that_touches_only_an_unranked_unit():
    wild = {k: v * 100 if k[1] == "zREF" else v for k, v in rows().items()}
    assert {row["unit"] for row in run(panel(wild), treat="sd").treated()} == {"zREF"}


def test_values_a_treatment_loses_are_told():
    values = {k: v - 40 if k[2] == "a1" else v for k, v in rows().items()}
    assert "without a value after the treatment" in told(run(panel(values), treat={"method": "boxcox", "shift": False}), "lost")


def test_an_unranked_unit_without_a_score_stops_nobody():
    values = {k: -700.0 if k[1] == "zREF" and k[2] == "c1" else v for k, v in rows().items()}
    r = run(panel(values), range=[1, 100], aggregate="geometric")
    assert not np.isnan(r.scores[:, :12, 0]).any()
    assert "not ranked were left out" in told(r, "nonpositive")
    logs = run(panel(values), node={"c1": {"normalise": "log_efficacy"}})
    assert "1 values have no score" in told(logs, "no-score") or "3 values have no score" in told(logs, "no-score")


# --- multiple imputation and influence ----------------------------------------------------------------


def test_multiple_imputation_spreads_only_what_was_filled():
    recipe = biaochi.variant(Recipe(), impute="regression")
    one = biaochi.impute_many(FRAMEWORK, LAB, recipe, draws=30, rng=np.random.default_rng(3))
    two = biaochi.impute_many(FRAMEWORK, LAB, recipe, draws=30, rng=np.random.default_rng(3))
    np.testing.assert_array_equal(one.scores, two.scores)
    a1 = one.nominal.node_at("a1")
    assert one.sd[1, 3, a1] > 0
    full = one.nominal.node_at("a2")
    assert np.nanmax(one.sd[..., full]) < 1e-12
    low, high = one.interval()
    assert (low <= high)[:, :12].all()
    assert one.table("2020")[0]["rank"] == 1
    for wrong in ({"rng": None}, {"rng": np.random.default_rng(1), "draws": 1}, {"rng": np.random.default_rng(1), "draws": 2.5}):
        with pytest.raises(BadOption):
            biaochi.impute_many(FRAMEWORK, LAB, recipe, **wrong)
    with pytest.raises(BadOption, match="needs an imputer that draws"):
        biaochi.impute_many(FRAMEWORK, LAB, Recipe(), rng=np.random.default_rng(1))


def test_influence_of_children_who_share_nothing():
    """Three independent children of an arithmetic mean: influence is the square of weight times spread, and all of it is their own."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(4000, 3))
    tree = [Node("I"), *(Node(c, "I", weight=w) for c, w in (("a", 3.0), ("b", 2.0), ("c", 1.0)))]
    us = [Unit(f"u{i}") for i in range(4000)]
    table = {"period": ["2020"] * 12000, "unit": [u.code for u in us for _ in "abc"], "indicator": ["a", "b", "c"] * 4000, "value": x.ravel().tolist()}
    r = biaochi.run(Framework(tree), Panel.of(table, units=us), biaochi.variant(Recipe(), normalise="zscore"))
    for i, want in zip(biaochi.influence(r), (9 / 14, 4 / 14, 1 / 14), strict=True):
        assert i.linear == pytest.approx(want, abs=0.03)
        assert i.main_effect == pytest.approx(want, abs=0.03)
        assert i.own == pytest.approx(want, abs=0.03)
        assert abs(i.shared) < 0.03


def test_main_effects_can_be_set():
    r = biaochi.evaluate("asem")
    found = biaochi.optimise_weights(r, 1, measure="main_effect")
    assert found.reached["Conn"] == pytest.approx(0.5, abs=0.01)
    again = biaochi.run(found.framework, r.panel, r.recipe)
    shares = np.array([i.main_effect for i in biaochi.influence(again)])
    np.testing.assert_allclose(shares / shares.sum(), [0.5, 0.5], atol=0.02)


def test_main_effect_sees_what_a_line_does_not():
    x = np.linspace(-1, 1, 200)
    from biaochi.importance import main_effect

    assert main_effect(x, x**2) > 0.99
    assert np.corrcoef(x, x**2)[0, 1] ** 2 < 1e-12
    assert main_effect(x, np.random.default_rng(0).normal(size=200)) < 0.1


def test_judgements_from_tables(folder):
    tree = "code,parent\nI,\nA,I\nB,I\nC,I\n"
    (folder / "framework.csv").write_text(tree, encoding="utf-8")
    (folder / "data.csv").write_text("unit,period,A,B,C\nu,2020,1,2,3\nv,2020,3,1,1\nw,2020,2,3,2\n", encoding="utf-8")
    (folder / "experts.csv").write_text("甲,乙,倍数,专家\nA,B,2,li\nB,C,2,li\nA,C,4,li\nB,A,1/2,wang\nB,C,2,wang\nC,A,1/4,wang\n", encoding="utf-8")
    (folder / "budget.csv").write_text("child,points\nA,50\nB,30\nC,20\n", encoding="utf-8")
    for weigh, want in (('method = "ahp", comparisons = "experts.csv"', (4 / 7, 2 / 7, 1 / 7)), ('method = "budget", points = "budget.csv"', (0.5, 0.3, 0.2))):
        (folder / "biaochi.toml").write_text(f'[files]\nframework = "framework.csv"\ndata = "data.csv"\n[recipe]\nweigh = {{ {weigh} }}\n', encoding="utf-8")
        r = biaochi.evaluate(folder)
        assert [r.weights[r.node_at(c)] for c in "ABC"] == pytest.approx(want)
    for spoilt, kind in (("child,points\nA,fifty\nB,30\nC,20\n", "bad-judgement"), ("who,points\nA,50\n", "missing-column"), (None, "no-file")):
        path = folder / "budget.csv"
        path.unlink() if spoilt is None else path.write_text(spoilt, encoding="utf-8")
        with pytest.raises(BadInput) as e:
            biaochi.evaluate(folder)
        assert {p.kind for p in e.value.problems} == {kind}
        assert any(p.place.file == "budget.csv" for p in e.value.problems)
