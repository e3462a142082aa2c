"""A whole round in a real browser: by grid, paste and Excel; returned, mended, approved, unlocked. And every page looked at."""

from __future__ import annotations

import io
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from tests.server.live import Live, serving

CHROMIUM = shutil.which("chromium")
pytestmark = [pytest.mark.browser, pytest.mark.skipif(not CHROMIUM and not os.environ.get("CI"), reason="Chromium is not installed: apt-get install chromium")]
SCREENS = Path(os.environ.get("BIAOCHI_SCREENS", "results/screens"))
HEAD, TEXT, LAST, NOTE, UNIT = 4, 5, 6, 10, 12


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with serving(tmp_path_factory.mktemp("browser")) as it:
        yield it


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def enter(live: Live, chromium: Any) -> Iterator[Callable[..., Any]]:
    """A page in which someone signed in; what the browser complains about fails the test."""
    complaints: list[str] = []
    contexts = []

    def sign_in(username: str = "", **options: Any) -> Any:
        context = chromium.new_context(locale="zh-CN", viewport={"width": 1280, "height": 900}, base_url=live.url, **options)
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" and "status of 4" not in m.text else None)
        page.on("pageerror", lambda e: complaints.append(str(e)))
        page.on("request", lambda r: None if r.url.startswith((live.url, "data:", "blob:")) else complaints.append(f"asked {r.url}"))
        page.goto("/login/")
        if username:
            page.fill("[name=username]", username)
            page.fill("[name=password]", live.passwords[username.partition("-")[0]])
            page.click("main button")
        return page

    yield sign_in
    for context in contexts:
        context.close()
    assert complaints == []


def plausible(last: float) -> float:
    return round(last) + 1 if last == int(last) else round(last * 1.03, 2) if last * 1.03 < 97 or last > 100 else round(last + 0.01, 2)


def open_form(page: Any) -> None:
    page.click("main a.button[href*='/submissions/']")
    page.wait_for_selector("table.grid")


def approve_all(page: Any, address: str) -> None:
    page.goto(address)
    for box in page.query_selector_all("input[name^=c-]"):
        box.check()
    page.click("button[value=approve]")
    page.wait_for_selector(".message.success")


def test_a_round_from_the_first_figure_to_the_corrected_one(live: Live, enter: Callable[..., Any], tmp_path: Path) -> None:
    clerk = enter("reporter-140100")
    open_form(clerk)
    address = clerk.url.removeprefix(live.url)
    clerk.context.grant_permissions(["clipboard-read", "clipboard-write"])
    fields = clerk.query_selector_all("input.figure")
    first, second, third = fields[:3]

    # typing: the error stands beside the cell as soon as it is left; Enter goes down
    clerk.evaluate(
        "window.shifts = 0; new PerformanceObserver(l => l.getEntries().forEach(e => { if (!e.hadRecentInput) window.shifts += e.value })).observe({type: 'layout-shift', buffered: true})"
    )
    first.focus()
    clerk.keyboard.type("12亿元")
    clerk.keyboard.press("Enter")
    assert clerk.evaluate("document.activeElement.id") == second.get_attribute("id")
    check = "#check-" + first.get_attribute("id").removeprefix("v-")
    clerk.wait_for_selector(f"{check} .finding.hard")
    assert "单位" in clerk.inner_text(check)
    first.fill("12")
    clerk.keyboard.press("ArrowDown")
    clerk.wait_for_selector(f"{check} .finding.hard", state="detached")

    # pasting two cells copied from a spreadsheet
    clerk.evaluate("navigator.clipboard.writeText('34\\t1\\r\\n56\\t2\\r\\n')")
    second.focus()
    clerk.keyboard.press("Control+V")
    clerk.wait_for_selector("#progress:has-text('3 /')")
    assert (second.input_value(), third.input_value()) == ("34", "56")
    assert clerk.evaluate("window.shifts") < 0.1
    clerk.reload()
    assert [f.input_value() for f in clerk.query_selector_all("input.figure")[:3]] == ["12", "34", "56"]

    # Excel: one cell wrong, nothing is taken; the marked workbook mended, all is taken
    clerk.click(f"a[href='{address}excel/']")
    with clerk.expect_download() as download:
        clerk.click(f"a[href='{address}workbook/']")
    book = load_workbook(io.BytesIO(Path(download.value.path()).read_bytes()))
    sheet = book.worksheets[0]
    rows = [r for r in range(HEAD + 1, sheet.max_row + 1) if sheet.cell(r, UNIT).value]
    for r in rows:
        sheet.cell(r, TEXT).value = plausible(sheet.cell(r, LAST).value)
    sheet.cell(rows[4], TEXT).value = "很多"
    sheet.cell(rows[6], TEXT).value = (
        round(sheet.cell(rows[6], LAST).value * 1.9, 2) if sheet.cell(rows[6], LAST).value < 50 else round(sheet.cell(rows[6], LAST).value / 1.9)
    )
    book.save(tmp_path / "filled.xlsx")
    clerk.set_input_files("input[type=file]", tmp_path / "filled.xlsx")
    clerk.click("form[enctype] button")
    assert f"E{rows[4]}" in clerk.inner_text(".refused")
    clerk.screenshot(path=shot("excel-refused", "zh"), full_page=True, caret="initial")
    with clerk.expect_download() as download:
        clerk.click(".refused a.button")
    shutil.copy(download.value.path(), SCREENS / "marked.xlsx")
    book = load_workbook(io.BytesIO(Path(download.value.path()).read_bytes()))
    sheet = book.worksheets[0]
    assert book.worksheets[1].title == "错误清单"
    assert sheet.cell(rows[4], TEXT).comment
    sheet.cell(rows[4], TEXT).value = plausible(sheet.cell(rows[4], LAST).value)
    book.save(tmp_path / "mended.xlsx")
    clerk.set_input_files("input[type=file]", tmp_path / "mended.xlsx")
    clerk.click("form[enctype] button")
    clerk.wait_for_selector("table.grid")
    assert clerk.inner_text("#progress") == f"{len(rows)} / {len(rows)}"

    # a soft warning must be explained before it goes out
    clerk.click("button[value=submit]")
    clerk.wait_for_selector(".refused")
    clerk.screenshot(path=shot("grid-refused", "zh"), full_page=True, caret="initial")
    for link in clerk.query_selector_all(".refused li a"):
        pk = link.get_attribute("href").removeprefix("#v-")
        clerk.fill(f"#n-{pk}", "已向填报单位核实")
    clerk.wait_for_load_state("networkidle")
    clerk.click("button[value=submit]")
    clerk.wait_for_url("**/todo/")

    # the reviewer returns two cells and approves the rest; then sees only the two
    reviewer = enter("reviewer-gxt")
    reviewer.click("main a.button[href*='/review/']")
    review = reviewer.url.removeprefix(live.url)
    boxes = reviewer.query_selector_all("input[name^=c-]")
    asked = len(boxes)
    back = [b.get_attribute("name").removeprefix("c-") for b in boxes[:2]]
    reviewer.screenshot(path=shot("review", "zh"), full_page=True, caret="initial")
    for b in boxes:
        b.set_checked(b.get_attribute("name").removeprefix("c-") in back)
    for pk in back:
        reviewer.fill(f"[name=m-{pk}]", "请核对口径")
    reviewer.click("button[value=return]")
    reviewer.wait_for_selector(".message.success")
    approve_all(reviewer, review)
    assert not reviewer.query_selector_all("input[name^=c-]")

    # returned cells come first, with the message, and they alone are open
    clerk.goto("/todo/")
    assert clerk.inner_text("main .list tbody tr:first-child .state.returned").startswith("已退回")
    open_form(clerk)
    figures = clerk.query_selector_all("input.figure")
    assert sorted(f.get_attribute("name").removeprefix("v-") for f in figures) == sorted(back)
    assert clerk.inner_text("main").count("请核对口径") == 2
    clerk.screenshot(path=shot("grid-returned", "zh"), full_page=True, caret="initial")
    before = figures[0].input_value()
    for f in figures:
        f.fill(str(plausible(float(f.input_value()))))
        f.press("Tab")
    clerk.wait_for_load_state("networkidle")
    for f in back:
        clerk.fill(f"#n-{f}", "已按新口径更正")
    clerk.click("button[value=submit]")
    clerk.wait_for_url("**/todo/")
    reviewer.goto(review)
    assert len(reviewer.query_selector_all("input[name^=c-]")) == 2 < asked
    approve_all(reviewer, review)

    # one approved cell is unlocked with a reason, corrected and approved again
    reviewer.goto(f"/cells/{back[0]}/")
    reviewer.fill("#reason", "源头数据修订")
    reviewer.click("form.narrow button")
    reviewer.wait_for_selector(".message.success")
    clerk.goto(address)
    assert [f.get_attribute("name") for f in clerk.query_selector_all("input.figure")] == [f"v-{back[0]}"]
    old = clerk.input_value("input.figure")
    assert old != before
    clerk.fill("input.figure", str(plausible(float(old))))
    clerk.fill(f"#n-{back[0]}", "源头修订")
    clerk.wait_for_load_state("networkidle")
    clerk.click("button[value=submit]")
    clerk.wait_for_url("**/todo/")
    reviewer.goto(review)
    line = reviewer.inner_text("table.grid tbody tr:last-child")
    assert old in line.replace("\u202f", "")
    reviewer.screenshot(path=shot("review-difference", "zh"), full_page=True, caret="initial")
    approve_all(reviewer, review)
    clerk.goto(f"/cells/{back[0]}/")
    story = clerk.inner_text("main")
    assert "源头数据修订" in story
    assert story.count("请核对口径") == 1
    clerk.screenshot(path=shot("cell-history", "zh"), full_page=True, caret="initial")
    assert live.manage("verify").returncode == 0


def test_the_whole_round_without_javascript(live: Live, enter: Callable[..., Any]) -> None:
    clerk = enter("reporter-140200", java_script_enabled=False)
    open_form(clerk)
    address = clerk.url.removeprefix(live.url)
    asked = clerk.locator("input.figure")
    for k in range(asked.count()):
        last = clerk.locator("table.grid tr:has(input.figure)").nth(k).locator("td.number").first.inner_text()
        asked.nth(k).fill(str(plausible(float(re.sub(r"\s", "", last)))) if k else "x")
    clerk.click("button[value=submit]")
    assert "不是数值" in clerk.inner_text(".refused")
    last = clerk.locator("table.grid tr:has(input.figure)").first.locator("td.number").first.inner_text()
    clerk.locator("input.figure").first.fill(str(plausible(float(re.sub(r"\s", "", last)))))
    for note in clerk.query_selector_all("table.grid textarea"):
        note.fill("核实")
    clerk.click("button[value=submit]")
    clerk.wait_for_url("**/todo/")
    reviewers = live.run(f"""
from biaochi_server.monitoring.models import Cell
print(*sorted(set(Cell.objects.filter(submission={address.split("/")[2]}).values_list("reviewer__code", flat=True))))
""").split()
    for k, code in enumerate(reviewers):
        reviewer = enter(f"reviewer-{code}", java_script_enabled=False)
        review = address.replace("submissions", "review")
        reviewer.goto(review)
        if k == 0:
            boxes = reviewer.query_selector_all("input[name^=c-]")
            for b in boxes:
                b.set_checked(b is boxes[0])
            name = boxes[0].get_attribute("name").removeprefix("c-")
            reviewer.fill(f"[name=m-{name}]", "请说明")
            reviewer.click("button[value=return]")
            clerk.goto(address)
            clerk.fill(f"#n-{name}", "补充说明")
            clerk.click("button[value=submit]")
            clerk.wait_for_url("**/todo/")
        approve_all(reviewer, review)
    state = live.run(f"from biaochi_server.monitoring.models import Submission\nprint(Submission.objects.get(pk={address.split('/')[2]}).state)")
    assert state.strip() == "approved"


def shot(name: str, language: str) -> str:
    (SCREENS / language).mkdir(parents=True, exist_ok=True)
    return str(SCREENS / language / f"{name}.png")


PAGES = {
    "": ["/login/", "/forgot/", "/nowhere/"],
    "reporter-140500": ["/todo/", "/submissions/", "grid", "grid+paste/", "grid+excel/", "cell", "/frameworks/", "/frameworks/1/", "indicator", "/account/", "/account/password/", "/account/second/"],
    "reviewer-gxt": ["/todo/", "review"],
    "coordinator-lead": ["/todo/", "/rounds/", "/rounds/1/", "/rounds/2/", "/rounds/new/"],
    "administrator-lead": ["/users/", "/users/new/", "/users/1/", "/organisations/", "/organisations/new/", "/organisations/1/", "/journal/", "/journal/people.user/1/"],
}  # fmt: skip


@pytest.mark.parametrize("username", PAGES, ids=lambda u: u or "anyone")
def test_every_page_in_both_languages_can_be_read_by_everyone(username: str, live: Live, enter: Callable[..., Any]) -> None:
    """axe finds nothing serious, nothing runs over at 200 %, no word is left in the other language; a picture of each is kept."""
    from axe_playwright_python.sync_playwright import Axe

    known = {
        "grid": "Submission.objects.get(round__period='2023', organisation__code='140500').pk", "cell": "Cell.objects.filter(submission__round__period='2022', submission__organisation__code='140500').first().pk",
        "review": "made().pk", "indicator": "Indicator.objects.filter(leaf=True).first().pk",
    }  # fmt: skip
    where = {"grid": "submissions", "cell": "cells", "review": "review", "indicator": "indicators"}
    page, wrong = enter(username), []
    for language in ("zh", "en"):
        page.goto("/login/" if not username else "/account/")
        if (page.get_attribute("html", "lang") or "").startswith("zh") != (language == "zh"):
            page.click(".language button")
        for address in PAGES[username]:
            name, _, more = address.partition("+")
            path = address
            if name in known:
                pk = live.run(f"""
from biaochi_server.monitoring.models import *
from tests.server.shanxi import fill, user
def made():
    s = Submission.objects.get(round__period='2023', organisation__code='140600')
    return fill(s, user('reporter-140600')) if s.state == 'open' else s
print({known[name]})""").strip()  # fmt: skip
                path = f"/{where[name]}/{pk}/{more}"
            answer = page.goto(path)
            assert answer.status == (404 if "nowhere" in path else 200), path
            title = re.sub(r"\W+", "-", address).strip("-") or "home"
            page.screenshot(path=shot(f"{username.partition('-')[0] or 'anyone'}-{title}", language), full_page=True, caret="initial")
            found = Axe().run(page).response["violations"]
            wrong += [f"{path} {language}: {v['id']}: {v['nodes'][0]['html'][:120]}" for v in found if v["impact"] in ("serious", "critical")]
            page.set_viewport_size({"width": 640, "height": 450})
            if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
                wrong.append(f"{path} {language}: runs over at 200 %")
                page.screenshot(path=shot(f"narrow-{title}", language))
            page.set_viewport_size({"width": 1280, "height": 900})
    assert wrong == []
