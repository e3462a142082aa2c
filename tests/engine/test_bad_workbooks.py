"""Workbooks: projects and data in Excel, and everything that can be wrong with them."""

import io
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import biaochi
from biaochi import BadInput
from tests.engine.test_bad_input import toml


def workbook(path: Path) -> Any:
    """The new project as one workbook with sheets Framework, Units, Data, Recipe."""
    import csv

    import openpyxl

    from biaochi.files.template import new_project

    new_project(path.parent / "src")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, file in (("Framework", "framework"), ("Units", "units"), ("Data", "data")):
        sheet = book.create_sheet(title)
        with open(path.parent / "src" / f"{file}.csv", encoding="utf-8") as f:
            for r in csv.reader(f):
                sheet.append([float(c) if c.replace(".", "", 1).lstrip("-").isdigit() else c or None for c in r])
    sheet = book.create_sheet("Recipe")
    for row in (
        ("key", "value"), ("title.en", "My index"), ("title.zh", "我的指数"), ("recipe.min_share", 0.65), ("recipe.impute", "none"), ("recipe.treat", "none"),
        ("recipe.normalise.method", "minmax"), ("recipe.range", "[0, 100]"), ("recipe.scale", "period"), ("recipe.weigh", "given"),
        ("recipe.aggregate", "arithmetic"), ("recipe.min_children", 0.5),
    ):  # fmt: skip
        sheet.append(row)
    book.save(path)
    return book


@pytest.mark.extras
def test_folder_and_workbook_have_the_same_fingerprints(tmp_path):
    workbook(tmp_path / "p.xlsx")
    one, two = biaochi.evaluate(tmp_path / "p.xlsx"), biaochi.evaluate(tmp_path / "src")
    assert one.fingerprints == two.fingerprints
    np.testing.assert_array_equal(one.scores, two.scores)


EXCEL: dict[str, tuple[Callable[[Any], object], str, str, int | None, str | None]] = {
    "merged cells": (lambda b: b["Data"].merge_cells("C2:C3"), "merged-cells", "Data", 2, "C"),
    "formula": (lambda b: b["Data"].__setitem__("C2", "=70+1.2"), "formula-cell", "Data", 2, "C"),
    "date Excel mangled": (lambda b: b["Data"].__setitem__("C2", datetime(2023, 3, 8)), "date-for-number", "Data", 2, "C (broadband)"),
    "period turned into a date": (lambda b: b["Data"].__setitem__("B2", datetime(2022, 1, 1)), "period-is-a-date", "Data", 2, "B (period)"),
    "yes/no for a number": (lambda b: b["Data"].__setitem__("C2", True), "boolean", "Data", 2, "C (broadband)"),
    "text in a number": (lambda b: b["Data"].__setitem__("C2", "n.a. yet"), "text-for-number", "Data", 2, "C (broadband)"),
    "error value": (lambda b: b["Data"].__setitem__("C2", "#N/A"), "spreadsheet-error", "Data", 2, "C"),
    "error value for a weight": (lambda b: b["Framework"].__setitem__("E3", "#DIV/0!"), "spreadsheet-error", "Framework", 3, "E"),
    "two sheets for the data": (lambda b: b.copy_worksheet(b["Data"]).__setattr__("title", "数据"), "two-sheets", None, None, None),
    "Recipe without a header": (lambda b: b["Recipe"].delete_rows(1), "missing-column", "Recipe", None, None),
    "cell at the far corner": (lambda b: b["Data"].__setitem__("XFD1048576", "x"), "sheet-too-large", None, None, None),
    "files in a workbook": (lambda b: b["Recipe"].append(["files.data", "other.csv"]), "idle-setting", "Recipe", None, None),
    "no Framework sheet": (lambda b: b.remove(b["Framework"]), "no-sheet", None, None, None),
    "setting without a value": (lambda b: b["Recipe"].append(["recipe.ties", None]), "bad-setting", "Recipe", 13, "A (key)"),
    "unknown setting": (lambda b: b["Recipe"].append(["recipy.ties", "best"]), "unknown-setting", "Recipe", None, None),
}


@pytest.mark.extras
@pytest.mark.parametrize("name", EXCEL)
def test_workbook(tmp_path, name):
    spoil, kind, sheet, row, column = EXCEL[name]
    book = workbook(tmp_path / "p.xlsx")
    spoil(book)
    book.save(tmp_path / "p.xlsx")
    with pytest.raises(BadInput) as e:
        biaochi.load(tmp_path / "p.xlsx")
    hits = [p.place for p in e.value.problems if p.kind == kind]
    assert (sheet, row, column) in [(p.sheet, p.row, p.column) for p in hits], list(e.value.problems)


@pytest.mark.extras
def test_zip_bomb_and_broken_workbooks(tmp_path):
    bomb = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("[Content_Types].xml", "<Types/>")
        z.writestr("xl/worksheets/sheet1.xml", b"0" * 600_000_000)
    cases = {"zip-bomb": bomb.read_bytes(), "not-a-workbook": b"PK\x03\x04 not really", "empty-file": b""}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as z:
        z.writestr("hello.txt", "hello")
    cases["not-a-workbook "] = buffer.getvalue()
    for kind, content in cases.items():
        (tmp_path / "b.xlsx").write_bytes(content)
        with pytest.raises(BadInput) as e:
            biaochi.load(tmp_path / "b.xlsx")
        assert [p.kind for p in e.value.problems] == [kind.strip()]
        assert e.value.problems[0].place.file == "b.xlsx"


@pytest.mark.extras
def test_sheets_of_a_data_workbook(folder):
    """One sheet is read; of several, one must be named; notes beside it harm nothing."""
    import openpyxl

    book = openpyxl.Workbook()
    for i, title in enumerate(("2022", "2023")):
        sheet = book.create_sheet(title)
        for row in (
            ["unit", "period", "broadband", "base_stations", "population", "outage", "online_sales"],
            *([u, 2022 + i, 60.0 + n, 100 * n + 9, 1000, n + 1, 7 - n] for n, u in enumerate("ABCD")),
        ):
            sheet.append(row)
    book.remove(book["Sheet"])
    book.save(folder / "d.xlsx")
    toml(folder, 'data = "data.csv"', 'data = "d.xlsx"')
    with pytest.raises(BadInput, match="which sheet is meant"):
        biaochi.load(folder)
    toml(folder, 'data = "d.xlsx"', 'data = ["d.xlsx#2022", "d.xlsx#2023"]')
    assert [str(p) for p in biaochi.load(folder).panel.periods] == ["2022", "2023"]


@pytest.mark.extras
def test_other_sheets_of_a_project_workbook_are_passed_over(tmp_path):
    book = workbook(tmp_path / "p.xlsx")
    notes = book.create_sheet("说明")
    notes.merge_cells("A1:C1")
    notes["A2"] = "=1+1"
    book.save(tmp_path / "p.xlsx")
    assert biaochi.load(tmp_path / "p.xlsx").panel.fingerprint == biaochi.load(tmp_path / "src").panel.fingerprint
