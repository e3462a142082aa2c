"""Diagnoses: what is listed is so, what is uncertain is not listed, and pages, Word files and words say the same."""

from __future__ import annotations

import json
import re
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

import biaochi
from biaochi.cli import build
from biaochi.diagnosis.diagnose import Diagnoses, diagnose
from biaochi.errors import BadOption, UnknownName
from biaochi.reports.diagnosis import Words
from biaochi.study import Study
from biaochi.variation import Errors


@pytest.fixture(scope="module")
def desi() -> Diagnoses:
    return diagnose(biaochi.evaluate("desi-2022"))


def test_findings_are_what_plain_figures_say(desi: Diagnoses) -> None:
    r, p = desi.result, desi.p
    z, x = r.stages["normalised"][p], r.stages["denominated"]
    weights = np.array([r.effective_weights[c] for c in r.indicators])
    inside = r.counts[p]
    best, middle = np.nanmax(z[inside], axis=0), np.nanmedian(z[inside], axis=0)
    for d in desi:
        u = r.panel.position(d.unit)
        lost = weights * (z[u] - best)
        if not np.isnan(lost).any():
            assert [f.indicator for f in d.shortfalls] == [r.indicators[i] for i in np.argsort(lost, kind="stable")[:3]]
            assert d.shortfalls[0].points == pytest.approx(lost.min())
        for f in d.weak:
            i = r.indicators.index(f.indicator)
            assert ("median" in f.reasons) == (z[u, i] < middle[i]) or f.low is None
            if "rank" in f.reasons:
                assert f.rank is not None
                assert f.rank_before is not None
                assert f.rank > f.rank_before
                if inside[u]:
                    assert f.rank == 1 + (z[inside, i] > z[u, i]).sum()
        for f in d.openings:
            i = r.indicators.index(f.indicator)
            if "leads" in f.reasons:
                assert z[u, i] >= best[i]
            if "rises" in f.reasons:
                assert (x[p, u, i] - x[p - 1, u, i]) * float(r.framework[f.indicator].direction) > 0  # type: ignore[arg-type]
            assert f.reasons
        assert d.rank is None or d.low is None or d.low <= d.high  # type: ignore[operator]


def test_differences_inside_the_uncertainty_are_never_listed() -> None:
    result = biaochi.evaluate("desi-2022")
    noisy = Study((Errors("errors", spread=0.5, draws=60),))
    made = diagnose(result, ["IT", "DE"], reference="mean", study=noisy, replicates=60)
    tied = 0
    for d in (made.of("IT", top=40, survival=0), made.of("DE", top=40, survival=0)):
        k = made.against.at(d.unit)
        listed = {f.indicator for f in d.shortfalls}
        for i, code in enumerate(result.indicators):
            if made.against.tied[k, i]:
                tied += 1
                assert code not in listed
        for f in d.shortfalls:
            assert f.high is not None
            assert f.high < 0
        for f in d.weak:
            if "median" in f.reasons:
                assert f.high is not None
                assert f.high < 0
    assert tied > 10


def test_what_cannot_be_is_refused() -> None:
    result = biaochi.evaluate("shanxi-cities")
    with pytest.raises(UnknownName):
        diagnose(result, reference="nowhere")
    made = diagnose(result, ["140200"])
    with pytest.raises(BadOption, match="top"):
        made.of("140200", top=0)
    with pytest.raises(UnknownName):
        made.of("999")


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_unit_of_every_example_can_be_said(lang: str) -> None:
    for name in ("shanxi-cities", "desi-2022", "asem"):
        made = diagnose(biaochi.evaluate(name), replicates=60)
        words = Words(made, lang)  # type: ignore[arg-type]
        for d in islice(made, 8 if name == "asem" else None):
            told = words.told(d)
            said = " ".join([*told.lead, *told.history, *told.others, told.combination, *(f"{x.name} {x.words} {x.why}" for c in told.columns for x in c[2])])
            assert "nan" not in said.lower().replace("finan", "").replace("maintenan", "").replace("governan", "")
            assert "None" not in said
            for code in made.result.indicators:  # ASEM's have English names only
                said = said.replace(made.result.framework[code].name(lang), "")
            if lang == "zh" and name != "asem":
                assert not re.search(r"\b(the|points|rank|peers)\b", said)
            elif lang == "en":
                assert not re.search(r"[，。；]", said)


def test_a_promised_value_reaches_the_place_as_it_is_printed() -> None:
    result = biaochi.evaluate("shanxi-cities")
    made = diagnose(result, replicates=40)
    words, p = Words(made, "en"), made.p
    checked = 0
    for unit in result.panel.units:
        for lever in made.levers.of(unit.code):
            m = lever.moves[0]
            printed = float(re.sub(r"[^\d.\-]", "", words._goal(m).replace("−", "-").split(" ")[0]))
            x = result.stages["denominated"][p].copy()
            x[result.panel.position(unit.code), result.indicators.index(m.code)] = printed
            after = made.levers.trials.retake(x)
            assert after.ranks[result.panel.position(unit.code)] <= lever.rank
            checked += 1
    assert checked > 20


def run(args: list[str]) -> None:
    assert build("en").main(args, prog_name="biaochi", standalone_mode=False, obj="en") in (None, 0)


@pytest.mark.extras
def test_the_command_writes_a_page_and_a_word_file_that_say_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["diagnose", "shanxi-cities", "--unit", "140200", "--out", str(tmp_path)])
    import docx

    shown = capsys.readouterr().out
    page = (tmp_path / "shanxi-cities-diagnosis.html").read_text(encoding="utf-8")
    document = docx.Document(str(tmp_path / "shanxi-cities-diagnosis.docx"))
    text = "\n".join([p.text for p in document.paragraphs] + [c.text for t in document.tables for row in t.rows for c in row.cells])
    for words in ("Datong", "Shortfalls", "Weak points", "Openings", "Best levers", "Employment in science and technical services", "Rank 8 of 11"):
        assert words in page
        assert words in text
        assert words in shown
    assert "not the official yardstick" in page
    assert "not the official yardstick" in document.sections[0].header.paragraphs[0].text
    assert len(document.inline_shapes) == 1
    assert "http:" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", page)


def test_the_document_has_every_unit_and_can_be_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    run(["diagnose", "shanxi-cities", "--json"])
    made = json.loads(capsys.readouterr().out)
    assert len(made["units"]) == 11
    assert made["schema"] == "biaochi.diagnose/1"
    assert all(len(u["shortfalls"]) <= 3 for u in made["units"])


def test_another_study_of_robustness_is_used_where_it_is_given() -> None:
    result = biaochi.evaluate("shanxi-cities")
    robust = biaochi.robustness(result, replicates=200)
    made = diagnose(result, ["140200"], robust=robust, replicates=40)
    row = next(r for r in robust.ranks().rows(0.9) if r["unit"] == "140200")
    d = made.of("140200", survival=0)
    assert (d.low, d.high) == (row["low"], row["high"])
