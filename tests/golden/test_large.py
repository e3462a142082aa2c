"""Large tables read column by column; reference: the careful reader, cell by cell."""

import csv
import io
import itertools
import random

import numpy as np
import pytest

import biaochi
from biaochi import BadInput, Panel
from biaochi.files.csv import _plainly_quoted

pytestmark = pytest.mark.extras


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
    head = "unit,period,indicator,value,source\n"
    for name, cell, said in (("loose", '"x,y"z', "quotes"), ("control", "\x85\ufffe", "control"), ("long", "9" * 40_000, "40,000")):
        line = f"a,2020,i,{cell},y\n" if name == "long" else f"a,2020,i,1,{cell}\n"
        (tmp_path / f"{name}.csv").write_text(head + line, encoding="utf-8")
        with pytest.raises(BadInput, match=said):
            biaochi.read_panel(tmp_path / f"{name}.csv")
    (tmp_path / "two.csv").write_bytes("unit,period,indicator,value\n太原,2020,i,1\n".encode("gb18030"))
    with pytest.raises(BadInput, match="GB18030 at once"):
        biaochi.read_panel(tmp_path / "two.csv")
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


def test_what_counts_as_plainly_quoted_holds_no_quote_once_read():
    """The quick look at quotes against Python's own strict reader, on random text."""
    rng, met = random.Random(1), 0
    for _ in range(20_000):
        text = "".join(rng.choice('"",\na') for _ in range(rng.randint(1, 14)))
        if '"' in text and _plainly_quoted(text.encode(), ","):
            met += 1
            assert not any('"' in c for row in csv.reader(io.StringIO(text, newline=""), strict=True) for c in row), text
    assert met > 500
