"""Background work: reminders by themselves, mails outside the request, jobs that survive."""

from __future__ import annotations

import statistics
import time
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_tasks_db.management.commands import db_worker
from django_tasks_db.models import DBTaskResult

from biaochi_server import clock, jobs
from biaochi_server.journal.models import Event
from biaochi_server.later import later
from biaochi_server.management.commands import work
from biaochi_server.monitoring import queries
from biaochi_server.monitoring.models import Round, Submission
from biaochi_server.people import actions
from biaochi_server.people.models import User
from tests.server.shanxi import fill, of, user


@pytest.fixture
def queued(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs wait in the database; working on them keeps the connection that holds the test's transaction."""
    settings.TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
    for module in (work, db_worker):
        monkeypatch.setattr(module, "close_old_connections", lambda: None)


def receivers() -> list[str]:
    """Who was written to since last asked."""
    found = sorted(a for m in mail.outbox for a in m.to)
    mail.outbox.clear()
    return found


def at_nine(round_: Round, working_days_before: int) -> Any:
    day = queries.calendar().add(timezone.localdate(round_.due), -working_days_before)
    return clock.standing_at(timezone.make_aware(timezone.datetime(day.year, day.month, day.day, 9, 0, 1)))  # type: ignore[attr-defined]


def test_who_still_owes_is_reminded_three_days_and_one_day_before_and_one_after(round_: Round, settings: Any) -> None:
    settings.REMIND = (3, 1, -1)
    Submission.objects.exclude(round=round_, organisation__code__in=["140100", "140200"]).filter(round=round_).update(
        reminded_at=timezone.now() + timedelta(90)
    )
    jobs.tick()
    assert receivers() == []
    with at_nine(round_, 3):
        jobs.tick()
        assert receivers() == ["reporter-140100@example.org", "reporter-140200@example.org"]
        jobs.tick()
        assert receivers() == []
    fill(of(round_, "140100"), user("reporter-140100"))
    for day in (1, -1):
        with at_nine(round_, day):
            jobs.tick()
            assert receivers() == ["reporter-140200@example.org"]
            jobs.tick()
            assert receivers() == []
    told = Event.objects.filter(verb="submission.reminded", object=str(of(round_, "140200").pk))
    assert [e.actor for e in told] == [None] * 3


def test_a_reminder_says_what_is_open_in_the_language_of_its_reader(round_: Round, settings: Any) -> None:
    settings.ADDRESS = "https://yardstick.example"
    submission = of(round_, "140100")
    User.objects.filter(username="reporter-140100").update(language="en")
    with at_nine(round_, 1):
        jobs.tick()
    english = next(m for m in mail.outbox if m.to == ["reporter-140100@example.org"])
    chinese = next(m for m in mail.outbox if m.to == ["reporter-140200@example.org"])
    due = f"{timezone.localtime(round_.due):%Y-%m-%d}"
    assert english.subject == f"Monitoring of 2023 (demonstration) is due on {due}"
    assert f"{submission.cells.count()} figures are still open." in english.body
    assert f"https://yardstick.example/submissions/{submission.pk}/" in english.body
    assert chinese.subject == f"2023年度监测（演示）将于{due}截止"


def test_a_planned_or_closed_round_reminds_nobody(round_: Round) -> None:
    for state in ("planned", "closed", "released"):
        Round.objects.filter(pk=round_.pk).update(state=state)
        with at_nine(round_, 1):
            jobs.tick()
        assert receivers() == []


def test_a_mail_that_can_not_be_sent_is_tried_again_later(round_: Round, settings: Any, queued: None, caplog: pytest.LogCaptureFixture) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_PORT = 1  # nobody listens there
    jobs.reminder.call(submission=of(round_, "140100").pk, user=user("reporter-140100").pk)
    again = DBTaskResult.objects.get()
    assert again.args_kwargs["kwargs"]["tried"] == 1
    assert timedelta(0) < again.run_after - timezone.now() <= timedelta(minutes=1)
    assert "could not be sent" in caplog.text
    jobs.reminder.call(submission=of(round_, "140100").pk, user=user("reporter-140100").pk, tried=len(jobs.TRIES))
    assert DBTaskResult.objects.count() == 1


def test_a_job_stands_or_falls_with_its_change_and_is_done_once(person: Any, queued: None, monkeypatch: pytest.MonkeyPatch) -> None:
    person("li")
    with monkeypatch.context() as m, pytest.raises(RuntimeError, match="needs the transaction"):
        m.setattr(connections["default"], "in_atomic_block", False)
        later("forgotten", address="li@example.org")
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        actions.ask_reset("li@example.org")
        raise ZeroDivisionError
    call_command("work", once=True)
    assert receivers() == []
    actions.ask_reset("li@example.org")
    assert receivers() == []
    call_command("work", once=True)
    call_command("work", once=True)
    assert receivers() == ["li@example.org"]


def test_a_job_whose_worker_was_killed_is_done_again(person: Any, queued: None) -> None:
    person("li")
    actions.ask_reset("li@example.org")
    DBTaskResult.objects.update(status="RUNNING", started_at=timezone.now() - jobs.LOST - timedelta(minutes=1))
    call_command("work", once=True)
    assert receivers() == ["li@example.org"]


def test_asking_for_a_link_takes_the_same_work_and_time_for_anyone(person: Any, queued: None, django_assert_num_queries: Any, settings: Any) -> None:
    """The mail is sent by a job, so neither the work nor the time of the answer tells whether anyone has the address."""
    person("li")
    statements: dict[str, list[str]] = {}
    seconds: dict[str, list[float]] = {"li@example.org": [], "no@example.org": []}
    for k in range(40):
        for address, times in seconds.items():
            client = Client(REMOTE_ADDR=f"10.0.{k}.{len(times)}")
            actions.Bucket.objects.all().delete()
            with CaptureQueriesContext(
                connection,
            ) as asked:
                began = time.perf_counter()
                assert client.post("/forgot/", {"email": address}).status_code == 200
                times.append(time.perf_counter() - began)
            statements[address] = [q["sql"].split()[0] for q in asked]
    assert statements["li@example.org"] == statements["no@example.org"]
    known, unknown = (statistics.median(t) for t in seconds.values())
    assert 0.7 < known / unknown < 1.4
