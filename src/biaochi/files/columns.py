"""Framework, units and observations as columns of text: what readers read, for every format to carry."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from biaochi.framework import Framework, Node, Optimum
from biaochi.panel import Panel
from biaochi.recipe import Choice
from biaochi.units import Unit

Columns = dict[str, list[str]]


def framework_columns(framework: Framework) -> Columns:
    """The columns of a framework table; those nobody uses are left out. `read_framework` makes the same framework of them."""
    siblings: dict[str | None, set[float]] = {}
    for n in framework.nodes:
        siblings.setdefault(n.parent, set()).add(n.weight)
    rows = [_row(n, siblings[n.parent]) for n in framework.nodes]
    names = list(dict.fromkeys(k for row in rows for k in row))
    return {k: [row.get(k, "") for row in rows] for k in ("code", "parent", *(k for k in _ORDER if k in names))}


_ORDER = (
    "name_zh", "name_en", "kind", "weight", "aggregate", "unit", "direction", "owner", "frequency", "source", "definition", "valid_low", "valid_high",
    "denominator", "goalpost_low", "goalpost_high", "target", "formula", "impute", "treat", "normalise",
)  # fmt: skip


def _row(n: Node, among: set[float]) -> dict[str, str]:
    """What a node says, as cells."""
    low, high = n.goalposts or (None, None)
    direction = str(n.direction) if isinstance(n.direction, Optimum) else "" if n.direction == 1 else "-1"
    cells: dict[str, Any] = {
        "code": n.code, "parent": n.parent or "", "name_zh": n.name_zh, "name_en": n.name_en, "kind": "series" if n.series else "",
        "weight": n.weight if n.parent is not None and among != {1.0} else None, "unit": n.unit, "direction": direction, "owner": n.owner,
        "frequency": n.frequency, "source": n.source, "definition": n.definition, "valid_low": n.valid[0], "valid_high": n.valid[1],
        "denominator": n.denominator, "goalpost_low": low, "goalpost_high": high, "target": n.target, "formula": n.formula,
        "aggregate": _choice(n.aggregate), **{step: _choice(c) for step, c in n.overrides},
    }  # fmt: skip
    return {k: _cell(v) for k, v in cells.items() if (v is not None and v != "") or k in ("code", "parent")}


def _cell(v: Any) -> str:
    return plain_number(v) if isinstance(v, (int, float)) and not isinstance(v, bool) else str(v)


def plain_number(v: float) -> str:
    """A number that reads back as itself, whole ones without a point."""
    return str(int(v)) if float(v).is_integer() and abs(v) < 1e15 else repr(float(v))


def _choice(choice: Choice | None) -> str | None:
    """A choice of method as a cell: its name, or a TOML table."""
    if choice is None:
        return None
    told = {k: v for k, v in choice.to_dict().items() if v is not None}
    return str(choice.method) if set(told) == {"method"} else toml_value(told)


def toml_value(v: Any) -> str:
    """A value as TOML text on one line."""
    if isinstance(v, dict):
        return "{" + ", ".join(f"{_key(k)} = {toml_value(x)}" for k, x in v.items() if x is not None) + "}"
    if isinstance(v, (list, tuple)):
        return "[" + ", ".join(toml_value(x) for x in v) + "]"
    if isinstance(v, bool):
        return "true" if v else "false"
    return plain_number(v) if isinstance(v, (int, float)) else json.dumps(str(v), ensure_ascii=False)


def _key(k: str) -> str:
    return k if k.isascii() and k.replace("_", "").replace("-", "").isalnum() else json.dumps(k, ensure_ascii=False)


def unit_columns(units: Iterable[Unit]) -> Columns:
    """The columns of a table of units; groupings follow the fixed ones."""
    every = list(units)
    groupings = sorted({g for u in every for g, _ in u.groups})
    out: Columns = {
        "code": [u.code for u in every], "name_zh": [u.name_zh for u in every], "name_en": [u.name_en for u in every],
        "parent": [u.parent or "" for u in every], "ranked": ["yes" if u.ranked else "no" for u in every],
    }  # fmt: skip
    return {**out, **{g: [dict(u.groups).get(g, "") for u in every] for g in groupings}}


@dataclass(frozen=True)
class Observations:
    """Every cell of a panel that holds a value or a status, in the order period, unit, code; arrays are (observation,)."""

    panel: Panel
    period: np.ndarray[Any, np.dtype[np.intp]]
    unit: np.ndarray[Any, np.dtype[np.intp]]
    code: np.ndarray[Any, np.dtype[np.intp]]

    @classmethod
    def of(cls, panel: Panel) -> Observations:
        """The observations of a panel; a period or code without any has one empty cell, lest it be lost."""
        said = np.array([bool(s) for s in panel.sources])[panel.source]
        held = ~np.isnan(panel.values) | (panel.status != "") | said
        if held.size:
            held[~held.any(axis=(1, 2)), 0, 0] = True
            held[0, 0, ~held.any(axis=(0, 1))] = True
        return cls(panel, *np.nonzero(held))

    def __len__(self) -> int:
        return len(self.period)

    @property
    def values(self) -> list[float]:
        """Values, NaN for a missing one."""
        got: list[float] = self.panel.values[self.period, self.unit, self.code].tolist()
        return got

    @property
    def status(self) -> list[str]:
        """SDMX observation statuses."""
        got: list[str] = self.panel.status[self.period, self.unit, self.code].tolist()
        return got

    @property
    def source(self) -> list[str]:
        """Sources in words."""
        named = self.panel.sources
        return [named[i] for i in self.panel.source[self.period, self.unit, self.code].tolist()]

    def labels(self, which: str) -> list[str]:
        """Codes of units or indicators, or periods, row by row."""
        names, at = self.axis(which)
        return [names[i] for i in at.tolist()]

    def axis(self, which: str) -> tuple[Sequence[str], np.ndarray[Any, np.dtype[np.intp]]]:
        """The different labels of an axis, and which one each row has."""
        return {
            "unit": ([u.code for u in self.panel.units], self.unit),
            "period": ([str(p) for p in self.panel.periods], self.period),
            "indicator": (list(self.panel.codes), self.code),
        }[which]

    @property
    def told(self) -> tuple[bool, bool]:
        """Whether any status other than normal, and any source, is there to be told."""
        status = self.panel.status
        usual = (status == "") | ((status == "A") & ~np.isnan(self.panel.values))
        return not bool(usual.all()), any(self.panel.sources[i] for i in np.unique(self.panel.source))


def data_columns(panel: Panel) -> dict[str, list[Any]]:
    """The columns of a long data table: unit, period, indicator, value, and status and source where there are any."""
    o = Observations.of(panel)
    out: dict[str, list[Any]] = {f: o.labels(f) for f in ("unit", "period", "indicator")}
    out["value"] = [None if v != v else v for v in o.values]
    status, source = o.told
    return {**out, **({"status": o.status} if status else {}), **({"source": o.source} if source else {})}
