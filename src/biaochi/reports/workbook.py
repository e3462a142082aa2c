"""The Excel workbook: results, ranks, scores, data with marks, weights, method, notices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from biaochi.errors import Lang, MissingExtra, Problem, Text, refuse
from biaochi.files.excel import exact_sheet
from biaochi.files.project import Project
from biaochi.framework import Optimum
from biaochi.published import compare_published
from biaochi.reports.words import flags, headline, intervals, legend, method_rows, provenance, study_line
from biaochi.result import IMPUTED, TREATED, Result
from biaochi.robustness import Robustness

_FORMATS: dict[str, dict[str, Any]] = {
    "title": {"bold": True, "font_size": 15},
    "notice": {"font_color": "#9a3412", "italic": True},
    "head": {"bold": True, "bottom": 1, "text_wrap": True, "valign": "vcenter"},
    "names": {"bold": True, "text_wrap": True, "valign": "bottom", "align": "right"},
    "code": {"bold": True, "bottom": 1, "align": "right"},
    "grey": {"font_color": "#5b6470", "italic": True},
    "measure": {"font_color": "#5b6470", "italic": True, "align": "right"},
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


MOST_ROWS = 1_048_576


def write_workbook(
    project: Project, result: Result, path: str | Path, *, lang: Lang = "en", period: str | None = None, robust: Robustness | None = None
) -> None:
    """Write every table of a result to one Excel workbook.

    Parameters
    ----------
    project, result
        What was run, and what came out.
    path : str or Path
        The .xlsx file to write.
    lang : {"en", "zh"}
        Language of sheet names and headings; node names stand in both.
    period : str, optional
        The period of the sheet Results; the last one with scores by default.
    robust : Robustness, optional
        The study of robustness whose intervals stand beside the ranks, and on a sheet of their own.
    """
    try:
        import xlsxwriter
    except ImportError:
        raise MissingExtra("xlsxwriter", "excel") from None
    rows = result.scores.shape[0] * result.scores.shape[1] + 10
    if rows > MOST_ROWS:
        what = Text(f"a sheet would need {rows:,} rows; Excel has {MOST_ROWS:,}.", f"工作表需要 {rows:,} 行，超过 Excel 的 {MOST_ROWS:,} 行。")
        refuse([Problem("too-many-rows", what, Text("Run with --no-files, or write Parquet from Python.", "请加 --no-files，或在 Python 中写出 Parquet。"))])
    options = {"strings_to_formulas": False, "strings_to_urls": False, "nan_inf_to_errors": False}
    with xlsxwriter.Workbook(str(path), options) as book:
        book.set_properties({"title": project.title.to(lang), "comments": project.notice.to(lang)})
        writer = _Writer(book, project, result, lang, str(result.panel.periods[result.period_at(period)]), robust)
        for sheet in (_results, _ranks, *((_robustness,) if robust else ()), _scores, _data, _filled, _treatment, _weights, _method, _problems):
            sheet(writer)


class _Writer:
    """A workbook being written, with its formats and its language."""

    def __init__(self, book: Any, project: Project, result: Result, lang: Lang, period: str, robust: Robustness | None) -> None:
        self.robust = robust
        self.book, self.project, self.result, self.lang, self.period = book, project, result, lang, period
        self.formats = {name: book.add_format(f) for name, f in _FORMATS.items()}
        self.score = "fine" if np.fmax.reduce(result.scores, axis=None, initial=0.0) <= 1.5 else "number"

    def say(self, en: str, zh: str) -> str:
        return Text(en, zh).to(self.lang)

    def sheet(self, en: str, zh: str, *, landscape: bool = True) -> Any:
        """A new sheet headed by the project's title and notice."""
        sheet = self.book.add_worksheet(self.say(en, zh), exact_sheet())
        sheet.write(0, 0, f"{self.project.title.to(self.lang)} — {self.say(en, zh)}", self.formats["title"])
        sheet.write(1, 0, self.project.notice.to(self.lang), self.formats["notice"])
        sheet.hide_gridlines(2)
        sheet.set_paper(9)
        sheet.set_footer(f"&L{self.project.notice.to(self.lang)[:120].replace('&', '&&')}&R&P / &N")
        sheet.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})
        if landscape:
            sheet.set_landscape()
        return sheet

    def form(self, kind: str, digits: str) -> str:
        """The name of the format of a data cell of this kind with so many digits; made when first asked for."""
        name = f"{kind} {digits}"
        if name not in self.formats:
            self.formats[name] = self.book.add_format({**_FORMATS[kind], "num_format": digits})
        return name

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
        sheet.write_row(row, 0, [*blank, *(n.name_zh for n in nodes)], self.formats["names"])
        sheet.write_row(row + 1, 0, [*blank, *(n.name_en for n in nodes)], self.formats["names"])
        self.row(sheet, row + 2, [(c, "head" if i < len(first) else "code") for i, c in enumerate([*first, *codes])])
        sheet.freeze_panes(row + 3, len(first))
        sheet.repeat_rows(row, row + 2)
        if len(codes) > 14:  # too wide for one page: break across, keeping the names
            sheet.set_print_scale(70)
            sheet.repeat_columns(0, len(first) - 1)
        else:
            sheet.fit_to_pages(1, 0)
        longest = max((len(n.name_en) for n in nodes), default=0)
        sheet.set_row(row, 34 if any(n.name_zh for n in nodes) else 15)
        sheet.set_row(row + 1, 15 * min(-(-longest // 12) + 1, 7))
        sheet.set_column(0, len(first) - 1, 14)
        sheet.set_column(len(first), len(first) + len(codes) - 1, 13)


def _results(w: _Writer) -> None:
    r, sheet = w.result, w.sheet("Results", "结果")
    p = r.period_at(w.period)
    sheet.write(2, 0, f"{w.period}  {headline(r, w.period, w.lang)}")
    agreement = compare_published(r, w.project.published).text.to(w.lang) if w.project.published else ""
    sheet.write(3, 0, agreement)
    shown = [n.code for n in r.nodes if r.framework.levels[n.code] <= 1]
    spans = intervals(w.robust, p)
    heads = [w.say("rank", "位次"), *([w.say("90 %", "90 % 区间")] if spans else []), w.say("unit", "单位"), w.say("name", "名称")]
    k = len(heads)
    w.node_heads(sheet, 5, shown, heads)
    sheet.set_column(0, k - 3, 8)
    sheet.set_column(k - 1, k - 1, 24)
    if w.robust is not None:
        sheet.write(4, 0, study_line(w.robust, w.lang), w.formats["grey"])
    at = [r.node_at(c) for c in shown]
    row = 8
    labels = r.panel.labels(w.lang)
    for row, u in enumerate(r.order(w.period), start=8):
        rank = float(r.ranks[p, u, 0])
        form = "text" if rank == rank else "grey"
        w.row(
            sheet,
            row,
            [
                (rank if rank == rank else "—", "rank"),
                *([(spans.get(u, ""), "rank")] if spans else []),
                (r.panel.units[u].code, form),
                (labels[u], form),
                *((float(r.scores[p, u, i]), w.score) for i in at),
            ],
        )
    if not r.counts[p].all():
        sheet.write(row + 1, 0, w.say("— not ranked: a reference unit, or too little data.", "— 不排名：参照单位，或数据不足。"), w.formats["grey"])
    sheet.conditional_format(8, k, row, k, {"type": "data_bar", "bar_color": "#86c4bd", "bar_solid": True})
    sheet.conditional_format(8, k + 1, row, k + len(shown), {"type": "2_color_scale", "min_color": "#ffffff", "max_color": "#86c4bd"})


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


def _robustness(w: _Writer) -> None:
    robust, sheet = w.robust, w.sheet("Robustness", "稳健性")
    assert robust is not None
    sheet.write(2, 0, study_line(robust, w.lang), w.formats["grey"])
    told = [n.what.to(w.lang) for n in robust.notices]
    for i, text in enumerate(told):
        sheet.write(3 + i, 0, text, w.formats["grey"])
    top = 4 + len(told)
    names = (("node", "节点"), ("unit", "单位"), ("period", "期"), ("rank", "位次"), ("mean", "平均"), ("median", "中位"), ("low (5 %)", "低（5 %）"), ("high (95 %)", "高（95 %）"),
             ("mean shift", "平均变动"), ("replicates", "模拟次数"))  # fmt: skip
    w.head(sheet, top, [w.say(*n) for n in names], 3)
    keys = (("node", "text"), ("unit", "text"), ("period", "text"), ("rank", "rank"), ("mean", "number"), ("median", "rank"), ("low", "rank"), ("high", "rank"), ("mean_shift", "number"), ("replicates", "rank"))  # fmt: skip
    row = top
    for row, r in enumerate(robust.rows(), start=top + 1):
        w.row(sheet, row, [(r[key], form) for key, form in keys])
    sheet.set_column(0, 9, 13)
    sheet.autofilter(top, 0, row, 9)


def _scores(w: _Writer) -> None:
    _block(w, w.sheet("Scores", "得分"), w.result.scores, w.score, [n.code for n in w.result.nodes])


def _data(w: _Writer) -> None:
    """Values as they entered normalisation; imputed, treated and specially reported cells are marked."""
    r, sheet = w.result, w.sheet("Data", "数据")
    marked, values = flags(r), r.stages["treated"]
    w.node_heads(sheet, 4, r.indicators, [w.say("period", "期"), w.say("unit", "单位"), w.say("name", "名称")])
    sheet.write(2, 0, w.say("Values used: after denominators, imputation and treatment. Blue: imputed here; amber: treated; grey: status given by the source. Notes give the value reported.",
                            "采用值：除以分母、插补和异常值处理之后。蓝：本次插补；黄：异常值处理；灰：来源方给出的状态。批注给出上报值。"))  # fmt: skip
    sheet.write(3, 0, "; ".join(f"{k} = {v}" for k, v in legend(r, w.lang).items()), w.formats["grey"])
    units = [f"{n.unit} / {n.denominator}" if n.denominator else n.unit for n in (r.framework[c] for c in r.indicators)]
    w.row(sheet, 7, [("", "grey"), ("", "grey"), (w.say("unit of measure", "计量单位"), "grey"), *((u, "measure") for u in units)])
    forms = [_digits(values[..., i]) for i in range(len(r.indicators))]
    row = 8
    for p, period in enumerate(r.panel.periods):
        for u, unit in enumerate(r.panel.units):
            kinds = [_kind(int(m), f) for m, f in zip(r.marks[p, u], marked[p, u], strict=True)]
            cells: list[tuple[Any, str]] = [(str(period), "text"), (unit.code, "text"), (unit.name(w.lang), "text")]
            w.row(sheet, row, [*cells, *((float(v), w.form(k, f)) for v, k, f in zip(values[p, u], kinds, forms, strict=True))])
            for i in (i for i, kind in enumerate(kinds) if kind != "raw"):
                reported = float(r.stages["derived"][p, u, i])
                sheet.write_comment(row, 3 + i, f"{marked[p, u, i]}: {'—' if reported != reported else f'{reported:.10g}'}")
            row += 1
    sheet.autofilter(6, 0, row - 1, 2 + len(r.indicators))


def _filled(w: _Writer) -> None:
    """Every filled cell, by which method and from which periods; no sheet where nothing was filled."""
    heads = {
        "indicator": ("indicator", "指标"), "unit": ("unit", "单位"), "period": ("period", "期"), "method": ("method", "方法"), "source": ("from periods", "来源期"),
        "value": ("value", "值"),
    }  # fmt: skip
    _list(w, ("Filled", "插补明细"), heads, w.result.filled())


def _treatment(w: _Writer) -> None:
    """What the treatment did to each indicator and period it touched."""
    heads = {
        "indicator": ("indicator", "指标"), "period": ("period", "期"), "first": ("treatment", "处理"), "second": ("then", "再处理"), "moved": ("values moved", "改动值数"),
        "skew0": ("skewness", "偏度"), "kurtosis0": ("kurtosis", "峰度"), "skew1": ("skewness after", "处理后偏度"), "kurtosis1": ("kurtosis after", "处理后峰度"),
        "skew2": ("skewness at last", "最终偏度"), "kurtosis2": ("kurtosis at last", "最终峰度"),
    }  # fmt: skip
    _list(w, ("Treatment", "异常值处理"), heads, [r for r in w.result.treatment() if r.get("first")])


def _list(w: _Writer, name: tuple[str, str], heads: dict[str, tuple[str, str]], rows: list[dict[str, Any]]) -> None:
    if not rows or len(rows) > MOST_ROWS - 10:
        return
    kept = {k: h for k, h in heads.items() if any(r.get(k) not in (None, "") for r in rows)}
    sheet = w.sheet(*name)
    w.head(sheet, 2, [w.say(*h) for h in kept.values()], frozen=1)
    sheet.set_row(2, 32)
    for i, r in enumerate(rows, start=3):
        w.row(sheet, i, [(r.get(k), "text" if isinstance(r.get(k), str) else "rank" if isinstance(r.get(k), int) else "fine") for k in kept])
    for c, k in enumerate(kept):
        sheet.set_column(c, c, 36 if k == "method" else 15)
    sheet.autofilter(2, 0, 2 + len(rows), len(kept) - 1)


def _digits(column: Any) -> str:
    """A number format with about four significant digits for the largest value of a column."""
    largest = float(np.fmax.reduce(np.abs(column), axis=None, initial=0.0))
    digits = 2 if not largest else min(max(3 - int(np.floor(np.log10(largest))), 0), 8)
    return "#,##0" + ("." + "0" * digits if digits else "")


def _kind(marks: int, letters: str) -> str:
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
