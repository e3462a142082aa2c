"""Who may do what with submissions and cells, once they can see them."""

from __future__ import annotations

import rules

from biaochi_server.monitoring.models import Cell, Submission
from biaochi_server.people.models import User
from biaochi_server.people.rules import coordinates, edits_frameworks, sees_the_whole
from biaochi_server.people.states import Role

__all__ = ["coordinates", "edits_frameworks", "reports", "reviews", "sees_the_whole", "takes_part"]


@rules.predicate
def reports(user: User, submission: Submission) -> bool:
    """Holds the reporter's duty in the submission's organisation."""
    return submission.organisation_id in user.organisations(Role.REPORTER)


@rules.predicate
def reviews(user: User, cell: Cell) -> bool:
    """Holds the reviewer's duty in the cell's reviewing organisation."""
    return cell.reviewer_id in user.organisations(Role.REVIEWER)


@rules.predicate
def takes_part(user: User) -> bool:
    """Holds any duty now."""
    return bool(user.held)
