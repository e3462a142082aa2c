"""Sentences and tables shared by the workbook and the HTML report."""

from __future__ import annotations

from typing import Any

import numpy as np

import biaochi
from biaochi.checks import FAMILIES, FOR_INDICATORS, REGISTRIES, choice_of
from biaochi.errors import Lang, Text
from biaochi.panel import STATUSES
from biaochi.recipe import STEPS
from biaochi.result import MARKS, Result, mark_letters


def headline(result: Result, period: str | None, lang: Lang) -> str:
    """Who leads, by how much, and how far apart first and last are."""
    p = result.period_at(period)
    ranked = [u for u in result.order(str(result.panel.periods[p])) if result.ranks[p, u, 0] == result.ranks[p, u, 0]]
    if not ranked:
        return Text("No unit has a rank.", "没有单位参与排名。").to(lang)
    names = [result.panel.units[u].name(lang) for u in ranked]
    scores = [float(result.scores[p, u, 0]) for u in ranked]
    form = ".3f" if max(scores) <= 1.5 else ".1f"
    en, zh = f"{names[0]} leads with {scores[0]:{form}}", f"{names[0]}居首，得分 {scores[0]:{form}}"
    if len(ranked) > 2:
        en += f", before {names[1]} ({scores[1]:{form}}) and {names[2]} ({scores[2]:{form}})"
        zh += f"，其后为{names[1]}（{scores[1]:{form}}）、{names[2]}（{scores[2]:{form}}）"
    if len(ranked) > 1:
        en += f"; {scores[0] - scores[-1]:{form}} points lie between first and last ({names[-1]})"
        zh += f"；首末位（{names[-1]}）相差 {scores[0] - scores[-1]:{form}} 分"
    return Text(en + ".", zh + "。").to(lang)


def method_rows(result: Result, lang: Lang) -> list[tuple[str, str, str]]:
    """(step, choice, for what) in the order of the run."""
    recipe = result.recipe
    zh = lang == "zh"
    rows = [(Text("screen", "筛选").to(lang), f"min_share = {recipe.min_share:g}", Text("all units", "全部单位").to(lang))]
    for step in STEPS:
        nodes = result.framework.indicators if step in FOR_INDICATORS else [n for n in result.nodes if result.framework.children(n.code)]
        used: dict[str, list[str]] = {}
        for n in nodes:
            name, options = choice_of(result.framework, recipe, step, n)
            method = REGISTRIES[step][name]
            told = ", ".join(f"{k} = {v}" for k, v in sorted(options.items()) if k not in (method.posts or ()))
            used.setdefault(f"{method.label.to(lang)} ({name}{': ' + told if told else ''})", []).append(n.name(lang))
        for label, members in used.items():
            whom = (f"{len(members)} 项" if zh else f"all {len(members)}") if len(used) == 1 else "、".join(members) if zh else ", ".join(members)
            rows.append((FAMILIES[step].to(lang), label, whom))
    low, high = recipe.range
    rows += [
        (Text("scale", "尺度").to(lang), recipe.scale + (f" {recipe.base}" if recipe.base else ""), f"{low:g}–{high:g}"),
        (Text("rules", "规则").to(lang), f"min_children = {recipe.min_children:g}, constant = {recipe.constant}, nonpositive = {recipe.nonpositive}", ""),
        (Text("ranks", "位次").to(lang), f"ties = {recipe.ties}" + (f", decimals = {recipe.decimals}" if recipe.decimals is not None else ""), ""),
    ]
    return rows


def provenance(result: Result, lang: Lang) -> list[tuple[str, str]]:
    """Version and fingerprints: what is needed to compute the same numbers again."""
    prints = result.fingerprints
    return [
        (Text("Biaochi version", "标尺版本").to(lang), biaochi.__version__),
        (Text("framework (SHA-256)", "指标体系（SHA-256）").to(lang), prints["framework"]),
        (Text("recipe (SHA-256)", "方案（SHA-256）").to(lang), prints["recipe"]),
        (Text("data (SHA-256)", "数据（SHA-256）").to(lang), prints["data"]),
    ]


def flags(result: Result) -> np.ndarray[Any, np.dtype[np.str_]]:
    """(period, unit, indicator) letters to show beside values: our marks, then the reported status unless normal."""
    out = np.full(result.marks.shape, "", "<U8")
    for bits in np.unique(result.marks):
        out[result.marks == bits] = mark_letters(int(bits))
    status = np.stack([result.status(c) for c in result.indicators], axis=-1)
    return np.char.add(out, np.where((status == "A") | (status == ""), "", status))


def legend(result: Result, lang: Lang) -> dict[str, str]:
    """What the letters mean, for those that occur."""
    present = set("".join(np.unique(flags(result)).tolist()))
    known = {**dict(MARKS.values()), **STATUSES}
    return {letter: known[letter].to(lang) for letter in sorted(present) if letter in known}
