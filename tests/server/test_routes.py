"""Every address, every kind of visitor, against the table in routes.toml; an address that is not listed fails."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from biaochi_server import demo
from biaochi_server.monitoring import actions
from biaochi_server.monitoring.actions import Edit
from biaochi_server.monitoring.models import Submission
from biaochi_server.people.models import Organisation, User
from biaochi_server.people.states import Role
from tests.server.shanxi import fill, versions

TABLE = tomllib.loads((Path(__file__).parent / "routes.toml").read_text(encoding="utf-8"))
SECRETS = ("48151623.42", "a note for the reviewer alone", "what the reviewer wrote")  # of the subject: in no answer to those shut out from it
VISITORS = {
    "anonymous": "", "nobody": "nobody", "own reporter": "reporter-140100", "other reporter": "reporter-140200", "own reviewer": "reviewer-gxt",
    "other reviewer": "reviewer-kjt", "coordinator": "coordinator-lead", "leader": "leader-lead", "editor": "editor-lead", "administrator": "administrator-lead",
}  # fmt: skip


def names(resolver: Any = None, space: str = "") -> Iterator[str]:
    for entry in (resolver or get_resolver()).url_patterns:
        if isinstance(entry, URLResolver):
            yield from names(entry, f"{space}{entry.namespace}:" if entry.namespace else space)
        elif isinstance(entry, URLPattern):
            yield f"{space}{entry.name}"


def test_every_address_is_listed() -> None:
    assert sorted(names()) == sorted(TABLE)


@pytest.fixture
def places(db: None, person: Callable[..., User]) -> dict[str, dict[str, Any]]:
    """Arguments for the addresses that need some: a city's submission of the open round, a cell of it, a person."""
    demo.make()
    person("nobody")
    subject = person("subject", (Organisation.objects.get(code="kjt"), Role.REPORTER))
    submission = Submission.objects.get(round__period="2023", organisation__code="140100")
    cell = submission.cells.filter(reviewer__code="gxt").first()
    assert cell is not None
    figure, note, message = SECRETS
    by = User.objects.get(username="reporter-140100")
    actions.save_draft(submission, [Edit(cell.pk, cell.version, figure, note)], by=by)
    submission.cells.filter(pk=cell.pk).update(message=message)
    reporter = User.objects.get(username="reporter-140200")
    other = fill(Submission.objects.get(round=submission.round, organisation__code="140200"), reporter)
    mine = other.cells.filter(reviewer__code="gxt")
    actions.approve(other, versions(mine), by=User.objects.get(username="reviewer-gxt"))
    kept = actions.refuse_workbook(submission, actions.File("form.xlsx", b"no workbook"), [], by=by)
    wish = actions.ask_unlock(mine[0], by=reporter, reason="a wish")
    return {
        "history": {"app": "people", "model": "user", "pk": str(subject.pk)},
        "people:set_by_link": {"uidb64": "x", "token": "y-z"},
        "people:organisation": {"pk": Organisation.objects.get(code="kjt").pk}, "people:end_duty": {"pk": subject.duties.get().pk},
        **{f"people:{n}": {"pk": subject.pk} for n in ("user", "give_duty", "set_active", "reset_second", "link")},
        **{f"monitoring:{n}": {"pk": submission.pk} for n in ("grid", "paste", "review", "workbook", "excel")},
        **{f"monitoring:{n}": {"pk": kept.pk} for n in ("upload", "marked")},
        **{f"monitoring:{n}": {"pk": cell.pk} for n in ("cell", "save_cell", "unlock")},
        **{f"monitoring:{n}": {"pk": submission.round_id} for n in ("board", "move_round", "remind")},
        "api:cells": {"pk": submission.pk}, "api:indicators": {"pk": submission.round.edition_id},
        "monitoring:answer_unlock": {"pk": wish.pk}, "monitoring:edition": {"pk": submission.round.edition_id}, "monitoring:indicator": {"pk": cell.indicator_id},
    }  # fmt: skip


@pytest.mark.parametrize("visitor", VISITORS)
def test_each_visitor_gets_what_the_table_says(visitor: str, places: dict[str, dict[str, Any]], signed_in: Callable[[User], Client]) -> None:
    user = User.objects.filter(username=VISITORS[visitor]).first()
    wrong = {}
    row_of = list(VISITORS).index(visitor)
    shut_out = TABLE["monitoring:cell"][row_of].startswith(("302", "404"))
    for name, row in TABLE.items():
        address = reverse(name, kwargs=places.get(name))
        got = []
        for method in ("get", "post"):
            browser = signed_in(user) if user else Client()
            answer = getattr(browser, method)(address)
            got.append(str(answer.status_code))
            if shut_out:
                assert not [s for s in SECRETS if s.encode() in (answer.getvalue() + str(answer.headers).encode())], (name, method)
            if visitor == "anonymous" and answer.status_code == 302 and name not in ("set_language", "people:second"):
                assert answer.url.startswith("/login/"), name
        if " ".join(got) != row[row_of]:
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
