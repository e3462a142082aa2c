"""Bars of scores in the order of the ranks."""

from __future__ import annotations

from typing import Any

from biaochi.errors import Lang, Text
from biaochi.figures import FONT, GREY, INK, LIGHT, altair, finish
from biaochi.result import Result

MOST = 60
"""Units drawn at most; the table beside the chart has all."""


def ranking(result: Result, *, period: str | None = None, lang: Lang = "en", title: str = "", node: str | None = None) -> Any:
    """Scores of one node as bars, best first; reference units in grey."""
    alt = altair()
    p, n = result.period_at(period), result.node_at(node)
    rows: list[dict[str, Any]] = []
    for u in result.order(str(result.panel.periods[p]), node)[:MOST]:
        score, rank, unit = result.scores[p, u, n], result.ranks[p, u, n], result.panel.units[u]
        if score == score:
            label = unit.name(lang) if rank != rank else f"{unit.name(lang)}  {rank:g}"
            rows.append({"label": label, "score": float(score), "ranked": bool(rank == rank), "name": unit.name(lang), "code": unit.code})
    wide = max((abs(r["score"]) for r in rows), default=1.0)
    decimals = ".3f" if wide <= 1.5 else ".1f"
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y("label:N", sort=None, title=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=240, labelPadding=6)),
        x=alt.X("score:Q", title=None, axis=alt.Axis(tickCount=5)),
        tooltip=[alt.Tooltip("name:N", title=Text("unit", "单位").to(lang)), alt.Tooltip("code:N", title=Text("code", "代码").to(lang)),
                 alt.Tooltip("score:Q", format=decimals, title=Text("score", "得分").to(lang))],
    )  # fmt: skip
    bars = base.mark_bar(height=12).encode(color=alt.condition("datum.ranked", alt.value(INK), alt.value(LIGHT)))
    text = base.mark_text(align="left", dx=4, fontSize=12, color=GREY, font=FONT).encode(text=alt.Text("score:Q", format=decimals))
    cut = len(result.panel.units) - MOST
    shown = Text(f"Score and rank, {result.panel.periods[p]}", f"得分与位次，{result.panel.periods[p]} 期").to(lang)
    if cut > 0:
        shown += Text(f"; first {MOST} of {len(result.panel.units):,} units", f"；仅列前 {MOST} 名（共 {len(result.panel.units)} 个单位）").to(lang)
    return finish(bars + text, title, shown, width=560, height=alt.Step(20))
