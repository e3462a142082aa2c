"""All replicates together: shared steps, pieces that fit the cache, ranks counted and not stored."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biaochi.collapse import part_of, refused_problem, shape_of
from biaochi.errors import BadInput, BadOption
from biaochi.kernels.rank import rounded
from biaochi.kernels.whatif.score import Part, Shape, Weighted, score, shares, signature, weigh
from biaochi.method import Array
from biaochi.prefix import Scale, problem_of
from biaochi.recipe import Recipe
from biaochi.reweigh import Noise, Weights
from biaochi.scenarios import Group, Plan, Target, replicate
from biaochi.steps import step_key
from biaochi.tally import Counted, Tally

Ids = NDArray[np.int64]
Begun = list[tuple[Part, Weighted]]
BLOCK = 65_536
"""Scores computed and ranked at a time: what fits the second-level cache."""
FEWEST_ROWS = 16
"""Replicates in a block at least: ranks are written in runs of as many."""
LARGE_BYTES = 16 * 2**20
"""Data from which scales are begun as tasks of their own, apart from what is made of them."""
UNITS_TURNED = 1024
"""Units whose ranks are put in order at a time, so that no second copy of all is needed."""
BUFFER_BYTES = 24 * 2**20
"""Ranks held before they are counted."""


@dataclass
class Piece:
    """A stretch of a group: computed by one thread at a time."""

    number: int
    """Of its group."""
    group: Group
    rows: NDArray[np.intp]
    at: int
    """Its first column in the buffers."""


class Stage:
    """A first step of all groups, begun in the order of the groups and no sooner than need be."""

    def __init__(self, keys: Sequence[Hashable], do: Callable[[Group], Any], ahead: int, made: list[Future[Any] | None] | None = None) -> None:
        first: dict[Hashable, int] = {}
        self.of = [first.setdefault(k, i) for i, k in enumerate(keys)]
        self.first = list(first.values())
        """The first group that needs each of the different steps, in order."""
        number = {i: n for n, i in enumerate(self.first)}
        self.of = [number[i] for i in self.of]
        """Which of the different steps each group needs."""
        self.do, self.ahead, self.made, self.begun = do, ahead, made, 0

    def submit(self, pool: Executor, groups: Sequence[Group], number: int) -> None:
        """Begin what a group needs, and so many more as are to be ahead."""
        stop = self.of[number] + 1 + self.ahead
        for i in self.first[self.begun : stop]:
            future = pool.submit(self.do, groups[i])
            if self.made is not None:
                self.made.append(future)
        self.begun = max(self.begun, min(stop, len(self.first)))


class Work:
    """Some replicates of a plan being computed."""

    def __init__(self, plan: Plan, ids: Ids, engine: ModuleType, *, band: int = 0, keep: bool = False, keep_scores: bool = False, tallied: bool = True) -> None:
        self.plan, self.ids, self.engine = plan, ids, engine
        self.u = plan.uniforms(ids)
        self.groups = plan.groups(plan.picks(self.u))
        sizes = [len(t.order) for t in plan.targets]
        doubled = plan.ties == 2
        tallies = [Tally.empty(n, doubled, min(band, max(n - 1, 0))) for n in sizes]
        shift, compared = (np.zeros((len(sizes), len(ids)), np.int64) for _ in range(2))
        self.counted = Counted(ids, tallies, shift, compared)
        self.keep, self.tallied = keep, tallied
        self.kind = np.uint16 if max(sizes) * (2 if doubled else 1) < 65_535 else np.int32
        if keep_scores:
            self.counted.scores = [np.full((n, len(ids)), np.nan) for n in sizes]
        self.drops = any(isinstance(v, Weights) and not isinstance(v, Noise) for v in plan.vary) or any(
            isinstance(v, Noise) and v.noise == 1 for v in plan.vary
        )
        self._shares: dict[Hashable, Array] = {}
        self._local, self._lock = threading.local(), threading.Lock()
        self._weighted: dict[Hashable, Weighted] = {}
        self._begun: list[Future[Begun | None] | None] = []
        self._done: Counter[int] = Counter()
        """Replicates made of each group: with the last, its first steps are let go."""
        self._held: list[list[NDArray[Any]]] = []

    def run(self, pool: Executor, threads: int, done: Callable[[int], None] = lambda _: None) -> Counted:
        """All of them, piece by piece; ``done`` is told how many more are finished."""
        cells = sum(len(t.order) for t in self.plan.targets)
        columns = BUFFER_BYTES // (cells * np.dtype(self.kind).itemsize)
        if self.keep and not self.tallied:
            columns = len(self.ids)  # kept as they are
        elif columns < len(self.ids):
            columns = max(64, columns // 2)  # two sets of buffers, so that no thread stands still while a chunk is finished
        columns = max(-(-len(self.ids) // -(-len(self.ids) // max(columns, 1))), 1)  # chunks of about one size
        self._held = [[] for _ in self.plan.targets]
        self._begun, self._done = [], Counter()
        stages = self._stages(threads)
        free: list[list[NDArray[Any]]] = []
        waiting: deque[Callable[[], list[NDArray[Any]]]] = deque()
        for chunk in _chunks(self.groups, columns, max(64, -(-min(columns, len(self.ids)) // (4 * threads)))):
            if len(waiting) == 2:
                free.append(waiting.popleft()())
            buffers = free.pop() if free else [np.zeros((len(t.order), columns), self.kind) for t in self.plan.targets]
            pieces = self._submitted(pool, stages, chunk, buffers)
            waiting.append(partial(self._finished, pool, threads, pieces, buffers, chunk[-1].at + len(chunk[-1].rows), done))
        for finish in waiting:
            finish()
        for tally, target in zip(self.counted.tallies, self.plan.targets, strict=True):
            if self.tallied and tally.width == 1:
                settle = partial(self._settle, tally, target.nominal)
                list(pool.map(settle, *zip(*_spans(len(target.order), threads), strict=True)))
        if self.keep:
            self.counted.ranks = list(pool.map(self._by_id, self._held))
        return self.counted

    def _stages(self, threads: int) -> list[Stage]:
        """First steps in the order in which they build on one another, begun far enough ahead for all threads to be at work."""
        more = threads if threads > 1 else 0
        keys = [self.plan.prefixes.key_of(g.choice, g.draws) for g in self.groups]

        def scale(g: Group) -> None:
            with suppress(BadInput, BadOption):  # said where it is needed
                self.plan.prefixes.scale(g.choice, g.draws)

        early = [Stage(keys, scale, more)] if more and self.plan.panel.values.nbytes > LARGE_BYTES else []
        return [*early, Stage(list(range(len(keys))), self._begin, more, self._begun)]

    def _submitted(self, pool: Executor, stages: list[Stage], chunk: list[Piece], buffers: list[NDArray[Any]]) -> list[Future[None]]:
        """Pieces handed to the pool, and before them the first steps that are due."""
        out = []
        for piece in chunk:
            for stage in stages:
                stage.submit(pool, self.groups, piece.number)
            out.append(pool.submit(self._piece, piece, buffers))
        return out

    def _finished(
        self, pool: Executor, threads: int, pieces: list[Future[None]], buffers: list[NDArray[Any]], width: int, done: Callable[[int], None]
    ) -> list[NDArray[Any]]:  # fmt: skip
        """Count a chunk once its pieces are made; its buffers, to be used again."""
        for p in pieces:
            p.result()
        for i, (tally, buffer, target) in enumerate(zip(self.counted.tallies, buffers, self.plan.targets, strict=True)):
            if self.keep:
                self._held[i].append(buffer[:, :width].copy() if width < len(self.ids) else buffer)
            if self.tallied:
                fold = partial(self._fold, tally, target.nominal, buffer[:, :width])
                list(pool.map(fold, *zip(*_spans(len(buffer), threads), strict=True)))
        done(width)
        return buffers

    def _settle(self, tally: Tally, nominal: NDArray[np.int32], first: int, last: int) -> None:
        self.engine.settle(nominal, first, last, tally.hist, tally.number, tally.total, tally.squares, tally.moved)

    def _by_id(self, held: list[NDArray[Any]]) -> NDArray[Any]:
        """Ranks in the order of work as columns in the order of the ids."""
        places = np.empty(len(self.ids), np.intp)
        places[np.concatenate([g.rows for g in self.groups])] = np.arange(len(self.ids))
        whole = held[0] if len(held) == 1 else np.concatenate(held, axis=1)
        for first in range(0, len(whole), UNITS_TURNED):
            whole[first : first + UNITS_TURNED] = whole[first : first + UNITS_TURNED].take(places, axis=1)
        return whole

    def _fold(self, tally: Tally, nominal: NDArray[np.int32], buffer: NDArray[Any], first: int, last: int) -> None:
        self.engine.fold(buffer, nominal, first, last, tally.hist, tally.width, tally.number, tally.total, tally.squares, tally.moved)
        if tally.ahead.shape[1]:
            self.engine.pairs(buffer, first, last, tally.ahead, tally.level, tally.both)

    def _piece(self, piece: Piece, buffers: list[NDArray[Any]]) -> None:
        for b in buffers:
            b[:, piece.at : piece.at + len(piece.rows)] = 0
        try:
            if not self._shared_steps(piece, buffers):
                self._whole_runs(piece, buffers)
        except (BadInput, BadOption) as e:
            self._failed(e, piece.rows)
        with self._lock:
            self._done[piece.number] += len(piece.rows)
            if self._done[piece.number] == len(piece.group.rows):
                self._begun[piece.number] = None

    def _failed(self, e: BadInput | BadOption, rows: Iterable[int]) -> None:
        found = problem_of(e)
        ids = [int(self.ids[r]) for r in rows]
        with self._lock:
            self.counted.failures[found.kind, found.what.en, found.what.zh] += len(ids)
            self.counted.failed.extend(ids)

    def _begin(self, group: Group) -> Begun | None:
        """Parts and weights of each target from shared steps; None where runs must be made."""
        plan, recipe = self.plan, self.plan.prefixes.recipe_of(group.choice)
        key, scale = plan.prefixes.scale(group.choice, group.draws)
        shape = plan.prefixes.shared.get(("shape", step_key(recipe, "aggregate"), scale.framework.fingerprint if plan.framework is not scale.framework else None),
                                         lambda: shape_of(scale.framework, plan.tree, recipe))  # fmt: skip
        if shape is None:
            return None
        base_key, base = plan.prefixes.weights(group.choice, group.draws)
        share = self._share(base_key, base, shape)
        out = []
        for t in plan.targets:
            part = self._part(key, scale, shape, recipe, t, base)
            if part is None:
                return None
            out.append((part, self._weights_of((base_key, t.node, signature(part)), part, share)))
        return out

    def _shared_steps(self, piece: Piece, buffers: list[NDArray[Any]]) -> bool:
        """Compute a piece from shared steps; False where runs must be made."""
        made = self._begun[piece.number]
        assert made is not None
        begun = made.result()
        if begun is None:
            return False
        recipe = self.plan.prefixes.recipe_of(piece.group.choice)
        bad: set[int] = set()
        for i, (part, weighted) in enumerate(begun):
            self._rank(part, weighted[piece.rows], recipe, i, piece, buffers[i], bad)
        if bad:
            self._refuse(piece, sorted(bad), buffers)
        return True

    def _refuse(self, piece: Piece, rows: list[int], buffers: list[NDArray[Any]]) -> None:
        """Take replicates back in which a score came out that a mean cannot take."""
        for b in buffers:
            b[:, piece.at + np.flatnonzero(np.isin(piece.rows, rows))] = 0
        self.counted.shift[:, rows], self.counted.compared[:, rows] = 0, 0
        for s in self.counted.scores or ():
            s[:, rows] = np.nan
        self._failed(BadInput([refused_problem()]), rows)

    def _part(self, key: Hashable, scale: Scale, shape: Shape, recipe: Recipe, t: Target, base: Array) -> Part | None:
        plan = self.plan

        def make() -> Part | None:
            if t.node not in shape.kids:
                return None
            z = plan.prefixes.shared.get(("turned", key, t.period, t.node), lambda: _turned(scale, t), lambda z: z.nbytes)
            zeros = self.drops or bool((base[1:] == 0).any())
            with np.errstate(all="ignore"):
                return part_of(
                    shape, t.node, z, recipe, base, zeros=zeros, drawn=scale.rows.shape[1] > scale.z.shape[1], label=lambda i: plan.tree.nodes[i].code
                )

        where = ("part", key, step_key(recipe, "aggregate"), t.period, t.node, (base > 0).tobytes())
        return plan.prefixes.shared.get(where, make, lambda p: 0 if p is None else p.f.nbytes * (2 if p.there is not None else 1))

    def _share(self, key: Hashable, base: Array, shape: Shape) -> Array:
        """Shares of all replicates that start from these weights; rows of others are there as well, and not looked at."""
        whole = (key, tuple(shape.column))
        if whole not in self._shares:
            self._shares[whole] = shares(shape, 0, self.plan.varied(base, self.u))
        return self._shares[whole]

    def _weights_of(self, key: Hashable, part: Part, share: Array) -> Weighted:
        if key not in self._weighted:
            self._weighted[key] = weigh(part, share)
        return self._weighted[key]

    def _rank(self, part: Part, w: Weighted, recipe: Recipe, i: int, piece: Piece, buffer: NDArray[Any], bad: set[int]) -> None:
        t, n, plan_ties = self.plan.targets[i], len(piece.rows), self.plan.ties
        rows = max(FEWEST_ROWS, BLOCK // max(len(t.order), 1))
        plain = recipe.decimals is None and self.counted.scores is None
        block, places = self._blocks(rows, len(t.order))
        for first in range(0, n, rows):
            last = min(first + rows, n)
            refused = np.zeros(last - first, bool)
            with np.errstate(all="ignore"):
                scores = score(part, w[first:last], self.engine, refused, for_ranks=plain, into=block)
            if refused.any():
                scores[refused] = np.nan
                bad.update(piece.rows[first:last][refused].tolist())
            if self.counted.scores is not None:
                self.counted.scores[i][:, piece.rows[first:last]] = scores.T
            if recipe.decimals is not None:
                scores = rounded(scores, recipe.decimals)
            ranked = places[: last - first]
            self.engine.ranks(scores, ranked, plan_ties)
            self._note(ranked, i, piece.rows[first:last], buffer, piece.at + first)

    def _blocks(self, rows: int, units: int) -> tuple[Array, NDArray[Any]]:
        """Room for scores and ranks, one for each thread."""
        held: dict[tuple[int, int], tuple[Array, NDArray[Any]]] = self._local.__dict__.setdefault("blocks", {})
        if (rows, units) not in held:
            held[rows, units] = np.empty((rows, units)), np.empty((rows, units), self.kind)
        return held[rows, units]

    def _note(self, ranked: NDArray[Any], i: int, rows: NDArray[np.intp], buffer: NDArray[Any], at: int) -> None:
        total, number = np.empty(len(rows), np.int64), np.empty(len(rows), np.int64)
        self.engine.shifts(ranked, self.plan.targets[i].nominal, total, number)
        self.counted.shift[i, rows], self.counted.compared[i, rows] = total, number
        self.engine.turn(ranked, buffer, at)

    def _whole_runs(self, piece: Piece, buffers: list[NDArray[Any]]) -> None:
        for k, row in enumerate(piece.rows):
            try:
                seen = replicate(self.plan, int(self.ids[row]))
            except (BadInput, BadOption) as e:
                self._failed(e, [int(row)])
                continue
            with self._lock:
                self.counted.whole_runs += 1
            for i, (scores, ranks) in enumerate(seen):
                ranked = np.nan_to_num(ranks * (2 if self.plan.ties == 2 else 1)).astype(self.kind)[None]
                self._note(ranked, i, np.array([row]), buffers[i], piece.at + k)
                if self.counted.scores is not None:
                    self.counted.scores[i][:, row] = scores


def _turned(scale: Scale, t: Target) -> Array:
    """Scores of a target's units in their order, (indicator, unit), without those that are not ranked."""
    z, ranked = scale.z[t.period], scale.counts[t.period, t.order]
    out = np.empty((z.shape[1], len(t.order)))
    for first in range(0, len(t.order), UNITS_TURNED):
        out[:, first : first + UNITS_TURNED] = z[t.order[first : first + UNITS_TURNED]].T
    if not ranked.all():
        out[:, ~ranked] = np.nan
    return out


def _chunks(groups: Sequence[Group], columns: int, most: int) -> Iterator[list[Piece]]:
    """Pieces of groups, as many together as there are columns."""
    out: list[Piece] = []
    used = 0
    for number, g in enumerate(groups):
        first = 0
        while first < len(g.rows):
            n = min(len(g.rows) - first, columns - used, most)
            out.append(Piece(number, g, g.rows[first : first + n], used))
            used, first = used + n, first + n
            if used == columns:
                yield out
                out, used = [], 0
    if out:
        yield out


def _spans(n: int, parts: int) -> list[tuple[int, int]]:
    ends = np.linspace(0, n, min(parts, n) + 1).astype(int)
    return [(int(a), int(b)) for a, b in pairwise(ends)]
