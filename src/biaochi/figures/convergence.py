"""How estimates settle as the number of samples grows."""

from __future__ import annotations

from typing import Any

from biaochi.errors import Lang, Text
from biaochi.figures import altair, finish
from biaochi.inputs import input_name
from biaochi.sensitivity import Sensitivity


def convergence_trace(found: Sensitivity, *, lang: Lang = "en", title: str = "", note: str = "") -> Any:
    """Total order of each input for the mean shift of ranks after 16, 32, ... samples."""
    alt = altair()
    rows = [{"samples": r["samples"], "input": input_name(r["input"], lang), "total": r["total"]} for r in found.trace if r["total"] is not None]
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_line(point=True, strokeWidth=1.5)
        .encode(
            x=alt.X("samples:Q", scale=alt.Scale(type="log", base=2), title=Text("samples", "样本数").to(lang), axis=alt.Axis(tickCount=8, format="d")),
            y=alt.Y("total:Q", title=Text("share of the variance, with others", "方差占比（含交互）").to(lang), axis=alt.Axis(format=".0%")),
            color=alt.Color(
                "input:N", title=None, scale=alt.Scale(range=["#12477f", "#b45309", "#4a9eae", "#6b7280", "#7c3f8c", "#3f7d4e", "#a63d40", "#86c4bd"])
            ),
        )
    )
    told = Text("Estimates from the first so many samples", "取前若干样本的估计").to(lang)
    return finish(chart, title, told, note, width=480, height=220)
