"""Hand work to ``jobs.py`` by name, so that no app imports what stands above it."""

from __future__ import annotations

from django.db import connection
from django.utils.module_loading import import_string


def later(job: str, **what: str | int) -> None:
    """Have a job done after this transaction, if it is committed; call it in a verb.

    Raises
    ------
    RuntimeError
        Outside a transaction: the change and the job must stand or fall together.
    """
    if not connection.in_atomic_block:
        raise RuntimeError(f"{job}: a job needs the transaction of the change it follows from.")
    import_string(f"biaochi_server.jobs.{job}").enqueue(**what)
