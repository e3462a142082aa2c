"""The one clock. Tests and rehearsals set it; nothing else asks for the time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime

from django.utils import timezone

_set: ContextVar[datetime | None] = ContextVar("clock", default=None)


def now() -> datetime:
    """The time now, aware."""
    return _set.get() or timezone.now()


def today() -> date:
    """The date now where the server stands."""
    return timezone.localdate(now())


@contextmanager
def standing_at(moment: datetime) -> Iterator[None]:
    """Hold the clock at a moment, for rehearsals and tests."""
    token = _set.set(moment)
    try:
        yield
    finally:
        _set.reset(token)
