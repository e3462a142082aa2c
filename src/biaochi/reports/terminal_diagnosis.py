"""Diagnoses and doubts in the terminal."""

from __future__ import annotations

from pathlib import Path

from rich.text import Text as Line

from biaochi.diagnosis.diagnose import Diagnoses, Diagnosis
from biaochi.diagnosis.doubts import KINDS, Doubt
from biaochi.errors import Lang, Text
from biaochi.files.project import Project
from biaochi.reports.diagnosis import Told, Words
from biaochi.reports.terminal import console


def print_diagnoses(project: Project, made: Diagnoses, found: list[Diagnosis], written: list[Path], lang: Lang, *, full: bool) -> None:
    """Units asked for in full; else the first line of each column a unit."""
    out = console()
    out.print(Line(project.title.to(lang), style="bold"))
    if project.notice.to(lang):
        out.print(Line(project.notice.to(lang), style="yellow"), soft_wrap=True)
    words = Words(made, lang)
    for d in found:
        told = words.told(d)
        out.print()
        out.print(Line(f"{told.name} ({told.unit})  ", style="bold") + Line(told.heading, style="cyan"))
        for s in told.lead if full else told.lead[:1]:
            out.print(Line(s), soft_wrap=True)
        _columns(out, told, lang, full=full)
        if full:
            _rest(out, told, lang)
    if not full:
        out.print(
            Line(
                Text("\nbiaochi diagnose PROJECT --unit U tells everything about one unit.", "\nbiaochi diagnose PROJECT --unit U 列出一个单位的全部诊断。").to(
                    lang
                ),
                style="dim",
            )
        )
    for p in written:
        out.print(Line(Text(f"written: {p}", f"已写出：{p}").to(lang), style="dim"), soft_wrap=True)


def _columns(out: object, told: Told, lang: Lang, *, full: bool) -> None:
    sep = Text("; ", "；").to(lang)
    for head, what, items, none in told.columns:
        if full:
            out.print(Line(f"\n{head}", style="bold") + Line(f"  {what}", style="dim"))  # type: ignore[attr-defined]
        for item in items if full else items[:1]:
            lead = "  " if full else f"  {head}: "
            figure = f"  {item.figure}" if item.figure else ""
            out.print(Line(f"{lead}{item.name}{figure}  ") + Line(item.words + (sep + item.why if full and item.why else ""), style="dim"), soft_wrap=True)  # type: ignore[attr-defined]
        if full and not items:
            out.print(Line(f"  {none}"), soft_wrap=True)  # type: ignore[attr-defined]


def _rest(out: object, told: Told, lang: Lang) -> None:
    say = out.print  # type: ignore[attr-defined]
    say(Line("\n" + Text("Best levers", "进位抓手").to(lang), style="bold"))
    colon = Text(": ", "：").to(lang)
    for item in told.levers:
        say(Line(f"  {item.name}{colon}{item.words}") + Line(Text("; ", "；").to(lang) + item.why if item.why else "", style="dim"), soft_wrap=True)
    if told.levers_note:
        say(Line(f"  {told.levers_note}"), soft_wrap=True)
    if told.combination:
        say(Line(f"  {told.combination}"), soft_wrap=True)
    say(Line("\n" + Text("Where it comes from and goes to", "来路与去向").to(lang), style="bold"))
    for s in (*told.history, *told.others, *told.notices):
        say(Line(f"  {s}"), soft_wrap=True)


def print_doubts(project: Project, found: list[Doubt], top: int, lang: Lang) -> None:
    """Figures worth a phone call, the least likely first."""
    out = console()
    out.print(Line(project.title.to(lang), style="bold"))
    if project.notice.to(lang):
        out.print(Line(project.notice.to(lang), style="yellow"), soft_wrap=True)
    if not found:
        out.print(Text("No figure stands out.", "没有发现值得核实的数据。").to(lang))
        return
    cells = len({(d.unit, c) for d in found for c in d.codes})
    head = Text(
        f"{len(found):,} doubts about {cells:,} figures: reasons to ask, not accusations.", f"{len(found):,} 条疑点，涉及 {cells:,} 个数据：供核实，并非指责。"
    )
    out.print(head.to(lang))
    labels = dict(zip((u.code for u in project.panel.units), project.panel.labels(lang), strict=True))
    for d in found[:top]:
        codes = ", ".join(d.codes[:3]) + (" …" if len(d.codes) > 3 else "")
        out.print(
            Line(f"\n{labels[d.unit]} ({d.unit})  ", style="bold") + Line(KINDS[d.kind].to(lang), style="cyan") + Line(f"  {codes}", style="dim"),
            soft_wrap=True,
        )
        out.print(Line(f"  {d.reason.to(lang)}"), soft_wrap=True)
    if len(found) > top:
        out.print(Line(Text(f"\n{len(found) - top:,} more: --top, or --json.", f"\n另有 {len(found) - top:,} 条：见 --top 或 --json。").to(lang), style="dim"))
