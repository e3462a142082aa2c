"""Bars of scores in the order of the ranks."""

from __future__ import annotations

from typing import Any

from biaochi.errors import Lang, Text
from biaochi.figures import FONT, GREY, INK, LIGHT, altair, finish, named
from biaochi.result import Result

MOST = 60
"""Units drawn at most; the table beside the chart has all."""


def ranking(result: Result, *, period: str | None = None, lang: Lang = "en", title: str = "", note: str = "", node: str | None = None) -> Any:
    """Scores of one node as bars, best first; reference units in grey."""
    alt = altair()
    p, n = result.period_at(period), result.node_at(node)
    labels, heads = result.panel.labels(lang), dict[str, str]()
    rows: list[dict[str, Any]] = []
    for u in result.order(str(result.panel.periods[p]), node)[:MOST]:
        score, rank, unit = result.scores[p, u, n], result.ranks[p, u, n], result.panel.units[u]
        if score == score:
            heads[unit.code] = labels[u] if rank != rank else f"{labels[u]}  {rank:g}"
            rows.append({"score": float(score), "ranked": bool(rank == rank), "name": labels[u], "code": unit.code})
    wide = max((abs(r["score"]) for r in rows), default=1.0)
    decimals = ".3f" if wide <= 1.5 else ".1f"
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y("code:N", sort=None, title=None, axis=alt.Axis(labelExpr=named(heads), ticks=False, domain=False, labelLimit=240, labelPadding=6)),
        x=alt.X("score:Q", title=None, axis=alt.Axis(tickCount=5)),
        tooltip=[alt.Tooltip("name:N", title=Text("unit", "单位").to(lang)), alt.Tooltip("code:N", title=Text("code", "代码").to(lang)),
                 alt.Tooltip("score:Q", format=decimals, title=Text("score", "得分").to(lang))],
    )  # fmt: skip
    bars = base.mark_bar(height=12).encode(color=alt.condition("datum.ranked", alt.value(INK), alt.value(LIGHT)))
    text = base.mark_text(align="left", dx=4, fontSize=12, color=GREY, font=FONT).encode(text=alt.Text("score:Q", format=decimals))
    shown = Text(f"Score and rank, {result.panel.periods[p]}", f"得分与位次，{result.panel.periods[p]} 期").to(lang) + first_of(result, lang)
    return finish(bars + text, title, shown, note, width=560, height=alt.Step(20))


def first_of(result: Result, lang: Lang) -> str:
    """What a chart must add when it cannot show all units."""
    n = len(result.panel.units)
    return Text(f"; the first {MOST} of {n:,} units", f"；仅列前 {MOST} 个单位（共 {n} 个）").to(lang) if n > MOST else ""
