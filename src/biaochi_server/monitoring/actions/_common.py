"""What verbs share."""

from collections.abc import Sequence

from biaochi_server.monitoring.models import Cell, Submission
from biaochi_server.monitoring.states import settled


def store(cells: Sequence[Cell], fields: Sequence[str]) -> None:
    """Write some fields of locked cells in one statement: a third of the time that ``bulk_update`` takes."""
    Cell.objects.bulk_create(cells, update_conflicts=True, unique_fields=["id"], update_fields=fields)


def locked(submission: Submission) -> Submission:
    """The submission as it stands, locked until the transaction ends."""
    return Submission.objects.select_for_update(of=("self",)).select_related("round__edition", "organisation").get(pk=submission.pk)


def settle(submission: Submission) -> None:
    """Let its state follow from its cells; the caller saves it."""
    submission.state = settled(set(Cell.objects.filter(submission=submission).values_list("state", flat=True)))
