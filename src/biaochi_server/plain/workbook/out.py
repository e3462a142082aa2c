"""The form as an Excel workbook."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE, Cell
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Border, Font, PatternFill, Protection, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from biaochi_server.plain.numbers import read as read_number
from biaochi_server.plain.workbook.layout import (
    CHECK,
    COLUMNS,
    FILLS,
    FORMAT,
    HEAD,
    HIDDEN,
    INK,
    LINE,
    META,
    NOTE,
    QUIET,
    TEXT,
    WIDTHS,
    Line,
)


def clean(text: str) -> str:
    """Without characters that a workbook can't hold."""
    return ILLEGAL_CHARACTERS_RE.sub("\ufffd", text)


def _say(cell: Cell, text: str) -> None:
    """Write a text that stays a text, whatever it begins with."""
    cell.value = clean(text)
    if cell.value and cell.value[0] in "=+-@":
        cell.data_type = "s"
        cell.quotePrefix = True


def _put(cell: Cell, text: str) -> None:
    """Write a figure as a number where that loses nothing."""
    value = read_number(text).value
    if value is not None and len(value.as_tuple().digits) <= 15 and abs(value.adjusted()) <= 15:
        cell.value = int(value) if value == value.to_integral_value() else float(value)
        return
    _say(cell, text)


def make(lines: Sequence[Line], meta: Mapping[str, str], words: Mapping[str, str], *, title: str, notice: str) -> bytes:
    """The workbook of a form: figures to fill in, everything else locked; marks where something is wrong, and a sheet that lists them.

    Parameters
    ----------
    words : by column name its header; and ``sheet``, ``problems``, ``how``, ``refused``, ``where``, ``what``.
    """
    book = Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet.title = words["sheet"]
    _head(sheet, words, title, notice)
    marked: list[tuple[str, Line]] = []
    at, branch = HEAD + 1, ""
    for line in lines:
        if line.branch != branch:
            branch = line.branch
            _say(sheet.cell(at, 1), branch)
            sheet.cell(at, 1).font = Font(bold=True, color=INK)
            at += 1
        _line(sheet, at, line, words)
        if line.marks:
            marked.append((f"{get_column_letter(TEXT)}{at}", line))
        at += 1
    _validated(sheet, lines, words)
    _frame(sheet, at - 1)
    if marked:
        _list(book.create_sheet(words["problems"]), sheet.title, marked, words)
    _address(book.create_sheet(META), meta)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _address(sheet: Worksheet, meta: Mapping[str, str]) -> None:
    """Where the workbook belongs, on a sheet that nobody sees."""
    for k, (name, value) in enumerate({"format": FORMAT, **meta}.items(), 1):
        _say(sheet.cell(k, 1), name)
        _say(sheet.cell(k, 2), value)
    sheet.sheet_state = "veryHidden"
    sheet.protection.sheet = True


def _head(sheet: Worksheet, words: Mapping[str, str], title: str, notice: str) -> None:
    """Title, notice, how to use it, column headers."""
    for row, text in ((1, title), (2, notice), (3, words["how"])):
        _say(sheet.cell(row, 1), text)
    sheet.cell(1, 1).font = Font(bold=True, size=14)
    sheet.cell(2, 1).font = Font(bold=True, color="8A5A00")
    sheet.cell(3, 1).font = Font(color=QUIET)
    for k, name in enumerate(COLUMNS + HIDDEN, 1):
        cell = sheet.cell(HEAD, k, words.get(name, name))
        cell.font, cell.border = Font(bold=True, color=INK), Border(bottom=Side("medium", color=INK))
        cell.alignment = Alignment(wrap_text=True, vertical="center", horizontal="right" if name in ("text", "last", "year_ago", "growth") else "left")


def _line(sheet: Worksheet, at: int, line: Line, words: Mapping[str, str]) -> None:
    """One row."""
    was = line.text if line.was is None else line.was
    was_note = line.note if line.was_note is None else line.was_note
    for k, name in enumerate((*COLUMNS[:4], "", "last", "year_ago", "growth", "state"), 1):
        if name:
            (_put if name in ("last", "year_ago", "growth") else _say)(sheet.cell(at, k), getattr(line, name))
    _put(sheet.cell(at, TEXT), line.text)
    if line.writable and line.growth:
        now, before = (f"{get_column_letter(k)}{at}" for k in (TEXT, COLUMNS.index("year_ago") + 1))
        sheet.cell(at, COLUMNS.index("growth") + 1).value = f'=IF(AND(ISNUMBER({now}),ISNUMBER({before}),{before}>0),ROUND(({now}/{before}-1)*100,1),"—")'
    _say(sheet.cell(at, NOTE), line.note)
    _say(sheet.cell(at, CHECK), " ".join(m.sentence for m in line.marks))
    for k, value in enumerate((line.unit, str(line.version), was, was_note), len(COLUMNS) + 1):
        _say(sheet.cell(at, k), value)
    grave = next((s for s in ("hard", "soft") if any(m.severity == s for m in line.marks)), "open" if line.writable else "shut")
    side = Side("thin", color=LINE)
    for k in range(1, len(COLUMNS) + 1):
        cell = sheet.cell(at, k)
        cell.border = Border(bottom=side) if k not in (TEXT, NOTE) or not line.writable else Border(side, side, side, side)
        cell.alignment = Alignment(wrap_text=k in (2, NOTE, CHECK), vertical="top", horizontal="right" if k in (TEXT, 6, 7, 8) else "left")
        if k in (TEXT, NOTE):
            cell.protection = Protection(locked=not line.writable)
            cell.fill = PatternFill("solid", fgColor=FILLS[grave if k == TEXT or grave in ("open", "shut") else "open"])
    if line.marks:
        comment = Comment(clean("\n".join(m.sentence for m in line.marks)), words["sheet"])
        comment.width, comment.height = 320, 40 + 36 * len(line.marks)
        sheet.cell(at, TEXT).comment = comment


def _validated(sheet: Worksheet, lines: Sequence[Line], words: Mapping[str, str]) -> None:
    """Let Excel itself refuse what can't be: one rule for each set of limits."""
    column = get_column_letter(TEXT)
    rows = {(str(c[len(COLUMNS)].value), str(c[0].value)): c[0].row for c in sheet.iter_rows(min_row=HEAD + 1)}
    rules: dict[tuple[str, str, bool], DataValidation] = {}
    for line in lines:
        if not line.writable:
            continue
        at = f"{column}{rows[line.unit, line.code]}"
        key = (line.low, line.high, line.whole)
        if key not in rules:
            tests = [
                f"ISNUMBER({at})",
                *([f"{at}>={line.low}"] if line.low else []),
                *([f"{at}<={line.high}"] if line.high else []),
                *([f"{at}=INT({at})"] if line.whole else []),
            ]
            rule = DataValidation("custom", formula1=f'OR({at}="—",{at}="…",AND({",".join(tests)}))', allow_blank=True, showErrorMessage=True)
            limits = "  ".join(t for t in (line.low and f"≥ {line.low}", line.high and f"≤ {line.high}") if t)
            rule.errorTitle, rule.error = words["refused"][:32], f"{words['allowed']} {limits}"[:255]
            rules[key] = rule
            sheet.add_data_validation(rule)
        rules[key].add(at)


def _frame(sheet: Worksheet, last: int) -> None:
    """Locked, frozen, fitted to the page."""
    for k, name in enumerate(COLUMNS + HIDDEN, 1):
        sheet.column_dimensions[get_column_letter(k)].width = WIDTHS.get(name, 10)
        sheet.column_dimensions[get_column_letter(k)].hidden = name in HIDDEN
    sheet.freeze_panes = sheet.cell(HEAD + 1, 3)
    protection = sheet.protection
    protection.sheet, protection.formatColumns, protection.formatRows = True, False, False
    sheet.print_title_rows = f"{HEAD}:{HEAD}"
    sheet.print_area = f"A1:{get_column_letter(len(COLUMNS))}{last}"
    sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", 9
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True


def _list(sheet: Worksheet, form: str, marked: Sequence[tuple[str, Line]], words: Mapping[str, str]) -> None:
    """Everything that is wrong, each with a link to its cell."""
    for k, (name, width) in enumerate((("where", 10), ("name", 40), ("place", 16), ("text", 16), ("what", 90)), 1):
        sheet.cell(1, k, words[name]).font = Font(bold=True, color=INK)
        sheet.column_dimensions[get_column_letter(k)].width = width
    for at, (where, line, mark) in enumerate([(w, n, m) for w, n in marked for m in n.marks], 2):
        link = sheet.cell(at, 1, where)
        link.hyperlink = f"#'{form}'!{where}"
        link.font = Font(color=INK, underline="single")
        for k, text in enumerate((f"{line.code} {line.name}", line.place, line.text, mark.sentence), 2):
            _say(sheet.cell(at, k), text)
            sheet.cell(at, k).alignment = Alignment(wrap_text=True, vertical="top")
        sheet.cell(at, 5).fill = PatternFill("solid", fgColor=FILLS[mark.severity])
    sheet.freeze_panes = "A2"
