"""Who may do what about people: predicates that compose."""

from __future__ import annotations

import rules

from biaochi_server.people.models import User
from biaochi_server.people.states import Role


def holds(*roles: str) -> rules.predicates.Predicate:
    """A predicate: one of these roles is held now, anywhere."""

    def check(user: User) -> bool:
        return bool(user.is_authenticated) and user.has(*roles)

    return rules.predicate(check, name=f"holds {' or '.join(roles)}")


administers = holds(Role.ADMINISTRATOR)
coordinates = holds(Role.COORDINATOR)
edits_frameworks = holds(Role.EDITOR, Role.COORDINATOR)
sees_the_whole = holds(Role.COORDINATOR, Role.LEADER)
