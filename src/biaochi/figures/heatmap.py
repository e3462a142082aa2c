"""First-level scores of all units as a heat map."""

from __future__ import annotations

import textwrap
from typing import Any

from biaochi.errors import Lang, Text
from biaochi.figures import FONT, SCALE, altair, finish, named
from biaochi.figures.ranking import MOST, first_of
from biaochi.result import Result


def heatmap(result: Result, *, period: str | None = None, lang: Lang = "en", title: str = "", note: str = "") -> Any:
    """Scores of the first-level nodes; units in the order of their rank."""
    alt = altair()
    p = result.period_at(period)
    first = [n for n in result.nodes if result.framework.levels[n.code] == 1]
    shown = result.order(str(result.panel.periods[p]))[:MOST]
    labels = result.panel.labels(lang)
    rows: list[dict[str, Any]] = [
        {
            "unit": result.panel.units[u].code,
            "name": labels[u],
            "node": n.code,
            "full": n.name(lang),
            "score": float(result.scores[p, u, result.node_at(n.code)]),
        }
        for u in shown
        for n in first
    ]
    rows = [r for r in rows if r["score"] == r["score"]]
    low, high = min((r["score"] for r in rows), default=0.0), max((r["score"] for r in rows), default=1.0)
    for r in rows:
        r["dark"] = r["score"] > low + 0.7 * (high - low)  # where white reads better than black on the scale
    heads, lines = _heads({n.code: n.name(lang) for n in first}, lang)
    names = named({result.panel.units[u].code: labels[u] for u in shown})
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("node:N", sort=None, title=None, axis=alt.Axis(
            orient="top", labelAngle=0, labelExpr=f"split({named(heads)}, '|')", domain=False, ticks=False, labelPadding=15 * lines - 9)),
        y=alt.Y("unit:N", sort=None, title=None, axis=alt.Axis(labelExpr=names, domain=False, ticks=False, labelLimit=220)),
        tooltip=[alt.Tooltip("name:N", title=Text("unit", "单位").to(lang)), alt.Tooltip("full:N", title=Text("indicator", "指标").to(lang)),
                 alt.Tooltip("score:Q", format=".2f", title=Text("score", "得分").to(lang))],
    )  # fmt: skip
    colour = alt.Color(
        "score:Q",
        scale=alt.Scale(range=SCALE, domain=[low, high]),
        title=Text("score", "得分").to(lang),
        legend=alt.Legend(orient="bottom", gradientLength=220),
    )
    cells = base.mark_rect(stroke="white").encode(color=colour)
    words = base.mark_text(fontSize=12, font=FONT).encode(
        text=alt.Text("score:Q", format=".2f" if high <= 1.5 else ".0f"), color=alt.condition("datum.dark", alt.value("white"), alt.value("#222"))
    )
    subtitle = Text(f"First-level scores, {result.panel.periods[p]}", f"一级指标得分，{result.panel.periods[p]} 期").to(lang) + first_of(result, lang)
    return finish(cells + words, title, subtitle, note, width=alt.Step(118), height=alt.Step(20))


def _heads(names: dict[str, str], lang: Lang) -> tuple[dict[str, str], int]:
    """Names in up to three lines divided by bars, all with the same number of lines, and that number."""
    wrapped = {c: textwrap.wrap(n.replace("|", "/"), 8 if lang == "zh" else 16)[:3] for c, n in names.items()}
    most = max(map(len, wrapped.values()), default=1)
    return {c: "|".join([" "] * (most - len(w)) + w) for c, w in wrapped.items()}, most
