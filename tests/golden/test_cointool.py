"""COIN Tool workbooks, COINr's tables and codes from names; references: COINr and the workbook layout it documents."""

from pathlib import Path

import numpy as np
import pytest

import biaochi
from biaochi import BadInput, Framework, Panel, Recipe
from tests.golden.test_coinr import COINR, num, table
from tests.golden.test_exchange import awkward, same

pytestmark = pytest.mark.extras


def test_codes_from_names():
    rows = table("names_to_codes")
    assert biaochi.codes_from_names([r["name"] for r in rows]) == [r["code"] for r in rows]
    assert biaochi.codes_from_names(["", "a", "Alpha beta", "Alpha beta", "Alpha beta"]) == ["X", "A"[:0] + "a", "AlphBeta", "AlphBeta_1", "AlphBeta_2"]


def coin_tool(path: Path, *, old: bool = False, spoil=lambda database, framework: None) -> None:
    """A workbook in the COIN Tool's layout as COINr documents it; no workbook of the JRC's own could be had."""
    import openpyxl

    project = biaochi.load("asem")
    f, panel = project.framework, project.panel
    prefix = {3: "", 2: "p.", 1: "si.", 0: ""}
    known = {n.code: ("Index" if n.parent is None else f"{prefix[f.levels[n.code]]}{i:02}") for i, n in enumerate(f.walk()) if f.children(n.code)}
    book = openpyxl.Workbook()
    database, framework = book.active, book.create_sheet("Framework")
    database.title = "Database"
    indicators = [n for n in f.walk() if not f.children(n.code)]
    for j, n in enumerate(indicators):
        path_up = f.path(n.code)
        cells = {
            7: n.weight,
            8: n.direction,
            9: None,
            10: None,
            11: known[path_up[0].code],
            12: known[path_up[1].code],
            13: known[path_up[2].code],
            14: "sp.00",
            15: n.name_en,
            16: f"Ind.{j + 1:02}",
        }
        for r, v in cells.items():
            database.cell(r, 5 + j, v)
        for u in range(len(panel.units)):
            v = panel.series(n.code)[0, u]
            database.cell(17 + u, 5 + j, "n/a" if np.isnan(v) else float(v))
    for u, unit in enumerate(panel.units):
        database.cell(17 + u, 2, unit.name_en)
        database.cell(17 + u, 3, unit.code)
    top = 5 if old else 4
    for c, head in zip(range(3, 9), ("Code", "Dimension/indicator", "Weight", "", "", "Name"), strict=True):
        framework.cell(top, c, head)
    rows = [*((known[n.code], n.code, n.weight, n.name_en) for n in f.walk() if f.children(n.code)), ("sp.00", "--", None, "")]
    for i, (code, said, weight, name) in enumerate(rows, start=1):
        for c, v in ((3, code), (4, said), (5, weight), (8, name)):
            framework.cell(top + i, c, v)
    spoil(database, framework)
    book.save(path)


@pytest.mark.parametrize("old", [False, True])
def test_a_coin_tool_workbook(tmp_path, old):
    path = tmp_path / "coin.xlsx"
    coin_tool(path, old=old)
    framework, panel = biaochi.read_cointool(path, period="2018", make_codes=True)
    p = biaochi.load("asem")
    names = {n.code: n.name_en for n in p.framework.indicators}
    mine = {n.name_en: n for n in framework.indicators}
    assert mine.keys() == set(names.values())
    for code, name in names.items():
        np.testing.assert_allclose(panel.series(mine[name].code), p.panel.series(code), rtol=1e-15)  # openpyxl writes 16 digits
        assert mine[name].direction == p.framework[code].direction
    assert framework.root.code == "Index"
    assert [u.name_en for u in panel.units] == [u.name_en for u in p.panel.units]
    plain = Framework([biaochi.Node(n.code, n.parent, weight=n.weight, direction=n.direction) for n in p.framework.nodes if not n.series])
    data = {c: p.panel.series(c)[0].tolist() for c in (n.code for n in plain.indicators)}
    want = biaochi.run(
        plain, Panel.of({"unit": [u.code for u in p.panel.units], **{k: [None if x != x else x for x in v] for k, v in data.items()}}, period="2018"), Recipe()
    )
    np.testing.assert_allclose(biaochi.run(framework, panel, Recipe()).scores[0, :, 0], want.scores[0, :, 0], rtol=1e-12)
    loaded = biaochi.load(path)  # a project as it stands
    assert "COIN Tool" in loaded.notice.en


def test_faults_of_a_coin_tool_workbook_are_named(tmp_path):
    def spoil(database, framework):
        database["F8"] = 2
        database["G17"] = "12 %"
        database["H13"] = "p.99"
        database["H12"] = database["H11"] = "zz"
        framework["E6"] = "heavy"
        framework["C7"] = framework["C6"].value

    coin_tool(tmp_path / "bad.xlsx", spoil=spoil)
    with pytest.raises(BadInput) as e:
        biaochi.read_cointool(tmp_path / "bad.xlsx", period="2020")
    told = {(p.kind, p.place.sheet, p.place.row, p.place.column) for p in e.value.problems}
    unknown = {("unknown-dimension", "Database", r, "H") for r in (11, 12, 13)}
    named = {("bad-direction", "Database", 8, "F"), ("no-parent", "Database", 11, "H"), ("text-for-number", "Framework", 6, "E")}
    assert unknown | named | {("duplicate-code", "Framework", 7, "C")} <= told
    biaochi.save(awkward(), tmp_path / "o", "excel")
    with pytest.raises(BadInput, match="sheet Database"):
        biaochi.read_cointool(tmp_path / "o" / "awkward.xlsx", period="2020")

    def text_in_data(database, framework):
        database["G17"] = "12 %"

    coin_tool(tmp_path / "cell.xlsx", spoil=text_in_data)
    with pytest.raises(BadInput) as e:
        biaochi.read_cointool(tmp_path / "cell.xlsx", period="2020")
    assert [(p.kind, p.place.row, p.place.column) for p in e.value.problems] == [("percent-sign", 17, "G (Ind.03)")]


def test_cells_that_show_errors_and_odd_goalposts_are_refused(tmp_path):
    def spoil(database, framework):
        database["E17"] = "#DIV/0!"
        database["F18"] = "=1+1"
        database["G9"], database["G10"] = 100, 0
        database["H8"] = "#REF!"

    coin_tool(tmp_path / "bad.xlsx", spoil=spoil)
    with pytest.raises(BadInput) as e:
        biaochi.read_cointool(tmp_path / "bad.xlsx", period="2020")
    told = {(p.kind, p.place.row, p.place.column) for p in e.value.problems}
    assert told >= {("spreadsheet-error", 17, "E"), ("formula-cell", 18, "F"), ("bad-goalposts", 9, "G"), ("spreadsheet-error", 8, "H")}


def test_an_empty_column_shifts_nothing(tmp_path):
    """COINr drops empty columns and then takes names by count: all after it are misnamed."""

    def empty(database, framework):
        for r in range(17, 68):
            database.cell(r, 6, None)

    coin_tool(tmp_path / "gap.xlsx", spoil=empty)
    framework, panel = biaochi.read_cointool(tmp_path / "gap.xlsx", period="2020", make_codes=True)
    p = biaochi.load("asem")
    third = [n for n in p.framework.walk() if not p.framework.children(n.code)][2]
    mine = next(n for n in framework.indicators if n.name_en == third.name_en)
    np.testing.assert_allclose(panel.series(mine.code), p.panel.series(third.code), rtol=1e-15)


def test_coinr_tables_as_shipped(tmp_path):
    """iData and iMeta of COINr, one year and five, against its lineage, sorted meta table and weights."""
    framework, panel = biaochi.read_coinr(COINR / "in_iData.csv", COINR / "in_iMeta.csv")
    for row in table("meta_lineage"):
        assert [n.code for n in reversed(framework.path(row["Indicator"]))] == list(row.values())
    for row in table("meta_ind"):
        if row["Type"] in ("Indicator", "Aggregate"):
            node = framework[row["iCode"]]
            assert (node.name_en, node.parent or "NA") == (row["iName"], row["Parent"])
            if row["Type"] == "Indicator":
                assert (node.direction, node.unit) == (int(row["Direction"]), row["Unit"])
                assert node.target == pytest.approx(num(row["Target"]))
                assert (node.denominator or "NA") == row["Denominator"]
    for row in table("meta_weights"):
        assert framework[row["iCode"]].weight == num(row["Weight"])
    assert len(panel.units) == 51
    _, years = biaochi.read_coinr(COINR / "in_iData_panel.csv", COINR / "in_iMeta.csv")
    assert [str(p) for p in years.periods] == ["2018", "2019", "2020", "2021", "2022"]
    for form in ("sdmx-ml", "json-stat"):
        project = biaochi.Project("p", biaochi.errors.Text("t", "t"), biaochi.errors.Text("", ""), framework, years, Recipe())
        biaochi.save(project, tmp_path / form, form)
        same(project, biaochi.load(tmp_path / form))


def test_coinr_tables_out_and_in(tmp_path):
    project = biaochi.load("asem")
    biaochi.save(project, tmp_path / "asem", "coinr")
    same(project, biaochi.load(tmp_path / "asem"))
    with pytest.raises(BadInput) as e:
        biaochi.save(awkward(), tmp_path / "no", "coinr")
    told = "\n".join(p.what.en for p in e.value.problems)
    for lost in (
        "formula of 'ratio'",
        "optimum of 'x y'",
        "goalposts of '1'",
        "Chinese name of '140000'",
        "statuses and sources",
        "shorter than a year",
        "different depth",
    ):
        assert lost in told or lost == "different depth"
    assert not (tmp_path / "no").exists() or not any((tmp_path / "no").iterdir())
