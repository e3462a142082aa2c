"""What a run gives back: labelled scores and ranks, and every stage from the raw value on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, wraps
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from biaochi.errors import BadOption, Lang, MissingExtra, Problem, Text, UnknownName
from biaochi.framework import Framework, Node
from biaochi.kernels.aggregate import AGGREGATORS
from biaochi.method import Array, Trait
from biaochi.panel import Panel
from biaochi.period import Period
from biaochi.pooled import Pooled
from biaochi.recipe import Recipe

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa
    import xarray as xr

    from biaochi.explain import Explanation

IMPUTED, TREATED, CLIPPED, NEUTRAL = 1, 2, 4, 8
MARKS: Mapping[int, tuple[str, Text]] = {
    IMPUTED: ("i", Text("imputed", "插补")),
    TREATED: ("t", Text("treated", "异常值处理")),
    CLIPPED: ("c", Text("held at a goalpost", "截至上下限")),
    NEUTRAL: ("n", Text("scored by the rule for indicators without spread", "无差异指标按规则计分")),
}
"""Bits of `Result.marks`: the letter shown beside a value, and what it says."""


@dataclass(frozen=True, eq=False)
class Result:
    """Scores and ranks of every node, unit and period, with the way there.

    Arrays are (period, unit, ...): periods as in ``panel.periods``, units as in ``panel.units``;
    nodes as in ``nodes``, indicators as in ``indicators`` (sorted by code).
    """

    framework: Framework
    panel: Panel
    recipe: Recipe
    stages: Mapping[str, Array]
    """(period, unit, indicator) after each step: derived, denominated, imputed, treated, normalised."""
    scores: Array
    """(period, unit, node); NaN is no score."""
    ranks: Array
    """(period, unit, node); 1 is best, NaN is not ranked."""
    weights: Array
    """(node,): weight among siblings."""
    shares: Array
    """(period, unit, node): weight among the siblings that have a value."""
    counts: NDArray[np.bool_]
    """(period, unit): ranked, and not screened out."""
    screened: NDArray[np.bool_]
    """(period, unit): left out for too little data."""
    marks: NDArray[np.uint8]
    """(period, unit, indicator): bits of `MARKS`."""
    notices: tuple[Problem, ...]
    """What the reader must know: what was left out, filled or settled by a rule."""
    original: Framework | None = None
    """The framework as given, where indicators were screened out of it."""
    pooled: Pooled | None = None
    """What set a pooled scale, where the panel is one part of a larger data set."""

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """Nodes in the framework's order, the index first."""
        return tuple(self.framework.walk())

    @cached_property
    def indicators(self) -> tuple[str, ...]:
        """Codes of the indicators, sorted: the last axis of ``stages`` and ``marks``."""
        return tuple(sorted(n.code for n in self.framework.indicators))

    @cached_property
    def effective_weights(self) -> dict[str, float]:
        """Weight of every node in the index, where nothing is missing."""
        return self.framework.effective_weights({n.code: float(w) for n, w in zip(self.nodes, self.weights, strict=True)})

    @cached_property
    def contributions(self) -> Array:
        """(period, unit, node): points a node adds to the index; NaN below a parent that is not a sum."""
        at = {n.code: i for i, n in enumerate(self.nodes)}
        path = np.full(self.scores.shape, np.nan)
        path[..., 0] = 1.0
        taken = self.scores.copy()
        for parent in self.nodes:
            name = self.recipe.choice("aggregate", parent.code, self.framework.levels[parent.code], parent.aggregate).method
            additive = Trait.ADDITIVE in AGGREGATORS[str(name)].traits
            choice = self.recipe.choice("aggregate", parent.code, self.framework.levels[parent.code], parent.aggregate)
            given = dict(choice.options).get("missing")
            for child in self.framework.children(parent.code):
                i = at[child.code]
                scored = np.where(np.isnan(self.scores[..., at[parent.code]]), np.nan, path[..., at[parent.code]])
                path[..., i] = scored * self.shares[..., i] if additive else np.nan
                if given is not None:  # a missing child adds what it was taken as
                    taken[..., i] = np.where(np.isnan(taken[..., i]), float(given), taken[..., i])
        return path * taken

    @property
    def fingerprints(self) -> dict[str, str]:
        """SHA-256 of framework, recipe and data: together they determine every number."""
        return {"framework": (self.original or self.framework).fingerprint, "recipe": self.recipe.fingerprint, "data": self.panel.fingerprint}

    def node_at(self, code: str | None = None) -> int:
        """Where a node stands on the last axis; the index by default."""
        codes = [n.code for n in self.nodes]
        if code is not None and code not in codes:
            raise UnknownName(Text("node", "节点"), code, codes)
        return 0 if code is None else codes.index(code)

    def period_at(self, period: str | Period | None = None) -> int:
        """Where a period stands on the first axis; the last one with a score by default."""
        if period is None:
            scored = np.flatnonzero((~np.isnan(self.scores[..., 0])).any(axis=1))
            return int(scored[-1]) if scored.size else len(self.panel.periods) - 1
        names = [str(p) for p in self.panel.periods]
        if str(period) not in names:
            raise UnknownName(Text("period", "期"), str(period), names)
        return names.index(str(period))

    def order(self, period: str | Period | None = None, node: str | None = None) -> list[int]:
        """Positions of the units, best first; those without a rank follow, by score, then code."""
        p, n = self.period_at(period), self.node_at(node)
        ranks, scores = self.ranks[p, :, n], self.scores[p, :, n]
        return sorted(
            range(len(ranks)),
            key=lambda u: (np.nan_to_num(ranks[u], nan=np.inf), np.nan_to_num(-scores[u], nan=np.inf), self.panel.units[u].code),
        )

    def explain(self, unit: str, node: str | None = None, period: str | Period | None = None) -> Explanation:
        """Every number from the raw values to a score; the index and the last period by default."""
        from biaochi.explain import explain

        return explain(self, unit, node, period)

    def filled(self) -> list[dict[str, Any]]:
        """Every filled cell: what it was filled with, by which method, from which periods."""
        from biaochi.details import filled

        return filled(self)

    def availability(self) -> list[dict[str, Any]]:
        """What data each unit has in each period, and whether it was screened out."""
        from biaochi.details import availability

        return availability(self)

    def treated(self) -> list[dict[str, Any]]:
        """Every treated cell: value before and after, and what was done."""
        from biaochi.details import treated

        return treated(self)

    def treatment(self) -> list[dict[str, Any]]:
        """What the treatment did to each indicator: checks before and after, points moved, transformation."""
        from biaochi.details import treatment

        return treatment(self)

    def columns(self) -> dict[str, list[Any] | Array]:
        """Scores and ranks as the columns of one long table."""
        p, u, n = self.scores.shape
        return {
            "node": [node.code for node in self.nodes] * (p * u),
            "unit": [unit.code for _ in range(p) for unit in self.panel.units for _ in range(n)],
            "period": [str(period) for period in self.panel.periods for _ in range(u * n)],
            "score": self.scores.ravel(),
            "rank": self.ranks.ravel(),
            "weight": np.tile([self.effective_weights[node.code] for node in self.nodes], p * u),
            "contribution": self.contributions.ravel(),
        }

    def cell_columns(self) -> dict[str, list[Any] | Array]:
        """Every indicator value through all stages, as the columns of one long table."""
        p, u, i = self.marks.shape
        source = [self.status(c) for c in self.indicators]
        return {
            "unit": [unit.code for _ in range(p) for unit in self.panel.units for _ in range(i)],
            "period": [str(period) for period in self.panel.periods for _ in range(u * i)],
            "indicator": list(self.indicators) * (p * u),
            **{stage: x.ravel() for stage, x in self.stages.items()},
            "status": np.stack(source, axis=-1).ravel().tolist(),
            "marks": [mark_letters(m) for m in self.marks.ravel().tolist()],
        }

    def status(self, code: str) -> NDArray[np.str_]:
        """(period, unit) observation status of a series as reported; empty where it is computed."""
        if code in self.panel.codes:
            return self.panel.status[:, :, self.panel.codes.index(code)]
        return np.full(self.scores.shape[:2], "", "<U1")

    def to_dict(self) -> dict[str, Any]:
        """Fingerprints and rows of node, unit, period, score and rank, as plain data."""
        columns = self.columns()
        score = [None if v != v else v for v in np.asarray(columns["score"]).tolist()]
        rank = [None if v != v else (int(v) if v == int(v) else v) for v in np.asarray(columns["rank"]).tolist()]
        rows = zip(columns["node"], columns["unit"], columns["period"], score, rank, strict=True)
        keys = ("node", "unit", "period", "score", "rank")
        return {"fingerprints": self.fingerprints, "rows": [dict(zip(keys, row, strict=True)) for row in rows]}

    def to_json(self, path: str | Path | None = None) -> str:
        """The result as JSON text (also written to ``path``, if given)."""
        text = json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    def to_pandas(self) -> pd.DataFrame:
        """Scores and ranks as a long pandas frame."""
        frame: pd.DataFrame = _library("pandas", "frames").DataFrame(self.columns())
        return frame

    def to_polars(self) -> pl.DataFrame:
        """Scores and ranks as a long polars frame."""
        frame: pl.DataFrame = _library("polars", "frames").DataFrame(self.columns())
        return frame

    def to_arrow(self) -> pa.Table:
        """Scores and ranks as a long Arrow table."""
        _library("pyarrow", "frames")
        from biaochi.arrow import encoded, table_from

        p, u, n = np.indices(self.scores.shape, np.int32).reshape(3, -1)
        labels = ([node.code for node in self.nodes], n), ([unit.code for unit in self.panel.units], u), ([str(period) for period in self.panel.periods], p)
        weight = np.array([self.effective_weights[node.code] for node in self.nodes])[n]
        keys = dict(zip(("node", "unit", "period"), (encoded(*pair) for pair in labels), strict=True))
        return table_from({**keys, "score": self.scores.ravel(), "rank": self.ranks.ravel(), "weight": weight, "contribution": self.contributions.ravel()})

    def to_parquet(self, path: str | Path) -> None:
        """Write scores and ranks as a long Parquet file, fingerprints in its metadata."""
        table = self.to_arrow()
        meta = {f"biaochi.{k}": v for k, v in self.fingerprints.items()}
        _library("pyarrow.parquet", "frames").write_table(table.replace_schema_metadata(meta), path)

    def to_xarray(self) -> xr.Dataset:
        """Scores, ranks and contributions with named axes period, unit, node."""
        dims = ("period", "unit", "node")
        made: xr.Dataset = _library("xarray", "frames").Dataset(
            {"score": (dims, self.scores), "rank": (dims, self.ranks), "contribution": (dims, self.contributions)},
            coords={"period": [str(p) for p in self.panel.periods], "unit": [u.code for u in self.panel.units],
                    "node": [n.code for n in self.nodes]},
            attrs={f"biaochi.{k}": v for k, v in self.fingerprints.items()},
        )  # fmt: skip
        return made

    def to_excel(self, path: str | Path) -> None:
        """Write the long tables of scores and of cells to an Excel file (`biaochi.write_workbook` makes the full one)."""
        from biaochi.files.excel import write_tables

        write_tables(path, {"Scores": self.columns(), "Cells": self.cell_columns()})

    def table(self, period: str | Period | None = None, lang: Lang = "en", levels: int = 1) -> list[dict[str, Any]]:
        """The ranking of one period: rank, unit, and the scores of the index and the nodes below it."""
        p = self.period_at(period)
        shown = [i for i, n in enumerate(self.nodes) if self.framework.levels[n.code] <= levels]
        out = []
        for u in self.order(period):
            unit = self.panel.units[u]
            row: dict[str, Any] = {"rank": self.ranks[p, u, 0], "unit": unit.code, "name": unit.name(lang)}
            out.append({**row, **{self.nodes[i].code: self.scores[p, u, i] for i in shown}})
        return out

    def __repr__(self) -> str:
        scored = int((~np.isnan(self.scores[..., 0])).sum())
        p = self.period_at()
        best = [self.panel.units[u].code for u in self.order()[:3] if self.ranks[p, u, 0] == self.ranks[p, u, 0]]
        first = ", ".join(best) + " lead" if best else "no ranks"
        return (
            f"<Result {self.framework.root.code!r}: {scored} scores of {len(self.panel.units)} units in "
            f"{len(self.panel.periods)} periods; {self.panel.periods[p]}: {first}>"
        )

    def _repr_html_(self) -> str:
        rows = self.table()
        head = "".join(f"<th>{escape(self.framework[c].name() if c in self.framework else c)}</th>" for c in rows[0]) if rows else ""
        body = "".join("<tr>" + "".join(f"<td>{escape(_cell(v))}</td>" for v in r.values()) + "</tr>" for r in rows[:60])
        more = f"<p>… {len(rows) - 60} more</p>" if len(rows) > 60 else ""
        period = self.panel.periods[self.period_at()]
        return f"<p><b>{escape(self.framework.root.name())}</b>, {period}</p><table><tr>{head}</tr>{body}</table>{more}"


def mark_letters(bits: int) -> str:
    """The letters of all marks set."""
    return "".join(letter for bit, (letter, _) in MARKS.items() if bits & bit)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "—" if value != value else f"{value:g}" if value == int(value) else f"{value:.2f}"
    return str(value)


def _library(name: str, extra: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError:
        raise MissingExtra(name.split(".", maxsplit=1)[0], extra) from None


P = ParamSpec("P")
R = TypeVar("R")


def takes_result(f: Callable[Concatenate[Result, P], R]) -> Callable[Concatenate[Result, P], R]:
    """A function of a result that says so when it is given something else."""

    @wraps(f)
    def checked(result: Result, *args: P.args, **kwargs: P.kwargs) -> R:
        given: object = result
        if not isinstance(given, Result):
            name = getattr(f, "__name__", "it")
            raise BadOption(
                name,
                f"needs a result, such as biaochi.evaluate('asem'); got {result!r:.80}.",
                f"{name} 需要运行结果，如 biaochi.evaluate('asem')；得到 {result!r:.80}。",
            )
        return f(result, *args, **kwargs)

    return cast("Callable[Concatenate[Result, P], R]", checked)
