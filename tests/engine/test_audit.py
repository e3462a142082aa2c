"""The audit: every flag carries its figure and its threshold, every threshold its source; the page and the command."""

import dataclasses
import json

import numpy as np
import pytest

import biaochi
from biaochi import Framework, Node, Panel, Recipe, Thresholds
from biaochi.coherence import SOURCES
from biaochi.reports.audit import NAMES, SECTIONS
from tests.engine.test_cli import biaochi as command


@pytest.fixture(scope="module")
def built() -> biaochi.Result:
    """Two groups with every fault planted: a twin, a stray, an outlier, an upside-down one, a series of size."""
    rng = np.random.default_rng(0)
    n = 60
    f, g, people = rng.normal(size=n), rng.normal(size=n), rng.lognormal(3, 1.5, size=n)
    noise = rng.normal(size=(n, 8)) * 0.4
    columns = {
        "a1": f + noise[:, 0], "a2": f + noise[:, 1], "twin": f + noise[:, 1] * 1.02 + 0.01 * noise[:, 2], "down": -f + noise[:, 3],
        "b1": g + noise[:, 4], "b2": g + noise[:, 5], "stray": f + noise[:, 6], "big": people * (1 + 0.05 * noise[:, 7]),
    }  # fmt: skip
    columns["b2"] = np.where(np.arange(n) < 25, np.nan, columns["b2"])
    codes = {**dict.fromkeys(("a1", "a2", "twin", "down"), "A"), **dict.fromkeys(("b1", "b2", "stray", "big"), "B")}
    framework = Framework([Node("top"), Node("A", "top"), Node("B", "top"), *(Node(c, p) for c, p in codes.items()), Node("people", series=True)])
    data = {"unit": [f"u{i:02}" for i in range(n)], **{c: [None if x != x else x for x in v.tolist()] for c, v in columns.items()}, "people": people.tolist()}
    return biaochi.run(framework, Panel.of(data, period="2024"), Recipe())


def found(a: biaochi.Audit) -> set[tuple[str, ...]]:
    return {(f.kind, *f.codes) for f in a.flags}


def test_planted_faults_are_found(built):
    a = biaochi.audit(built)
    assert found(a) >= {
        ("high", "a2", "twin"), ("against-parent", "down", "A"), ("elsewhere", "stray", "B", "A"), ("skew", "big"), ("available", "b2"),
        ("denominator", "big", "people"), ("inflation", "twin"), ("negative", "a1", "down"), ("alpha", "B"), ("dimensions", "B"),
    }  # fmt: skip
    assert ("high", "a1", "a2") not in found(a)
    assert ("skew", "a1") not in found(a)


def test_figures_of_flags_are_those_of_the_tables(built):
    a = biaochi.audit(built)
    for f in a.flags:
        assert f.threshold in SOURCES
        number = (
            f"{f.figure:.0%}"
            if f.kind in ("available", "first-component", "balance", "nonzero", "unique")
            else f"{f.figure:.3g}"
            if f.kind == "inflation"
            else f"{f.figure:.2f}"
        )
        assert number in f.text.en or f.kind in ("dimensions",), f
        assert number in f.text.zh or f.kind in ("dimensions",), f
    placed = {row["code"]: row for row in a.placement}
    at = {n.code: i for i, n in enumerate(built.nodes)}
    x = built.scores[0]
    for code, row in placed.items():
        both = ~np.isnan(x[:, at[code]]) & ~np.isnan(x[:, at[row["parent"]]])
        assert row["with_parent"] == pytest.approx(np.corrcoef(x[both, at[code]], x[both, at[row["parent"]]])[0, 1])
        assert row["n"] == both.sum()


def test_a_threshold_moves_its_flags_and_no_others(built):
    usual, strict = biaochi.audit(built), biaochi.audit(built, thresholds=Thresholds(high=0.5))
    assert {f for f in found(strict) if f[0] == "high"} > {f for f in found(usual) if f[0] == "high"}
    assert {f for f in found(strict) if f[0] != "high"} == {f for f in found(usual) if f[0] != "high"}


def test_every_threshold_has_a_name_and_a_source_and_every_flag_a_section(built):
    names = {f.name for f in dataclasses.fields(Thresholds)}
    assert names == SOURCES.keys() == NAMES.keys()
    kinds = {k for _, kinds in SECTIONS.values() for k in kinds}
    for result in (built, biaochi.evaluate("desi-2022"), biaochi.evaluate("asem")):
        assert {f.kind for f in biaochi.audit(result).flags} <= kinds


def test_few_units_and_one_indicator_are_no_error():
    framework = Framework([Node("top"), Node("x", "top")])
    result = biaochi.run(framework, Panel.of({"unit": ["a", "b", "c"], "x": [1.0, 2, 4]}, period="2024"), Recipe())
    a = biaochi.audit(result)
    assert a.dimensions == []
    assert a.influence == []
    json.dumps(a.to_dict(), allow_nan=False)


def test_with_all_units_screened_or_missing_figures_are_none(built):
    few = biaochi.run(built.framework, Panel.of({"unit": ["a", "b"], "a1": [1.0, 2], "a2": [2.0, 1], "twin": [1.0, 1], "down": [0.0, 1], "b1": [1.0, 3], "b2": [2.0, 1], "stray": [1.0, 2], "big": [2.0, 2], "people": [1.0, 2]}, period="2024"), Recipe(constant=0.5))  # fmt: skip
    json.dumps(biaochi.audit(few).to_dict(), allow_nan=False)


@pytest.mark.extras
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_page_and_command(tmp_path, lang):
    done = command("audit", "desi-2022", "--lang", lang, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "results" / "desi-2022" / "desi-2022-audit.html").read_text(encoding="utf-8")
    a = biaochi.audit(biaochi.evaluate("desi-2022"))
    for f in a.flags:
        said = f.text.to(lang)
        assert said in done.stdout
        assert said.replace("'", "&#39;") in page
    for source in SOURCES.values():
        assert source.to(lang).replace(">", "&gt;").replace("'", "&#39;") in page
    assert "nan" not in page.split("<script")[0].lower().replace("finance", "").replace("governance", "")
    assert "://" not in page.split("<script")[0].replace("http://www.w3.org", "")


@pytest.mark.extras
def test_everything_in_one_workbook_is_a_project_again(tmp_path):
    import openpyxl

    done = command("run", "asem", "--everything", "--out", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"asem.xlsx", "asem.html", "asem-audit.html", "asem-everything.xlsx"}
    book = openpyxl.load_workbook(tmp_path / "out" / "asem-everything.xlsx", read_only=True)
    assert {"About", "Framework", "Units", "Data", "Recipe", "Derived", "Treated", "Normalised", "Scores", "Ranks", "Contributions", "Weights", "Filled cells", "Treated cells",
            "Treatment", "Availability", "Statistics", "Placement", "Dimensions", "Correlations", "Flags", "Thresholds", "Notices"} <= set(book.sheetnames)  # fmt: skip
    project = biaochi.load("asem")
    again = biaochi.load(tmp_path / "out" / "asem-everything.xlsx")
    assert again.notice == project.notice
    a, b = biaochi.evaluate(project), biaochi.evaluate(again)
    assert a.fingerprints == b.fingerprints
    np.testing.assert_array_equal(a.scores, b.scores)
    rows = list(book["Scores"].iter_rows(values_only=True))
    at = rows[0].index("Index")
    assert [r[at] for r in rows[1:]] == [float(v) for v in a.scores[0, :, 0]]
