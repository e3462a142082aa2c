"""Trends and chained editions in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text as Line

from biaochi.chained import Chained
from biaochi.errors import Lang, Text
from biaochi.files.project import Project
from biaochi.reports.terminal import console
from biaochi.result import Result
from biaochi.trends import Convergence

METHODS = {
    "cagr": Text("compound annual growth rate", "年均复合增长率"),
    "change": Text("change a year in percent of the start", "年变动（占起点的百分比）"),
    "linear": Text("points a year", "每年变动（分）"),
    "exponential": Text("growth rate a year (line through logarithms)", "年增长率（对数线性）"),
    "theil_sen": Text("median slope a year (Theil and Sen)", "每年变动的中位斜率（Theil–Sen）"),
}


def print_trends(project: Project, result: Result, rows: list[dict[str, Any]], closer: Convergence | None, why: Text, method: str, lang: Lang) -> None:
    """Every unit's trend, the fastest first, and convergence in one line each."""
    out = console()

    def say(en: str, zh: str) -> str:
        return Text(en, zh).to(lang)

    out.print(Line(project.title.to(lang), style="bold"))
    if project.notice.to(lang):
        out.print(Line(project.notice.to(lang), style="yellow"), soft_wrap=True)
    out.print(METHODS[method].to(lang))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for head, right in ((say("unit", "单位"), False), (say("name", "名称"), False), (say("trend", "趋势"), True), (say("95 % interval", "95 % 区间"), True),
                        ("p", True), (say("values", "值数"), True), (say("periods", "期"), False)):  # fmt: skip
        table.add_column(head, justify="right" if right else "left", no_wrap=True)
    labels = dict(zip((u.code for u in result.panel.units), result.panel.labels(lang), strict=True))
    for r in sorted(rows, key=lambda r: (r["value"] is None, -(r["value"] or 0.0), r["unit"])):
        span = "—" if r["low"] is None else f"{r['low']:.4g} … {r['high']:.4g}"
        p = "—" if r["p"] is None else "<0.001" if r["p"] < 0.0005 else f"{r['p']:.3f}"
        between = f"{r['first']}–{r['last']}" if r["first"] else "—"
        table.add_row(r["unit"], labels[r["unit"]], "—" if r["value"] is None else f"{r['value']:.4g}", span, p, str(r["n"]), between)
    out.print(table)
    out.print(_closer(closer, lang) if closer else why.to(lang), soft_wrap=True)


def _closer(c: Convergence, lang: Lang) -> str:
    """Sigma, beta and gamma in words and figures."""

    def f(v: float | None) -> str:
        return "—" if v is None else f"{v:.4g}"

    first, last = (c.sigma[0], c.sigma[-1]) if c.sigma else ({"cv": None}, {"cv": None})
    speed = f(c.beta["half_life"])
    return Text(
        f"{c.code}, {c.since} to {c.until}, {c.units} units. Spread (coefficient of variation): {f(first['cv'])} to {f(last['cv'])}, {f(c.sigma_trend['value'])} a year "
        f"({f(c.sigma_trend['low'])} to {f(c.sigma_trend['high'])}). Growth on the start (beta): {f(c.beta['slope'])}, p {f(c.beta['p'])}, half-life {speed} years. "
        f"Order of first and last (Kendall): {f(c.gamma['tau'])}.",
        f"{c.code}，{c.since} 至 {c.until}，{c.units} 个单位。离散（变异系数）：{f(first['cv'])} 至 {f(last['cv'])}，每年 {f(c.sigma_trend['value'])}（{f(c.sigma_trend['low'])} 至 {f(c.sigma_trend['high'])}）。"
        f"增长对起点（β）：{f(c.beta['slope'])}，p {f(c.beta['p'])}，半衰期 {speed} 年。首末期次序一致性（肯德尔）：{f(c.gamma['tau'])}。",
    ).to(lang)


def print_chain(projects: Sequence[Project], made: Chained, lang: Lang) -> None:
    """The rule, what changed between editions, the links, and the chained series."""
    out = console()

    def say(en: str, zh: str) -> str:
        return Text(en, zh).to(lang)

    for i, p in enumerate(projects, start=1):
        out.print(Line(say(f"edition {i}: {p.title.en}", f"第 {i} 版：{p.title.zh}"), style="bold"))
        if p.notice.to(lang):
            out.print(Line(p.notice.to(lang), style="yellow"), soft_wrap=True)
    out.print(say("Rule: ", "规则：") + made.rule.to(lang), soft_wrap=True)
    for c in made.changes[:40]:
        out.print(f"· {say('edition', '版本')} {c['edition'] + 1}: {c['code']} {c['change']}: {_told(c['before'])} → {_told(c['after'])}", soft_wrap=True)
    if len(made.changes) > 40:
        out.print(say(f"· … {len(made.changes) - 40} more: --json has all.", f"· ……另有 {len(made.changes) - 40} 处，--json 含全部。"))
    out.print(_series(made, say("unit", "单位"), say("link", "链接系数")))
    lost = sorted({k["unit"] for k in made.links if k["link"] is None})
    if lost:
        out.print(say(f"No score in a link period, so no values before it: {', '.join(lost)}", f"链接期无得分，此前无值：{'、'.join(lost)}"), soft_wrap=True)


def _told(v: Any) -> str:
    return "—" if v is None else str(v)


def _series(made: Chained, unit: str, link: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column(unit, no_wrap=True)
    editions = sorted({k["edition"] for k in made.links})
    for e in editions:
        table.add_column(f"{link} {e + 1}→{e + 2}", justify="right")
    for p, e in zip(made.periods, made.edition, strict=True):
        table.add_column(f"{p} ({e + 1})", justify="right", no_wrap=True)
    factor = {(k["edition"], k["unit"]): k["link"] for k in made.links}
    for u, code in enumerate(made.units):
        links = [factor.get((e, code)) for e in editions]
        values = made.values[:, u].tolist()
        table.add_row(code, *("—" if f is None else f"{f:.4f}" for f in links), *("—" if v != v else f"{v:.2f}" for v in values))
    return table
