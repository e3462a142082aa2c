"""Reading: ordinary files of all sorts are read, others are refused in words; so are wrong shapes made in Python."""

from pathlib import Path

import numpy as np
import pytest

import biaochi
from biaochi import BadInput, Choice, Framework, Node, Panel, Recipe, Unit


def read(tmp_path: Path, content: bytes) -> Panel:
    (tmp_path / "d.csv").write_bytes(content)
    return biaochi.read_panel(tmp_path / "d.csv", period="2023")


@pytest.mark.parametrize(
    "content",
    [
        "unit,a\nRéunion,1\nMalmö,2\n", "unit,a\n°,1\n§ 3,2\n", "unit,a\nΕλλάδα,1\nΚύπρος,2\n", "unit,a\nодин,1\nСело,2\n", "unit,a\n東京都,1\n大阪府,2\n", "unit,a\n서울특별시,1\n부산,2\n", "unit,a\nŁódź,1\nβ,2\n",
        "\n\nunit;a\nx;1\ny;2\n", 'unit;"a, of, the, many";b\nx;1;3\ny;2;4\n', "sep=;\nunit;a\nx;1\ny;2\n", "unit,a\n\nx,1\n\n,\ny,2\n\n", 'unit,a\n"x","1"\n"y","2"\n', "unit,a,,\nx,1,,\ny,2,,\n", "unit,a\n001,1\n002,2\n",
    ],
)  # fmt: skip
def test_ordinary_files_are_read(tmp_path, content):
    for ending in ("\n", "\r\n", "\r"):
        panel = read(tmp_path, content.replace("\n", ending).encode())
        assert panel.values[0, :, 0].tolist() == [1, 2] or panel.values[0, :, 0].tolist() == [2, 1]
        assert read(tmp_path, content.replace("\n", ending).encode("utf-8-sig")).fingerprint == panel.fingerprint


def test_rows_are_counted_from_the_top_of_the_file(tmp_path):
    for content, row in ((b"sep=;\nunit;a\nx;1\ny;7%\n", 4), (b"\nunit,a\nx,1\n\ny,7%\n", 5), (b'unit,a\n"x\nz",1\ny,7%\n', 4)):
        with pytest.raises(BadInput) as e:
            read(tmp_path, content)
        assert [p.place.row for p in e.value.problems] == [row]


@pytest.mark.parametrize(
    ("encoding", "words"),
    [("cp949", "서울특별시 인터넷 보급률 부산광역시 정보통신"), ("euc-jp", "東京都 大阪府 普及率 通信 愛知県 北海道"), ("latin-1", "Österreich Málaga Åland")],
)
def test_other_encodings_are_not_taken_for_chinese(tmp_path, encoding, words):
    rows = "\n".join(f"{w},{i}" for i, w in enumerate(words.split()))
    with pytest.raises(BadInput) as e:
        read(tmp_path, f"unit,a\n{rows}\n".encode(encoding))
    assert [p.kind for p in e.value.problems] == ["unknown-encoding"]


def test_real_chinese_tables_are_read_as_gb18030(tmp_path):
    """Names of all units and nodes of the Chinese examples, in the encoding of Chinese spreadsheets."""
    for name in ("shanxi-cities", "china-counties"):
        project = biaochi.load(name)
        names = [u.name_zh.replace(",", " ") for u in project.panel.units[:400]] + [n.name_zh.replace(",", " ") for n in project.framework.nodes]
        content = "unit,a\n" + "".join(f"{n}{i},{i}\n" for i, n in enumerate(names))
        assert len(read(tmp_path, content.encode("gb18030")).units) == len(names)


@pytest.mark.parametrize(
    ("cell", "meant"),
    [
        ("2023.0", "2023"),
        ("2023年", "2023"),
        ("2023年8月", "2023-08"),
        ("2023Q1", "2023-Q1"),
        ("202308", "2023-08"),
        ("2023/8", "2023-08"),
        ("2023年3季度", "2023-Q3"),
        ("2023-8-1", None),
    ],
)
def test_near_misses_of_a_period_are_named(cell, meant):
    with pytest.raises(BadInput) as e:
        Panel.of({"unit": ["x"], "period": [cell], "a": [1.0]})
    fix = e.value.problems[0].fix.en
    assert fix == f"Write {meant}." if meant else fix.startswith("Write it as text")


def test_names_in_formulas_are_read_to_the_letter():
    nodes = [
        Node("I"),
        Node("f", "I", formula="Ａ / b"),
        Node("g", "I", formula="CO₂ * class + 'GDP-2'"),
        Node("h", "I", formula="µg - ｶﾞ"),
        *(Node(c, series=True) for c in ("Ａ", "A", "b", "CO₂", "class", "GDP-2", "µg", "ｶﾞ")),
    ]
    data = {
        "unit": ["x", "y"],
        "Ａ": [1.0, 2],
        "A": [100.0, 7],
        "b": [1.0, 4],
        "CO₂": [2.0, 3],
        "class": [5.0, 6],
        "GDP-2": [1.0, 1],
        "µg": [9.0, 8],
        "ｶﾞ": [1.0, 2],
    }
    r = biaochi.run(Framework(nodes), Panel.of(data, period="2023"))
    assert r.stages["derived"][0].tolist() == [[1, 11, 8], [0.5, 19, 6]]
    for wrong in ("a # / b * 100", "1_0 * a", "0x10 * a", "'''a''' * 1", "a b", "a @ b"):
        with pytest.raises(BadInput):
            Framework([Node("I"), Node("f", "I", formula=wrong), Node("a", series=True), Node("b", series=True)])


def test_groups_that_may_be_missing_or_change(tmp_path):
    with pytest.raises(BadInput, match="NA may be the name of a group"):
        Panel.of({"unit": ["x"], "a": [1.0]}, units={"code": ["x"], "region": ["NA"]}, period="2023")
    meta = {
        "Level": [2, 1, 1, None],
        "iCode": ["I", "a", "b", "g"],
        "Parent": ["NA", "I", "I", "NA"],
        "Direction": [1, 1, 1, None],
        "Weight": [1, 1, 1, None],
        "Type": ["Aggregate", "Indicator", "Indicator", "Group"],
    }
    data = {"uCode": ["NA", "ZA"] * 2, "Time": [2023, 2023, 2024, 2024], "g": ["g1", "g2", "g1", "g2"], "a": [1.0, 2, 3, 4], "b": [2.0, 3, 4, 5]}
    framework, panel = biaochi.read_coinr(data, meta)
    assert [u.code for u in panel.units] == ["NA", "ZA"]
    assert framework.root.code == "I"
    with pytest.raises(BadInput, match="changes its g"):
        biaochi.read_coinr({**data, "g": ["g1", "g2", "g9", "g2"]}, meta)


def test_indicators_may_be_called_source_or_status():
    panel = Panel.of({"unit": ["x", "y"], "source": [1.0, 2], "status": [3.0, 4]}, period="2023")
    assert panel.codes == ("source", "status")


def test_ignored_indicators_are_not_read():
    long = {"unit": ["x", "x"], "period": ["2023"] * 2, "indicator": ["a", "q"], "value": [1, "text"]}
    assert Panel.of(long, ignore=["q"]).codes == ("a",)


def test_ignored_names_are_looked_for_where_they_may_stand(folder):
    """Sixty indicators of a long table may be passed over; a name that only stands among the values may not."""
    names = [f"q{i}" for i in range(60)]
    rows = [f"{u},2023,{c},{i + 1}" for i, u in enumerate("ABCD") for c in ("broadband", "base_stations", "population", "outage", "online_sales", *names)]
    (folder / "data.csv").write_text("\n".join(["unit,period,indicator,value", *rows]) + "\n")
    path = folder / "biaochi.toml"
    path.write_text(path.read_text().replace('# ignore = ["remarks"]', f"ignore = {names}"))
    assert "q0" not in biaochi.load(folder).panel.codes
    path.write_text(path.read_text().replace("'q59']", "'q59', '2023']"))
    with pytest.raises(BadInput, match="'2023' under ignore"):
        biaochi.load(folder)
    for wrong in ({"ignore": "abc"}, {"columns": "x"}):
        with pytest.raises(BadInput):
            Panel.of({"unit": ["x"], "a": [1.0]}, period="2023", **wrong)


def test_numpy_numbers_are_numbers():
    recipe = Recipe(range=(np.int64(0), np.float32(50)), decimals=np.int64(2), min_share=np.float32(0.5))
    r = biaochi.run(
        Framework([Node("I"), Node("a", "I", weight=np.float64(2), direction=np.int64(-1))]),
        Panel.of({"unit": ["x", "y"], "a": [1, 10**2]}, period="2023"),
        recipe,
    )
    assert r.scores[0, :, 0].tolist() == [50, 0]
    assert len(recipe.fingerprint) == 64


@pytest.mark.parametrize(
    "wrong",
    [
        {"goalposts": (0,)}, {"goalposts": 5}, {"valid": None}, {"valid": (1,)}, {"overrides": {"impute": Choice("mean")}}, {"denominator": 5}, {"formula": 5}, {"direction": np.array([1])},
        {"direction": biaochi.Optimum("a", "b")}, {"weight": None}, {"name_en": 3}, {"target": "x"},
    ],
)  # fmt: skip
def test_nodes_of_the_wrong_shape_are_named(wrong):
    with pytest.raises(BadInput) as e:
        Framework([Node("I"), Node("a", "I", **wrong)])
    assert [p.kind for p in e.value.problems] == ["bad-type"]
    assert next(iter(wrong)) in e.value.problems[0].what.en


def test_other_python_shapes_are_refused_in_words():
    framework, panel = Framework([Node("I"), Node("a", "I")]), Panel.of({"unit": ["x", "y"], "a": [1.0, 2.0]}, period="2023")
    for wrong in ({"level": [1]}, {"level": {0: None}}, {"node": None}, {"node": {"a": "minmax"}}, {"constant": np.array([1, 2])}):
        with pytest.raises(BadInput):
            biaochi.run(framework, panel, Recipe(**wrong))
    with pytest.raises(biaochi.BadOption):
        Choice("zscore", ("sd", 1))
    for data in ({"unit": ["x"], "a": [10**400]}, {"unit": ["x"], "a": [np.array([1, 2])]}, {"unit": ["x"]}, []):
        with pytest.raises(BadInput):
            Panel.of(data, period="2023")
    with pytest.raises(BadInput):
        Panel.of({"unit": ["x"], "a": [1.0]}, units=[Unit("x", groups=("r", "x"))], period="2023")
    with pytest.raises(BadInput):
        Framework(["c"])
    assert biaochi.run(framework, panel, Recipe(level={"0": {"aggregate": "geometric"}}, range=(1, 2))).scores.shape == (1, 2, 2)
