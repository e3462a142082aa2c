"""Normalisers, treatments and imputers held to packages and published examples; those COINr has are in test_coinr.py."""

import numpy as np
import pytest
from scipy import stats

from biaochi.kernels.aggregate import AGGREGATORS
from biaochi.kernels.impute import IMPUTERS
from biaochi.kernels.normalise import NORMALISERS
from biaochi.kernels.treat import TREATMENTS
from biaochi.kernels.weigh import WEIGHTINGS

N, T, A, W, F = ({name: m.kernel for name, m in registry.items()} for registry in (NORMALISERS, TREATMENTS, AGGREGATORS, WEIGHTINGS, IMPUTERS))


def data(n=40, k=5, seed=3, gaps=0.0):
    rng = np.random.default_rng(seed)
    x = rng.gamma(2.0, 10.0, (n, k)) + 1.0 + rng.gamma(2.0, 10.0, (n, 1))
    x[rng.random((n, k)) < gaps] = np.nan
    return x


def close(got, want, rtol=1e-10, atol=1e-12):
    np.testing.assert_allclose(got, want, rtol=rtol, atol=atol, equal_nan=True)


# --- normalisation -----------------------------------------------------------------------------


def test_logistic_is_expit_of_the_z_score():
    from scipy.special import expit

    x = data(gaps=0.1)
    close(N["logistic"](x, x, steepness=1.7), expit(1.7 * stats.zscore(x, ddof=1, nan_policy="omit")))


def test_efficacy_by_its_formula():
    """功效系数法: 60 at the unsatisfactory, 100 at the satisfactory value, straight between and beyond."""
    x = np.array([[50.0], [60.0], [70.0], [80.0], [100.0]])
    given = {"unsatisfactory": 60.0, "satisfactory": 80.0}
    close(N["efficacy"](x, x, **given)[:, 0], [40, 60, 80, 100, 140])
    close(N["efficacy"](x, x, **given, floor=50.0, span=50.0)[:, 0], [25, 50, 75, 100, 150])
    got = N["exponential_efficacy"](x, x, **given)[:, 0]
    close(got[[1, 3]], [60, 100])
    close(got[2], np.sqrt(60 * 100))
    close(got, 60 * np.exp(np.log(100 / 60) * (x[:, 0] - 60) / 20))
    logs = N["log_efficacy"](np.array([[1.0], [10.0], [100.0], [-1.0]]), x, signs=np.ones(1), unsatisfactory=1.0, satisfactory=100.0)
    close(logs[:, 0], [0, 50, 100, np.nan])


def test_efficacy_where_lower_is_better():
    x = np.array([[5.0], [10.0], [20.0]])
    up, down = 60 + 40 * (20 - x) / 15, 60 + 40 * np.log(20 / x) / np.log(4)
    close(N["efficacy"](-x, -x), up)
    close(N["log_efficacy"](-x, -x, signs=-np.ones(1), floor=60.0, span=40.0), down)


def test_ampi_scale_by_the_paper():
    x = data()
    goal, low, high = x.mean(axis=0), x.min(axis=0), x.max(axis=0)
    d = (high - low) / 2
    want = (x - (goal - d)) / (2 * d) * 60 + 70
    close(N["adjusted_minmax"](x, x), want)


def test_optimum_by_its_formulas():
    """中间型 and 区间型: 1 - |x - best| / max |x - best|, c = max(a - min, max - b) for a range."""
    x = np.array([[2.0], [5.0], [7.0], [12.0]])
    close(N["furthest"](-np.abs(x - 5), -np.abs(x - 5))[:, 0], 1 - np.abs(x[:, 0] - 5) / 7)
    a, b = 4.0, 6.0
    off = np.maximum(np.maximum(a - x, x - b), 0)
    close(N["furthest"](-off, -off)[:, 0], (1 - off / max(a - 2, 12 - b))[:, 0])


def test_periods_by_the_published_definitions():
    x = np.array([[[50.0, 8.0]], [[60.0, 4.0]], [[45.0, 2.0]]])
    signs = np.array([1.0, -1.0])
    v = x * signs
    close(N["base_index"](v, v, signs=signs, origin=0)[:, 0], [[100, 100], [120, 200], [90, 400]])
    before = np.array([-1, 0, 1])
    close(N["growth"](v, v, signs=signs, before=before)[:, 0], [[np.nan, np.nan], [20, 50], [-25, 50]])
    sym = N["growth"](v, v, signs=signs, before=before, form="symmetric")
    chain = (200 + sym * signs) / (200 - sym * signs)  # 中国创新指数: I_t = I_{t-1} (200 + V) / (200 - V)
    close(chain[1:], x[1:] / x[:-1])
    assert np.nanmax(np.abs(N["growth"](v * 0 + [[[1e-9, -1e-9]], [[1.0, -1.0]], [[0.0, 0.0]]], v, signs=signs, before=before, form="symmetric"))) <= 200
    close(N["growth"](v, v, signs=signs, before=before, form="handbook")[1, 0], [100 * 10 / 60, 100 * 4 / 4])


def test_cyclical_series_by_series():
    x = np.random.default_rng(2).normal(100, 5, (9, 4, 3))
    x[2, 1, 0] = np.nan
    got = N["cyclical"](x, x)
    for u, i in np.ndindex(4, 3):
        y = x[:, u, i]
        close(got[:, u, i], (y - np.nanmean(y)) / np.nanmean(np.abs(y - np.nanmean(y))))


@pytest.mark.extras
def test_vector_and_sum_are_pymcdms():
    from pymcdm import normalizations

    x = data()
    for i in range(x.shape[1]):
        close(N["vector"](x, x)[:, i], normalizations.vector_normalization(x[:, i]))
        close(N["sum"](x, x, signs=np.ones(5))[:, i], normalizations.sum_normalization(x[:, i]))
        close(N["sum"](-x, -x, signs=-np.ones(5))[:, i], normalizations.sum_normalization(x[:, i], cost=True))


# --- treatment ---------------------------------------------------------------------------------


@pytest.mark.parametrize("to", ["limit", "value"])
@pytest.mark.parametrize("name", ["iqr", "quartile", "mad", "percentile", "sd"])
def test_limits_are_numpys(name, to):
    x = data(60, 4) ** 2
    x[:3, 0] = [4e4, -3e4, 5e4]
    q1, q2, q3 = np.percentile(x, [25, 50, 75], axis=0)
    spread = stats.median_abs_deviation(x, axis=0, scale="normal")
    limits = {
        "iqr": (q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1)),
        "quartile": (q1 - 3 * (q2 - q1), q3 + 3 * (q3 - q2)),
        "mad": (q2 - 3 * spread, q2 + 3 * spread),
        "percentile": tuple(np.percentile(x, [5, 95], axis=0)),
        "sd": (x.mean(axis=0) - 3 * x.std(axis=0, ddof=1), x.mean(axis=0) + 3 * x.std(axis=0, ddof=1)),
    }
    low, high = limits[name]
    if to == "value":
        low, high = np.where(x < low, np.inf, x).min(axis=0), np.where(x > high, -np.inf, x).max(axis=0)
    got = T[name](x, to=to)
    close(got, np.clip(x, low, high), 1e-9)
    assert (got != x).any()


def test_powers_are_scipys():
    x = data(80, 3) ** 2
    x[5, 1] = np.nan
    got, signed = T["boxcox"](x, shift=False), T["yeo_johnson"](x - 300.0)
    for i in range(3):
        there = ~np.isnan(x[:, i])
        y, _ = stats.boxcox(x[there, i])
        close(got[there, i], y, 1e-5)
        close(T["boxcox"](x, shift=False, power=0.3)[there, i], stats.boxcox(x[there, i], 0.3), 1e-12)
        y, _ = stats.yeojohnson(x[there, i] - 300.0)
        close(signed[there, i], y, 1e-5)
        close(T["yeo_johnson"](x - 300.0, power=1.4)[there, i], stats.yeojohnson(x[there, i] - 300.0, 1.4), 1e-10)


def test_fitted_powers_of_large_values():
    """At power -5 the transformed values of incomes agree in all their digits; the likelihood must not see that
    as no variance."""
    rng = np.random.default_rng(4)
    for low, high in ((2e3, 1e5), (4e4, 2e5), (1e6, 1e8)):
        x = rng.lognormal(np.log(low * high) / 2, np.log(high / low) / 4, (40, 1))
        close(T["yeo_johnson"](x)[:, 0], stats.yeojohnson(x[:, 0])[0], 1e-3)
        close(T["boxcox"](x, shift=False)[:, 0], stats.boxcox(x[:, 0])[0], 1e-3)
        close(T["yeo_johnson"](-x)[:, 0], stats.yeojohnson(-x[:, 0])[0], 1e-3)


def test_limits_that_cross_or_are_met_exactly():
    for name, x, options in (("percentile", [0.0, 10.0], {}), ("sd", [0.0, 0, 10, 10], {"reach": 0.5}), ("quartile", [0.0, 10.0], {"reach": 0.5})):
        column = np.array(x)[:, None]
        np.testing.assert_array_equal(T[name](column, to="value", **options), column)  # nothing lies within: nothing moves
    fence = np.array([3.4, 2.5, 0.7, 3.9, 0, 5.7, 2.4, 3.1, 2.6, 5.6, 3.1, 4.8])[:, None]  # the lower fence is exactly 0
    np.testing.assert_array_equal(T["iqr"](fence), fence)
    same = np.full((6, 1), 0.1)
    np.testing.assert_array_equal(T["sd"](same), same)


def test_constants_have_no_shape_and_no_cycle():
    from biaochi.kernels.moments import shape

    assert all(np.isnan(v).all() for v in shape(np.full((6, 1), 0.1)))
    assert np.isnan(N["cyclical"](np.full((60, 4, 3), 0.3), np.zeros((60, 4, 3)))).all()
    x = np.full((50, 3), 0.3)
    assert np.isnan(N["distance"](x, x, signs=np.ones(3), to="mean", form="range")).all()
    assert (N["above_below"](x, x, band=0.0) == 0).all()


# --- imputation --------------------------------------------------------------------------------


def test_em_for_monotone_gaps_is_regression():
    """Anderson (1957): where only y has gaps, the most likely values come from regressing y on x."""
    rng = np.random.default_rng(5)
    x = rng.normal(10, 2, 60)
    y = 3 + 2 * x + rng.normal(0, 1, 60)
    y[40:] = np.nan
    got = F["em"](np.column_stack([x, y]), ridge=0.0, tolerance=1e-12)
    slope, start = np.polyfit(x[:40], y[:40], 1)
    close(got[40:, 1], start + slope * x[40:], 1e-6)


def test_em_reaches_the_greatest_likelihood():
    """With gaps in both of two columns: the fill is the conditional mean under the parameters that maximise the
    likelihood of what was observed, found by a general optimiser."""
    from scipy.optimize import minimize

    rng = np.random.default_rng(12)
    x = rng.multivariate_normal([1.0, -2.0], [[1.0, 0.6], [0.6, 2.0]], 30)
    x[:6, 0] = np.nan
    x[20:28, 1] = np.nan

    def loss(t):
        root = np.array([[np.exp(t[2]), 0], [t[3], np.exp(t[4])]])
        s = root @ root.T
        both = ~np.isnan(x).any(axis=1)
        logs = stats.multivariate_normal(t[:2], s).logpdf(x[both]).sum()
        for i in (0, 1):
            alone = ~np.isnan(x[:, i]) & ~both
            logs += stats.norm(t[i], np.sqrt(s[i, i])).logpdf(x[alone, i]).sum()
        return -logs

    t = minimize(loss, [0, 0, 0, 0, 0], method="BFGS", options={"gtol": 1e-9}).x
    root = np.array([[np.exp(t[2]), 0], [t[3], np.exp(t[4])]])
    s = root @ root.T
    got = F["em"](x, ridge=0.0, tolerance=1e-12)
    close(got[:6, 0], t[0] + s[0, 1] / s[1, 1] * (x[:6, 1] - t[1]), 1e-4)
    close(got[20:28, 1], t[1] + s[0, 1] / s[0, 0] * (x[20:28, 0] - t[0]), 1e-4)


def test_draws_spread_as_they_should():
    """Of 4,000 draws of one gap the mean is the regression's, the spread its residual's."""
    rng = np.random.default_rng(8)
    x = rng.normal(0, 1, 200)
    y = 2 * x + rng.normal(0, 0.5, 200)
    y[0] = np.nan
    table = np.column_stack([x, y])
    for name, options, room in (("regression", {}, 0.05), ("em", {"ridge": 0.0}, 0.07)):
        draws = np.array([F[name](table, rng=rng, **options)[0, 1] for _ in range(600)])
        slope, start = np.polyfit(x[1:], y[1:], 1)
        left = y[1:] - start - slope * x[1:]
        assert abs(draws.mean() - start - slope * x[0]) < 0.1
        assert abs(draws.std() - left.std(ddof=2)) < room


@pytest.mark.extras
def test_regression_is_statsmodels_ols():
    import statsmodels.api as sm

    x = data(50, 4)
    x[:5, 0] = np.nan
    got = F["regression"](x, predictors=2)
    r = np.abs(np.corrcoef(x[5:].T))[0]
    best = np.argsort(-r[1:])[:2] + 1
    fit = sm.OLS(x[5:, 0], sm.add_constant(x[5:][:, best])).fit()
    close(got[:5, 0], fit.predict(sm.add_constant(x[:5][:, best], has_constant="add")))


@pytest.mark.extras
@pytest.mark.parametrize("weighted", [False, True])
def test_neighbours_are_scikit_learns(weighted):
    from sklearn.impute import KNNImputer

    x = data(60, 5, gaps=0.1)
    centre, size = np.nanmean(x, axis=0), np.nanstd(x, axis=0, ddof=1)
    want = KNNImputer(n_neighbors=4, weights="distance" if weighted else "uniform").fit_transform((x - centre) / size) * size + centre
    close(F["knn"](x, neighbours=4, weighted=weighted), want, 1e-9)


@pytest.mark.extras
def test_season_is_statsmodels_regression():
    import statsmodels.api as sm

    t = np.arange(60)
    season = np.array([5.0, -2, 0, 1, -4, 3, 2, -1, 0, -3, 1, -2])
    clean = 100 + 0.5 * t + season[t % 12]
    noisy = clean + np.random.default_rng(4).normal(0, 0.5, 60)
    gaps = [3, 17, 18, 40, 59]
    for y, exact in ((clean, True), (noisy, False)):
        x = y.copy()
        x[gaps] = np.nan
        got = F["seasonal"](x[:, None, None], times=t, cycle=12)[:, 0, 0]
        if exact:
            close(got[gaps[:-1]], clean[gaps[:-1]], 1e-9)
        there = ~np.isnan(x)
        dummies = (t[:, None] % 12 == np.arange(12)).astype(float)
        fit = sm.OLS(x[there], np.column_stack([t - t.mean(), dummies])[there]).fit()
        effect = fit.params[1:][t % 12]
        close(got[gaps], np.interp(t, t[there], (x - effect)[there])[gaps] + effect[gaps], 1e-9)
    up = F["seasonal"](np.exp(np.where(np.isin(t, gaps), np.nan, clean / 50))[:, None, None], times=t, cycle=12, form="multiplicative")
    close(up[gaps[:-1], 0, 0], np.exp(clean / 50)[gaps[:-1]], 1e-9)


@pytest.mark.extras
def test_chained_regressions_are_scikit_learns():
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    x = data(50, 4, gaps=0.08)
    centre, size = np.nanmean(x, axis=0), np.nanstd(x, axis=0, ddof=1)
    want = IterativeImputer(max_iter=25, random_state=0, tol=1e-6).fit_transform((x - centre) / size) * size + centre
    close(F["iterative"](x, rounds=25), want, 1e-6)


def test_straight_lines_over_uneven_times():
    times = np.array([2000.0, 2001, 2005, 2006, 2016])
    x = np.array([1.0, np.nan, np.nan, 7.0, 17.0])
    close(F["linear"](x[:, None, None], times=times)[:, 0, 0], [1, 2, 6, 7, 17])


def test_the_middle_of_a_branch():
    x = np.array([[0.0, 0, 0, 10], [10, 10, 10, 0], [np.nan, 2, 4, 1]])
    branches, signs = np.array([0, 0, 0, 0]), np.array([1.0, 1, 1, -1])
    close(F["branch_median"](x, branches=branches, signs=signs)[2, 0], 4.0)  # of 0.2, 0.4 and 0.9
    close(F["branch_mean"](x, branches=branches, signs=signs)[2, 0], 5.0)


def test_residuals_are_drawn_with_their_own_spread():
    x = np.array([[1.0, 2.1], [2, 3.9], [3, 6.2], [4, 7.8], [5, np.nan]])
    slope, start = np.polyfit(x[:4, 0], x[:4, 1], 1)
    off = x[:4, 1] - start - slope * x[:4, 0]
    asked = []

    class Rng:
        def normal(self, middle, spread):
            asked.append((middle, spread))
            return 0.0

    F["regression"](x, rng=Rng())
    close(asked, [(0.0, np.sqrt((off**2).sum() / 2))])


def test_bootstrap_draws_vary_with_the_parameters():
    """With the residual all but gone, what varies between draws is the line: the spread of a far prediction."""
    rng = np.random.default_rng(2)
    x = np.append(rng.normal(0, 1, 12), 30.0)
    y = np.append(2 * x[:12] + rng.normal(0, 0.5, 12), np.nan)
    draws = np.array([F["em"](np.column_stack([x, y]), ridge=0.0, rng=rng)[12, 1] for _ in range(300)])
    assert draws.std() > 1.5, "30 away from the data the line is far less sure than its residual of 0.5"


# --- who counts --------------------------------------------------------------------------------


def test_second_treatments_take_the_statistics_of_those_that_count():
    x = np.append(np.random.default_rng(1).gamma(1.0, 1.0, 40), [500.0, -50.0])[:, None]
    counts = np.append(np.ones(40, bool), [False, False])
    options = {"skew": 0.0, "kurtosis": -9.0}
    for first in ("iqr", "winsorise", "none"):
        for second in ("log_ct", "log_gii", "boxcox"):
            one, two = T["staged"](x, counts=counts, first=first, second=second, **options), T["staged"](x[:40], first=first, second=second, **options)
            close(one[:40], two, 1e-5)
    only_first = T["staged"](x, counts=counts, first="iqr", second="none", **options)
    close(only_first[:40], T["iqr"](x[:40]))


def test_those_that_do_not_count_are_held_on_both_sides():
    x = np.array([-100.0, *np.linspace(1, 2, 20), 900.0, -900.0, 50.0])[:, None]
    counts = np.append(np.ones(22, bool), [False, False])
    got = T["winsorise"](x, counts=counts, max_points=None, skew=0.5, kurtosis=0.5)
    inside = got[:22, 0]
    assert (got[22, 0], got[23, 0]) == (inside.min(), inside.max())


def test_ranks_among_gaps_and_outsiders():
    ref = np.array([1.0, 2, 3, np.nan, np.nan])[:, None]
    x = np.array([2.0, 2.5, 9.0])[:, None]
    close(N["rank"](x, ref)[:, 0], [2, 2.5, 3.5])
    close(N["percentile_rank"](x, ref, over="units")[:, 0], [2 / 3, 2.5 / 3, 1])
    close(N["categorical"](ref, ref, cuts=(50.0,), scores=(0.0, 1.0))[:, 0], [0, 1, 1, np.nan, np.nan])


def test_differences_from_what_is_below_zero():
    x = np.array([-4.0, -2.0, -1.0])[:, None]
    close(N["distance"](x, x, signs=np.ones(1), to="best", form="difference")[:, 0], [-3, -1, 0])
    close(N["above_below"](x, x, band=0.2)[:, 0], [-1, 0, 1])


def test_ratios_of_values_that_allow_none():
    """A best value of 0, or values below 0, have no shares: no score at all, in place of a scale turned round."""
    for name, options in (("fraction_of_max", {}), ("distance", {"to": "best"}), ("sum", {})):
        for column, sign in (([-1.0, -2, -4], 1.0), ([0.0, 0.0, -3.0], 1.0), ([0.0, 2, 5], -1.0), ([3.0, -2, 5], -1.0)):
            v = np.array(column)[:, None] * sign
            assert np.isnan(N[name](v, v, signs=np.array([sign]), **options)).all()
        v = np.array([0.0, 2, 4])[:, None]
        assert N[name](v, v, signs=np.ones(1), **options)[0, 0] == 0
