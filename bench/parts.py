"""Data larger than a machine: 600,000 units of 34 indicators, month by month, with a scale over all months.

Each part is made where it is worked at, by two processes; what is reported is how long, and the most memory a worker held.
Run: python bench/parts.py [UNITS] [MONTHS] [REPLICATES]
"""

from __future__ import annotations

import json
import os
import platform
import resource
import sys
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from biaochi import Framework, Node, Noise, Panel, Recipe, Settings, Unit, robustness_in_parts
from biaochi.period import Period

RESULTS = Path(__file__).parent / "results.jsonl"
INDICATORS = 34


def framework() -> Framework:
    groups = [f"G{i:02d}" for i in range(-(-INDICATORS // 3))]
    return Framework([Node("INDEX"), *(Node(g, parent="INDEX") for g in groups), *(Node(f"I{i:02d}", parent=groups[i // 3]) for i in range(INDICATORS))])


def month(k: int, units: int) -> Panel:
    """A month of data, made from its number."""
    rng = np.random.default_rng(k)
    x = np.exp(0.6 * rng.standard_normal((1, units, 1)) + 0.8 * rng.standard_normal((1, units, INDICATORS))) * (10 + k)
    x[rng.random(x.shape) < 0.05] = np.nan
    return Panel(
        (Period.parse(f"{2015 + k // 12}-{k % 12 + 1:02d}"),), tuple(Unit(f"u{i:06d}") for i in range(units)), tuple(f"I{i:02d}" for i in range(INDICATORS)),
        x, np.broadcast_to(np.array("A"), x.shape), np.broadcast_to(np.int32(0), x.shape),
    )  # fmt: skip


def main() -> None:
    units, months, replicates = (int(a) for a in [*sys.argv[1:], *("600000", "6", "200")[len(sys.argv) - 1 :]])
    vary: list[Any] = [Noise("weights"), Settings("scale", ({}, {"normalise": "zscore"})), Settings("impute", ({}, {"impute": "median"}))]
    began = time.perf_counter()
    parts = [partial(month, k, units) for k in range(months)]
    seen = 0
    for ranks in robustness_in_parts(framework(), parts, Recipe(impute="mean", scale="pooled", range=(1.0, 100.0)), vary, replicates=replicates,
                                     workers=2, processes=True, engine="compiled"):  # fmt: skip
        seen += 1
        print(
            f"{ranks.period}: first {ranks.units[int(np.nanargmin(ranks.rank))]}, mean width of the intervals {np.nanmean(ranks.high - ranks.low):,.0f} ranks",
            flush=True,
        )
    row = {
        "name": f"parts: {units:,} x {INDICATORS} x {months} months, {replicates} replicates, pooled scale, two processes", "seconds": round(time.perf_counter() - began, 1),
        "seconds_a_part": round((time.perf_counter() - began) / months, 1), "whole_panel_mb": round(units * INDICATORS * months * 8 / 2**20),
        "most_of_a_worker_mb": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024),
        "most_of_the_caller_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024), "finished": seen,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}", "date": datetime.now(UTC).date().isoformat(),
    }  # fmt: skip
    with RESULTS.open("a", encoding="utf-8") as f:
        f.write(json.dumps(row, ensure_ascii=False) + "\n")
    print(json.dumps(row, ensure_ascii=False))


if __name__ == "__main__":
    main()
