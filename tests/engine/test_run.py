"""The run: order, rules, labels and what the result hands out."""

import json
from dataclasses import replace

import numpy as np
import pytest

import biaochi
from biaochi import BadInput, Choice, Framework, Node, Optimum, Panel, Recipe, Unit, UnknownName
from biaochi.result import CLIPPED, IMPUTED, NEUTRAL, TREATED


def small(values: dict[str, list[float]], *, nodes: list[Node] | None = None, period: str = "2023", **units: list[str]) -> tuple[Framework, Panel]:
    n = len(next(iter(values.values())))
    framework = Framework(nodes or [Node("I"), *(Node(c, "I") for c in values)])
    panel = Panel.of({"unit": [f"u{i}" for i in range(n)], **values}, period=period)
    return framework, panel


def test_min_max_and_weighted_mean_by_hand():
    framework, panel = small({"a": [1, 2, 5], "b": [30, 10, 20]}, nodes=[Node("I"), Node("a", "I", weight=3), Node("b", "I", direction=-1)])
    r = biaochi.run(framework, panel)
    np.testing.assert_allclose(r.scores[0, :, 0], [0.75 * 0 + 0.25 * 0, 0.75 * 25 + 0.25 * 100, 0.75 * 100 + 0.25 * 50])
    assert r.ranks[0, :, 0].tolist() == [3, 2, 1]
    assert r.effective_weights == {"I": 1.0, "a": 0.75, "b": 0.25}


def test_label_order_never_matters(desi):
    """Shuffled rows, columns and nodes give the same bits and the same fingerprints."""
    project = biaochi.load("desi-2022")
    rng = np.random.default_rng(0)
    nodes = [project.framework.nodes[i] for i in rng.permutation(len(project.framework.nodes))]
    p, u, c = project.panel.values.shape
    cells = [(i, j, k) for i in range(p) for j in range(u) for k in range(c)]
    order = rng.permutation(len(cells))
    long = {"unit": [], "period": [], "indicator": [], "value": [], "status": []}
    for n in order:
        i, j, k = cells[n]
        row = (
            project.panel.units[j].code,
            str(project.panel.periods[i]),
            project.panel.codes[k],
            project.panel.values[i, j, k],
            str(project.panel.status[i, j, k]),
        )
        for key, value in zip(long, row, strict=True):
            long[key].append(value)
    units = [project.panel.units[i] for i in rng.permutation(u)]
    again = biaochi.run(Framework(nodes), Panel.of(long, units=units), project.recipe)
    assert again.fingerprints == desi.fingerprints
    for n in desi.nodes:
        np.testing.assert_array_equal(again.scores[..., again.node_at(n.code)], desi.scores[..., desi.node_at(n.code)])


@pytest.mark.parametrize("normalise", ["minmax", "zscore", "rank", "percentile_rank", {"method": "goalposts", "low": -3, "high": 9}])
def test_flip_a_sign_and_its_direction_and_nothing_changes(normalise):
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=20), rng.normal(size=20)
    flipped = {"method": "goalposts", "low": -9, "high": 3} if isinstance(normalise, dict) else normalise
    one = biaochi.run(*small({"a": list(a), "b": list(b)}), biaochi.variant(Recipe(), normalise=normalise))
    recipe = biaochi.variant(Recipe(), normalise=normalise, node={"a": {"normalise": flipped}})
    framework, panel = small({"a": list(-a), "b": list(b)}, nodes=[Node("I"), Node("a", "I", direction=-1), Node("b", "I")])
    two = biaochi.run(framework, panel, recipe)
    np.testing.assert_array_equal(one.scores, two.scores)


def test_scale_references():
    framework = Framework([Node("I"), Node("a", "I")])
    panel = Panel.of({"unit": ["x", "y", "x", "y"], "period": ["2020", "2020", "2021", "2021"], "a": [0.0, 10, 5, 20]})

    def scores(**options):
        return biaochi.run(framework, panel, biaochi.variant(Recipe(), **options)).scores[..., 0].tolist()

    assert scores(scale="period") == [[0, 100], [0, 100]]
    assert scores(scale="pooled") == [[0, 50], [25, 100]]
    assert scores(scale="base", base="2020") == [[0, 100], [50, 200]]
    assert scores(scale="fixed", normalise={"method": "goalposts", "low": 0, "high": 40}) == [[0, 25], [12.5, 50]]
    with pytest.raises(BadInput, match='scale = "fixed", but minmax'):
        scores(scale="fixed")


def test_reference_units_set_nothing():
    """A total or mean is scored on the others' scale, and changes nobody's score, rank, mean or limit."""
    framework = Framework([Node("I"), Node("a", "I")])
    recipe = Recipe(impute=Choice("mean"), treat=Choice("winsorise_then_log"))
    data = {"unit": list("abcdefgP"), "a": [1.0, 2, 3, 4, 5, np.nan, 300, 1e6]}
    units = [Unit(c, ranked=c != "P") for c in "abcdefgP"]
    with_p = biaochi.run(framework, Panel.of(data, units=units, period="2023"), recipe)
    without = biaochi.run(framework, Panel.of({k: v[:-1] for k, v in data.items()}, period="2023"), recipe)
    p = with_p.panel.position("P")
    others = [i for i in range(8) if i != p]
    np.testing.assert_array_equal(with_p.scores[0, others], without.scores[0])
    np.testing.assert_array_equal(with_p.ranks[0, others], without.ranks[0])
    assert with_p.scores[0, p, 0] == 100
    assert np.isnan(with_p.ranks[0, p, 0])


def test_optimum_directions():
    nodes = [Node("I"), Node("a", "I", direction=Optimum(40, 60), goalposts=(0, 120))]
    framework, panel = small({"a": [0, 20, 40, 50, 60, 90, 120, 150]}, nodes=nodes)
    r = biaochi.run(framework, panel, biaochi.variant(Recipe(), normalise="goalposts"))
    assert r.scores[0, :, 0].tolist() == [0, 50, 100, 100, 100, 50, 0, 0]
    assert (r.marks[0, :, 0] & CLIPPED > 0).tolist() == [False] * 7 + [True]
    relative = biaochi.run(Framework([Node("I"), Node("a", "I", direction=Optimum(50, 50))]), panel)
    assert relative.scores[0, :, 0].tolist() == [50, 70, 90, 100, 90, 60, 30, 0]


def test_formulas_and_denominators():
    nodes = [
        Node("I"),
        Node("ratio", "I", formula="patents / people * 1000"),
        Node("growth", "I", formula="growth_yoy(patents)"),
        Node("part", "I", formula="share(people)"),
        Node("step", "I", formula="diff(patents) - 0 * ln(people)"),
        Node("dense", "I", denominator="people"),
        *(Node(c, series=True) for c in ("patents", "people")),
    ]
    panel = Panel.of(
        {"unit": ["x", "y"] * 2, "period": ["2021"] * 2 + ["2022"] * 2, "patents": [10, 20, 15, 30], "people": [1000, 4000, 1000, 3000], "dense": [5, 8, 6, 9]}
    )
    r = biaochi.run(Framework(nodes), panel, Recipe(normalise=Choice("rank"), constant="missing"))
    stage = dict(zip(r.indicators, np.moveaxis(r.stages["denominated"], -1, 0), strict=True))
    assert stage["ratio"].tolist() == [[10, 5], [15, 10]]
    np.testing.assert_allclose(stage["growth"][1], [50, 50])
    assert np.isnan(stage["growth"][0]).all()
    assert stage["part"].tolist() == [[20, 80], [25, 75]]
    assert stage["step"][1].tolist() == [5, 10]
    np.testing.assert_allclose(stage["dense"], [[5 / 1000, 8 / 4000], [6 / 1000, 9 / 3000]])


def test_rules_for_constant_indicators():
    framework, panel = small({"a": [1, 1, 1], "b": [1, 2, 3]})
    with pytest.raises(BadInput, match="'a' has no spread in 2023"):
        biaochi.run(framework, panel)
    left_out = biaochi.run(framework, panel, Recipe(constant="missing"))
    assert left_out.scores[0, :, 0].tolist() == [0, 50, 100]
    neutral = biaochi.run(framework, panel, Recipe(constant=50.0))
    assert neutral.scores[0, :, 0].tolist() == [25, 50, 75]
    assert (neutral.marks[0, :, 0] == NEUTRAL).all()
    assert [n.kind for n in neutral.notices] == ["constant"]


def test_rules_for_nonpositive_scores():
    framework, panel = small({"a": [1, 2, 3], "b": [4, 9, 2]})
    geometric = Recipe(aggregate=Choice("geometric"))
    with pytest.raises(BadInput) as e:
        biaochi.run(framework, panel, geometric)
    assert {p.kind for p in e.value.problems} == {"nonpositive"}
    assert len(e.value.problems) == 2
    assert biaochi.run(framework, panel, replace(geometric, nonpositive="zero")).scores[0, :, 0].tolist()[0] == 0
    floor = biaochi.run(framework, panel, replace(geometric, nonpositive=1.0)).scores[0, :, 0]
    np.testing.assert_allclose(floor[0], np.sqrt(1 * 100 * 2 / 7))
    missing = biaochi.run(framework, panel, replace(geometric, nonpositive="missing")).scores[0, :, 0]
    np.testing.assert_allclose(missing[0], 100 * 2 / 7)


def test_too_little_data_is_answered_by_rules():
    framework, panel = small({"a": [1, 2, np.nan, np.nan], "b": [1, 2, 3, np.nan], "c": [1, 2, np.nan, np.nan]})
    r = biaochi.run(framework, panel, Recipe(impute=Choice("mean")))
    assert np.isnan(r.scores[0, 3, 0]), "a unit without any value is never invented by imputation"
    assert (r.marks[0, 2] & IMPUTED > 0).tolist() == [True, False, True]
    strict = biaochi.run(framework, panel, Recipe(min_share=0.5))
    assert strict.screened[0].tolist() == [False, False, True, True]
    kept = biaochi.run(framework, panel, Recipe(min_share=0.5, keep=("u2",), drop=("u0",), constant="missing"))
    assert kept.screened[0].tolist() == [True, False, False, True]
    children = biaochi.run(framework, panel, Recipe(min_children=0.5))
    assert np.isnan(children.scores[0, 2, 0])
    assert {n.kind for n in children.notices} == {"missing", "screened", "no-score"}


def test_ragged_trees_and_levels():
    nodes = [Node("I"), Node("A", "I"), Node("B", "A"), Node("x", "B"), Node("y", "B"), Node("z", "I")]
    framework, panel = small({"x": [1, 2, 3], "y": [3, 2, 1], "z": [1, 5, 3]}, nodes=nodes)
    assert framework.levels == {"I": 0, "A": 1, "z": 1, "B": 2, "x": 3, "y": 3}
    recipe = biaochi.variant(Recipe(), range=[1, 100], level={"2": {"aggregate": "geometric"}})
    r = biaochi.run(framework, panel, recipe)
    np.testing.assert_allclose(r.scores[0, :, r.node_at("B")], [10, 50.5, 10])
    np.testing.assert_allclose(r.scores[0, :, 0], (np.array([10, 50.5, 10]) + [1, 100, 50.5]) / 2)
    assert np.isnan(r.contributions[0, 0, r.node_at("x")]), "no points below a geometric mean"


def test_overrides_in_the_framework_and_the_recipe():
    nodes = [Node("I", aggregate=Choice("geometric")), Node("a", "I", overrides=(("normalise", Choice.of("goalposts", low=0, high=10)),)), Node("b", "I")]
    framework, panel = small({"a": [2, 5, 9], "b": [1, 2, 3]}, nodes=nodes)
    r = biaochi.run(framework, panel, Recipe(range=(1.0, 100.0)))
    np.testing.assert_allclose(r.stages["normalised"][0, :, 0], 1 + 99 * np.array([0.2, 0.5, 0.9]))
    stronger = biaochi.variant(Recipe(), node={"I": {"aggregate": "arithmetic"}, "a": {"normalise": {"high": 20}}})
    r = biaochi.run(framework, panel, stronger)
    np.testing.assert_allclose(r.stages["normalised"][0, :, 0], [10, 25, 45])
    np.testing.assert_allclose(r.scores[0, 0, 0], 5)


def test_treated_cells_carry_their_mark():
    framework, panel = small({"a": [1, 2, 3, 2, 1, 2, 3, 90], "b": [1, 2, 3, 4, 5, 6, 7, 8]})
    r = biaochi.run(framework, panel, Recipe(treat=Choice("winsorise")))
    assert (r.marks[0] & TREATED > 0).tolist() == [[False, False]] * 7 + [[True, False]]


def test_periods_know_each_other():
    q = biaochi.Period.parse
    assert str(q("2023-Q1").previous) == "2022-Q4"
    assert str(q("2023-Q3").year_before) == "2022-Q3"
    assert str(q("2023-M08")) == "2023-08"
    assert sorted(map(q, ["2023", "2023-12", "2023-Q4", "2022-S2", "2023-01"])) == list(map(q, ["2022-S2", "2023-01", "2023-12", "2023-Q4", "2023"]))
    for bad in ("23", "2023-13", "2023-Q5", "2023-8", "", "２０２３"):
        with pytest.raises(ValueError, match="not a period"):
            q(bad)


def test_exact_ties_rank_equal():
    """Equal in exact arithmetic, unequal in floating point: 0.1 + 0.2 and 0.3."""
    framework, panel = small({"a": [0.1, 0.3, 0.0, 1.0], "b": [0.2, 0.0, 0.0, 1.0]})
    r = biaochi.run(framework, panel, Recipe(normalise=Choice("none")))
    assert r.ranks[0, :, 0].tolist() == [2, 2, 4, 1]


def test_explain_tells_every_number(asem):
    told = asem.explain("GBR", "Physical")
    assert told.score == pytest.approx(sum(p.share * p.score for p in told.parts))
    elec = next(p for p in told.parts if p.node == "Gas")
    names = [s.name.en for s in elec.steps]
    assert names == ["value", "denominated", "direction", "scale", "normalised"]
    assert "iData.csv" in elec.steps[0].how.en
    assert "row" in elec.steps[0].how.en
    u = np.flatnonzero(asem.marks[0, :, asem.indicators.index("Flights")] & TREATED)[0]
    treated = asem.explain(asem.panel.units[u].code, "Flights")
    assert [s.name.en for s in treated.steps][2] == "treated"
    assert "分母" in "\n".join(told.lines("zh"))
    json.dumps(told.to_dict("zh"), allow_nan=False)
    with pytest.raises(UnknownName, match="Did you mean 'GBR'"):
        asem.explain("GBRR")


def test_same_inputs_same_bits(asem):
    again = biaochi.evaluate("asem")
    assert again.scores.tobytes() == asem.scores.tobytes()
    assert again.fingerprints == asem.fingerprints


def test_fingerprints_tell_changes():
    project = biaochi.load("asem")
    panel = project.panel
    values = panel.values.copy()
    values[0, 0, 0] = np.nextafter(values[0, 0, 0], np.inf)
    assert replace(panel, values=values).fingerprint != panel.fingerprint
    nodes = [replace(n, weight=2.0) if n.code == "LPI" else n for n in project.framework.nodes]
    assert Framework(nodes).fingerprint != project.framework.fingerprint
    assert biaochi.variant(project.recipe, min_share=0.5).fingerprint != project.recipe.fingerprint
    assert biaochi.variant(project.recipe, range=[0, 100.0]).fingerprint == project.recipe.fingerprint


@pytest.mark.extras
def test_result_goes_everywhere(desi, tmp_path):
    import pandas as pd
    import polars as pl
    import pyarrow.parquet as pq

    frame = desi.to_pandas()
    assert list(frame.columns) == ["node", "unit", "period", "score", "rank", "weight", "contribution"]
    assert len(frame) == desi.scores.size == len(desi.to_polars()) == desi.to_arrow().num_rows
    fi = frame[(frame.node == "DESI") & (frame.unit == "FI") & (frame.period == "2022")]
    assert fi.score.item() == desi.scores[desi.period_at("2022"), desi.panel.position("FI"), 0]
    assert desi.to_xarray().score.sel(unit="FI", period="2022", node="DESI").item() == fi.score.item()
    desi.to_parquet(tmp_path / "r.parquet")
    assert pq.read_schema(tmp_path / "r.parquet").metadata[b"biaochi.data"].decode() == desi.panel.fingerprint
    assert pl.read_parquet(tmp_path / "r.parquet").height == len(frame)
    desi.to_excel(tmp_path / "r.xlsx")
    assert set(pd.read_excel(tmp_path / "r.xlsx", sheet_name=None, engine="calamine")) == {"Scores", "Cells"}
    assert json.loads(desi.to_json(tmp_path / "r.json"))["fingerprints"] == desi.fingerprints
    assert "FI" in repr(desi)
    assert "<table>" in desi._repr_html_()


@pytest.mark.extras
def test_frames_of_every_kind_give_the_same_panel(tmp_path):
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    data = {"unit": ["x", "y"], "period": ["2023", "2023"], "a": [1.5, None], "b": [3.0, 4.0]}
    want = Panel.of(data).fingerprint
    frames = [pd.DataFrame(data), pl.DataFrame(data), pa.table(data)]
    assert {Panel.of(f).fingerprint for f in frames} == {want}
    pl.DataFrame(data).write_parquet(tmp_path / "d.parquet")
    assert biaochi.read_panel(tmp_path / "d.parquet").fingerprint == want
    long = pd.DataFrame({"unit": ["x", "x", "y"], "period": ["2023"] * 3, "indicator": ["a", "b", "b"], "value": [1.5, 3, 4]})
    assert Panel.of(long).fingerprint == want


def test_groupings_and_unknown_names():
    panel = biaochi.load("asem").panel
    assert set(panel.groups("EurAsia_group")) == {0, 1}
    with pytest.raises(UnknownName, match="Did you mean 'EurAsia_group'"):
        panel.groups("EurAsia_grup")
    with pytest.raises(BadInput, match=r"unknown normaliser 'min-max'\. Did you mean 'minmax'"):
        biaochi.run(*small({"a": [1, 2]}), biaochi.variant(Recipe(), normalise="min-max"))


def test_counties_are_fast_and_their_gaps_reported():
    import time

    project = biaochi.load("china-counties")
    began = time.perf_counter()
    r = biaochi.run(project.framework, project.panel, project.recipe)
    assert time.perf_counter() - began < 2.0  # the target of 0.2 s is measured in bench/; this only catches disasters
    assert (~np.isnan(r.scores[0, :, 0])).sum() == 2943
    said = "\n".join(n.what.en for n in r.notices)
    assert "(ict_emp_share_pct): 5 values missing and left out" in said
    assert "(sci_emp_share_pct): 15 values missing and left out" in said
