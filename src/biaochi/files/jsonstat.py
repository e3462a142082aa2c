"""JSON-stat 2.0: a cube of observations with labels; names in Chinese, the tree and sources go along as extensions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from biaochi.cells import COLUMNS, STATUSES
from biaochi.errors import Place, Problem, Text, refuse
from biaochi.files.columns import Columns, Observations, framework_columns, unit_columns
from biaochi.framework import Framework
from biaochi.panel import Panel
from biaochi.table import Table

DIMENSIONS = ("TIME_PERIOD", "REF_AREA", "INDICATOR")


def write_jsonstat(panel: Panel, path: str | Path, framework: Framework | None = None) -> None:
    """Write the observations of a panel as a JSON-stat 2.0 dataset.

    Parameters
    ----------
    panel : Panel
    path : str or Path
    framework : Framework, optional
        Gives the indicators their names, units of measurement and place in the tree.
    """
    o = Observations.of(panel)
    size = list(panel.values.shape)
    flat = np.ravel_multi_index((o.period, o.unit, o.code), panel.values.shape).tolist() if len(o) else []
    values = {str(i): v for i, v in zip(flat, o.values, strict=True) if v == v}
    status = {str(i): s for i, s in zip(flat, o.status, strict=True) if s}
    source = {str(i): s for i, s in zip(flat, o.source, strict=True) if s}
    empty = [i for i, v, s, t in zip(flat, o.values, o.status, o.source, strict=True) if v != v and not s and not t]
    nodes = framework_columns(framework) if framework else None
    periods = {"label": "Period", "category": {"index": [str(p) for p in panel.periods]}}
    document = {
        "version": "2.0", "class": "dataset", "label": framework.root.name("en") if framework else "Panel", "updated": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "id": list(DIMENSIONS), "size": size, "role": {"time": ["TIME_PERIOD"], "geo": ["REF_AREA"], "metric": ["INDICATOR"]},
        "dimension": {"TIME_PERIOD": periods, "REF_AREA": _units(panel), "INDICATOR": _indicators(panel, framework)},
        "value": values, "status": status,
        "extension": {"source": source, **({"empty": empty} if empty else {}), "statuses": {s: {"en": STATUSES[s].en, "zh": STATUSES[s].zh} for s in sorted(set(status.values()))},
                      "units": unit_columns(panel.units), **({"framework": nodes} if nodes else {})},
    }  # fmt: skip
    Path(path).write_text(json.dumps(document, ensure_ascii=False, allow_nan=False), encoding="utf-8")


def _units(panel: Panel) -> dict[str, Any]:
    codes = [u.code for u in panel.units]
    child: dict[str, list[str]] = {}
    for u in panel.units:
        if u.parent in codes:
            child.setdefault(str(u.parent), []).append(u.code)
    category = {"index": codes, "label": {u.code: u.name("en") for u in panel.units}, **({"child": child} if child else {})}
    return {"label": "Unit", "category": category}


def _indicators(panel: Panel, framework: Framework | None) -> dict[str, Any]:
    known = {n.code: n for n in framework.nodes} if framework else {}
    label = {c: known[c].name("en") if c in known else c for c in panel.codes}
    unit = {c: {"label": known[c].unit} for c in panel.codes if c in known and known[c].unit}
    return {"label": "Indicator", "category": {"index": list(panel.codes), "label": label, **({"unit": unit} if unit else {})}}


def is_jsonstat(document: Any) -> bool:
    """Whether a JSON document is a JSON-stat dataset."""
    return isinstance(document, Mapping) and document.get("class") == "dataset" and "dimension" in document and "id" in document


def read_jsonstat(document: Mapping[str, Any], name: str) -> list[Table]:
    """The tables of a JSON-stat dataset: ``data``, and ``framework`` and ``units`` where it was written here.

    Raises
    ------
    BadInput
        If dimensions, sizes and values do not fit one another.
    """
    try:
        return list(_tables(document, name))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as e:
        what = Text(f"the dataset does not fit JSON-stat 2.0 ({type(e).__name__}: {e}).", f"数据集不符合 JSON-stat 2.0（{type(e).__name__}：{e}）。")
        refuse([Problem("bad-jsonstat", what, Text("Write the file again.", "请重新生成该文件。"), Place(name))])
    raise AssertionError


def _tables(document: Mapping[str, Any], name: str) -> Iterator[Table]:
    ids, size = list(document["id"]), [int(n) for n in document["size"]]
    labels = [_categories(document["dimension"][d]["category"]) for d in ids]
    if [len(c) for c in labels] != size:
        raise ValueError(f"size {size} against {[len(c) for c in labels]} categories")
    if isinstance(document.get("value"), str):
        raise ValueError("value is a text")
    values, status = (_cells(document.get(k), int(np.prod(size))) for k in ("value", "status"))
    extension = document.get("extension")
    extension = extension if isinstance(extension, Mapping) and {"statuses", "units"} <= extension.keys() else {}  # others put what they like there
    source = _cells(extension.get("source"), int(np.prod(size)))
    held = sorted({*values, *status, *source, *(extension.get("empty") or ())})
    at = np.unravel_index(np.array(held, np.intp), size) if held else [np.empty(0, np.intp)] * len(ids)
    named = _ours(ids, document)
    columns: dict[str, list[Any]] = {n: [c[i] for i in np.asarray(k).tolist()] for n, c, k in zip(named, labels, at, strict=True)}
    columns["value"] = [values.get(i) for i in held]
    if status:
        columns["status"] = [status.get(i, "") for i in held]
    if source:
        columns["source"] = [source.get(i, "") for i in held]
    for d, names, k in zip(ids, labels, at, strict=True):
        if times := _multipliers(document["dimension"][d]["category"]):
            columns["multiplier"] = [times.get(names[i], "") for i in k.tolist()]
    yield Table(columns, name, "data", range(1, len(held) + 1), long=True)
    for sheet in ("framework", "units"):
        told: Columns | None = extension.get(sheet)
        if isinstance(told, Mapping) and "code" in told:
            yield Table(told, name, sheet, range(1, len(told["code"]) + 1))


def _ours(ids: list[str], document: Mapping[str, Any]) -> list[str]:
    """The header each dimension gets here: by its role, else by its name; others keep theirs, marked as dimensions."""
    taken: dict[str, str] = {}
    for role, kind in (("time", "period"), ("geo", "unit"), ("metric", "indicator")):
        roles = [d for d in document.get("role", {}).get(role, []) if d in ids]
        free = [d for d in ids if d not in taken.values()]
        plain = [d for d in free if d.lower() in COLUMNS[kind]]
        candidates = [d for d in roles if d in plain] or ([d for d in roles if d in free] if len(roles) == 1 else []) or ([] if roles else plain)
        if len(candidates) > 1:
            raise ValueError(f"several dimensions hold the {kind}: {', '.join(candidates)}")
        taken |= {kind: candidates[0]} if candidates else {}
    back = {d: kind for kind, d in taken.items()}
    return [back.get(d, f"{d} (dimension)") for d in ids]


def _categories(category: Mapping[str, Any]) -> list[str]:
    index = category.get("index") or list(category["label"])
    if not isinstance(index, Mapping):
        return [str(i) for i in index]
    if sorted(index.values()) != list(range(len(index))):
        raise ValueError(f"positions of categories are {sorted(index.values())[:5]}")
    return sorted(index, key=index.__getitem__)


def _multipliers(category: Mapping[str, Any]) -> dict[str, str]:
    """Powers of ten the values of categories are in, where they are not 0."""
    units = category.get("unit") or {}
    return {str(c): str(u["multiplier"]) for c, u in units.items() if isinstance(u, Mapping) and u.get("multiplier")}


def _cells(told: Any, n: int) -> dict[int, Any]:
    """Cells by position: an object, an array, or one word for all."""
    if told is None:
        return {}
    if isinstance(told, str):
        return dict.fromkeys(range(n), told)
    if not isinstance(told, Mapping) and len(told) == 1 and n > 1:  # one status for all
        return dict.fromkeys(range(n), told[0])
    if not isinstance(told, Mapping) and len(told) != n:
        raise ValueError(f"{len(told)} entries for {n} cells")
    pairs = ((int(k), v) for k, v in told.items()) if isinstance(told, Mapping) else enumerate(told)
    return {k: v for k, v in pairs if v is not None and v != ""}
