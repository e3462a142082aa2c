"""The HTML report: one self-contained page that opens anywhere and asks nothing of the network."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from biaochi.diagnosis.diagnose import Diagnoses
from biaochi.errors import Lang, MissingExtra, Text
from biaochi.figures import script, spec, svg
from biaochi.figures.heatmap import heatmap
from biaochi.figures.intervals import rank_intervals
from biaochi.figures.map import sketch_map
from biaochi.figures.profile import profile
from biaochi.figures.ranking import ranking
from biaochi.figures.tree import tree
from biaochi.files.project import Project
from biaochi.framework import Optimum
from biaochi.published import compare_published
from biaochi.reports.diagnosis import Told, Words
from biaochi.reports.words import flags, headline, intervals, legend, method_rows, provenance, study_line
from biaochi.result import Result
from biaochi.robustness import Robustness

MOST_ROWS = 400
"""Rows of the ranking table shown at most; the workbook has all."""
MOST_PROFILES = 60
"""Units with a profile of their own at most."""
MOST_NOTICES = 60


def write_report(
    project: Project,
    result: Result,
    path: str | Path,
    *,
    lang: Lang = "en",
    period: str | None = None,
    profiles: list[str] | None = None,
    robust: Robustness | None = None,
    diagnoses: Diagnoses | None = None,
    tell: Callable[[str, str], None] | None = None,
) -> None:
    """Write the report of one period as a single HTML file.

    Parameters
    ----------
    project, result
        What was run, and what came out.
    path : str or Path
        The .html file to write.
    lang : {"en", "zh"}
    period : str, optional
        The last period with scores by default.
    profiles : list of str, optional
        Codes of the units to profile; all of them by default, or the first 60 where there are more.
    robust : Robustness, optional
        The study of robustness whose intervals stand beside the ranks.
    diagnoses : Diagnoses, optional
        Tell of every unit profiled what it should mend, strengthen and seize.
    tell : callable, optional
        Told in English and Chinese what is being done, for a progress line.

    Raises
    ------
    UnknownName
        If there is no such period or unit.
    """
    page = render("report.html.j2", **_page(project, result, lang, period, profiles, robust, tell or (lambda en, zh: None), diagnoses))
    Path(path).write_text(page, encoding="utf-8")


def render(template: str, **content: Any) -> str:
    """A page from one of the templates beside this file."""
    try:
        import jinja2
    except ImportError:
        raise MissingExtra("jinja2", "plot") from None

    def read(name: str) -> str:
        return files("biaochi.reports").joinpath(name).read_text(encoding="utf-8")

    env = jinja2.Environment(loader=jinja2.FunctionLoader(read), autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined)
    return env.get_template(template).render(**content)


def live_script() -> str:
    """The script that brings charts to life, safe inside a script element."""
    return re.sub("</(?=script)", r"<\\/", script(), flags=re.IGNORECASE)


def _page(
    project: Project, result: Result, lang: Lang, period: str | None, wanted: list[str] | None, robust: Robustness | None, tell: Callable[[str, str], None],
    diagnoses: Diagnoses | None = None,
) -> dict[str, Any]:  # fmt: skip
    p = result.period_at(period)
    name = str(result.panel.periods[p])
    order = result.order(name)
    units, labels = result.panel.units, result.panel.labels(lang)
    shown = [result.panel.position(c) for c in wanted] if wanted is not None else order[:MOST_PROFILES]
    profiles = []
    for i, u in enumerate(shown, start=1):
        tell(f"drawing profile {i} of {len(shown)}", f"绘制单位画像 {i}/{len(shown)}")
        profiles.append({**_profile(result, p, u, lang, labels[u]), "told": _told(diagnoses, p, u, lang)})
    first = [n for n in result.nodes if result.framework.levels[n.code] <= 1]
    lead = headline(result, name, lang)
    notices = [n.say(lang).strip() for n in result.notices]
    spans = intervals(robust, p)
    return {
        "zh": lang == "zh", "title": project.title.to(lang), "notice": project.notice.to(lang), "period": name, "headline": lead,
        "ranked": _ranked(result, p), "indicator_count": len(result.indicators),
        "agreement": compare_published(result, project.published).text.to(lang) if project.published else "",
        "contents": _contents(lang), "figures": _figures(project, result, name, lang, lead, robust),
        "study": study_line(robust, lang) if robust else "", "study_notices": [n.what.to(lang) for n in robust.notices] if robust else [],
        "first": [n.name(lang) for n in first], "decimals": _decimals(result),
        "rows": [{**_row(result, p, u, [result.node_at(n.code) for n in first], labels[u], u in shown), "span": spans.get(u, "")} for u in order[:MOST_ROWS]],
        "spans": bool(spans),
        "rows_left_out": max(len(order) - MOST_ROWS, 0), "reference": not result.counts[p].all(),
        "nodes": [_node(result, n, lang) for n in result.nodes],
        "profiles": profiles, "legend": legend(result, lang),
        "profiles_note": Text(f"The first {len(shown)} of {len(units):,} units; write_report(..., profiles=[...]) in Python chooses others.", f"仅列前 {len(shown)} 个单位（共 {len(units)} 个）；在 Python 中可用 write_report(..., profiles=[...]) 指定。").to(lang)
        if wanted is None and len(units) > MOST_PROFILES else "",
        "method": method_rows(result, lang), "provenance": provenance(result, lang),
        "notices": notices[:MOST_NOTICES], "notices_left_out": max(len(notices) - MOST_NOTICES, 0), "script": live_script(),
    }  # fmt: skip


def _contents(lang: Lang) -> list[tuple[str, str]]:
    names = (("ranking", "Ranking", "排名"), ("dimensions", "First-level indicators", "一级指标"), ("framework", "Framework", "指标体系"),
             ("units", "Unit profiles", "单位画像"), ("method", "Method", "方法"))  # fmt: skip
    return [(i, Text(en, zh).to(lang)) for i, en, zh in names]


def _figures(project: Project, result: Result, period: str, lang: Lang, lead: str, robust: Robustness | None) -> dict[str, Any]:
    """The charts of the page, each as SVG with the specification that makes it live."""
    index, note = result.framework.root.name(lang), project.notice.to(lang)
    made: dict[str, Any] = {
        "ranking": ranking(result, period=period, lang=lang, title=lead.split("；" if lang == "zh" else ";", maxsplit=1)[0].rstrip(".。"), note=note),
        "heatmap": heatmap(result, period=period, lang=lang, title=_strengths(result, period, lang), note=note),
        "tree": tree(result, lang=lang, title=Text(f"How {index} is built", f"{index}的构成").to(lang), note=note),
    }
    if robust is not None and robust.found(None, result.period_at(period)) is not None:
        made["intervals"] = rank_intervals(robust, period=period, lang=lang, title=Text("How sure each rank is", "位次有多确定").to(lang), note=note)
    if project.boundaries:
        made["map"] = sketch_map(result, project.boundaries, period=period, lang=lang, title=Text(f"{index} on the map", f"{index}分布").to(lang), note=note)
    out: dict[str, Any] = {k: drawn(k, c) for k, c in made.items()}
    return {"map": None, "intervals": None, **out}


def drawn(name: str, chart: Any) -> dict[str, str]:
    """A chart as SVG with the specification that makes it live."""
    return {"id": f"fig-{name}", "title": chart.to_dict()["title"]["text"], "svg": svg(chart), "spec": _safe(spec(chart))}


def _strengths(result: Result, period: str, lang: Lang) -> str:
    """Where units differ most among the first-level nodes."""
    p = result.period_at(period)
    spread = {}
    for n in result.nodes:
        if result.framework.levels[n.code] == 1:
            s = result.scores[p, :, result.node_at(n.code)][result.counts[p]]
            spread[n.name(lang)] = float(np.fmax.reduce(s, initial=np.nan) - np.fmin.reduce(s, initial=np.nan))
    known = {k: v for k, v in spread.items() if v == v}
    if not known:
        return Text("First-level scores", "一级指标得分").to(lang)
    widest = max(known, key=lambda k: known[k])
    return Text(f"Units differ most in {widest}", f"各单位在“{widest}”上差距最大").to(lang)


def _row(result: Result, p: int, u: int, at: list[int], name: str, profiled: bool) -> dict[str, Any]:
    rank = result.ranks[p, u, 0]
    return {"code": result.panel.units[u].code, "name": name, "rank": _rank(rank), "ranked": rank == rank,
            "scores": [float(result.scores[p, u, i]) for i in at], "profile": profiled}  # fmt: skip


def _node(result: Result, node: Any, lang: Lang) -> dict[str, Any]:
    leaf = not result.framework.children(node.code)
    up, down = Text("higher is better", "正向").to(lang), Text("lower is better", "逆向").to(lang)
    direction = str(node.direction) if isinstance(node.direction, Optimum) else up if node.direction > 0 else down
    return {"code": node.code, "name": node.name(lang), "level": result.framework.levels[node.code], "unit": node.unit, "direction": direction if leaf else "",
            "weight": float(result.weights[result.node_at(node.code)]), "effective": result.effective_weights[node.code]}  # fmt: skip


def _profile(result: Result, p: int, u: int, lang: Lang, name: str) -> dict[str, Any]:
    unit, period = result.panel.units[u], str(result.panel.periods[p])
    letters = flags(result)[p, u]
    rows = []
    for i, n in enumerate(result.nodes):
        row = {"name": n.name(lang), "level": result.framework.levels[n.code], "score": float(result.scores[p, u, i]),
               "rank": _rank(result.ranks[p, u, i]), "value": "", "used": "", "unit": n.unit, "marks": "", "among": _among(result, p, i)}  # fmt: skip
        if n.code in result.indicators:
            at = result.indicators.index(n.code)
            reported, used = (float(result.stages[stage][p, u, at]) for stage in ("derived", "treated"))
            row |= {"value": figure(reported), "marks": str(letters[at]), "used": "" if used == reported or used != used else figure(used)}
        rows.append(row)
    words = _standing(result, p, u, lang)
    return {"code": unit.code, "name": name, "words": words, "nodes": rows,
            "figure": {"id": f"fig-u-{unit.code}", "title": words, "svg": svg(profile(result, unit.code, period=period, lang=lang)), "spec": ""}}  # fmt: skip


def _told(diagnoses: Diagnoses | None, p: int, u: int, lang: Lang) -> Told | None:
    """What a unit should mend, strengthen and seize, where it was looked at and has a rank."""
    if diagnoses is None or diagnoses.p != p or np.isnan(diagnoses.result.ranks[p, u, 0]):
        return None
    made = diagnoses.of(diagnoses.result.panel.units[u].code, survival=0, combined=False)
    return Words(diagnoses, lang).told(made)


def _among(result: Result, p: int, i: int) -> list[float]:
    """Lowest, median and highest score of the ranked units."""
    scores = result.scores[p, :, i][result.counts[p] & ~np.isnan(result.scores[p, :, i])]
    return [float(f(scores)) for f in (np.min, np.median, np.max)] if scores.size else [np.nan] * 3


def figure(value: float) -> str:
    """A value of an indicator with four significant digits, large ones whole."""
    if value != value:
        return "—"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}" if abs(value) >= 0.001 or value == 0 else f"{value:.3e}"


def _standing(result: Result, p: int, u: int, lang: Lang) -> str:
    """Score, rank, and best and worst first-level rank of a unit in one sentence."""
    score, rank, of = result.scores[p, u, 0], result.ranks[p, u, 0], _ranked(result, p)
    if score != score:
        return Text("No score: too little data, or left out by the recipe.", "未评分：数据不足，或被方案排除。").to(lang)
    form = f"{score:.{_decimals(result)}f}"
    if rank != rank:
        return Text(f"Score {form}; a reference unit, not ranked.", f"得分 {form}；参照单位，不参与排名。").to(lang)
    first = [(float(result.ranks[p, u, i]), n.name(lang)) for i, n in enumerate(result.nodes) if result.framework.levels[n.code] == 1]
    known = [(r, n) for r, n in first if r == r]
    en, zh = f"Rank {rank:g} of {of}, score {form}.", f"第 {rank:g} 位（共 {of} 个），得分 {form}。"
    best, worst = min(known, default=(0.0, "")), max(known, default=(0.0, ""))
    if best[0] != worst[0]:
        en += f" Best in {best[1]} (rank {best[0]:g}), weakest in {worst[1]} (rank {worst[0]:g})."
        zh += f"最好的是{best[1]}（第 {best[0]:g} 位），最弱的是{worst[1]}（第 {worst[0]:g} 位）。"
    elif len(known) > 1:
        en += f" Rank {best[0]:g} in every first-level indicator."
        zh += f"各一级指标均为第 {best[0]:g} 位。"
    return Text(en, zh).to(lang)


def _decimals(result: Result) -> int:
    return 3 if float(np.fmax.reduce(result.scores, axis=None, initial=0.0)) <= 1.5 else 2


def _ranked(result: Result, p: int) -> int:
    return int((~np.isnan(result.ranks[p, :, 0])).sum())


def _rank(rank: float) -> str:
    return "—" if rank != rank else f"{rank:g}"


def _safe(text: str) -> str:
    """JSON that cannot end the script element it stands in."""
    return text.replace("<", "\\u003c")
