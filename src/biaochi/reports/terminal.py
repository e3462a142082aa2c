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
from biaochi.reports.words import intervals, study_line
from biaochi.result import Result
from biaochi.robustness import Robustness

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

    for letter, p, period in (("A", first, found.first), ("B", second, found.second)):
        out.print(Line(f"{letter}  {p.name}, {period}: {p.title.to(lang)}", style="bold"), soft_wrap=True)
    for note in dict.fromkeys(n for p in (first, second) if (n := p.notice.to(lang))):
        out.print(Line(note, style="yellow"), soft_wrap=True)
    c = {k: "—" if v is None else f"{v:.3f}" for k, v in found.correlations.items()}
    shift = {k: "—" if found.correlations[k] is None else f"{found.correlations[k]:.1f}" for k in ("mean_shift", "largest_shift")}
    out.print(say(f"{found.code}: Pearson {c['pearson']}, Spearman {c['spearman']}, Kendall {c['kendall']}; ranks shift by {shift['mean_shift']} places on average, {shift['largest_shift']} at most.",
                  f"{found.code}：皮尔逊 {c['pearson']}，斯皮尔曼 {c['spearman']}，肯德尔 {c['kendall']}；位次平均变动 {shift['mean_shift']} 位，最大 {shift['largest_shift']} 位。"), soft_wrap=True)  # fmt: skip
    for t in found.notices:
        out.print(f"· {t.to(lang)}", style="dim", soft_wrap=True)
    if not found.choices:
        out.print(say("Nothing differs.", "没有差异。"))
        return
    _print_choices(out, found, say, lang)
    names = dict(zip((u.code for u in second.panel.units), second.panel.labels(lang), strict=True))
    out.print(_moved(found, top, names, say))
    for units, name in ((found.only_first, first.name), (found.only_second, second.name)):
        if units:
            out.print(
                say(f"Only in {name}: {', '.join(units[:20])}", f"仅见于 {name}：{'、'.join(units[:20])}") + (" …" if len(units) > 20 else ""), soft_wrap=True
            )


def _print_choices(out: Console, found: Comparison, say: Callable[[str, str], str], lang: Lang) -> None:
    """Each choice with its effect, and what changed in it."""
    colon = say(": ", "：")
    for k, choice in enumerate(found.choices, start=1):
        effect = say(f"{choice['mean_score']:.2f} points on average, {choice['largest_score']:.2f} at most; {choice['mean_rank']:.1f} places on average.",
                     f"平均 {choice['mean_score']:.2f} 分，最大 {choice['largest_score']:.2f} 分；平均 {choice['mean_rank']:.1f} 位。")  # fmt: skip
        out.print(f"[{k}] {choice['label'].to(lang)}{colon}{effect}", soft_wrap=True)
        for change in choice["changes"][:6]:
            name = change.get("code") or change.get("setting")
            out.print(
                f"      {name}{' ' + change['change'] if change.get('change') not in (None, name) else ''}{colon}{_cut(change['before'])} → {_cut(change['after'])}",
                style="dim",
                soft_wrap=True,
            )
        if len(choice["changes"]) > 6:
            out.print(
                say(f"      … {len(choice['changes']) - 6} more: --json has all.", f"      ……另有 {len(choice['changes']) - 6} 处，--json 含全部。"),
                style="dim",
            )


def _cut(v: Any) -> str:
    text = "—" if v is None else str(v)
    return text if len(text) < 60 else text[:57] + "…"


def _moved(found: Comparison, top: int, names: dict[str, str], say: Callable[[str, str], str]) -> Table:
    """The units that moved most; choices by their numbers."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    heads = (
        say("unit", "单位"),
        say("name", "名称"),
        say("score A", "得分 A"),
        say("score B", "得分 B"),
        say("diff.", "差"),
        say("rank A", "位次 A"),
        say("rank B", "位次 B"),
        say("places", "进退"),
    )
    for k, head in enumerate([*heads, *(f"[{i}]" for i in range(1, len(found.choices) + 1))]):
        table.add_column(head, justify="left" if k < 2 else "right", no_wrap=True, max_width=18 if k == 1 else None, overflow="ellipsis")
    rows = sorted(found.rows, key=lambda r: (-abs(r["shift"] or 0), -abs(r["difference"] or 0), r["unit"]))[:top]
    for r in rows:
        scores = [_plain(r["score_first"], 2), _plain(r["score_second"], 2), _plain(r["difference"], 2, sign=True)]
        places = "—" if r["shift"] is None else f"{r['shift']:+.0f}" if r["shift"] else "0"
        table.add_row(r["unit"], names.get(r["unit"], ""), *scores, _plain(r["rank_first"], 0), _plain(r["rank_second"], 0), places, *(_plain(r["because"].get(c["choice"]), 2, sign=True) for c in found.choices))  # fmt: skip
    return table


def _plain(v: float | None, decimals: int, *, sign: bool = False) -> str:
    return "—" if v is None else f"{v:+.{decimals}f}" if sign else f"{v:.{decimals}f}"


def print_result(
    project: Project,
    result: Result,
    agreement: Agreement | None,
    written: list[Path],
    lang: Lang,
    *,
    period: str | None,
    top: int,
    robust: Robustness | None = None,
) -> None:
    """Title, ranking of one period with intervals and first-level scores, agreement with published scores, notices, files."""
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
    sure = intervals(robust, p)
    out.print(_ranking(result, p, lang, top, out.width, sure))
    if robust is not None:
        out.print(study_line(robust, lang), style="dim", soft_wrap=True)
    hidden = len(result.panel.units) - top
    if hidden > 0:
        out.print(say(f"… {hidden:,} more units: use --top, or see the workbook.", f"……另有 {hidden:,} 个单位，可用 --top 显示，或见工作簿。"))
    if not result.counts[p, result.order(str(result.panel.periods[p]))[:top]].all():
        out.print(say("— not ranked: a reference unit, or too little data.", "— 不排名：参照单位，或数据不足。"), style="dim")
    if agreement:
        out.print(agreement.text.to(lang), soft_wrap=True)
    _print_notices(out, result, robust, lang)
    prints = result.fingerprints
    out.print(
        say("fingerprints: ", "指纹：")
        + "  ".join(f"{say(k, z)} {prints[k][:12]}" for k, z in (("framework", "指标体系"), ("recipe", "方案"), ("data", "数据"))),
        style="dim",
    )
    for path in written:
        out.print(say("wrote ", "已写出 ") + str(path), soft_wrap=True)


def _print_notices(out: Console, result: Result, robust: Robustness | None, lang: Lang) -> None:
    """What the reader must know: of the study first, then of the run."""
    for told in robust.notices if robust else ():
        out.print("· " + told.what.to(lang), style="yellow", soft_wrap=True)
    for n in result.notices[:8]:
        out.print("· " + n.say(lang).strip(), style="dim", soft_wrap=True)
    if len(result.notices) > 8:
        out.print(
            Text(
                f"· … {len(result.notices) - 8} more notices: biaochi check lists all.",
                f"· ……另有 {len(result.notices) - 8} 条说明，biaochi check 可列出全部。",
            ).to(lang),
            style="dim",
        )


def _ranking(result: Result, p: int, lang: Lang, top: int, width: int, sure: dict[int, str]) -> Table:
    first = [n for n in result.nodes if result.framework.levels[n.code] == 1]
    room = width - (9 if sure else 0)
    shown = first if 38 + 10 * len(first) <= room else []
    bars = 42 + _BAR + 16 * len(shown) <= room
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("#", justify="right")
    if sure:
        table.add_column("90 %", no_wrap=True, style="dim")
    table.add_column(Text("unit", "单位").to(lang), no_wrap=True)
    table.add_column(Text("name", "名称").to(lang), max_width=24 if bars else 16, overflow="ellipsis", no_wrap=True)
    table.add_column(Text("score", "得分").to(lang), justify="right")
    if bars:
        table.add_column("", no_wrap=True)
    for n in shown:
        table.add_column(n.name(lang), justify="right", max_width=14 if 40 + 15 * len(shown) <= room else 10, overflow="fold")
    scores = result.scores[p, :, 0]
    low, high = (float(f.reduce(scores, initial=np.nan)) for f in (np.fmin, np.fmax))
    decimals = 3 if high <= 1.5 else 2
    labels = result.panel.labels(lang)
    for u in result.order(str(result.panel.periods[p]))[:top]:
        unit, rank = result.panel.units[u], result.ranks[p, u, 0]
        cells: list[Any] = ["—" if rank != rank else f"{rank:g}", *([sure.get(u, "")] if sure else []), unit.code, labels[u], _number(scores[u], decimals)]
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
