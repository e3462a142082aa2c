"""Methods held to packages and published examples that are not ours; those COINr has are in test_coinr.py."""

import itertools

import numpy as np
import pytest
from scipy import stats

from biaochi.kernels.aggregate import AGGREGATORS
from biaochi.kernels.aggregate.kemeny import disagreement, kemeny_order
from biaochi.kernels.aggregate.outrank import margins
from biaochi.kernels.impute import IMPUTERS
from biaochi.kernels.normalise import NORMALISERS
from biaochi.kernels.treat import TREATMENTS
from biaochi.kernels.weigh import WEIGHTINGS
from biaochi.kernels.weigh.stated import agreement, consistency

N, T, A, W, F = ({name: m.kernel for name, m in registry.items()} for registry in (NORMALISERS, TREATMENTS, AGGREGATORS, WEIGHTINGS, IMPUTERS))


def data(n=40, k=5, seed=3, gaps=0.0):
    rng = np.random.default_rng(seed)
    x = rng.gamma(2.0, 10.0, (n, k)) + 1.0 + rng.gamma(2.0, 10.0, (n, 1))
    x[rng.random((n, k)) < gaps] = np.nan
    return x


def close(got, want, rtol=1e-10, atol=1e-12):
    np.testing.assert_allclose(got, want, rtol=rtol, atol=atol, equal_nan=True)


# --- normalisation -----------------------------------------------------------------------------------


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


# --- treatment ---------------------------------------------------------------------------------------


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


# --- imputation ----------------------------------------------------------------------------------------


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


# --- who counts -------------------------------------------------------------------------------------


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


# --- weights ---------------------------------------------------------------------------------------------


def test_entropy_is_scipys():
    z = data()
    z[:4, 1] = 0.0
    d = np.array([1 - stats.entropy(z[:, i]) / np.log(len(z)) for i in range(5)])
    close(W["entropy"](z), d / d.sum())


def test_critic_by_the_paper():
    z = data()
    c = z.std(axis=0, ddof=1) * (1 - np.corrcoef(z.T)).sum(axis=0)
    close(W["critic"](z), c / c.sum())


def test_variation_is_scipys():
    z = data()
    cv = stats.variation(z, ddof=1)
    close(W["variation"](z), cv / cv.sum())


@pytest.mark.extras
def test_standard_deviation_is_pymcdms():
    from pymcdm import weights

    z = data()
    close(W["standard_deviation"](z), weights.standard_deviation_weights(z), 1e-9)


@pytest.mark.extras
def test_independence_and_regression_are_statsmodels():
    import statsmodels.api as sm

    z = data(200, 5, seed=9)
    r = np.array([np.sqrt(sm.OLS(z[:, i], sm.add_constant(np.delete(z, i, 1))).fit().rsquared) for i in range(5)])
    close(W["independence"](z), (1 / r) / (1 / r).sum())
    y = z @ [1.0, 2.0, 0.5, 3.0, 1.5] + np.random.default_rng(1).normal(0, 5, 200)
    b = sm.OLS(y, sm.add_constant(z)).fit().params[1:]
    assert (b > 0).all()
    close(W["regression"](z, outcome=y), b / b.sum())


def test_influence_reached_is_the_influence_asked_for():
    z = np.random.default_rng(2).normal(size=(100, 4)) + 0.3 * np.random.default_rng(3).normal(size=(100, 1))
    stated = np.array([1.0, 2.0, 3.0, 2.0])
    w = W["influence"](z, weights=stated, target="stated", measure="squared")
    r = np.corrcoef(np.column_stack([z, z @ w]).T)[-1, :-1] ** 2
    close(r / r.sum(), stated / stated.sum(), 1e-8)


def test_entropy_and_components_with_gaps():
    z = data(30, 3)
    z[:5, 1] = np.nan
    d = np.array([1 - stats.entropy(v[~np.isnan(v)]) / np.log((~np.isnan(v)).sum()) for v in z.T])
    close(W["entropy"](z), d / d.sum())
    close(W["pca"](z), W["pca"](z[5:]))
    close(W["factor"](z), W["factor"](z[5:]))
    close(W["influence"](z, weights=np.ones(3)), W["influence"](z[5:], weights=np.ones(3)))
    first = np.linalg.eigh(np.corrcoef(z[5:].T))[1][:, -1]
    close(W["pca"](z, loadings="squared"), first**2 / (first**2).sum())


def test_correlations_can_be_balanced():
    z = np.random.default_rng(2).normal(size=(100, 4)) + 0.3 * np.random.default_rng(3).normal(size=(100, 1))
    stated = np.array([1.0, 2.0, 3.0, 2.0])
    for target, want in (("stated", stated / 8), ("equal", np.full(4, 0.25))):
        w = W["influence"](z, weights=stated, target=target, measure="correlation")
        r = np.corrcoef(np.column_stack([z, z @ w]).T)[-1, :-1]
        close(r / r.sum(), want, 1e-8)


def test_budget_and_agreement():
    tied = np.array([[1.0, 1, 3, 4], [2, 1, 2, 2], [1, 2, 2, 4]])
    assert agreement(tied) == pytest.approx(stats.friedmanchisquare(*tied.T).statistic / (3 * 3))
    points = np.array([[30.0, 50, 20], [40, 40, 20], [10, 80, 10]])
    close(W["budget"](np.ones((4, 3)), points=points), (points / points.sum(axis=1, keepdims=True)).mean(axis=0))
    ranks = np.array([[1.0, 5, 3, 4, 2], [2, 5, 3, 4, 1], [1, 4, 3, 5, 2], [1, 5, 2, 4, 3]])
    chi = stats.friedmanchisquare(*ranks.T).statistic
    assert agreement(ranks) == pytest.approx(chi / (len(ranks) * 4))


def test_ahp_on_saatys_examples():
    """Saaty (1980), brightness of four chairs: weights 0.61 0.24 0.10 0.05, lambda_max 4.39, CI 0.13; and his
    choice of a school (1990): weights 0.32 0.14 0.03 0.13 0.24 0.14, not consistent."""
    z = np.ones((3, 4))
    chairs = np.array([[1, 5, 6, 7], [1 / 5, 1, 4, 6], [1 / 6, 1 / 4, 1, 4], [1 / 7, 1 / 6, 1 / 4, 1]])
    np.testing.assert_allclose(W["ahp"](z, pairs=chairs[None]), [0.61, 0.24, 0.10, 0.05], atol=0.011)
    assert consistency(chairs) * 0.9 * 3 + 4 == pytest.approx(4.39, abs=0.005)
    school = np.array([
        [1, 4, 3, 1, 3, 4], [1 / 4, 1, 7, 3, 1 / 5, 1], [1 / 3, 1 / 7, 1, 1 / 5, 1 / 5, 1 / 6],
        [1, 1 / 3, 5, 1, 1, 1 / 3], [1 / 3, 5, 5, 1, 1, 3], [1 / 4, 1, 6, 3, 1 / 3, 1],
    ])  # fmt: skip
    said = []
    w = W["ahp"](np.ones((3, 6)), pairs=school[None], tell=lambda en, zh: said.append(en))
    np.testing.assert_allclose(w, [0.32, 0.14, 0.03, 0.13, 0.24, 0.14], atol=0.006)
    top = np.linalg.eigvals(school).real.max()
    assert consistency(school) == pytest.approx((top - 6) / 5 / 1.24)
    assert "not below 0.1" in said[0]


def test_ahp_agrees_with_row_geometric_means():
    w = np.array([0.5, 0.3, 0.15, 0.05])
    exact = w[:, None] / w
    z = np.ones((3, 4))
    for how in ("eigenvector", "geometric"):
        close(W["ahp"](z, pairs=exact[None], prioritise=how), w)
        holes = exact.copy()
        holes[0, 1] = holes[1, 0] = holes[2, 3] = holes[3, 2] = np.nan
        close(W["ahp"](z, pairs=holes[None], prioritise=how), w, 1e-9)
    rough = exact * np.exp(np.array([[0, 0.2, -0.1, 0.3], [-0.2, 0, 0.1, 0], [0.1, -0.1, 0, 0.2], [-0.3, 0, -0.2, 0]]))
    g = stats.gmean(rough, axis=1)
    close(W["ahp"](z, pairs=rough[None], prioritise="geometric"), g / g.sum())
    holes = rough.copy()
    holes[0, 3] = holes[3, 0] = np.nan
    w = W["ahp"](z, pairs=holes[None])  # Harker: what is missing is what the weights make of it
    holes[0, 3], holes[3, 0] = w[0] / w[3], w[3] / w[0]
    close(W["ahp"](z, pairs=holes[None]), w, 1e-9)
    other = exact.T.copy()  # an expert of the opposite opinion: the geometric means are all 1
    close(W["ahp"](z, pairs=np.stack([exact, other]), prioritise="geometric"), np.full(4, 0.25))
    close(W["best_worst"](z, pairs=np.stack([exact, exact[::-1, ::-1]])), (w_exact(exact) + w_exact(exact[::-1, ::-1])) / 2, 1e-8)
    from biaochi.kernels.weigh.stated import RANDOM_INDEX, least_fitting

    five = np.array([5.0, 4, 3, 2, 1])
    planted = five[:, None] / five
    planted[1, 3], planted[3, 1] = 9.0, 1 / 9
    i, j, meant = least_fitting(planted)
    assert (i, j) == (1, 3)
    assert meant == pytest.approx(2.0, rel=1e-6)
    assert RANDOM_INDEX["alonso"][4] * 4 + 5 == pytest.approx(2.7699 * 5 - 4.3513)  # Alonso and Lamata's fit of lambda_max
    assert consistency(exact) == pytest.approx(0, abs=1e-12)
    apart = np.full((4, 4), np.nan)
    np.fill_diagonal(apart, 1.0)
    apart[0, 1], apart[1, 0] = 2.0, 0.5
    assert np.isnan(W["ahp"](z, pairs=apart[None])).all(), "comparisons that do not connect all children"


def w_exact(pairs):
    return pairs[:, 0] / pairs[:, 0].sum()


def test_best_worst_leaves_nothing_more_consistent():
    """The model of Rezaei (2016): no weights nearby have a smaller xi; consistent judgements give theirs back."""
    best_over, over_worst = np.array([2.0, 1, 4, 3, 8]), np.array([4.0, 8, 2, 4, 1])
    m = np.full((5, 5), np.nan)
    np.fill_diagonal(m, 1.0)
    m[1], m[:, 1] = best_over, 1 / best_over
    m[:, 4], m[4] = over_worst, 1 / over_worst
    w = W["best_worst"](np.ones((2, 5)), pairs=m[None])
    xi = max(np.abs(w[1] - best_over * w).max(), np.abs(w - over_worst * w[4]).max())
    grid = stats.qmc.scale(stats.qmc.Sobol(5, seed=1).random(2**13), -0.05, 0.05)
    tried = np.clip(w + grid, 1e-9, None)
    tried /= tried.sum(axis=1, keepdims=True)
    others = np.maximum(np.abs(tried[:, [1]] - best_over * tried).max(axis=1), np.abs(tried - over_worst * tried[:, [4]]).max(axis=1))
    assert xi <= others.min() + 1e-12, "no weights nearby are more consistent"
    consistent = np.array([0.4, 0.3, 0.2, 0.1])
    one = consistent[:, None] / consistent
    holes = np.full((4, 4), np.nan)
    holes[0], holes[:, 3], holes[3], holes[:, 0] = one[0], one[:, 3], one[3], one[:, 0]
    close(W["best_worst"](np.ones((2, 4)), pairs=holes[None]), consistent, 1e-9)


def test_combinations_by_their_formulas():
    sets = np.array([[0.5, 0.3, 0.2], [0.2, 0.2, 0.6]])
    a = np.linalg.solve(sets @ sets.T, np.diag(sets @ sets.T))
    close(W["game"](np.ones((2, 3)), sets=sets), a @ sets / a.sum())
    close(W["product"](np.ones((2, 3)), sets=sets), sets.prod(axis=0) / sets.prod(axis=0).sum())
    rng = np.random.default_rng(0)  # triples whose plain solution has a negative share (47 % of random ones)
    found = 0
    for _ in range(50):
        three = rng.dirichlet(np.ones(8), 3)
        plain = np.linalg.solve(three @ three.T, np.diag(three @ three.T))
        found += (plain < 0).any()
        assert (W["game"](np.ones((2, 8)), sets=three) >= 0).all()
        close(W["game"](np.ones((2, 8)), sets=three, shares="absolute"), np.abs(plain) @ three / np.abs(plain).sum(), 1e-8)
    assert found > 5


@pytest.mark.extras
def test_varimax_is_statsmodels():
    from statsmodels.multivariate.factor_rotation import rotate_factors

    from biaochi.kernels.weigh.factors import varimax

    loadings = np.random.default_rng(6).normal(size=(8, 3))
    size = np.linalg.norm(loadings, axis=1, keepdims=True)
    turned, _ = rotate_factors(loadings / size, "varimax")
    got = varimax(loadings)
    match = np.abs(turned.T @ (got / size)).argmax(axis=1)
    close(np.abs(got[:, match]), np.abs(turned * size), 1e-3, 5e-4)


# --- aggregation ------------------------------------------------------------------------------------------


def test_means_are_scipys():
    z, w = data(), np.array([1.0, 2, 0.5, 1, 3])
    for p in (-3.0, -1.0, 0.5, 2.0, 7.0):
        close(A["power"](z, w, exponent=p), stats.pmean(z, p, axis=1, weights=w))
    close(A["power"](z, w, exponent=0.0), stats.gmean(z, axis=1, weights=w))
    close(A["harmonic"](z, w), stats.hmean(z, axis=1, weights=w))


def test_owa_on_yagers_example():
    """Yager (1988): (0.4, 0.3, 0.2, 0.1) on (0.7, 1, 0.3, 0.6) gives 0.76; and its three limits."""
    z, w = np.array([[0.7, 1.0, 0.3, 0.6]]), np.ones(4)
    close(A["owa"](z, w, order=(0.4, 0.3, 0.2, 0.1)), [0.76])
    close(A["owa"](z, w, order=(1.0, 0, 0, 0)), [1.0])
    close(A["owa"](z, w, order=(0.0, 0, 0, 1)), [0.3])
    close(A["owa"](z, w, exponent=1.0), z.mean(axis=1))
    close(A["owa"](z, w, exponent=2.0), [(1.0 * 1 + 0.7 * 3 + 0.6 * 5 + 0.3 * 7) / 16])


@pytest.mark.parametrize("penalty", ["down", "up"])
def test_mazziotta_pareto_by_the_paper(penalty):
    z = data()
    m, s = z.mean(axis=1), z.std(axis=1)
    want = m - s * (s / m) if penalty == "down" else m + s * (s / m)
    close(A["mazziotta_pareto"](z, np.ones(5), penalty=penalty), want)


def test_mean_min_between_mean_and_minimum():
    z, w = data(), np.ones(5)
    close(A["mean_min"](z, w, weight=0.0), z.mean(axis=1))
    close(A["mean_min"](z, w, weight=1.0), z.min(axis=1))
    m, low = z.mean(axis=1), z.min(axis=1)
    close(A["mean_min"](z, w, weight=0.4, softness=2.0), m - 0.4 * (np.sqrt((m - low) ** 2 + 4) - 2))


def test_choquet_is_the_integral_of_its_capacity():
    z, w, share = data(20, 4), np.array([0.4, 0.3, 0.2, 0.1]), 0.7

    def capacity(s):
        return sum(w[i] for i in s) - share * sum(w[i] * w[j] for i in s for j in range(4) if j not in s)

    for row in z:
        order = np.argsort(row)
        want, before = 0.0, 0.0
        for k, i in enumerate(order):
            want += (row[i] - before) * capacity(order[k:])
            before = row[i]
        close(A["choquet"](row[None], w, interaction=share), [want])


@pytest.mark.extras
@pytest.mark.parametrize("scale", ["minmax", "vector"])
def test_topsis_and_vikor_are_pymcdms(scale):
    from pymcdm import methods, normalizations

    z, w = data(), np.array([0.3, 0.1, 0.2, 0.25, 0.15])
    how = {"minmax": normalizations.minmax_normalization, "vector": normalizations.vector_normalization}[scale]
    close(A["topsis"](z, w, scale=scale), methods.TOPSIS(how)(z, w, np.ones(5), validation=False))
    close(1 - A["vikor"](z, w), methods.VIKOR()(z, w, np.ones(5), validation=False))
    close(1 - A["vikor"](z, w, majority=0.3), methods.VIKOR(v=0.3)(z, w, np.ones(5), validation=False))


def test_grey_grades_cell_by_cell():
    z, w = data(12, 3), np.array([0.5, 0.3, 0.2])
    d = z.max(axis=0) - z
    grade = (d.min() + 0.5 * d.max()) / (d + 0.5 * d.max())
    close(A["grey"](z, w), grade @ w)
    close(A["grey"](np.ones((3, 3)), w), [1, 1, 1])


def test_topsis_by_its_formula_with_gaps():
    z, w = data(20, 4, gaps=0.15), np.array([0.4, 0.3, 0.2, 0.1])
    high, low = np.nanmax(z, axis=0), np.nanmin(z, axis=0)
    for weighting in ("inside", "outside"):
        for table in (z, np.where(np.isnan(z), 30.0, z)):
            top, bottom = (high, low) if table is z else (table.max(axis=0), table.min(axis=0))
            got = A["topsis"](table, w, weighting=weighting)
            for u, row in enumerate(table):
                there = ~np.isnan(row)
                share = w[there] / w[there].sum()
                by = share**2 if weighting == "inside" else share
                up, down = (np.sqrt((by * (row - at)[there] ** 2).sum()) for at in (top, bottom))
                close(got[u], down / (up + down))


def test_promethee_with_gaps_and_outsiders():
    z, w = data(14, 3, gaps=0.15), np.array([0.5, 0.3, 0.2])
    counts = np.arange(14) != 4
    got = A["promethee"](z, w, counts=counts)
    for u in range(14):
        flows = []
        for i in range(3):
            others = [z[k, i] for k in range(14) if counts[k] and k != u and not np.isnan(z[k, i])]
            flows.append(np.sign(z[u, i] - np.array(others)).mean() if others else np.nan)
        there = ~np.isnan(z[u])
        close(got[u], (w * flows)[there].sum() / w[there].sum())


def test_kemeny_keeps_twins_together_and_counts_them():
    z = np.array([[3.0, 4, 1], [4, 0, 3], [1, 3, 4], [4, 0, 3], [3, 4, 1], [0, 2, 4]])
    got = A["kemeny"](z, np.ones(3))
    order = np.argsort(-got, kind="stable")
    m = margins(z, np.ones(3))
    assert disagreement(m, list(order)) == pytest.approx(min(disagreement(m, list(o)) for o in itertools.permutations(range(6))))
    assert got[0] == got[4]
    assert got[1] == got[3]


def distilled(s, best):
    """A preorder by distillation, coded from Figueira, Mousseau and Roy (2005)."""
    places, left, place = {}, list(range(len(s))), 1
    while left:
        chosen = left
        top = max((s[i][j] for i in chosen for j in chosen if i != j), default=0.0)
        while top > 0 and len(chosen) > 1:
            cut = max((s[i][j] for i in chosen for j in chosen if i != j and s[i][j] < top - (0.3 - 0.15 * top) - 1e-10), default=0.0)
            ahead = {(i, j) for i in chosen for j in chosen if i != j and s[i][j] > cut + 1e-10 and s[i][j] > s[j][i] + 0.3 - 0.15 * s[i][j] + 1e-10}
            score = {i: sum((i, j) in ahead for j in chosen) - sum((j, i) in ahead for j in chosen) for i in chosen}
            wanted = max(score.values()) if best else min(score.values())
            chosen, top = [i for i in chosen if score[i] == wanted], cut
        places.update(dict.fromkeys(chosen, place))
        place += 1
        left = [i for i in left if i not in chosen]
    return np.array([places[i] for i in range(len(s))])


def test_electre_distils_as_it_is_written():
    from biaochi.kernels.aggregate.electre import credibility

    for seed in range(12):
        z, w = data(9, 4, seed=seed), np.array([0.4, 0.3, 0.2, 0.1])
        s = credibility(z, w, 2.0, 8.0, 40.0)
        down, up = distilled(s, best=True), distilled(s, best=False)
        close(A["electre"](z, w, indifference=2.0, preference=8.0, veto=40.0), -(down + up.max() + 1 - up) / 2)


def test_wroclaw_unit_by_unit():
    z, w = data(), np.array([1.0, 2, 3, 2, 1])
    far = np.sqrt(((z - z.max(axis=0)) ** 2 * w / 9).sum(axis=1))
    close(A["wroclaw"](z, w), 1 - far / (far.mean() + 2 * far.std(ddof=1)))
    far = np.sqrt(((z - z.max(axis=0)) ** 2).mean(axis=1))
    close(A["wroclaw"](z, np.ones(5)), 1 - far / (far.mean() + 2 * far.std(ddof=1)))


def test_borda_is_scipys_ranks():
    z = np.round(data() / 20)
    w = np.array([1.0, 2, 1, 1, 3])
    close(A["borda"](z, w), (stats.rankdata(z, axis=0) - 1) @ w / w.sum())


@pytest.mark.extras
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("usual", "usual"), ("u_shape", "ushape"), ("v_shape", "vshape"), ("level", "level"), ("linear", "vshape_2")],
)
def test_promethee_is_pymcdms(ours, theirs):
    from pymcdm.methods import PROMETHEE_II

    z, w = np.round(data(60)), np.array([0.3, 0.1, 0.2, 0.25, 0.15])
    q, p = 3.0, 11.0
    want = PROMETHEE_II(theirs, q=[q] * 5, p=[p] * 5)(z, w, np.ones(5), validation=False)
    close(A["promethee"](z, w, preference=ours, indifference=q, strict=p), want, 1e-9, 1e-12)


def test_promethee_gaussian_pair_by_pair():
    z, w, p = data(20), np.array([0.3, 0.1, 0.2, 0.25, 0.15]), 9.0
    d = z[:, None, :] - z[None, :, :]
    gain = np.where(d > 0, 1 - np.exp(-(d**2) / (2 * p**2)), 0.0) @ w
    close(A["promethee"](z, w, preference="gaussian", strict=p), (gain.sum(axis=1) - gain.sum(axis=0)) / 19)


def test_kemeny_against_every_order():
    rng = np.random.default_rng(1)
    for _ in range(25):
        z, w = rng.integers(0, 6, (6, 5)).astype(float), rng.random(5)
        m = margins(z, w)
        order, cost, bound = kemeny_order(m)
        best = min(disagreement(m, list(o)) for o in itertools.permutations(range(6)))
        assert cost == pytest.approx(best, abs=1e-12)
        assert bound == pytest.approx(best, abs=1e-12)
        assert disagreement(m, order) == pytest.approx(cost, abs=1e-12)


def test_kemeny_beyond_what_can_be_tried_out():
    z = np.random.default_rng(3).normal(size=(30, 6))
    said = []
    A["kemeny"](z, np.ones(6), tell=lambda en, zh: said.append(en))
    assert "proven best" in said[0]
    m = margins(z, np.ones(6))
    order, cost, bound = kemeny_order(m)
    assert cost == pytest.approx(bound, abs=1e-6)
    for i in range(29):  # no neighbours to swap
        swapped = order.copy()
        swapped[[i, i + 1]] = swapped[[i + 1, i]]
        assert disagreement(m, swapped) >= cost - 1e-12


def test_electre_pair_by_pair():
    """Concordance, discordance and credibility coded from Figueira, Mousseau and Roy (2005)."""
    from biaochi.kernels.aggregate.electre import credibility

    z, w, q, p, v = data(10, 4), np.array([0.4, 0.3, 0.2, 0.1]), 2.0, 8.0, 30.0
    got = credibility(z, w, q, p, v)
    for a, b in itertools.permutations(range(10), 2):
        lag = z[b] - z[a]
        c = sum(w[j] * (1 if lag[j] <= q else 0 if lag[j] >= p else (p - lag[j]) / (p - q)) for j in range(4))
        s = c
        for j in range(4):
            d = 0 if lag[j] <= p else 1 if lag[j] >= v else (lag[j] - p) / (v - p)
            if d > c:
                s *= (1 - d) / (1 - c)
        assert got[a, b] == pytest.approx(s, abs=1e-12)
    clear = np.array([[9.0, 9, 9], [5, 5, 5], [1, 1, 1], [5, 5, 5]])
    close(A["electre"](clear, np.ones(3), indifference=0.5, preference=1.0), [-1, -2, -3, -2])
