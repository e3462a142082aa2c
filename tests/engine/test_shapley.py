"""Effects of leaves against all orders, one after the other; sums on real data."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import biaochi
from biaochi.diagnosis.ladder import ladder
from biaochi.kernels.aggregate import AGGREGATORS
from biaochi.kernels.shapley import Branch, climb, shapley

KINDS = {"arithmetic": "sum", "geometric": "product", "harmonic": "other", "median": "other", "mean_min": "other"}


def branch(parts: list[Any], weights: list[float], name: str, floor: float = 0.0) -> Branch:
    w = np.array(weights)

    def combine(z: Any, _: Any) -> Any:
        with np.errstate(all="ignore"):
            if name in ("geometric", "harmonic"):
                z = np.where(z < floor, floor, z)
            return AGGREGATORS[name].kernel(z, w)

    return Branch(tuple(parts), w, KINDS[name], combine, floor)  # type: ignore[arg-type]


def by_orders(tree: Branch, a: Any, b: Any) -> Any:
    """The mean over every order, each taken step by step."""
    leaves = tree.leaves
    out = np.zeros(len(a))
    for order in itertools.permutations(leaves):
        x = b.copy()
        before = climb(tree, x[None])[0]
        for leaf in order:
            x[leaf] = a[leaf]
            after = climb(tree, x[None])[0]
            out[leaf] += after - before
            before = after
    return out / math.factorial(len(leaves))


def by_sets(tree: Branch, a: Any, b: Any) -> Any:
    """The mean over every order, orders with the same leaves before taken together."""
    leaves = tree.leaves
    n = len(leaves)
    sets = [frozenset(s) for k in range(n + 1) for s in itertools.combinations(leaves, k)]
    z = np.array([[a[i] if i in s else b[i] for i in range(len(a))] for s in sets])
    value = dict(zip(sets, climb(tree, z), strict=True))
    out = np.zeros(len(a))
    for s in sets:
        for leaf in set(leaves) - s:
            out[leaf] += math.factorial(len(s)) * math.factorial(n - 1 - len(s)) / math.factorial(n) * (value[s | {leaf}] - value[s])
    return out


@st.composite
def trees(draw: Any, most: int = 10) -> Branch:
    names, floor = st.sampled_from(sorted(KINDS)), draw(st.sampled_from([0.0, 0.3]))
    count = itertools.count()

    def grow(room: int, depth: int) -> Any:
        cuts = draw(st.lists(st.integers(1, max(1, room)), min_size=1, max_size=4)) if depth else [1] * min(room, 1)
        parts: list[Any] = []
        for cut in cuts:
            size = min(cut, room)
            if size <= 0:
                break
            parts.append(next(count) if size == 1 or depth == 1 else grow(size, depth - 1))
            room -= size
        return branch(parts, draw(st.lists(st.sampled_from([0.5, 1.0, 2.0, 3.5]), min_size=len(parts), max_size=len(parts))), draw(names), floor)

    return grow(most, 3)


def values(draw_from: int, leaves: int, rng: np.random.Generator, gaps: float) -> Any:
    x = rng.uniform(0.0, 5.0, (2, draw_from, leaves))
    x[rng.random(x.shape) < 0.05] = 0.0
    x[rng.random(x.shape) < gaps] = np.nan
    return x


@settings(max_examples=120, deadline=None)
@given(tree=trees(), seed=st.integers(0, 2**32), gaps=st.sampled_from([0.0, 0.0, 0.3]))
def test_effects_are_those_of_all_orders(tree: Branch, seed: int, gaps: float) -> None:
    a, b = values(3, max(tree.leaves) + 1, np.random.default_rng(seed), gaps)
    got, exact = shapley(tree, a, b)
    want = np.array([by_sets(tree, x, y) for x, y in zip(a, b, strict=True)])
    scored = exact & ~np.isnan(want).any(axis=1)
    np.testing.assert_allclose(got[scored], want[scored], atol=1e-12, rtol=1e-11)
    assert exact[~np.isnan(want).any(axis=1)].all()


def test_orders_one_by_one() -> None:
    rng = np.random.default_rng(3)
    inner = branch([0, 1, 2], [1.0, 2.0, 1.0], "arithmetic")
    tree = branch([inner, branch([3, 4], [1.0, 1.0], "geometric"), 5], [2.0, 1.0, 1.0], "geometric")
    a, b = rng.uniform(1, 5, (2, 6))
    np.testing.assert_allclose(shapley(tree, a[None], b[None])[0][0], by_orders(tree, a, b), atol=1e-13)


def test_orders_drawn_where_there_are_too_many() -> None:
    rng = np.random.default_rng(4)
    tree = branch(list(range(16)), [1.0] * 16, "mean_min")
    a, b = rng.uniform(1, 5, (2, 2, 16))
    got, exact = shapley(tree, a, b)
    assert not exact.any()
    np.testing.assert_allclose(got.sum(axis=1), climb(tree, a) - climb(tree, b), atol=1e-12)
    same = branch(list(range(16)), [1.0] * 16, "arithmetic")  # where the answer is known
    drawn, _ = shapley(Branch(same.parts, same.weights, "other", same.combine), a, b)
    np.testing.assert_allclose(drawn, (a - b) / 16, atol=1e-12)


@pytest.mark.parametrize("name", ["desi-2022", "china-counties", "hdi", "asem", "shanxi-cities"])
@pytest.mark.parametrize("changes", [{}, {"aggregate": "geometric", "range": [1, 100], "nonpositive": 1.0}])
def test_sums_hold_on_real_data(name: str, changes: dict[str, Any]) -> None:
    project = biaochi.load(name)
    result = biaochi.run(project.framework, project.panel, biaochi.variant(project.recipe, **changes) if changes else project.recipe)
    p, u = np.nonzero(~np.isnan(result.scores[..., 0]))
    if changes:
        p, u = p[::9], u[::9]
    z = np.where(result.screened[..., None], np.nan, result.stages["normalised"])
    mean = np.array([np.nanmean(np.where(c[:, None], x, np.nan), axis=0) for x, c in zip(z, result.counts, strict=True)])
    tree = ladder(result, (p, u))
    np.testing.assert_allclose(climb(tree, z[p, u]), result.scores[p, u, 0], rtol=1e-13)
    got, exact = shapley(tree, z[p, u], mean[p])
    assert exact.all() or name == "asem"
    scale = np.abs(result.scores[p, u, 0]).max()
    np.testing.assert_allclose(got.sum(axis=1), result.scores[p, u, 0] - climb(tree, mean[p]), atol=1e-12 * scale)
