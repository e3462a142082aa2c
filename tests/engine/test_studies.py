"""Studies of robustness in project files, on the command line, on pages and in workbooks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import biaochi
from biaochi import BadInput

# --- projects, files, the command line ------------------------------------------------------------------------------------------------


STUDY = """
[robustness]
replicates = 500
seed = 3

[[robustness.vary]]
what = "noise"
name = "weights"
noise = 0.1

[[robustness.vary]]
what = "settings"
name = "scale"
alternatives = [{}, {normalise = "zscore"}]
chances = [0.75, 0.25]

[[robustness.vary]]
what = "bounds"
bounds = {A = [0.5, 2]}
"""


def with_study(folder: Path, text: str) -> Path:
    path = folder / "biaochi.toml"
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")
    return folder


def test_a_study_in_a_project_file_comes_back_from_every_format(folder: Path, tmp_path: Path) -> None:
    project = biaochi.load(folder)
    first = [n.code for n in project.framework.walk()][1]
    project = biaochi.load(with_study(folder, STUDY.replace("A =", f"{first} =")))
    assert project.study is not None
    assert [v.name for v in project.study.vary] == ["weights", "scale", "bounds"]
    biaochi.save(project, tmp_path / "csv", "csv")
    again = biaochi.load(tmp_path / "csv").study
    assert again is not None
    assert again.fingerprint == project.study.fingerprint


@pytest.mark.extras
def test_a_study_in_a_workbook(folder: Path, tmp_path: Path) -> None:
    first = [n.code for n in biaochi.load(folder).framework.walk()][1]
    project = biaochi.load(with_study(folder, STUDY.replace("A =", f"{first} =")))
    (book,) = biaochi.save(project, tmp_path / "book", "excel")
    again = biaochi.load(book).study
    assert again is not None
    assert project.study is not None
    assert again.fingerprint == project.study.fingerprint


def test_every_mistake_in_a_study_is_listed(folder: Path) -> None:
    wrong = """
[robustness]
replicate = 5
[[robustness.vary]]
what = "noise"
noise = 7
[[robustness.vary]]
what = "nois"
[[robustness.vary]]
what = "drop"
chanc = 1
[[robustness.vary]]
what = "bounds"
bounds = 5
"""
    with pytest.raises(BadInput) as e:
        biaochi.load(with_study(folder, wrong))
    told = "\n".join(p.say("en") for p in e.value.problems)
    for text in (
        "unknown key of [robustness] 'replicate'. Did you mean 'replicates'?",
        "needs noise above 0",
        "'nois'. Did you mean 'noise'?",
        "Did you mean 'chance'?",
    ):
        assert text in told, told


def biao(*args: str, **more: Any) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "LC_ALL": "C.UTF-8", "COLUMNS": "120"}
    return subprocess.run([sys.executable, "-W", "error", "-m", "biaochi", *args], capture_output=True, text=True, check=False, env=env, **more)


def test_intervals_stand_beside_the_ranks_unless_told_otherwise() -> None:
    shown, plainly = biao("run", "asem", "--no-files", "--top", "3"), biao("run", "asem", "--no-files", "--top", "3", "--no-robustness")
    assert "1–2   CHE" in shown.stdout
    assert "10,000 what-ifs" in shown.stdout
    assert "90 %" not in plainly.stdout
    assert json.loads(biao("run", "asem", "--json", "--no-robustness").stdout)["robustness"] is None
    chinese = biao("run", "asem", "--no-files", "--lang", "zh").stdout
    assert "10,000 次模拟" in chinese


@pytest.mark.extras
def test_page_workbook_and_terminal(tmp_path: Path) -> None:
    import python_calamine

    done = biao("robustness", "shanxi-cities", "--replicates", "500", "--samples", "64", "--lang", "zh", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "shanxi-cities-robustness.html").read_text(encoding="utf-8")
    for text in (
        "演示数据",
        "位次区间",
        "难分先后",
        "方差分解",
        "权重稳定区间",
        "可达位次",
        "逐项单独变动",
        "可复算性",
        'http-equiv="Content-Security-Policy"',
    ):
        assert text in page, text
    assert "太原市" in done.stdout
    assert "演示数据" in done.stdout
    assert biao("run", "shanxi-cities", "--lang", "zh", "--out", str(tmp_path)).returncode == 0
    assert "位次有多确定" in (tmp_path / "shanxi-cities.html").read_text(encoding="utf-8")
    book = python_calamine.CalamineWorkbook.from_path(str(tmp_path / "shanxi-cities.xlsx"))
    rows = book.get_sheet_by_name("稳健性").to_python()
    heads = next(i for i, r in enumerate(rows) if r[0] == "节点")
    assert rows[heads][:4] == ["节点", "单位", "期", "位次"]
    assert len(rows) - heads - 1 == 11
    results = book.get_sheet_by_name("结果").to_python()
    assert any("90 % 区间" in [str(c) for c in r] for r in results)


def test_wrong_use_of_the_command() -> None:
    for args, told in (
        (("--of", "LPI"), "is an indicator"),
        (("--cluster", "here"), "dask://HOST:PORT"),
        (("--stop-at", "-1"), "until"),
        (("--period", "1900"), "unknown period"),
    ):
        done = biao("robustness", "asem", "--no-files", "--replicates", "20", *args)
        assert done.returncode in (1, 2), args
        assert told in done.stderr, done.stderr
        assert "Traceback" not in done.stderr
