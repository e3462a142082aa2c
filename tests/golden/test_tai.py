"""Technology Achievement Index; reference: OECD/JRC Handbook (2008), Table 15, normalisations of SCHOOLING."""

import csv

import numpy as np
import pytest

from biaochi.kernels.normalise import minmax, percentile_rank, rank, zscore
from tests.conftest import GOLDEN


def column(file: str, name: str) -> np.ndarray:
    with open(GOLDEN / "tai2008" / file, newline="") as f:
        return np.array([float(r[name]) for r in csv.DictReader(f)])


TABLE_15 = {
    "rank": (lambda x: rank(x, x), 0.5),
    "zscore": (lambda x: zscore(x, x), 0.005),
    "minmax": (lambda x: minmax(x, x), 0.005),
    # the Handbook's percentile is the rank among n units, in percent
    "percentile": (lambda x: 100 * percentile_rank(x, x, over="units"), 0.05),
}


@pytest.mark.parametrize("name", TABLE_15)
def test_table_15(name):
    x = column("tai_23_raw.csv", "SCHOOLING")[:, None]
    compute, rounding = TABLE_15[name]
    got, want = compute(x)[:, 0], column("published_table15_normalisation.csv", name)
    assert len(want) == 23
    np.testing.assert_allclose(got, want, atol=rounding + 1e-9)
