"""The planned run against brute force: the whole pipeline run again for each replicate, on random frameworks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from biaochi import BadInput, BadOption, Panel, Recipe, run
from biaochi.framework import Framework
from biaochi.kernels.rank import keys, rank
from biaochi.kernels.whatif import plain
from biaochi.node import Node
from biaochi.recipe import Choice
from biaochi.reweigh import Bounds, Dirichlet, Drop, Noise, Sampler, Sets
from biaochi.scenarios import Plan, replicate
from biaochi.variation import Errors, ImputationDraws, Peers, Settings, Variation
from biaochi.work import Work

ENGINES: list[Any] = [plain]
if find_spec("numba"):
    from biaochi.kernels.whatif import compiled

    ENGINES.append(compiled)

NORMALISERS = ["minmax", "zscore", "percentile_rank", "rank", "distance", "fraction_of_max", {"method": "minmax", "range": [1, 100]}]
AGGREGATORS = ["arithmetic", "geometric", "harmonic", {"method": "power", "exponent": 2.0}, "median", "mean_min", {"method": "owa", "exponent": 1.5},
               {"method": "choquet", "interaction": 0.3}, "copeland", {"method": "arithmetic", "min_children": 0.6}]  # fmt: skip


def random_case(rng: np.random.Generator) -> tuple[Framework, Panel, Recipe]:
    """A ragged tree of 3 to 12 indicators, one or two periods, gaps, ties, choices by level and node."""
    nodes, leaves, branches = [Node("IDX")], [], ["IDX"]
    for k in range(int(rng.integers(0, 4))):
        branches.append(f"B{k}")
        nodes.append(Node(f"B{k}", parent=str(rng.choice(branches[:-1])), weight=float(rng.integers(1, 5))))
    for k in range(int(rng.integers(3, 9))):
        leaves.append(f"i{k}")
        nodes.append(Node(f"i{k}", parent=str(rng.choice(branches)), weight=float(rng.choice([1.0, 2.0, 0.5])), direction=int(rng.choice([1, 1, -1]))))
    for b in branches:  # no branch without children
        if not any(n.parent == b for n in nodes):
            leaves.append(f"j{b}")
            nodes.append(Node(f"j{b}", parent=b))
    units, periods = int(rng.integers(4, 14)), int(rng.integers(1, 3))
    shape = (periods, units, len(leaves))
    x = rng.integers(1, 6, shape).astype(float) if rng.random() < 0.4 else np.exp(rng.standard_normal(shape)) * 10 + 1
    x[rng.random(shape) < rng.choice([0.0, 0.05, 0.25])] = np.nan
    at = {c: i for i, c in enumerate(leaves)}
    rows = [(f"u{u:02d}", str(2020 + p)) for p in range(periods) for u in range(units)]
    table: dict[str, Any] = {"unit": [r[0] for r in rows], "period": [r[1] for r in rows]}
    table |= {c: x[:, :, at[c]].ravel() for c in leaves}
    people = [{"code": f"u{u:02d}", "ranked": "no" if u == 0 and rng.random() < 0.3 else "yes"} for u in range(units)]
    panel = Panel.of(table, units={k: [p[k] for p in people] for k in ("code", "ranked")})
    some = {"nonpositive": str(rng.choice(["refuse", "missing", "zero"])) if rng.random() < 0.7 else 2.0, "constant": "missing"}
    recipe = Recipe(impute=str(rng.choice(["none", "mean", "median"])), treat=str(rng.choice(["none", "winsorise", "percentile"])),
                    normalise=str(rng.choice(["minmax", "zscore"])), range=(1.0, 100.0), scale=str(rng.choice(["period", "pooled"])),
                    ties=str(rng.choice(["best", "worst", "average", "dense"])), min_children=float(rng.choice([0.0, 0.0, 0.5])),
                    min_share=float(rng.choice([0.0, 0.0, 0.6])), decimals=None if rng.random() < 0.8 else 1,
                    weigh=str(rng.choice(["given", "given", "equal", "sd"])), **some)  # type: ignore[arg-type]  # fmt: skip
    if rng.random() < 0.3:
        recipe = Recipe(**{**_fields(recipe), "level": {1: {"aggregate": _choice(rng, AGGREGATORS)}}})
    if rng.random() < 0.3:
        recipe = Recipe(
            **{**_fields(recipe), "node": {str(rng.choice(leaves)): {"normalise": Choice("rank")}, "IDX": {"aggregate": _choice(rng, AGGREGATORS)}}}
        )
    return Framework(nodes), panel, recipe


def _fields(recipe: Recipe) -> dict[str, Any]:
    return {k: getattr(recipe, k) for k in Recipe.__dataclass_fields__}


def _choice(rng: np.random.Generator, of: list[Any]) -> Choice:
    got = of[int(rng.integers(len(of)))]
    return Choice(got) if isinstance(got, str) else Choice.of(got["method"], **{k: v for k, v in got.items() if k != "method"})


def random_variations(rng: np.random.Generator, framework: Framework) -> list[Variation]:
    """One to five inputs of all kinds."""
    codes = [n.code for n in framework.walk() if n.parent is not None]
    leaves = [n.code for n in framework.indicators]

    def pool(r: np.random.Generator, n: int, names: Any) -> Any:
        return r.random((n, len(names))) * (r.random((n, len(names))) < 0.9)

    def pick(of: list[Any], step: str) -> Settings:
        alternatives = [of[i] for i in rng.choice(len(of), 2, replace=False)]
        return Settings(step, tuple({step: a} for a in alternatives))

    every: list[Variation] = [
        Noise("noise", noise=float(rng.choice([0.25, 1.0])), level=None if rng.random() < 0.7 else 1),
        Dirichlet("dirichlet", concentration=float(rng.choice([1.0, 30.0]))),
        Bounds("bounds", bounds={codes[0]: (0.0, 2.0), codes[-1]: (1.0, 3.0)}),
        Sets("sets", sets={"a": {codes[0]: 1.0}, "b": {codes[0]: 0.0, codes[-1]: 4.0}}),
        Sampler("sampler", draw=pool, codes=tuple(codes)),
        Drop("drop", mode=str(rng.choice(["one", "each"])), chance=0.5),
        pick(NORMALISERS, "normalise"),
        pick(AGGREGATORS, "aggregate"),
        pick(["none", "mean", "median"], "impute"),
        pick(["given", "equal", "sd", "entropy"], "weigh"),
        Settings("rule", ({}, {"node": {leaves[0]: {"normalise": "borda"}}}, {"min_children": 0.7})),
        Errors("errors", relative=0.1, draws=3),
        Peers("peers", draws=3),
        ImputationDraws("imputations", draws=2),
    ]
    return [every[i] for i in sorted(rng.choice(len(every), int(rng.integers(1, 6)), replace=False))]


def brute(plan: Plan, ids: np.ndarray) -> list[Any]:
    out: list[Any] = []
    for i in ids:
        try:
            out.append(replicate(plan, int(i)))
        except (BadInput, BadOption):
            out.append(None)
    return out


def _check_weights(plan: Plan, ids: np.ndarray) -> None:
    """The weights a study starts from are those of a run."""
    for g in plan.groups(plan.picks(plan.uniforms(ids))):
        try:
            panel, rng = plan.prefixes.panel_of(g.draws)
            made = run(plan.framework, panel, plan.prefixes.recipe_of(g.choice), rng=rng)
        except (BadInput, BadOption):
            continue
        want = [made.weights[made.node_at(n.code)] if n.code in made.framework else 0.0 for n in plan.tree.nodes]
        np.testing.assert_allclose(plan.prefixes.weights(g.choice, g.draws)[1], want, rtol=1e-12)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32 - 1))
def test_planned_equals_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    framework, panel, recipe = random_case(rng)
    try:
        result = run(framework, panel, recipe)
        plan = Plan(result, random_variations(rng, framework), seed=seed % 1000, nodes=[n.code for n in framework.walk() if framework.children(n.code)],
                    periods=[str(p) for p in panel.periods])  # fmt: skip
    except (BadInput, BadOption):
        return  # the case itself, or an input that touches nothing, is refused
    ids = np.arange(5) + int(rng.integers(0, 2000))
    wanted = brute(plan, ids)
    _check_weights(plan, ids)
    for engine in ENGINES:
        with ThreadPoolExecutor(2) as pool:
            got = Work(plan, ids, engine, band=3, keep=True, keep_scores=True).run(pool, 2)
        assert got.ranks is not None
        assert got.scores is not None
        for k, replicated in enumerate(wanted):
            assert (int(ids[k]) in got.failed) == (replicated is None), (engine.__name__, k)
            if replicated is None:
                continue
            for t, (scores, ranks) in enumerate(replicated):
                spread = np.nanmax(np.abs(scores), initial=1e-300)
                np.testing.assert_allclose(got.scores[t][:, k], scores, rtol=1e-12, atol=1e-12 * spread, err_msg=f"{engine.__name__} {plan.targets[t]}")
                factor = 2 if plan.ties == 2 else 1
                np.testing.assert_array_equal(got.ranks[t][:, k], np.nan_to_num(ranks * factor), err_msg=engine.__name__)
        for t, tally in enumerate(got.tallies):
            held = got.ranks[t].astype(np.int64)
            np.testing.assert_array_equal(tally.total, held.sum(axis=1))
            np.testing.assert_array_equal(tally.squares, (held**2).sum(axis=1))
            np.testing.assert_array_equal(tally.hist.sum(axis=1), len(ids))
            nominal = plan.targets[t].nominal.astype(np.int64)[:, None]
            np.testing.assert_array_equal(tally.moved, np.where((held > 0) & (nominal > 0), np.abs(held - nominal), 0).sum(axis=1))
            for d in range(min(tally.ahead.shape[1], len(held) - 1)):
                a, b = held[: -1 - d], held[1 + d :]
                both = (a > 0) & (b > 0)
                np.testing.assert_array_equal(tally.both[: -1 - d, d], both.sum(axis=1))
                np.testing.assert_array_equal(tally.ahead[: -1 - d, d], (both & (a < b)).sum(axis=1))
                np.testing.assert_array_equal(tally.level[: -1 - d, d], (both & (a == b)).sum(axis=1))


@pytest.mark.parametrize("engine", ENGINES, ids=lambda e: e.__name__.rsplit(".", 1)[-1])
@pytest.mark.parametrize("units", [2, 51, 161, 400, 5000])
@pytest.mark.parametrize("ties", [0, 1, 2, 3])
def test_ranks_of_each_engine(engine: Any, units: int, ties: int) -> None:
    rng = np.random.default_rng(units)
    s = np.round(rng.standard_normal((6, units)), 2) * 1.0
    s[1] = np.exp(20 * s[1])  # nearly all scores in one class of the first sort
    s[2] = 3.0
    s[3, rng.random(units) < 0.3] = np.nan
    s[4] = np.nan
    s[5] = np.sort(s[5])
    out = np.zeros(s.shape, np.int32)
    engine.ranks(s, out, ties)
    name: Any = ["best", "worst", "average", "dense"][ties]
    np.testing.assert_array_equal(out, np.nan_to_num(rank(s, ties=name) * (2 if ties == 2 else 1)))


@pytest.mark.parametrize("rule", ["refuse", "missing", "zero", 2.0])
@pytest.mark.parametrize("engine", ENGINES, ids=lambda e: e.__name__.rsplit(".", 1)[-1])
def test_scores_on_the_way_that_a_mean_cannot_take(engine: Any, rule: Any) -> None:
    """Arithmetic branches of z-scores around 1 under a geometric index: in some replicates a branch falls below 0."""
    rng = np.random.default_rng(5)
    nodes = [Node("IDX"), Node("A", parent="IDX"), Node("B", parent="IDX"), *(Node(f"i{k}", parent="AB"[k // 3], weight=1.0 + k) for k in range(6))]
    panel = Panel.of({"unit": [f"u{u}" for u in range(9)], **{f"i{k}": rng.standard_normal(9) for k in range(6)}}, period="2024")
    scale = Choice.of("zscore", mean=1.6, sd=1.0)
    recipe = Recipe(normalise=scale, nonpositive=rule, node={"IDX": {"aggregate": "geometric"}})
    free = run(Framework(nodes), panel, Recipe(**{**_fields(recipe), "nonpositive": "missing"}))
    plan = Plan(free, [Noise("weights", noise=0.9), Settings("rule", ({"nonpositive": rule}, {"nonpositive": rule, "constant": "missing"}))])
    ids = np.arange(40)
    wanted = brute(plan, ids)
    with ThreadPoolExecutor(2) as pool:
        got = Work(plan, ids, engine, keep=True, keep_scores=True).run(pool, 2)
    assert got.scores is not None
    assert set(got.failed) == {int(i) for i in ids if wanted[i] is None}
    assert (0 < len(got.failed) < 40) == (rule == "refuse")
    assert got.whole_runs == 0
    for k in range(40):
        if wanted[k] is not None:
            np.testing.assert_allclose(got.scores[0][:, k], wanted[k][0][0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("top", ["arithmetic", "geometric", "harmonic"])
def test_a_branch_that_loses_all_its_weight(engine: Any, top: str) -> None:
    """Nothing is missing, and a branch with a mean of its own has no weight left in some replicates: the others carry on."""
    rng = np.random.default_rng(5)
    nodes = [Node("X", aggregate=Choice(top)), Node("A", parent="X", aggregate=Choice("power", (("exponent", 2.0),))), Node("B", parent="X"),
             *(Node(f"{p.lower()}{k}", parent=p, weight=1 + k) for p in "AB" for k in (1, 2))]  # fmt: skip
    panel = Panel.of({"unit": [f"u{i}" for i in range(12)], **{c: rng.random(12) for c in ("a1", "a2", "b1", "b2")}}, period="2024")
    result = run(Framework(nodes), panel, Recipe(range=(1.0, 100.0)))
    plan = Plan(result, [Noise("weights"), Drop("drop", mode="each", chance=0.6, indicators=("a1", "a2"))], nodes=["X", "A"])
    ids = np.arange(40)
    with ThreadPoolExecutor(2) as pool:
        got = Work(plan, ids, engine, keep_scores=True).run(pool, 2)
    assert got.scores is not None
    gone = np.isnan(got.scores[1]).all(axis=0)
    assert 5 < gone.sum() < 25
    for k, wanted in enumerate(brute(plan, ids)):
        for t, (scores, _) in enumerate(wanted):
            np.testing.assert_allclose(got.scores[t][:, k], scores, rtol=1e-12)
    assert not np.isnan(got.scores[0]).any()


def test_keys_join_noise_and_keep_differences() -> None:
    a = np.array([[1.0, 1.0 + 2e-16, 1.0 - 1e-16, 0.5, 0.0, 0.0 + 1e-9]])
    k = keys(a)[0].astype(np.int64)
    assert max(k[:3]) - min(k[:3]) <= 1
    assert abs(k[4] - k[5]) > 100


@pytest.mark.extras
def test_compiled_logarithm_and_exponential() -> None:
    from biaochi.kernels.whatif import compiled

    x = np.exp(np.random.default_rng(1).uniform(-80, 80, (7, 1000)))
    logs, back = x.copy(), np.empty_like(x)
    compiled.log(logs)
    assert (np.abs(logs - np.log(x)) <= np.spacing(np.abs(np.log(x)))).all()
    back[...] = logs
    compiled.exp(back)
    assert (np.abs(back - np.exp(logs)) <= np.spacing(np.exp(logs))).all()
    odd = np.array([[0.0, -1.0, np.nan, 1.0]])
    compiled.log(odd)
    np.testing.assert_array_equal(odd, [[-np.inf, np.nan, np.nan, 0.0]])
