"""The only door to the engine: everything the server asks of it goes through here."""

from __future__ import annotations

import json
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from biaochi.errors import BadInput, Text
from biaochi.files.settings import read_toml
from biaochi.files.tree import read_framework
from biaochi.framework import Framework
from biaochi.period import Period

__all__ = ["BadInput", "Leaf", "Project", "end_of", "period", "previous", "problems_in", "project", "start_of", "year_before"]


@dataclass(frozen=True)
class Leaf:
    """A node of the tree, as the server keeps it."""

    code: str
    parent: str
    level: int
    leaf: bool
    name_zh: str
    name_en: str
    unit: str
    direction: str
    weight: str
    owner: str
    frequency: str
    low: str
    high: str
    definition: str
    source: str


@dataclass(frozen=True)
class Project:
    """A framework and its recipe, read from a project folder."""

    title_zh: str
    title_en: str
    notice_zh: str
    notice_en: str
    recipe: str
    fingerprint: str
    nodes: tuple[Leaf, ...]


def project(folder: Path) -> Project:
    """Read framework and recipe of a project folder; its data are not needed.

    Raises
    ------
    BadInput
        With every problem.
    """
    config = read_toml(folder / "biaochi.toml")
    files = config.get("files", {})
    framework = read_framework(folder / files.get("framework", "framework.csv"))
    title, notice = (_text(config.get(k)) for k in ("title", "notice"))
    recipe = json.dumps(config.get("recipe", {}), ensure_ascii=False, sort_keys=True)
    return Project(title.zh, title.en, notice.zh, notice.en, recipe, framework.fingerprint, tuple(_nodes(framework)))


def _text(value: Any) -> Text:
    if isinstance(value, Mapping):
        return Text(str(value.get("en", "")), str(value.get("zh", "")))
    return Text(str(value or ""), str(value or ""))


def _nodes(framework: Framework) -> list[Leaf]:
    leaves = {n.code for n in framework.indicators}
    found, level = [], {framework.root.code: 0}
    waiting = [framework.root.code]
    while waiting:
        code = waiting.pop(0)
        node = framework[code]
        kids = [n.code for n in framework.tree_nodes if n.parent == code]
        level |= dict.fromkeys(kids, level[code] + 1)
        waiting = kids + waiting
        low, high = node.valid
        found.append(Leaf(
            code, node.parent or "", level[code], code in leaves, node.name_zh, node.name_en, node.unit, str(node.direction), str(node.weight), node.owner,
            node.frequency, "" if low is None else f"{low:g}", "" if high is None else f"{high:g}", node.definition, node.source,
        ))  # fmt: skip
    return found


def problems_in(error: BadInput, chinese: bool) -> list[str]:
    """What is wrong, each problem with its place and fix."""
    return [p.say("zh" if chinese else "en") for p in error.problems]


def period(text: str) -> str:
    """The period as the engine writes it; ValueError if it is none."""
    return str(Period.parse(text))


def previous(text: str) -> str:
    """The period before."""
    return str(Period.parse(text).previous)


def year_before(text: str) -> str:
    """The same period a year before."""
    return str(Period.parse(text).year_before)


def end_of(text: str) -> date:
    """The last day of a period."""
    months = Period.parse(text).end_month
    year, month = divmod(months - 1, 12)
    return date(year, month + 1, monthrange(year, month + 1)[1])


def start_of(text: str) -> date:
    """The first day of a period."""
    p = Period.parse(text)
    months = p.previous.end_month
    return date(months // 12, months % 12 + 1, 1)
