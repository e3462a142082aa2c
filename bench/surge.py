"""The last minute before a deadline: a thousand clerks open their form, save it, and submit it.

A server as users start it, on an empty database of its own; a thousand cities with a form of 34 figures each and two
earlier years to compare with. Each clerk arrives at a random moment, opens the form, saves all figures, submits, and
waits for each answer. Then the database is read: every acknowledged figure and submission must be there.

Run: python bench/surge.py [CLERKS] [SECONDS]; on PostgreSQL: tests/server/on_postgres.sh python bench/surge.py
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.server.live import BIAOCHI, database, free_port

RESULTS = Path(__file__).parent / "results.jsonl"
TOKEN = "a" * 32  # the clerks' forgery tokens: their cookie and their form say the same


class Clerk(NamedTuple):
    """A session, the form it fills, and the cells of the form with their versions."""

    session: str
    submission: int
    cells: list[tuple[int, int]]


class Answered(NamedTuple):
    """One request: what it was, when it ended, how long it took, what came back."""

    what: str
    ended: float
    seconds: float
    status: int
    address: str


# ---- before: run in a process of its own, against the server's database


def prepare(clerks: int) -> None:
    """Fill an empty database; print the clerks as JSON."""
    from django.contrib.sessions.backends.db import SessionStore

    from biaochi_server.database import writing
    from biaochi_server.people.models import Duty, Organisation, User

    with writing():
        names = [f"{k:06}" for k in range(clerks)]
        Organisation.objects.bulk_create([Organisation(code=c, unit=c, kind="city", name_zh=f"城市{c}", name_en=f"City {c}") for c in names])
        User.objects.bulk_create([User(username=c, name=f"填报员{c}", password="!") for c in names])
        cities, users = (list(m.objects.order_by(f)) for m, f in ((Organisation, "code"), (User, "username")))
        Duty.objects.bulk_create([Duty(user=u, organisation=c, role="reporter", start=date(2020, 1, 1)) for u, c in zip(users, cities, strict=True)])
        forms = asked(cities)
        found = []
        for user, city in zip(users, cities, strict=True):
            session, form = SessionStore(), forms[city.pk]
            how = "django.contrib.auth.backends.ModelBackend"
            session.update({"_auth_user_id": str(user.pk), "_auth_user_backend": how, "_auth_user_hash": user.get_session_auth_hash()})
            session.save()
            found.append(Clerk(session.session_key or "", form.pk, [(c.pk, c.version) for c in form.cells.all()]))
    print(json.dumps(found))


def asked(cities: list[Any]) -> dict[int, Any]:
    """An open round that asks every city for all figures, with two years before it; the forms by organisation."""
    from biaochi_server import bridge, clock, demo
    from biaochi_server.monitoring import actions
    from biaochi_server.monitoring.models import Indicator, Observation
    from biaochi_server.people.models import Organisation

    demo.organisations()
    Organisation.objects.filter(kind="city").exclude(pk__in=[c.pk for c in cities]).update(active=False)
    project, now = bridge.project(demo.FOLDER), clock.now()
    edition = actions.import_edition(project, "surge", by=None, collection={n.code: {"by_cities": "yes"} for n in project.nodes})
    codes = list(Indicator.objects.filter(edition=edition, leaf=True).values_list("code", flat=True))
    past = [
        Observation(index="surge", indicator=i, unit=c.unit, period=p, vintage=1, value="50.5", at=now) for i in codes for c in cities for p in ("2021", "2022")
    ]
    actions.import_observations(past, edition, by=None, source="generated")
    days = {"opens": now - timedelta(1), "due": now + timedelta(1), "closes": now + timedelta(2)}
    round_ = actions.plan_round(edition, "2023", ("截止日", "Deadline"), codes=codes, by=None, **days)
    actions.move_round(round_, "open", by=None)
    return {s.organisation_id: s for s in round_.submissions.prefetch_related("cells")}


def look(acknowledged: list[tuple[int, str, bool]]) -> None:
    """Compare what was acknowledged, (submission, figure, submitted), with what is there; print what is wrong as JSON."""
    from biaochi_server.journal.models import Event
    from biaochi_server.journal.queries import breaks
    from biaochi_server.monitoring.models import Submission

    wrong = [str(b) for b in breaks()]
    there = {s.pk: s for s in Submission.objects.prefetch_related("cells")}
    for pk, text, submitted in acknowledged:
        texts = {c.text for c in there[pk].cells.all()}
        if texts != {text} or (submitted and there[pk].state != "submitted"):
            wrong.append(f"submission {pk}: {sorted(texts)} {there[pk].state}")
    verbs = Counter(Event.objects.values_list("verb", flat=True))
    print(json.dumps({"wrong": wrong, "saved": verbs["submission.saved"], "submitted": verbs["submission.submitted"]}))


def inside(env: dict[str, str], step: str, said: str = "") -> Any:
    """Run a step in a process of its own; what it printed."""
    done = subprocess.run([sys.executable, __file__, step], env=env, input=said, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# ---- during


async def ask(port: int, clerk: Clerk, what: str, body: dict[str, object] | None = None) -> Answered:
    """One request of a clerk, over a connection of its own."""
    data = urllib.parse.urlencode(body or {}).encode()
    head = (
        f"{'POST' if body else 'GET'} /submissions/{clerk.submission}/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n"
        f"Cookie: session={clerk.session}; csrf={TOKEN}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    began = time.perf_counter()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head.encode() + data)
        got = await reader.read(-1)
        writer.close()
    except OSError as e:
        return Answered(what, time.perf_counter(), time.perf_counter() - began, 0, str(e))
    first, *lines = got.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    address = next((line[9:].strip() for line in lines if line.lower().startswith("location:")), "")
    return Answered(what, time.perf_counter(), time.perf_counter() - began, int(first.split()[1]) if first else 0, address)


async def work(port: int, clerk: Clerk, figure: str, wait: float, answers: list[Answered]) -> tuple[int, str, bool] | None:
    """Open, save, submit; what was acknowledged."""
    await asyncio.sleep(wait)
    form: dict[str, object] = {"csrfmiddlewaretoken": TOKEN, "do": "save"}
    form |= {f"v-{pk}": figure for pk, _ in clerk.cells} | {f"n-{pk}": "" for pk, _ in clerk.cells}
    answers.append(await ask(port, clerk, "open"))
    answers.append(saved := await ask(port, clerk, "save", form | {f"e-{pk}": version for pk, version in clerk.cells}))
    if saved.status != 302 or "/submissions/" not in saved.address:
        return None
    answers.append(done := await ask(port, clerk, "submit", form | {"do": "submit"} | {f"e-{pk}": version + 1 for pk, version in clerk.cells}))
    return clerk.submission, figure, done.status == 302 and done.address.endswith("/todo/")


async def surge(port: int, clerks: list[Clerk], seconds: float) -> tuple[list[Answered], list[tuple[int, str, bool] | None], float]:
    """All clerks at once; the answers, what was acknowledged, and how long it took."""
    rng, answers = random.Random(7), list[Answered]()
    began = time.perf_counter()
    told = await asyncio.gather(*(work(port, c, f"{51 + k % 10}.{k % 100:02}7", rng.uniform(0, seconds), answers) for k, c in enumerate(clerks)))
    return answers, told, time.perf_counter() - began


# ---- the whole


@contextlib.contextmanager
def server(env: dict[str, str]) -> Any:
    """A running server: its port."""
    port = free_port()
    process = subprocess.Popen([BIAOCHI, "serve", "--port", str(port)], env=env)
    try:
        for _ in range(300):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health/", timeout=5).close()
                break
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(20)


def spread(seconds: list[float]) -> dict[str, int]:
    """The half of all, and all but one in a hundred, in milliseconds."""
    cuts = quantiles(seconds, n=100)
    return {"p50_ms": round(cuts[49] * 1000), "p99_ms": round(cuts[98] * 1000), "max_ms": round(max(seconds) * 1000)}


def main(clerks: int, seconds: float) -> None:
    with tempfile.TemporaryDirectory() as folder, database(Path(folder)) as plain:
        env = plain | {"BIAOCHI_SECOND_FACTOR": "none", "PYTHONPATH": str(Path(__file__).parents[1])}
        subprocess.run([BIAOCHI, "manage", "migrate", "-v0"], env=env, check=True)
        people = [Clerk(*c) for c in inside(env, "prepare", str(clerks))]
        with server(env) as port:
            answers, told, took = asyncio.run(surge(port, people, seconds))
        acknowledged = [t for t in told if t]
        found = inside(env, "look", json.dumps(acknowledged))
    row = {
        "name": f"surge: {clerks:,} clerks within {seconds:g} s, each opens, saves and submits a form of {len(people[0].cells)} figures",
        "database": "PostgreSQL" if env.get("BIAOCHI_DATABASE") else "SQLite", "all_answered_after_s": round(took, 1), "requests_a_second": round(len(answers) / took, 1),
        **{what: spread([a.seconds for a in answers if a.what == what]) for what in ("open", "save", "submit")},
        "statuses": {str(k): v for k, v in sorted(Counter(a.status for a in answers).items())},
        "submitted": sum(t[2] for t in acknowledged), "lost_or_half_written": len(found["wrong"]), "events_of_saving": found["saved"], "events_of_submitting": found["submitted"],
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, the clerks on the same ones, Python {platform.python_version()}", "date": datetime.now(UTC).date().isoformat(),
    }  # fmt: skip
    print(json.dumps(row, ensure_ascii=False, indent=1), *found["wrong"][:5], sep="\n")
    assert (row["submitted"], found["wrong"]) == (clerks, []), "something was lost"
    with RESULTS.open("a", encoding="utf-8") as f:
        f.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    step, *rest = [*sys.argv[1:], "1000", "50"][: max(2, len(sys.argv) - 1)]
    if step in ("prepare", "look"):
        os.environ["DJANGO_SETTINGS_MODULE"] = "biaochi_server.settings"
        import django

        django.setup()
        prepare(int(sys.stdin.read())) if step == "prepare" else look(json.load(sys.stdin))
    else:
        main(int(step), float(rest[0]))
