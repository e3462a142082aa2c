"""Where work is done: threads, processes, or an existing cluster, all through one seam shaped like an Executor."""

from __future__ import annotations

import importlib
import os
import pickle
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from biaochi.errors import BadOption, BiaochiError, MissingExtra, Text
from biaochi.fingerprint import fingerprint
from biaochi.kernels.whatif.engine import choose
from biaochi.recipe import Recipe
from biaochi.scenarios import Plan
from biaochi.tally import Counted, merged
from biaochi.work import Work

Ids = NDArray[np.int64]
TASKS_A_WORKER = 3
"""Few fat tasks: each worker does the first steps of its own replicates once."""
ATTEMPTS = 4
"""How often a task is handed out again when its worker died."""


class LostWorkers(BiaochiError):
    """Workers kept dying: the work could not be finished."""


def cores() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def packed(plan: Plan, **options: Any) -> tuple[str, bytes]:
    """A plan as bytes that any worker can read, and their fingerprint."""
    r = plan.result
    state = {
        "framework": r.original or r.framework, "recipe": r.recipe.to_dict(), "panel": plan.panel.bare(), "vary": plan.vary, "seed": plan.seed,
        "nodes": [plan.tree.nodes[t.node].code for t in plan.targets], "periods": [str(r.panel.periods[t.period]) for t in plan.targets],
        "design": plan.design, "pooled": r.pooled, "options": options,
    }  # fmt: skip
    blob = pickle.dumps(state)
    return fingerprint({"plan": blob.hex()}), blob


_PLANS: OrderedDict[str, tuple[Plan, dict[str, Any]]] = OrderedDict()


def as_sent(recipe: Mapping[str, Any]) -> Recipe:
    """A recipe from what it was sent to a worker as: `Recipe.to_dict`."""
    return Recipe.from_dict({k: v for k, v in recipe.items() if k != "biaochi.recipe"})


def unpacked(token: str, blob: bytes) -> tuple[Plan, dict[str, Any]]:
    """A plan in a worker; the last ones are kept, so that what their replicates share is computed once."""
    if token not in _PLANS:
        from biaochi.run import run

        s = pickle.loads(blob)
        result = run(s["framework"], s["panel"], as_sent(s["recipe"]), pooled=s["pooled"])
        nodes, periods = list(dict.fromkeys(s["nodes"])), list(dict.fromkeys(s["periods"]))
        plan = Plan(result, s["vary"], seed=s["seed"], nodes=nodes, periods=periods, design=s["design"])
        while len(_PLANS) > 1:
            _PLANS.popitem(last=False)
        _PLANS[token] = (plan, s["options"])
    return _PLANS[token]


def work(token: str, blob: bytes, ids: Ids) -> Counted:
    """What a worker does: compute some replicates on one thread, give back counts."""
    plan, options = unpacked(token, blob)
    options = dict(options)
    engine, _ = choose(options.pop("cells"), options.pop("engine"))
    return Work(plan, ids, engine, **options).run(_Here(), 1)


class _Here(Executor):
    """Calls at once, in the thread that asks."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as e:
            future.set_exception(e)
        return future


def slices(plan: Plan, ids: Ids, n: int) -> list[Ids]:
    """Ids in about ``n`` equal parts, cut where first steps change if that is near."""
    groups = plan.groups(plan.picks(plan.uniforms(ids)))
    ordered = np.concatenate([g.rows for g in groups])
    seams = np.cumsum([len(g.rows) for g in groups])
    even = np.linspace(0, len(ids), max(1, min(n, len(ids))) + 1)[1:-1]
    near = len(ids) / max(n, 1) / 4
    cuts = [int(seams[k]) if abs(seams[k := int(np.abs(seams - e).argmin())] - e) <= near else int(e) for e in even]
    return [ids[np.sort(part)] for part in np.split(ordered, sorted(set(cuts))) if len(part)]


class Spread:
    """Somewhere to work. ``count`` gives the same bits wherever that is."""

    def __init__(self, plan: Plan, *, cells: float, engine: str, options: dict[str, Any]) -> None:
        self.plan, self.cells, self.engine, self.options = plan, cells, engine, options

    def count(self, ids: Ids, done: Callable[[int], None]) -> Counted:
        """Compute some replicates; ``done`` is told how many more are finished."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the workers."""


class Threads(Spread):
    """This process, several threads: first steps are shared by all."""

    def __init__(self, plan: Plan, workers: int, **kwargs: Any) -> None:
        super().__init__(plan, **kwargs)
        self.workers = workers
        self.pool = ThreadPoolExecutor(workers)

    def count(self, ids: Ids, done: Callable[[int], None]) -> Counted:
        engine, _ = choose(self.cells, self.engine)
        return Work(self.plan, ids, engine, **self.options).run(self.pool, self.workers, done)

    def close(self) -> None:
        self.pool.shutdown(cancel_futures=True)


class Handed(Spread):
    """Workers in other processes or on other machines, reached through an Executor that can be made anew."""

    def __init__(self, plan: Plan, place: Place, **kwargs: Any) -> None:
        super().__init__(plan, **kwargs)
        self.calls, self.workers = Calls(place), place.workers
        self.token, self.blob = packed(plan, cells=self.cells / max(place.workers, 1), engine=self.engine, **self.options)

    def count(self, ids: Ids, done: Callable[[int], None]) -> Counted:
        parts = slices(self.plan, ids, self.workers * TASKS_A_WORKER)
        got: dict[int, Counted] = {}
        for k, counted in self.calls.made(work, [(self.token, self.blob, part) for part in parts]):
            got[k] = counted
            done(len(parts[k]))
        return merged([got[k] for k in sorted(got)])

    def close(self) -> None:
        self.calls.close()


@dataclass(frozen=True)
class Place:
    """Where work can be done."""

    make: Callable[[], Executor]
    """Reaches the workers, once more when they were lost."""
    workers: int
    broken: tuple[type[BaseException], ...]
    """What says that they were lost."""


class Calls:
    """Calls made at a place: again where their worker died, given back as they come."""

    def __init__(self, place: Place) -> None:
        self.place, self.pool = place, place.make()

    def made(self, fn: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> Iterator[tuple[int, Any]]:
        """Number and result of each call.

        Raises
        ------
        LostWorkers
            If workers died again and again.
        """
        left = set(range(len(arguments)))
        for _ in range(ATTEMPTS):
            try:
                futures = {self.pool.submit(fn, *arguments[k]): k for k in sorted(left)}
                for f in as_completed(futures):
                    got = f.result()
                    left.discard(futures[f])
                    yield futures.pop(f), got
            except self.place.broken:
                self.pool = self.place.make()
            if not left:
                return
        text = Text(
            f"workers died {ATTEMPTS} times before the work was done; is there enough memory?", f"工作进程 {ATTEMPTS} 次中途退出，计算未完成；内存是否足够？"
        )
        raise LostWorkers(text)

    def close(self) -> None:
        """Let go of the workers."""
        self.pool.shutdown(cancel_futures=True)


def spread(plan: Plan, *, workers: int | None, processes: bool, cluster: str | None, **kwargs: Any) -> Spread:
    """The place asked for, for the replicates of a plan: see `place_of`."""
    place = place_of(workers, processes=processes, cluster=cluster)
    return Handed(plan, place, **kwargs) if processes or cluster is not None else Threads(plan, place.workers, **kwargs)


def place_of(workers: int | None, *, processes: bool, cluster: str | None) -> Place:
    """The place asked for: threads by default, processes, or the cluster at an address.

    Raises
    ------
    BadOption
        If the address is none, or what varies cannot be sent to another process.
    MissingExtra
        If the cluster's library is not installed.
    """
    n = cores() if workers is None else workers
    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise BadOption("workers", f"must be a whole number from 1 up; got {workers!r}.", f"应为不小于 1 的整数；得到 {workers!r}。")
    if cluster is not None:
        return _on_cluster(cluster)
    if processes:
        import multiprocessing

        context = multiprocessing.get_context("spawn")
        return Place(partial(ProcessPoolExecutor, n, mp_context=context), n, (BrokenProcessPool,))
    return Place(partial(ThreadPoolExecutor, n), n, ())


def _on_cluster(address: str) -> Place:
    try:
        parts = urlsplit(str(address))
        sound = parts.scheme in ("dask", "ray") and bool(parts.hostname) and bool(parts.port)
    except ValueError:  # a port that is none
        sound = False
    if not sound:
        raise BadOption(
            "cluster", f"must be dask://HOST:PORT or ray://HOST:PORT; got {address!r}.", f"应为 dask://主机:端口 或 ray://主机:端口；得到 {address!r}。"
        )
    where = f"{parts.hostname}:{parts.port}"
    if parts.scheme == "dask":
        from biaochi.clusters import dask_executor

        _library("distributed")
        return Place(*dask_executor(where))
    from biaochi.clusters import ray_executor

    _library("ray")
    return Place(*ray_executor(where))


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise MissingExtra(name, "cluster") from None


__all__: Sequence[str] = ("Calls", "Handed", "LostWorkers", "Spread", "Threads", "cores", "place_of", "slices", "spread", "work")
