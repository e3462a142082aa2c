"""Fixtures shared by all tests."""

import csv
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "biaochi_server.settings")
os.environ.setdefault("BIAOCHI_DATA", tempfile.mkdtemp(prefix="biaochi-"))

import biaochi

GOLDEN = Path(__file__).parent / "golden" / "data"


@pytest.fixture(scope="session")
def asem() -> biaochi.Result:
    return biaochi.evaluate("asem")


@pytest.fixture(scope="session")
def desi() -> biaochi.Result:
    return biaochi.evaluate("desi-2022")


@pytest.fixture(scope="session")
def golden() -> Callable[[str, list[str], list[str]], np.ndarray]:
    """(name, units, columns) -> array (unit, column) of a COINr table; NA is NaN."""

    def read(name: str, units: list[str], columns: list[str]) -> np.ndarray:
        with open(GOLDEN / "coinr" / f"{name}.csv", newline="") as f:
            rows = {r["uCode"]: r for r in csv.DictReader(f)}
        return np.array([[float(rows[u][c].replace("NA", "nan")) for c in columns] for u in units])

    return read


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small project folder that runs; tests spoil one thing in it."""
    from biaochi.files.template import new_project

    new_project(tmp_path / "p")
    return tmp_path / "p"
