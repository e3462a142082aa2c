"""Best and worst rank that any weights of a region can give."""

from __future__ import annotations

from typing import Any

from biaochi.errors import Lang, Text
from biaochi.figures import INK, altair, finish, named
from biaochi.figures.ranking import MOST
from biaochi.reachable import Reachable


def reachable(found: Reachable, *, lang: Lang = "en", title: str = "", note: str = "", region: str = "") -> Any:
    """For each unit a line from its best to its worst reachable rank, and its rank under the stated weights."""
    alt = altair()
    names = dict(zip((u.code for u in found.field.result.panel.units), found.field.result.panel.labels(lang), strict=True))
    rows = [{**{k: r[k] for k in ("unit", "rank", "best", "worst")}, "name": names[r["unit"]]} for r in found.rows()[:MOST]]
    heads = {r["unit"]: f"{r['name']}  {r['rank']}" for r in rows}
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y("unit:N", sort=[r["unit"] for r in rows], title=None, axis=alt.Axis(labelExpr=named(heads), ticks=False, domain=False, labelLimit=240)),
        tooltip=[alt.Tooltip("name:N", title=Text("unit", "单位").to(lang)), *(alt.Tooltip(f"{k}:Q", title=Text(k, zh).to(lang)) for k, zh in (("best", "最好"), ("rank", "位次"), ("worst", "最差")))],
    )  # fmt: skip
    line = base.mark_rule(strokeWidth=5, color="#9db8d9", strokeCap="round").encode(
        x=alt.X("best:Q", title=Text("rank", "位次").to(lang), scale=alt.Scale(zero=False, nice=False, padding=6, domainMin=1), axis=alt.Axis(tickMinStep=1, format="d")), x2="worst:Q")  # fmt: skip
    dot = base.mark_point(filled=True, size=46, color=INK, opacity=1).encode(x="rank:Q")
    told = Text(
        f"Best and worst rank under any weights within {region or 'the region'}; dot: as stated",
        f"权重在{region or '区域'}内任意取值时可达的最好与最差位次；圆点为既定权重",
    ).to(lang)
    return finish(line + dot, title, told, note, width=520, height=alt.Step(20))
