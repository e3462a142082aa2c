"""Bad input: every case gives a clear, complete, located message, in both languages, and writes nothing."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import biaochi
from biaochi import BadInput, Choice, Framework, Node, Panel, Recipe, Unit
from biaochi.cli import _exit_code


def data(folder: Path, old: str, new: str) -> None:
    edit(folder / "data.csv", old, new)


def tree(folder: Path, old: str, new: str) -> None:
    edit(folder / "framework.csv", old, new)


def toml(folder: Path, old: str, new: str) -> None:
    edit(folder / "biaochi.toml", old, new)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def as_bytes(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def with_map(folder: Path, features: object) -> None:
    (folder / "b.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features} if isinstance(features, list) else features))
    toml(folder, "[recipe]  ", '[map]\nfile = "b.geojson"\nkey = "code"\n[recipe]  ')


def square(code: str) -> dict[str, object]:
    return {"type": "Feature", "properties": {"code": code}, "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}}


A22 = "A,2022,71.2,5200,4100000,6.1,21.4"

# name: (what is spoilt, kind of the problem, file, row, column)
FOLDER: dict[str, tuple[Callable[[Path], object], str, str | None, int | None, str | None]] = {
    "duplicate cell": (lambda f: data(f, A22, f"{A22}\n{A22}"), "duplicate-cell", "data.csv", 3, "broadband"),
    "unknown unit": (lambda f: data(f, "B,2022", "Bx,2022"), "unknown-unit", "data.csv", 3, "broadband"),
    "unknown indicator": (lambda f: data(f, "outage", "outages"), "unknown-indicator", "data.csv", 2, "outages"),
    "text in a number": (lambda f: data(f, "71.2", "about 71"), "text-for-number", "data.csv", 2, "broadband"),
    "full-width digits": (lambda f: data(f, "71.2", "７１．２"), "full-width-digits", "data.csv", 2, "broadband"),
    "percent sign": (lambda f: data(f, "71.2", "71.2%"), "percent-sign", "data.csv", 2, "broadband"),
    "thousands separators": (lambda f: data(f, "4100000", '"4,100,000"'), "thousands-separator", "data.csv", 2, "population"),
    "spaces in a number": (lambda f: data(f, "4100000", "4 100 000"), "thousands-separator", "data.csv", 2, "population"),
    "decimal comma": (lambda f: data(f, "71.2", '"71,2"'), "decimal-comma", "data.csv", 2, "broadband"),
    "typographic minus": (lambda f: data(f, "71.2", "−71.2"), "minus-sign", "data.csv", 2, "broadband"),
    "Inf": (lambda f: data(f, "71.2", "inf"), "not-finite", "data.csv", 2, "broadband"),
    "overflowing number": (lambda f: data(f, "71.2", "1e999"), "not-finite", "data.csv", 2, "broadband"),
    "number too large to compute with": (lambda f: data(f, "71.2", "1e60"), "too-large", "data.csv", 2, "broadband"),
    "spreadsheet error": (lambda f: data(f, "71.2", "#DIV/0!"), "spreadsheet-error", "data.csv", 2, "broadband"),
    "underscores": (lambda f: data(f, "71.2", "7_1"), "text-for-number", "data.csv", 2, "broadband"),
    "bad period": (lambda f: data(f, "A,2022", "A,2022年"), "bad-period", "data.csv", 2, "period"),
    "month 13": (lambda f: data(f, "A,2022", "A,2022-13"), "bad-period", "data.csv", 2, "period"),
    "no unit code": (lambda f: data(f, "A,2022", ",2022"), "no-unit-code", "data.csv", 2, "unit"),
    "no period column": (lambda f: data(f, "unit,period", "unit,when"), "missing-column", "data.csv", None, None),
    "no unit column": (lambda f: data(f, "unit,period", "who,period"), "missing-column", "data.csv", None, None),
    "all-missing column": (lambda f: shutil.copyfile(f / "framework.csv", f / "framework.csv.bak") and tree(f, "outage,infra", "silent,infra"), "no-data", "framework.csv", 7, "code"),
    "constant column": (
        lambda f: [data(f, a, b) for a, b in (("71.2", "60"), ("64.8", "60"), ("58.3", "60"), ("77.0", "60"))] and toml(f, "# [recipe.node", "[recipe.node.broadband]\nnormalise = 'minmax'\n# ["),
        "constant", "framework.csv", 5, "code",
    ),
    "row too long": (lambda f: data(f, A22, A22 + ",9,9"), "row-too-long", "data.csv", 2, None),
    "row too short": (lambda f: data(f, A22, "A,2022,71.2"), "row-too-short", "data.csv", 2, None),
    "duplicate header": (lambda f: data(f, "outage,online_sales", "outage,outage"), "duplicate-header", "data.csv", None, "7"),
    "column without header": (lambda f: data(f, "outage,", ","), "no-header", "data.csv", None, "6"),
    "unmatched quote": (lambda f: data(f, "71.2", '"71.2'), "bad-csv", "data.csv", 2, None),
    "empty file": (lambda f: as_bytes(f / "data.csv", b""), "empty-file", "data.csv", None, None),
    "only a BOM": (lambda f: as_bytes(f / "data.csv", b"\xef\xbb\xbf"), "empty-file", "data.csv", None, None),
    "only a header": (lambda f: as_bytes(f / "data.csv", b"unit,period,a\n"), "no-rows", "data.csv", None, None),
    "binary file": (lambda f: as_bytes(f / "data.csv", b"unit,period\nA\0,2022\n"), "binary-file", "data.csv", 2, None),
    "Latin-1 file": (lambda f: as_bytes(f / "units.csv", "code,name_en\nA,Österreich\nB,Málaga\n".encode("latin-1")), "unknown-encoding", "units.csv", 2, None),
    "bytes of no encoding": (lambda f: as_bytes(f / "units.csv", b"code,name_en\nA,\xff\xff\n"), "unknown-encoding", "units.csv", 2, None),
    "10 MB cell": (lambda f: data(f, "71.2", "7" * 10_000_000), "cell-too-long", "data.csv", 2, "broadband"),
    "missing file": (lambda f: (f / "data.csv").unlink(), "no-file", "data.csv", None, None),
    "cycle": (lambda f: tree(f, "infrastructure,index", "infrastructure,broadband"), "cycle", "framework.csv", 3, "code"),
    "two roots": (lambda f: tree(f, "use,index", "use,"), "two-roots", "framework.csv", 4, "code"),
    "no root": (lambda f: tree(f, "index,,", "index,use,"), "no-root", "framework.csv", None, None),
    "unknown parent": (lambda f: tree(f, "use,index", "use,indx"), "unknown-parent", "framework.csv", 4, "code"),
    "duplicate code": (lambda f: tree(f, "stations,infra", "broadband,infra"), "duplicate-code", "framework.csv", 6, "code"),
    "negative weight": (lambda f: tree(f, "Infrastructure,2", "Infrastructure,-2"), "bad-weight", "framework.csv", 3, "code"),
    "all-zero weights": (lambda f: [tree(f, "Infrastructure,2", "Infrastructure,0"), tree(f, "Use,1", "Use,0")], "all-zero-weights", "framework.csv", 2, "code"),
    "bad direction": (lambda f: tree(f, "hours a year,-1", "hours a year,down-ish"), "bad-direction", "framework.csv", 7, "direction"),
    "goalposts upside down": (lambda f: tree(f, "%,1,0,100", "%,1,100,0"), "bad-goalposts", "framework.csv", 5, "code"),
    "one goalpost": (lambda f: tree(f, "%,1,0,100", "%,1,0,"), "half-goalposts", "framework.csv", 5, "goalpost_high"),
    "weight is text": (lambda f: tree(f, "Infrastructure,2", "Infrastructure,two"), "text-for-number", "framework.csv", 3, "weight"),
    "formula reads an unknown series": (lambda f: tree(f, "base_stations / population", "base_stations / inhabitants"), "unknown-series", "framework.csv", 6, "code"),
    "formula is code": (lambda f: tree(f, "base_stations / population * 10000", "__import__('os').getcwd()"), "bad-formula", "framework.csv", 6, "code"),
    "unknown framework column": (lambda f: tree(f, "weight,", "wieght,"), "unknown-column", "framework.csv", None, "wieght"),
    "unknown kind": (lambda f: tree(f, ",,number,,,,,series", ",,number,,,,,serie"), "unknown-kind", "framework.csv", 9, "kind"),
    "duplicate unit": (lambda f: edit(f / "units.csv", "B,乙市", "A,乙市"), "duplicate-unit", "units.csv", 3, "code"),
    "unknown parent unit": (lambda f: [edit(f / "units.csv", "ranked,region", "ranked,parent"), edit(f / "units.csv", "yes,north", "yes,Q")], "unknown-unit-parent", "units.csv", 2, "code"),
    "nobody is ranked": (lambda f: (f / "units.csv").write_text((f / "units.csv").read_text().replace(",yes,", ",no,")), "no-ranked-unit", None, None, None),
    "unknown method": (lambda f: toml(f, 'impute = "none"', 'impute = "mediann"'), "unknown-method", "biaochi.toml", None, None),
    "unknown option": (lambda f: toml(f, 'treat = "none"', 'treat = {method = "winsorise", max_point = 3}'), "unknown-option", "biaochi.toml", None, None),
    "option of the wrong type": (lambda f: toml(f, 'treat = "none"', 'treat = {method = "winsorise", max_points = "many"}'), "bad-option", "biaochi.toml", None, None),
    "option that is missing": (lambda f: toml(f, 'normalise = "minmax"', 'normalise = "goalposts"'), "missing-option", "framework.csv", 6, "code"),
    "unknown recipe setting": (lambda f: toml(f, "min_share", "min_shares"), "unknown-setting", "biaochi.toml", None, None),
    "setting of the wrong type": (lambda f: toml(f, "min_share = 0.65", 'min_share = "most"'), "bad-setting", "biaochi.toml", None, None),
    "share above one": (lambda f: toml(f, "min_share = 0.65", "min_share = 65"), "bad-setting", "biaochi.toml", None, None),
    "unknown base period": (lambda f: toml(f, 'scale = "period"', 'scale = "base"\nbase = "2019"'), "unknown-period", "biaochi.toml", None, None),
    "unknown grouping": (lambda f: toml(f, 'impute = "none"', 'impute = {method = "group_mean", group = "regions"}'), "unknown-grouping", "biaochi.toml", None, None),
    "override of nothing": (lambda f: toml(f, "# [recipe.node", "[recipe.node.broadbant]\ntreat = 'none'\n# ["), "unknown-node", "biaochi.toml", None, None),
    "override at an empty level": (lambda f: toml(f, "# [recipe.node", "[recipe.level.7]\naggregate = 'geometric'\n# ["), "idle-override", "biaochi.toml", None, None),
    "step that does not apply": (lambda f: toml(f, "# [recipe.node", "[recipe.node.use]\ntreat = 'none'\n# ["), "idle-override", "biaochi.toml", None, None),
    "not TOML": (lambda f: toml(f, "[recipe]", "[recipe"), "bad-toml", "biaochi.toml", None, None),
    "zero under a geometric mean": (lambda f: toml(f, 'aggregate = "arithmetic"', 'aggregate = "geometric"'), "nonpositive", None, None, None),
    "unit missing from boundaries": (lambda f: with_map(f, [square(c) for c in "ABC"]), "no-boundary", "b.geojson", None, "code"),
    "feature without code": (lambda f: with_map(f, [{**square("A"), "properties": {}}]), "bad-geojson", "b.geojson", None, None),
    "not GeoJSON": (lambda f: with_map(f, {"type": "Topology"}), "bad-geojson", "b.geojson", None, None),
    "unknown status": (
        lambda f: as_bytes(f / "data.csv", b"unit,period,indicator,value,status\nA,2022,broadband,1,X\n"), "unknown-status", "data.csv", 2, "status",
    ),
    "outside the valid range": (lambda f: [tree(f, ",goalpost_low", ",valid_high"), tree(f, "%,1,0,100,,,goalposts", "%,1,70,,,,"), tree(f, ",goalpost_high", ",target")], "out-of-range", "data.csv", 2, "broadband"),
    "control character": (lambda f: edit(f / "units.csv", "City A", "City\x01A"), "control-character", "units.csv", 2, "name_en"),
    "ambiguous encoding": (lambda f: as_bytes(f / "units.csv", "code,name_zh\nA,太原\nB,太原\n".encode("gb2312")), "unknown-encoding", "units.csv", None, None),
    "mapped header that is not there": (lambda f: toml(f, "# [columns] ", '[columns]\nstatus = "flag"\n# '), "missing-column", "data.csv", None, None),
    "ignored column that is not there": (lambda f: toml(f, "# ignore = [\"remarks\"]", 'ignore = ["remarks"]'), "unknown-ignore", "data.csv", None, None),
    "ignore that is no list": (lambda f: toml(f, "# ignore = [\"remarks\"]", 'ignore = "remarks"'), "bad-setting", "biaochi.toml", None, None),
    "period given twice": (lambda f: toml(f, '# period = "2023"', 'period = "2023"'), "two-periods", "data.csv", None, "period"),
    "second value column": (lambda f: as_bytes(f / "data.csv", b"unit,period,indicator,value,value2\nA,2022,broadband,1,2\n"), "unknown-column", "data.csv", None, "value2"),
    "value of a missing": (lambda f: as_bytes(f / "data.csv", b"unit,period,indicator,value,status\nA,2022,broadband,1,M\n"), "value-of-a-missing", "data.csv", 2, "status"),
    "ranked that is neither yes nor no": (lambda f: edit(f / "units.csv", "no,", "×,"), "bad-ranked", "units.csv", 6, "ranked"),
    "blank weight beside stated ones": (lambda f: tree(f, "Use,1", "Use,"), "no-weight", "framework.csv", 4, "code"),
    "goalposts on a parent": (lambda f: tree(f, "Use,1,,,,", "Use,1,,,0,9"), "idle-entry", "framework.csv", 4, "code"),
    "formula that reads a parent": (lambda f: tree(f, "base_stations / population", "base_stations / use"), "formula-reads-parent", "framework.csv", 6, "code"),
    "formula that is never a value": (lambda f: tree(f, "base_stations / population", "ln(0 - base_stations) / population"), "no-data", "framework.csv", 6, "code"),
    "kind that the tree contradicts": (lambda f: tree(f, "%,1,0,100,,", "%,1,0,100,,aggregate"), "kind-contradicted", "framework.csv", 5, "code"),
    "nobody left to score": (lambda f: toml(f, "min_share = 0.65", 'min_share = 0.65\ndrop = ["A", "B", "C", "D"]'), "nothing-to-score", "biaochi.toml", None, None),
    "goalposts under a logarithm": (lambda f: toml(f, "# [recipe.node", "[recipe.node.broadband]\nnormalise = 'goalposts'\ntreat = 'log_ct'\n# ["), "posts-in-another-unit", "framework.csv", 5, "code"),
    "pooled scale under a logarithm": (lambda f: [toml(f, 'treat = "none"', 'treat = "winsorise_then_log"'), toml(f, 'scale = "period"', 'scale = "pooled"')], "periods-in-other-units", "biaochi.toml", None, None),
    "name of a tie rule with a quote": (lambda f: toml(f, 'normalise = "minmax"', "normalise = { method = \"rank\", ties = \"min', 'max\" }"), "bad-option", "biaochi.toml", None, None),
    "huge integer": (lambda f: toml(f, "range = [0, 100]", "range = [0, 1" + "0" * 400 + "]"), "bad-setting", "biaochi.toml", None, None),
    "level written twice": (lambda f: toml(f, "# [recipe.node", "[recipe.level.00]\naggregate = 'geometric'\n# ["), "bad-setting", "biaochi.toml", None, None),
    "deep TOML": (lambda f: toml(f, "range = [0, 100]", "range = " + "[" * 5000), "bad-toml", "biaochi.toml", None, None),
    "number for a header": (lambda f: toml(f, "# [columns] ", "[columns]\nunit = 3\n# "), "bad-setting", "biaochi.toml", None, None),
    "no data files": (lambda f: toml(f, 'data = "data.csv"', "data = []"), "bad-setting", "biaochi.toml", None, None),
    "published column that is not there": (lambda f: toml(f, "[recipe] ", '[published]\nfile = "data.csv"\nvalue = "score"\n[recipe] '), "missing-column", "data.csv", None, None),
    "published period that is not there": (
        lambda f: [as_bytes(f / "pub.csv", b"unit,period,value\nA,1999,3\n"), toml(f, "[recipe] ", '[published]\nfile = "pub.csv"\n[recipe] ')], "unknown-period", "pub.csv", None, None,
    ),
    "feature that is no object": (lambda f: with_map(f, [1]), "bad-geojson", "b.geojson", None, None),
    "polygon without points": (lambda f: with_map(f, [{**square("A"), "geometry": {"type": "Polygon", "coordinates": [[]]}}]), "bad-geojson", "b.geojson", None, "feature 1"),
    "coordinates that are not finite": (lambda f: with_map(f, [{**square("A"), "geometry": {"type": "Polygon", "coordinates": [[[0, float("nan")], [1, 0], [1, 1]]]}}]), "bad-geojson", "b.geojson", None, "feature 1"),
    "weight too large": (lambda f: tree(f, "Infrastructure,2", "Infrastructure,1e308"), "bad-weight", "framework.csv", 3, "code"),
}  # fmt: skip


@pytest.mark.parametrize("name", FOLDER)
def test_folder(folder, name, capsys, monkeypatch):
    spoil, kind, file, row, column = FOLDER[name]
    spoil(folder)
    with pytest.raises(BadInput) as e:
        biaochi.evaluate(folder)
    hits = [p for p in e.value.problems if p.kind == kind]
    assert hits, [p.kind for p in e.value.problems]
    assert any((p.place.file, p.place.row, p.place.column) == (file, row, column) for p in hits), [p.place for p in hits]
    for p in hits:
        assert len(p.say("en")) < 1000
        assert p.what.en
        assert p.what.zh
        assert p.fix.en or "Choose from" in p.what.en
    # and on the command line: exit 1, everything said, nothing written
    out = folder / "out"
    monkeypatch.setattr("sys.argv", ["biaochi", "run", str(folder), "--out", str(out)])
    assert _exit_code("en") == 1
    said = capsys.readouterr().err
    assert hits[0].what.en in said
    assert not out.exists()


def test_json_tells_problems_too(folder, capsys, monkeypatch):
    data(folder, "71.2", "71.2%")
    monkeypatch.setattr("sys.argv", ["biaochi", "run", str(folder), "--json"])
    assert _exit_code("en") == 1
    told = json.loads(capsys.readouterr().out)
    assert [(p["kind"], p["row"]) for p in told["problems"]] == [("percent-sign", 2)]


def test_problems_of_the_recipe_come_with_those_of_the_data(folder):
    data(folder, "71.2", "71.2%")
    toml(folder, 'impute = "none"', 'impute = "mediann"')
    with pytest.raises(BadInput) as e:
        biaochi.load(folder)
    assert {p.kind for p in e.value.problems} == {"percent-sign", "unknown-method"}
    toml(folder, "min_share = 0.65", 'min_shares = 0.65\nbase = "2022"\nties = "first"\nkeep = ["Q"]')
    with pytest.raises(BadInput) as e:
        biaochi.load(folder)
    mine = ["bad-setting", "bad-setting", "unknown-method", "unknown-setting"]
    assert sorted(p.kind for p in e.value.problems) == sorted([*mine, "percent-sign"])
    data(folder, "71.2%", "71.2")  # with sound data, units the recipe names are looked up too
    with pytest.raises(BadInput) as e:
        biaochi.load(folder)
    assert sorted(p.kind for p in e.value.problems) == sorted([*mine, "unknown-unit"])


def test_nothing_is_replaced_when_something_is_in_the_way(folder, capsys, monkeypatch):
    out = folder / "out"
    (out / "p.html").mkdir(parents=True)
    (out / "p.xlsx").write_text("old")
    monkeypatch.setattr("sys.argv", ["biaochi", "run", str(folder), "--out", str(out)])
    assert _exit_code("zh") == 1
    assert "同名文件夹" in capsys.readouterr().err
    assert (out / "p.xlsx").read_text() == "old"


def test_all_problems_at_once(folder):
    """Problems of every file are listed together."""
    data(folder, "71.2", "71.2%")
    data(folder, "58.3", "none")
    tree(folder, "hours a year,-1", "hours a year,sideways")
    toml(folder, "min_share", "min_shares")
    edit(folder / "units.csv", "B,乙市", "A,乙市")
    with pytest.raises(BadInput) as e:
        biaochi.load(folder)
    kinds = {p.kind for p in e.value.problems}
    assert kinds >= {"percent-sign", "text-for-number", "bad-direction", "unknown-setting", "duplicate-unit"}


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8-sig", "utf-16"])
def test_other_encodings_are_read(folder, encoding):
    want = biaochi.load(folder)
    for name in ("framework.csv", "units.csv", "data.csv", "biaochi.toml"):
        text = (folder / name).read_text(encoding="utf-8")
        (folder / name).write_bytes(text.encode(encoding))
    got = biaochi.load(folder)
    assert got.framework.fingerprint == want.framework.fingerprint
    assert got.panel.units == want.panel.units
    assert got.title.zh == "我的指数"


@pytest.mark.parametrize(("ending", "separator"), [("\r\n", ","), ("\n", ";"), ("\r\n", "\t")])
def test_line_endings_and_separators(folder, ending, separator):
    want = biaochi.load(folder).panel.fingerprint
    text = (folder / "data.csv").read_text().replace(",", separator)
    (folder / "data.csv").write_bytes(text.replace("\n", ending).encode())
    assert biaochi.load(folder).panel.fingerprint == want


def test_unknown_project_names_the_nearest(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["biaochi", "run", "desi-2020"])
    assert _exit_code("en") == 1
    assert "Did you mean 'desi-2022'" in capsys.readouterr().err


def test_frames_have_places_too():
    with pytest.raises(BadInput) as e:
        Panel.of({"unit": ["a", "b"], "period": ["2023", "2023"], "x": [1.0, "12%"]})
    assert [(p.place.row, p.place.column) for p in e.value.problems] == [(1, "x")]
    for bad, kind in ((42, "not-a-table"), ({"unit": 3}, "not-a-table"), ({"unit": ["a"], "period": ["2023", "2024"]}, "uneven-columns")):
        with pytest.raises(BadInput) as e:
            Panel.of(bad)
        assert [p.kind for p in e.value.problems] == [kind]
    with pytest.raises(BadInput, match="'x' stands twice"):
        Panel.of({"unit": ["x"], "a": [1.0]}, units=[Unit("x"), Unit("x")], period="2023")
    wide = {"unit": ["x", "y"], "status": ["A", "P"], "a": [1.0, 2.0]}
    with pytest.raises(BadInput, match="Use the long form"):
        Panel.of(wide, period="2023")


@pytest.mark.extras
def test_lazy_and_ambiguous_frames_are_refused():
    import pandas as pd
    import polars as pl

    twice = pd.DataFrame([["x", 1.0, 2.0]], columns=["unit", "a", "a"])
    for frame in (pl.LazyFrame({"unit": ["x"], "a": [1.0]}), twice):
        with pytest.raises(BadInput) as e:
            Panel.of(frame, period="2023")
        assert [p.kind for p in e.value.problems] == ["not-a-table"]


def test_frameworks_in_python_are_checked():
    with pytest.raises(BadInput) as e:
        Framework([Node("I"), Node("a", "I", weight=-1), Node("a", "J", formula="b +"), Node("c", "c")])
    assert {p.kind for p in e.value.problems} == {"bad-weight", "duplicate-code", "unknown-parent", "bad-formula", "cycle", "all-zero-weights"} - {
        "all-zero-weights"
    }
    with pytest.raises(BadInput, match="needs 'g' itself"):
        Framework([Node("I"), Node("g", "I", formula="h * 2"), Node("h", series=True, formula="g + 1")])


def test_recipes_in_python_are_checked():
    with pytest.raises(BadInput) as e:
        Recipe.from_dict({"ties": "first", "range": [3, 1], "normalise": 7, "nonpositive": -1, "level": {"x": {}}, "decimals": 99})
    assert len(e.value.problems) >= 5
    framework, panel = Framework([Node("I"), Node("a", "I")]), Panel.of({"unit": ["x", "y"], "a": [1.0, 2.0]}, period="2023")
    for wrong in (
        {"ties": "foo"}, {"scale": "base"}, {"scale": "foo"}, {"constant": "foo"}, {"range": (100, 0)}, {"keep": "xyz"}, {"decimals": 1.5}, {"treat": 7},
        {"node": {"a": {"foo": Choice("none")}}}, {"level": {1: {"treat": 3}}}, {"min_share": "0.5"}, {"nonpositive": -1}, {"nonpositive": True},
    ):  # fmt: skip
        with pytest.raises(BadInput):
            biaochi.run(framework, panel, Recipe(**wrong))
    assert biaochi.run(framework, panel, Recipe(normalise="zscore", node={"a": {"treat": "winsorise"}})).scores.shape == (1, 2, 2)


def test_recipes_cannot_be_changed():
    recipe = Recipe(node={"a": {"treat": Choice("none")}})
    for change in (lambda: recipe.node.__setitem__("b", {}), lambda: recipe.node["a"].__setitem__("treat", Choice("winsorise"))):
        with pytest.raises((TypeError, AttributeError)):
            change()
    assert hash(recipe) == hash(Recipe(node={"a": {"treat": Choice("none")}}))


def test_nodes_in_python_are_checked():
    for wrong in (
        {"weight": "2"},
        {"aggregate": "geometric"},
        {"overrides": (("foo", Choice("none")),)},
        {"goalposts": ("a", 1)},
        {"direction": 0},
        {"direction": 2},
    ):
        with pytest.raises(BadInput):
            Framework([Node("I"), Node("a", "I", **wrong)])
    assert Framework([Node("I"), Node("a", "I", direction=-1.0)]).fingerprint == Framework([Node("I"), Node("a", "I", direction=-1)]).fingerprint


@pytest.mark.parametrize(
    "formula",
    [
        "__import__('os')",
        "a.b",
        "a[0]",
        "lambda: 1",
        "f'{a}'",
        "a if b else c",
        "growth_yoy(a, b)",
        "open('x')",
        "a ** ",
        "1 + 2",
        "(" * 500,
        "a" * 2000,
        "9" * 400 + " * a",
        "a; b",
        "a := 1",
    ],
)
def test_formulas_are_never_code(formula):
    from biaochi.formula import BadFormula, parse

    with pytest.raises(BadFormula):
        parse(formula)
