"""Aggregators held to packages and published examples; those COINr has are in test_coinr.py."""

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

N, T, A, W, F = ({name: m.kernel for name, m in registry.items()} for registry in (NORMALISERS, TREATMENTS, AGGREGATORS, WEIGHTINGS, IMPUTERS))


def data(n=40, k=5, seed=3, gaps=0.0):
    rng = np.random.default_rng(seed)
    x = rng.gamma(2.0, 10.0, (n, k)) + 1.0 + rng.gamma(2.0, 10.0, (n, 1))
    x[rng.random((n, k)) < gaps] = np.nan
    return x


def close(got, want, rtol=1e-10, atol=1e-12):
    np.testing.assert_allclose(got, want, rtol=rtol, atol=atol, equal_nan=True)


# --- aggregation -------------------------------------------------------------------------------


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
