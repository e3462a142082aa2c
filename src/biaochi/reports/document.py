"""The documents printed by ``--json``; their schema is docs/reference/json.md."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import biaochi
from biaochi.chained import Chained
from biaochi.checks import FAMILIES, REGISTRIES
from biaochi.compare import Comparison
from biaochi.diagnosis.diagnose import Diagnoses, Diagnosis
from biaochi.diagnosis.doubts import Doubt
from biaochi.errors import Lang, Text, UnknownName
from biaochi.files.project import Project
from biaochi.method import Method
from biaochi.published import Agreement
from biaochi.reports.catalogue import entry
from biaochi.result import Result
from biaochi.robustness import Robustness
from biaochi.sensitivity import Sensitivity
from biaochi.trends import Convergence


def run_document(
    project: Project, result: Result, agreement: Agreement | None, written: list[Path], lang: Lang, robust: Robustness | None = None
) -> dict[str, Any]:
    """What ``biaochi run --json`` prints."""
    return {
        "schema": "biaochi.run/1",
        "biaochi": biaochi.__version__,
        "project": project.name,
        "title": project.title.to(lang),
        "notice": project.notice.to(lang) or None,
        **result.to_dict(),
        "published": None if agreement is None else {
            "scores": agreement.scores, "worst": agreement.worst, "at": agreement.at,
            "ranks": agreement.ranks, "ranks_equal": agreement.ranks_equal,
        },
        "robustness": None if robust is None else {**robust.to_dict(), "notices": [n.what.to(lang) for n in robust.notices]},
        "notices": [n.to_dict(lang) for n in result.notices],
        "files": [str(p) for p in written],
    }  # fmt: skip


def robustness_document(project: Project, robust: Robustness, found: Sensitivity | None, written: list[Path], lang: Lang) -> dict[str, Any]:
    """What ``biaochi robustness --json`` prints."""
    return {
        "schema": "biaochi.robustness/1",
        "biaochi": biaochi.__version__,
        "project": project.name,
        "notice": project.notice.to(lang) or None,
        **robust.to_dict(),
        "groups": [
            {"node": n, "period": p, "units": list(g)}
            for n, p in robust.targets
            if robust.ranks(n, p).tally.ahead.shape[1]
            for g in robust.ranks(n, p).groups()
        ],
        "sensitivity": None if found is None else found.to_dict(),
        "notices": [n.what.to(lang) for n in robust.notices],
        "files": [str(p) for p in written],
    }


def diagnose_document(project: Project, made: Diagnoses, found: list[Diagnosis], written: list[Path], lang: Lang) -> dict[str, Any]:
    """What ``biaochi diagnose --json`` prints."""
    return {
        "schema": "biaochi.diagnose/1",
        "biaochi": biaochi.__version__,
        "project": project.name,
        "notice": project.notice.to(lang) or None,
        "fingerprints": {**made.result.fingerprints, "study": made.study.fingerprint},
        "period": str(made.result.panel.periods[made.p]),
        "reference": made.against.what,
        "replicates": made.against.replicates,
        "units": [d.to_dict(lang) for d in found],
        "files": [str(p) for p in written],
    }


def doubts_document(project: Project, found: list[Doubt], lang: Lang) -> dict[str, Any]:
    """What ``biaochi doubts --json`` prints."""
    return {
        "schema": "biaochi.doubts/1",
        "biaochi": biaochi.__version__,
        "project": project.name,
        "notice": project.notice.to(lang) or None,
        "data": project.panel.fingerprint,
        "doubts": [d.to_dict(lang) for d in found],
    }


def compare_document(first: Project, second: Project, found: Comparison, lang: Lang) -> dict[str, Any]:
    """What ``biaochi compare --json`` prints."""
    return {
        "schema": "biaochi.compare/1",
        "notices": [*dict.fromkeys(n for p in (first, second) if (n := p.notice.to(lang)))] + [t.to(lang) for t in found.notices],
        "first": {"project": first.name, "period": found.first},
        "second": {"project": second.name, "period": found.second},
        "node": found.code,
        "rows": found.rows,
        "choices": [{**c, "label": c["label"].to(lang)} for c in found.choices],
        "correlations": found.correlations,
        "only_first": list(found.only_first),
        "only_second": list(found.only_second),
    }


def trends_document(project: Project, rows: list[dict[str, Any]], closer: Convergence | None, method: str, lang: Lang) -> dict[str, Any]:
    """What ``biaochi trends --json`` prints; an infinite rate is None."""
    finite = [{k: None if isinstance(v, float) and abs(v) == float("inf") else v for k, v in r.items()} for r in rows]
    return {
        "schema": "biaochi.trends/1",
        "notice": project.notice.to(lang) or None,
        "method": method,
        "rows": finite,
        "convergence": None if closer is None else asdict(closer),
    }


def chain_document(projects: list[Project], made: Chained, lang: Lang) -> dict[str, Any]:
    """What ``biaochi chain --json`` prints."""
    return {
        "schema": "biaochi.chain/1",
        "notices": [n for p in projects if (n := p.notice.to(lang))],
        "editions": [p.name for p in projects],
        "rule": made.rule.to(lang),
        "rows": made.rows(),
        "links": made.links,
        "changes": made.changes,
    }


def methods_document(name: str | None, lang: Lang) -> list[dict[str, Any]]:
    """What ``biaochi methods --json`` prints: all methods, those of one step, or one method.

    Raises
    ------
    UnknownName
        If there is no such step or method.
    """
    rows = [_method(step, n, m, lang, worked=n == name) for step, registry in REGISTRIES.items() for n, m in registry.items()]
    if name is None:
        return rows
    hits = [r for r in rows if name in (r["step"], r["name"])]
    if not hits:
        raise UnknownName(Text("step or method", "步骤或方法"), name, {*REGISTRIES, *(r["name"] for r in rows)})
    return hits


def _method(step: str, name: str, method: Method, lang: Lang, *, worked: bool) -> dict[str, Any]:
    found = entry(step, name, worked=worked)
    return {
        "step": step,
        "family": FAMILIES[step].to(lang),
        "name": name,
        "label": method.label.to(lang),
        "summary": method.summary,
        "options": {n: None if p.default is p.empty else p.default for n, p in method.options.items()},
        "required": [*method.required],
        "traits": sorted(t.name.lower() for t in method.traits),
        "source": method.source,
        "formula": found.text,
        "edge_cases": found.shape,
        "meanings": {n: found.meanings.get(n, "") for n in method.options},
        "example": list(found.example),
        "reference": method.proof,
    }
