"""Every address, every kind of visitor, against the table in routes.toml; an address that is not listed fails."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from biaochi_server.people.models import Organisation, User
from biaochi_server.people.states import Role

TABLE = tomllib.loads((Path(__file__).parent / "routes.toml").read_text(encoding="utf-8"))
VISITORS = ["anonymous", "nobody", "reporter", "reviewer", "coordinator", "leader", "editor", "administrator"]


def names(resolver: Any = None, space: str = "") -> Iterator[str]:
    for entry in (resolver or get_resolver()).url_patterns:
        if isinstance(entry, URLResolver):
            yield from names(entry, f"{space}{entry.namespace}:" if entry.namespace else space)
        elif isinstance(entry, URLPattern):
            yield f"{space}{entry.name}"


def test_every_address_is_listed() -> None:
    assert sorted(names()) == sorted(TABLE)


@pytest.fixture
def places(person: Callable[..., User], lead: Organisation) -> dict[str, dict[str, Any]]:
    """Arguments for the addresses that need some."""
    subject = person("subject", (lead, Role.LEADER))
    duty = subject.duties.get()
    return {
        "history": {"app": "people", "model": "user", "pk": str(subject.pk)},
        "people:set_by_link": {"uidb64": "x", "token": "y-z"},
        "people:organisation": {"pk": lead.pk}, "people:end_duty": {"pk": duty.pk},
        **{f"people:{n}": {"pk": subject.pk} for n in ("user", "give_duty", "set_active", "reset_second", "link")},
    }  # fmt: skip


@pytest.mark.parametrize("visitor", VISITORS)
def test_each_visitor_gets_what_the_table_says(
    visitor: str, places: dict[str, dict[str, Any]], person: Callable[..., User], lead: Organisation, signed_in: Callable[[User], Client]
) -> None:
    client = Client() if visitor == "anonymous" else None
    user = None if visitor == "anonymous" else person("visitor", *([] if visitor == "nobody" else [(lead, visitor)]))
    wrong = {}
    for name, row in TABLE.items():
        address = reverse(name, kwargs=places.get(name))
        expected = row[VISITORS.index(visitor)].split()
        got = []
        for method in ("get", "post"):
            browser = client or signed_in(user)  # type: ignore[arg-type]
            answer = getattr(browser, method)(address)
            got.append(str(answer.status_code))
            if visitor == "anonymous" and answer.status_code == 302 and name not in ("set_language", "people:second"):
                assert answer.url.startswith("/login/"), name
        if got != expected:
            wrong[name] = " ".join(got)
    assert wrong == {}


@pytest.mark.parametrize("visitor", ["nobody", "administrator"])
def test_what_is_not_there_and_what_is_not_yours_look_the_same(
    visitor: str, person: Callable[..., User], lead: Organisation, signed_in: Callable[[User], Client]
) -> None:
    there = person("subject")
    client = signed_in(person("visitor", *([(lead, visitor)] if visitor == "administrator" else [])))
    answers = {client.get(f"/users/{pk}/").content for pk in ((there.pk, 999_999) if visitor == "nobody" else (999_998, 999_999))}
    assert len(answers) == 1
