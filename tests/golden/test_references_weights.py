"""Weightings held to packages and published examples; those COINr has are in test_coinr.py."""

import numpy as np
import pytest
from scipy import stats

from biaochi.kernels.aggregate import AGGREGATORS
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


# --- weights -----------------------------------------------------------------------------------


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

    from biaochi.kernels.structure.components import varimax

    loadings = np.random.default_rng(6).normal(size=(8, 3))
    size = np.linalg.norm(loadings, axis=1, keepdims=True)
    turned, _ = rotate_factors(loadings / size, "varimax")
    got = varimax(loadings)
    match = np.abs(turned.T @ (got / size)).argmax(axis=1)
    close(np.abs(got[:, match]), np.abs(turned * size), 1e-3, 5e-4)
