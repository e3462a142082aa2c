"""Where an interrupted study goes on: what was counted so far, in one file."""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from dataclasses import fields
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from biaochi.fingerprint import fingerprint
from biaochi.scenarios import Plan
from biaochi.study import Study
from biaochi.tally import Counted, Tally


class State:
    """A file that holds what a study has counted; written after each portion, read when the same study starts again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.resumed = 0
        """Replicates that were there already."""

    @staticmethod
    def key(plan: Plan, study: Study) -> str:
        """What the counts belong to: data, framework, recipe, what varies, and what is ranked. The number of replicates may grow."""
        of = {k: v for k, v in study.to_dict().items() if k != "replicates"}
        targets = [[t.period, t.node] for t in plan.targets]
        return fingerprint({"biaochi.state": 1, **plan.result.fingerprints, "study": of, "targets": targets})

    def load(self, plan: Plan, study: Study) -> Counted | None:
        """What was counted before; None where there is nothing of this study, or more than it asks for."""
        with contextlib.suppress(OSError, ValueError, KeyError, EOFError, BadZipFile), np.load(self.path, allow_pickle=False) as held:
            if str(held["key"]) != self.key(plan, study) or len(held["ids"]) > study.replicates:
                return None
            tallies = [_tally(held, i) for i in range(len(plan.targets))]
            failures = Counter({(a, b, c): n for a, b, c, n in json.loads(str(held["failures"]))})
            self.resumed = len(held["ids"])
            return Counted(held["ids"], tallies, held["shift"], held["compared"], failures, held["failed"].tolist(), int(held["whole_runs"]))
        return None

    def save(self, plan: Plan, study: Study, counted: Counted) -> None:
        """Write what is counted; the file is replaced in one step."""
        arrays = {f"{i}.{f.name}": np.asarray(getattr(t, f.name)) for i, t in enumerate(counted.tallies) for f in fields(Tally)}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_name(self.path.name + ".new.npz")
        kept: Any = {
            "key": np.array(self.key(plan, study)), "ids": counted.ids, "shift": counted.shift, "compared": counted.compared,
            "failed": np.array(counted.failed, np.int64), "failures": np.array(json.dumps([[*k, n] for k, n in sorted(counted.failures.items())])),
            "whole_runs": np.array(counted.whole_runs), **arrays,
        }  # fmt: skip
        np.savez(beside, **kept)
        os.replace(beside, self.path)

    def done(self) -> None:
        """The study is finished: nothing is left to go on from."""
        self.path.unlink(missing_ok=True)


def _tally(held: Any, i: int) -> Tally:
    """One tally from its arrays."""
    arrays: dict[str, Any] = {f.name: held[f"{i}.{f.name}"] for f in fields(Tally)}
    return Tally(**{**arrays, "width": int(arrays["width"])})
