"""The Excel workbook: results, ranks, scores, data with marks, weights, method, notices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from biaochi.compare import compare_published
from biaochi.errors import Lang, MissingExtra, Text
from biaochi.files.project import Project
from biaochi.framework import Optimum
from biaochi.reports.words import flags, headline, legend, method_rows, provenance
from biaochi.result import IMPUTED, TREATED, Result

_FORMATS: dict[str, dict[str, Any]] = {
    "title": {"bold": True, "font_size": 15},
    "notice": {"font_color": "#9a3412", "italic": True},
    "head": {"bold": True, "bottom": 1, "text_wrap": True, "valign": "vcenter"},
    "number": {"num_format": "#,##0.00"},
    "fine": {"num_format": "0.000"},
    "raw": {"num_format": "General"},
    "rank": {"num_format": "General", "align": "center"},
    "percent": {"num_format": "0.00%"},
    "text": {},
    "wrap": {"text_wrap": True, "valign": "top"},
    "imputed": {"num_format": "General", "italic": True, "bg_color": "#dbeafe"},
    "treated": {"num_format": "General", "italic": True, "bg_color": "#fde68a"},
    "reported": {"num_format": "General", "italic": True, "bg_color": "#e5e7eb"},
}


def write_workbook(project: Project, result: Result, path: str | Path, *, lang: Lang = "en") -> None:
    """Write every table of a result to one Excel workbook.

    Parameters
    ----------
    project, result
        What was run, and what came out.
    path : str or Path
        The .xlsx file to write.
    lang : {"en", "zh"}
        Language of sheet names and headings; node names stand in both.
    """
    try:
        import xlsxwriter
    except ImportError:
        raise MissingExtra("xlsxwriter", "excel") from None
    options = {"strings_to_formulas": False, "strings_to_urls": False, "nan_inf_to_errors": False}
    with xlsxwriter.Workbook(str(path), options) as book:
        book.set_properties({"title": project.title.to(lang), "comments": project.notice.to(lang)})
        writer = _Writer(book, project, result, lang)
        for sheet in (_results, _ranks, _scores, _data, _weights, _method, _problems):
            sheet(writer)


class _Writer:
    """A workbook being written, with its formats and its language."""

    def __init__(self, book: Any, project: Project, result: Result, lang: Lang) -> None:
        self.book, self.project, self.result, self.lang = book, project, result, lang
        self.formats = {name: book.add_format(f) for name, f in _FORMATS.items()}
        self.score = "fine" if np.fmax.reduce(result.scores, axis=None, initial=0.0) <= 1.5 else "number"

    def say(self, en: str, zh: str) -> str:
        return Text(en, zh).to(self.lang)

    def sheet(self, en: str, zh: str, *, landscape: bool = True) -> Any:
        """A new sheet headed by the project's title and notice."""
        sheet = self.book.add_worksheet(self.say(en, zh))
        sheet.write(0, 0, f"{self.project.title.to(self.lang)} — {self.say(en, zh)}", self.formats["title"])
        sheet.write(1, 0, self.project.notice.to(self.lang), self.formats["notice"])
        sheet.hide_gridlines(2)
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)
        if landscape:
            sheet.set_landscape()
        return sheet

    def head(self, sheet: Any, row: int, names: Sequence[str], frozen: int = 0) -> None:
        """A header row, frozen with everything above and ``frozen`` columns at the left."""
        sheet.write_row(row, 0, names, self.formats["head"])
        sheet.freeze_panes(row + 1, frozen)
        sheet.repeat_rows(row)

    def row(self, sheet: Any, row: int, cells: Iterable[tuple[Any, str]]) -> None:
        """Cells with the names of their formats; NaN and None stay empty."""
        for column, (value, form) in enumerate(cells):
            if value is None or (isinstance(value, float) and value != value):
                continue
            sheet.write(row, column, value, self.formats[form])

    def node_heads(self, sheet: Any, row: int, codes: Sequence[str], first: Sequence[str]) -> None:
        """Three header rows over node columns: Chinese name, English name, code."""
        nodes = [self.result.framework[c] for c in codes]
        blank = [""] * len(first)
        sheet.write_row(row, 0, [*blank, *(n.name("zh") for n in nodes)], self.formats["head"])
        sheet.write_row(row + 1, 0, [*blank, *(n.name("en") for n in nodes)], self.formats["head"])
        self.head(sheet, row + 2, [*first, *codes], frozen=len(first))
        sheet.set_row(row, 34)
        sheet.set_row(row + 1, 50)
        sheet.set_column(0, len(first) - 1, 14)
        sheet.set_column(len(first), len(first) + len(codes) - 1, 13)


def _results(w: _Writer) -> None:
    r, sheet = w.result, w.sheet("Results", "结果")
    p = r.period_at()
    period = str(r.panel.periods[p])
    sheet.write(2, 0, f"{period}  {headline(r, None, w.lang)}")
    agreement = compare_published(r, w.project.published).text.to(w.lang) if w.project.published else ""
    sheet.write(3, 0, agreement)
    shown = [n.code for n in r.nodes if r.framework.levels[n.code] <= 1]
    w.node_heads(sheet, 5, shown, [w.say("rank", "位次"), w.say("unit", "单位"), w.say("name", "名称")])
    sheet.set_column(0, 0, 7)
    sheet.set_column(2, 2, 24)
    at = [r.node_at(c) for c in shown]
    row = 8
    for row, u in enumerate(r.order(), start=8):
        unit = r.panel.units[u]
        w.row(
            sheet,
            row,
            [(float(r.ranks[p, u, 0]), "rank"), (unit.code, "text"), (unit.name(w.lang), "text"), *((float(r.scores[p, u, i]), w.score) for i in at)],
        )
    sheet.conditional_format(8, 3, row, 3, {"type": "data_bar", "bar_color": "#86c4bd", "bar_solid": True})
    sheet.conditional_format(8, 4, row, 3 + len(shown), {"type": "2_color_scale", "min_color": "#ffffff", "max_color": "#86c4bd"})


def _block(w: _Writer, sheet: Any, values: Any, form: str, codes: Sequence[str]) -> None:
    r = w.result
    w.node_heads(sheet, 2, codes, [w.say("period", "期"), w.say("unit", "单位"), w.say("name", "名称")])
    row = 5
    for p, period in enumerate(r.panel.periods):
        for u, unit in enumerate(r.panel.units):
            w.row(sheet, row, [(str(period), "text"), (unit.code, "text"), (unit.name(w.lang), "text"), *((float(v), form) for v in values[p, u])])
            row += 1
    sheet.autofilter(4, 0, row - 1, 2 + len(codes))


def _ranks(w: _Writer) -> None:
    _block(w, w.sheet("Ranks", "位次"), w.result.ranks, "rank", [n.code for n in w.result.nodes])


def _scores(w: _Writer) -> None:
    _block(w, w.sheet("Scores", "得分"), w.result.scores, w.score, [n.code for n in w.result.nodes])


def _data(w: _Writer) -> None:
    """Values as they entered normalisation; imputed, treated and specially reported cells are marked."""
    r, sheet = w.result, w.sheet("Data", "数据")
    marked, values = flags(r), r.stages["treated"]
    w.node_heads(sheet, 3, r.indicators, [w.say("period", "期"), w.say("unit", "单位"), w.say("name", "名称")])
    told = "; ".join(f"{k} = {v}" for k, v in legend(r, w.lang).items())
    note = w.say(
        "Values after imputation and treatment, in the indicator's unit. Marked cells carry a note with the reported value.",
        "插补和异常值处理后的值，单位见指标体系；标记单元格的批注给出上报值。",
    )
    sheet.write(2, 0, f"{note} {told}", w.formats["text"])
    row = 6
    for p, period in enumerate(r.panel.periods):
        for u, unit in enumerate(r.panel.units):
            cells = [(str(period), "text"), (unit.code, "text"), (unit.name(w.lang), "text")]
            w.row(sheet, row, [*cells, *((float(v), _data_format(int(m), f)) for v, m, f in zip(values[p, u], r.marks[p, u], marked[p, u], strict=True))])
            for i in np.flatnonzero((r.marks[p, u] & (IMPUTED | TREATED)) > 0):
                before = float(r.stages["denominated"][p, u, i])
                sheet.write_comment(row, 3 + int(i), f"{marked[p, u, i]}: {'—' if before != before else f'{before:.10g}'}")
            row += 1
    sheet.autofilter(5, 0, row - 1, 2 + len(r.indicators))


def _data_format(marks: int, letters: str) -> str:
    if marks & IMPUTED:
        return "imputed"
    if marks & TREATED:
        return "treated"
    return "reported" if any(c.isupper() for c in letters) else "raw"


def _weights(w: _Writer) -> None:
    r, sheet = w.result, w.sheet("Weights", "权重")
    w.head(sheet, 2, [w.say("code", "代码"), "中文名称", "English name", w.say("level", "层级"), w.say("parent", "上级"), w.say("weight as stated", "给定权重"),
                      w.say("weight among siblings", "同级权重"), w.say("effective weight", "有效权重"), w.say("unit", "计量单位"), w.say("direction", "方向"),
                      w.say("goalpost low", "下限"), w.say("goalpost high", "上限")], frozen=1)  # fmt: skip
    sheet.set_row(2, 34)
    for row, n in enumerate(r.nodes, start=3):
        leaf = not r.framework.children(n.code)
        direction = str(n.direction) if isinstance(n.direction, Optimum) else n.direction
        low, high = n.goalposts or (None, None)
        w.row(sheet, row, [
            (n.code, "text"), (n.name_zh, "text"), (n.name_en, "text"), (r.framework.levels[n.code], "rank"), (n.parent, "text"), (float(n.weight), "raw"),
            (float(r.weights[r.node_at(n.code)]), "percent"), (r.effective_weights[n.code], "percent"), (n.unit, "text"),
            (direction if leaf else None, "text"), (low, "raw"), (high, "raw"),
        ])  # fmt: skip
    sheet.set_column(0, 0, 16)
    sheet.set_column(1, 2, 34)
    sheet.set_column(3, 11, 14)


def _method(w: _Writer) -> None:
    sheet = w.sheet("Method", "方法", landscape=False)
    w.head(sheet, 2, [w.say("step", "步骤"), w.say("choice", "选择"), w.say("for", "适用")])
    rows = [*method_rows(w.result, w.lang), ("", "", ""), *((k, v, "") for k, v in provenance(w.result, w.lang))]
    for i, cells in enumerate(rows, start=3):
        w.row(sheet, i, [(c, "wrap") for c in cells])
    sheet.set_column(0, 0, 26)
    sheet.set_column(1, 1, 70)
    sheet.set_column(2, 2, 40)


def _problems(w: _Writer) -> None:
    sheet = w.sheet("Problems", "问题", landscape=False)
    w.head(sheet, 2, [w.say("kind", "类别"), w.say("what", "内容")])
    notices = [(n.kind, n.what.to(w.lang)) for n in w.result.notices] or [("", w.say("None.", "无。"))]
    for i, cells in enumerate(notices, start=3):
        w.row(sheet, i, [(c, "wrap") for c in cells])
    sheet.set_column(0, 0, 20)
    sheet.set_column(1, 1, 110)
