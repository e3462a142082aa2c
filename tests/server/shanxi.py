"""Handles on the demonstration for tests: its people, submissions, and a filled form."""

from __future__ import annotations

from typing import Any

from biaochi_server.monitoring import actions, queries
from biaochi_server.monitoring.actions import Edit
from biaochi_server.monitoring.models import Round, Submission
from biaochi_server.people.models import User


def user(name: str) -> User:
    return User.objects.get(username=name)


def of(round_: Round, code: str) -> Submission:
    return Submission.objects.get(round=round_, organisation__code=code)


def a_year_on(submission: Submission) -> list[Edit]:
    """Last year's figures, a little more: nothing to explain."""
    rows = queries.grid(submission)
    found = []
    for r in rows:
        last = float(r.last)
        more = (
            str(round(last) + 1)
            if r.cell.indicator.whole
            else f"{last * 1.03:.2f}"
            if last * 1.03 < 100 or r.cell.indicator.high == ""
            else f"{last + 0.01:.2f}"
        )
        found.append(Edit(r.cell.pk, r.cell.version, more))
    return found


def fill(submission: Submission, by: User) -> Submission:
    """Fill, explain what the checks ask about, submit."""
    actions.save_draft(submission, a_year_on(submission), by=by)
    unlikely = [r.cell for r in queries.grid(submission) if r.unexplained]
    actions.save_draft(submission, [Edit(c.pk, c.version, c.text, "checked") for c in unlikely], by=by)
    return actions.submit(submission, by=by)


def versions(cells: Any) -> dict[int, int]:
    return dict(cells.values_list("pk", "version"))
