"""Existing clusters as Executors: Dask and Ray, by address. Imported only when one is asked for."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any

from biaochi.errors import BadOption

RETRIES = 4
"""How often the cluster itself runs a task again whose worker died."""
RAY_CLIENT_PORT = 10_001
"""Where a Ray cluster listens for clients from outside; any other port is taken as that of its own nodes."""

Made = tuple[Callable[[], Executor], int, tuple[type[BaseException], ...]]


class Dask(Executor):
    """A Dask cluster as an Executor: tasks are run again where their worker died."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        from concurrent.futures import CancelledError

        got: Future[Any] = Future()
        task = self.client.submit(fn, *args, pure=False, retries=RETRIES, **kwargs)

        def settle(done: Any) -> None:
            try:
                got.set_result(done.result())
            except (Exception, CancelledError) as e:
                got.set_exception(e)

        task.add_done_callback(settle)
        return got

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self.client.close()


class Ray(Executor):
    """A Ray cluster as an Executor: tasks are run again where their worker died."""

    def __init__(self, ray: Any) -> None:
        self.ray = ray

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        remote = self.ray.remote(num_cpus=1, max_retries=RETRIES)(fn)
        got: Future[Any] = remote.remote(*args, **kwargs).future()
        return got

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self.ray.shutdown()


def dask_executor(where: str) -> Made:
    """How to reach a Dask cluster, how many tasks it runs at a time, and what says that it is gone."""
    import distributed

    try:
        client = distributed.Client(f"tcp://{where}", timeout=10)
    except (OSError, TimeoutError) as e:
        raise _unreached("dask", where) from e
    workers = sum(client.nthreads().values())
    client.close()
    if not workers:
        raise BadOption("cluster", f"has no workers at dask://{where}.", f"dask://{where} 上没有工作进程。")
    return (lambda: Dask(distributed.Client(f"tcp://{where}", timeout=10))), workers, (distributed.KilledWorker, OSError)


def ray_executor(where: str) -> Made:
    """How to reach a Ray cluster, how many tasks it runs at a time, and what says that it is gone."""
    import ray

    address = f"ray://{where}" if where.endswith(f":{RAY_CLIENT_PORT}") else where
    begin = partial(ray.init, address=address, ignore_reinit_error=True, log_to_driver=False, configure_logging=False)
    try:
        begin()
    except (ConnectionError, OSError, RuntimeError, ValueError) as e:
        raise _unreached("ray", where) from e
    workers = int(ray.cluster_resources().get("CPU", 1))

    def make() -> Executor:
        begin()
        return Ray(ray)

    return make, workers, (ray.exceptions.WorkerCrashedError, ray.exceptions.RaySystemError)


def _unreached(kind: str, where: str) -> BadOption:
    return BadOption(
        "cluster", f"cannot be reached at {kind}://{where}: is it running, and the port open?", f"无法连接 {kind}://{where}：集群是否已启动、端口是否开放？"
    )
