"""Workbook and HTML report: what is in them, and what a browser makes of the page."""

import itertools
import json
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import biaochi
from biaochi.result import IMPUTED, TREATED

pytestmark = [pytest.mark.extras, pytest.mark.filterwarnings("ignore:.*extension is not supported")]  # solid data bars, which openpyxl does not know

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_browser = pytest.mark.skipif(CHROMIUM is None and "CI" not in os.environ, reason="Chromium is not installed (Debian: apt-get install chromium)")


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, Path]:
    """Reports and workbooks of three examples."""
    out = tmp_path_factory.mktemp("reports")
    for name, lang in (("desi-2022", "en"), ("shanxi-cities", "zh"), ("asem", "zh")):
        project = biaochi.load(name)
        result = biaochi.evaluate(project)
        shown = None if name == "shanxi-cities" else [u.code for u in project.panel.units[:4]]
        biaochi.write_report(project, result, out / f"{name}.html", lang=lang, profiles=shown)
        biaochi.write_workbook(project, result, out / f"{name}.xlsx", lang=lang)
    return {p.name: p for p in out.iterdir()}


class Page(HTMLParser):
    """Tags in order, with their attributes."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = path.read_text(encoding="utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def test_the_page_is_self_contained_and_accessible(pages):
    for name in ("desi-2022.html", "shanxi-cities.html"):
        page = Page(pages[name])
        for tag, attrs in page.tags:
            assert not (tag in ("link", "img", "iframe") or (tag == "script" and "src" in attrs)), tag
            for key in ("href", "src", "xlink:href"):
                assert not (attrs.get(key) or "#").startswith(("http", "//")), attrs
        headings = [int(t[1]) for t, _ in page.tags if re.fullmatch("h[1-6]", t)]
        assert headings[0] == 1
        assert headings.count(1) == 1
        assert all(b - a <= 1 for a, b in itertools.pairwise(headings))
        ids = [a["id"] for _, a in page.tags if a.get("id")]
        assert len(ids) == len(set(ids))
        anchors = [a["href"] for t, a in page.tags if t == "a"]
        assert {a[1:] for a in anchors} <= set(ids)
        assert page.tags[0][1] == {"lang": "zh-CN" if "shanxi" in name else "en"}
        assert sum(t == "figure" for t, _ in page.tags) >= 5
        assert all(a.get("aria-label") for t, a in page.tags if a.get("role") == "img")
        assert "default-src 'none'" in page.text


def test_the_page_says_what_matters(pages):
    desi, shanxi, asem = (pages[f"{n}.html"].read_text(encoding="utf-8") for n in ("desi-2022", "shanxi-cities", "asem"))
    for said in ("Finland leads with 69.6", "162 of 162 ranks equal", "imputed by the source", "not an official map"):
        assert said in desi
    for said in ("太原市居首", "并非官方标尺", "参照单位", "示意图，非官方地图"):
        assert said in shanxi
    for said in ("<sup>i</sup> 插补", "<sup>t</sup> 异常值处理", "（Elec）：1 个值因分母为 0 或缺失而无法计算"):
        assert said in asem
    assert biaochi.load("desi-2022").recipe.fingerprint in desi


def test_text_from_the_data_is_escaped(folder, tmp_path):
    evil = '<script>alert("x")</script>'
    units = (folder / "units.csv").read_text(encoding="utf-8").replace("甲市", "=1+1").replace("City A", f'"{evil.replace(chr(34), chr(34) * 2)}"')
    (folder / "units.csv").write_text(units, encoding="utf-8")
    project = biaochi.load(folder)
    result = biaochi.evaluate(project)
    biaochi.write_report(project, result, tmp_path / "r.html")
    assert "<script>alert" not in (tmp_path / "r.html").read_text(encoding="utf-8")
    biaochi.write_workbook(project, result, tmp_path / "r.xlsx", lang="zh")
    import openpyxl

    cells = [c for row in openpyxl.load_workbook(tmp_path / "r.xlsx")["结果"].iter_rows() for c in row if c.value == "=1+1"]
    assert [c.data_type for c in cells] == ["s"]


def test_workbook_holds_every_table(pages, asem):
    import openpyxl

    book = openpyxl.load_workbook(pages["asem.xlsx"])
    assert book.sheetnames == ["结果", "位次", "得分", "数据", "插补明细", "异常值处理", "权重", "方法", "问题"]
    filled = [[c.value for c in row] for row in book["插补明细"].iter_rows(min_row=4)]
    assert len(filled) == len(asem.filled()) == int((asem.marks & 1 > 0).sum())
    assert filled[0][3] == "group_mean(group=EurAsia_group)"
    treated = {row[0].value: row[3].value for row in book["异常值处理"].iter_rows(min_row=4)}
    assert treated == {r["indicator"]: r["moved"] for r in asem.treatment() if r["first"]}
    scores = book["得分"]
    assert scores.freeze_panes == "D6"
    heads = [c.value for c in scores[5]]
    assert heads[:4] == ["期", "单位", "名称", "Index"]
    assert [c.value for c in scores[4]][3] == "Sustainable Connectivity"
    for row in scores.iter_rows(min_row=6, max_row=8):
        u = asem.panel.position(row[1].value)
        got = [c.value for c in row[3:]]
        np.testing.assert_allclose(got, asem.scores[0, u], rtol=1e-14)  # a workbook keeps 16 digits
    assert scores["D6"].number_format == "#,##0.00"
    data = book["数据"]
    marked = {(r[1].value, data.cell(7, c.column).value): c for r in data.iter_rows(min_row=9) for c in r[3:] if c.comment}
    want = {(u.code, i) for a, u in enumerate(asem.panel.units) for b, i in enumerate(asem.indicators) if asem.marks[0, a, b] & (IMPUTED | TREATED)}
    assert marked.keys() == want
    assert {c.fill.fgColor.rgb for c in marked.values()} == {"FFDBEAFE", "FFFDE68A"}
    weights = {r[0].value: r[7].value for r in book["权重"].iter_rows(min_row=4)}
    assert weights == pytest.approx(asem.effective_weights)
    for sheet in book:
        assert "COINr" in sheet["A2"].value


def test_demonstration_notice_on_every_output(pages):
    import openpyxl

    book = openpyxl.load_workbook(pages["shanxi-cities.xlsx"])
    for sheet in book:
        assert "并非官方标尺" in sheet["A2"].value
    assert "并非官方标尺" in book.properties.description


def chromium(*args: str, timeout: float = 60) -> subprocess.CompletedProcess:
    quiet = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    return subprocess.run([str(CHROMIUM), *quiet, *args], capture_output=True, text=True, timeout=timeout, check=True)


@needs_browser
@pytest.mark.browser
def test_in_a_browser(pages, tmp_path):
    """Charts come alive, nothing is asked of the network, nothing is logged as an error."""
    log = tmp_path / "net.json"
    for i, name in enumerate(("desi-2022.html", "shanxi-cities.html")):
        done = chromium(
            f"--user-data-dir={tmp_path / f'u{i}'}",
            "--virtual-time-budget=10000",
            "--enable-logging=stderr",
            f"--log-net-log={log}",
            "--dump-dom",
            pages[name].as_uri(),
        )
        assert "CONSOLE" not in done.stderr, done.stderr
        assert done.stdout.count('class="vega-embed') >= 4
        events = log.read_text(encoding="utf-8")
        assert not re.findall(r'"url":"(?:https?|wss?)://[^"]*vega[^"]*"', events)
        requested = set(re.findall(r'"url":"((?:https?|wss?)://[^"]+)"', events))
        assert not {u for u in requested if "google" not in u}, requested


@needs_browser
@pytest.mark.browser
def test_on_a_phone(pages, tmp_path):
    """At 360 px only tables and charts scroll, inside their frames."""
    probe = (
        "<style>html { width: 360px; } body { max-width: 360px !important; padding: 8px 12px !important; }</style><script>addEventListener('load', () => setTimeout(() => {"
        "const wide = [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > 361 && !e.closest('.scroll, .chart, .skip, script, style'));"
        "document.title = JSON.stringify(wide.map(e => e.tagName + '.' + e.className)); }, 3000))</script></body>"
    )
    for name in ("desi-2022.html", "shanxi-cities.html"):
        copy = tmp_path / name
        copy.write_text(pages[name].read_text(encoding="utf-8").replace("</body>", probe), encoding="utf-8")
        dom = chromium(f"--user-data-dir={tmp_path / 'u'}", "--virtual-time-budget=10000", "--dump-dom", copy.as_uri()).stdout
        title = re.search("<title>(.*?)</title>", dom)
        assert title
        assert json.loads(title[1]) == []


def test_a_report_can_choose_period_and_units(tmp_path):
    project = biaochi.load("desi-2022")
    result = biaochi.evaluate(project)
    biaochi.write_report(project, result, tmp_path / "r.html", period="2019", profiles=["EL", "EU"])
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert re.findall(r'id="u-(\w+)"', page) == ["EL", "EU"]
    assert "Score and rank, 2019" in page
    with pytest.raises(biaochi.UnknownName):
        biaochi.write_report(project, result, tmp_path / "x.html", period="2030")
    assert not (tmp_path / "x.html").exists()


def test_a_failed_report_leaves_nothing(tmp_path, monkeypatch):
    from biaochi import reports

    def fail(*args, **options):
        raise RuntimeError

    project = biaochi.load("shanxi-cities")
    monkeypatch.setattr("biaochi.reports.html.write_report", fail)
    with pytest.raises(RuntimeError):
        reports.write_all(project, biaochi.evaluate(project), tmp_path / "out", "en")
    assert list((tmp_path / "out").iterdir()) == []
