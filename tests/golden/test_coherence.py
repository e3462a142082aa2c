"""Statistics, correlations, reliability and factors; references: COINr's tables, OECD Table 11, statsmodels, SciPy, published matrices."""

import csv

import numpy as np
import pytest

import biaochi
from biaochi.kernels.structure import components as comp
from biaochi.kernels.structure import reliability as rel
from biaochi.kernels.structure.association import association, clusters, explained
from tests.conftest import GOLDEN
from tests.golden.test_coinr import close, num, table
from tests.golden.test_frontier import index
from tests.golden.test_tai import raw

STATISTICS = {
    "Min": "min", "Max": "max", "Mean": "mean", "Median": "median", "Std": "sd", "Skew": "skew", "Kurt": "kurtosis", "N.Avail": "available",
    "N.NonZero": "nonzero", "N.Unique": "unique", "N.Same": "same", "Frc.Avail": "available_share", "Frc.NonZero": "nonzero_share",
    "Frc.Unique": "unique_share", "Frc.Same": "same_share",
}  # fmt: skip
FLAGS = {"Flag.Avail": "available", "Flag.NonZero": "nonzero", "Flag.Unique": "unique", "Flag.SkewKurt": "skew"}


@pytest.mark.parametrize(("name", "stage"), [("stats_raw", "derived"), ("stats_aggregated", "scores")])
def test_statistics_and_flags(asem, name, stage):
    """COINr's flags of nonzero and unique divide by all rows, against its documentation and its own shares; ours by the
    values there are. On these data that makes no difference to a flag but where the test says so."""
    mine = {row["code"]: row for row in biaochi.statistics(asem, None if stage == "derived" else [n.code for n in asem.nodes], stage=stage)}
    rows = table(name)
    assert len(rows) == len(mine)
    for want in rows:
        got = mine[want["iCode"]]
        close([np.nan if got[ours] is None else got[ours] for ours in STATISTICS.values()], [num(want[theirs]) for theirs in STATISTICS], rtol=1e-9)
        for theirs, ours in FLAGS.items():
            rows_there, there = len(asem.panel.units), got["available"]
            if ours in ("nonzero", "unique") and (got[ours] / rows_there < 0.5) != (got[ours] / there < 0.5):
                continue  # the defect
            assert (ours in got["flags"]) == (want[theirs] not in ("ok", "NA")), (want["iCode"], theirs)


def test_flags_are_shares_of_the_values_there_are():
    """10 units, 6 values, 4 of them not 0: COINr flags 4 / 10 < 0.5, though it reports 4 / 6."""
    x = np.array([[1.0], [2], [3], [4], [0], [0], [np.nan], [np.nan], [np.nan], [np.nan]])
    (row,) = biaochi.statistics(index(np.hstack([x, np.arange(10.0)[:, None]])), ["i0"])
    assert row["nonzero_share"] == pytest.approx(4 / 6)
    assert row["flags"] == ["available"]


def test_statistics_of_a_constant_and_of_next_to_nothing():
    x = np.column_stack([np.full(8, 3.0), np.full(8, np.nan), np.arange(8.0)])
    x[0, 1] = 5.0
    one, little, _ = biaochi.statistics(index(x))
    assert one["sd"] == 0
    assert one["skew"] is None
    assert one["flags"] == ["unique"]
    assert (little["mean"], little["sd"], little["available_share"]) == (5.0, None, 1 / 8)
    assert little["flags"] == ["available"]


@pytest.mark.parametrize("kind", ["pearson", "spearman"])
def test_correlations_of_raw_data(asem, kind):
    got = biaochi.correlations(asem, stage="derived", kind=kind)
    rows = {row[next(iter(row))]: row for row in table(f"corr_raw_{kind}")}
    close(got.r, [[num(rows[a][b]) for b in got.columns] for a in got.rows], rtol=1e-9, atol=1e-12)


def test_p_values(asem):
    got = biaochi.correlations(asem, stage="derived")
    rows = {row[next(iter(row))]: row for row in table("corr_raw_pvalues")}
    close(got.p, [[num(rows[a][b]) for b in got.columns] for a in got.rows], rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize(("name", "significance"), [("corr_raw_long", 1.0), ("corr_raw_long_p05", 0.05)])
def test_pairs_of_raw_data(asem, name, significance):
    mine = {(p["first"], p["second"]): p["correlation"] for p in biaochi.correlations(asem, stage="derived").pairs(significance=significance)}
    for want in table(name):
        got = mine[want["Var1"], want["Var2"]]
        close(np.nan if got is None else got, num(want["Correlation"]), rtol=1e-9, atol=1e-12)


def test_correlations_across_levels(asem):
    for want in table("corr_with_parent"):
        close(biaochi.correlations(asem, [want["Var1"]], [want["Var2"]]).r[0, 0], num(want["Correlation"]), rtol=1e-9)
    above = {"Pillar": 1, "Sub-index": 2, "Index": 3}
    for want in table("corr_family"):
        parent = want["Var2"]
        for _ in range(above[want["Var1"]]):
            parent = asem.framework[parent].parent
        close(biaochi.correlations(asem, [parent], [want["Var2"]]).r[0, 0], num(want["Correlation"]), rtol=1e-9, atol=1e-12)
    got = biaochi.correlations(asem, 0, 1)
    assert (got.rows, got.columns) == (("Index",), ("Conn", "Sust"))
    close(got.r[0], [num(w["Correlation"]) for w in table("corr_level3_4")], rtol=1e-9)


def test_high_correlations_inside_groups(asem):
    found = []
    for parent in asem.nodes:
        if asem.framework.levels[parent.code] == 2:
            pairs = biaochi.correlations(asem, parent.code).pairs()
            found += [(parent.code, p["first"], p["second"], p["correlation"]) for p in pairs if p["first"] < p["second"] and p["correlation"] > 0.75]
    want = [(w["Group"], *sorted((w["Ind1"], w["Ind2"])), num(w["Corr"])) for w in table("corr_flags_high")]
    assert [f[:3] for f in sorted(found)] == [w[:3] for w in sorted(want)]
    close([f[3] for f in sorted(found)], [w[3] for w in sorted(want)], rtol=1e-9)


def test_kendall_is_tau_b():
    from scipy.stats import kendalltau

    x = np.round(np.random.default_rng(0).random((40, 3)), 1)
    x[3, 0] = np.nan
    r, p = association(x, x, "kendall")
    both = ~np.isnan(x[:, 0])
    want = kendalltau(x[both, 0], x[both, 1])
    close([r[0, 1], p[0, 1]], [want.statistic, want.pvalue])
    # by its definition
    a, b = x[both, 0], x[both, 1]
    da, db = np.sign(a[:, None] - a), np.sign(b[:, None] - b)
    close(r[0, 1], (da * db).sum() / np.sqrt((da**2).sum() * (db**2).sum()))


def test_spearman_ranks_within_the_pair():
    from scipy.stats import spearmanr

    x = np.random.default_rng(1).random((30, 2))
    x[:5, 0] = np.nan
    r, p = association(x, x, "spearman")
    want = spearmanr(x[5:, 0], x[5:, 1])
    close([r[0, 1], p[0, 1]], [want.statistic, want.pvalue])


@pytest.mark.parametrize("row", table("cronbach_alpha"), ids=lambda r: f"{r['dset']}-{r['group']}")
def test_cronbach(asem, row):
    got = biaochi.reliability(asem, row["group"], stage="derived") if row["dset"] == "Raw" else biaochi.reliability(asem, row["group"])
    close(got.alpha, num(row["alpha"]), rtol=1e-9)


def test_table_11_of_the_handbook():
    """Alpha 0.70 of the standardised indicators; with each one left out, and its correlation with the others' sum. Logs
    are printed with two decimals, so a few thousandths."""
    got = biaochi.reliability(index(raw()), standard=True)
    assert got.standard_alpha == pytest.approx(0.70, abs=0.005)
    with open(GOLDEN / "tai2008" / "published_table11_cronbach.csv", newline="") as f:
        want = list(csv.DictReader(f))
    np.testing.assert_allclose(list(got.without.values()), [float(w["alpha"]) for w in want], atol=0.006)
    np.testing.assert_allclose(list(got.rest.values()), [float(w["corr_with_total"]) for w in want], atol=0.012)


THURSTONE = """.828 .776 .779 .439 .493 .46 .432 .464 .425 .674 .447 .489 .443 .59 .541 .447 .432 .401 .381 .402 .288
.541 .537 .534 .35 .367 .32 .555 .38 .358 .359 .424 .446 .325 .598 .452"""


def thurstone() -> np.ndarray:
    """Nine variables, 213 subjects: the matrix that goes with the classic examples of factor analysis."""
    r = np.eye(9)
    r[np.tril_indices(9, -1)] = [float(v) for v in THURSTONE.split()]
    return np.maximum(r, r.T)


def test_sampling_adequacy_of_a_published_matrix():
    """R, psych: KMO(Thurstone) prints 0.88 overall."""
    overall, each = comp.kmo(thurstone())
    assert round(overall, 2) == 0.88
    # independently: partial correlations from regressions of the two on all others
    r = thurstone()
    partial = np.zeros((9, 9))
    for i in range(9):
        for j in range(9):
            others = [k for k in range(9) if k not in (i, j)]
            s = (
                r[np.ix_([i, j], [i, j])] - r[np.ix_([i, j], others)] @ np.linalg.solve(r[np.ix_(others, others)], r[np.ix_(others, [i, j])])
                if i != j
                else np.eye(2)
            )
            partial[i, j] = s[0, 1] / np.sqrt(s[0, 0] * s[1, 1]) if i != j else 0
    a = r**2 - np.eye(9)
    close(each, a.sum(axis=0) / (a.sum(axis=0) + (partial**2).sum(axis=0)), rtol=1e-9)


def test_bartlett_by_its_formula_and_by_simulation():
    from scipy.stats import chi2

    statistic, df, p = comp.bartlett(thurstone(), 213)
    assert df == 36
    assert statistic == pytest.approx(-(212 - 23 / 6) * np.log(np.linalg.det(thurstone())))
    assert p == pytest.approx(chi2.sf(statistic, 36))
    rng = np.random.default_rng(0)  # uncorrelated indicators are rejected about as often as asked
    rejected = np.mean([comp.bartlett(np.corrcoef(rng.normal(size=(60, 5)).T), 60)[2] < 0.05 for _ in range(1000)])
    assert 0.03 < rejected < 0.075


@pytest.mark.extras
def test_principal_axes_against_statsmodels():
    from statsmodels.multivariate.factor import Factor

    r = thurstone()
    for k in (1, 2, 3):
        want = Factor(corr=r, n_factor=k, method="pa", nobs=213).fit(maxiter=20_000, tol=1e-12)
        ours = comp.loadings(r, k, method="axes", rotate=False)
        np.testing.assert_allclose(np.abs(ours), np.abs(want.loadings), atol=1e-6)


@pytest.mark.extras
def test_components_against_statsmodels():
    from statsmodels.multivariate.pca import PCA

    x = np.random.default_rng(2).normal(size=(50, 6)) @ np.random.default_rng(3).normal(size=(6, 6))
    want = PCA(x, standardize=True)
    got = biaochi.factors(index(x), keep=2, rotate=False)
    close(got.eigenvalues, want.eigenvals / 50, rtol=1e-9)
    np.testing.assert_allclose(np.abs(got.vectors), np.abs(want.eigenvecs), atol=1e-8)


def test_omega_of_a_known_factor():
    """Correlations made from loadings give the loadings back, and omega by its formula."""
    loads = np.array([0.9, 0.8, 0.7, 0.6])
    r = np.outer(loads, loads)
    np.fill_diagonal(r, 1.0)
    np.testing.assert_allclose(comp.one_factor(r), loads, atol=1e-8)
    x = np.random.default_rng(4).normal(size=(400, 4))
    x = (x - x.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T))).T @ np.linalg.cholesky(r).T  # exactly these correlations
    assert rel.omega(x) == pytest.approx(3.0**2 / (3.0**2 + (1 - loads**2).sum()), abs=1e-7)
    assert np.isnan(rel.omega(x[:, :2]))


PCA = {"normalised_L1": (None, 3), "aggregated_L2": (None, 2), "normalised_L1_all": (None, None)}


@pytest.mark.parametrize("name", PCA)
def test_principal_components(asem, name):
    """prcomp with centre and scale; signs of vectors are free."""
    by_group: dict[str, list] = {}
    for row in table(f"pca_{name}_rotation"):
        by_group.setdefault(row["group"], []).append(row)
    for group, rows in by_group.items():
        codes = sorted({r["iCode"] for r in rows})
        got = biaochi.factors(asem, codes)
        sdev = [num(r["sdev"]) for r in table(f"pca_{name}_sdev") if r["group"] == group]
        close(np.sqrt(got.eigenvalues), sdev, rtol=1e-9, atol=2e-7)  # square roots of 0 but for rounding
        for r in rows:
            k = int(r["component"]) - 1
            if got.eigenvalues[k] > 1e-9:
                theirs = [num(q["loading"]) for q in sorted((q for q in rows if q["component"] == r["component"]), key=lambda q: q["iCode"])]
                ours = got.vectors[:, k]
                np.testing.assert_allclose(ours * np.sign(ours @ theirs), theirs, atol=1e-7)


def test_explained_variance_against_regression():
    x = np.random.default_rng(5).normal(size=(40, 4))
    x[:, 3] = x[:, 0] + 0.1 * x[:, 3]
    full = np.column_stack([np.ones(40), x[:, 1:]])
    left = x[:, 0] - full @ np.linalg.lstsq(full, x[:, 0], rcond=None)[0]
    close(explained(x)[0], 1 - left.var() / x[:, 0].var(), rtol=1e-9)
    r = np.corrcoef(x.T)
    close(1 / (1 - explained(x)), np.diagonal(np.linalg.inv(r)), rtol=1e-8)  # variance inflation
    assert np.isnan(explained(x[:5])).all()


def test_clusters_join_what_goes_together():
    rng = np.random.default_rng(6)
    a, b = rng.normal(size=(2, 60))
    x = np.column_stack([a, a + 0.1 * rng.normal(size=60), b, -a, b + 0.1 * rng.normal(size=60)])
    assert clusters(np.corrcoef(x.T), 0.3).tolist() == [0, 0, 1, 2, 1]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda r: biaochi.correlations(r, kind="pearsn"), "pearson"),
        (lambda r: biaochi.correlations(r, 9), "0 to 1"),
        (lambda r: biaochi.correlations(r, "x"), "i0"),
        (lambda r: biaochi.correlations(r, 0, stage="derived"), "stage='scores'"),
        (lambda r: biaochi.statistics(r, stage="raw"), "derived"),
        (lambda r: biaochi.factors(r, keep=9), "1 to 3"),
        (lambda r: biaochi.factors(r, method="ml"), "axes"),
        (lambda r: biaochi.reliability(r, period="1999"), "2024"),
    ],
)
def test_wrong_questions_are_answered_in_words(call, words):
    with pytest.raises(biaochi.BiaochiError, match=words):
        call(index(np.random.default_rng(0).random((8, 3))))
