"""Many at once on a real server, and processes killed at random points while they write."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from tests.server.live import Live, Visitor, database, serving


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with serving(tmp_path_factory.mktemp("live")) as it:
        yield it


def form_of(visitor: Visitor) -> tuple[str, dict[str, int]]:
    """The address of the first form to fill, and its cells with their versions."""
    todo = visitor.get("/todo/").text
    found = re.search(r'href="(/submissions/\d+/)"', todo)
    assert found, todo
    return found[1], versions(visitor.get(found[1]).text)


def versions(page: str) -> dict[str, int]:
    return {m[1]: int(m[2]) for m in re.finditer(r'name="e-(\d+)" value="(\d+)"', page)}


def test_of_24_writers_on_one_cell_one_wins_and_23_are_told(live: Live) -> None:
    clerk = live.sign_in("reporter-140300")
    address, cells = form_of(clerk)
    cell = next(iter(cells))
    together = Barrier(24)

    def save(k: int) -> tuple[int, str]:
        mine = Visitor(live.url, clerk.cookies)
        together.wait()
        answer = mine.post(f"/cells/{cell}/save/", {f"v-{cell}": str(100 + k), f"e-{cell}": cells[cell]})
        return answer.status, answer.text

    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(save, range(24)))
    assert Counter(status for status, _ in answers) == {200: 1, 409: 23}
    winner = next(k for k, (status, _) in enumerate(answers) if status == 200)
    assert all("他人" in text and f"{100 + k}" in text for k, (status, text) in enumerate(answers) if status == 409)
    assert f'value="{100 + winner}"' in clerk.get(address).text
    assert live.manage("verify").returncode == 0


def test_approving_against_returning_and_against_editing_one_wins(live: Live) -> None:
    """Each cell is approved by one browser while another returns it; the clerk meanwhile tries to write into it."""
    clerk, reviewer = live.sign_in("reporter-140400"), live.sign_in("reviewer-gxt")
    address, _ = form_of(clerk)
    live.run(f"""
from tests.server.shanxi import fill, user
from biaochi_server.monitoring.models import Submission
fill(Submission.objects.get(pk={address.split("/")[2]}), user("reporter-140400"))
""")
    review = address.replace("submissions", "review")
    cells = versions(reviewer.get(review).text)
    assert len(cells) > 3
    won: Counter[str] = Counter()
    for cell, version in cells.items():
        together = Barrier(3)

        def act(what: str, cell: str = cell, version: int = version, together: Barrier = together) -> int:
            mine = Visitor(live.url, (clerk if what == "edit" else reviewer).cookies)
            together.wait()
            if what == "edit":
                return mine.post(f"/cells/{cell}/save/", {f"v-{cell}": "4242", f"e-{cell}": version}).status
            chosen = {f"c-{cell}": "on", f"e-{cell}": version, f"m-{cell}": "look again", "do": what}
            return mine.post(review, chosen).status

        with ThreadPoolExecutor(3) as pool:
            approved, returned, edited = pool.map(act, ("approve", "return", "edit"))
        assert sorted((approved, returned)) in ([200, 409], [200, 422]), (approved, returned, edited)
        won["approve" if approved == 200 else "return"] += 1
        state, text, kept = live.run(f"""
from biaochi_server.monitoring.models import Cell
c = Cell.objects.get(pk={cell})
print(c.state, c.text, c.approved_text or "-")
""").split()
        assert state == ("approved" if approved == 200 else "returned")
        assert kept == (text if approved == 200 else "-")
        assert kept != "4242"
        assert edited == 409
    assert live.manage("verify").returncode == 0


def test_processes_killed_while_they_write_leave_all_that_was_acknowledged_and_nothing_half(tmp_path: Path) -> None:
    with database(tmp_path) as env:
        done = subprocess.run([sys.executable, "-m", "tests.server.crash", "220"], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["kills"] == 220
    assert said["kills_while_writing"] >= 100, said
    assert said["acknowledged"] > 500, said
    assert said["wrong"] == []
    assert said["breaks"] == []
    assert said["tampering_found"]


def test_the_worker_beside_the_server_sends_mails_and_ends_with_it(tmp_path: Path) -> None:
    with serving(tmp_path) as live:
        said, pages = tmp_path / "said.txt", Visitor(live.url)
        pages.get("/forgot/")
        assert pages.post("/forgot/", {"email": "reporter-140100@example.org"}).status == 200
        for _ in range(200):
            if "To: reporter-140100@example.org" in said.read_text():
                break
            time.sleep(0.1)
        link = re.search(rf"{live.url}(/set-password/\S+)", said.read_text())
        assert link, said.read_text()
        assert 'name="new_password1"' in pages.get(link[1]).text
        worker = [
            int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit() and live.env["BIAOCHI_DATA"].encode() in environment(p) and b"work\0" in command(p)
        ]
        assert len(worker) == 1
    for _ in range(50):
        if not Path(f"/proc/{worker[0]}").exists():
            break
        time.sleep(0.1)
    else:
        pytest.fail("the worker outlived its server")


def environment(process: Path) -> bytes:
    with contextlib.suppress(OSError):
        return (process / "environ").read_bytes()
    return b""


def command(process: Path) -> bytes:
    with contextlib.suppress(OSError):
        return (process / "cmdline").read_bytes()
    return b""
