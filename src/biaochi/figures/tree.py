"""The framework as nested blocks whose height is the effective weight."""

from __future__ import annotations

from typing import Any

from biaochi.errors import Lang, Text
from biaochi.figures import FONT, SCALE, altair, finish
from biaochi.result import Result

ROW, LINE = 20, 16
_WIDTHS = (190, 220, 260, 320, 320, 320)


def tree(result: Result, *, lang: Lang = "en", title: str = "", note: str = "") -> Any:
    """Index at the left, indicators at the right; each node with its effective weight."""
    alt = altair()
    weights, levels = result.effective_weights, result.framework.levels
    leaves = {n.code for n in result.framework.indicators}
    depth = max(levels.values())
    smallest = min((weights[c] for c in leaves if weights[c] > 0), default=1.0)
    height = min(max(LINE / smallest, ROW * len(leaves)), ROW * len(leaves) * 3)
    top: dict[str, float] = {result.framework.root.code: 0.0}
    for n in result.nodes:
        y = top[n.code]
        for c in result.framework.children(n.code):
            top[c.code] = y
            y += weights[c.code]
    edges = [sum(_WIDTHS[min(i, 5)] for i in range(k)) for k in range(depth + 2)]
    rows = [
        {
            "x": edges[levels[n.code]], "x2": edges[depth + 1 if n.code in leaves else levels[n.code] + 1],
            "y": top[n.code] * height, "y2": (top[n.code] + weights[n.code]) * height, "level": levels[n.code],
            "name": _cut(n.name(lang), (edges[levels[n.code] + 1] - edges[levels[n.code]] - 60) / (12 if lang == "zh" else 6.4)), "full": n.name(lang), "share": f"{weights[n.code]:.1%}",
            "room": weights[n.code] * height >= LINE - 1,
        }
        for n in result.nodes
    ]  # fmt: skip
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("x:Q", axis=None, scale=alt.Scale(domain=[0, edges[-1]], nice=False)),
        y=alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[0, height], reverse=True, nice=False)),
        tooltip=[alt.Tooltip("full:N", title=Text("node", "节点").to(lang)), alt.Tooltip("share:N", title=Text("effective weight", "有效权重").to(lang))],
    )
    blocks = base.mark_rect(stroke="white", strokeWidth=1.5).encode(
        x2="x2:Q", y2="y2:Q", color=alt.Color("level:O", scale=alt.Scale(domain=list(range(6)), range=list(reversed(SCALE))), legend=None)
    )
    words = base.transform_filter("datum.room").transform_calculate(label="datum.name + '  ' + datum.share", mid="(datum.y + datum.y2) / 2")
    text = words.mark_text(align="left", dx=6, fontSize=12, font=FONT, baseline="middle").encode(
        y=alt.Y("mid:Q", axis=None), text="label:N", color=alt.condition("datum.level < 2", alt.value("white"), alt.value("#222"))
    )
    subtitle = Text("Height and figure: effective weight in the index", "高度与数字为在总指数中的有效权重").to(lang)
    return finish(blocks + text, title, subtitle, note, width=edges[-1], height=height)


def _cut(name: str, longest: float) -> str:
    return name if len(name) <= longest else name[: int(longest) - 1] + "…"
