"""Results as people read them: terminal, JSON document, workbook, HTML report."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from biaochi.errors import Lang, Place, Problem, Text, refuse

if TYPE_CHECKING:
    from biaochi.files.project import Project
    from biaochi.result import Result
    from biaochi.robustness import Robustness

Tell = Callable[[str, str], None]


def write_all(
    project: Project, result: Result, out: Path, lang: Lang, *, period: str | None = None, everything: bool = False, robust: Robustness | None = None,
    tell: Tell = lambda en, zh: None,
) -> list[Path]:  # fmt: skip
    """Write workbook and HTML report; all files appear together, or none does."""
    from biaochi.reports.html import MOST_PROFILES, write_report
    from biaochi.reports.workbook import write_workbook

    def workbook(path: Path) -> None:
        tell("writing the workbook", "生成工作簿")
        write_workbook(project, result, path, lang=lang, period=period, robust=robust)

    def report(path: Path) -> None:
        diagnoses = None
        if robust is not None and len(result.panel.units) <= MOST_PROFILES:
            from biaochi.diagnosis.diagnose import diagnose

            tell("looking at shortfalls and levers", "分析短板与抓手")
            diagnoses = diagnose(result, period=period, study=robust.study, robust=robust)
        tell("drawing the report", "生成报告")
        write_report(project, result, path, lang=lang, period=period, robust=robust, diagnoses=diagnoses, tell=tell)

    def tables(path: Path) -> None:
        from biaochi.reports.everything import write_everything

        tell("writing every table", "写出全部表格")
        write_everything(project, result, path, lang=lang, period=period)

    def audited(path: Path) -> None:
        from biaochi.reports.audit import write_audit

        tell("auditing", "统计审计")
        write_audit(project, result, path, lang=lang, period=period)

    writers: dict[str, Callable[[Path], object]] = {f"{project.name}.xlsx": workbook, f"{project.name}.html": report}
    if everything:
        writers |= {f"{project.name}-audit.html": audited, f"{project.name}-everything.xlsx": tables}
    return in_folder(out, writers)


def in_folder(out: Path, files: Mapping[str, Callable[[Path], object]]) -> list[Path]:
    """Write files into a folder by their writers; all appear together, or none does."""
    for name in files:
        if (out / name).is_dir():
            what = Text("a folder of this name is in the way.", "存在同名文件夹。")
            refuse([Problem("in-the-way", what, Text("Remove it, or choose another --out.", "请移除，或另选 --out。"), Place(str(out / name)))])
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".writing-") as scratch:
        for name, write in files.items():
            write(Path(scratch) / name)
        for name in files:
            os.replace(Path(scratch) / name, out / name)
    return [out / name for name in files]
