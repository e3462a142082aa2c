"""People and organisations for the server's tests. The same suite runs on SQLite and, with BIAOCHI_DATABASE set, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

pytest.importorskip("django", reason="the server's packages are not installed: pip install 'biaochi[server]'")

import django

django.setup()

from django.test import Client

from biaochi_server import demo
from biaochi_server.database import writing
from biaochi_server.monitoring.models import Round
from biaochi_server.people import actions
from biaochi_server.people.models import Organisation, User
from biaochi_server.people.states import Kind, Role

PASSWORD = "a long enough pass phrase"


@pytest.fixture(autouse=True)
def quick(settings: object) -> None:
    """Passwords are hashed quickly, mails are kept, jobs are done at once, second factors are not demanded."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # type: ignore[attr-defined]
    settings.SECOND_FACTOR_ROLES = frozenset()  # type: ignore[attr-defined]
    settings.TASKS = {"default": {"BACKEND": "django_tasks.backends.immediate.ImmediateBackend"}}  # type: ignore[attr-defined]


@pytest.fixture
def organisation(db: None) -> Callable[..., Organisation]:
    """code, kind -> an organisation."""

    def make(code: str, kind: str = Kind.CITY, **values: object) -> Organisation:
        return actions.save_organisation(Organisation(code=code, name_zh=f"单位{code}", name_en=f"Organisation {code}", kind=kind, **values), by=None)

    return make


@pytest.fixture
def person(db: None) -> Callable[..., User]:
    """username, (organisation, role) ... -> a user who holds these duties."""

    def make(username: str, *duties: tuple[Organisation, str], **values: object) -> User:
        with writing():
            user = actions.save_user(
                User(username=username, name=f"{username} 的姓名", **{"email": f"{username}@example.org", **values}), by=None, password=PASSWORD
            )
            for place, role in duties:
                actions.give_duty(user, place, role, start=date(2020, 1, 1), by=None)
        return User.objects.get(pk=user.pk)

    return make


@pytest.fixture
def lead(organisation: Callable[..., Organisation]) -> Organisation:
    return organisation("lead", Kind.LEAD)


@pytest.fixture
def administrator(person: Callable[..., User], lead: Organisation) -> User:
    return person("admin", (lead, Role.ADMINISTRATOR))


@pytest.fixture
def signed_in() -> Callable[[User], Client]:
    """A browser in which a user is signed in."""

    def enter(user: User) -> Client:
        client = Client(headers={"accept-language": "en"})
        client.force_login(user)
        return client

    return enter


@pytest.fixture
def shanxi(db: None) -> None:
    demo.make()


@pytest.fixture
def round_(shanxi: None) -> Round:
    return Round.objects.get(period="2023")
