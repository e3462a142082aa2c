"""All units' single levers, beside plain trial runs; one JSON line is appended to bench/results.jsonl.

2,844 made-up units of 34 indicators under min-max scales (every change can move the scale of all) and weighted means. The limit is
10 s for all units and indicators. The peer is what a script would do: the run again for each bisection step of each unit and
indicator; it is timed on a few and scaled up.
"""

from __future__ import annotations

import json
import platform
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

import biaochi
from biaochi.diagnosis.trial import Trials

RESULTS = Path(__file__).parent / "results.jsonl"
UNITS, INDICATORS, STEPS, SOME = 2844, 34, 40, 20


def main() -> None:
    rng = np.random.default_rng(0)
    nodes = [biaochi.Node("X")] + [biaochi.Node(f"g{k}", parent="X") for k in range(6)]
    nodes += [biaochi.Node(f"i{k:02}", parent=f"g{k % 6}") for k in range(INDICATORS)]
    framework = biaochi.Framework(nodes)
    x = np.exp(rng.normal(size=(UNITS, 1)) * 0.5 + rng.normal(size=(UNITS, INDICATORS)) * 0.7)
    at = [(u, k) for u in range(UNITS) for k in range(INDICATORS)]
    table = {"unit": [f"u{u:04}" for u, _ in at], "period": ["2024"] * len(at), "indicator": [f"i{k:02}" for _, k in at], "value": x.ravel().tolist()}
    result = biaochi.run(framework, biaochi.Panel.of(table), biaochi.Recipe())
    began = time.perf_counter()
    made = biaochi.levers(result)
    ours = time.perf_counter() - began
    trials = Trials(result)
    began = time.perf_counter()
    for k in range(SOME):
        changed = trials.x.copy()
        changed[k, 0] *= 1.01
        trials.retake(changed)
    peer = (time.perf_counter() - began) / SOME * UNITS * INDICATORS * STEPS
    line = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"), "bench": "levers", "python": platform.python_version(), "units": UNITS, "indicators": INDICATORS,
        "seconds": round(ours, 2), "levers": int((~np.isnan(made.change)).sum()), "peer_seconds_scaled": round(peer), "times": round(peer / ours),
    }  # fmt: skip
    with RESULTS.open("a", encoding="utf-8") as f:
        f.write(json.dumps(line) + "\n")
    print(json.dumps(line, indent=1))


if __name__ == "__main__":
    main()
