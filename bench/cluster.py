"""Two worker processes against one, on Dask and Ray clusters begun here, each worker a process with one thread.

The job is one of whole runs, which share nothing, so that it is as long as it is asked to be. Run: python bench/cluster.py [SECONDS]
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results.jsonl"
JOB = """
import sys, time, json, biaochi
from biaochi import Noise, Settings
asem = biaochi.evaluate("asem")
vary = [Noise("weights"), Settings("mean", ({"aggregate": "copeland"}, {"aggregate": "borda"}))]
n, address = int(sys.argv[1]), sys.argv[2]
biaochi.robustness(asem, vary, replicates=20, cluster=address)  # workers are awake
began = time.perf_counter()
made = biaochi.robustness(asem, vary, replicates=n, cluster=address)
print(json.dumps([time.perf_counter() - began, made.counted.shift.sum().item()]))
"""


def job(n: int, address: str) -> list[float]:
    env = {**os.environ, "PYTHONWARNINGS": "ignore", "RAY_DISABLE_IMPORT_WARNING": "1"}
    done = subprocess.run([sys.executable, "-c", JOB, str(n), address], capture_output=True, text=True, env=env, check=True)
    return list(json.loads(done.stdout.strip().splitlines()[-1]))


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def on_dask(n: int, workers: int) -> list[float]:
    port, folder = free_port(), tempfile.mkdtemp()
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    scheduler = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", str(port), "--no-dashboard", "--host", "127.0.0.1"], **quiet
    )
    command = [sys.executable, "-m", "distributed.cli.dask_worker", f"tcp://127.0.0.1:{port}", "--nthreads", "1", "--no-dashboard", "--local-directory", folder]
    made = [subprocess.Popen(command, **quiet) for _ in range(workers)]
    try:
        from distributed import Client

        with Client(f"tcp://127.0.0.1:{port}", timeout=30) as client:
            client.wait_for_workers(workers, timeout=60)
        return job(n, f"dask://127.0.0.1:{port}")
    finally:
        for p in (*made, scheduler):
            p.terminate()
            p.wait(20)


def on_ray(n: int, workers: int) -> list[float]:
    command, port = [sys.executable, "-m", "ray.scripts.scripts"], free_port()
    begin = [
        *command,
        "start",
        "--head",
        f"--port={port}",
        f"--num-cpus={workers}",
        "--include-dashboard=false",
        "--node-ip-address=127.0.0.1",
        "--disable-usage-stats",
    ]
    subprocess.run(begin, capture_output=True, check=True)
    try:
        return job(n, f"ray://127.0.0.1:{port}")
    finally:
        subprocess.run([*command, "stop", "--force"], capture_output=True, check=False)


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    for name, place in (("dask", on_dask), ("ray", on_ray)):
        began, _ = place(400, 1)
        n = max(int(400 * seconds / began), 400)
        (one, a), (two, b) = place(n, 1), place(n, 2)
        assert a == b, "the same bits"
        row = {"name": f"what-ifs on {name}: two workers against one", "one_s": round(one, 2), "two_s": round(two, 2), "times": round(one / two, 2),
               "replicates": n, "date": datetime.now(UTC).date().isoformat()}  # fmt: skip
        with RESULTS.open("a", encoding="utf-8") as f:
            f.write(json.dumps(row) + "\n")
        print(f"{name}: one worker {one:.1f} s, two {two:.1f} s: {one / two:.2f} times as fast; {time.strftime('%H:%M')}")


if __name__ == "__main__":
    main()
