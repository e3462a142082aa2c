"""Technology Achievement Index; reference: OECD/JRC Handbook (2008), Table 15, normalisations of SCHOOLING."""

import csv

import numpy as np
import pytest

from biaochi.kernels.normalise.order import categorical, percentile_rank, rank
from biaochi.kernels.normalise.ratio import above_below, distance
from biaochi.kernels.normalise.scale import minmax, zscore
from tests.conftest import GOLDEN


def column(file: str, name: str) -> np.ndarray:
    with open(GOLDEN / "tai2008" / file, newline="") as f:
        return np.array([float(r[name]) for r in csv.DictReader(f)])


UP = np.ones(1)

TABLE_15 = {
    "rank": (lambda x: rank(x, x), 0.5),
    "zscore": (lambda x: zscore(x, x), 0.005),
    "minmax": (lambda x: minmax(x, x), 0.005),
    # the Handbook's percentile is the rank among n units, in percent
    "dist_mean": (lambda x: distance(x, x, signs=UP, to="mean"), 0.005),
    "dist_best": (lambda x: distance(x, x, signs=UP, to="best"), 0.005),
    "dist_worst": (lambda x: distance(x, x, signs=UP, to="worst"), 0.005),
    "diff_mean": (lambda x: distance(x, x, signs=UP, to="mean", form="difference"), 0.005),
    "diff_worst": (lambda x: distance(x, x, signs=UP, to="worst", form="difference"), 0.005),
    "above_below": (lambda x: above_below(x, x), 0.0),
    "categorical": (lambda x: categorical(x, x), 0.0),
    "percentile": (lambda x: 100 * percentile_rank(x, x, over="units"), 0.05),
}


@pytest.mark.parametrize("name", TABLE_15)
def test_table_15(name):
    x = column("tai_23_raw.csv", "SCHOOLING")[:, None]
    compute, rounding = TABLE_15[name]
    got, want = compute(x)[:, 0], column("published_table15_normalisation.csv", name)
    assert len(want) == 23
    np.testing.assert_allclose(got, want, atol=rounding + 1e-9)


def raw() -> np.ndarray:
    with open(GOLDEN / "tai2008" / "tai_23_raw.csv", newline="") as f:
        rows = list(csv.DictReader(f))
    return np.array([[float(v) for k, v in r.items() if k != "country"] for r in rows])


def test_factors_of_tables_16_and_17():
    """Eigenvalues 3.3 1.7 1.0 0.9 ... with 41.9 21.8 12.3 11.1 6.0 3.7 2.2 0.9 % of the variance; four factors
    are kept, and of these patents load 0.07 0.97 0.06 0.06 (0.67 of the second one's sum of squares)."""
    from biaochi.kernels.structure.components import varimax
    from biaochi.kernels.weigh.factors import _components, factor

    z = raw()
    ((_, values, vectors),) = _components(z)
    np.testing.assert_allclose(values[:4], [3.3, 1.7, 1.0, 0.9], atol=0.06)
    np.testing.assert_allclose(100 * values / 8, [41.9, 21.8, 12.3, 11.1, 6.0, 3.7, 2.2, 0.9], atol=0.12)
    turned = varimax(vectors[:, :4] * np.sqrt(values[:4]))
    np.testing.assert_allclose(np.sort(np.abs(turned[0])), [0.06, 0.06, 0.07, 0.97], atol=0.011)
    squares = turned**2 / (turned**2).sum(axis=0)
    assert squares[0].max() == pytest.approx(0.67, abs=0.005)
    said = []
    w = factor(z, tell=lambda en, zh: said.append(en))
    assert said[0].startswith("4 factors kept")
    own = (turned**2 / (turned**2).sum()).max(axis=1)  # scaled to the factor, times the factor's share
    np.testing.assert_allclose(w, own / own.sum(), rtol=1e-9)


def test_classes_begin_at_their_percentile():
    x = np.arange(1.0, 21.0)[:, None]  # percentiles 5, 10, ..., 100
    got = categorical(x, x)[:, 0]
    hundred = np.arange(1.0, 101.0)[:, None]
    assert categorical(hundred, hundred, cuts=(29.0,), scores=(0.0, 1.0))[:, 0].sum() == 72, "rank 29 of 100 begins the class"
    assert got.tolist() == [20] * 2 + [40] * 4 + [50] * 6 + [60] * 4 + [80] * 2 + [100] * 2


def test_correlations_of_table_6():
    """27 of 28 as printed; ROYALTIES with TELEPHONES, whose logarithms are stated to two decimals, within 0.02."""
    from biaochi.kernels.moments import correlation

    with open(GOLDEN / "tai2008" / "tai_23_raw.csv", newline="") as f:
        names = next(csv.reader(f))[1:]
    got = correlation(raw())
    with open(GOLDEN / "tai2008" / "published_table6_corr.csv", newline="") as f:
        rows = list(csv.DictReader(f))
    assert len(rows) == 28
    off = {(r["a"], r["b"]): abs(got[names.index(r["a"]), names.index(r["b"])] - float(r["r"])) for r in rows}
    assert off.pop(("ROYALTIES", "TELEPHONES")) < 0.02
    assert max(off.values()) < 0.0071
