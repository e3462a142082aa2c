"""Results side by side: leaving out, ranks, strengths, effects that add up; references: COINr's tables and runs made by hand."""

from dataclasses import replace

import numpy as np
import pytest

import biaochi
from biaochi import Framework, Node, Panel, Recipe
from biaochi.kernels.rank import rank
from tests.golden.test_coinr import close, num, table
from tests.golden.test_frontier import index
from tests.golden.test_trends import without_1gbps

# --- leaving out, ranks, strengths ---------------------------------------------------------------


@pytest.mark.parametrize(("name", "level"), [("remove_L1", 3), ("remove_L3", 1)])
def test_leaving_out(asem, golden, name, level):
    got = biaochi.leave_out(asem, level)
    codes = [c for c in got.scores if c]
    close(np.column_stack([got.scores[c] for c in codes]), golden(f"{name}_scores", list(got.units), codes), rtol=1e-9)
    for want in table(f"{name}_mean_abs_rank"):
        if want["removed"] != "Nominal":
            close(got.mean_shift[want["removed"]], num(want["MeanAbsRankDiff"]), rtol=1e-9)


def test_leaving_out_what_a_formula_reads_and_an_only_child():
    nodes = [Node("top"), Node("A", "top"), Node("B", "top"), Node("a", "A"), Node("b", "B"), Node("c", "B", formula="a * 2 + b")]
    r = biaochi.run(Framework(nodes), Panel.of({"unit": ["x", "y", "z"], "a": [1.0, 2, 4], "b": [3.0, 1, 1]}, period="2024"), Recipe())
    got = biaochi.leave_out(r)
    assert set(got.scores) == {"", "a", "b", "c"}
    alone = biaochi.run(
        Framework([Node("top"), Node("B", "top"), Node("b", "B"), Node("c", "B", formula="a * 2 + b"), Node("a", series=True)]), r.panel, Recipe()
    )
    close(got.scores["a"], alone.scores[0, :, 0])


def test_ranks(asem):
    rows = table("rank_df")
    for code in ("Goods", "LPI"):
        x = asem.panel.series(code)[0]
        mine = dict(zip([u.code for u in asem.panel.units], rank(x, exact=True), strict=True))
        given = {w["uCode"]: num(w[code]) for w in rows}
        if set(given) == set(mine):
            close([mine[u] for u in given], list(given.values()))
        else:  # of a subset
            at = [asem.panel.position(u) for u in given]
            close(rank(x[at], exact=True), list(given.values()))


def test_ranks_inside_groups(asem):
    got = biaochi.group_ranks(asem, "GDP_group")
    numbers = asem.panel.groups("GDP_group")
    for g in range(numbers.max() + 1):
        inside = numbers == g
        close(got[0, inside, 0], rank(asem.scores[0, inside, 0]))
    assert np.isnan(got[0, numbers < 0]).all()


def test_strengths_and_weaknesses(asem):
    rows = table("strengths_weaknesses_raw")
    for unit in dict.fromkeys(r["unit"] for r in rows):
        got = biaochi.strengths(asem, unit)
        for kind, name in (("S", "strengths"), ("W", "weaknesses")):
            want = [(r["Code"], float(r["Rank"]), float(r["Value"])) for r in rows if r["unit"] == unit and r["kind"] == kind]
            mine = [(r["code"], r["rank"], r["value"]) for r in got[name]]
            assert sorted(r for _, r, _ in mine) == sorted(r for _, r, _ in want)
            last = {max(r for _, r, _ in want), min(r for _, r, _ in want)}  # of equal ranks at the edge either may be shown
            assert {c for c, r, _ in mine if r not in last} == {c for c, r, _ in want if r not in last}
            shared = {c: v for c, _, v in want}
            close([v for c, _, v in mine if c in shared], [shared[c] for c, _, _ in mine if c in shared], rtol=1e-9)


def test_strengths_inside_a_group_and_with_last_places(asem):
    everywhere = biaochi.strengths(asem, "CHE", 49, discard_last=False)["strengths"]
    assert len(everywhere) == int((~np.isnan(asem.stages["derived"][0, asem.panel.position("CHE")])).sum())
    inside = biaochi.strengths(asem, "CHE", 49, group="GDP_group", discard_last=False)["strengths"]
    size = int((asem.panel.groups("GDP_group") == asem.panel.groups("GDP_group")[asem.panel.position("CHE")]).sum())
    assert max(r["of"] for r in inside) <= size


# --- comparing -----------------------------------------------------------------------------------


def test_effects_of_choices_add_up(asem):
    p = biaochi.load("asem")
    other = biaochi.run(
        Framework([replace(n, weight=3.0) if n.code == "Conn" else n for n in p.framework.nodes]),
        p.panel,
        biaochi.variant(p.recipe, treat="none", normalise="zscore", impute="median"),
    )
    got = biaochi.compare(asem, other)
    assert {c["choice"] for c in got.choices} == {"weights", "treat", "normalise", "impute"}
    for row in got.rows:
        assert sum(row["because"].values()) == pytest.approx(row["difference"], abs=1e-9)
        assert sum(row["because_rank"].values()) == pytest.approx(row["shift"], abs=1e-9)
    close(got.correlations["pearson"], np.corrcoef(asem.scores[0, :, 0], other.scores[0, :, 0])[0, 1], rtol=1e-9)
    back = biaochi.compare(other, asem)  # the other way round: the same effects, turned
    close([r["because"]["treat"] for r in back.rows], [-r["because"]["treat"] for r in got.rows], rtol=1e-8, atol=1e-9)


def test_one_choice_is_the_whole_difference(asem):
    other = biaochi.run(asem.framework, asem.panel, biaochi.variant(asem.recipe, treat="none"))
    got = biaochi.compare(asem, other)
    assert [c["choice"] for c in got.choices] == ["treat"]
    close([r["because"]["treat"] for r in got.rows], [r["difference"] for r in got.rows])


def test_choices_that_only_run_together_count_as_one(asem):
    """A geometric mean cannot take the zeros of min-max 0 to 100."""
    other = biaochi.run(asem.framework, asem.panel, biaochi.variant(asem.recipe, aggregate="geometric", range=(1, 100)))
    got = biaochi.compare(asem, other)
    assert [c["choice"] for c in got.choices] == ["aggregate + range"]
    assert "cannot be run apart" in got.notices[0].en


def test_two_frameworks_and_two_editions(desi):
    p = biaochi.load("desi-2022")
    less = without_1gbps([replace(n, weight=2.0) if n.code == "1" else n for n in p.framework.nodes])
    got = biaochi.compare(biaochi.run(less, p.panel, p.recipe), desi, periods=("2021", "2022"))
    assert {c["choice"] for c in got.choices} == {"indicators", "weights", "data"}
    for row in got.rows:
        assert sum(row["because"].values()) == pytest.approx(row["difference"], abs=1e-9)
    added = next(c for c in got.choices if c["choice"] == "indicators")
    assert [(r["code"], r["change"]) for r in added["changes"]] == [("2a3", "added")]
    alone = biaochi.compare(desi, desi, periods=("2017", "2022"))
    assert [c["choice"] for c in alone.choices] == ["data"]


def test_nothing_differs(asem):
    got = biaochi.compare(asem, asem)
    assert got.choices == []
    assert all(r["difference"] == 0 for r in got.rows)


def test_many_results_side_by_side(asem):
    others = {name: biaochi.run(asem.framework, asem.panel, biaochi.variant(asem.recipe, treat=name)) for name in ("none", "iqr")}
    rows = biaochi.compare_many({"nominal": asem, **others})
    assert [r["nominal"] for r in rows] == sorted(r["nominal"] for r in rows)
    assert all(r["none - nominal"] == r["none"] - r["nominal"] for r in rows)
    scores = biaochi.compare_many({"nominal": asem, **others}, by="scores", base="none")
    assert scores[0]["none"] == max(r["none"] for r in scores)
    pairs = biaochi.correlate({"nominal": asem, **others})
    assert len(pairs) == 3 * len(asem.nodes)
    assert all(r["correlation"] <= 1 for r in pairs)
    flat = index(np.random.default_rng(0).random((5, 2)))
    with pytest.raises(biaochi.BadOption, match="share a unit"):
        biaochi.compare(asem, flat)
    with pytest.raises(biaochi.UnknownName, match="nominal"):
        biaochi.compare_many({"nominal": asem}, base="nominl")


def test_strengths_are_turned_to_the_optimum():
    r = biaochi.run(Framework([Node("I"), Node("ph", "I", direction=biaochi.Optimum(7, 7)), Node("b", "I")]),
                    Panel.of({"unit": [f"u{i}" for i in range(5)], "ph": [7.0, 3, 14, 9, 6], "b": [1.0, 2, 3, 4, 5]}, period="2020"), Recipe())  # fmt: skip
    ranks = {u: next(q["rank"] for q in biaochi.strengths(r, u, discard_last=False)["strengths"] if q["code"] == "ph") for u in ("u0", "u2")}
    assert ranks == {"u0": 1, "u2": 5}


def test_leaving_out_what_the_recipe_names(asem):
    f = Framework([Node("I"), Node("a", "I"), Node("b", "I"), Node("c", "I")])
    panel = Panel.of({"unit": ["x", "y", "z"], "a": [1.0, 2, 4], "b": [3.0, 1, 1], "c": [1.0, 5, 2]}, period="2024")
    pairs = [["a", "b", 2], ["a", "c", 4], ["b", "c", 2]]
    recipe = Recipe(weigh=biaochi.Choice.of("ahp", comparisons=pairs), node={"a": {"normalise": "rank"}}, keep_indicators=("a",))
    got = biaochi.leave_out(biaochi.run(f, panel, recipe))
    assert got.refused == {}
    alone = biaochi.run(
        Framework([Node("I"), Node("b", "I"), Node("c", "I"), Node("a", series=True)]),
        panel,
        Recipe(weigh=biaochi.Choice.of("ahp", comparisons=[["b", "c", 2]])),
    )
    close(got.scores["a"], alone.scores[0, :, 0])


def test_draws_are_listed_as_what_is_left(asem):
    f = Framework([Node("I"), Node("a", "I"), Node("b", "I")])
    rng = np.random.default_rng(0)
    panel = Panel.of({"unit": [f"u{i}" for i in range(12)], "a": rng.random(12).tolist(), "b": [None, None, *rng.random(10).tolist()]}, period="2024")
    a, b = biaochi.run(f, panel, Recipe(impute="em")), biaochi.run(f, panel, Recipe(impute="em"), rng=np.random.default_rng(1))
    got = biaochi.compare(a, b)
    assert [c["choice"] for c in got.choices] == ["draws"]
    for row in got.rows:
        assert sum(row["because"].values()) == pytest.approx(row["difference"], abs=1e-9)


def test_results_without_a_unit_that_counts_in_both_are_compared_all_the_same():
    def made(a: bool, b: bool) -> biaochi.Result:
        units = [biaochi.Unit("a", ranked=a), biaochi.Unit("b", ranked=b), biaochi.Unit("c", ranked=False)]
        panel = Panel.of({"unit": ["a", "b", "c"], "i": [1.0, 2, 3]}, units=units, period="2024")
        return biaochi.run(Framework([Node("t"), Node("i", "t")]), panel, Recipe(normalise="none", impute="none", scale="pooled"))

    assert biaochi.compare(made(True, False), made(False, True)).correlations["pearson"] is None
