"""All writes of monitoring: rounds, drafts, submission, review, unlocking."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from django.utils.translation import gettext as _

from biaochi_server import clock
from biaochi_server.bridge import Project
from biaochi_server.database import write
from biaochi_server.journal.actions import record
from biaochi_server.monitoring import queries
from biaochi_server.monitoring.models import Cell, Day, FrameworkEdition, Indicator, Observation, Round, Submission, UnlockRequest
from biaochi_server.monitoring.states import ASK_MOVES, CELL_MOVES, ROUND_MOVES, CellState, State, settled
from biaochi_server.moves import IllegalMove, NeedsReason, Refused, Stale, move
from biaochi_server.people.models import Organisation, User
from biaochi_server.people.states import Kind
from biaochi_server.plain.numbers import canonical, read


class Edit(NamedTuple):
    """What someone typed into a cell, and the version of the cell they saw."""

    cell: int
    version: int
    text: str
    note: str | None = None


class Saved(NamedTuple):
    """What came of a draft: cells that were written, and cells that someone else had changed meanwhile."""

    written: list[Cell]
    stale: list[Cell]


class NotReady(Refused):
    """A submission with cells that are wrong, empty or unexplained."""

    def __init__(self, open_rows: Sequence[queries.Row]) -> None:
        super().__init__(_("Not submitted: some cells still need you. They are listed above the table."))
        self.rows = open_rows


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


def _locked(submission: Submission) -> Submission:
    return Submission.objects.select_for_update(of=("self",)).select_related("round__edition", "organisation").get(pk=submission.pk)


def _name(cell: Cell) -> str:
    return f"{cell.indicator.code} {cell.unit}"


def _settle(submission: Submission) -> None:
    submission.state = settled(set(Cell.objects.filter(submission=submission).values_list("state", flat=True)))


def _differs(cell: Cell, edit: Edit) -> bool:
    """Whether there is something to write; an old explanation sent again with the value it is to hold for confirms it."""
    note = cell.note if edit.note is None else edit.note.strip()
    confirms = bool(edit.note and note) and not cell.explained
    return confirms or (edit.text.strip()[:60], note) != (cell.text, cell.note)


def _write(cell: Cell, edit: Edit, by: User) -> None:
    """Put what was typed into an open cell; an explanation given with it holds for this value."""
    if not cell.editable:
        raise Refused(_("%(cell)s is not open for writing: it is under review or approved.") % {"cell": _name(cell)})
    text = edit.text.strip()[:60]
    typed, same = read(text), text == cell.text
    cell.text, cell.value = text, canonical(typed.value) if typed.value is not None else typed.mark
    if edit.note is not None and (same or edit.note.strip() != cell.note):
        cell.note = edit.note.strip()
        cell.noted_for = (cell.value or text) if cell.note else ""
    cell.version, cell.edited_by, cell.edited_at = cell.version + 1, by, clock.now()


@write
def save_draft(submission: Submission, edits: Sequence[Edit], *, by: User, source: str = "") -> Saved:
    """Write what was typed, right or wrong; a cell that someone else changed since it was seen is left and told.

    Raises
    ------
    Refused
        If the round takes no figures now, or a cell is not open for writing.
    """
    submission = _locked(submission)
    if not submission.round.takes_figures():
        raise Refused(_("This round takes no figures now. What you typed is not saved."))
    cells = {
        c.pk: c for c in Cell.objects.select_for_update(of=("self",)).select_related("indicator").filter(submission=submission, pk__in=[e.cell for e in edits])
    }
    written, stale, before, after = [], [], {}, {}
    for edit in edits:
        cell = cells.get(edit.cell)
        if cell is None:
            raise Refused(_("One of the cells does not belong to this submission."))
        old = {"text": cell.text, "note": cell.note}
        if not _differs(cell, edit):
            continue
        if cell.version != edit.version:
            stale.append(cell)
            continue
        _write(cell, edit, by)
        written.append(cell)
        before[_name(cell)], after[_name(cell)] = old, {"text": cell.text, "note": cell.note}
    if written:
        Cell.objects.bulk_update(written, ["text", "value", "note", "noted_for", "version", "edited_by", "edited_at"])
        record("submission.saved", submission, by=by, before=before, after=after, reason=source)
    return Saved(written, stale)


@write
def submit(submission: Submission, *, by: User) -> Submission:
    """Hand everything that is open to its reviewers.

    Raises
    ------
    NotReady
        With every cell that is wrong, empty or unexplained.
    """
    submission = _locked(submission)
    if not submission.round.takes_figures():
        raise Refused(_("This round takes no figures now. Your draft is kept."))
    rows = [r for r in queries.grid(submission) if r.cell.editable]
    if not rows:
        raise IllegalMove(_("There is nothing open to submit."))
    if open_rows := [r for r in rows if not r.ready]:
        raise NotReady(open_rows)
    for row in rows:
        move(row.cell, "submit", CELL_MOVES)
        row.cell.submitted_by, row.cell.message = by, ""
        row.cell.edited_by = row.cell.edited_by or by
        row.cell.version += 1
    Cell.objects.bulk_update([r.cell for r in rows], ["state", "submitted_by", "edited_by", "message", "version"])
    submission.submitted_at = clock.now()
    submission.first_submitted_at = submission.first_submitted_at or submission.submitted_at
    _settle(submission)
    submission.save(update_fields=["state", "submitted_at", "first_submitted_at"])
    found = {_name(r.cell): [f.rule for f in r.findings] for r in rows if r.findings}
    record("submission.submitted", submission, by=by, after={"cells": {_name(r.cell): r.cell.value for r in rows}, "explained": found})
    return submission


def _to_review(submission: Submission, seen: Mapping[int, int], by: User) -> list[Cell]:
    """The cells, locked; refuses those that are not the reviewer's, changed since they were seen, or were reported by the same person."""
    cells = list(Cell.objects.select_for_update(of=("self",)).select_related("indicator").filter(submission=submission, pk__in=seen).reviewable_by(by))
    if len(cells) != len(seen) or not cells:
        raise Refused(_("Some of these cells are not yours to review."))
    if changed := [_name(c) for c in cells if c.version != seen[c.pk]]:
        raise Stale(_("Changed since you saw them, so nothing was done: %(cells)s. Look again.") % {"cells": ", ".join(changed)})
    return cells


@write
def approve(submission: Submission, seen: Mapping[int, int], *, by: User) -> Submission:
    """Approve cells as they were seen (cell -> version); each approved value becomes an observation."""
    submission = _locked(submission)
    cells = _to_review(submission, seen, by)
    if own := [_name(c) for c in cells if by.pk in (c.submitted_by_id, c.edited_by_id)]:
        raise Refused(_("You reported these yourself, so another reviewer must approve them: %(cells)s") % {"cells": ", ".join(own)})
    before = {_name(c): c.approved_text for c in cells if c.approved_text}
    now = clock.now()
    for cell in cells:
        move(cell, "approve", CELL_MOVES)
        cell.approved_by, cell.approved_at, cell.approved_text = by, now, cell.text
        cell.vintage, cell.version = cell.vintage + 1, cell.version + 1
    Cell.objects.bulk_update(cells, ["state", "approved_by", "approved_at", "approved_text", "vintage", "version"])
    round_ = submission.round
    Observation.objects.bulk_create([
        Observation(index=round_.edition.index, indicator=c.indicator.code, unit=c.unit, period=round_.period, vintage=c.vintage, value=c.value, cell=c, reason=c.note, at=now)
        for c in cells
    ])  # fmt: skip
    _settle(submission)
    submission.save(update_fields=["state"])
    record("submission.approved", submission, by=by, before=before, after={_name(c): c.value for c in cells})
    return submission


@write
def return_cells(submission: Submission, seen: Mapping[int, int], messages: Mapping[int, str], *, by: User) -> Submission:
    """Send cells back to their reporter, each with a message."""
    submission = _locked(submission)
    cells = _to_review(submission, seen, by)
    for cell in cells:
        message = messages.get(cell.pk, "").strip()
        if not message:
            raise NeedsReason(_("Say for each returned cell what is to be mended: %(cell)s has no message.") % {"cell": _name(cell)})
        move(cell, "return", CELL_MOVES, reason=message)
        cell.message, cell.version = message, cell.version + 1
    Cell.objects.bulk_update(cells, ["state", "message", "version"])
    _settle(submission)
    submission.save(update_fields=["state"])
    record("submission.returned", submission, by=by, after={_name(c): c.message for c in cells})
    return submission


def _must_take_figures(round_: Round) -> None:
    """An unlocked cell must be mendable: the round has to take figures."""
    if not round_.takes_figures():
        raise Refused(_("This round takes no figures now, so nothing can be unlocked; the coordinator must open it again first."))


def _unlock(cell: Cell, reason: str) -> None:
    """Open one approved cell; the approval of the rest stands."""
    move(cell, "unlock", CELL_MOVES, reason=reason)
    cell.message, cell.version, cell.noted_for = reason, cell.version + 1, ""
    cell.save(update_fields=["state", "message", "version", "noted_for"])
    Submission.objects.filter(pk=cell.submission_id).update(state=State.RETURNED)


@write
def unlock(cell: Cell, *, by: User, reason: str) -> Cell:
    """Unlock one approved cell, by its reviewer."""
    submission = _locked(cell.submission)
    _must_take_figures(submission.round)
    cell = Cell.objects.select_for_update(of=("self",)).select_related("indicator").get(pk=cell.pk)
    _unlock(cell, reason)
    record("submission.unlocked", submission, by=by, before={_name(cell): cell.approved_text}, reason=reason)
    return cell


@write
def ask_unlock(cell: Cell, *, by: User, reason: str) -> UnlockRequest:
    """Ask the reviewer to unlock one approved cell."""
    if not reason.strip():
        raise NeedsReason(_("Say why the approved figure must be corrected."))
    submission = _locked(cell.submission)
    _must_take_figures(submission.round)
    cell = Cell.objects.select_for_update(of=("self",)).select_related("indicator").get(pk=cell.pk)
    if cell.state != CellState.APPROVED:
        raise IllegalMove(_("Only an approved cell needs unlocking."))
    if cell.unlock_requests.filter(state="asked").exists():
        raise IllegalMove(_("Unlocking this cell is asked for already."))
    request = UnlockRequest.objects.create(cell=cell, reason=reason.strip(), asked_by=by, asked_at=clock.now())
    record("submission.unlock_asked", submission, by=by, after={_name(cell): cell.approved_text}, reason=reason)
    return request


@write
def answer_unlock(request: UnlockRequest, grant: bool, *, by: User, answer: str = "") -> UnlockRequest:
    """Grant the wish, which opens the cell, or refuse it with a reason."""
    submission = _locked(request.cell.submission)
    request = UnlockRequest.objects.select_for_update(of=("self",)).select_related("cell__indicator").get(pk=request.pk)
    if request.asked_by_id == by.pk:
        raise Refused(_("You asked for this yourself; another reviewer must answer."))
    move(request, "grant" if grant else "refuse", ASK_MOVES, reason=answer)
    request.answered_by, request.answer = by, answer.strip()
    request.save(update_fields=["state", "answered_by", "answer"])
    if grant:
        _must_take_figures(submission.round)
        _unlock(request.cell, request.reason)
    verb = "submission.unlocked" if grant else "submission.unlock_refused"
    record(verb, submission, by=by, before={_name(request.cell): request.cell.approved_text}, reason=request.reason if grant else answer)
    return request


@write
def reminded(submissions: Sequence[Submission], *, by: User | None) -> None:
    """Write down that organisations were reminded."""
    now = clock.now()
    for submission in submissions:
        Submission.objects.filter(pk=submission.pk).update(reminded_at=now)
        record("submission.reminded", submission, by=by)


@write
def import_observations(rows: Iterable[Observation], edition: FrameworkEdition, *, by: User | None, source: str) -> int:
    """Take in values of earlier periods, each with its source."""
    made = Observation.objects.bulk_create(rows)
    record("edition.history_imported", edition, by=by, after={"values": len(made)}, reason=source)
    return len(made)
