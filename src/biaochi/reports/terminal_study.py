"""A study of robustness in the terminal."""

from __future__ import annotations

from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text as Line

from biaochi.errors import Lang, Text
from biaochi.files.project import Project
from biaochi.inputs import input_name
from biaochi.ranks import Ranks
from biaochi.reports.robustness import lead, words
from biaochi.reports.terminal import console
from biaochi.reports.words import intervals, study_line
from biaochi.robustness import Robustness
from biaochi.sensitivity import Sensitivity

MOST = 60
"""Units shown."""


def print_study(
    project: Project, made: Robustness, found: Sensitivity | None, written: list[Path], lang: Lang, *, node: str | None, period: str | None
) -> None:  # fmt: skip
    """The finding in words, what varied, units with their intervals, units that cannot be told apart, what moves the ranks."""
    out = console()
    out.print(Line(project.title.to(lang), style="bold"))
    if project.notice.to(lang):
        out.print(Line(project.notice.to(lang), style="yellow"), soft_wrap=True)
    out.print(lead(made, lang, node, period), soft_wrap=True)
    for v in made.plan.vary:
        out.print(f"· {input_name(v.name, lang)}: {words(v.to_dict(), lang)}", style="dim", soft_wrap=True)
    ranks = made.ranks(node, period)
    _print_ranks(out, made, ranks, node, lang)
    out.print(study_line(made, lang), style="dim", soft_wrap=True)
    if ranks.tally.ahead.shape[1]:
        groups = [", ".join(g[:8]) + (" …" if len(g) > 8 else "") for g in ranks.groups()]
        if groups:
            out.print(Text("cannot be told apart: ", "难分先后：").to(lang) + " | ".join(groups[:12]) + (" | …" if len(groups) > 12 else ""), soft_wrap=True)
    _print_shares(out, found, lang)
    for told in made.notices:
        out.print("· " + told.what.to(lang), style="yellow", soft_wrap=True)
    for path in written:
        out.print(Text("wrote ", "已写出 ").to(lang) + str(path), soft_wrap=True)


def _print_ranks(out: Console, made: Robustness, ranks: Ranks, node: str | None, lang: Lang) -> None:
    """Units with their intervals, best first."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    heads = [
        ("#", "#"),
        ("90 %", "90 %"),
        ("unit", "单位"),
        ("name", "名称"),
        ("mean", "平均"),
        ("median", "中位"),
        ("mean shift", "平均变动"),
        ("top 10", "前十"),
        ("error", "误差"),
    ]
    for k, (en, zh) in enumerate(heads):
        table.add_column(Text(en, zh).to(lang), justify="left" if k in (2, 3) else "right", no_wrap=True, max_width=24 if k == 3 else None, overflow="ellipsis")
    spans, labels, top = intervals(made, ranks.target.period, node), made.result.panel.labels(lang), ranks.top(10)
    order = [int(u) for u in ranks.target.order if ranks.number[int(u)] > 0]
    for u in order[:MOST]:
        nominal = ranks.nominal[u]
        table.add_row(
            "—" if nominal != nominal else f"{nominal:g}", spans.get(u, ""), made.result.panel.units[u].code, labels[u], f"{ranks.mean[u]:.1f}", f"{ranks.median[u]:.0f}",
            "—" if ranks.mean_shift[u] != ranks.mean_shift[u] else f"{ranks.mean_shift[u]:.1f}", f"{top[u]:.0%}", "—" if ranks.error_of_mean[u] != ranks.error_of_mean[u] else f"{ranks.error_of_mean[u]:.2f}",
        )  # fmt: skip
    out.print(table)
    if len(order) > MOST:
        out.print(Text(f"… {len(order) - MOST:,} more units: --json has all.", f"……另有 {len(order) - MOST:,} 个单位，--json 含全部。").to(lang), style="dim")


def _print_shares(out: Console, found: Sensitivity | None, lang: Lang) -> None:
    """What moves the ranks, the strongest first."""
    if found is None:
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for k, (en, zh) in enumerate(
        (("what moves the ranks", "哪些选择影响位次"), ("alone", "单独"), ("90 %", "90 %"), ("with others", "含交互"), ("90 %", "90 %"))
    ):
        table.add_column(Text(en, zh).to(lang), justify="left" if k == 0 else "right")
    for r in sorted(found.shares["shift"].rows(), key=lambda r: -(r["total"] or 0.0)):
        cells = [f"{max(r[k], 0.0):.0%}" if r[k] is not None else "—" for k in ("first", "first_low", "first_high", "total", "total_low", "total_high")]
        table.add_row(input_name(r["input"], lang), cells[0], f"{cells[1]}–{cells[2]}", cells[3], f"{cells[4]}–{cells[5]}")
    out.print(table)
    out.print(
        Text(f"share of the variance of the mean shift of ranks (Sobol, {found.runs:,} runs)", f"位次平均变动的方差占比（Sobol，{found.runs:,} 次运行）").to(
            lang
        ),
        style="dim",
    )
