"""Growth, trends, convergence, chained editions, leaving out, strengths; references: COINr's tables, SciPy, statsmodels, formulas."""

from dataclasses import replace

import numpy as np
import pytest

import biaochi
from biaochi import Framework, Node, Panel, Recipe
from biaochi.kernels import trend
from tests.golden.test_coinr import COINR, close, num, table


@pytest.fixture(scope="module")
def panel_asem():
    """COINr's example purse: five years, screened at 90 % and treated in each, min-max over all of them, arithmetic means."""
    framework, panel = biaochi.read_coinr(COINR / "in_iData_panel.csv", COINR / "in_iMeta.csv")
    plain = Framework([replace(n, denominator=None) for n in framework.nodes])
    return biaochi.run(plain, panel, Recipe(scale="pooled", min_share=0.9, treat="winsorise"))


@pytest.mark.parametrize(("name", "method"), [("trends_cagr_raw", "cagr"), ("trends_prcchange_raw", "change")])
def test_trends_of_raw_data(panel_asem, name, method):
    indicators = list(panel_asem.indicators)
    # COINr's raw data set has the units screened out later
    everything = biaochi.run(panel_asem.framework, panel_asem.panel, Recipe(scale="pooled"))
    mine = {(r["unit"], r["code"]): r for r in biaochi.trends(everything, indicators, method=method, stage="derived")}
    rows = table(name)
    assert len(rows) == len(mine)
    for want in rows:
        got = mine[want["uCode"], want["iCode"]]
        value = next(v for k, v in want.items() if k.lower() in ("cagr", "prc_change"))
        ours = np.nan if got["value"] is None else got["value"]
        theirs = np.inf if value == "Inf" else -np.inf if value == "-Inf" else num(value)
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12, equal_nan=True)
        assert got["available"] == pytest.approx(num(want["Avail"]))
        assert (got["first"] or "NA", got["last"] or "NA") == (want["t_first"], want["t_latest"])


def test_trends_of_the_index(panel_asem):
    mine = {r["unit"]: r for r in biaochi.trends(panel_asem) if r["n"] > 0}
    rows = table("trends_index")
    assert mine.keys() == {w["uCode"] for w in rows}
    for want in rows:
        close(mine[want["uCode"]]["value"], num(want["CAGR"]), rtol=1e-9)


def test_periods_asked_for_are_those_used(panel_asem):
    """COINr's Time = c(2020, 2021, 2022) computes on 2018 to 2020: 0.59 % for AUS LPI, where 3.40 % is right (defect 2)."""
    (row,) = (r for r in biaochi.trends(panel_asem, ["LPI"], stage="derived", since="2020") if r["unit"] == "AUS")
    assert row["value"] == pytest.approx(0.0340, abs=5e-5)
    x = panel_asem.panel.series("LPI")[:, panel_asem.panel.position("AUS")]
    assert row["value"] == pytest.approx((x[4] / x[2]) ** 0.5 - 1)
    assert (x[2] / x[0]) ** 0.5 - 1 == pytest.approx(0.0059, abs=1e-4)
    assert (row["first"], row["last"]) == ("2020", "2022")


def test_one_indicator_with_gaps_filled_and_the_latest_values():
    """What COINr refuses for one indicator (defect 11); filled values are told."""
    x = np.array([5.0, np.nan, np.nan, 6.5, np.nan, 8.0])[:, None]
    t = np.array([2010.0, 2011, 2012, 2013, 2014, 2015])
    close(trend.interpolate(x, t)[:, 0], [5, 5.5, 6, 6.5, 7.25, 8])
    framework = Framework([Node("top"), Node("a", "top")])
    panel = Panel.of({"unit": ["u"] * 6, "period": [str(int(v)) for v in t], "a": [None if v != v else float(v) for v in x[:, 0]]})
    r = biaochi.run(framework, Panel.of([{"unit": ["u"] * 6, "period": [str(int(v)) for v in t], "a": [None if v != v else float(v) for v in x[:, 0]]}, {"unit": ["v"], "period": ["2010"], "a": [1.0]}]), Recipe(scale="pooled"))  # fmt: skip
    (row,) = (q for q in biaochi.trends(r, ["a"], stage="derived", interpolate=True) if q["unit"] == "u")
    assert (row["n"], row["filled"], row["value"]) == (6, 3, pytest.approx((8 / 5) ** 0.2 - 1))
    (late,) = (q for q in biaochi.trends(r, ["a"], stage="derived", last=2) if q["unit"] == "u")
    assert (late["n"], late["first"], late["last"], late["value"]) == (2, "2013", "2015", pytest.approx((8 / 6.5) ** 0.5 - 1))
    assert panel.values.shape == (6, 1, 1)


def test_lines_against_scipy():
    from scipy import stats

    rng = np.random.default_rng(0)
    t = np.arange(2010.0, 2022)
    y = np.exp(0.03 * (t - 2010))[:, None] * (1 + 0.05 * rng.normal(size=(12, 4)))
    y[3, 1] = y[8, 1] = np.nan
    for column in range(4):
        there = ~np.isnan(y[:, column])
        want = stats.linregress(t[there], y[there, column])
        half = stats.t.ppf(0.975, there.sum() - 2) * want.stderr
        got = trend.linear(y, t)
        close([got.value[column], got.low[column], got.high[column], got.p[column]], [want.slope, want.slope - half, want.slope + half, want.pvalue], rtol=1e-8)
        logs = stats.linregress(t[there], np.log(y[there, column]))
        close(trend.exponential(y, t).value[column], np.expm1(logs.slope), rtol=1e-8)
        sen = stats.theilslopes(y[there, column], t[there], 0.95)
        close([trend.theil_sen(y, t).value[column], trend.theil_sen(y, t).low[column]], [sen.slope, sen.low_slope])
        fitted = want.intercept + want.slope * t[there][0]
        close(trend.change(y, t).value[column], 100 * want.slope / fitted, rtol=1e-8)


def test_intervals_cover_as_often_as_they_say():
    rng = np.random.default_rng(1)
    t = np.arange(8.0)
    y = 0.5 * t[:, None] + rng.normal(size=(8, 4000))
    got = trend.linear(y, t)
    assert np.mean((got.low < 0.5) & (got.high > 0.5)) == pytest.approx(0.95, abs=0.012)


def test_edges_of_growth():
    t = np.arange(3.0)
    y = np.array([[0.0, 2, 1, 5, np.nan, 4], [0.0, 2, 1, np.nan, np.nan, 0], [0.0, 2, -1, np.nan, np.nan, 0]])
    close(trend.cagr(y, t).value, [0, 0, np.nan, np.nan, np.nan, -1])
    assert trend.cagr(np.array([[0.0], [1.0]]), np.arange(2.0)).value[0] == np.inf
    close(trend.change(y, t).value[:2], [0, 0])
    assert np.isnan(trend.change(y, t).value[3])


def test_growth_over_a_year_in_quarters():
    periods = [f"{y}-Q{q}" for y in (2022, 2023) for q in (1, 2, 3, 4)]
    data = {"unit": ["a"] * 8 + ["b"] * 8, "period": periods * 2, "x": [*map(float, range(1, 9)), 0.0, *map(float, range(2, 9))]}
    r = biaochi.run(Framework([Node("top"), Node("x", "top")]), Panel.of(data), Recipe(scale="pooled"))
    rows = {(q["unit"], q["period"]): q["growth"] for q in biaochi.growth(r, ["x"], stage="derived")}
    assert rows["a", "2023-Q1"] == pytest.approx(5 / 1 - 1)
    assert rows["b", "2023-Q1"] is None  # from 0
    assert ("a", "2022-Q4") not in rows
    quarters = {(q["unit"], q["period"]): q["growth"] for q in biaochi.growth(r, ["x"], stage="derived", over="period", form="points")}
    assert quarters["a", "2022-Q2"] == 1


@pytest.mark.extras
def test_convergence_against_statsmodels_and_a_known_speed():
    import statsmodels.api as sm

    rng = np.random.default_rng(2)
    start = np.exp(rng.normal(size=40))
    beta, periods = 0.05, [str(2000 + k) for k in range(11)]
    y = np.array([np.exp(np.log(start) * np.exp(-beta * k)) * np.exp(0.02 * k) for k in range(11)])  # deviations shrink by exp(-0.05) a year
    data = [{"unit": [f"u{i:02}" for i in range(40)], "period": [p] * 40, "x": row.tolist()} for p, row in zip(periods, y, strict=True)]
    r = biaochi.run(Framework([Node("top"), Node("x", "top")]), Panel.of(data), Recipe(scale="pooled"))
    got = biaochi.convergence(r, "x", stage="derived")
    assert got.beta["speed"] == pytest.approx(beta)
    assert got.beta["half_life"] == pytest.approx(np.log(2) / beta)
    assert got.gamma["tau"] == 1
    assert [s["sd_log"] for s in got.sigma] == pytest.approx([np.log(start).std(ddof=1) * np.exp(-beta * k) for k in range(11)])
    assert got.sigma_trend["value"] < 0
    noisy = y * np.exp(0.05 * rng.normal(size=y.shape))
    data = [{"unit": [f"u{i:02}" for i in range(40)], "period": [p] * 40, "x": row.tolist()} for p, row in zip(periods, noisy, strict=True)]
    got = biaochi.convergence(biaochi.run(r.framework, Panel.of(data), r.recipe), "x", stage="derived")
    ols = sm.OLS(np.log(noisy[-1] / noisy[0]) / 10, sm.add_constant(np.log(noisy[0]))).fit()
    close([got.beta["slope"], got.beta["error"], got.beta["p"], got.beta["r2"]], [ols.params[1], ols.bse[1], ols.pvalues[1], ols.rsquared], rtol=1e-7)


# --- editions ------------------------------------------------------------------------------------


def editions() -> tuple[biaochi.Result, biaochi.Result]:
    """An indicator dropped, one added, one with other goalposts; both run for 2020."""
    units, rng = [f"u{k}" for k in range(6)], np.random.default_rng(3)

    def panel(periods, codes):
        rows = {"unit": units * len(periods), "period": [p for p in periods for _ in units]}
        return Panel.of({**rows, **{c: rng.uniform(20, 80, size=6 * len(periods)).tolist() for c in codes}})

    def posts(*pairs):
        return Framework([Node("top"), *(Node(c, "top", goalposts=(low, high)) for c, low, high in pairs)])

    recipe = Recipe(normalise="goalposts", scale="fixed")
    old = biaochi.run(posts(("a", 0, 100), ("b", 0, 100), ("gone", 0, 100)), panel(["2018", "2019", "2020"], ["a", "b", "gone"]), recipe)
    new = biaochi.run(posts(("a", 0, 100), ("b", 0, 120), ("fresh", 0, 100)), panel(["2020", "2021"], ["a", "b", "fresh"]), recipe)
    return old, new


@pytest.mark.parametrize("rule", ["ratio", "difference", "common"])
def test_editions_are_chained_by_the_stated_rule(rule):
    old, new = editions()
    got = biaochi.chain([old, new], rule=rule)
    assert got.periods == ("2018", "2019", "2020", "2021")
    assert got.edition == (0, 0, 1, 1)
    a, b = old.scores[..., 0], new.scores[..., 0]
    want = {"ratio": a[:2] * b[0] / a[2], "difference": a[:2] + b[0] - a[2], "common": a[:2] * b[0].mean() / a[2].mean()}[rule]
    close(got.values, np.vstack([want, b]))
    if rule == "ratio":  # growth inside each edition is kept
        close(got.values[1] / got.values[0], a[1] / a[0])
        based = biaochi.chain([old, new], base="2018")
        close(based.values[0], 100)
    told = {(c["code"], c["change"]) for c in got.changes}
    assert told == {("gone", "dropped"), ("fresh", "added"), ("b", "goalposts")}
    assert {link["unit"]: link["link"] for link in got.links}["u0"] == pytest.approx({"ratio": b[0, 0] / a[2, 0], "difference": b[0, 0] - a[2, 0], "common": b[0].mean() / a[2].mean()}[rule])  # fmt: skip


def test_editions_that_share_no_period_are_refused_in_words():
    old, new = editions()
    later = biaochi.run(new.framework, Panel.of({"unit": ["u0", "u1"], "period": ["2022"] * 2, "a": [1.0, 2], "b": [1.0, 2], "fresh": [3.0, 4]}), new.recipe)
    with pytest.raises(biaochi.BadOption, match="scores in both editions 1 and 2"):
        biaochi.chain([old, later])
    with pytest.raises(biaochi.UnknownName, match="2020"):
        biaochi.chain([old, new], at="2018")
    with pytest.raises(biaochi.BadOption, match="two editions"):
        biaochi.chain([old])


def without_1gbps(nodes: list[Node]) -> Framework:
    """DESI before take-up of 1 Gbps was part of it: its data stand by as a series."""
    return Framework([n if n.code != "2a3" else Node("2a3", series=True) for n in nodes])


def test_desi_end_to_end(desi):
    """2017 to 2022: an indicator dropped before 2021 and another scale for one, chained in 2021; trends with intervals."""
    p = biaochi.load("desi-2022")
    older = without_1gbps([n if n.code != "3b6" else replace(n, goalposts=(0.0, 2.0)) for n in p.framework.nodes])
    first = biaochi.run(older, p.panel, p.recipe)
    got = biaochi.chain([first, desi], at="2021", base="2017")
    assert got.periods == ("2017", "2018", "2019", "2020", "2021", "2022")
    assert got.edition == (0, 0, 0, 0, 1, 1)
    assert {(c["code"], c["change"]) for c in got.changes} == {("3b6", "goalposts"), ("2a3", "added")}
    i = got.units.index("FI")
    u = desi.panel.position("FI")
    want = first.scores[4, u, 0] / first.scores[0, u, 0] * desi.scores[5, u, 0] / desi.scores[4, u, 0] * 100
    assert got.values[-1, i] == pytest.approx(want)
    assert all(row["comparable"] for row in biaochi.comparability(desi))
    rising = biaochi.trends(desi, method="linear")
    assert all(row["low"] < row["value"] < row["high"] for row in rising)
    closer = biaochi.convergence(desi)
    assert closer.beta["slope"] < 0
    assert closer.units == 27


def test_hdi_end_to_end():
    r = biaochi.evaluate("hdi")
    rows = biaochi.trends(r, method="theil_sen", since="1990", until="2022")
    china = next(row for row in rows if row["unit"] == "CHN")
    assert (china["n"], china["p"] < 1e-6) == (33, True)
    got = biaochi.convergence(r, since="1990", until="2022")
    assert got.sigma_trend["high"] < 0  # human development drew closer
    assert got.beta["p"] < 1e-6
    assert len(biaochi.growth(r, over="year")) == int((~np.isnan(r.scores[1:, :, 0]) & ~np.isnan(r.scores[:-1, :, 0])).sum())


def test_scales_can_be_frozen_for_later_editions(asem):
    plain = biaochi.run(asem.framework, asem.panel, biaochi.variant(asem.recipe, treat="none"))
    framework = biaochi.fixed_scales(plain)
    again = biaochi.run(framework, asem.panel, biaochi.variant(plain.recipe, normalise="goalposts", scale="fixed"))
    close(again.scores, plain.scores, rtol=1e-9, atol=1e-9)
    assert not any(row["comparable"] for row in biaochi.comparability(plain))
    assert all(row["comparable"] for row in biaochi.comparability(again))


def edition(values: dict[str, list[float]], post: float = 100.0) -> biaochi.Result:
    rows = [(f"u{i}", p, x) for p, v in values.items() for i, x in enumerate(v)]
    data = dict(zip(("unit", "period", "a"), map(list, zip(*rows, strict=True)), strict=True))
    return biaochi.run(Framework([Node("I"), Node("a", "I", goalposts=(0, post))]), Panel.of(data), Recipe(normalise="goalposts", scale="fixed"))


def test_no_period_is_lost_where_editions_have_gaps():
    a = biaochi.chain([edition({"2018": [10, 20], "2020": [12, 22]}, 50.0), edition({"2019": [29, 39], "2020": [30, 40], "2021": [31, 41]})])
    assert (a.periods, a.edition) == (("2018", "2019", "2020", "2021"), (0, 1, 1, 1))
    b = biaochi.chain([edition({"2019": [11, 21], "2020": [12, 22], "2021": [13, 23]}, 50.0), edition({"2020": [30, 40], "2022": [34, 44]})])
    assert b.periods == ("2019", "2020", "2021", "2022")
    close(b.values[2], [26 * 30 / 24, 46 * 40 / 44])


def test_frozen_scales_need_the_indicators_own_unit():
    data = {"unit": [f"u{i}" for i in range(10)], "a": [1.0, 2, 3, 4, 5, 6, 7, 8, 9, 1000], "b": [float(i) for i in range(10)]}
    r = biaochi.run(Framework([Node("I"), Node("a", "I"), Node("b", "I")]), Panel.of(data, period="2020"), Recipe(treat="winsorise_then_log"))
    with pytest.raises(biaochi.BadOption, match="indicator's unit"):
        biaochi.fixed_scales(r)


def test_scales_set_or_treated_in_each_period_do_not_compare():
    data = [{"unit": [f"u{i}" for i in range(6)], "period": [p] * 6, "a": [float(i * k + 1) for i in range(6)]} for p, k in (("2020", 1), ("2021", 3))]
    f, panel = Framework([Node("I"), Node("a", "I")]), Panel.of(data)
    for recipe, comparable in ((Recipe(scale="pooled"), True), (Recipe(), False), (Recipe(scale="pooled", treat="winsorise"), False), (Recipe(scale="pooled", treat="winsorise", treat_over="pooled"), True),
                               (Recipe(scale="pooled", normalise=biaochi.Choice.of("distance_to_unit", unit="u2")), False)):  # fmt: skip
        assert [row["comparable"] for row in biaochi.comparability(biaochi.run(f, panel, recipe))] == [comparable]


def test_correlations_of_a_pair_far_from_the_mean_of_all():
    x = np.array([1.0, 3, 2, 5, 4, 7, 6, 9, 8, 10, 1e9])
    y = np.array([2.0, 1, 4, 3, 6, 5, 8, 7, 10, 9, np.nan])
    from biaochi.kernels.moments import correlation

    assert correlation(np.column_stack([x, y]))[0, 1] == pytest.approx(np.corrcoef(x[:10], y[:10])[0, 1], rel=1e-12)


@pytest.mark.parametrize(
    "call", [biaochi.trends, biaochi.audit, biaochi.frontier, biaochi.leave_out, biaochi.statistics, biaochi.convergence, biaochi.comparability]
)
def test_what_is_no_result_is_told(call):
    with pytest.raises(biaochi.BadOption, match="evaluate"):
        call("asem")
