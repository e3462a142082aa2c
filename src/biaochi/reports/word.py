"""Diagnoses as a Word file: a page a unit, to be edited and sent on."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

from biaochi.errors import Lang, MissingExtra, Text
from biaochi.reports.diagnosis import Told

GREY = "5B6470"
COLOURS = ("9F1239", "B45309", "0F766E")


def write_word(path: str | Path, title: str, notice: str, pages: list[tuple[Told, bytes]], how: str, lang: Lang) -> None:
    """Write diagnoses as a .docx file.

    Parameters
    ----------
    path : str or Path
    title, notice : str
        What it is, and what must be said on every page.
    pages : list of (Told, bytes)
        Each unit's words and its picture (PNG).
    how : str
        How it was made.
    lang : {"en", "zh"}

    Raises
    ------
    MissingExtra
        Without python-docx.
    """
    try:
        import docx
    except ImportError:
        raise MissingExtra("docx", "word") from None
    document: Any = docx.Document()
    _styled(document, lang)
    document.core_properties.title = title
    header = document.sections[0].header.paragraphs[0]
    header.text = f"{title}  {notice}".strip()
    for k, (told, picture) in enumerate(pages):
        if k:
            document.add_page_break()
        _page(document, told, picture, lang)
    _small(document, how)
    document.save(str(path))


def _styled(document: Any, lang: Lang) -> None:
    from docx.oxml.ns import qn
    from docx.shared import Cm, Pt

    section = document.sections[0]
    section.page_width, section.page_height = Cm(21), Cm(29.7)
    section.left_margin = section.right_margin = Cm(1.8)
    section.top_margin = section.bottom_margin = Cm(1.5)
    for name, size in (("Normal", 10), ("Heading 1", 18), ("Heading 2", 12), ("Header", 8)):
        style = document.styles[name]
        style.font.size = Pt(size)
        style.font.name = "Calibri"
        style.element.get_or_add_rPr().get_or_add_rFonts().set(qn("w:eastAsia"), "Microsoft YaHei")
        if name != "Header":
            style.paragraph_format.space_after, style.paragraph_format.space_before = Pt(3), Pt(6 if name == "Heading 2" else 0)
    language = document.styles["Normal"].element.get_or_add_rPr()
    tag = language.makeelement(qn("w:lang"), {qn("w:val"): "en-GB", qn("w:eastAsia"): "zh-CN"})
    language.append(tag)


def _page(document: Any, told: Told, picture: bytes, lang: Lang) -> None:
    from docx.shared import Cm

    document.add_heading(f"{told.name}  {told.heading}", 1)
    for s in told.lead:
        document.add_paragraph(s)
    document.add_picture(BytesIO(picture), width=Cm(8.5))
    for (head, what, items, none), colour in zip(told.columns, COLOURS, strict=True):
        _heading(document, head, colour, what)
        _table(document, items, none)
    _heading(document, Text("Best levers", "进位抓手").to(lang), "1F4E8C", "")
    _table(document, told.levers, told.levers_note)
    if told.combination:
        document.add_paragraph(told.combination)
    _heading(document, Text("Where it comes from and goes to", "来路与去向").to(lang), "1F4E8C", "")
    for s in (*told.history, *told.others):
        document.add_paragraph(s)
    for s in told.notices:
        _small(document, s)


def _heading(document: Any, text: str, colour: str, what: str) -> None:
    from docx.shared import Pt, RGBColor

    made = document.add_heading(text, 2)
    made.runs[0].font.color.rgb = RGBColor.from_string(colour)
    if what:
        run = made.add_run(f"  {what}")
        run.font.size, run.font.bold, run.font.color.rgb = Pt(9), False, RGBColor.from_string(GREY)


def _table(document: Any, items: Any, none: str) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.shared import Cm, Pt

    if not items:
        document.add_paragraph(none)
        return
    table = document.add_table(rows=0, cols=2)
    table.autofit = False
    for column, width in zip(table.columns, (14.2, 3.2), strict=True):
        column.width = Cm(width)
    for line in items:
        cells = table.add_row().cells
        cells[0].width, cells[1].width = Cm(14.2), Cm(3.2)
        first = cells[0].paragraphs[0]
        first.add_run(line.name).bold = True
        first.add_run("  " + line.words)
        if line.why:
            first.add_run("\n")
            _grey(first, line.why)
        for cell in cells:
            cell.paragraphs[0].paragraph_format.space_after = Pt(2)
        cells[1].paragraphs[0].alignment = WD_ALIGN_PARAGRAPH.RIGHT
        cells[1].paragraphs[0].add_run(line.figure).bold = True


def _small(document: Any, text: str) -> None:
    _grey(document.add_paragraph(), text)


def _grey(paragraph: Any, text: str) -> None:
    from docx.shared import Pt, RGBColor

    run = paragraph.add_run(text)
    run.font.size, run.font.color.rgb = Pt(9), RGBColor.from_string(GREY)
