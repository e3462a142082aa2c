"""One table: events, each holding the hash of the one before."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC

from django.db import models

FIELDS = ("actor", "actor_name", "duty", "verb", "kind", "object", "label", "before", "after", "reason", "request")


class Event(models.Model):
    """One change: who, in which duty, did what to which object, from what to what, why.

    ``before`` and ``after`` are canonical JSON texts, so that the hash is over the bytes that are stored.
    """

    number = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField(db_index=True)
    actor = models.BigIntegerField(null=True)
    actor_name = models.CharField(max_length=150)
    duty = models.CharField(max_length=200)
    verb = models.CharField(max_length=60, db_index=True)
    kind = models.CharField(max_length=60)
    object = models.CharField(max_length=60)
    label = models.CharField(max_length=300)
    before = models.TextField()
    after = models.TextField()
    reason = models.TextField()
    request = models.CharField(max_length=32, db_index=True)
    previous = models.CharField(max_length=64)
    hash = models.CharField(max_length=64, unique=True)

    class Meta:
        indexes = [models.Index(fields=["kind", "object"], name="journal_of_object")]

    def __str__(self) -> str:
        return f"{self.number} {self.verb} {self.label}"

    def sealed(self) -> str:
        """The hash that this event should have: SHA-256 over its fields and the hash before."""
        body = [self.number, self.at.astimezone(UTC).isoformat(timespec="microseconds"), *(getattr(self, f) for f in FIELDS), self.previous]
        return hashlib.sha256(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()

    @property
    def changes(self) -> list[tuple[str, object, object]]:
        """(field, before, after) of what changed."""
        before, after = (json.loads(t) if t else {} for t in (self.before, self.after))
        return [(k, before.get(k), after.get(k)) for k in {**before, **after} if before.get(k) != after.get(k)]
