"""Writes of reporters: drafts and submission."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from django.utils.translation import gettext as _

from biaochi_server import clock
from biaochi_server.database import write
from biaochi_server.journal.actions import record
from biaochi_server.monitoring import queries
from biaochi_server.monitoring.actions._common import locked, settle, store
from biaochi_server.monitoring.models import Cell, Submission, Upload
from biaochi_server.monitoring.states import CELL_MOVES
from biaochi_server.moves import IllegalMove, Refused, move
from biaochi_server.people.models import User
from biaochi_server.plain.numbers import canonical, read
from biaochi_server.plain.workbook import Trouble, clean


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


class File(NamedTuple):
    """A file that came in."""

    name: str
    content: bytes


class NotReady(Refused):
    """A submission with cells that are wrong, empty or unexplained."""

    def __init__(self, open_rows: Sequence[queries.Row]) -> None:
        super().__init__(_("Not submitted: some cells still need you. They are listed above the table."))
        self.rows = open_rows


def _differs(cell: Cell, edit: Edit) -> bool:
    """Whether there is something to write; an old explanation sent again with the value it is to hold for confirms it."""
    note = cell.note if edit.note is None else edit.note.strip()
    confirms = bool(edit.note and note) and not cell.explained
    return confirms or (edit.text.strip()[:60], note) != (cell.text, cell.note)


def _write(cell: Cell, edit: Edit, by: User) -> None:
    """Put what was typed into an open cell; an explanation given with it holds for this value."""
    if not cell.editable:
        raise Refused(_("%(cell)s is not open for writing: it is under review or approved.") % {"cell": cell.key})
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
    submission = locked(submission)
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
        before[cell.key], after[cell.key] = old, {"text": cell.text, "note": cell.note}
    if written:
        store(written, ["text", "value", "note", "noted_for", "version", "edited_by", "edited_at"])
        record("submission.saved", submission, by=by, before=before, after=after, reason=source)
    return Saved(written, stale)


class Conflict(Refused):
    """Cells that someone else changed since a workbook was made."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        super().__init__(_("Someone else changed some of these cells since the workbook was made, so nothing was taken."))
        self.cells = cells


def _kept(submission: Submission, file: File, by: User, **more: object) -> Upload:
    hashed = hashlib.sha256(file.content).hexdigest()
    name = clean(file.name)[-200:]
    return Upload.objects.create(submission=submission, name=name, sha256=hashed, content=file.content, by=by, at=clock.now(), **more)


@write
def take_workbook(submission: Submission, file: File, edits: Sequence[Edit], *, by: User) -> Upload:
    """Take all figures of a workbook into the draft, and keep the workbook.

    Raises
    ------
    Conflict
        If someone else changed one of the cells since the workbook was made; nothing is taken then.
    """
    saved = save_draft(submission, edits, by=by, source=f"Excel: {clean(file.name)}")
    if saved.stale:
        raise Conflict(saved.stale)
    upload = _kept(submission, file, by, cells=len(saved.written))
    record("submission.workbook_taken", submission, by=by, after={"file": upload.name, "sha256": upload.sha256, "cells": upload.cells})
    return upload


@write
def refuse_workbook(submission: Submission, file: File, troubles: Sequence[Trouble], *, by: User) -> Upload:
    """Keep a workbook of which nothing is taken, with what is wrong with it."""
    told = [{"rule": t.rule, "where": t.where, "facts": t.facts} for t in troubles]
    upload = _kept(submission, file, by, troubles=told)
    record("submission.workbook_refused", submission, by=by, after={"file": upload.name, "sha256": upload.sha256, "problems": len(told)})
    return upload


@write
def submit(submission: Submission, *, by: User) -> Submission:
    """Hand everything that is open to its reviewers.

    Raises
    ------
    NotReady
        With every cell that is wrong, empty or unexplained.
    """
    submission = locked(submission)
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
        row.cell.edited_by_id = row.cell.edited_by_id or by.pk
        row.cell.version += 1
    store([r.cell for r in rows], ["state", "submitted_by", "edited_by", "message", "version"])
    submission.submitted_at = clock.now()
    submission.first_submitted_at = submission.first_submitted_at or submission.submitted_at
    settle(submission)
    submission.save(update_fields=["state", "submitted_at", "first_submitted_at"])
    found = {r.cell.key: [f.rule for f in r.findings] for r in rows if r.findings}
    record("submission.submitted", submission, by=by, after={"cells": {r.cell.key: r.cell.value for r in rows}, "explained": found})
    return submission
