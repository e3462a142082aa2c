"""Recipes that cannot be run, and questions that cannot be answered: each is told in words."""

import pytest

import biaochi
from biaochi import BadOption, MissingExtra, UnknownName
from tests.engine.test_catalogue import kinds, run

MISTAKES = {
    "a combination without what its part needs": ({"weigh": {"method": "game", "of": ["entropy", "ahp"]}}, "missing-option"),
    "a combination of combinations": ({"weigh": {"method": "game", "of": ["product"]}}, "unknown-method"),
    "a combination among indicators": ({"weigh": {"method": "product", "of": ["given", "equal"], "among": "indicators"}}, "unknown-option"),
    "a part without weights": ({"weigh": {"method": "game", "of": ["entropy", "critic"]}, "normalise": "zscore"}, "no-weights"),
    "an option of a part out of limits": ({"weigh": {"method": "game", "of": ["entropy", "critic"], "offset": -5}}, "bad-option"),
    "a range the wrong way": ({"normalise": {"method": "minmax", "range": [10, 1]}}, "bad-option"),
    "a range of one": ({"normalise": {"method": "minmax", "range": [1]}}, "bad-option"),
    "a share above 1": ({"aggregate": {"method": "arithmetic", "min_children": 7}}, "bad-option"),
    "a level of indicators": ({"impute": {"method": "branch_mean", "level": 2}}, "idle-override"),
    "branches of no level": ({"min_branch_share": 0.5, "branch_level": 7}, "idle-override"),
    "comparisons of cousins": ({"weigh": {"method": "ahp", "comparisons": [["a1", "b1", 2]]}}, "bad-judgement"),
    "comparisons of nobody": ({"weigh": {"method": "ahp", "comparisons": [["a1", "zz", 2]]}}, "unknown-node"),
    "comparisons that do not connect": ({"node": {"I": {"weigh": {"method": "ahp", "comparisons": [["A", "B", 2]]}}}}, "no-weights"),
    "comparisons in words": ({"node": {"I": {"weigh": {"method": "ahp", "comparisons": [["A", "B", "2"]]}}}}, "bad-judgement"),
    "a comparison twice": ({"node": {"I": {"weigh": {"method": "ahp", "comparisons": [["A", "B", 2], ["B", "A", 2], ["B", "C", 1]]}}}}, "duplicate-judgement"),
    "a judgement beyond any scale": ({"node": {"I": {"weigh": {"method": "ahp", "comparisons": [["A", "B", 1e40], ["B", "C", 1]]}}}}, "bad-judgement"),
    "a child nobody speaks of": ({"node": {"I": {"weigh": {"method": "budget", "points": [["A", 50], ["B", 50]]}}}}, "no-judgement"),
    "an expert who gives nothing": ({"node": {"I": {"weigh": {"method": "budget", "points": [["A", 0], ["B", 0], ["C", 0]]}}}}, "no-judgement"),
    "an outcome that is none": ({"weigh": {"method": "regression", "outcome": "I"}}, "unknown-series"),
    "a reference unit that is none": ({"normalise": {"method": "distance_to_unit", "unit": "zz"}}, "unknown-unit"),
    "a base that is none": ({"normalise": {"method": "base_index", "base": "1999"}}, "unknown-period"),
    "weights from a period in which nobody counts": ({"weigh": "entropy", "weigh_period": "2020", "drop": [f"u{i:02d}" for i in range(12)], "keep": []}, "nothing-to-score"),
    "negative weights under a rule that takes none": ({"weigh": {"method": "pca", "negative": "keep"}, "aggregate": "electre"}, "negative-weights"),
    "a period for weights that is none": ({"weigh": "entropy", "weigh_period": "1999"}, "unknown-period"),
    "an indicator to drop that is none": ({"drop_indicators": ["zz"]}, "unknown-indicator"),
    "all indicators dropped": ({"drop_indicators": ["a1", "a2", "a3", "b1", "b2", "c1", "c2"]}, "nothing-to-score"),
    "scores below 0 for entropy": ({"weigh": "entropy", "normalise": "zscore"}, "no-weights"),
    "scores below 0 for a power": ({"aggregate": "power", "normalise": "zscore"}, "nonpositive"),
    "logarithms by period before growth": ({"treat": "log_ct", "normalise": "growth"}, "periods-in-other-units"),
    "values that do not go with the direction": ({"node": {"a1": {"normalise": {"method": "efficacy", "unsatisfactory": 90, "satisfactory": 10}}}}, "bad-goalposts"),
    "a satisfactory value below all": ({"node": {"a1": {"normalise": {"method": "efficacy", "satisfactory": -10}}}}, "constant"),
    "a span below 0": ({"normalise": {"method": "efficacy", "span": -40}}, "bad-option"),
    "a top below the floor": ({"normalise": {"method": "exponential_efficacy", "top": 10}}, "bad-option"),
    "classes that fall": ({"normalise": {"method": "categorical", "cuts": [50.0], "scores": [2.0, 1.0]}}, "bad-option"),
    "thresholds out of order": ({"aggregate": {"method": "electre", "preference": 5, "veto": 2}}, "bad-option"),
    "a name for a number": ({"aggregate": {"method": "power", "exponent": "two"}}, "bad-option"),
    "a rescaled fixed scale": ({"scale": "fixed", "normalise": {"method": "base_index", "rescale": True}}, "scale-not-fixed"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_answered_in_words(mistake):
    changes, kind = MISTAKES[mistake]
    assert kind in kinds(**changes)


def test_fixed_scales_take_efficacies_with_both_values():
    changes = {"scale": "fixed", "normalise": {"method": "efficacy", "unsatisfactory": 0, "satisfactory": 300}, "node": {}}
    changes["node"] = {"a2": {"normalise": {"unsatisfactory": 300, "satisfactory": 0}}, "b1": {"normalise": {"method": "goalposts", "low": -50, "high": 400}}}
    r = run(**changes)
    assert "fixed by its options" in str(biaochi.explain(r, "u00", "a1"))


def test_questions_that_cannot_be_answered():
    r = run()
    for ask, error in (
        (lambda: biaochi.influence(r, "a1"), BadOption), (lambda: biaochi.influence(r, "zz"), UnknownName), (lambda: biaochi.influence(r, level=9), BadOption),
        (lambda: biaochi.optimise_weights(r, 1, {"A": 1.0}), BadOption), (lambda: biaochi.optimise_weights(r, 1, {"A": "x", "B": 1, "C": 1}), BadOption),
        (lambda: biaochi.optimise_weights(r, 1, {"Z": 1.0}), UnknownName), (lambda: biaochi.optimise_weights(r, 1, measure="x"), UnknownName),
        (lambda: biaochi.optimise_weights(run(range=[1, 100], aggregate="geometric"), 1), BadOption), (lambda: biaochi.denominator_correlations(r, threshold="a"), BadOption),
    ):  # fmt: skip
        with pytest.raises(error):
            ask()


def test_the_extra_that_is_not_there(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "sklearn.experimental", None)
    with pytest.raises(MissingExtra, match="ml"):
        run(impute="iterative")
