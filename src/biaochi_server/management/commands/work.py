"""``biaochi manage work``: background work, until stopped."""

import logging
import os
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import close_old_connections

from biaochi_server import jobs

log = logging.getLogger(__name__)


class Command(BaseCommand):
    """Send mails and reminders."""

    help = "Do background work (mails, reminders) until stopped; biaochi serve starts it by itself. Several at once do no harm."

    def add_arguments(self, parser: CommandParser) -> None:
        """How long to go on."""
        parser.add_argument("--once", action="store_true", help="do what is to be done now, and stop")
        parser.add_argument("--beside", type=int, metavar="PID", help="stop when this process, which started it, has ended")

    def handle(self, *, once: bool, beside: int | None, **_: Any) -> None:
        """Look every second; remind and mend every minute; tidy every day."""
        every = {jobs.work_through: 1.0, jobs.tick: 60.0, jobs.tidy: 86_400.0}
        due = dict.fromkeys(every, 0.0)
        while beside in (None, os.getppid()):
            for job, seconds in every.items():
                if time.monotonic() >= due[job]:
                    due[job] = time.monotonic() + seconds
                    self.tried(job)
            if once:
                jobs.work_through()
                return
            time.sleep(1)

    def tried(self, job: Any) -> None:
        """Do it; whatever goes wrong is told and does not end the loop."""
        close_old_connections()
        try:
            job()
        except Exception:
            log.exception("Background work failed; it will be tried again.")
