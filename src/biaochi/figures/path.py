"""Where a unit stands among its peers, over time where there is time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from biaochi.errors import Lang, Text
from biaochi.figures import FONT, GREY, INK, LIGHT, altair, finish
from biaochi.result import Result

MOST = 80
"""Peers drawn at most."""


def path(
    result: Result, unit: str, *, inside: NDArray[np.bool_] | None = None, period: str | None = None, lang: Lang = "en", title: str = "", note: str = ""
) -> Any:
    """Scores of a unit up to a period, its peers in grey; one period alone as dots on a line."""
    alt = altair()
    p, u = result.period_at(period), result.panel.position(unit)
    counted = result.counts[p] if inside is None else result.counts[p] & inside
    labels = result.panel.labels(lang)
    shown = [int(k) for k in np.flatnonzero(counted) if k != u]
    shown = [shown[int(j)] for j in np.linspace(0, len(shown) - 1, min(len(shown), MOST)).round()] if len(shown) > MOST else shown
    rows = [
        {"period": str(result.panel.periods[q]), "score": float(result.scores[q, k, 0]), "name": labels[k], "own": k == u}
        for k in (*shown, u) for q in range(p + 1) if not np.isnan(result.scores[q, k, 0])
    ]  # fmt: skip
    periods = [str(x) for x in result.panel.periods[: p + 1]]
    color = alt.condition("datum.own", alt.value(INK), alt.value(LIGHT))
    tip = [alt.Tooltip("name:N", title=Text("unit", "单位").to(lang)), alt.Tooltip("period:N", title=Text("period", "期").to(lang)),
           alt.Tooltip("score:Q", format=".3~g", title=Text("score", "得分").to(lang))]  # fmt: skip
    base = alt.Chart(alt.Data(values=rows)).encode(tooltip=tip)
    said = Text(f"Score of {labels[u]}; grey: its peers", f"{labels[u]}得分；灰色为同类单位").to(lang)
    mine = alt.Chart(alt.Data(values=[r for r in rows if r["own"]]))
    if len(periods) == 1:
        return _alone(alt, base, mine, color, (title or said, said if title else "", note))
    return _lines(alt, base, mine, periods, (title or said, said if title else "", note))


def _alone(alt: Any, base: Any, mine: Any, color: Any, told: tuple[str, str, str]) -> Any:
    """One period: dots on a line."""
    x = alt.X("score:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))
    dots = base.mark_tick(thickness=2, height=22).encode(x=x, color=color)
    own = mine.mark_point(filled=True, size=140, color=INK, opacity=1).encode(x=x)
    text = mine.mark_text(dy=-22, font=FONT, fontSize=13, color=INK).encode(x=x, text=alt.Text("score:Q", format=".3~g"))
    return finish(dots + own + text, *told, width=460, height=60)


def _lines(alt: Any, base: Any, mine: Any, periods: list[str], told: tuple[str, str, str]) -> Any:
    """Lines over time."""
    step = max(1, len(periods) // 7)
    ticks = [q for k, q in enumerate(reversed(periods)) if k % step == 0]
    at = alt.X("period:O", title=None, scale=alt.Scale(domain=periods), axis=alt.Axis(labelAngle=0, values=ticks))
    y = alt.Y("score:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=4))
    grey = base.mark_line(strokeWidth=1, color=LIGHT).encode(x=at, y=y, detail="name:N")
    own = mine.mark_line(strokeWidth=3, color=INK, point={"filled": True, "color": INK, "size": 40}).encode(x=at, y=y)
    last = alt.Chart(alt.Data(values=mine.data.values[-1:])).mark_text(align="left", dx=8, font=FONT, fontSize=13, color=GREY)
    return finish(grey + own + last.encode(x=at, y=y, text=alt.Text("score:Q", format=".3~g")), *told, width=460, height=150)
