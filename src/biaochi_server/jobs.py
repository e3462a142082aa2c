"""Background work: fetch by id, call an action, send a mail. ``biaochi manage work`` does it, beside ``biaochi serve`` by itself."""

from __future__ import annotations

import logging
from datetime import timedelta
from smtplib import SMTPException
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.forms import PasswordResetForm
from django.core.mail import send_mail
from django.core.management import call_command
from django.utils import timezone
from django.utils.translation import override
from django_tasks import task
from django_tasks_db.models import DBTaskResult, TaskResultStatus

from biaochi_server import clock
from biaochi_server.database import writing
from biaochi_server.monitoring import actions, queries, words
from biaochi_server.monitoring.models import Submission
from biaochi_server.people.models import User

log = logging.getLogger(__name__)
TRIES = (1, 5, 30, 120)  # minutes to wait after a mail that could not be sent
LOST = timedelta(minutes=15)  # a job that runs longer was killed
KEPT_DAYS = 14


@task()
def forgotten(address: str) -> None:
    """Send a link to set a new password to whoever has this address; to nobody, if nobody has."""
    form = PasswordResetForm({"email": address})
    if form.is_valid():
        at = urlsplit(settings.ADDRESS)
        with override(next((u.language for u in form.get_users(address) if isinstance(u, User)), settings.LANGUAGE_CODE)):
            form.save(
                domain_override=at.netloc, use_https=at.scheme == "https", subject_template_name="people/reset_subject.txt",
                email_template_name="people/reset_mail.txt",
            )  # fmt: skip


@task()
def reminder(submission: int, user: int, tried: int = 0) -> None:
    """Write to one reporter what is still open; nothing, if nothing is any more. Tried again when the mail can't be sent."""
    found = queries.with_progress(Submission.objects.filter(pk=submission)).first()
    person = User.objects.filter(pk=user, is_active=True).exclude(email="").first()
    if found is None or person is None or not found.to_fill:  # type: ignore[attr-defined]
        return
    with override(person.language):
        subject, body = words.reminder(found, f"{settings.ADDRESS}/submissions/{found.pk}/")
    try:
        send_mail(subject, body, None, [person.email])
    except (SMTPException, OSError):
        log.exception("The reminder to %s could not be sent (try %s of %s).", person.username, tried + 1, len(TRIES) + 1)
        if tried < len(TRIES):
            again = reminder.using(run_after=timezone.now() + timedelta(minutes=TRIES[tried]))
            again.enqueue(submission=submission, user=user, tried=tried + 1)


def tick() -> None:
    """What time alone brings about: reminders before the due day and once after it; jobs that were killed are done again."""
    for submission in queries.to_remind(settings.REMIND):
        actions.remind([submission], by=None, since=queries.remind_since(submission.round, settings.REMIND))
    with writing():
        DBTaskResult.objects.running().filter(started_at__lt=timezone.now() - LOST).update(status=TaskResultStatus.READY, started_at=None)


def work_through() -> None:
    """Do every job that waits."""
    call_command("db_worker", batch=True, interval=0, startup_delay=False, reload=False, verbosity=0)


def tidy() -> None:
    """Forget the jobs of two weeks ago and the sessions that have ended."""
    call_command("prune_db_task_results", min_age_days=KEPT_DAYS, verbosity=0)
    call_command("clearsessions", verbosity=0)
    log.info("Tidied at %s.", clock.now())
