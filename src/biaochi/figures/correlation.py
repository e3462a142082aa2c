"""Correlations of indicators as a heat map, in the framework's order."""

from __future__ import annotations

from typing import Any

from biaochi.coherence import Thresholds, correlations
from biaochi.errors import Lang, Text
from biaochi.figures import FONT, altair, finish
from biaochi.result import Result

MOST = 60
"""Indicators shown at most."""
DIVERGING = ["#8c3b1f", "#e3b39c", "#f6f6f6", "#9cc3d8", "#12477f"]


def correlation(result: Result, *, period: str | None = None, lang: Lang = "en", title: str = "", note: str = "", thresholds: Thresholds = Thresholds()) -> Any:
    """Correlations of indicators after normalisation: what is negative, and what says nearly the same, stands out."""
    alt = altair()
    codes = [n.code for n in result.nodes if n.code in result.indicators][:MOST]
    got = correlations(result, codes, period=period)
    names = {c: result.framework[c].name(lang) for c in codes}
    rows: list[dict[str, Any]] = [
        {
            "a": a,
            "b": b,
            "kin": result.framework[a].parent == result.framework[b].parent,
            "first": names[a],
            "second": names[b],
            "r": float(got.r[i, j]),
            "p": float(got.p[i, j]),
            "n": int(got.n[i, j]),
        }
        for i, a in enumerate(codes)
        for j, b in enumerate(codes)
        if got.r[i, j] == got.r[i, j]
    ]
    size = 15 if len(codes) > 30 else 22
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("a:N", sort=None, title=None, axis=alt.Axis(orient="top", labelAngle=-90, domain=False, ticks=False)),
        y=alt.Y("b:N", sort=None, title=None, axis=alt.Axis(domain=False, ticks=False)),
        tooltip=[alt.Tooltip("first:N", title=" "), alt.Tooltip("second:N", title=" "), alt.Tooltip("r:Q", format=".2f"), alt.Tooltip("p:Q", format=".3f"), alt.Tooltip("n:Q")],
    )  # fmt: skip
    scale = alt.Scale(domain=[-1, 1], range=DIVERGING, interpolate="lab", domainMid=0)
    cells = base.mark_rect(stroke="white", strokeWidth=0.5).encode(
        color=alt.Color("r:Q", scale=scale, title=Text("correlation", "相关系数").to(lang), legend=alt.Legend(orient="bottom", gradientLength=220))
    )
    beyond = f"datum.kin && datum.a != datum.b && (datum.r > {thresholds.high} || datum.r < {thresholds.negative})"
    marks = (
        base.transform_filter(beyond)
        .mark_text(fontSize=size - 6, font=FONT)
        .encode(text=alt.value("●"), color=alt.condition("datum.r > 0.6 || datum.r < -0.8", alt.value("white"), alt.value("#222")))
    )
    period_name = result.panel.periods[result.period_at(period)]
    more = Text(f", the first {MOST} indicators", f"，仅列前 {MOST} 项指标") if len(result.indicators) > MOST else Text("", "")
    subtitle = Text(
        f"Pearson correlations after normalisation, {period_name}{more.en}; ● siblings above {thresholds.high:g} or below {thresholds.negative:g}",
        f"标准化后的皮尔逊相关系数，{period_name} 期{more.zh}；● 同级指标间高于 {thresholds.high:g} 或低于 {thresholds.negative:g}",
    ).to(lang)
    kin = [r for r in rows if r["kin"] and r["a"] < r["b"]]
    high, low = sum(r["r"] > thresholds.high for r in kin), sum(r["r"] < thresholds.negative for r in kin)
    title = title or Text(f"{high} pairs of sibling indicators say nearly the same, {low} pull apart", f"{high} 对同级指标几乎重复，{low} 对此消彼长").to(lang)
    return finish(cells + marks, title, subtitle, note, width=alt.Step(size), height=alt.Step(size))
