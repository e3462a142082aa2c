"""Results as people read them: terminal, JSON document, workbook, HTML report."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from biaochi.errors import Lang, Place, Problem, Text, refuse

if TYPE_CHECKING:
    from biaochi.files.project import Project
    from biaochi.result import Result

Tell = Callable[[str, str], None]


def write_all(project: Project, result: Result, out: Path, lang: Lang, *, period: str | None = None, tell: Tell = lambda en, zh: None) -> list[Path]:
    """Write workbook and HTML report; all files appear together, or none does."""
    from biaochi.reports.html import write_report
    from biaochi.reports.workbook import write_workbook

    for name in (f"{project.name}.xlsx", f"{project.name}.html"):
        if (out / name).is_dir():
            what = Text("a folder of this name is in the way.", "存在同名文件夹。")
            refuse([Problem("in-the-way", what, Text("Remove it, or choose another --out.", "请移除，或另选 --out。"), Place(str(out / name)))])
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".writing-") as scratch:
        tell("writing the workbook", "生成工作簿")
        write_workbook(project, result, Path(scratch) / f"{project.name}.xlsx", lang=lang, period=period)
        tell("drawing the report", "生成报告")
        write_report(project, result, Path(scratch) / f"{project.name}.html", lang=lang, period=period, tell=tell)
        made = sorted(Path(scratch).iterdir(), reverse=True)
        for p in made:
            os.replace(p, out / p.name)
    return [out / p.name for p in made]
