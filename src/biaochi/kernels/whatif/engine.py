"""Which inner loops a job gets: plain NumPy for small work, compiled ones for large work where they are at hand."""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from biaochi.errors import MissingExtra, Text, UnknownName

COMPILED = "biaochi.kernels.whatif.compiled"
NAMES = ("auto", "plain", "compiled")
PLAIN_NS = 35.0
"""What a score and its rank cost on one of two usual cores in plain NumPy, in nanoseconds: to tell small work from large."""
WARM_S, COLD_S = 1.0, 8.0
"""Seconds of plain work from which compiled loops pay: when they are in the cache already, and when they must be compiled first."""


def choose(cells: float, want: str = "auto") -> tuple[ModuleType, bool]:
    """The inner loops for so many scores, and whether compiled ones are missed.

    Parameters
    ----------
    cells : float
        Replicates times units times nodes and periods.
    want : {"auto", "plain", "compiled"}

    Raises
    ------
    MissingExtra
        If compiled loops are asked for and Numba is not installed.
    """
    from biaochi.kernels.whatif import plain

    if want not in NAMES:
        raise UnknownName(Text("engine", "计算引擎"), str(want), NAMES)
    there = find_spec("numba") is not None
    if want == "compiled" and not there:
        raise MissingExtra("numba", "fast")
    seconds = cells * PLAIN_NS * 1e-9 / 2
    big = COMPILED in sys.modules or seconds > (WARM_S if _warm() else COLD_S)
    if want == "compiled" or (want == "auto" and there and big):
        return importlib.import_module(COMPILED), False
    return plain, want == "auto" and not there and seconds > COLD_S


def _warm() -> bool:
    """Whether compiled loops wait in a cache: beside the package, or where Numba puts them when that cannot be written."""
    caches = (Path(__file__).parent / "__pycache__", Path.home() / ".cache" / "numba")
    return any(next(iter(folder.glob("**/compiled.ranks*.nbi")), None) for folder in caches if folder.is_dir())
