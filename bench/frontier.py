"""Benefit of the doubt beside HiGHS, in one run on one thread; one JSON line is appended to bench/results.jsonl.

Bare HiGHS is one model of all rows, changed from unit to unit and started warm (SciPy and the Python packages for data
envelopment are slower still). It is timed on some units and scaled up; the agreement is over those units. HiGHS takes its
rows as they are here: small coefficients (shares) cost it digits, so gaps of some 1e-6 are its own (SciPy with scaled rows agrees
with ours to 1e-15).
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from datetime import UTC, datetime
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
import highspy
import numpy as np

from biaochi.kernels.frontier.forms import radial
from biaochi.kernels.frontier.simplex import Restrictions

RESULTS = Path(__file__).parent / "results.jsonl"
UNITS, INDICATORS, SOME = 2844, 34, 60


def scores(correlation: float) -> np.ndarray:
    """Scores 1 to 100 of one common factor."""
    rng = np.random.default_rng(0)
    x = np.sqrt(correlation) * rng.normal(size=(UNITS, 1)) + np.sqrt(1 - correlation) * rng.normal(size=(UNITS, INDICATORS))
    return 1 + 99 * (x - x.min(axis=0)) / (x.max(axis=0) - x.min(axis=0))


def restricted(kind: str) -> Restrictions | None:
    m, eye = INDICATORS, np.eye(INDICATORS)
    zero = np.zeros
    if kind == "shares":
        s = np.concatenate([0.01 - eye, eye - 0.1])
        return Restrictions(zero((2 * m, m)), s, zero(2 * m))
    if kind == "order":
        c = np.array([eye[j + 1] - eye[j] for j in range(m - 1)])
        return Restrictions(c, zero((m - 1, m)), zero(m - 1))
    if kind == "ratio":
        c = np.concatenate([[0.25 * eye[0] - eye[j], eye[j] - 4 * eye[0]] for j in range(1, m)])
        return Restrictions(c, zero((len(c), m)), zero(len(c)))
    if kind == "order and shares":
        c = np.array([eye[j + 1] - eye[j] for j in range(m - 1)])
        return Restrictions(np.concatenate([c, zero((m, m))]), np.concatenate([zero((m - 1, m)), 0.0002 - eye]), zero(2 * m - 1))
    return None


def bare(y: np.ndarray, limits: Restrictions | None, units: range) -> tuple[float, np.ndarray]:
    """Seconds for all units, and scores of some: maximise y_k . w with all rows in one model, warm-started."""
    h = highspy.Highs()
    h.silent()
    m, inf = y.shape[1], highspy.kHighsInf
    every = np.arange(m, dtype=np.int32)
    for _ in range(m):
        h.addVar(0.0, inf)
    for row in y:
        h.addRow(-inf, 1.0, m, every, row)
    first = h.getNumRow()
    for w in limits.weights if limits else ():
        h.addRow(-inf, 0.0, m, every, np.asarray(w, float))
    h.changeObjectiveSense(highspy.ObjSense.kMaximize)
    out, started = [], 0.0
    for n, k in enumerate(units):
        if n == 3:  # the first ones warm the model up
            started = time.perf_counter()
        if limits is not None and limits.shares.any():
            for r, (w, s) in enumerate(zip(limits.weights, limits.shares, strict=True)):
                for j in np.flatnonzero(s):
                    h.changeCoeff(first + r, int(j), float(w[j] + s[j] * y[k, j]))
        h.changeColsCost(m, every, y[k])
        h.run()
        out.append(h.getInfo().objective_function_value)
    return (time.perf_counter() - started) / (len(units) - 3) * len(y), np.array(out)


def main() -> None:
    lines = []
    for correlation, kind in ((0.64, "none"), (0.25, "none"), (0.64, "shares"), (0.64, "order"), (0.64, "ratio"), (0.64, "order and shares")):
        y, limits = scores(correlation), restricted(kind)
        ours, got = [], np.empty(0)
        for _ in range(1 if kind == "order and shares" else 5):
            t = time.perf_counter()
            got = radial(y, y, limits).scores
            ours.append(time.perf_counter() - t)
        some = range(0, UNITS, UNITS // SOME)
        theirs, want = bare(y / y.max(axis=0), limits and Restrictions(limits.weights / y.max(axis=0), limits.shares, limits.level), some)
        gap = float(np.abs(got[list(some)] - want).max())
        best = statistics.median(ours)
        lines.append(
            {
                "correlation": correlation,
                "limits": kind,
                "ours_s": round(best, 3),
                "highs_s": round(theirs, 2),
                "ratio": round(theirs / best, 1),
                "largest_gap": gap,
            }
        )
        print(f"r = {correlation}, limits: {kind:17} {best:7.3f} s   bare HiGHS {theirs:8.2f} s   {theirs / best:7.1f} x   largest gap {gap:.1e}")
    told = {"bench": "frontier", "at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": platform.processor() or platform.machine(), "lines": lines}
    with RESULTS.open("a") as f:
        f.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
