"""The states of a round, a submission and a cell, and the moves between them; who acts next in each."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from biaochi_server.moves import Move


class RoundState(models.TextChoices):
    """A reporting round."""

    PLANNED = "planned", _("Planned")
    OPEN = "open", _("Open")
    CLOSED = "closed", _("Closed")
    RELEASED = "released", _("Released")


class State(models.TextChoices):
    """A submission, which follows from its cells."""

    OPEN = "open", _("Being filled")
    SUBMITTED = "submitted", _("Under review")
    RETURNED = "returned", _("Returned")
    APPROVED = "approved", _("Approved")


class CellState(models.TextChoices):
    """One figure asked of one organisation."""

    OPEN = "open", _("To fill")
    SUBMITTED = "submitted", _("Under review")
    RETURNED = "returned", _("Returned")
    APPROVED = "approved", _("Approved")
    UNLOCKED = "unlocked", _("Unlocked")


class Ask(models.TextChoices):
    """A wish to have an approved cell unlocked."""

    ASKED = "asked", _("Asked")
    GRANTED = "granted", _("Granted")
    REFUSED = "refused", _("Refused")


EDITABLE = (CellState.OPEN, CellState.RETURNED, CellState.UNLOCKED)

ROUND_MOVES = {
    "open": Move((RoundState.PLANNED,), RoundState.OPEN),
    "close": Move((RoundState.OPEN,), RoundState.CLOSED),
    "reopen": Move((RoundState.CLOSED,), RoundState.OPEN, needs_reason=True),
    "release": Move((RoundState.CLOSED,), RoundState.RELEASED),
}
CELL_MOVES = {
    "submit": Move(EDITABLE, CellState.SUBMITTED),
    "approve": Move((CellState.SUBMITTED,), CellState.APPROVED),
    "return": Move((CellState.SUBMITTED,), CellState.RETURNED, needs_reason=True),
    "unlock": Move((CellState.APPROVED,), CellState.UNLOCKED, needs_reason=True),
}
ASK_MOVES = {"grant": Move((Ask.ASKED,), Ask.GRANTED), "refuse": Move((Ask.ASKED,), Ask.REFUSED, needs_reason=True)}


def settled(cells: set[str]) -> str:
    """The state of a submission whose cells are in these states."""
    if cells & {CellState.RETURNED, CellState.UNLOCKED}:
        return State.RETURNED
    if CellState.OPEN in cells:
        return State.OPEN
    return State.SUBMITTED if CellState.SUBMITTED in cells else State.APPROVED
