"""Writes of reviewers: approving, returning, unlocking."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext as _

from biaochi_server import clock
from biaochi_server.database import write
from biaochi_server.journal.actions import record
from biaochi_server.monitoring.actions._common import locked, settle, store
from biaochi_server.monitoring.models import Cell, Observation, Round, Submission, UnlockRequest
from biaochi_server.monitoring.states import ASK_MOVES, CELL_MOVES, CellState, State
from biaochi_server.moves import IllegalMove, NeedsReason, Refused, Stale, move
from biaochi_server.people.models import User


def _to_review(submission: Submission, seen: Mapping[int, int], by: User) -> list[Cell]:
    """The cells, locked; refuses those that are not the reviewer's, changed since they were seen, or were reported by the same person."""
    cells = list(Cell.objects.select_for_update(of=("self",)).select_related("indicator").filter(submission=submission, pk__in=seen).reviewable_by(by))
    if len(cells) != len(seen) or not cells:
        raise Refused(_("Some of these cells are not yours to review."))
    if changed := [c.key for c in cells if c.version != seen[c.pk]]:
        raise Stale(_("Changed since you saw them, so nothing was done: %(cells)s. Look again.") % {"cells": ", ".join(changed)})
    return cells


@write
def approve(submission: Submission, seen: Mapping[int, int], *, by: User) -> Submission:
    """Approve cells as they were seen (cell -> version); each approved value becomes an observation."""
    submission = locked(submission)
    cells = _to_review(submission, seen, by)
    if own := [c.key for c in cells if by.pk in (c.submitted_by_id, c.edited_by_id)]:
        raise Refused(_("You reported these yourself, so another reviewer must approve them: %(cells)s") % {"cells": ", ".join(own)})
    before = {c.key: c.approved_text for c in cells if c.approved_text}
    now = clock.now()
    for cell in cells:
        move(cell, "approve", CELL_MOVES)
        cell.approved_by, cell.approved_at, cell.approved_text = by, now, cell.text
        cell.vintage, cell.version = cell.vintage + 1, cell.version + 1
    store(cells, ["state", "approved_by", "approved_at", "approved_text", "vintage", "version"])
    round_ = submission.round
    Observation.objects.bulk_create([
        Observation(index=round_.edition.index, indicator=c.indicator.code, unit=c.unit, period=round_.period, vintage=c.vintage, value=c.value, cell=c, reason=c.note, at=now)
        for c in cells
    ])  # fmt: skip
    settle(submission)
    submission.save(update_fields=["state"])
    record("submission.approved", submission, by=by, before=before, after={c.key: c.value for c in cells})
    return submission


@write
def return_cells(submission: Submission, seen: Mapping[int, int], messages: Mapping[int, str], *, by: User) -> Submission:
    """Send cells back to their reporter, each with a message."""
    submission = locked(submission)
    cells = _to_review(submission, seen, by)
    for cell in cells:
        message = messages.get(cell.pk, "").strip()
        if not message:
            raise NeedsReason(_("Say for each returned cell what is to be mended: %(cell)s has no message.") % {"cell": cell.key})
        move(cell, "return", CELL_MOVES, reason=message)
        cell.message, cell.version = message, cell.version + 1
    store(cells, ["state", "message", "version"])
    settle(submission)
    submission.save(update_fields=["state"])
    record("submission.returned", submission, by=by, after={c.key: c.message for c in cells})
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
    submission = locked(cell.submission)
    _must_take_figures(submission.round)
    cell = Cell.objects.select_for_update(of=("self",)).select_related("indicator").get(pk=cell.pk)
    _unlock(cell, reason)
    record("submission.unlocked", submission, by=by, before={cell.key: cell.approved_text}, reason=reason)
    return cell


@write
def ask_unlock(cell: Cell, *, by: User, reason: str) -> UnlockRequest:
    """Ask the reviewer to unlock one approved cell."""
    if not reason.strip():
        raise NeedsReason(_("Say why the approved figure must be corrected."))
    submission = locked(cell.submission)
    _must_take_figures(submission.round)
    cell = Cell.objects.select_for_update(of=("self",)).select_related("indicator").get(pk=cell.pk)
    if cell.state != CellState.APPROVED:
        raise IllegalMove(_("Only an approved cell needs unlocking."))
    if cell.unlock_requests.filter(state="asked").exists():
        raise IllegalMove(_("Unlocking this cell is asked for already."))
    request = UnlockRequest.objects.create(cell=cell, reason=reason.strip(), asked_by=by, asked_at=clock.now())
    record("submission.unlock_asked", submission, by=by, after={cell.key: cell.approved_text}, reason=reason)
    return request


@write
def answer_unlock(request: UnlockRequest, grant: bool, *, by: User, answer: str = "") -> UnlockRequest:
    """Grant the wish, which opens the cell, or refuse it with a reason."""
    submission = locked(request.cell.submission)
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
    record(verb, submission, by=by, before={request.cell.key: request.cell.approved_text}, reason=request.reason if grant else answer)
    return request
