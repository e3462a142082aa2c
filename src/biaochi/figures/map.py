"""A sketch map of scores."""

from __future__ import annotations

from typing import Any

from biaochi.errors import Lang, Text
from biaochi.figures import FONT, LIGHT, SCALE, altair, finish
from biaochi.files.geojson import Boundaries
from biaochi.result import Result


def sketch_map(result: Result, boundaries: Boundaries, *, period: str | None = None, lang: Lang = "en", title: str = "", note: str = "") -> Any:
    """Units coloured by their score; units without a score in grey. Not an official map, and says so."""
    alt = altair()
    p = result.period_at(period)
    features, labels = [], []
    for u, unit in enumerate(result.panel.units):
        if unit.code not in boundaries.shapes:
            continue
        score, rank = float(result.scores[p, u, 0]), float(result.ranks[p, u, 0])
        short = unit.name(lang) if len(result.panel.units) <= 20 else unit.code
        facts = {"name": unit.name(lang), "short": short, "score": None if score != score else score, "rank": None if rank != rank else rank}
        features.append({"type": "Feature", "properties": facts, "geometry": {"type": "MultiPolygon", "coordinates": boundaries.shapes[unit.code]}})
        labels.append({"type": "Feature", "properties": facts, "geometry": {"type": "Point", "coordinates": _middle(boundaries.shapes[unit.code])}})
    tooltip = [alt.Tooltip("properties.name:N", title=Text("unit", "单位").to(lang)), alt.Tooltip("properties.score:Q", format=".2f", title=Text("score", "得分").to(lang)),
               alt.Tooltip("properties.rank:Q", title=Text("rank", "位次").to(lang))]  # fmt: skip
    base = alt.Chart(alt.Data(values=features)).mark_geoshape(stroke="white", strokeWidth=0.6)
    areas = base.encode(
        color=alt.condition(
            "isValid(datum.properties.score)",
            alt.Color(
                "properties.score:Q", scale=alt.Scale(range=SCALE), title=Text("score", "得分").to(lang), legend=alt.Legend(orient="bottom", gradientLength=220)
            ),
            alt.value(LIGHT),
        ),
        tooltip=tooltip,
    )
    chart = areas
    if len(labels) <= 40:
        names = alt.Chart(alt.Data(values=labels)).encode(
            longitude="geometry.coordinates[0]:Q", latitude="geometry.coordinates[1]:Q", text="properties.short:N"
        )
        halo = names.mark_text(fontSize=11, font=FONT, stroke="white", strokeWidth=3, strokeOpacity=0.9, strokeJoin="round")
        chart = areas + halo + names.mark_text(fontSize=11, font=FONT, color="#222")
    subtitle = Text(f"Score, {result.panel.periods[p]}. A sketch, not an official map.", f"得分，{result.panel.periods[p]} 期。示意图，非官方地图。").to(lang)
    return finish(chart.project(type="identity", reflectY=True), title, subtitle, note, width=600, height=520)


def _middle(polygons: list[list[list[list[float]]]]) -> list[float]:
    """Centre of the largest polygon's outer ring."""

    def area(ring: list[list[float]]) -> float:
        return sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(ring, ring[1:] + ring[:1], strict=True)) / 2

    ring = max((poly[0] for poly in polygons), key=lambda r: abs(area(r)))
    size = 6 * area(ring)
    if not size:
        return ring[0]
    pairs = [(a, b, a[0] * b[1] - b[0] * a[1]) for a, b in zip(ring, ring[1:] + ring[:1], strict=True)]
    return [sum((a[i] + b[i]) * cross for a, b, cross in pairs) / size for i in (0, 1)]
