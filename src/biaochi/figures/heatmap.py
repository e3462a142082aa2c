"""First-level scores of all units as a heat map."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np

from biaochi.errors import Lang, Text
from biaochi.figures import FONT, SCALE, altair, finish
from biaochi.figures.ranking import MOST
from biaochi.result import Result


def heatmap(result: Result, *, period: str | None = None, lang: Lang = "en", title: str = "") -> Any:
    """Scores of the first-level nodes; units in the order of their rank."""
    alt = altair()
    p = result.period_at(period)
    first = [n for n in result.nodes if result.framework.levels[n.code] == 1]
    at = [result.node_at(n.code) for n in first]
    low, high = (float(f.reduce(result.scores[p][:, at], axis=None, initial=np.nan)) for f in (np.fmin, np.fmax))
    decimals = ".2f" if high <= 1.5 else ".0f"
    head, lines = _heads({n.code: n.name(lang) for n in first}, lang)
    rows = []
    for u in result.order(str(result.panel.periods[p]))[:MOST]:
        for n, i in zip(first, at, strict=True):
            score = float(result.scores[p, u, i])
            if score == score:
                rows.append({"unit": result.panel.units[u].name(lang), "node": head[n.code], "score": score, "dark": score > (low + high) / 2})
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("node:N", sort=None, title=None, axis=alt.Axis(orient="top", labelAngle=0, labelExpr="split(datum.label, '|')", domain=False, ticks=False, labelPadding=15 * lines - 9)),
        y=alt.Y("unit:N", sort=None, title=None, axis=alt.Axis(domain=False, ticks=False, labelLimit=200)),
        tooltip=[alt.Tooltip("unit:N", title=Text("unit", "单位").to(lang)), alt.Tooltip("node:N", title=Text("indicator", "指标").to(lang)),
                 alt.Tooltip("score:Q", format=".2f", title=Text("score", "得分").to(lang))],
    )  # fmt: skip
    cells = base.mark_rect(stroke="white").encode(
        color=alt.Color("score:Q", scale=alt.Scale(range=SCALE), title=Text("score", "得分").to(lang), legend=alt.Legend(orient="bottom", gradientLength=220))
    )
    words = base.mark_text(fontSize=12, font=FONT).encode(
        text=alt.Text("score:Q", format=decimals), color=alt.condition("datum.dark", alt.value("white"), alt.value("#222"))
    )
    subtitle = Text(f"First-level scores, {result.panel.periods[p]}", f"一级指标得分，{result.panel.periods[p]} 期").to(lang)
    return finish(cells + words, title, subtitle, width=alt.Step(118), height=alt.Step(20))


def _heads(names: dict[str, str], lang: Lang) -> tuple[dict[str, str], int]:
    """Names in up to three lines divided by bars, all with the same number of lines, and that number."""
    wrapped = {c: textwrap.wrap(n.replace("|", "/"), 8 if lang == "zh" else 16)[:3] for c, n in names.items()}
    most = max(map(len, wrapped.values()), default=1)
    return {c: "|".join([" "] * (most - len(w)) + w) for c, w in wrapped.items()}, most
