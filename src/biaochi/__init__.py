"""Biaochi (标尺): composite indices from an indicator tree and a panel of data."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "Audit": "audit",
    "BadFormula": "formula",
    "BadInput": "errors",
    "BadOption": "errors",
    "BiaochiError": "errors",
    "Bounds": "reweigh",
    "Chained": "chained",
    "Choice": "recipe",
    "CommonWeights": "frontier",
    "Comparison": "compare",
    "Convergence": "trends",
    "Correlations": "coherence",
    "Diagnoses": "diagnosis.diagnose",
    "Diagnosis": "diagnosis.diagnose",
    "Dirichlet": "reweigh",
    "Doubt": "diagnosis.doubts",
    "Drop": "reweigh",
    "Errors": "variation",
    "Explanation": "explain",
    "Factors": "coherence",
    "Finding": "diagnosis.findings",
    "Flag": "audit",
    "Framework": "framework",
    "Frontier": "frontier",
    "Gaps": "diagnosis.gaps",
    "ImputationDraws": "variation",
    "Imputations": "multiple",
    "Influence": "importance",
    "LeftOut": "left_out",
    "Lever": "diagnosis.levers",
    "Levers": "diagnosis.levers",
    "Limits": "limits",
    "MissingExtra": "errors",
    "Move": "diagnosis.levers",
    "Movement": "diagnosis.movement",
    "Node": "node",
    "Noise": "reweigh",
    "Optimised": "importance",
    "Optimum": "node",
    "Outlook": "diagnosis.outlook",
    "Panel": "panel",
    "PartRanks": "parts",
    "Peers": "variation",
    "Period": "period",
    "Place": "errors",
    "Problem": "errors",
    "Project": "files.project",
    "Ranks": "ranks",
    "Reachable": "reachable",
    "Recipe": "recipe",
    "Reliability": "coherence",
    "Result": "result",
    "Robustness": "robustness",
    "Sampler": "reweigh",
    "Sensitivity": "sensitivity",
    "Sets": "reweigh",
    "Settings": "variation",
    "Study": "study",
    "Thresholds": "coherence",
    "Unit": "units",
    "UnknownName": "errors",
    "acceptability": "reachable",
    "alike": "diagnosis.neighbours",
    "audit": "audit",
    "chain": "chained",
    "codes_from_names": "files.cointool",
    "common_weights": "frontier",
    "comparability": "chained",
    "compare": "compare",
    "compare_many": "compare",
    "convergence": "trends",
    "correlate": "compare",
    "correlations": "coherence",
    "delta": "drivers",
    "denominator_correlations": "importance",
    "diagnose": "diagnosis.diagnose",
    "doubts": "diagnosis.doubts",
    "evaluate": "run",
    "explain": "explain",
    "factors": "coherence",
    "fixed_scales": "chained",
    "framework_changes": "changes",
    "frontier": "frontier",
    "gaps": "diagnosis.gaps",
    "group_ranks": "standing",
    "growth": "trends",
    "impute_many": "multiple",
    "influence": "importance",
    "leave_out": "left_out",
    "levers": "diagnosis.levers",
    "load": "files.project",
    "movement": "diagnosis.movement",
    "nearest": "diagnosis.neighbours",
    "one_at_a_time": "drivers",
    "optimise_weights": "importance",
    "outlook": "diagnosis.outlook",
    "own": "custom",
    "rank_flow": "diagnosis.flow",
    "reachable_ranks": "reachable",
    "read_coinr": "files.coinr",
    "read_cointool": "files.cointool",
    "read_framework": "files.tree",
    "read_panel": "files.observations",
    "recipe_changes": "changes",
    "regional": "drivers",
    "reliability": "coherence",
    "risers": "diagnosis.flow",
    "robustness": "robustness",
    "robustness_in_parts": "parts",
    "run": "run",
    "save": "files.save",
    "sensitivity": "sensitivity",
    "statistics": "coherence",
    "strengths": "standing",
    "trends": "trends",
    "usual": "usual",
    "variant": "recipe",
    "weight_stability": "stability",
    "went_before": "diagnosis.neighbours",
    "write_audit": "reports.audit",
    "write_coinr": "files.coinr",
    "write_everything": "reports.everything",
    "write_jsonstat": "files.jsonstat",
    "write_report": "reports.html",
    "write_robustness": "reports.robustness",
    "write_sdmx_csv": "files.sdmx.csv",
    "write_sdmx_json": "files.sdmx.json",
    "write_sdmx_json_structure": "files.sdmx.json",
    "write_sdmx_ml": "files.sdmx.ml",
    "write_sdmx_ml_structure": "files.sdmx.ml",
    "write_workbook": "reports.workbook",
}

__all__ = ["__version__", *sorted(_HOME)]

if TYPE_CHECKING:
    from biaochi.audit import Audit, Flag, audit
    from biaochi.chained import Chained, chain, comparability, fixed_scales
    from biaochi.changes import framework_changes, recipe_changes
    from biaochi.coherence import Correlations, Factors, Reliability, Thresholds, correlations, factors, reliability, statistics
    from biaochi.compare import Comparison, compare, compare_many, correlate
    from biaochi.custom import own
    from biaochi.diagnosis.diagnose import Diagnoses, Diagnosis, diagnose
    from biaochi.diagnosis.doubts import Doubt, doubts
    from biaochi.diagnosis.findings import Finding
    from biaochi.diagnosis.flow import rank_flow, risers
    from biaochi.diagnosis.gaps import Gaps, gaps
    from biaochi.diagnosis.levers import Lever, Levers, Move, levers
    from biaochi.diagnosis.movement import Movement, movement
    from biaochi.diagnosis.neighbours import alike, nearest, went_before
    from biaochi.diagnosis.outlook import Outlook, outlook
    from biaochi.drivers import delta, one_at_a_time, regional
    from biaochi.errors import BadInput, BadOption, BiaochiError, MissingExtra, Place, Problem, UnknownName
    from biaochi.explain import Explanation, explain
    from biaochi.files.coinr import read_coinr, write_coinr
    from biaochi.files.cointool import codes_from_names, read_cointool
    from biaochi.files.jsonstat import write_jsonstat
    from biaochi.files.observations import read_panel
    from biaochi.files.project import Project, load
    from biaochi.files.save import save
    from biaochi.files.sdmx.csv import write_sdmx_csv
    from biaochi.files.sdmx.json import write_sdmx_json, write_sdmx_json_structure
    from biaochi.files.sdmx.ml import write_sdmx_ml, write_sdmx_ml_structure
    from biaochi.files.tree import read_framework
    from biaochi.formula import BadFormula
    from biaochi.framework import Framework
    from biaochi.frontier import CommonWeights, Frontier, common_weights, frontier
    from biaochi.importance import Influence, Optimised, denominator_correlations, influence, optimise_weights
    from biaochi.left_out import LeftOut, leave_out
    from biaochi.limits import Limits
    from biaochi.multiple import Imputations, impute_many
    from biaochi.node import Node, Optimum
    from biaochi.panel import Panel
    from biaochi.parts import PartRanks, robustness_in_parts
    from biaochi.period import Period
    from biaochi.ranks import Ranks
    from biaochi.reachable import Reachable, acceptability, reachable_ranks
    from biaochi.recipe import Choice, Recipe, variant
    from biaochi.reports.audit import write_audit
    from biaochi.reports.everything import write_everything
    from biaochi.reports.html import write_report
    from biaochi.reports.robustness import write_robustness
    from biaochi.reports.workbook import write_workbook
    from biaochi.result import Result
    from biaochi.reweigh import Bounds, Dirichlet, Drop, Noise, Sampler, Sets
    from biaochi.robustness import Robustness, robustness
    from biaochi.run import evaluate, run
    from biaochi.sensitivity import Sensitivity, sensitivity
    from biaochi.stability import weight_stability
    from biaochi.standing import group_ranks, strengths
    from biaochi.study import Study
    from biaochi.trends import Convergence, convergence, growth, trends
    from biaochi.units import Unit
    from biaochi.usual import usual
    from biaochi.variation import Errors, ImputationDraws, Peers, Settings


def __getattr__(name: str) -> Any:
    """Bring a public name in when it is first asked for, so that ``import biaochi`` costs nothing."""
    if name not in _HOME:
        raise AttributeError(f"module 'biaochi' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"biaochi.{_HOME[name]}"), name)
    globals()[name] = value
    return value


class _Package(ModuleType):
    """Keeps ``biaochi.run`` and ``biaochi.explain`` the functions, whoever imports the modules of that name."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (isinstance(value, ModuleType) and name in _HOME):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __dir__() -> list[str]:
    return list(__all__)
