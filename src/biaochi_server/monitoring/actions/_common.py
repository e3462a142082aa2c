"""What verbs share."""

from biaochi_server.monitoring.models import Cell, Submission
from biaochi_server.monitoring.states import settled


def locked(submission: Submission) -> Submission:
    """The submission as it stands, locked until the transaction ends."""
    return Submission.objects.select_for_update(of=("self",)).select_related("round__edition", "organisation").get(pk=submission.pk)


def settle(submission: Submission) -> None:
    """Let its state follow from its cells; the caller saves it."""
    submission.state = settled(set(Cell.objects.filter(submission=submission).values_list("state", flat=True)))
