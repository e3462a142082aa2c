"""``biaochi diagnose`` and ``biaochi doubts``: what units should mend, strengthen and seize, and which figures to ask about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biaochi.cli_work import print_json, progress
from biaochi.errors import BadOption, Lang, Text

if TYPE_CHECKING:
    from biaochi.diagnosis.diagnose import Diagnoses, Diagnosis
    from biaochi.files.project import Project
    from biaochi.reports.diagnosis import Told
    from biaochi.result import Result

MOST = 60
"""Units with a page of their own where none is named."""


@dataclass(frozen=True)
class Asked:
    """What the command line asks of a diagnosis."""

    source: str
    units: tuple[str, ...]
    against: str
    peers: str | None
    period: str | None
    out: Path | None
    no_files: bool
    as_json: bool


def diagnose_project(asked: Asked, lang: Lang) -> None:
    """``biaochi diagnose``."""
    from biaochi.diagnosis.diagnose import diagnose
    from biaochi.files.project import load
    from biaochi.run import evaluate

    with progress(lang, quiet=asked.as_json) as tell:
        tell("computing", "计算")
        project = load(asked.source)
        result = evaluate(project)
        peers: Any = asked.peers.split(",") if asked.peers and "," in asked.peers else asked.peers
        tell("looking at shortfalls and levers", "分析短板与抓手")
        made = diagnose(
            result,
            list(asked.units) or None,
            reference=asked.against,
            peers=peers,
            period=asked.period,
            study=project.study if project.study and project.study.vary else None,
        )
        wanted = list(asked.units) or _first(result, made)
        found = []
        for k, unit in enumerate(wanted, start=1):
            tell(f"diagnosing unit {k} of {len(wanted)}", f"诊断单位 {k}/{len(wanted)}")
            found.append(made.of(unit, survival=400 if asked.units or len(wanted) <= 12 else 0))
        written = (
            []
            if asked.no_files or (asked.as_json and asked.out is None)
            else write_diagnoses(project, made, found, asked.out or Path("results") / project.name, lang, tell)
        )
    if asked.as_json:
        from biaochi.reports.document import diagnose_document

        print_json(diagnose_document(project, made, found, written, lang))
        return
    from biaochi.reports.terminal_diagnosis import print_diagnoses

    print_diagnoses(project, made, found, written, lang, full=bool(asked.units))


def _first(result: Result, made: Diagnoses) -> list[str]:
    order = result.order(str(result.panel.periods[made.p]))
    scored = [result.panel.units[u].code for u in order if result.ranks[made.p, u, 0] == result.ranks[made.p, u, 0]]
    return scored[:MOST]


def write_diagnoses(project: Project, made: Diagnoses, found: list[Diagnosis], folder: Path, lang: Lang, tell: Callable[[str, str], None]) -> list[Path]:
    """The page and the Word file of some units, in a folder."""
    from biaochi.reports import in_folder
    from biaochi.reports.html import render
    from biaochi.reports.word import write_word

    result, period = made.result, str(made.result.panel.periods[made.p])
    pages, pictures = _pages(made, found, lang, tell)
    index = result.framework.root.name(lang)
    title = Text(f"{project.title.to(lang)}: diagnosis, {period}", f"{project.title.to(lang)}：诊断（{period}）").to(lang)
    how = Text(f"{index}, {period}. Points are exact shares of the difference (Shapley values); intervals hold nine of ten what-ifs about weights and methods ({made.against.replicates}); "
               "differences inside them are ties and are not listed. Levers are confirmed by running everything again.",
               f"{index}，{period} 期。失分为对得分差距的精确分解（Shapley 值）；区间含九成关于权重与方法的情形（{made.against.replicates} 次）；区间内的差异视为并列，不列出。进位抓手均经重新计算验证。").to(lang)  # fmt: skip
    notice = project.notice.to(lang)

    def html(file: Path) -> None:
        file.write_text(render("diagnosis.html.j2", zh=lang == "zh", title=title, notice=notice, pages=pages, how=how), encoding="utf-8")

    def word(file: Path) -> None:
        write_word(file, title, notice, pictures, how, lang)

    return in_folder(folder, {f"{project.name}-diagnosis.html": html, f"{project.name}-diagnosis.docx": word})


def _pages(made: Diagnoses, found: list[Diagnosis], lang: Lang, tell: Callable[[str, str], None]) -> tuple[list[dict[str, Any]], list[tuple[Told, bytes]]]:
    """Words and picture of each unit: for the page, and for the Word file."""
    from biaochi.diagnosis.peers import peer_mask
    from biaochi.figures import png, svg
    from biaochi.figures.path import path
    from biaochi.reports.diagnosis import Words

    words = Words(made, lang)
    result, period = made.result, str(made.result.panel.periods[made.p])
    mask = peer_mask(result, made.peers)
    pages: list[dict[str, Any]] = []
    pictures: list[tuple[Told, bytes]] = []
    for k, d in enumerate(found, start=1):
        tell(f"drawing page {k} of {len(found)}", f"绘制页面 {k}/{len(found)}")
        told = words.told(d)
        chart = path(result, d.unit, inside=mask[result.panel.position(d.unit)], period=period, lang=lang)
        pages.append({"told": told, "figure": svg(chart), "figure_title": told.lead[0]})
        pictures.append((told, png(chart)))
    return pages, pictures


def doubts_project(source: str, totals: tuple[str, ...], group: str | None, period: str | None, top: int, as_json: bool, lang: Lang) -> None:
    """``biaochi doubts``."""
    from biaochi.diagnosis.doubts import doubts
    from biaochi.files.project import load

    project = load(source)
    targets = {n.code: float(n.target) for n in project.framework.indicators if n.target is not None and n.code in project.panel.codes}
    falling = [c for c in targets if project.framework[c].direction == -1]
    found = doubts(project.panel, totals=dict(map(_total, totals)), targets=targets, lower_is_better=falling, group=group, period=period)
    if as_json:
        from biaochi.reports.document import doubts_document

        print_json(doubts_document(project, found, lang))
        return
    from biaochi.reports.terminal_diagnosis import print_doubts

    print_doubts(project, found, top, lang)


def _total(given: str) -> tuple[str, list[str]]:
    """``T=A+B`` taken apart."""
    total, _, parts = given.partition("=")
    codes = [p.strip() for p in parts.split("+")]
    if not total.strip() or len(codes) < 2 or not all(codes):
        raise BadOption(
            "total (--total)",
            f"must read TOTAL=PART+PART, such as jobs=men+women; got {given!r}.",
            f"应写作 合计=分项+分项，如 jobs=men+women；得到 {given!r}。",
        )
    return total.strip(), codes
