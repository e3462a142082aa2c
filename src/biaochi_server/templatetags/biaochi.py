"""Filters for figures and journal entries."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import template
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from biaochi_server.journal.words import VERBS
from biaochi_server.monitoring import words
from biaochi_server.plain.checks import Finding
from biaochi_server.plain.numbers import shown

register = template.Library()
register.filter("figure", shown)


@register.filter
def sentence(finding: Finding) -> str:
    """A finding in words, with its fix."""
    return words.sentence(finding)


@register.filter
def trouble(told: Mapping[str, Any]) -> str:
    """What is wrong with a workbook, in words."""
    return words.trouble(told["rule"], told["facts"])


@register.filter
def percent(change: Decimal | None) -> str:
    """Growth with its sign: ``+9.4``; a dash for none."""
    return "—" if change is None else f"{change:+.1f}".replace("-", "−")


@register.filter
def at(mapping: Mapping[str, str], key: object) -> str:
    """What a mapping holds under a key; empty if it is not there."""
    return mapping.get(str(key), "")


@register.filter
def verb(name: str) -> str:
    """A journal verb in plain words."""
    return str(VERBS.get(name, name))


@register.filter
def typed(side: object) -> str:
    """One side of a change to a cell: the figure with its explanation, or the figure alone."""
    if not isinstance(side, Mapping):
        return str(side or "…")
    figure = str(side.get("text") or "…")
    return f"{figure}（{side['note']}）" if side.get("note") else figure


@register.filter
def yes_no(value: object) -> str:
    """Plain words for true and false, a dash for nothing, else the value."""
    if value is True:
        return _("yes")
    if value is False:
        return _("no")
    return "—" if value in (None, "") else str(value)


@register.inclusion_tag("biaochi/field.html")
def field(bound: object, hint: str | SafeString = "") -> dict[str, object]:
    """One form field with its label, hint and errors."""
    return {"field": bound, "hint": hint}
