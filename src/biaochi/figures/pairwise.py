"""Who is ahead of whom: probability for every pair of units."""

from __future__ import annotations

from typing import Any

from biaochi.errors import BadOption, Lang, Text
from biaochi.figures import altair, finish, named
from biaochi.robustness import Robustness

MOST = 40
"""Units drawn at most."""


def pairwise(robust: Robustness, *, node: str | None = None, period: str | None = None, lang: Lang = "en", title: str = "", note: str = "") -> Any:
    """Share of the what-ifs in which the unit of the row is ahead of that of the column; a shared rank counts half."""
    alt = altair()
    ranks = robust.ranks(node, period)
    if not ranks.tally.ahead.shape[1]:
        raise BadOption("pairwise", "needs a study made with pairs=True.", "需要以 pairs=True 运行的研究。")
    labels, units = robust.result.panel.labels(lang), robust.result.panel.units
    shown = [int(u) for u in ranks.target.order if ranks.nominal[u] == ranks.nominal[u]][: min(MOST, ranks.tally.ahead.shape[1] + 1)]
    order = [units[u].code for u in shown]
    rows = [{"a": x, "b": y, "share": ranks.ahead(x, y)} for x in order for y in order if x != y]
    heads = named({units[u].code: labels[u] for u in shown})
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_rect()
        .encode(
            y=alt.Y("a:N", sort=order, title=None, axis=alt.Axis(labelExpr=heads, ticks=False, domain=False, labelLimit=200)),
            x=alt.X("b:N", sort=order, title=None, axis=alt.Axis(ticks=False, domain=False, labelAngle=-90, orient="top")),
            color=alt.Color("share:Q", title=Text("ahead", "领先概率").to(lang), scale=alt.Scale(range=["#b45309", "#e3b98c", "#f7f5f2", "#9db8d9", "#12477f"], domain=[0, 0.25, 0.5, 0.75, 1], type="linear"), legend=alt.Legend(format=".0%")),
            tooltip=[alt.Tooltip("a:N", title=" "), alt.Tooltip("b:N", title=Text("ahead of", "领先于").to(lang)), alt.Tooltip("share:Q", format=".1%", title=Text("share", "占比").to(lang))],
        )
    )  # fmt: skip
    told = Text(
        f"How often the row is ahead of the column in {robust.replicates:,} what-ifs, {ranks.period}",
        f"{robust.replicates:,} 次模拟中行单位领先列单位的比例，{ranks.period} 期",
    ).to(lang)
    ranked = int((ranks.nominal == ranks.nominal).sum())
    if len(order) < ranked:
        told += Text(f"; the first {len(order)} of {ranked:,} units", f"；仅列前 {len(order)} 个单位（共 {ranked} 个）").to(lang)
    return finish(chart, title, told, note, width=alt.Step(14), height=alt.Step(14))
