"""Reads about people that are used twice."""

from __future__ import annotations

from django.db.models import Prefetch, QuerySet

from biaochi_server.people.models import Duty, User


def users() -> QuerySet[User]:
    """All users with the duties they hold now."""
    held = Duty.objects.current().select_related("organisation")
    return User.objects.prefetch_related(Prefetch("duties", held, to_attr="now"))


def holders(role: str, organisations: set[int]) -> QuerySet[User]:
    """Active users who hold a role now in one of the organisations."""
    held = Duty.objects.current().filter(role=role, organisation__in=organisations)
    return User.objects.filter(is_active=True, pk__in=held.values("user"))
