"""Boundaries of units from GeoJSON, flattened for a sketch map."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biaochi.errors import Place, Problem, Text, refuse
from biaochi.files.csv import decode


@dataclass(frozen=True)
class Boundaries:
    """Polygons by unit code, in a flat coordinate system (x east, y north, shapes true in the middle)."""

    shapes: Mapping[str, list[list[list[list[float]]]]]
    """Code -> polygons -> rings -> [x, y]."""
    file: str = ""

    def problems(self, codes: Iterable[str], key: str) -> list[Problem]:
        """Units that would be missing from the map."""
        return [
            Problem("no-boundary", Text(f"the unit {c!r} has no boundary (no feature with {key} = {c!r}).", f"单位 {c!r} 没有边界（没有 {key} = {c!r} 的图形）。"),
                    Text("Add its feature, or leave [map] out.", "请补充该图形，或删除 [map]。"), Place(self.file, column=key))
            for c in codes if c not in self.shapes
        ]  # fmt: skip


def read_boundaries(path: Path, key: str, name: str | None = None) -> Boundaries:
    """Boundaries from a GeoJSON FeatureCollection; ``key`` is the property (or ``id``) with the unit's code.

    Raises
    ------
    BadInput
        If the file is no FeatureCollection, no feature has a code, or one that has is no (multi)polygon.
    """
    name = name or path.name
    try:
        features = json.loads(decode(path.read_bytes(), name))["features"]
        assert isinstance(features, list)
    except (ValueError, KeyError, TypeError, AssertionError, RecursionError):
        refuse([_fault(name, None, "this is not a GeoJSON FeatureCollection.", "不是 GeoJSON FeatureCollection。")])
    found: list[Problem] = []
    shapes: dict[str, Any] = {}
    for i, feature in enumerate(features):
        code, polygons = _code(feature, key), _polygons(feature)
        if code is None:
            continue  # no unit's: a sea, a frame, a label
        if polygons is None:
            found.append(_fault(name, i, f"the feature {code!r} is not a polygon.", f"图形 {code!r} 不是多边形。"))
        else:
            shapes.setdefault(code, []).extend(polygons)
    if not shapes and not found:
        found.append(_fault(name, None, f"no feature has a property {key!r}.", f"没有任何图形具有属性 {key!r}。"))
    refuse(found)
    return Boundaries(_flatten(shapes), name)


def _code(feature: Any, key: str) -> str | None:
    if not isinstance(feature, dict):
        return None
    properties = feature.get("properties")
    value = feature.get("id") if key == "id" else properties.get(key) if isinstance(properties, dict) else None
    return str(value) if isinstance(value, (str, int)) else None


def _polygons(feature: Any) -> list[Any] | None:
    """Polygons of a feature; None unless there is at least one ring of three finite points."""
    geometry = feature.get("geometry") if isinstance(feature, dict) else None
    kind, at = (geometry.get("type"), geometry.get("coordinates")) if isinstance(geometry, dict) else (None, None)
    polygons: Any = [at] if kind == "Polygon" else at
    if kind not in ("Polygon", "MultiPolygon"):
        return None
    try:
        made = [[[[float(p[0]), float(p[1])] for p in ring] for ring in poly] for poly in polygons]
    except (TypeError, ValueError, IndexError, KeyError, OverflowError):
        return None
    sound = made and all(poly and all(len(ring) >= 3 and all(abs(v) <= 1e9 for p in ring for v in p) for ring in poly) for poly in made)
    return made if sound else None


def _flatten(shapes: dict[str, Any]) -> dict[str, Any]:
    """Longitudes shrunk by the cosine of the middle latitude, so that shapes look right."""
    lats = [p[1] for polygons in shapes.values() for poly in polygons for ring in poly for p in ring]
    shrink = math.cos(math.radians((min(lats) + max(lats)) / 2)) if lats else 1.0
    return {code: [[[[round(x * shrink, 4), round(y, 4)] for x, y in ring] for ring in poly] for poly in polygons] for code, polygons in shapes.items()}


def _fault(name: str, i: int | None, en: str, zh: str) -> Problem:
    at = Place(name, column=None if i is None else f"feature {i + 1}")
    return Problem("bad-geojson", Text(en, zh), Text("Mend the boundary file.", "请修正边界文件。"), at)
