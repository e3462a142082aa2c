"""The statistical audit as a page: every figure beside its threshold and source."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from biaochi.audit import Audit, audit, influence_shares
from biaochi.coherence import SOURCES, Thresholds
from biaochi.errors import Lang, Text
from biaochi.figures.correlation import correlation
from biaochi.files.project import Project
from biaochi.reports.html import drawn, figure, live_script, render
from biaochi.reports.words import provenance
from biaochi.result import Result

SECTIONS: dict[str, tuple[Text, tuple[str, ...]]] = {
    "data": (Text("Data", "数据"), ("available", "skew", "nonzero", "unique")),
    "size": (Text("Series of size", "规模序列"), ("denominator",)),
    "placement": (Text("Place in the framework", "在指标体系中的位置"), ("against-parent", "low", "elsewhere")),
    "dimensions": (Text("Dimensions", "维度"), ("alpha", "first-component", "dimensions", "kmo", "bartlett")),
    "pairs": (Text("Pairs of siblings", "同级指标两两相关"), ("high", "negative")),
    "redundancy": (Text("Redundancy", "重复信息"), ("inflation",)),
    "influence": (Text("Weights and influence", "权重与影响力"), ("balance",)),
}
"""Sections of the page, and the kinds of flags each shows."""

NAMES: dict[str, Text] = {
    "available": Text("least share of values", "最低有值比例"),
    "skew": Text("skewness, by size", "偏度（绝对值）"),
    "kurtosis": Text("kurtosis, together with skewness", "峰度（与偏度同时超过）"),
    "nonzero": Text("least share of values not 0", "最低非零值比例"),
    "unique": Text("least share of different values", "最低不同值比例"),
    "denominator": Text("correlation with a series of size", "与规模序列的相关"),
    "low": Text("least correlation with the parent", "与上级的最低相关"),
    "own": Text("margin by which another node may correlate more than the parent", "其他节点相关可高于上级的幅度"),
    "negative": Text("correlation between siblings", "同级相关下限"),
    "high": Text("correlation between siblings", "同级相关上限"),
    "alpha": Text("least Cronbach's alpha", "克朗巴赫 α 下限"),
    "first": Text("least share of the first component", "第一主成分方差下限"),
    "eigenvalue": Text("eigenvalue of a dimension", "视为维度的特征值"),
    "kmo": Text("least Kaiser-Meyer-Olkin measure", "KMO 下限"),
    "significance": Text("significance", "显著性水平"),
    "inflation": Text("variance inflation factor", "方差膨胀因子上限"),
    "places": Text("places that make a difference", "视为有差异的位次差"),
    "balance": Text("difference between weight and share of influence", "权重与影响力占比之差上限"),
}


def write_audit(
    project: Project,
    result: Result,
    path: str | Path,
    *,
    lang: Lang = "en",
    period: str | None = None,
    thresholds: Thresholds = Thresholds(),
    found: Audit | None = None,
) -> Audit:
    """Write the audit of one period as a single HTML file, and give it back as data.

    Parameters
    ----------
    project, result
        What was run, and what came out.
    path : str or Path
        The .html file to write.
    lang : {"en", "zh"}
    period : str, optional
        The last period with scores by default.
    thresholds : Thresholds
    found : Audit, optional
        The audit, where it was made before.

    Returns
    -------
    Audit

    Raises
    ------
    UnknownName
        If there is no such period.
    """
    found = found or audit(result, period=period, thresholds=thresholds)
    Path(path).write_text(render("audit.html.j2", **_page(project, result, found, lang)), encoding="utf-8")
    return found


def _page(project: Project, result: Result, found: Audit, lang: Lang) -> dict[str, Any]:
    names = {n.code: n.name(lang) for n in result.framework.nodes} | {
        u.code: label for u, label in zip(result.panel.units, result.panel.labels(lang), strict=True)
    }
    index = result.framework.root.name(lang)
    note = project.notice.to(lang)
    chart = correlation(result, period=found.period, lang=lang, thresholds=found.thresholds, note=note)
    flagged = {
        k: [("" if names[f.codes[0]] == f.codes[0] else names[f.codes[0]], f.text.to(lang)) for f in found.flags if f.kind in kinds]
        for k, (_, kinds) in SECTIONS.items()
    }
    return {
        "zh": lang == "zh", "title": Text(f"Statistical audit: {index}", f"统计审计：{index}").to(lang), "notice": note, "period": found.period,
        "units": found.units, "indicators": len(found.statistics), "lead": summary(found, lang), "names": names,
        "contents": [(k, t.to(lang)) for k, (t, _) in SECTIONS.items()], "flags": flagged, "audit": found, "figure": figure, "chart": drawn("correlation", chart),
        "thresholds": [(NAMES[k].to(lang), f"{v:g}", SOURCES[k].to(lang)) for k, v in asdict(found.thresholds).items()],
        "provenance": provenance(result, lang), "script": live_script(), "levels": {n.code: result.framework.levels[n.code] for n in result.nodes},
        "complete": [u for u in found.availability if u["share"] < 1], "bounds": {k: bounds(found, k, lang) for k in SECTIONS},
        "sized": any(n.series for n in result.framework.nodes), "shares": influence_shares(found.influence),
    }  # fmt: skip


def bounds(found: Audit, section: str, lang: Lang) -> str:
    """The thresholds of a section with their sources, in one line."""
    names = list(dict.fromkeys(t for kind in SECTIONS[section][1] for t in KINDS[kind]))
    told = [f"{NAMES[t].to(lang)} {getattr(found.thresholds, t):g} ({SOURCES[t].to(lang)})" for t in names]
    return Text("Thresholds: ", "阈值：").to(lang) + ("; " if lang == "en" else "；").join(told) + ("." if lang == "en" else "。")


KINDS: dict[str, tuple[str, ...]] = {
    "available": ("available",), "skew": ("skew", "kurtosis"), "nonzero": ("nonzero",), "unique": ("unique",), "denominator": ("denominator",), "against-parent": ("low",),
    "low": ("low",), "elsewhere": ("own",), "alpha": ("alpha",), "first-component": ("first",), "dimensions": ("eigenvalue",), "kmo": ("kmo",), "bartlett": ("significance",),
    "high": ("high",), "negative": ("negative",), "inflation": ("inflation",), "balance": ("balance", "places"),
}  # fmt: skip
"""The thresholds behind each kind of flag."""


def summary(found: Audit, lang: Lang) -> str:
    """How many figures lie beyond their thresholds, by section; no verdict."""
    parts = []
    for title, kinds in SECTIONS.values():
        n = sum(f.kind in kinds for f in found.flags)
        if n:
            parts.append(Text(f"{title.en.lower()} {n}", f"{title.zh} {n}").to(lang))
    many = Text(f"{len(found.flags)} figures lie beyond their thresholds", f"共 {len(found.flags)} 项数值越过阈值").to(lang)
    none = Text("No figure lies beyond its threshold.", "没有数值越过阈值。").to(lang)
    return f"{many}{': ' if lang == 'en' else '：'}{(', ' if lang == 'en' else '、').join(parts)}{'.' if lang == 'en' else '。'}" if parts else none
