"""Writes about frameworks, the calendar and rounds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.utils.translation import gettext as _

from biaochi_server import clock
from biaochi_server.bridge import Project
from biaochi_server.database import write
from biaochi_server.journal.actions import record
from biaochi_server.later import later
from biaochi_server.monitoring import queries
from biaochi_server.monitoring.models import Cell, Day, FrameworkEdition, Indicator, Observation, Round, Submission
from biaochi_server.monitoring.states import ROUND_MOVES, CellState
from biaochi_server.moves import IllegalMove, NeedsReason, Refused, move
from biaochi_server.people.models import Organisation, User
from biaochi_server.people.queries import holders
from biaochi_server.people.states import Kind, Role


@write
def import_edition(project: Project, index: str, *, by: User | None, collection: Mapping[str, Mapping[str, str]] | None = None) -> FrameworkEdition:
    """Keep a framework and recipe as the next version. Refuses one that equals the version in force.

    Parameters
    ----------
    collection : by indicator code, how it is collected: ``by_cities``, ``sums_up``, ``whole`` (yes or empty), ``jump``, ``definition_en``, ``source_en``.
    """
    newest = FrameworkEdition.objects.filter(index=index).order_by("-number").first()
    if newest and (newest.fingerprint, newest.recipe) == (project.fingerprint, project.recipe):
        raise Refused(_("This framework and recipe are already here as the newest version."))
    owners = {n: o for o in Organisation.objects.all() for n in (o.code, o.name_zh, o.name_en)}
    unknown = sorted({n.owner for n in project.nodes if n.owner and n.owner not in owners})
    if unknown:
        raise Refused(_("These owners are no organisations here: %(names)s. Add them first.") % {"names": "、".join(unknown)})
    edition = FrameworkEdition.objects.create(
        index=index, number=(newest.number if newest else 0) + 1, title_zh=project.title_zh, title_en=project.title_en, notice_zh=project.notice_zh,
        notice_en=project.notice_en, recipe=project.recipe, fingerprint=project.fingerprint, imported_at=clock.now(),
    )  # fmt: skip
    how = collection or {}
    Indicator.objects.bulk_create([
        Indicator(
            edition=edition, code=n.code, parent_code=n.parent, position=k, level=n.level, leaf=n.leaf, name_zh=n.name_zh, name_en=n.name_en, unit=n.unit,
            direction=n.direction, weight=n.weight, frequency={"month": "M", "quarter": "Q"}.get(n.frequency, "A"), owner=owners.get(n.owner), low=n.low, high=n.high,
            definition_zh=n.definition, source_zh=n.source, by_cities=bool(h.get("by_cities")), sums_up=bool(h.get("sums_up")), whole=bool(h.get("whole")),
            jump=h.get("jump") or "30", definition_en=h.get("definition_en", ""), source_en=h.get("source_en", ""),
        )
        for k, n in enumerate(project.nodes) for h in [how.get(n.code, {})]
    ])  # fmt: skip
    record("edition.imported", edition, by=by, after={"fingerprint": project.fingerprint, "indicators": sum(n.leaf for n in project.nodes)})
    return edition


@write
def set_days(days: Iterable[Day], *, by: User | None) -> int:
    """Take holidays and worked weekends into the calendar; a day that is there already is changed."""
    found = list(days)
    Day.objects.bulk_create(found, update_conflicts=True, unique_fields=["date"], update_fields=["worked", "name"])
    if found:
        record("calendar.changed", found[0], by=by, after={"from": found[0].date, "until": found[-1].date, "days": len(found)})
    return len(found)


@write
def plan_round(
    edition: FrameworkEdition, period: str, title: tuple[str, str], *, opens: datetime, due: datetime, closes: datetime, codes: Sequence[str], by: User | None
) -> Round:
    """Plan a round: who is asked for which figures follows from the indicators' cards.

    An indicator collected by cities is asked of each city for itself, and reviewed by its owner; the province's own
    figure, and every indicator not collected by cities, is asked of the owner and reviewed by the lead office.
    """
    lead = Organisation.objects.filter(kind=Kind.LEAD, active=True).exclude(unit="").first()
    if lead is None:
        raise Refused(_("There is no lead office with a unit to report for; add it first."))
    cities = list(Organisation.objects.filter(kind=Kind.CITY, active=True).exclude(unit=""))
    leaves = list(Indicator.objects.filter(edition=edition, leaf=True, code__in=codes).select_related("owner"))
    missing = sorted(set(codes) - {i.code for i in leaves}) + [i.code for i in leaves if i.owner is None]
    if missing or not leaves:
        raise Refused(_("These indicators can't be asked for, because they are not there or have no owner: %(codes)s") % {"codes": ", ".join(missing) or "—"})
    round_ = Round.objects.create(edition=edition, period=period, title_zh=title[0], title_en=title[1], opens=opens, due=due, closes=closes)
    asked: dict[int, list[Cell]] = {}
    for i in leaves:
        assert i.owner is not None
        for city in cities:
            reporter, reviewer = (city, i.owner) if i.by_cities else (i.owner, lead)
            asked.setdefault(reporter.pk, []).append(Cell(indicator=i, unit=city.unit, reviewer=reviewer))
        asked.setdefault(i.owner.pk, []).append(Cell(indicator=i, unit=lead.unit, reviewer=lead))
    for organisation, cells in asked.items():
        submission = Submission.objects.create(round=round_, organisation_id=organisation)
        for cell in cells:
            cell.submission = submission
        Cell.objects.bulk_create(cells)
    record("round.planned", round_, by=by, after={"period": period, "due": due, "indicators": sorted(codes), "cells": sum(map(len, asked.values()))})
    return round_


@write
def move_round(round_: Round, verb: str, *, by: User | None, reason: str = "") -> Round:
    """Open, close, reopen or release a round.

    Opening one that asks for figures another round asks for already needs a reason; releasing needs everything approved.
    """
    round_ = Round.objects.select_for_update().get(pk=round_.pk)
    before = move(round_, verb, ROUND_MOVES, reason=reason)
    if verb == "open" and not reason.strip() and (twice := queries.asked_twice(round_)):
        raise NeedsReason(_("Another round already asks for %(n)s of these figures; give a reason for asking again.") % {"n": len(twice)})
    if verb == "release" and Cell.objects.filter(submission__round=round_).exclude(state=CellState.APPROVED).exists():
        raise IllegalMove(_("Not released: not all figures are approved."))
    round_.save(update_fields=["state"])
    record(f"round.{verb}", round_, by=by, before={"state": before}, after={"state": round_.state}, reason=reason)
    return round_


@write
def import_observations(rows: Iterable[Observation], edition: FrameworkEdition, *, by: User | None, source: str) -> int:
    """Take in values of earlier periods, each with its source."""
    made = Observation.objects.bulk_create(rows)
    record("edition.history_imported", edition, by=by, after={"values": len(made)}, reason=source)
    return len(made)


@write
def remind(submissions: Sequence[Submission], *, by: User | None, since: datetime | None = None) -> int:
    """Have the reporters of these submissions written to; those reminded ``since`` are left alone. Returns how many organisations are reminded."""
    found = Submission.objects.select_for_update(of=("self",)).select_related("round", "organisation").filter(pk__in=[s.pk for s in submissions])
    left = [s for s in found if since is None or s.reminded_at is None or s.reminded_at < since]
    for submission in left:
        people = holders(Role.REPORTER, {submission.organisation_id}).exclude(email="")
        submission.reminded_at = clock.now()
        submission.save(update_fields=["reminded_at"])
        for person in people:
            later("reminder", submission=submission.pk, user=person.pk)
        record("submission.reminded", submission, by=by, after={"to": [p.username for p in people]})
    return len(left)
