"""One unit against all: its scores as dots on the range of the others."""

from __future__ import annotations

from typing import Any

import numpy as np

from biaochi.errors import Lang, Text
from biaochi.figures import GREY, INK, LIGHT, altair, finish, named
from biaochi.result import Result


def profile(result: Result, unit: str, *, period: str | None = None, lang: Lang = "en", title: str = "", note: str = "") -> Any:
    """Scores of one unit on every node above the indicators, with lowest, median and highest of all ranked units."""
    alt = altair()
    p, u = result.period_at(period), result.panel.position(unit)
    leaves = {n.code for n in result.framework.indicators}
    shown = [n for n in result.nodes if n.code not in leaves or result.framework.levels[n.code] <= 1]
    heads: dict[str, str] = {}
    rows = []
    for n in shown:
        scores = result.scores[p, :, result.node_at(n.code)]
        among = scores[result.counts[p] & ~np.isnan(scores)]
        if not among.size:
            continue
        heads[n.code] = "·\u00a0\u00a0" * max(result.framework.levels[n.code] - 1, 0) + n.name(lang)
        own = float(scores[u])
        rows.append(
            {
                "node": n.code,
                "name": n.name(lang),
                "low": float(among.min()),
                "high": float(among.max()),
                "median": float(np.median(among)),
                "own": None if own != own else own,
            }
        )
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y(
            "node:N",
            sort=None,
            title=None,
            axis=alt.Axis(labelExpr=named(heads), ticks=False, domain=False, labelLimit=300, labelAlign="left", labelPadding=260, minExtent=260),
        )
    )
    span = base.mark_rule(strokeWidth=6, color=LIGHT, opacity=0.6).encode(x=alt.X("low:Q", title=None, axis=alt.Axis(tickCount=5)), x2="high:Q")
    middle = base.mark_tick(color=GREY, thickness=2, height=12).encode(x="median:Q")
    dot = base.mark_circle(size=90, color=INK, opacity=1).encode(
        x="own:Q", tooltip=[alt.Tooltip("name:N"), alt.Tooltip("own:Q", format=".2f", title=Text("score", "得分").to(lang))]
    )
    return finish(span + middle + dot, title, "", note, width=420, height=alt.Step(22))
