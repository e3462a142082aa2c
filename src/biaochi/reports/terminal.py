"""Results in the terminal."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text as Line

from biaochi.audit import Audit
from biaochi.compare import Comparison
from biaochi.errors import Lang, Text
from biaochi.files.project import Project
from biaochi.published import Agreement
from biaochi.result import Result

_BAR = 12
_BLOCKS = " ▏▎▍▌▋▊▉█"


def console() -> Console:
    """Standard output; a file or a pipe has no width of its own."""
    made = Console(highlight=False, markup=False, emoji=False)
    narrow = not made.is_terminal and "COLUMNS" not in os.environ
    return Console(highlight=False, markup=False, emoji=False, width=120) if narrow else made


def print_audit(project: Project, found: Audit, written: list[Path], lang: Lang) -> None:
    """What lies beyond its threshold, section by section."""
    from biaochi.reports.audit import SECTIONS, bounds, summary

    out = console()
    out.print(Line(project.title.to(lang), style="bold"))
    out.print(Text(f"{found.period} · {found.units} units that count · {len(found.statistics)} indicators", f"{found.period} 期 · {found.units} 个参与排名的单位 · {len(found.statistics)} 项指标").to(lang))  # fmt: skip
    if project.notice.to(lang):
        out.print(Line(project.notice.to(lang), style="yellow"), soft_wrap=True)
    out.print(summary(found, lang), soft_wrap=True)
    for section, (title, kinds) in SECTIONS.items():
        told = [f for f in found.flags if f.kind in kinds]
        if told:
            out.print(Line(f"\n{title.to(lang)}", style="bold"))
            out.print(bounds(found, section, lang), style="dim", soft_wrap=True)
        for f in told:
            out.print(f"· {f.text.to(lang)}", soft_wrap=True)
    if written:
        out.print("")
    for path in written:
        out.print(Text("wrote ", "已写出 ").to(lang) + str(path), soft_wrap=True)


def print_comparison(first: Project, second: Project, found: Comparison, top: int, lang: Lang) -> None:
    """Correlations, effects of the choices, and the units that moved most with what moved them."""
    out = console()

    def say(en: str, zh: str) -> str:
        return Text(en, zh).to(lang)

    out.print(Line(f"{first.title.to(lang)} {found.first}  →  {second.title.to(lang)} {found.second}", style="bold"))
    for note in dict.fromkeys(n for p in (first, second) if (n := p.notice.to(lang))):
        out.print(Line(note, style="yellow"), soft_wrap=True)
    c = {k: "—" if v is None else f"{v:.3f}" for k, v in found.correlations.items()}
    shift = {k: "—" if found.correlations[k] is None else f"{found.correlations[k]:.1f}" for k in ("mean_shift", "largest_shift")}
    out.print(say(f"{found.code}: Pearson {c['pearson']}, Spearman {c['spearman']}, Kendall {c['kendall']}; ranks shift by {shift['mean_shift']} on average, {shift['largest_shift']} at most.",
                  f"{found.code}：皮尔逊 {c['pearson']}，斯皮尔曼 {c['spearman']}，肯德尔 {c['kendall']}；位次平均变动 {shift['mean_shift']}，最大 {shift['largest_shift']}。"), soft_wrap=True)  # fmt: skip
    if not found.choices:
        out.print(say("Nothing differs.", "没有差异。"))
    for choice in sorted(found.choices, key=lambda c: -(c["mean_score"] or 0)):
        out.print(f"· {choice['label'].to(lang)}: " + say(f"{choice['mean_score']:.2f} points on average, {choice['largest_score']:.2f} at most; {choice['mean_rank']:.1f} places on average.",
                                                          f"平均 {choice['mean_score']:.2f} 分，最大 {choice['largest_score']:.2f} 分；平均 {choice['mean_rank']:.1f} 位。"), soft_wrap=True)  # fmt: skip
    for t in found.notices:
        out.print(f"· {t.to(lang)}", style="dim", soft_wrap=True)
    out.print(_moved(found, top, lang, say))
    for units, name in ((found.only_first, first.name), (found.only_second, second.name)):
        if units:
            out.print(
                say(f"Only in {name}: {', '.join(units[:20])}", f"仅见于 {name}：{'、'.join(units[:20])}") + (" …" if len(units) > 20 else ""), soft_wrap=True
            )


def _moved(found: Comparison, top: int, lang: Lang, say: Callable[[str, str], str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for head in (say("unit", "单位"), say("score", "得分"), "→", say("difference", "差"), say("rank", "位次"), "→", say("places", "进退")):
        table.add_column(head, justify="left" if head == say("unit", "单位") else "right")
    for choice in found.choices:
        table.add_column(choice["label"].to(lang), justify="right", overflow="fold", max_width=16)
    rows = sorted(found.rows, key=lambda r: (-abs(r["shift"] or 0), -abs(r["difference"] or 0), r["unit"]))[:top]
    for r in rows:
        cells = [
            r["unit"],
            *(_plain(r[k], 2) for k in ("score_first", "score_second", "difference")),
            *(_plain(r[k], 0) for k in ("rank_first", "rank_second")),
        ]
        table.add_row(
            *cells, "—" if r["shift"] is None else f"{r['shift']:+.0f}", *(_plain(r["because"].get(c["choice"]), 2, sign=True) for c in found.choices)
        )
    return table


def _plain(v: float | None, decimals: int, *, sign: bool = False) -> str:
    return "—" if v is None else f"{v:+.{decimals}f}" if sign else f"{v:.{decimals}f}"


def print_result(project: Project, result: Result, agreement: Agreement | None, written: list[Path], lang: Lang, *, period: str | None, top: int) -> None:
    """Title, ranking of one period with first-level scores, agreement with published scores, notices, files."""
    out = console()
    p = result.period_at(period)

    def say(en: str, zh: str) -> str:
        return Text(en, zh).to(lang)

    out.print(Line(project.title.to(lang), style="bold"))
    ranked = int((~np.isnan(result.ranks[p, :, 0])).sum())
    out.print(say(f"{result.panel.periods[p]} · {ranked} units ranked · {len(result.indicators)} indicators",
                      f"{result.panel.periods[p]} 期 · {ranked} 个单位参与排名 · {len(result.indicators)} 项指标"))  # fmt: skip
    if project.notice.to(lang):
        out.print(Line(project.notice.to(lang), style="yellow"), soft_wrap=True)
    out.print(_ranking(result, p, lang, top, out.width))
    hidden = len(result.panel.units) - top
    if hidden > 0:
        out.print(say(f"… {hidden:,} more units: use --top, or see the workbook.", f"……另有 {hidden:,} 个单位，可用 --top 显示，或见工作簿。"))
    if not result.counts[p, result.order(str(result.panel.periods[p]))[:top]].all():
        out.print(say("— not ranked: a reference unit, or too little data.", "— 不排名：参照单位，或数据不足。"), style="dim")
    if agreement:
        out.print(agreement.text.to(lang), soft_wrap=True)
    for n in result.notices[:8]:
        out.print("· " + n.say(lang).strip(), style="dim", soft_wrap=True)
    if len(result.notices) > 8:
        out.print(
            say(
                f"· … {len(result.notices) - 8} more notices: biaochi check lists all.",
                f"· ……另有 {len(result.notices) - 8} 条说明，biaochi check 可列出全部。",
            ),
            style="dim",
        )
    prints = result.fingerprints
    out.print(
        say("fingerprints: ", "指纹：")
        + "  ".join(f"{say(k, z)} {prints[k][:12]}" for k, z in (("framework", "指标体系"), ("recipe", "方案"), ("data", "数据"))),
        style="dim",
    )
    for path in written:
        out.print(say("wrote ", "已写出 ") + str(path), soft_wrap=True)


def _ranking(result: Result, p: int, lang: Lang, top: int, width: int) -> Table:
    first = [n for n in result.nodes if result.framework.levels[n.code] == 1]
    shown = first if 38 + 10 * len(first) <= width else []
    bars = 42 + _BAR + 16 * len(shown) <= width
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("#", justify="right")
    table.add_column(Text("unit", "单位").to(lang), no_wrap=True)
    table.add_column(Text("name", "名称").to(lang), max_width=24 if bars else 16, overflow="ellipsis", no_wrap=True)
    table.add_column(Text("score", "得分").to(lang), justify="right")
    if bars:
        table.add_column("", no_wrap=True)
    for n in shown:
        table.add_column(n.name(lang), justify="right", max_width=14 if bars else 10, overflow="fold")
    scores = result.scores[p, :, 0]
    low, high = (float(f.reduce(scores, initial=np.nan)) for f in (np.fmin, np.fmax))
    decimals = 3 if high <= 1.5 else 2
    labels = result.panel.labels(lang)
    for u in result.order(str(result.panel.periods[p]))[:top]:
        unit, rank = result.panel.units[u], result.ranks[p, u, 0]
        cells: list[Any] = ["—" if rank != rank else f"{rank:g}", unit.code, labels[u], _number(scores[u], decimals)]
        cells += [_bar(scores[u], min(low, 0.0), high)] if bars else []
        cells += [_number(result.scores[p, u, result.node_at(n.code)], decimals) for n in shown]
        table.add_row(*cells, style="italic dim" if rank != rank else None)
    return table


def _number(value: float, decimals: int) -> str:
    return "—" if value != value else f"{value:.{decimals}f}"


def _bar(value: float, low: float, high: float) -> str:
    if value != value or not high > low:
        return ""
    eighths = round((value - low) / (high - low) * _BAR * 8)
    return "█" * (eighths // 8) + _BLOCKS[eighths % 8].strip()


def print_methods(document: list[dict[str, Any]], lang: Lang) -> None:
    """Methods with their options; one alone with its source and traits."""
    console = Console(highlight=False, markup=False, emoji=False)
    for step in dict.fromkeys(m["step"] for m in document):
        members = [m for m in document if m["step"] == step]
        console.print(Line(f"{step}  {members[0]['family']}", style="bold"))
        for m in members:
            console.print(Line(f"  {m['name']:20}").append(f"{m['label']}  ", style="cyan").append(m["summary"] if lang == "en" else ""), soft_wrap=True)
            if len({m["name"] for m in document}) == 1:
                _print_method(console, m, lang)


def _print_method(console: Console, m: dict[str, Any], lang: Lang) -> None:
    """The rest of the catalogue's entry: formula, options, edge cases, example, source."""
    if m["formula"]:
        console.print(f"\n  {m['formula'].replace('``', '').replace(chr(10), chr(10) + '  ')}\n")
    for name, default in m["options"].items():
        told = Text("required", "必填").to(lang) if name in m["required"] else f"= {default}"
        meaning = m["meanings"].get(name, "").replace("``", "")
        console.print(Line(f"  {name} {told}", style="bold").append(f"  {meaning}", style="not bold"))
    for label, text in (
        (Text("edge cases", "边界情形"), m["edge_cases"].replace("``", "")),
        (Text("example", "示例"), "  →  ".join(m["example"])),
        (Text("source", "出处"), m["source"]),
        (Text("held to", "验证依据"), m["reference"]),
        (Text("traits", "性质"), ", ".join(m["traits"])),
    ):
        if text:
            console.print(f"  {label.to(lang)}: {text}", style="dim")
