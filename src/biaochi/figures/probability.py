"""Probability of every rank for every unit, as a heat map."""

from __future__ import annotations

from typing import Any

from biaochi.errors import Lang, Text
from biaochi.figures import SCALE, altair, finish, named
from biaochi.robustness import Robustness

MOST = 60
"""Units drawn at most."""


def rank_probabilities(robust: Robustness, *, node: str | None = None, period: str | None = None, lang: Lang = "en", title: str = "", note: str = "") -> Any:
    """Share of the what-ifs in which each unit had each rank; the darker, the more often."""
    alt = altair()
    ranks = robust.ranks(node, period)
    labels, units = robust.result.panel.labels(lang), robust.result.panel.units
    share = ranks.probabilities()
    shown = [int(u) for u in ranks.target.order if ranks.nominal[u] == ranks.nominal[u]][:MOST]
    order = [units[u].code for u in shown]
    rows = [{"code": units[u].code, "name": labels[u], "rank": r + 1, "share": float(share[u, r])}
            for u in shown for r in range(min(share.shape[1], 2 * MOST)) if share[u, r] >= 0.0005]  # fmt: skip
    heads = {units[u].code: labels[u] for u in shown}
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_rect()
        .encode(
            y=alt.Y("code:N", sort=order, title=None, axis=alt.Axis(labelExpr=named(heads), ticks=False, domain=False, labelLimit=240)),
            x=alt.X("rank:O", title=Text("rank", "位次").to(lang), axis=alt.Axis(labelAngle=0, labelOverlap=True)),
            color=alt.Color("share:Q", title=Text("share", "占比").to(lang), scale=alt.Scale(range=SCALE, domain=[0, 1]), legend=alt.Legend(format=".0%")),
            tooltip=[alt.Tooltip("name:N", title=Text("unit", "单位").to(lang)), alt.Tooltip("rank:O", title=Text("rank", "位次").to(lang)),
                     alt.Tooltip("share:Q", format=".1%", title=Text("share", "占比").to(lang))],
        )
    )  # fmt: skip
    told = Text(f"Share of {robust.replicates:,} what-ifs, {ranks.period}", f"占 {robust.replicates:,} 次模拟的比例，{ranks.period} 期").to(lang)
    return finish(chart, title, told, note, width=alt.Step(13), height=alt.Step(16))
