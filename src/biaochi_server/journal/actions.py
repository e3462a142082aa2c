"""The one write of the journal: add an event in the transaction of the change it tells of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Protocol

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, models

from biaochi_server import clock
from biaochi_server.journal.models import Event

request_number: ContextVar[str] = ContextVar("request_number", default="")
_CHAIN = 0x62696163  # the number of the lock that keeps the chain single on PostgreSQL


class Actor(Protocol):
    """Whoever can act: a user."""

    pk: int
    username: str

    @property
    def duty_words(self) -> str:
        """The duties held at this moment."""


def canonical(values: Mapping[str, object] | None) -> str:
    """JSON with sorted keys and no spare space; an empty text for nothing."""
    return json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":"), cls=DjangoJSONEncoder) if values else ""


def kind_of(thing: models.Model) -> str:
    """``app.model`` of an object."""
    return thing._meta.label_lower


def record(
    verb: str,
    thing: models.Model,
    *,
    by: Actor | None,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    reason: str = "",
) -> Event:
    """Write one event. Call it last in a verb: on PostgreSQL it queues behind other writers until they commit.

    Raises
    ------
    RuntimeError
        Outside a transaction: the change and its event must stand or fall together.
    """
    if not connection.in_atomic_block:
        raise RuntimeError(f"{verb}: a journal entry needs the transaction of the change it tells of.")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_CHAIN])
    last = Event.objects.order_by("-number").values_list("number", "hash").first()
    number, previous = last or (0, "0" * 64)
    event = Event(
        number=number + 1, at=clock.now(), actor=by.pk if by else None, actor_name=by.username if by else "", duty=by.duty_words[:200] if by else "",
        verb=verb, kind=kind_of(thing), object=str(thing.pk), label=str(thing)[:300], before=canonical(before), after=canonical(after),
        reason=reason.strip(), request=request_number.get(), previous=previous,
    )  # fmt: skip
    event.hash = event.sealed()
    event.save(force_insert=True)
    return event
