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
    "Chained": "chained",
    "Choice": "recipe",
    "CommonWeights": "frontier",
    "Comparison": "compare",
    "Convergence": "trends",
    "Correlations": "coherence",
    "Explanation": "explain",
    "Factors": "coherence",
    "Flag": "audit",
    "Framework": "framework",
    "Frontier": "frontier",
    "Imputations": "multiple",
    "Influence": "importance",
    "LeftOut": "left_out",
    "Limits": "limits",
    "MissingExtra": "errors",
    "Node": "node",
    "Optimised": "importance",
    "Optimum": "node",
    "Panel": "panel",
    "Period": "period",
    "Place": "errors",
    "Problem": "errors",
    "Project": "files.project",
    "Recipe": "recipe",
    "Reliability": "coherence",
    "Result": "result",
    "Thresholds": "coherence",
    "Unit": "units",
    "UnknownName": "errors",
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
    "denominator_correlations": "importance",
    "evaluate": "run",
    "explain": "explain",
    "factors": "coherence",
    "fixed_scales": "chained",
    "framework_changes": "changes",
    "frontier": "frontier",
    "group_ranks": "standing",
    "growth": "trends",
    "impute_many": "multiple",
    "influence": "importance",
    "leave_out": "left_out",
    "load": "files.project",
    "optimise_weights": "importance",
    "own": "custom",
    "read_coinr": "files.coinr",
    "read_cointool": "files.cointool",
    "read_framework": "files.tree",
    "read_panel": "files.observations",
    "recipe_changes": "changes",
    "reliability": "coherence",
    "run": "run",
    "save": "files.save",
    "statistics": "coherence",
    "strengths": "standing",
    "trends": "trends",
    "variant": "recipe",
    "write_audit": "reports.audit",
    "write_coinr": "files.coinr",
    "write_everything": "reports.everything",
    "write_jsonstat": "files.jsonstat",
    "write_report": "reports.html",
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
    from biaochi.period import Period
    from biaochi.recipe import Choice, Recipe, variant
    from biaochi.reports.audit import write_audit
    from biaochi.reports.everything import write_everything
    from biaochi.reports.html import write_report
    from biaochi.reports.workbook import write_workbook
    from biaochi.result import Result
    from biaochi.run import evaluate, run
    from biaochi.standing import group_ranks, strengths
    from biaochi.trends import Convergence, convergence, growth, trends
    from biaochi.units import Unit


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
