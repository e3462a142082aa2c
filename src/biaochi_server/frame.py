"""What the frame around every page needs: the left rail by duty, the demonstration's label."""

from __future__ import annotations

from typing import NamedTuple

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from biaochi_server.people.models import User
from biaochi_server.people.states import Role


class Link(NamedTuple):
    """A place in the left rail."""

    address: str
    words: str
    here: bool


def rail(user: User, path: str) -> list[Link]:
    """The places that a user's duties open."""
    anyone = tuple(Role)
    places = [
        ("monitoring:todo", _("To do"), anyone),
        ("monitoring:submissions", _("Reporting"), (Role.REPORTER,)),
        ("monitoring:rounds", _("Rounds"), (Role.COORDINATOR, Role.LEADER)),
        ("monitoring:editions", _("Frameworks"), anyone),
        ("people:users", _("People"), (Role.ADMINISTRATOR,)),
        ("people:organisations", _("Organisations"), (Role.ADMINISTRATOR,)),
        ("journal", _("Journal"), (Role.ADMINISTRATOR, Role.LEADER)),
    ]
    found = []
    for name, words, roles in places:
        if user.has(*roles):
            address = reverse(name)
            found.append(Link(address, words, path.startswith(address)))
    return found


def frame(request: HttpRequest) -> dict[str, object]:
    """For every template."""
    user = getattr(request, "user", None)
    return {"rail": rail(user, request.path) if isinstance(user, User) else [], "demo": settings.DEMO, "languages": settings.LANGUAGES}
