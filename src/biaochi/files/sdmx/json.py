"""SDMX-JSON 2.0: data with its structure, and structures; JSON data messages of 1.0 are read as well."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from biaochi.cells import COLUMNS, STATUSES
from biaochi.errors import BadInput, Place, Problem, Text, refuse
from biaochi.files.columns import Observations
from biaochi.files.sdmx.model import (
    AGENCY,
    ATTRIBUTES,
    CONCEPTS,
    DIMENSIONS,
    FLOW,
    LISTS,
    OURS,
    VERSION,
    Code,
    CodeList,
    code_lists,
    escape,
    no_change,
    table_of_codes,
    unescape,
    urn,
)  # fmt: skip
from biaochi.framework import Framework
from biaochi.panel import Panel
from biaochi.table import Table
from biaochi.units import Unit

_SCHEMA = "https://raw.githubusercontent.com/sdmx-twg/sdmx-json/master/{0}-message/tools/schemas/2.0.0/sdmx-json-{0}-schema.json"


def _meta(kind: str) -> dict[str, Any]:
    prepared = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"schema": _SCHEMA.format(kind), "id": kind.upper(), "test": False, "prepared": prepared, "contentLanguages": ["en", "zh"], "sender": {"id": AGENCY}}


def _named(en: str, zh: str) -> dict[str, Any]:
    return {"name": en or zh, "names": {k: v for k, v in (("en", en), ("zh", zh)) if v}}


def write_sdmx_json(panel: Panel, path: str | Path, framework: Framework | None = None) -> None:
    """Write the observations of a panel as an SDMX-JSON 2.0 data message, names and tree included.

    Parameters
    ----------
    panel : Panel
    path : str or Path
    framework : Framework, optional
        Gives the indicators their names and annotations.
    """
    o = Observations.of(panel)
    statuses = sorted({s for s in o.status if s})
    at = {s: i for i, s in enumerate(statuses)}
    annotations: list[dict[str, Any]] = []
    lists = {c.id: {code.id: code for code in c.codes} for c in code_lists(framework, panel.units)}
    rows = zip(o.unit.tolist(), o.code.tolist(), o.period.tolist(), o.values, o.status, o.source, strict=True)
    observations = {f"{u}:{c}:{p}": [None if v != v else v, at.get(s), t or None] for u, c, p, v, s, t in rows}
    dims = [
        _dimension("REF_AREA", 0, [u.code for u in panel.units], lists[LISTS["REF_AREA"]], annotations),
        _dimension("INDICATOR", 1, list(panel.codes), lists.get(LISTS["INDICATOR"], {}), annotations),
        {
            "id": "TIME_PERIOD",
            **_named(*CONCEPTS["TIME_PERIOD"]),
            "keyPosition": 2,
            "roles": ["TIME_PERIOD"],
            "values": [{"value": str(p)} for p in panel.periods],
        },
    ]
    coded = [{"id": s, **_named(*STATUSES[s])} for s in statuses]
    attributes = [
        {"id": "OBS_STATUS", **_named(*CONCEPTS["OBS_STATUS"]), "relationship": {"observation": {}}, "values": coded},
        {"id": "SOURCE", **_named(*CONCEPTS["SOURCE"]), "relationship": {"observation": {}}},
    ]
    link = [{"rel": "dataflow", "urn": urn("Dataflow", FLOW)}]
    structure = {
        **_named("Panel", "面板数据"), "links": link, "dataSets": [0], "dimensions": {"observation": dims},
        "measures": {"observation": [{"id": "OBS_VALUE", **_named(*CONCEPTS["OBS_VALUE"])}]}, "attributes": {"observation": attributes}, "annotations": annotations,
    }  # fmt: skip
    message = {
        "meta": _meta("data"),
        "data": {"dataSets": [{"structure": 0, "action": "Information", "links": link, "observations": observations}], "structures": [structure]},
    }
    Path(path).write_text(json.dumps(message, ensure_ascii=False, allow_nan=False), encoding="utf-8")


def _dimension(name: str, position: int, codes: Sequence[str], known: Mapping[str, Code], annotations: list[dict[str, Any]]) -> dict[str, Any]:
    values = []
    for code in codes:
        c = known.get(code, Code(code))
        at = []
        for k, v in c.annotations.items():
            at.append(len(annotations))
            annotations.append({"title": k, "type": OURS, "value": v})
        # the parent's annotation, because a parent need not be among the values
        if c.parent:
            at.append(len(annotations))
            annotations.append({"title": "parent", "type": OURS, "value": c.parent})
        names = _named(c.names.get("en", ""), c.names.get("zh", ""))
        values.append({"id": escape(code), **names, **({"annotations": at} if at else {})})
    return {"id": name, **_named(*CONCEPTS[name]), "keyPosition": position, "values": values}


def write_sdmx_json_structure(framework: Framework | None, units: Sequence[Unit], path: str | Path) -> None:
    """Write code lists, concepts, data structure and dataflow as an SDMX-JSON 2.0 structure message.

    Parameters
    ----------
    framework : Framework or None
    units : sequence of Unit
    path : str or Path
    """
    own = {"agencyID": AGENCY, "version": VERSION}
    concepts = [{"id": c, **_named(*t)} for c, t in CONCEPTS.items()]
    data = {
        "codelists": [_list(c) for c in code_lists(framework, units)],
        "conceptSchemes": [{"id": "CS", **own, **_named("Concepts", "概念"), "concepts": concepts}],
        "dataflows": [{"id": FLOW, **own, **_named("Panel", "面板数据"), "structure": urn("DataStructure", FLOW)}],
        "dataStructures": [{"id": FLOW, **own, **_named("Panel", "面板数据"), "dataStructureComponents": _components(framework is not None)}],
    }
    Path(path).write_text(json.dumps({"meta": _meta("structure"), "data": data}, ensure_ascii=False, indent=1), encoding="utf-8")


def _list(listed: CodeList) -> dict[str, Any]:
    codes = []
    for c in listed.codes:
        told = [{"id": f"A{i}", "title": k, "type": OURS, "value": v} for i, (k, v) in enumerate(c.annotations.items(), start=1)]
        names = _named(c.names.get("en", ""), c.names.get("zh", ""))
        codes.append({"id": escape(c.id), **names, **({"parent": escape(c.parent)} if c.parent else {}), **({"annotations": told} if told else {})})
    return {"id": listed.id, "agencyID": AGENCY, "version": VERSION, **_named(*listed.name), "codes": codes}


def _components(indicators: bool) -> dict[str, Any]:
    def part(name: str, more: Mapping[str, Any]) -> dict[str, Any]:
        known = name in LISTS and (indicators or name != "INDICATOR")
        enumeration: dict[str, Any] = {"enumeration": urn("Codelist", LISTS[name])} if known else {"format": {"dataType": "String"}}
        return {"id": name, "conceptIdentity": urn("Concept", f"CS.{name}"), "localRepresentation": enumeration, **more}

    time = {
        "id": "TIME_PERIOD",
        "conceptIdentity": urn("Concept", "CS.TIME_PERIOD"),
        "localRepresentation": {"format": {"dataType": "ObservationalTimePeriod"}},
    }
    measure = {"id": "OBS_VALUE", "conceptIdentity": urn("Concept", "CS.OBS_VALUE"), "localRepresentation": {"format": {"dataType": "Double"}}}
    return {
        "dimensionList": {
            "id": "DimensionDescriptor",
            "dimensions": [part(d, {"position": i}) for i, d in enumerate(DIMENSIONS[:2])],
            "timeDimension": time,
        },
        "measureList": {"id": "MeasureDescriptor", "measures": [measure]},
        "attributeList": {"id": "AttributeDescriptor", "attributes": [part(a, {"attributeRelationship": {"observation": {}}}) for a in ATTRIBUTES]},
    }


# --- reading -------------------------------------------------------------------------------------


def read_sdmx_json(document: Any, name: str) -> list[Table]:
    """The tables of an SDMX-JSON message: ``data`` with ``framework`` and ``units``, as far as it holds them.

    Raises
    ------
    BadInput
        If it holds neither observations nor code lists, or observations point beyond their dimensions.
    """
    data = document.get("data", document) if isinstance(document, dict) else {}
    tables: list[Table] = []
    try:
        if data.get("dataSets"):
            tables = list(_from_data(data, name))
        elif data.get("codelists"):
            tables = list(_from_lists(data, name))
    except BadInput:
        raise
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, OverflowError) as e:
        what = Text(f"the message does not fit SDMX-JSON ({type(e).__name__}: {e}).", f"消息不符合 SDMX-JSON（{type(e).__name__}：{e}）。")
        refuse([Problem("bad-sdmx", what, Text("Write the file again.", "请重新生成该文件。"), Place(name))])
    if not tables:
        what = Text(
            "this JSON holds neither SDMX observations, SDMX code lists nor a JSON-stat dataset.",
            "该 JSON 中没有 SDMX 观测值、SDMX 代码表或 JSON-stat 数据集。",
        )
        refuse([Problem("no-sdmx", what, Text("Give an SDMX-JSON message or a JSON-stat dataset.", "请提供 SDMX-JSON 消息或 JSON-stat 数据集。"), Place(name))])
    return tables


def _from_data(data: Mapping[str, Any], name: str) -> Iterator[Table]:
    structures = data.get("structures") or [data["structure"]]
    rows: list[dict[str, Any]] = []
    refuse(no_change((str(one.get("action", "")) for one in data["dataSets"]), name))
    for one in data["dataSets"]:
        rows += _rows(one, structures[one.get("structure", 0)])
    ids = list(dict.fromkeys(k for r in rows for k in r))
    yield Table({c: [_cell(r.get(c), c) for r in rows] for c in ids}, name, "data", range(1, len(rows) + 1), long=True)
    structure = structures[0]
    for d in _every_dimension(structure):
        sheet = next((s for s, f in (("units", "unit"), ("framework", "indicator")) if d["id"].lower() in COLUMNS[f]), None)
        codes = [_value_code(v, structure.get("annotations", [])) for v in d.get("values", []) if "id" in v]
        if sheet and any(c.more or c.parent for c in codes):
            yield table_of_codes(codes, name, sheet)


def _cell(v: Any, column: str) -> Any:
    return "" if v is None else unescape(str(v)) if column in DIMENSIONS[:2] else v


def _every_dimension(structure: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [d for level in ("dataSet", "series", "observation") for d in structure["dimensions"].get(level, [])]


def _rows(one: Mapping[str, Any], structure: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Observations of one data set, flat or in series."""
    dims, attributes = structure["dimensions"], structure.get("attributes", {})
    measures = [m["id"] for m in structure.get("measures", {}).get("observation", [])] or ["OBS_VALUE"]
    fixed = {d["id"]: _said(d, 0) for d in dims.get("dataSet", [])} | _attached(attributes.get("dataSet", []), one.get("attributes", []))
    fixed |= {c["id"]: _said(c, 0) for c in attributes.get("dataSet", []) if c["id"] not in fixed and len(c.get("values", [])) == 1}
    usual = {c["id"]: c["default"] for level in ("series", "observation", "dimensionGroup") for c in attributes.get(level, []) if "default" in c}
    order = [d["id"] for d in sorted(_every_dimension(structure), key=lambda d: d.get("keyPosition", 0))]
    groups = [(key.split(":"), _attached(attributes.get("dimensionGroup", []), told)) for key, told in (one.get("dimensionGroupAttributes") or {}).items()]
    series = one.get("series") or {"": {"observations": one.get("observations", {})}}
    for key, inside in series.items():
        at = {d["id"]: (d, int(i)) for d, i in zip(dims.get("series", []), key.split(":"), strict=True)} if key else {}
        shared = {**usual, **fixed, **_attached(attributes.get("series", []), inside.get("attributes", []))}
        for place, told in inside["observations"].items():
            here = {**at, **{d["id"]: (d, int(i)) for d, i in zip(dims["observation"], place.split(":"), strict=True)}}
            grouped = {k: v for keys, more in groups if _inside(keys, order, here) for k, v in more.items()}
            values = dict(zip(measures, told, strict=False))
            named = {d: _said(c, i) for d, (c, i) in here.items()}
            yield {**shared, **grouped, **named, **values, **_attached(attributes.get("observation", []), told[len(measures) :])}


def _inside(keys: Sequence[str], order: Sequence[str], here: Mapping[str, tuple[Any, int]]) -> bool:
    """Whether an observation is one of a group, told by positions of its dimensions; an empty one stands for any."""
    return all(not k or (d in here and int(k) == here[d][1]) for k, d in zip(keys, order, strict=False))


def _said(component: Mapping[str, Any], i: int) -> Any:
    """The i-th value of a component: its id, or the value itself where it has none."""
    if i < 0:
        raise IndexError(f"position {i}")
    value = component["values"][i]
    return value.get("id", value.get("value", value.get("start"))) if isinstance(value, Mapping) else value


def _attached(components: Sequence[Mapping[str, Any]], told: Sequence[Any]) -> dict[str, Any]:
    """Attributes by id: an index where the component lists its values, else the value."""
    pairs = zip(components, told, strict=False)
    return {c["id"]: _said(c, v) if c.get("values") and isinstance(v, int) else v for c, v in pairs if v is not None}


def _value_code(v: Mapping[str, Any], annotations: Sequence[Mapping[str, Any]]) -> Code:
    told = [annotations[i] for i in v.get("annotations", [])]
    more = {str(a.get("title", "")): str(a.get("value", "")) for a in told if a.get("type") == OURS}
    names = v.get("names") or {"en": v.get("name", "")}
    return Code(unescape(str(v["id"])), names.get("en", ""), names.get("zh", ""), unescape(more.pop("parent", "") or str(v.get("parent") or "")), more)


def _from_lists(data: Mapping[str, Any], name: str) -> Iterator[Table]:
    lists = {c["id"]: c for c in data["codelists"]}
    enumerated = {}
    for structure in data.get("dataStructures", []):
        for d in structure.get("dataStructureComponents", {}).get("dimensionList", {}).get("dimensions", []):
            said = str(d.get("localRepresentation", {}).get("enumeration", ""))
            enumerated[str(d["id"]).lower()] = said.split("=", 1)[-1].split(":", 1)[-1].split("(", 1)[0]
    for sheet, field, usual in (("framework", "indicator", "CL_INDICATOR"), ("units", "unit", "CL_UNIT")):
        wanted = next((enumerated[d] for d in enumerated if d in COLUMNS[field]), usual)
        if wanted in lists:
            yield table_of_codes([_list_code(c) for c in lists[wanted].get("codes", [])], name, sheet)


def _list_code(c: Mapping[str, Any]) -> Code:
    more = {str(a.get("title", "")): str(a.get("value", "")) for a in c.get("annotations", []) if a.get("type") == OURS}
    names = c.get("names") or {"en": c.get("name", "")}
    return Code(unescape(str(c["id"])), names.get("en", ""), names.get("zh", ""), unescape(str(c.get("parent") or "")), more)
