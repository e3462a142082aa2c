"""Intervals of ranks under what-ifs, units that cannot be told apart joined by a bracket."""

from __future__ import annotations

from typing import Any

from biaochi.errors import Lang, Text
from biaochi.figures import FONT, GREY, INK, LIGHT, altair, finish, named
from biaochi.figures.ranking import MOST
from biaochi.robustness import Robustness


def rank_intervals(
    robust: Robustness, *, node: str | None = None, period: str | None = None, lang: Lang = "en", title: str = "", note: str = "", level: float = 0.9
) -> Any:
    """Nominal rank (dot), median (tick), the middle ``level`` of ranks (thick) and all but 1 % of them (thin)."""
    alt = altair()
    ranks = robust.ranks(node, period)
    labels, units = robust.result.panel.labels(lang), robust.result.panel.units
    low, high = ranks.interval(level)
    first, last = ranks.quantile(0.005, 0.995)
    shown = [int(u) for u in ranks.target.order if ranks.nominal[u] == ranks.nominal[u]][:MOST]
    heads = {units[u].code: f"{labels[u]}  {ranks.nominal[u]:g}" for u in shown}
    rows = [{"code": units[u].code, "name": labels[u], "rank": float(ranks.nominal[u]), "median": float(ranks.median[u]), "mean": float(ranks.mean[u]),
             "low": float(low[u]), "high": float(high[u]), "first": float(first[u]), "last": float(last[u])} for u in shown]  # fmt: skip
    order = [units[u].code for u in shown]
    words = {k: Text(en, zh).to(lang) for k, en, zh in (("rank", "rank", "位次"), ("median", "median", "中位"), ("low", "low", "低"), ("high", "high", "高"), ("name", "unit", "单位"))}  # fmt: skip
    axis = alt.Axis(labelExpr=named(heads), ticks=False, domain=False, labelLimit=240, labelPadding=14)
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y("code:N", scale=alt.Scale(domain=order), title=None, axis=axis),
        tooltip=[
            alt.Tooltip("name:N", title=words["name"]),
            *(alt.Tooltip(f"{k}:Q", format=".3~g", title=words[k]) for k in ("rank", "median", "low", "high")),
        ],
    )
    places = alt.Scale(zero=False, nice=False, padding=6, domainMin=1)
    head = Text("rank", "位次").to(lang)
    thin = base.mark_rule(strokeWidth=1, color=LIGHT).encode(
        x=alt.X("first:Q", title=head, scale=places, axis=alt.Axis(tickMinStep=1, format="d")), x2="last:Q"
    )
    thick = base.mark_rule(strokeWidth=6, color="#9db8d9", strokeCap="round").encode(x="low:Q", x2="high:Q")
    middle = base.mark_tick(thickness=2, height=12, color=GREY).encode(x="median:Q")
    dot = base.mark_point(filled=True, size=46, color=INK, opacity=1).encode(x="rank:Q")
    layers = [thin, thick, middle, dot]
    joined = _brackets(ranks, order)
    if joined:
        layers.insert(0, alt.Chart(alt.Data(values=joined)).mark_rule(color=GREY, strokeWidth=1.5).encode(
            y=alt.Y("a:N", scale=alt.Scale(domain=order)), y2="b:N", x=alt.value(-8), detail="k:N"))  # fmt: skip
    told = Text(f"Ranks in {robust.replicates:,} what-ifs, {ranks.period}: dot the rank of the run, tick the median, bar the middle {level:.0%}, line 99 %",
                f"{robust.replicates:,} 次模拟中的位次，{ranks.period} 期：圆点为本次计算的位次，竖线为中位数，粗条为居中 {level:.0%}，细线为 99 %").to(lang)  # fmt: skip
    more = Text("; at the left, units that cannot be told apart", "；左侧括线连接难分先后的单位").to(lang) if joined else ""
    return finish(alt.layer(*layers), title, told + more, note, width=520, height=alt.Step(20)).configure_text(font=FONT)


def _brackets(ranks: Any, order: list[str]) -> list[dict[str, Any]]:
    """Ends of the runs of units that cannot be told apart; of runs that overlap, the first."""
    if not ranks.tally.ahead.shape[1]:
        return []
    out: list[dict[str, Any]] = []
    upto = -1
    for k, group in enumerate(ranks.groups()):
        inside = [c for c in group if c in order]
        if len(inside) > 1 and order.index(inside[0]) > upto:
            out.append({"k": k, "a": inside[0], "b": inside[-1]})
            upto = order.index(inside[-1])
    return out
