"""Variance shares of the inputs of a study, with their intervals."""

from __future__ import annotations

from typing import Any

from biaochi.errors import Lang, Text
from biaochi.figures import GREY, INK, altair, finish
from biaochi.inputs import input_name
from biaochi.sensitivity import Sensitivity


def sobol_bars(found: Sensitivity, *, target: str = "shift", lang: Lang = "en", title: str = "", note: str = "") -> Any:
    """First and total order of each input as bars, bootstrap intervals as lines."""
    alt = altair()
    kinds = {"first": Text("alone", "单独").to(lang), "total": Text("with others", "含交互").to(lang)}
    rows = [{"input": input_name(r["input"], lang), "kind": kinds[k], "share": r[k], "low": r[f"{k}_low"], "high": r[f"{k}_high"]}
            for r in found.shares[target].rows() for k in ("first", "total") if r[k] is not None]  # fmt: skip
    order = [input_name(r["input"], lang) for r in sorted(found.shares[target].rows(), key=lambda r: -(r["total"] or 0.0))]
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y("input:N", sort=order, title=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=240)),
        yOffset=alt.YOffset("kind:N", sort=list(kinds.values())),
        tooltip=[alt.Tooltip("input:N", title=Text("input", "变动项").to(lang)), alt.Tooltip("kind:N", title=" "), alt.Tooltip("share:Q", format=".3f", title=Text("share", "占比").to(lang))],
    )  # fmt: skip
    bars = base.mark_bar(height=10).encode(
        x=alt.X("share:Q", title=Text("share of the variance", "方差占比").to(lang), axis=alt.Axis(format=".0%", values=[k / 5 for k in range(6)])),
        color=alt.Color("kind:N", title=None, scale=alt.Scale(domain=list(kinds.values()), range=["#9db8d9", INK])),
    )
    ends = base.mark_rule(color=GREY, strokeWidth=1.5).encode(x="low:Q", x2="high:Q")
    told = {
        "shift": Text("of the mean shift of ranks", "位次平均变动的"),
        "correlation": Text("of the rank correlation with the nominal", "与基准位次秩相关的"),
    }[target]
    shown = Text(f"Sobol shares of the variance {told.en}, {found.runs:,} runs; lines: 90 % of bootstrap samples",
                 f"{told.zh}方差的 Sobol 分解，{found.runs:,} 次运行；细线为自助法 90 % 区间").to(lang)  # fmt: skip
    return finish(bars + ends, title, shown, note, width=480, height=alt.Step(14))
