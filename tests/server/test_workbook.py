"""The form as an Excel workbook: what goes out, what is taken back, what is refused and how it is told."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook

from biaochi_server.journal.models import Event
from biaochi_server.monitoring import actions
from biaochi_server.monitoring.actions import Edit
from biaochi_server.monitoring.models import Cell, Round, Submission, Upload
from biaochi_server.people.models import User
from biaochi_server.plain import workbook
from biaochi_server.plain.workbook.layout import HEAD, META, NOTE, TEXT, Mark
from tests.server.shanxi import a_year_on, of, user

SignedIn = Callable[[User], Client]


@pytest.fixture
def submission(round_: Round) -> Submission:
    return of(round_, "140100")


@pytest.fixture
def clerk(submission: Submission, signed_in: SignedIn) -> Client:
    return signed_in(user("reporter-140100"))


def download(clerk: Client, address: str) -> Any:
    answer = clerk.get(address)
    assert answer.status_code == 200
    return load_workbook(io.BytesIO(answer.content))


def saved(book: Any) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def upload(clerk: Client, s: Submission, content: bytes, name: str = "form.xlsx") -> HttpResponse:
    return clerk.post(f"/submissions/{s.pk}/excel/", {"file": SimpleUploadedFile(name, content)})


def places(sheet: Any) -> dict[str, int]:
    """Code -> row, of a form that asks one unit."""
    return {str(sheet.cell(r, 1).value): r for r in range(HEAD + 1, sheet.max_row + 1) if sheet.cell(r, 12).value}


def filled(clerk: Client, s: Submission) -> tuple[Any, dict[str, int]]:
    book = download(clerk, f"/submissions/{s.pk}/workbook/")
    sheet = book.worksheets[0]
    rows = places(sheet)
    cells = {c.pk: c for c in s.cells.select_related("indicator")}
    for e in a_year_on(s):
        sheet.cell(rows[cells[e.cell].indicator.code], TEXT).value = float(e.text)
    return book, rows


def test_what_goes_out_is_locked_but_for_the_cells_to_fill(clerk: Client, submission: Submission) -> None:
    book = download(clerk, f"/submissions/{submission.pk}/workbook/")
    sheet = book.worksheets[0]
    rows = places(sheet)
    assert len(rows) == submission.cells.count()
    open_cells = {(c.row, c.column) for line in sheet.iter_rows() for c in line if not c.protection.locked}
    assert open_cells == {(r, k) for r in rows.values() for k in (TEXT, NOTE)}
    assert sheet.protection.sheet
    assert book[META].sheet_state == "veryHidden"
    assert all(sheet.column_dimensions[c].hidden for c in "LMNO")
    ruled = {c for rule in sheet.data_validations.dataValidation for span in rule.sqref.ranges for (c,) in span.cols and [(cell,) for cell in span.cells]}
    assert {r for r, _ in ruled} == set(rows.values())
    assert "演示" in str(sheet.cell(2, 1).value) or "emonstration" in str(sheet.cell(2, 1).value)
    assert {c.column_letter for line in sheet.iter_rows() for c in line if c.data_type == "f"} == {"H"}, "growth follows what is typed"


def test_a_filled_workbook_is_taken_whole_and_kept(clerk: Client, submission: Submission) -> None:
    book, rows = filled(clerk, submission)
    sheet = book.worksheets[0]
    first = next(iter(rows))
    sheet.cell(rows[first], NOTE).value = "查过了"
    content = saved(book)
    answer = upload(clerk, submission, content)
    assert answer.status_code == 302, answer.content.decode()
    assert not submission.cells.filter(text="").exists()
    asked = {e.cell: Decimal(e.text) for e in a_year_on(submission)}
    assert {c.pk: Decimal(c.text) for c in submission.cells.all()} == asked
    assert submission.cells.get(indicator__code=first).note == "查过了"
    kept = submission.uploads.get()
    assert bytes(kept.content) == content
    assert (kept.taken, kept.cells) == (True, len(rows))
    assert clerk.get(f"/uploads/{kept.pk}/").content == content
    assert Event.objects.filter(verb="submission.workbook_taken", after__contains=kept.sha256).exists()
    again = upload(clerk, submission, saved(download(clerk, f"/submissions/{submission.pk}/workbook/")))
    assert again.status_code == 302
    assert submission.uploads.first().cells == 0


WRONG = {
    "formula": "=SUM(1,2)", "unit_typed": "12亿元", "not_a_number": "abc", "excel_error": "#N/A", "a_date": date(2023, 1, 1), "not_a_figure": True, "too_long": "1" * 50,
}  # fmt: skip


def test_every_wrong_cell_is_told_at_once_and_nothing_is_taken(clerk: Client, submission: Submission) -> None:
    book, rows = filled(clerk, submission)
    sheet = book.worksheets[0]
    at = dict(zip(WRONG, list(rows.values())[: len(WRONG)], strict=True))
    for rule, value in WRONG.items():
        sheet.cell(at[rule], TEXT).value = value
        if rule == "excel_error":
            sheet.cell(at[rule], TEXT).data_type = "e"
    *_, percent = rows.values()
    sheet.cell(percent, TEXT).number_format = "0.0%"
    sheet.cell(percent, NOTE).value = "=1+1"
    answer = upload(clerk, submission, saved(book))
    page = answer.content.decode()
    assert answer.status_code == 422
    assert not submission.cells.exclude(text="").exists()
    kept = submission.uploads.get()
    told = {(t["where"], t["rule"]) for t in kept.troubles}
    assert told >= {(f"E{at[rule]}", rule) for rule in WRONG} | {(f"E{percent}", "a_percentage"), (f"J{percent}", "formula")}
    assert all(where in page for where, _ in told)
    marked = download(clerk, f"/uploads/{kept.pk}/marked/")
    sheet, problems = marked.worksheets[:2]
    assert sheet.cell(at["unit_typed"], TEXT).comment
    assert sheet.cell(at["formula"], TEXT).value == "=SUM(1,2)"
    assert sheet.cell(at["formula"], TEXT).data_type != "f"
    assert sheet.cell(at["formula"], TEXT).fill.fgColor.rgb.endswith("F8D7DA")
    links = {problems.cell(r, 1).value: problems.cell(r, 1).hyperlink.location or problems.cell(r, 1).hyperlink.target for r in range(2, problems.max_row + 1)}
    assert set(links) >= {f"E{r}" for r in at.values()}
    for r in {*at.values(), percent}:
        sheet.cell(r, TEXT).value = 5
        sheet.cell(r, NOTE).value = None
    assert upload(clerk, submission, saved(marked)).status_code == 302
    assert not submission.cells.filter(text="").exists()


def test_a_cell_changed_by_someone_else_is_told_and_the_marked_workbook_settles_it(clerk: Client, submission: Submission) -> None:
    book, rows = filled(clerk, submission)
    cell = submission.cells.select_related("indicator")[0]
    actions.save_draft(submission, [Edit(cell.pk, cell.version, "77")], by=user("reporter-140100"))
    mine = book.worksheets[0].cell(rows[cell.indicator.code], TEXT).value
    answer = upload(clerk, submission, saved(book))
    assert answer.status_code == 422
    assert "“77”" in answer.content.decode()
    assert submission.cells.exclude(text="").count() == 1
    marked = download(clerk, f"/uploads/{submission.uploads.get().pk}/marked/")
    assert marked.worksheets[0].cell(rows[cell.indicator.code], TEXT).value == mine
    assert upload(clerk, submission, saved(marked)).status_code == 302
    cell.refresh_from_db()
    assert float(cell.text) == mine


def test_what_was_not_touched_in_the_workbook_is_not_written_back(clerk: Client, submission: Submission) -> None:
    """Someone works on line while a colleague fills other cells in Excel: both keep their work."""
    book = download(clerk, f"/submissions/{submission.pk}/workbook/")
    a, b = submission.cells.select_related("indicator")[:2]
    actions.save_draft(submission, [Edit(a.pk, a.version, "77")], by=user("reporter-140100"))
    book.worksheets[0].cell(places(book.worksheets[0])[b.indicator.code], TEXT).value = 5
    assert upload(clerk, submission, saved(book)).status_code == 302
    assert set(submission.cells.exclude(text="").values_list("text", flat=True)) == {"77", "5"}


def test_rows_may_move_but_not_vanish_double_or_change_their_keys(clerk: Client, submission: Submission) -> None:
    def tampered(change: Callable[[Any, list[int]], None]) -> set[str]:
        book, rows = filled(clerk, submission)
        change(book.worksheets[0], list(rows.values()))
        upload(clerk, submission, saved(book))
        return {t["rule"] for t in submission.uploads.all()[0].troubles}

    def set_cell(k: int, column: int, value: object) -> Callable[[Any, list[int]], None]:
        return lambda sheet, at: setattr(sheet.cell(at[k], column), "value", value)

    assert tampered(set_cell(0, 1, "XX")) == {"unknown_key", "row_missing"}
    assert tampered(lambda s, at: s.delete_rows(at[3])) == {"row_missing"}
    assert tampered(set_cell(0, 13, "many")) >= {"key_changed"}
    assert tampered(set_cell(0, 20, "a note to myself")) == {"outside"}
    assert "twice" in tampered(lambda s, at: [setattr(s.cell(at[1], k), "value", s.cell(at[0], k).value) for k in range(1, 16)] and None)
    assert not submission.cells.exclude(text="").exists()
    book, rows = filled(clerk, submission)
    sheet = book.worksheets[0]
    lines = [[c.value for c in sheet[r]] for r in rows.values()]
    random.Random(1).shuffle(lines)
    for r, line in zip(rows.values(), lines, strict=True):
        for k, value in enumerate(line, 1):
            sheet.cell(r, k).value = value
    assert upload(clerk, submission, saved(book)).status_code == 302
    assert {float(c.text) for c in submission.cells.all()} == {float(e.text) for e in a_year_on(submission)}


def test_another_forms_workbook_is_refused_with_its_name(clerk: Client, submission: Submission, signed_in: SignedIn) -> None:
    other = of(submission.round, "140200")
    book = download(signed_in(user("reporter-140200")), f"/submissions/{other.pk}/workbook/")
    page = upload(clerk, submission, saved(book)).content.decode()
    assert other.organisation.name_en in page
    own, _ = filled(clerk, submission)
    own[META]["B3"].value = "0" * 64
    assert "asks for other cells" in upload(clerk, submission, saved(own)).content.decode()
    own[META]["B1"].value = "99"
    assert "another version of this system" in upload(clerk, submission, saved(own)).content.decode()
    assert not submission.cells.exclude(text="").exists()


def packed(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as pack:
        for name, content in files.items():
            pack.writestr(name.replace("__", "/"), content)
    return out.getvalue()


def added(content: bytes, name: str, more: bytes) -> bytes:
    out = io.BytesIO(content)
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as pack:
        pack.writestr(name, more)
    return out.getvalue()


def replaced(content: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for f in old.infolist():
            new.writestr(f.filename, change(old.read(f)) if f.filename == name else old.read(f))
    return out.getvalue()


LAUGHS = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


def test_dangerous_and_broken_files_are_refused_with_words(clerk: Client, submission: Submission) -> None:
    good = saved(filled(clerk, submission)[0])
    plain = io.BytesIO()
    Workbook().save(plain)
    sheet = "xl/worksheets/sheet1.xml"
    cases = {
        "": (b"\xd0\xcf\x11\xe0 an old or encrypted workbook", "not_a_workbook"),
        "pdf": (b"%PDF-1.7", "not_a_workbook"),
        "zip": (packed(a=b"1"), "not_a_workbook"),
        "cut": (good[: len(good) // 2], "not_a_workbook"),
        "foreign": (plain.getvalue(), "not_ours"),
        "macro": (added(good, "xl/vbaProject.bin", b"x"), "macros"),
        "macro type": (replaced(good, "[Content_Types].xml", lambda t: t.replace(b"sheet.main+xml", b"sheet.macroEnabled.main+xml")), "macros"),
        "bomb": (added(good, "xl/media/zero.bin", b"0" * (20 * 2**20)), "bomb"),
        "many": (packed(**{f"f{k}": b"" for k in range(300)}), "bomb"),
        "doctype": (replaced(good, sheet, lambda t: LAUGHS + t[t.index(b"<worksheet") :]), "damaged"),
        "broken": (replaced(good, sheet, lambda t: t[: len(t) // 2]), "damaged"),
        "large": (b"0" * (3 * 2**20), "too_big"),
    }  # fmt: skip
    got = {}
    for name, (content, _) in cases.items():
        answer = upload(clerk, submission, content)
        got[name] = (answer.status_code, {t["rule"] for t in submission.uploads.all()[0].troubles})
    assert got == {name: (422, {rule}) for name, (_, rule) in cases.items()}
    assert not submission.cells.exclude(text="").exists()
    assert clerk.get(f"/uploads/{submission.uploads.all()[0].pk}/marked/").status_code == 200
    Round.objects.filter(pk=submission.round_id).update(state="closed")
    assert upload(clerk, submission, good).status_code == 422


def test_a_body_too_large_to_read_is_refused_before_it_is_read(clerk: Client, submission: Submission) -> None:
    answer = upload(clerk, submission, b"0" * (9 * 2**20))
    assert answer.status_code == 413
    assert "at most 8 MB" in answer.content.decode()


def test_a_reviewer_downloads_only_what_waits_on_their_office_and_nothing_to_fill(submission: Submission, signed_in: SignedIn) -> None:
    book = download(signed_in(user("reviewer-gxt")), f"/submissions/{submission.pk}/workbook/")
    rows = places(book.worksheets[0])
    assert set(rows) == set(submission.cells.filter(reviewer__code="gxt").values_list("indicator__code", flat=True))
    assert len(rows) < submission.cells.count()
    assert all(c.protection.locked for line in book.worksheets[0].iter_rows() for c in line)


CELLS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.dates(), st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=80),
    st.sampled_from(["=1+1", "１２．５", "1,234.5", "—", "…", "12%", "#REF!", "-0", "1e308", "=cmd|' /C calc'!A0", "'5", "５亿", "\t7 "]),
)  # fmt: skip
CHANGES = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 22), CELLS, st.sampled_from(["General", "0%", "@", "yyyy-mm-dd"])), max_size=12)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(changes=CHANGES, merged=st.sampled_from(["", "A5:C9", "E5:E8", "A1:O60"]), noise=st.one_of(st.none(), st.integers(0, 10_000)))
def test_whatever_comes_back_is_taken_whole_or_refused_whole(clerk: Client, submission: Submission, changes: list[Any], merged: str, noise: int | None) -> None:
    """Any cells, merged cells, flipped bytes: never a server error, never a part of it."""
    Cell.objects.filter(submission=submission).update(text="", value="", note="", noted_for="")
    book, _ = filled(clerk, submission)
    sheet = book.worksheets[0]
    for row, column, value, style in changes:
        sheet.cell(row, column).value = value
        sheet.cell(row, column).number_format = style
    if merged:
        sheet.merge_cells(merged)
    content = bytearray(saved(book))
    if noise is not None:
        content[noise % len(content)] ^= 0x5A
    before = Upload.objects.count()
    answer = upload(clerk, submission, bytes(content))
    kept = submission.uploads.all()[0]
    assert Upload.objects.count() == before + 1
    assert answer.status_code == (302 if kept.taken else 422)
    written = submission.cells.exclude(text="", note="").count()
    assert written == kept.cells
    if not kept.taken:
        assert written == 0
        assert clerk.get(f"/uploads/{kept.pk}/marked/").status_code == 200


def test_texts_that_look_like_formulas_go_out_as_texts() -> None:
    line = workbook.Line(
        "A1", "=1+1", "+x", "@y", "-", "1.50", "12345678901234567.8", "", "", "=HYPERLINK(1)\x0b", "140000", 3, "=B", True, marks=(Mark("soft", "=x"),)
    )
    words = dict.fromkeys(["sheet", "problems", "how", "refused", "allowed", "where", "what", "name", "place", "text"], "-w")
    book = load_workbook(io.BytesIO(workbook.make([line], {}, words | {"problems": "list"}, title="=t", notice="")))
    assert not any(c.data_type == "f" for sheet in book for row in sheet.iter_rows() for c in row)
    back = workbook.read(workbook.make([line], {}, words | {"problems": "list"}, title="=t", notice=""))
    assert back.troubles == []
    assert (back.rows[0].text, back.rows[0].note, back.rows[0].changed) == ("-", "=HYPERLINK(1)\ufffd", False)
