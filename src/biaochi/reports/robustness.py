"""The robustness page: intervals, ties, probabilities, what drives the ranks, what weights can reach."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biaochi.drivers import one_at_a_time
from biaochi.errors import BadOption, Lang, Text
from biaochi.figures.convergence import convergence_trace
from biaochi.figures.intervals import rank_intervals
from biaochi.figures.pairwise import pairwise
from biaochi.figures.probability import rank_probabilities
from biaochi.figures.reachable import reachable
from biaochi.figures.sobol import sobol_bars
from biaochi.files.project import Project
from biaochi.inputs import input_name
from biaochi.reachable import Reachable, reachable_ranks
from biaochi.reports.html import drawn, live_script, render
from biaochi.reports.words import intervals, provenance, study_line
from biaochi.robustness import Robustness
from biaochi.sensitivity import Sensitivity
from biaochi.stability import weight_stability

MOST_ROWS = 400
"""Units in the table at most; ``--json`` has all."""


@dataclass(frozen=True, eq=False)
class Findings:
    """Everything the page shows."""

    robust: Robustness
    sensitivity: Sensitivity | None
    alone: list[dict[str, Any]]
    """One alternative at a time."""
    reachable: Reachable | None
    stability: list[dict[str, Any]]


def findings(robust: Robustness, sensitivity: Sensitivity | None, *, node: str | None = None, period: str | None = None) -> Findings:
    """The study with what belongs beside it: single alternatives, and exact answers where the mean allows them."""
    result = robust.result
    alone = one_at_a_time(result, robust.study, node=node, period=period)
    try:
        region, stable = reachable_ranks(result, node, period=period), weight_stability(result, node, period=period)
    except BadOption:  # no weighted sum on any scale, or nothing to weigh
        return Findings(robust, sensitivity, alone, None, [])
    return Findings(robust, sensitivity, alone, region, stable)


def write_robustness(
    project: Project, found: Findings, path: str | Path, *, lang: Lang = "en", node: str | None = None, period: str | None = None
) -> None:  # fmt: skip
    """Write the study of one node and period as a single HTML file.

    Parameters
    ----------
    project : Project
    found : Findings
    path : str or Path
        The .html file to write.
    lang : {"en", "zh"}
    node, period : str, optional
        Of those studied; the index and the last period with scores by default.
    """
    Path(path).write_text(render("robustness.html.j2", **_page(project, found, lang, node, period)), encoding="utf-8")


def lead(robust: Robustness, lang: Lang, node: str | None = None, period: str | None = None) -> str:
    """What the study says about the top of the ranking, in one or two sentences."""
    ranks = robust.ranks(node, period)
    labels, units = dict(zip((u.code for u in robust.result.panel.units), robust.result.panel.labels(lang), strict=True)), robust.result.panel.units
    order = [units[int(u)].code for u in ranks.target.order if ranks.nominal[int(u)] == ranks.nominal[int(u)]]
    if not order:
        return Text("No unit has a rank.", "没有单位参与排名。").to(lang)
    first = order[0]
    share = ranks.top(1)[robust.result.panel.position(first)]
    group = next((g for g in ranks.groups() if first in g), ()) if ranks.tally.ahead.shape[1] else ()
    others = [labels[c] for c in group if c != first]
    shift = robust.shift(node, period)
    moved = float(shift[shift == shift].mean()) if (shift == shift).any() else float("nan")
    tied_en = f" It cannot be told apart from {', '.join(others[:4])}{' and others' if len(others) > 4 else ''}." if others else ""
    tied_zh = f"与{'、'.join(others[:4])}{'等' if len(others) > 4 else ''}难分先后。" if others else ""
    return Text(f"{labels[first]} is first in {share:.0%} of the what-ifs.{tied_en} Ranks shift by {moved:.1f} on average.",
                f"{labels[first]}在 {share:.0%} 的模拟中居首。{tied_zh}位次平均变动 {moved:.1f} 位。").to(lang)  # fmt: skip


def _page(project: Project, found: Findings, lang: Lang, node: str | None, period: str | None) -> dict[str, Any]:
    robust, result = found.robust, found.robust.result
    ranks = robust.ranks(node, period)
    p = ranks.target.period
    note, name = project.notice.to(lang), (result.framework[node] if node else result.framework.root).name(lang)
    spans = intervals(robust, p, node)
    labels = result.panel.labels(lang)
    top, errors = ranks.top(10), ranks.errors()
    order = [int(u) for u in ranks.target.order if ranks.number[int(u)] > 0]
    rows = [{"code": result.panel.units[u].code, "name": labels[u], "rank": _rank(ranks.nominal[u]), "span": spans.get(u, ""), "mean": float(ranks.mean[u]),
             "median": float(ranks.median[u]), "shift": float(ranks.mean_shift[u]), "top": float(top[u]), "error": float(errors["mean"][u])}
            for u in order[:MOST_ROWS]]  # fmt: skip
    return {
        "zh": lang == "zh", "title": Text(f"Robustness: {name}", f"稳健性：{name}").to(lang), "notice": note, "period": ranks.period, "lead": lead(robust, lang, node, period),
        "study": study_line(robust, lang), "rows": rows, "rows_left_out": max(len(order) - MOST_ROWS, 0), "charts": _charts(found, lang, node, period, note),
        "groups": [[dict(zip((u.code for u in result.panel.units), labels, strict=True))[c] for c in g] for g in ranks.groups()] if ranks.tally.ahead.shape[1] else [],
        "alone": [{**r, "input": input_name(r["input"], lang)} for r in sorted(found.alone, key=lambda r: -(r["mean_shift"] or 0.0))], "names": dict(zip((u.code for u in result.panel.units), labels, strict=True)),
        "shares": [{**r, "input": input_name(r["input"], lang)} for r in found.sensitivity.rows()] if found.sensitivity else [],
        "runs": found.sensitivity.runs if found.sensitivity else 0, "stability": found.stability, "nodes": {n.code: n.name(lang) for n in result.nodes},
        "reach": found.reachable.rows()[:MOST_ROWS] if found.reachable else [], "exact": found.reachable is not None and found.reachable.exact,
        "failures": [(f["why"].to(lang), f["number"]) for f in robust.failures], "replicates": robust.replicates, "notices": [n.what.to(lang) for n in robust.notices],
        "whole_runs": robust.counted.whole_runs, "study_rows": _study_rows(robust, lang),
        "provenance": [*provenance(result, lang), (Text("study", "研究").to(lang), robust.study.fingerprint), (Text("seed", "随机种子").to(lang), str(robust.study.seed))],
        "script": live_script(),
    }  # fmt: skip


def _charts(found: Findings, lang: Lang, node: str | None, period: str | None, note: str) -> dict[str, Any]:
    robust = found.robust
    ranks = robust.ranks(node, period)
    keys: dict[str, Any] = {"node": node, "period": period, "lang": lang, "note": note}
    made: dict[str, Any] = {"intervals": rank_intervals(robust, title=Text("How sure each rank is", "位次有多确定").to(lang), **keys)}
    if ranks.resolution == 1 and not ranks.doubled:
        made["probability"] = rank_probabilities(robust, title=Text("How often each rank", "各位次出现的频率").to(lang), **keys)
    if ranks.tally.ahead.shape[1]:
        made["pairwise"] = pairwise(robust, title=Text("Who is ahead of whom", "两两先后").to(lang), **keys)
    if found.sensitivity:
        made["sobol"] = sobol_bars(found.sensitivity, lang=lang, note=note, title=_strongest(found.sensitivity, lang))
        made["trace"] = convergence_trace(found.sensitivity, lang=lang, note=note, title=Text("How the estimates settle", "估计的收敛").to(lang))
    if found.reachable:
        made["reachable"] = reachable(found.reachable, lang=lang, note=note, title=Text("What weights can do", "权重所能及").to(lang), region="±25 %")
    every = ("intervals", "probability", "pairwise", "sobol", "trace", "reachable")
    return {k: drawn(k, made[k]) if k in made else None for k in every}


def _strongest(found: Sensitivity, lang: Lang) -> str:
    known = [r for r in found.shares["shift"].rows() if r["total"] is not None]
    if not known:
        return Text("Ranks do not move", "位次不变").to(lang)
    name = input_name(max(known, key=lambda r: r["total"])["input"], lang)
    return Text(f"{name[:1].upper()}{name[1:]} moves the ranks most", f"“{name}”对位次影响最大").to(lang)


def _study_rows(robust: Robustness, lang: Lang) -> list[tuple[str, str]]:
    """Each input with what it is, in words."""
    return [(input_name(v.name, lang), words(v.to_dict(), lang)) for v in robust.plan.vary]


def words(declared: dict[str, Any], lang: Lang) -> str:
    """A variation as declared, in one line."""
    rest = {k: v for k, v in declared.items() if k not in ("what", "name")}
    if declared["what"] == "noise":
        level = rest.get("level")
        where = Text("at every level" if level is None else f"at level {level}", "各层级" if level is None else f"第 {level} 层").to(lang)
        return Text(f"each weight ±{rest.get('noise', 0.25):.0%}, {where}", f"各权重 ±{rest.get('noise', 0.25):.0%}，{where}").to(lang)
    if declared["what"] == "settings":
        from biaochi.drivers import in_words

        return Text("one of: ", "取其一：").to(lang) + " | ".join(
            in_words(a) if a else Text("as the recipe has it", "按方案").to(lang) for a in rest["alternatives"]
        )
    return str(declared["what"]) + (": " + ", ".join(f"{k} = {v}" for k, v in rest.items()) if rest else "")


def _rank(rank: float) -> str:
    return "—" if rank != rank else f"{rank:g}"
