"""Read the journal: the history of an object, and whether the chain is whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from django.db import models

from biaochi_server.journal.actions import kind_of
from biaochi_server.journal.models import Event


class Break(NamedTuple):
    """A place where the chain does not hold."""

    number: int
    what: str


def history(thing: models.Model) -> models.QuerySet[Event]:
    """The events of one object, newest first."""
    return Event.objects.filter(kind=kind_of(thing), object=str(thing.pk)).order_by("-number")


def breaks(anchor: tuple[int, str] | None = None) -> Iterator[Break]:
    """Walk the whole chain and say where it does not hold.

    Parameters
    ----------
    anchor : (number, hash), optional
        An event noted down earlier outside the database: shows whether the end of the chain was cut off.
    """
    expected, previous = 1, "0" * 64
    for event in Event.objects.order_by("number").iterator(2000):
        if event.number != expected:
            yield Break(expected, f"events {expected} to {event.number - 1} are missing")
        if event.previous != previous:
            yield Break(event.number, "does not follow from the event before it")
        if event.hash != event.sealed():
            yield Break(event.number, "was changed after it was written")
        expected, previous = event.number + 1, event.hash
        if anchor and event.number == anchor[0] and event.hash != anchor[1]:
            yield Break(event.number, f"is not the event that was noted down: its hash began {anchor[1][:12]}")
    if anchor and anchor[0] >= expected:
        yield Break(anchor[0], f"is missing: the chain ends at {expected - 1}")


def head() -> tuple[int, str]:
    """Number and hash of the newest event: note it down elsewhere, and a cut end will show."""
    return Event.objects.order_by("-number").values_list("number", "hash").first() or (0, "0" * 64)
