"""ASEM, from the raw iData and iMeta to the results tables; reference: COINr 1.1.14 (see SOURCE.md)."""

import csv

import numpy as np
import pytest

import biaochi
from biaochi.recipe import Choice
from tests.conftest import GOLDEN

STAGES = {
    "derived": "stage_1_Raw",
    "denominated": "stage_2_Denominated",
    "imputed": "stage_4_Screened",
    "treated": "stage_5_Treated",
    "normalised": "stage_6_Normalised",
}


def close(got, want, rtol=1e-12):
    np.testing.assert_allclose(got, want, rtol=rtol, atol=1e-300, equal_nan=True)


def units(result):
    return [u.code for u in result.panel.units]


@pytest.fixture(scope="module")
def project():
    return biaochi.load("asem")


def rerun(project, **changes):
    return biaochi.run(project.framework, project.panel, biaochi.variant(project.recipe, **changes))


@pytest.mark.parametrize(("stage", "name"), STAGES.items())
def test_every_stage(asem, golden, stage, name):
    want = golden(name, units(asem), asem.indicators)
    close(asem.stages[stage][0], want)


def test_imputed_equals_its_own_stage(asem, golden):
    close(asem.stages["imputed"][0], golden("stage_3_Imputed", units(asem), asem.indicators))


def test_aggregated(asem, golden):
    codes = [n.code for n in asem.nodes]
    close(asem.scores[0], golden("stage_7_Aggregated", units(asem), codes))


def test_results_tables(asem, golden):
    aggregates = [n.code for n in asem.nodes if asem.framework.children(n.code)]
    at = [asem.node_at(c) for c in aggregates]
    close(asem.scores[0][:, at], golden("results_aggs_scores", units(asem), aggregates))
    close(asem.ranks[0][:, 0], golden("results_aggs_scores", units(asem), ["Rank"])[:, 0])
    close(asem.scores[0][:, [0]], golden("results_summ_scores", units(asem), ["Index"]))
    codes = [n.code for n in asem.nodes]
    np.testing.assert_array_equal(asem.ranks[0], golden("results_full_ranks", units(asem), codes))
    close(asem.stages["derived"][0], golden("results_full_raw_indicators", units(asem), asem.indicators))


def test_unit_summaries(asem):
    with open(GOLDEN / "coinr" / "unit_summary_all.csv", newline="") as f:
        rows = list(csv.DictReader(f))
    assert len(rows) == 3060
    for r in rows:
        u, n = asem.panel.position(r["uCode"]), asem.node_at(r["Code"])
        assert asem.scores[0, u, n] == pytest.approx(float(r["Score"]), rel=1e-12, abs=1e-300)
        assert asem.ranks[0, u, n] == float(r["Rank"])


def test_effective_weights(asem):
    with open(GOLDEN / "coinr" / "weights_effective.csv", newline="") as f:
        want = {r["iCode"]: float(r["EffWeight"]) for r in csv.DictReader(f)}
    assert asem.effective_weights == pytest.approx(want, rel=1e-12)


def test_treated_cells_are_marked(asem):
    with open(GOLDEN / "coinr" / "treat_default_points.csv", newline="") as f:
        rows = list(csv.DictReader(f))  # in the order of the data, which is sorted by unit code
    marked = (asem.marks[0] & 2) > 0
    for u, row in enumerate(rows):
        for i, code in enumerate(asem.indicators):
            flagged = row[code] in ("winhi", "winlo")
            moved = asem.stages["treated"][0, u, i] != asem.stages["imputed"][0, u, i]
            assert marked[u, i] == moved
            assert flagged or not moved  # COINr flags the point it moves the others to as well


@pytest.mark.parametrize(
    ("method", "options", "name"),
    [
        ("mean", {}, "impute_mean"),
        ("median", {}, "impute_median"),
        ("group_mean", {"group": "EurAsia_group"}, "impute_group_mean"),
        ("group_median", {"group": "GDP_group"}, "impute_group_median"),
    ],
)
def test_imputers(project, golden, method, options, name):
    r = rerun(project, impute={"method": method, **options}, treat="none")
    close(r.stages["imputed"][0], golden(name, units(r), r.indicators))


@pytest.mark.parametrize(
    ("options", "name"),
    [({"max_points": 1}, "treat_winmax1"), ({"max_points": 3, "skew": 1, "kurtosis": 1.5}, "treat_strict")],
)
def test_treatments(project, golden, options, name):
    r = rerun(project, treat={"method": "winsorise_then_log", **options})
    close(r.stages["treated"][0], golden(name, units(r), r.indicators))


def test_treatment_with_gaps(project, golden):
    from biaochi.kernels.treat.scheme import winsorise_then_log

    raw = project.panel.values[0][:, [project.panel.codes.index(n.code) for n in sorted(project.framework.indicators, key=lambda n: n.code)]]
    codes = sorted(n.code for n in project.framework.indicators)
    close(winsorise_then_log(raw), golden("treat_raw_with_NA", [u.code for u in project.panel.units], codes))


def test_skewness_and_kurtosis(project):
    from biaochi.kernels.treat.pull import kurtosis, passes, skewness

    with open(GOLDEN / "coinr" / "skew_kurt_raw.csv", newline="") as f:
        rows = list(csv.DictReader(f))
    raw = np.stack([project.panel.series(r["iCode"])[0] for r in rows], axis=-1)
    close(skewness(raw), [float(r["skew"]) for r in rows], rtol=1e-10)
    close(kurtosis(raw), [float(r["kurt"]) for r in rows], rtol=1e-10)
    assert passes(raw, 2.0, 3.5).tolist() == [r["pass"] == "TRUE" for r in rows]


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"normalise": "minmax", "range": [0, 100]}, "norm_minmax_0_100"),
        ({"normalise": "minmax", "range": [1, 100]}, "norm_minmax_1_100"),
        ({"normalise": "zscore"}, "norm_zscore_0_1"),
        ({"normalise": {"method": "zscore", "mean": 10, "sd": 2}}, "norm_zscore_10_2"),
        ({"normalise": "rank"}, "norm_rank"),
        ({"normalise": "percentile_rank", "range": [0, 1]}, "norm_prank"),
        ({"normalise": {"method": "percentile_rank", "ties": "average"}, "range": [0, 1]}, "norm_prank_average"),
        ({"normalise": "none"}, "norm_none"),
    ],
)
def test_normalisers(project, golden, changes, name):
    r = rerun(project, **changes)
    np.testing.assert_allclose(r.stages["normalised"][0], golden(name, units(r), r.indicators), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", ["agg_amean", "agg_gmean", "agg_amean_weighted", "agg_gmean_weighted"])
def test_aggregators(project, golden, name):
    framework = project.framework
    if name.endswith("weighted"):
        with open(GOLDEN / "coinr" / "in_weights_random.csv", newline="") as f:
            weights = {r["iCode"]: float(r["Weight"]) for r in csv.DictReader(f)}
        from dataclasses import replace

        framework = biaochi.Framework([replace(n, weight=weights.get(n.code, n.weight)) for n in framework.nodes])
    method = "arithmetic" if "amean" in name else "geometric"
    recipe = biaochi.variant(project.recipe, range=[1, 100], aggregate=method)
    r = biaochi.run(framework, project.panel, recipe)
    aggregates = [n.code for n in r.nodes if r.framework.children(n.code)]
    close(r.scores[0][:, [r.node_at(c) for c in aggregates]], golden(name, units(r), aggregates))


def test_screening_by_availability(project):
    # COINr screens the denominated data at 0.9; here `screen` stands in the same place
    r = rerun(project, min_share=0.9)
    with open(GOLDEN / "coinr" / "screen_byNA.csv", newline="") as f:
        kept = {row["uCode"]: row["Included"] == "TRUE" for row in csv.DictReader(f)}
    assert {u.code: not s for u, s in zip(r.panel.units, r.screened[0], strict=True)} == kept


def test_winsorise_on_one_vector():
    from biaochi.kernels.treat.pull import winsorise
    from biaochi.kernels.treat.transform import log_ct

    with open(GOLDEN / "coinr" / "vec_treatment.csv", newline="") as f:
        rows = list(csv.DictReader(f))
    x = np.array([[float(r["x"].replace("NA", "nan"))] for r in rows])
    for column, points in (("win5", 5), ("win1", 1), ("win2", 2), ("winInf", 10_000)):
        close(winsorise(x, max_points=points)[:, 0], [float(r[column].replace("NA", "nan")) for r in rows])
    close(log_ct(x)[:, 0], [float(r["log_CT"].replace("NA", "nan")) for r in rows])


def test_overrides_merge_by_the_rule(project):
    choice = project.recipe.choice("treat", "LPI", 3, Choice.of(None, max_points=2))
    assert choice == Choice.of("winsorise_then_log", max_points=2, skew=2, kurtosis=3.5)
