"""Every table of a run in one workbook, which is itself a project that runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from biaochi.audit import Audit, audit
from biaochi.coherence import SOURCES
from biaochi.errors import Lang, Text
from biaochi.files.columns import data_columns, framework_columns, unit_columns
from biaochi.files.excel import write_tables
from biaochi.files.project import Project
from biaochi.files.save import settings_columns
from biaochi.reports.words import provenance
from biaochi.result import Result, mark_letters

Tables = dict[str, Mapping[str, Sequence[Any] | np.ndarray[Any, Any]]]


def write_everything(project: Project, result: Result, path: str | Path, *, lang: Lang = "en", period: str | None = None) -> None:
    """Write every table of a run to an Excel workbook: what went in, every stage, what came out, what was done, the audit.

    The sheets Framework, Units, Data and Recipe make the workbook a project: ``biaochi run`` computes it again, to the bit.

    Parameters
    ----------
    project, result
        What was run, and what came out.
    path : str or Path
        The .xlsx file to write.
    lang : {"en", "zh"}
        Language of notices.
    period : str, optional
        The period audited; the last one with scores by default. All else has every period.
    """
    found = audit(result, period=period)
    tables: Tables = {"About": _about(project, result, found.period, lang)}
    tables |= {"Framework": framework_columns(project.framework), "Units": unit_columns(project.panel.units), "Data": data_columns(project.panel)}
    tables["Recipe"] = settings_columns(project)
    tables |= {stage.capitalize(): _wide(result, x, result.indicators) for stage, x in result.stages.items()}
    marks = np.array([[[mark_letters(int(m)) for m in row] for row in block] for block in result.marks], dtype=object)
    tables["Marks"] = _wide(result, marks, result.indicators)
    codes = [n.code for n in result.nodes]
    tables |= {
        name: _wide(result, x, codes)
        for name, x in (("Scores", result.scores), ("Ranks", result.ranks), ("Contributions", result.contributions), ("Shares", result.shares))
    }
    effective = result.effective_weights
    tables["Weights"] = {"node": codes, "weight": [float(w) for w in result.weights], "effective": [effective[c] for c in codes]}
    for name, rows in (
        ("Filled cells", result.filled()),
        ("Treated cells", result.treated()),
        ("Treatment", result.treatment()),
        ("Availability", result.availability()),
    ):
        tables[name] = _columns(rows)
    tables |= _audit(found)
    tables["Notices"] = {"kind": [n.kind for n in result.notices], "notice": [n.say(lang).strip() for n in result.notices]}
    write_tables(path, {k: v for k, v in tables.items() if v})


def _about(project: Project, result: Result, period: str, lang: Lang) -> Mapping[str, Sequence[Any]]:
    rows = [
        (Text("title", "标题").to(lang), project.title.to(lang)),
        (Text("notice", "说明").to(lang), project.notice.to(lang)),
        (Text("period audited", "审计期").to(lang), period),
        *provenance(result, lang),
    ]
    return {"item": [k for k, _ in rows], "value": [v for _, v in rows]}


def _wide(result: Result, x: np.ndarray[Any, Any], codes: Sequence[str]) -> Mapping[str, Sequence[Any]]:
    """One row a period and unit, one column a code."""
    units, periods = [u.code for u in result.panel.units], [str(p) for p in result.panel.periods]
    rows = x.reshape(-1, x.shape[-1])
    return {"period": [p for p in periods for _ in units], "unit": units * len(periods), **{f"{c}": rows[:, i].tolist() for i, c in enumerate(codes)}}


def _columns(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Sequence[Any]]:
    names = list(dict.fromkeys(k for r in rows for k in r))
    return {k: [_plain(r.get(k)) for r in rows] for k in names}


def _plain(v: Any) -> Any:
    return " ".join(map(str, v)) if isinstance(v, (list, tuple)) else v


def _audit(found: Audit) -> Tables:
    """Statistics, placement, reliability, loadings, correlations, flags and thresholds of the period audited."""
    dims = [
        {"of": d.of, "children": len(d.codes), "units": d.factors.n, "alpha": d.reliability.alpha, "standard_alpha": d.reliability.standard_alpha,
         "omega": d.reliability.omega, "kmo": d.factors.kmo, "bartlett": d.factors.bartlett[0], "p": d.factors.bartlett[2],
         **{f"eigenvalue_{i + 1}": float(v) for i, v in enumerate(d.factors.eigenvalues)}}
        for d in found.dimensions
    ]  # fmt: skip
    children = [
        {"of": d.of, "child": c, "alpha_without": d.reliability.without[c], "with_rest": d.reliability.rest[c], "communality": float(d.factors.communalities[i]),
         **{f"loading_{k + 1}": float(v) for k, v in enumerate(d.factors.loadings[i])}}
        for d in found.dimensions for i, c in enumerate(d.codes)
    ]  # fmt: skip
    pairs = [{"of": d.of, **p} for d in found.dimensions for p in d.correlations.pairs() if d.codes.index(p["first"]) < d.codes.index(p["second"])]
    thresholds = [{"threshold": k, "value": v, "source": SOURCES[k].en, "source_zh": SOURCES[k].zh} for k, v in asdict(found.thresholds).items()]
    flags = [{"kind": f.kind, "codes": f.codes, "figure": f.figure, "threshold": f.threshold, "text": f.text.en, "text_zh": f.text.zh} for f in found.flags]
    every = {"Statistics": found.statistics, "Denominators": found.denominators, "Placement": found.placement, "Redundancy": found.redundancy, "Dimensions": dims,
             "Children": children, "Correlations": pairs, "Influence": [vars(i) for i in found.influence], "Value added": found.value_added, "Flags": flags, "Thresholds": thresholds}  # fmt: skip
    return {name: _columns(rows) for name, rows in every.items()}
