"""``biaochi robustness``: the full study, with progress, interruptible and resumable."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from biaochi.cli_work import print_json
from biaochi.errors import Lang, Text

if TYPE_CHECKING:
    from biaochi.files.project import Project
    from biaochi.result import Result
    from biaochi.resume import State
    from biaochi.robustness import Robustness
    from biaochi.sensitivity import Sensitivity

INTERRUPTED = 130


@dataclass(frozen=True)
class Asked:
    """What the command line asks of a study."""

    source: str
    replicates: int | None
    seed: int | None
    until: float | None
    nodes: tuple[str, ...]
    period: str | None
    samples: int
    workers: int | None
    processes: bool
    cluster: str | None
    fresh: bool
    out: Path | None
    no_files: bool
    as_json: bool

    @property
    def shown(self) -> str | None:
        """The node that is written about: the first one asked for."""
        return self.nodes[0] if self.nodes else None


def study_project(asked: Asked, lang: Lang) -> int | None:
    """``biaochi robustness``."""
    from biaochi.files.project import load
    from biaochi.resume import State
    from biaochi.run import evaluate

    project = load(asked.source)
    result = evaluate(project)
    folder = asked.out or Path("results") / project.name
    keep = (asked.out is not None or not asked.as_json) and not asked.no_files
    state = State(folder / f"{project.name}-robustness.part.npz") if keep else None
    if state is not None and asked.fresh:
        state.done()
    try:
        made, found = _studied(asked, project, result, state, lang)
    except KeyboardInterrupt:
        return _interrupted(saved=state is not None and state.path.exists(), lang=lang)
    if state is not None and state.resumed and not asked.as_json:
        click.echo(Text(f"went on from {state.resumed:,} replicates.", f"已从 {state.resumed:,} 次模拟接续。").to(lang), err=True)
    written = _written(asked, project, made, found, folder, lang) if keep else []
    if state is not None:
        state.done()
    if asked.as_json:
        from biaochi.reports.document import robustness_document

        print_json(robustness_document(project, made, found, written, lang))
        return None
    from biaochi.reports.terminal_study import print_study

    print_study(project, made, found, written, lang, node=asked.shown, period=asked.period)
    return None


def _interrupted(*, saved: bool, lang: Lang) -> int:
    more = (" The same command goes on from here.", "重新执行同一命令即可接续。") if saved else ("", "")
    click.echo(Text("interrupted." + more[0], "已中断。" + more[1]).to(lang), err=True)
    return INTERRUPTED


def _studied(asked: Asked, project: Project, result: Result, state: State | None, lang: Lang) -> tuple[Robustness, Sensitivity | None]:
    """Ranks under what-ifs, and what moves them where two inputs or more vary."""
    from biaochi.robustness import robustness
    from biaochi.sensitivity import sensitivity

    bar = _Bar(lang, quiet=asked.as_json)
    try:
        made = robustness(
            result, project.study, replicates=asked.replicates, seed=asked.seed, nodes=list(asked.nodes) or None, periods=[asked.period] if asked.period else None,
            until=asked.until, workers=asked.workers, processes=asked.processes, cluster=asked.cluster, progress=bar, state=state,
        )  # fmt: skip
    finally:
        bar.close()
    if not asked.samples or len(made.plan.vary) < 2:
        return made, None
    found = sensitivity(result, made.study, samples=asked.samples, seed=made.study.seed, node=asked.shown, period=asked.period,
                        targets=("shift", "correlation"), workers=asked.workers)  # fmt: skip
    return made, found


def _written(asked: Asked, project: Project, made: Robustness, found: Sensitivity | None, folder: Path, lang: Lang) -> list[Path]:
    from biaochi.reports import in_folder
    from biaochi.reports.robustness import findings, write_robustness

    every = findings(made, found, node=asked.shown, period=asked.period)

    def page(path: Path) -> None:
        write_robustness(project, every, path, lang=lang, node=asked.shown, period=asked.period)

    return in_folder(folder, {f"{project.name}-robustness.html": page})


class _Bar:
    """A progress bar on standard error, once work has taken more than a second."""

    def __init__(self, lang: Lang, *, quiet: bool) -> None:
        self.lang, self.live, self.began, self.shown = lang, sys.stderr.isatty() and not quiet, time.monotonic(), 0.0

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if not self.live or now - self.began < 1 or (now - self.shown < 0.1 and done < total):
            return
        self.shown = now
        left = (now - self.began) / max(done, 1) * (total - done)
        full = round(30 * done / total)
        told = Text(f"{done:,} of {total:,} what-ifs, {left:.0f} s left", f"{done:,}/{total:,} 次模拟，约剩 {left:.0f} 秒").to(self.lang)
        click.echo(f"\r\x1b[K{'█' * full}{'░' * (30 - full)} {told}", err=True, nl=False)

    def close(self) -> None:
        """Wipe the line."""
        if self.live and self.shown:
            click.echo("\r\x1b[K", err=True, nl=False)
