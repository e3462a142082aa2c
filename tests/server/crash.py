"""Kill processes while they write, and look at what is left: ``python -m tests.server.crash KILLS``; prints one line of JSON."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections import defaultdict

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "biaochi_server.settings")

import django

django.setup()

from django.core.management import call_command
from django.db import connection, connections

from biaochi_server import clock, demo
from biaochi_server.database import writing
from biaochi_server.journal.queries import breaks
from biaochi_server.monitoring import actions
from biaochi_server.monitoring.actions import Edit, File
from biaochi_server.monitoring.models import Cell, FrameworkEdition, Observation, Submission, Upload
from biaochi_server.people.models import User

IMPORTED = 200


def write_one(kind: str, n: int, submission: int) -> None:
    """One write that is whole or not at all, recognisable by its number."""
    if kind == "import":
        edition = FrameworkEdition.objects.get()
        rows = [Observation(index=f"crash-{n}", indicator="X", unit=str(k), period="2020", vintage=1, value=str(k), at=clock.now()) for k in range(IMPORTED)]
        actions.import_observations(rows, edition, by=None, source="crash")
        return
    s = Submission.objects.select_related("organisation").get(pk=submission)
    by = User.objects.get(username=f"reporter-{s.organisation.code}")
    edits = [Edit(c.pk, c.version, str(n)) for c in s.cells.all()]
    if kind == "draft":
        actions.save_draft(s, edits, by=by)
    else:
        actions.take_workbook(s, File(f"{n}.xlsx", str(n).encode() * 1000), edits, by=by)


def child(pipe: int, seed: int, first: int, submissions: list[int]) -> None:
    """Write until killed; say before each write what is coming, and after it that it is done."""
    rng = random.Random(seed)
    for n in range(first, first + 1000):
        kind, submission = rng.choice(("draft", "workbook", "import")), rng.choice(submissions)
        os.write(pipe, f"try {kind} {n} {submission}\n".encode())
        write_one(kind, n, submission)
        os.write(pipe, f"done {kind} {n} {submission}\n".encode())


def killed(seed: int, first: int, submissions: list[int]) -> list[list[str]]:
    """Let a child write for a random while; what it said until it was killed."""
    connections.close_all()
    mine, its = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(mine)
        try:
            child(its, seed, first, submissions)
        finally:
            os._exit(1)
    os.close(its)
    time.sleep(random.Random(seed).uniform(0.03, 0.35))
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status), "the child ended by itself"
    with os.fdopen(mine) as f:
        return [line.split() for line in f.read().splitlines()]


def look(said: list[list[str]], wrong: list[str]) -> None:
    """Compare what was said with what is there."""
    last: dict[str, set[str]] = defaultdict(set)
    for word, kind, n, submission in said:
        if kind == "import":
            there = Observation.objects.filter(index=f"crash-{n}").count()
            if there not in ((IMPORTED,) if word == "done" else (0, IMPORTED)):
                wrong.append(f"import {n} {word}: {there}")
            continue
        last[submission] = {n} if word == "done" else last[submission] | {n}
        if kind == "workbook" and word == "done" and not Upload.objects.filter(name=f"{n}.xlsx").exists():
            wrong.append(f"workbook {n} is not kept")
    for submission, allowed in last.items():
        texts = set(Cell.objects.filter(submission=submission).values_list("text", flat=True))
        known = {d for w, k, d, s in said if s == submission and w == "done" and k != "import"}
        if len(texts) != 1 or (known and not texts <= allowed):
            wrong.append(f"submission {submission}: {sorted(texts)} instead of one of {sorted(allowed)}")


def tampering_found() -> bool:
    """Change one old entry behind the triggers' back."""
    with connection.cursor() as c:
        if connection.vendor == "sqlite":
            for (name,) in c.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'journal_event'").fetchall():
                c.execute(f"DROP TRIGGER {name}")
        else:
            c.execute("ALTER TABLE journal_event DISABLE TRIGGER ALL")
        c.execute("UPDATE journal_event SET actor_name = 'somebody else' WHERE number = 40")
    return bool(list(breaks()))


def main(kills: int) -> None:
    call_command("migrate", verbosity=0)
    with writing():
        demo.make()
    submissions = list(Submission.objects.filter(round__period="2023", organisation__kind="city").values_list("pk", flat=True)[:4])
    wrong: list[str] = []
    acknowledged = writing_then = 0
    for k in range(kills):
        said = killed(k, k * 1000, submissions)
        acknowledged += sum(w == "done" for w, *_ in said)
        writing_then += bool(said) and said[-1][0] == "try"
        look(said, wrong)
    found = [str(b) for b in breaks()]
    result = {"kills": kills, "kills_while_writing": writing_then, "acknowledged": acknowledged, "wrong": wrong[:10], "breaks": found[:10]}
    print(json.dumps(result | {"tampering_found": tampering_found()}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
