"""How writes reach the database: one at a time on SQLite, in one transaction always; and the checks of its settings."""

from __future__ import annotations

import fcntl
import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004
from django.db import connection, transaction

P = ParamSpec("P")
R = TypeVar("R")

_one_writer = threading.RLock()


@contextmanager
def _turn() -> Iterator[None]:
    """SQLite's writers queue, those of this process and those of others, instead of polling the file by luck."""
    name = str(connection.settings_dict["NAME"])
    if "memory" in name:
        with _one_writer:
            yield
        return
    with _one_writer, open(f"{name}-turn", "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # let go when the file is closed, or the process killed
        yield


@contextmanager
def writing() -> Iterator[None]:
    """One transaction; on SQLite, one writer at a time."""
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        with transaction.atomic():
            yield
        return
    with _turn(), transaction.atomic():
        yield


def write(verb: Callable[P, R]) -> Callable[P, R]:
    """Mark a function as a verb: it runs in one write transaction."""

    @functools.wraps(verb)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        with writing():
            return verb(*args, **kwargs)

    inside.is_write = True  # type: ignore[attr-defined]
    return inside


PRAGMAS = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA busy_timeout=20000;"


def options(vendor: str) -> dict[str, Any]:
    """Connection options for ``sqlite`` or ``postgresql``."""
    if vendor == "sqlite":
        return {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": PRAGMAS}
    return {}


@register(Tags.database)
def sqlite_is_safe(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Read SQLite's settings back: a mistyped option is silently ignored by the driver."""
    if not databases or connection.vendor != "sqlite":
        return []
    found: list[CheckMessage] = []
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    with connection.cursor() as cursor:
        for name, value in wanted.items():
            got = cursor.execute(f"PRAGMA {name}").fetchone()[0]
            if got != value and (name, got) != ("journal_mode", "memory"):
                found.append(
                    Error(
                        f"SQLite's {name} is {got!r}; it must be {value!r}.",
                        hint="Keep the database on a local disk; see database.options().",
                        id="biaochi.E001",
                    )
                )
    mode = connection.settings_dict.get("OPTIONS", {}).get("transaction_mode")
    if mode != "IMMEDIATE" or getattr(connection, "transaction_mode", mode) != "IMMEDIATE":
        found.append(Error(f"SQLite's transaction_mode is {mode!r}; it must be 'IMMEDIATE', or writes fail under load.", id="biaochi.E002"))
    return found


@register(Tags.security)
def https_outside(**_: Any) -> list[CheckMessage]:
    """Plain HTTP is for this machine alone."""
    from django.conf import settings

    outside = [h for h in settings.ALLOWED_HOSTS if h not in ("localhost", "127.0.0.1", "[::1]", "testserver")]
    if outside and not settings.SESSION_COOKIE_SECURE:
        return [Warning(f"Served as {', '.join(outside)} without HTTPS.", hint="Put it behind a proxy with TLS and set BIAOCHI_HTTPS=yes.", id="biaochi.W001")]
    return []
