"""The same bits on threads, processes, and clusters of real worker processes, also when a worker is killed on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import biaochi
from biaochi import BadOption, Drop, Noise, Robustness, Settings
from tests.engine.test_parts import FRAMEWORK, PERIODS, RECIPE, month

pytestmark = pytest.mark.extras
STUDY = [Noise("weights"), Drop("drop"), Settings("method", ({}, {"normalise": "zscore"}, {"impute": "median"}, {"treat": "none"}))]
LONG = [*STUDY, Settings("rule", ({}, {"node": {"Index": {"aggregate": "copeland"}}}), chances=(0.9, 0.1))]
"""With whole runs among the replicates, so that there is time to kill a worker."""


def study(result: biaochi.Result, *, n: int = 3000, vary: Any = STUDY, **where: Any) -> Robustness:
    return biaochi.robustness(result, vary, replicates=n, seed=7, **where)


def same(a: Robustness, b: Robustness) -> None:
    assert a.to_dict() == b.to_dict()
    np.testing.assert_array_equal(a.counted.shift, b.counted.shift)
    np.testing.assert_array_equal(a.counted.tallies[0].hist, b.counted.tallies[0].hist)
    np.testing.assert_array_equal(a.counted.tallies[0].ahead, b.counted.tallies[0].ahead)


@pytest.fixture(scope="module")
def alone(asem: biaochi.Result) -> Robustness:
    return study(asem, workers=1)


def test_threads_and_portions_change_nothing(asem: biaochi.Result, alone: Robustness, monkeypatch: pytest.MonkeyPatch) -> None:
    from biaochi import robustness as module  # noqa: F401 - the function; its module is reached below

    same(alone, study(asem, workers=3))
    monkeypatch.setattr(sys.modules["biaochi.work"], "BLOCK", 700)
    monkeypatch.setattr(sys.modules["biaochi.work"], "BUFFER_BYTES", 51 * 2 * 130)
    same(alone, study(asem, workers=2))
    same(alone, study(asem, workers=2, until=1e-9))


@pytest.mark.extras
def test_compiled_loops_give_the_same_bits(asem: biaochi.Result, alone: Robustness) -> None:
    same(alone, study(asem, engine="compiled"))


def test_processes_give_the_same_bits(asem: biaochi.Result, alone: Robustness) -> None:
    same(alone, study(asem, processes=True, workers=2))


def test_failed_replicates_are_the_same_in_processes(asem: biaochi.Result) -> None:
    vary = [Noise("weights"), Settings("method", ({}, {"normalise": "zscore"})), Settings("mean", ({}, {"aggregate": "geometric", "range": [1, 100]}))]
    here = study(asem, n=400, vary=vary)
    assert 60 < len(here.counted.failed) < 140
    same(here, study(asem, n=400, vary=vary, processes=True, workers=2))


def test_an_address_that_is_none_or_answers_not(asem: biaochi.Result) -> None:
    for address in ("127.0.0.1:8786", "spark://a:1", "dask://a", "dask://"):
        with pytest.raises(BadOption, match="must be dask://HOST:PORT"):
            study(asem, cluster=address)


def _wait_for(file: Path) -> str:
    for _ in range(300):
        if file.is_file() and (text := file.read_text()).strip():
            return text
        time.sleep(0.1)
    raise TimeoutError(file)


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and two workers, each a process of its own."""
    pytest.importorskip("distributed")
    folder = tmp_path_factory.mktemp("dask")
    env = {**os.environ, "DASK_DISTRIBUTED__ADMIN__LOG_LENGTH": "100"}
    log = (folder / "log").open("wb")
    scheduler = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard", "--host", "127.0.0.1", "--scheduler-file", str(folder / "s.json")],
        env=env, stdout=log, stderr=log)  # fmt: skip
    import json

    _wait_for(folder / "s.json")
    time.sleep(0.2)
    address = json.loads((folder / "s.json").read_text())["address"].removeprefix("tcp://")
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", f"tcp://{address}", "--nthreads", "1", "--no-dashboard", "--local-directory", str(folder)]
    workers = [subprocess.Popen(worker, env=env, stdout=log, stderr=log) for _ in range(2)]
    _until_there(address, 2)
    yield f"dask://{address}", workers
    for p in (*workers, scheduler):
        p.terminate()
    for p in (*workers, scheduler):
        p.wait(20)
    log.close()


def _until_there(address: str, n: int) -> None:
    import distributed

    with distributed.Client(f"tcp://{address}", timeout=30) as client:
        client.wait_for_workers(n, timeout=60)


def _children(pid: int) -> list[int]:
    out = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False).stdout
    return [int(line) for line in out.split()]


def test_dask_gives_the_same_bits_also_when_a_worker_is_killed(asem: biaochi.Result, alone: Robustness, dask: Any) -> None:
    address, workers = dask
    same(alone, study(asem, cluster=address))
    wanted = study(asem, n=600, vary=LONG)
    assert wanted.counted.whole_runs > 20
    killed: list[int] = []

    def kill() -> None:
        time.sleep(0.4)
        victims = _children(workers[0].pid) or [workers[0].pid]
        os.kill(victims[0], signal.SIGKILL)
        killed.append(victims[0])

    killer = threading.Thread(target=kill)
    killer.start()
    got = study(asem, n=600, vary=LONG, cluster=address)
    killer.join()
    assert killed, "the worker was killed while there was work"
    same(wanted, got)


PARTED: dict[str, Any] = {"replicates": 60, "seed": 3, "nodes": ["X"]}


def parted(**where: Any) -> list[list[Any]]:
    """Ranks of data in parts, under scales put together from all of them."""
    vary = [Noise("weights"), Settings("scale", ({}, {"normalise": "zscore"}))]
    made = biaochi.robustness_in_parts(FRAMEWORK, [month(p) for p in PERIODS], RECIPE, vary, **PARTED, **where)
    return sorted([p.period, p.node, p.mean.tolist(), p.low.tolist(), p.high.tolist(), p.mean_shift.tolist()] for p in made)


def test_parts_on_dask_give_the_same_bits(dask: Any) -> None:
    wanted = parted(workers=1)
    assert len(wanted) == len(PERIODS)
    assert parted(cluster=dask[0]) == wanted


@pytest.fixture(scope="module")
def ray() -> Iterator[str]:
    """A node of its own with two workers, begun and stopped from the command line."""
    pytest.importorskip("ray")
    import socket

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    command = [sys.executable, "-m", "ray.scripts.scripts"]
    begin = [*command, "start", "--head", f"--port={port}", "--num-cpus=2", "--include-dashboard=false", "--node-ip-address=127.0.0.1", "--disable-usage-stats"]
    env = {**os.environ, "RAY_DISABLE_IMPORT_WARNING": "1"}
    done = subprocess.run(begin, capture_output=True, text=True, env=env, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    yield f"ray://127.0.0.1:{port}"
    subprocess.run([*command, "stop", "--force"], capture_output=True, check=False, timeout=120)


CLIENT = """
import json, os, signal, sys, threading, time
import biaochi
from tests.engine.test_clusters import LONG, parted, study
asem = biaochi.evaluate("asem")
address, kill = sys.argv[1], sys.argv[2] == "kill"
if sys.argv[2] == "parts":
    print(json.dumps({"parts": parted(cluster=address)}))
    sys.exit()
killed = []
def killer():
    for _ in range(200):
        time.sleep(0.05)
        import subprocess
        out = subprocess.run(["pgrep", "-f", "^ray::work"], capture_output=True, text=True).stdout.split()
        if out:
            time.sleep(0.3)
            os.kill(int(out[0]), signal.SIGKILL)
            killed.append(int(out[0]))
            return
thread = threading.Thread(target=killer)
if kill:
    thread.start()
made = study(asem, n=600, vary=LONG, cluster=address) if kill else study(asem, cluster=address)
if kill:
    thread.join()
print(json.dumps({"killed": len(killed), "made": made.to_dict(), "shift": made.counted.shift.tolist(), "hist": int((made.counted.tallies[0].hist.astype("int64") ** 2).sum())}))
"""
"""In a process of its own: Ray takes hold of signals and threads of the process it is used in."""


def _by_ray(address: str, how: str) -> dict[str, Any]:
    import json

    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "RAY_DISABLE_IMPORT_WARNING": "1", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([sys.executable, "-c", CLIENT, address, how], capture_output=True, text=True, env=env, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


@pytest.mark.parametrize("how", ["quietly", "kill"])
def test_ray_gives_the_same_bits_also_when_a_worker_is_killed(asem: biaochi.Result, alone: Robustness, ray: str, how: str) -> None:
    import json

    got = _by_ray(ray, how)
    wanted = alone if how == "quietly" else study(asem, n=600, vary=LONG)
    assert got["killed"] == (how == "kill")
    assert got["made"] == json.loads(json.dumps(wanted.to_dict()))
    assert got["shift"] == wanted.counted.shift.tolist()
    assert got["hist"] == int((wanted.counted.tallies[0].hist.astype(np.int64) ** 2).sum())


def test_parts_on_ray_give_the_same_bits(ray: str) -> None:
    assert _by_ray(ray, "parts")["parts"] == parted(workers=1)
