"""Methods of multi-criteria analysis beside the packages that have them, in one run on one thread.

Peers are taken where they can be imported: ``pip install pymcdm scikit-criteria pyDecision``. Each figure is
the median of interleaved calls on the same scores (34 criteria, higher is better, weights 1/34 or from the
data); one JSON line is appended to bench/results.jsonl. A peer is left out where it would take minutes or
more memory than there is; the reason is printed.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import resource
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
import numpy as np

from biaochi.kernels.aggregate import AGGREGATORS
from biaochi.kernels.weigh import WEIGHTINGS

RESULTS = Path(__file__).parent / "results.jsonl"
Call = Callable[[], Any]


def library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def scores(n: int) -> np.ndarray:
    rng = np.random.default_rng(7)
    return rng.random((n, 34)) * 0.7 + rng.random((n, 1)) * 0.3 + 1e-6


def entropy_topsis(z: np.ndarray) -> dict[str, Call | str]:
    equal = np.ones(34)
    calls: dict[str, Call | str] = {"biaochi": lambda: AGGREGATORS["topsis"].kernel(z, WEIGHTINGS["entropy"].kernel(z), scale="vector")}
    if pymcdm := library("pymcdm"):
        from pymcdm import methods, normalizations, weights

        topsis = methods.TOPSIS(normalizations.vector_normalization)
        calls["pymcdm"] = lambda: topsis(z, weights.entropy_weights(z, equal), equal, validation=False)
    if library("skcriteria"):
        import skcriteria as skc
        from skcriteria.agg.similarity import TOPSIS
        from skcriteria.preprocessing.weighters import EntropyWeighter

        matrix = skc.mkdm(z, [max] * 34)
        calls["scikit-criteria"] = lambda: TOPSIS().evaluate(EntropyWeighter().transform(matrix))
    if library("pyDecision"):
        from pyDecision.algorithm import entropy_method, topsis_method

        calls["pyDecision"] = lambda: topsis_method(z, entropy_method(z, ["max"] * 34), ["max"] * 34, graph=False, verbose=False)
    del pymcdm
    return calls


def critic(z: np.ndarray) -> dict[str, Call | str]:
    calls: dict[str, Call | str] = {"biaochi": lambda: WEIGHTINGS["critic"].kernel(z)}
    if library("pymcdm"):
        from pymcdm import weights

        calls["pymcdm"] = lambda: weights.critic_weights(z, np.ones(34))
    if library("skcriteria"):
        import skcriteria as skc
        from skcriteria.preprocessing.weighters import CRITIC

        matrix = skc.mkdm(z, [max] * 34)
        calls["scikit-criteria"] = lambda: CRITIC(scale=False).transform(matrix)
    if library("pyDecision"):
        from pyDecision.algorithm import critic_method

        calls["pyDecision"] = lambda: critic_method(z, ["max"] * 34)
    return calls


def promethee(z: np.ndarray) -> dict[str, Call | str]:
    w = np.full(34, 1.0 / 34)
    calls: dict[str, Call | str] = {"biaochi": lambda: AGGREGATORS["promethee"].kernel(z, w)}
    if library("pymcdm"):
        from pymcdm.methods import PROMETHEE_II

        method = PROMETHEE_II("usual")
        calls["pymcdm"] = (lambda: method(z, w, np.ones(34), validation=False)) if len(z) < 5000 else "needs n x n numbers, 20 GB a criterion"
    if library("pyDecision"):
        calls["pyDecision"] = "minutes: loops over all pairs of units in Python"
    return calls


def copeland(z: np.ndarray) -> dict[str, Call | str]:
    return {"biaochi": lambda: AGGREGATORS["copeland"].kernel(z, np.ones(34)), "COINr": "33 s at 400 units (limits measured elsewhere)"}


FIGURES = [
    ("entropy + TOPSIS", entropy_topsis, (2844, 50_000)),
    ("CRITIC", critic, (2844, 50_000)),
    ("PROMETHEE II, usual", promethee, (2844, 50_000)),
    ("Copeland", copeland, (2844,)),
]


def measure(calls: dict[str, Call | str], runs: int) -> dict[str, float | str]:
    able = {name: call for name, call in calls.items() if not isinstance(call, str)}
    for call in able.values():
        call()
    times: dict[str, list[float]] = {name: [] for name in able}
    for _ in range(runs):
        for name, call in able.items():
            began = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - began)
    return {name: statistics.median(times[name]) if name in able else str(calls[name]) for name in calls}


def main() -> None:
    warnings.simplefilter("ignore")
    lines = []
    for name, make, sizes in FIGURES:
        for n in sizes:
            found = measure(make(scores(n)), 3 if n > 5000 else 7)
            ours = float(found["biaochi"])
            print(
                f"{name}, {n:,} x 34: {ours * 1000:.1f} ms, peak memory of the process so far {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB"
            )
            for peer, seconds in found.items():
                if peer != "biaochi":
                    print(f"    {peer}: {seconds}" if isinstance(seconds, str) else f"    {peer}: {seconds * 1000:.1f} ms, {seconds / ours:.1f} x")
            lines.append({"figure": f"{name}, {n} x 34", "seconds": found})
    head = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": platform.processor() or platform.machine(), "python": platform.python_version()}
    with RESULTS.open("a", encoding="utf-8") as f:
        f.writelines(json.dumps({**head, **line}) + "\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
