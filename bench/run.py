"""The few timings that matter, each beside a peer or a limit.

Every figure is a whole Python process (wall clock) or a call inside one (CPU time, as the peer's). It is given as a median, with the ratio
to a calibration measured in the same run, because machines are shared and seconds drift. One JSON
line a figure is appended to bench/results.jsonl; the table is printed.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import biaochi

RESULTS = Path(__file__).parent / "results.jsonl"
RUNS = 9
ONE_THREAD = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
NUMPY = [sys.executable, "-c", "import numpy"]

INSIDE = """
import json, sys, time
import numpy as np
{setup}
def once():
    began = time.process_time(); {call}; return time.process_time() - began
def calibration():
    rng = np.random.default_rng(0); a = rng.random((300, 300)); began = time.process_time()
    for _ in range(10): np.sort(a @ a, axis=1)
    return time.process_time() - began
once(); calibration()
pairs = [(once(), calibration()) for _ in range({runs})]
print(json.dumps(pairs))
"""


@dataclass(frozen=True)
class Figure:
    """One timing: a command, or a call inside a process; a peer's seconds, a limit, or none."""

    name: str
    command: list[str] | None = None
    setup: str = ""
    call: str = ""
    peer: str | None = None
    peer_s: float | None = None
    limit_s: float | None = None


LOAD = "import biaochi; p = biaochi.load({name!r}); from biaochi import run"
RUN = "run(p.framework, p.panel, p.recipe)"
FIGURES = [
    Figure("import biaochi", [sys.executable, "-c", "import biaochi"], limit_s=0.1),
    Figure("biaochi --help", [sys.executable, "-m", "biaochi", "--help"], limit_s=0.25),
    Figure("biaochi run desi-2022 --json", [sys.executable, "-m", "biaochi", "run", "desi-2022", "--json"], limit_s=0.8),
    Figure("biaochi run asem --json, 10,000 what-ifs in it", [sys.executable, "-m", "biaochi", "run", "asem", "--json"], limit_s=0.9),
    Figure("ASEM pipeline, 51 units x 49 indicators", setup=LOAD.format(name="asem"), call=RUN,
           peer="COINr 1.1.14, same steps, 0.18 s of CPU on AMD EPYC Zen 3 at 2.45 GHz", peer_s=0.18),
    Figure("counties, 2,943 units x 11 indicators", setup=LOAD.format(name="china-counties"), call=RUN, limit_s=0.2),
    Figure("read the counties' files", setup="import biaochi", call="biaochi.load('china-counties')"),
    Figure("DESI, 28 units x 33 indicators x 6 editions", setup=LOAD.format(name="desi-2022"), call=RUN),
]  # fmt: skip


def timed(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C.UTF-8"})
    return time.perf_counter() - began


def measure(figure: Figure) -> dict[str, object]:
    """Median, memory and ratios of one figure."""
    if figure.command:
        timed(figure.command), timed(NUMPY)
        pairs = [(timed(figure.command), timed(NUMPY)) for _ in range(RUNS)]
        calibration = "python -c 'import numpy'"
        memory = peak(figure.command)
    else:
        code = INSIDE.format(setup=figure.setup, call=figure.call, runs=RUNS * 4)
        pairs = json.loads(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=ONE_THREAD).stdout)
        calibration = "10 x sort(300x300 matrix product)"
        memory = peak([sys.executable, "-c", INSIDE.format(setup=figure.setup, call=figure.call, runs=1)])
    seconds = statistics.median(a for a, _ in pairs)
    return {
        "name": figure.name,
        "median_s": round(seconds, 6),
        "peak_mb": round(memory, 1),
        "calibration": calibration,
        "calibration_s": round(statistics.median(b for _, b in pairs), 6),
        "ratio": round(statistics.median(a / b for a, b in pairs), 4),
        "peer": figure.peer,
        "times_faster_than_peer": round(figure.peer_s / seconds, 1) if figure.peer_s else None,
        "limit_s": figure.limit_s,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "biaochi": biaochi.__version__,
        "date": datetime.now(UTC).date().isoformat(),
    }


def peak(command: list[str]) -> float:
    """Peak memory of one run of a command, in MB: measured from a fresh process, so that no other child counts."""
    code = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    kilobytes = int(subprocess.run([sys.executable, "-c", code, *command], check=True, capture_output=True, text=True).stdout)
    return kilobytes / (1024 if sys.platform != "darwin" else 1024**2)


def main() -> None:
    rows = [measure(f) for f in FIGURES]
    with RESULTS.open("a", encoding="utf-8") as f:
        f.writelines(json.dumps(r, ensure_ascii=False) + "\n" for r in rows)
    print(f"{'figure':46}{'median':>10}{'memory':>9}{'ratio':>8}  beside")
    for r in rows:
        beside = f"{r['times_faster_than_peer']} x faster than {r['peer']}" if r["peer"] else f"limit {r['limit_s']} s" if r["limit_s"] else ""
        print(f"{r['name']:46}{r['median_s'] * 1000:>7.1f} ms{r['peak_mb']:>6.0f} MB{r['ratio']:>8.2f}  {beside}")  # type: ignore[operator]
    print(f"ratio: to the calibration of the same run; all lines are in {RESULTS.name}")


if __name__ == "__main__":
    main()
