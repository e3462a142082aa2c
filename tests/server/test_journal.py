"""The journal: append-only, chained, in one transaction with the change; verify finds what was tampered with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client

from biaochi_server.journal import queries
from biaochi_server.journal.actions import record
from biaochi_server.journal.models import Event
from biaochi_server.people import actions
from biaochi_server.people.models import Organisation, User


@pytest.fixture
def events(administrator: User, lead: Organisation) -> list[Event]:
    for name in ("One", "Two", "Three"):
        lead.name_en = name
        actions.save_organisation(lead, by=administrator)
    return list(Event.objects.order_by("number"))


def unguarded(statement: str, values: list[object]) -> None:
    """Do what someone with the database's own password could do: take the guard off first."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("DROP TRIGGER journal_event_no_update")
            cursor.execute("DROP TRIGGER journal_event_no_delete")
        else:
            cursor.execute("ALTER TABLE journal_event DISABLE TRIGGER USER")
        cursor.execute(statement, values)


def test_every_change_is_written_with_who_what_and_from_what_to_what(events: list[Event], administrator: User) -> None:
    last = events[-1]
    assert (last.actor, last.actor_name, last.duty, last.verb) == (administrator.pk, "admin", "administrator lead", "organisation.changed")
    assert last.changes == [("name_en", "Two", "Three")]


def test_the_hash_is_sha256_over_the_fields_and_the_hash_before(events: list[Event]) -> None:
    """The same by hand, without the product's code."""
    previous = "0" * 64
    for e in events:
        body = [e.number, e.at.astimezone(UTC).isoformat(timespec="microseconds"), e.actor, e.actor_name, e.duty, e.verb, e.kind, e.object, e.label, e.before, e.after,
                e.reason, e.request, previous]  # fmt: skip
        previous = hashlib.sha256(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()
        assert e.hash == previous


@pytest.mark.parametrize("statement", ["UPDATE journal_event SET reason = 'x'", "DELETE FROM journal_event"])
def test_the_database_itself_refuses_to_change_or_remove(events: list[Event], statement: str) -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert Event.objects.count() == len(events)


def test_a_change_that_is_rolled_back_leaves_no_event(events: list[Event], lead: Organisation, administrator: User) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        lead.name_en = "Four"
        actions.save_organisation(lead, by=administrator)
        1 / 0  # noqa: B018
    assert Event.objects.count() == len(events)
    assert Organisation.objects.get(pk=lead.pk).name_en == "Three"


def test_an_event_outside_a_transaction_is_refused(monkeypatch: pytest.MonkeyPatch, lead: Organisation) -> None:
    monkeypatch.setattr("biaochi_server.journal.actions.connection", SimpleNamespace(in_atomic_block=False))
    with pytest.raises(RuntimeError, match="needs the transaction"):
        record("organisation.changed", lead, by=None)


def test_a_whole_chain_verifies(events: list[Event], capsys: pytest.CaptureFixture[str]) -> None:
    assert list(queries.breaks()) == []
    call_command("verify")
    assert f"{events[-1].number}:{events[-1].hash}" in capsys.readouterr().out


@pytest.mark.parametrize("column", ["actor_name", "duty", "verb", "object", "label", "before", "after", "reason", "request", "hash"])
def test_one_changed_old_row_is_found(events: list[Event], column: str) -> None:
    unguarded(f"UPDATE journal_event SET {column} = 'x' WHERE number = %s", [events[1].number])
    assert events[1].number in {b.number for b in queries.breaks()}
    with pytest.raises(CommandError, match=f"event {events[1].number}"):
        call_command("verify")


def test_a_removed_row_is_found_even_if_later_ones_are_numbered_anew(events: list[Event]) -> None:
    unguarded("DELETE FROM journal_event WHERE number = %s", [events[1].number])
    assert [b.what for b in queries.breaks()] == ["events 2 to 2 are missing", "does not follow from the event before it"]
    with connection.cursor() as cursor:
        for e in events[2:]:
            cursor.execute("UPDATE journal_event SET number = %s WHERE number = %s", [e.number - 1, e.number])
    assert list(queries.breaks())


def test_a_cut_end_is_found_by_an_anchor(events: list[Event]) -> None:
    noted = queries.head()
    unguarded("DELETE FROM journal_event WHERE number = %s", [noted[0]])
    assert list(queries.breaks()) == []
    assert [b.number for b in queries.breaks(noted)] == [noted[0]]


def test_a_rewritten_chain_is_found_by_an_anchor(events: list[Event]) -> None:
    noted = queries.head()
    unguarded("UPDATE journal_event SET reason = 'x', hash = 'y' WHERE number = %s", [noted[0]])
    changed = Event.objects.get(number=noted[0])
    with connection.cursor() as cursor:
        cursor.execute("UPDATE journal_event SET hash = %s WHERE number = %s", [changed.sealed(), noted[0]])
    assert list(queries.breaks()) == []
    assert [b.number for b in queries.breaks(noted)] == [noted[0]]


def test_verify_asks_for_a_readable_anchor(db: None) -> None:
    with pytest.raises(CommandError, match="NUMBER:HASH"):
        call_command("verify", anchor="seven")


def test_all_events_of_a_request_share_its_number(signed_in: Callable[[User], Client], administrator: User) -> None:
    before = Event.objects.count()
    answer = signed_in(administrator).post("/organisations/new/", {"code": "c1", "name_zh": "市", "name_en": "City", "kind": "city", "active": "on"})
    new = Event.objects.filter(number__gt=before)
    assert answer.status_code == 302
    assert [e.request for e in new] == [answer.headers["X-Request-ID"]]


def test_the_pages_tell_the_history_in_words(signed_in: Callable[[User], Client], administrator: User, events: list[Event], lead: Organisation) -> None:
    client = signed_in(administrator)
    page = client.get(f"/journal/people.organisation/{lead.pk}/").content.decode()
    assert "changed the organisation" in page
    assert "name_en: Two → Three" in page
    assert client.get("/journal/people.organisation/999999/").status_code == 404
    assert client.get("/journal/").status_code == 200
