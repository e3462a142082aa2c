"""DESI editions 2017-2022; reference: the totals published by the European Commission (see examples/desi-2022/SOURCE.md)."""

import csv

import numpy as np
import pytest

import biaochi
from biaochi.published import compare_published
from biaochi.reports.words import flags
from tests.conftest import GOLDEN


def test_all_168_totals_and_every_rank(desi):
    agreement = compare_published(desi, biaochi.load("desi-2022").published)
    assert (agreement.scores, agreement.missing) == (168, 0)
    assert agreement.worst < 7e-5
    assert (agreement.ranks, agreement.ranks_equal) == (162, 162)


def test_the_publishers_imputed_cells_keep_their_status(desi):
    letters = flags(desi)
    by_edition = {str(p): int((letters[i] == "I").sum()) for i, p in enumerate(desi.panel.periods)}
    assert sum(by_edition.values()) == 1967
    assert by_edition["2022"] == 8
    assert not desi.marks.any()  # nothing was imputed, treated or clipped by us


def test_the_portals_2c_contributions_are_inconsistent(desi):
    """The portal's three 2c contributions sum to 80 % of its 2c score: they divide by 5 where it divides by 4.

    Ours follow the framework (weights 1, 2, 1) and sum to the whole score; the portal's are not copied.
    """
    with open(GOLDEN / "desi" / "portal_2c.csv", newline="") as f:
        rows = list(csv.DictReader(f))
    told: dict[tuple[str, str], float] = {}
    for r in rows:
        told[r["edition"], r["country"]] = told.get((r["edition"], r["country"]), 0.0) + float(r["value"])
    assert len(told) == 168
    n = desi.node_at("2c")
    parts = [desi.node_at(c.code) for c in desi.framework.children("2c")]
    ratios = []
    for (edition, country), total in told.items():
        p, u = desi.period_at(edition), desi.panel.position(country)
        score = desi.scores[p, u, n] / 100
        ours = sum(desi.shares[p, u, i] * desi.scores[p, u, i] for i in parts) / 100
        assert ours == pytest.approx(score, rel=1e-12)
        if score > 0:
            ratios.append(total / score)
    np.testing.assert_allclose(ratios, 0.8, atol=2e-3)


def test_contributions_add_up_to_the_index(desi):
    leaves = [desi.node_at(c) for c in desi.indicators]
    np.testing.assert_allclose(desi.contributions[..., leaves].sum(axis=-1), desi.scores[..., 0], rtol=1e-12)
