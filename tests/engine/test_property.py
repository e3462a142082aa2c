"""Random frameworks, panels and recipes: no exception other than the documented ones, ever."""

import contextlib

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import biaochi
from biaochi import BiaochiError, Choice, Framework, Node, Optimum, Panel, Recipe, Unit
from biaochi.checks import REGISTRIES
from biaochi.formula import BadFormula, parse
from biaochi.table import Table, number, text

codes = st.sampled_from(["I", "A", "B", "C", "a", "b", "c", "d", "e", "中", "1a", ""])
usual = st.one_of(st.floats(-100, 100), st.integers(0, 5).map(float), st.floats(0, 1), st.just(float("nan")))
numbers = st.one_of(
    usual,
    usual,
    usual,
    st.sampled_from([0.0, -0.0, 1.0, 1.0, 5.0, 1e-300, -1e-300, 1e49, -1e49, 1e300]),
    st.floats(-1e6, 1e6),
    st.floats(allow_nan=True, allow_infinity=True),
)
directions = st.one_of(st.sampled_from([1, 1, -1]), st.builds(Optimum, st.floats(-5, 5), st.floats(-5, 5)))
formulas = st.sampled_from([None, None, None, "a / b", "growth_yoy(c)", "share(a) + ln(b)", "diff(d) ** 2", "A * 2", "b ** c ** a", "a / 0"])
posts = st.one_of(st.none(), st.tuples(numbers, numbers))

nodes = st.builds(
    Node, codes, st.one_of(st.none(), codes), weight=st.one_of(st.sampled_from([1.0, 0.0]), st.floats(-1, 5), numbers), direction=directions,
    series=st.sampled_from([False] * 5 + [True]), denominator=st.sampled_from([None] * 5 + ["b", "a + b", "x"]), goalposts=posts, formula=formulas,
    valid=st.sampled_from([(None, None)] * 5 + [(0.0, None), (-1.0, 1.0)]),
)  # fmt: skip


@st.composite
def trees(draw) -> list[Node]:
    """Node lists: mostly sound trees over the series s and t, sometimes anything."""
    if draw(st.integers(0, 5)) == 0:
        return draw(st.lists(nodes, max_size=8))
    n_parents, n_leaves = draw(st.integers(0, 3)), draw(st.integers(1, 6))
    parents = ["I", *(f"P{i}" for i in range(n_parents))]
    out = [Node("I", aggregate=draw(st.sampled_from([None, Choice("geometric")])))]
    out += [Node(p, draw(st.sampled_from(parents[: i + 1])), weight=draw(st.floats(0.1, 5))) for i, p in enumerate(parents[1:])]
    for i in range(n_leaves + len(parents)):
        low = draw(st.floats(-10, 10))
        out.append(
            Node(
                f"x{i}", parents[i] if i < len(parents) else draw(st.sampled_from(parents)),
                weight=draw(st.sampled_from([1.0, 2.0, 0.5, 1e-9])), direction=draw(st.sampled_from([1, 1, -1, Optimum(low, low + 1)])),
                denominator=draw(st.sampled_from([None] * 15 + ["s", "s + t"])), goalposts=draw(st.sampled_from([None] * 9 + [(low - 5, low + 9)])),
                formula=draw(st.sampled_from([None] * 30 + ["s / t", "s * 2 - t", "growth_yoy(s)", "share(t) + ln(s)", "diff(s) ** 2", "s ** t ** s", "s / 0"])),
                overrides=draw(st.sampled_from([()] * 5 + [(("treat", Choice("winsorise")),), (("normalise", Choice("rank")),)])),
            )
        )  # fmt: skip
    return [*out, Node("s", series=True), Node("t", series=True)]


GIVEN = {
    "group_mean": {"group": "g"}, "group_median": {"group": "h"}, "goalposts": {"low": -5, "high": 9}, "scaled": {"low": -5, "high": 9},
    "distance_to_unit": {"unit": "u0"}, "distance_to_target": {"target": 3}, "game": {"of": ["entropy", "critic"]}, "product": {"of": ["given", "pca"]},
    "ahp": {"comparisons": [["x0", "x1", 3], ["P0", "x2", 2], ["x1", "P0", 2]]}, "budget": {"points": [["x0", 3], ["x1", 2], ["P0", 1]]},
}  # fmt: skip
"""Options for methods that cannot run without; a new method is tried with its defaults."""
choices = {
    **{step: [{"method": name, **GIVEN.get(name, {})} for name in registry] for step, registry in REGISTRIES.items()},
    "scale": ["period", "pooled", "fixed", "base"],
    "base": ["2022", "2023", "x"],
    "range": [[0, 100], [1, 100], [0, 1], [-5, 5]],
    "min_share": [0, 0.5, 1],
    "min_children": [0, 0.5, 1],
    "constant": ["missing", 50, "refuse"],
    "nonpositive": ["refuse", "missing", "zero", 0.1],
    "ties": ["best", "worst", "average", "dense"],
    "decimals": [0, 3],
    "keep": [["u0"]],
    "drop": [["u1"], ["nobody"]],
    "level": [{"1": {"aggregate": "geometric"}}, {"9": {"treat": "none"}}],
    "node": [{"I": {"aggregate": "geometric"}}, {"x0": {"treat": "winsorise"}}],
}
rare = ("drop", "level", "scale", "base")
choices["treat"].append({"method": "winsorise", "max_points": 1, "skew": 0, "kurtosis": -9})
choices["normalise"].append({"method": "goalposts", "low": -1, "high": 1, "clip": False})
recipes = st.one_of(
    st.fixed_dictionaries(
        {"constant": st.sampled_from(["missing", 50.0]), "nonpositive": st.sampled_from(["missing", "zero", 0.1])},
        optional={k: st.sampled_from(v) for k, v in choices.items() if k not in (*rare, "constant", "nonpositive")},
    ),
    st.fixed_dictionaries({}, optional={k: st.sampled_from(v) for k, v in choices.items()}),
    st.fixed_dictionaries({"scale": st.just("base"), "base": st.just("2022"), "constant": st.just("missing")}),
)


@st.composite
def panels(draw, inputs: list[str]) -> Panel:
    n_units, n_periods = draw(st.integers(1, 6)), draw(st.integers(1, 3))
    periods = draw(st.lists(st.sampled_from(["2022", "2023", "2021", "2022-Q4", "2023-01"]), min_size=n_periods, max_size=n_periods, unique=True))
    units = [Unit(f"u{i}", ranked=draw(st.sampled_from([True, True, True, False])), groups=(("g", draw(st.sampled_from(["x", "y"]))),)) for i in range(n_units)]
    cell = numbers if draw(st.integers(0, 4)) == 0 else usual
    used = inputs if draw(st.integers(0, 5)) else [*inputs, "zzz"]
    columns = {"unit": [u.code for _ in periods for u in units], "period": [p for p in periods for _ in units]}
    rows = n_units * n_periods
    for code in used:
        columns[code] = draw(st.lists(cell, min_size=rows, max_size=rows))
    return Panel.of(columns, units=units)


@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_only_documented_exceptions(data):
    try:
        framework = Framework(data.draw(trees()))
        panel = data.draw(panels(sorted(framework.inputs)))
        recipe = Recipe.from_dict(data.draw(recipes))
        result = biaochi.run(framework, panel, recipe)
    except BiaochiError as e:
        said = [e.text.zh, e.text.en]
    else:
        said = [repr(result)]
        check(result)
    assert all(said)


def check(result: biaochi.Result) -> None:
    """What must hold of every result."""
    scored = ~np.isnan(result.scores)
    assert np.isfinite(result.scores[scored]).all()
    assert (scored | np.isnan(result.ranks)).all(), "a rank without a score"
    assert not (np.isnan(result.ranks) & scored & result.counts[..., None]).any(), "a score that counts without a rank"
    present = np.nansum(np.where(np.isnan(result.shares), 0, result.shares), axis=-1)
    assert np.isfinite(present).all()
    for u in result.panel.units:
        str(result.explain(u.code))
    result.to_json()


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab+-*/()'\" ._0123456789eE,[]{}growth_yoyln", max_size=40))
def test_formula_text_is_parsed_or_refused(source):
    with contextlib.suppress(BadFormula):
        parse(source)


@settings(max_examples=500, deadline=None)
@given(
    st.one_of(
        st.text(max_size=12), st.floats(), st.integers(), st.none(), st.booleans(), st.dates(), st.binary(max_size=4), st.complex_numbers(), st.decimals()
    )
)
def test_any_cell_is_a_number_or_named(cell):
    got = number(cell)
    assert isinstance(got, float) or next(type(x) for x in got) is str
    if isinstance(got, float):
        assert not np.isinf(got)
    assert isinstance(text(cell), str)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["unit", "period", "indicator", "value", "status", "x", "单位", "year", ""]),
        st.lists(st.one_of(st.text(max_size=5), st.sampled_from(["2023", "a", "A", "1"]), st.floats(), st.none(), st.dates()), min_size=3, max_size=3),
        max_size=6,
    )
)
def test_any_table_is_read_or_refused(columns):
    try:
        panel = Panel.of(Table(columns))
    except BiaochiError:
        return
    assert not np.isinf(panel.values).any()


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=300))
def test_any_bytes_are_a_table_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("b") / "t.csv"
    path.write_bytes(content)
    with contextlib.suppress(BiaochiError):
        biaochi.read_panel(path)
