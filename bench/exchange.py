"""5.8 million observations read, scored and written, from CSV and from Parquet; one JSON line is appended to bench/results.jsonl."""

from __future__ import annotations

import json
import platform
import resource
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

import biaochi
from biaochi import Framework, Node, Recipe
from biaochi.arrow import encoded

RESULTS = Path(__file__).parent / "results.jsonl"
LIMIT = 10.0
UNITS, PERIODS, INDICATORS = 2844, 60, 34


def written(folder: Path) -> list[Path]:
    p, u, c = np.indices((PERIODS, UNITS, INDICATORS)).reshape(3, -1)
    periods = [f"{2018 + m // 12}-{m % 12 + 1:02d}" for m in range(PERIODS)]
    columns = {
        "unit": encoded([f"{i:06}" for i in range(UNITS)], u),
        "period": encoded(periods, p),
        "indicator": encoded([f"i{j:02}" for j in range(INDICATORS)], c),
    }
    table = pa.table({**columns, "value": np.random.default_rng(0).random(len(p))})
    pa.parquet.write_table(table, folder / "data.parquet")
    pa.csv.write_csv(pa.table({n: table[n].cast(pa.string()) if n != "value" else table[n] for n in table.column_names}), folder / "data.csv")
    return [folder / "data.csv", folder / "data.parquet"]


def main() -> None:
    nodes = [Node("top"), *(Node(f"L{k}", "top") for k in range(6)), *(Node(f"M{k}", f"L{k % 6}") for k in range(11))]
    framework = Framework([*nodes, *(Node(f"i{j:02}", f"M{j % 11}") for j in range(INDICATORS))])
    lines = []
    with tempfile.TemporaryDirectory() as scratch:
        for path in written(Path(scratch)):
            t0 = time.perf_counter()
            panel = biaochi.read_panel(path)
            t1 = time.perf_counter()
            result = biaochi.run(framework, panel, Recipe(scale="pooled"))
            t2 = time.perf_counter()
            result.to_parquet(Path(scratch) / "scores.parquet")
            t3 = time.perf_counter()
            biaochi.write_sdmx_csv(panel, Path(scratch) / "out.csv")
            t4 = time.perf_counter()
            line = {
                "from": path.suffix,
                "read_s": t1 - t0,
                "run_s": t2 - t1,
                "scores_s": t3 - t2,
                "sdmx_csv_s": t4 - t3,
                "total_s": t3 - t0,
                "with_sdmx_s": t4 - t0,
            }
            lines.append({k: round(v, 2) if isinstance(v, float) else v for k, v in line.items()})
            print(
                f"{path.suffix:9} read {t1 - t0:5.2f} s, run {t2 - t1:5.2f} s, scores to Parquet {t3 - t2:5.2f} s: {t3 - t0:5.2f} s ({LIMIT / (t3 - t0):.1f} x the limit of {LIMIT:.0f} s); observations to SDMX-CSV {t4 - t3:5.2f} s"
            )
            del panel, result
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    told = {
        "bench": "exchange",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": platform.processor() or platform.machine(),
        "peak_mb": peak,
        "lines": lines,
    }
    with RESULTS.open("a") as f:
        f.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
