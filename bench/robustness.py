"""What-ifs: seconds and memory at the sizes that matter, beside a peer, a limit measured in the same run, and one another.

Each figure is one process with two threads. The lower bound is the one of 4 counter operations a rank, 1 a count, and
the matrix product at the machine's own rate, each measured in the same process. Run: python bench/robustness.py [NAME ...]
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results.jsonl"
COINR = {"S": 0.23, "N": 1.97}
"""Seconds of CPU of one what-if in COINr 1.1.14, on AMD EPYC Zen 3 at 2.45 GHz."""


def project(units: int, indicators: int, *, missing: float = 0.05, seed: int = 0) -> Any:
    """A made-up panel like an index: correlated, skewed, gaps; three levels below the index."""
    import numpy as np

    from biaochi import Framework, Node, Panel

    rng = np.random.default_rng(seed)
    groups, tops = [f"G{i:02d}" for i in range(-(-indicators // 3))], [f"T{i}" for i in range(6)]
    nodes = [
        Node("INDEX"),
        *(Node(t, parent="INDEX", weight=1.0 + i) for i, t in enumerate(tops)),
        *(Node(g, parent=tops[i % 6]) for i, g in enumerate(groups)),
    ]
    nodes += [Node(f"I{i:02d}", parent=groups[i // 3], weight=1.0 + i % 3) for i in range(indicators)]
    x = np.exp(0.6 * rng.standard_normal((units, 1)) + 0.8 * rng.standard_normal((units, indicators))) * 10
    x[rng.random(x.shape) < missing] = np.nan
    columns = {"unit": [f"u{i:06d}" for i in range(units)]} | {f"I{i:02d}": x[:, i] for i in range(indicators)}
    return Framework(nodes), Panel.of(columns, period="2024")


def inputs(kind: str) -> list[Any]:
    """What varies: weights, imputation, normalisation, and the mean; or what else is to be timed."""
    from biaochi import Drop, Noise, Settings

    imputers: tuple[Any, ...] = ({"impute": "mean"}, {"impute": "median"}, {"impute": {"method": "branch_mean", "level": 0}})
    scales: tuple[Any, ...] = ({}, {"normalise": "zscore"}, {"normalise": {"method": "minmax", "range": [10, 100]}}, {"normalise": "percentile_rank"},
                               {"normalise": "logistic"}, {"normalise": "distance"})  # fmt: skip
    weights = Noise("weights", noise=0.25)
    if kind == "means":  # one mean at all levels
        return [weights, Settings("impute", imputers), Settings("normalise", _positive(scales)), Settings("mean", ({}, {"aggregate": "geometric"}))]
    if kind == "mixed":  # arithmetic or geometric chosen for each level
        levels = [Settings(f"mean {k}", ({}, {"level": {k: {"aggregate": "geometric"}}})) for k in (0, 1, 2)]
        return [weights, Settings("impute", imputers), Settings("normalise", _positive(scales)), *levels]
    if kind == "gaps":
        return [weights, Settings("normalise", scales)]
    if kind == "parents":  # a mean of its own for some parents
        own = {"node": {"T0": {"aggregate": "geometric"}, "T3": {"aggregate": "harmonic"}, "G05": {"aggregate": "geometric"}}}
        return [weights, Settings("impute", imputers), Settings("normalise", _positive(scales)), Settings("mean", ({}, own))]
    if kind == "sobol":
        levels = [Noise(f"weights {k}", level=k) for k in (1, 2, 3)]
        treat = Settings("treat", ({}, {"treat": "percentile"}))
        return [
            *levels,
            Settings("impute", imputers),
            Settings("normalise", _positive(scales)),
            Drop("drop"),
            treat,
            Settings("mean", ({}, {"aggregate": "geometric"})),
        ]
    return [weights, Settings("impute", imputers), Settings("normalise", scales)]


def _positive(scales: Any) -> Any:
    """Scales whose scores are above 0, as a geometric mean needs them."""
    return ({}, {"normalise": {"method": "zscore", "mean": 50, "sd": 8}}, scales[2], {"normalise": {"method": "percentile_rank", "range": [1, 100]}},
            {"normalise": {"method": "logistic", "range": [1, 100]}}, {"normalise": {"method": "distance", "range": [1, 100]}})  # fmt: skip


CASES: dict[str, dict[str, Any]] = {
    "S 51 x 49, 10,000": {"units": 51, "indicators": 49, "replicates": 10_000, "limit_s": 0.05, "size": "S"},
    "N 2,844 x 34, 1,000": {"units": 2844, "indicators": 34, "replicates": 1000, "limit_s": 0.07, "size": "N"},
    "N 2,844 x 34, 10,000": {"units": 2844, "indicators": 34, "replicates": 10_000, "limit_s": 0.25, "size": "N"},
    "N, arithmetic or geometric by level": {"units": 2844, "indicators": 34, "replicates": 10_000, "kind": "mixed", "limit_s": 0.6, "size": "N"},
    "N, gaps left in": {"units": 2844, "indicators": 34, "replicates": 10_000, "kind": "gaps", "impute": "none", "limit_s": 0.75, "size": "N"},
    "N, a mean of its own for some parents": {"units": 2844, "indicators": 34, "replicates": 10_000, "kind": "parents", "limit_s": 0.75, "size": "N"},
    "L 40,000 x 34, 10,000": {"units": 40_000, "indicators": 34, "replicates": 10_000, "limit_s": 4.0, "runs": 2},
    "V 600,000 x 34, 1,000": {"units": 600_000, "indicators": 34, "replicates": 1000, "limit_s": 20.0, "runs": 1},
    "S without the extra": {"units": 51, "indicators": 49, "replicates": 10_000, "engine": "plain", "limit_s": 0.1, "size": "S"},
    "N without the extra": {"units": 2844, "indicators": 34, "replicates": 10_000, "engine": "plain", "limit_s": 2.5, "size": "N", "runs": 3},
    "Sobol N, 1,024 samples, 8 inputs": {"units": 2844, "indicators": 34, "samples": 1024, "kind": "sobol", "limit_s": 0.4},
    "Sobol L, 1,024 samples, 8 inputs": {"units": 40_000, "indicators": 34, "samples": 1024, "kind": "sobol", "limit_s": 5.5, "runs": 2},
}


def measure(name: str) -> dict[str, Any]:
    """One case in this process: the best and the median of some runs, each from raw data, once compiled code is loaded."""
    import resource

    from biaochi import Recipe, run

    c = CASES[name]
    recipe = Recipe(impute=c.get("impute", "mean"), range=(1.0, 100.0))
    result = run(*project(c["units"], c["indicators"]), recipe)
    once(c, run(*project(60, c["indicators"]), recipe), 200)  # compiled code is loaded
    times: list[float] = []
    peak = 0
    made: Any = None
    for _ in range(c.get("runs", 5)):
        made = None  # what a run holds is let go before the next
        began = time.perf_counter()
        made = once(c, result, c.get("replicates", c.get("samples")))
        times.append(time.perf_counter() - began)
        peak = peak or round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)  # of one study and of all it was made from
    out: dict[str, Any] = {"name": f"what-ifs: {name}", "median_s": round(statistics.median(times), 4), "best_s": round(min(times), 4), "limit_s": c["limit_s"],
                           "peak_mb": peak}  # fmt: skip
    if "samples" in c:
        return {**out, "runs": made.runs, "failed": made.failed, "whole_runs": 0}
    out |= {"runs": c["replicates"], "failed": len(made.counted.failed), "whole_runs": made.counted.whole_runs}
    if "size" in c:
        out["times_faster_than_coinr"] = round(COINR[c["size"]] * c["replicates"] / out["median_s"])
    if c.get("engine", "compiled") == "compiled":
        bound, parts = lower_bound(c["units"], c["indicators"], c["replicates"])
        out |= {"lower_bound_s": round(bound, 4), "fraction_of_bound": round(bound / out["median_s"], 2), "bound_parts": parts}
    return out


def once(c: dict[str, Any], result: Any, n: int) -> Any:
    """One study, quantiles included, on two threads."""
    from biaochi import robustness, sensitivity

    vary, engine = inputs(c.get("kind", "means")), c.get("engine", "compiled")
    if "samples" in c:
        return sensitivity(result, vary, samples=n, targets=("shift", "ranks"), engine=engine, workers=2)
    made = robustness(result, vary, replicates=n, engine=engine, workers=2, pairs=False)
    made.ranks().interval(0.9)
    return made


def lower_bound(units: int, indicators: int, replicates: int) -> tuple[float, dict[str, float]]:
    """Seconds no method like ours goes below on two threads: the product at the rate of dgemm, 5 counter operations a rank."""
    import numpy as np
    from numba import njit

    @njit(nogil=True)
    def counters(table: Any, keys: Any, rounds: int) -> None:
        for _ in range(rounds):
            for k in keys:
                table[k] += 1

    table, keys = np.zeros(1024, np.uint32), np.random.default_rng(0).integers(0, 1024, 100_000)
    counters(table, keys, 1)
    began = time.perf_counter()
    counters(table, keys, 200)
    each = (time.perf_counter() - began) / 200 / len(keys)
    a, b = np.random.default_rng(1).random((256, 512)), np.random.default_rng(2).random((512, 2048))
    a @ b
    began = time.perf_counter()
    for _ in range(20):
        a @ b
    flops = 20 * 2 * 256 * 512 * 2048 / (time.perf_counter() - began)
    ranks = float(units) * replicates
    parts = {"product": 2 * indicators * ranks / flops / 2, "ranking": 4 * each * ranks / 2, "counting": each * ranks / 2}
    return sum(parts.values()), {k: round(v, 4) for k, v in parts.items()}


def slopes() -> dict[str, Any]:
    """How cost grows with units and replicates (1 is in proportion), and what one more alternative of normalisation adds."""
    import numpy as np

    from biaochi import Noise, Recipe, Settings, robustness, run

    scales = [{}, *({"normalise": {"method": "minmax", "range": [1, 100 + k]}} for k in range(1, 12))]

    def seconds(units: int, replicates: int, alternatives: int) -> float:
        result = run(*project(units, 34), Recipe(impute="mean", range=(1.0, 100.0)))
        vary = [Noise("weights"), Settings("normalise", tuple(scales[:alternatives]))]
        best = np.inf
        for _ in range(4):
            began = time.perf_counter()
            robustness(result, vary, replicates=replicates, engine="compiled", workers=2, pairs=False)
            best = min(best, time.perf_counter() - began)
        return float(best)

    seconds(100, 100, 2)
    by_units = {u: seconds(u, 4000, 4) for u in (2000, 4000, 8000, 16_000)}
    by_replicates = {r: seconds(2844, r, 4) for r in (4000, 8000, 16_000, 32_000)}
    by_choice = {k: seconds(2844, 8000, k) for k in (2, 4, 8, 12)}

    def slope(t: dict[int, float]) -> float:
        return round(float(np.polyfit(np.log(list(t)), np.log(list(t.values())), 1)[0]), 2)

    each = float(np.polyfit(list(by_choice), list(by_choice.values()), 1)[0])
    return {"name": "what-ifs: slopes", "units": slope(by_units), "replicates": slope(by_replicates), "one_more_alternative_s": round(each, 4),
            "seconds": {"units": by_units, "replicates": by_replicates, "alternatives": by_choice}}  # fmt: skip


def main() -> None:
    if len(sys.argv) > 2 and sys.argv[1] == "--one":
        print(json.dumps(slopes() if sys.argv[2] == "slopes" else measure(sys.argv[2])))
        return
    wanted = [n for n in [*CASES, "slopes"] if not sys.argv[1:] or any(a in n for a in sys.argv[1:])]
    stamp = {"machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}", "date": datetime.now(UTC).date().isoformat()}
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    with RESULTS.open("a", encoding="utf-8") as f:
        for name in wanted:
            done = subprocess.run([sys.executable, __file__, "--one", name], check=True, capture_output=True, text=True, env=env)
            row = {**json.loads(done.stdout.splitlines()[-1]), **stamp}
            f.write(json.dumps(row, ensure_ascii=False) + "\n")
            f.flush()
            if name == "slopes":
                print(f"{'slopes':46} units {row['units']}, replicates {row['replicates']}; one more alternative {1000 * row['one_more_alternative_s']:.1f} ms")
                continue
            more = f"; {row['fraction_of_bound']:.0%} of the lower bound {row['lower_bound_s']} s" if "lower_bound_s" in row else ""
            peer = f"; {row['times_faster_than_coinr']:,} x COINr" if "times_faster_than_coinr" in row else ""
            print(f"{name:46}{row['median_s']:>8.3f} s (best {row['best_s']:.3f}, limit {row['limit_s']}){row['peak_mb']:>6} MB{more}{peer}"
                  + (f"; {row['failed']} failed, {row['whole_runs']} whole" if row["failed"] or row["whole_runs"] else ""))  # fmt: skip


if __name__ == "__main__":
    main()
