"""A server as users start it, ``biaochi serve --demo``, on a fresh database of its own; and a small client for it."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.cookiejar import CookieJar
from pathlib import Path
from typing import NamedTuple

BIAOCHI = str(Path(sys.executable).parent / "biaochi")


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@contextlib.contextmanager
def database(folder: Path) -> Iterator[dict[str, str]]:
    """The environment of an empty database: SQLite in the folder; on PostgreSQL one more database of the same cluster."""
    env = os.environ | {"BIAOCHI_DATA": str(folder)}
    url = os.environ.get("BIAOCHI_DATABASE")
    if not url:
        yield env
        return
    import psycopg

    name = f"live_{free_port()}_{os.getpid()}"
    with psycopg.connect(url, autocommit=True) as c:
        c.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]
    try:
        yield env | {"BIAOCHI_DATABASE": f"{url.rpartition('/')[0]}/{name}"}
    finally:
        with psycopg.connect(url, autocommit=True) as c:
            c.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[call-overload]


class Answer(NamedTuple):
    status: int
    text: str
    address: str


@dataclass
class Live:
    """A running server: where it is, whose passwords it printed, its environment."""

    url: str
    passwords: dict[str, str]
    env: dict[str, str]

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([BIAOCHI, "manage", *arguments], env=self.env, capture_output=True, text=True, check=False)

    def run(self, code: str) -> str:
        """Run lines of Python in a process of their own against the same database."""
        setup = "import os, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'biaochi_server.settings'; django.setup()\n"
        done = subprocess.run([sys.executable, "-c", setup + code], env=self.env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def sign_in(self, username: str) -> Visitor:
        visitor = Visitor(self.url)
        visitor.get("/login/")
        answer = visitor.post("/login/", {"username": username, "password": self.passwords[username.partition("-")[0]]})
        assert answer.address.endswith("/todo/"), answer.text
        return visitor


class Visitor:
    """Someone with cookies."""

    def __init__(self, url: str, cookies: CookieJar | None = None) -> None:
        self.url, self.cookies = url, cookies if cookies is not None else CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))

    def get(self, path: str) -> Answer:
        return self._open(urllib.request.Request(self.url + path))

    def post(self, path: str, data: dict[str, object]) -> Answer:
        token = next(c.value for c in self.cookies if c.name == "csrf")
        return self._open(urllib.request.Request(self.url + path, urllib.parse.urlencode({"csrfmiddlewaretoken": token, **data}).encode()))

    def _open(self, request: urllib.request.Request) -> Answer:
        try:
            with self.opener.open(request, timeout=60) as answer:
                return Answer(answer.status, answer.read().decode(), answer.url)
        except urllib.error.HTTPError as e:
            return Answer(e.code, e.read().decode(), e.url or "")


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Live]:
    """Start it, wait until it answers, end it."""
    with database(folder) as plain:
        env = {k: v for k, v in plain.items() if k != "DJANGO_SETTINGS_MODULE"} | {"BIAOCHI_DEMO": "yes", "BIAOCHI_SECOND_FACTOR": "none"}
        port = free_port()
        said = folder / "said.txt"
        with open(said, "w") as out:
            process = subprocess.Popen([BIAOCHI, "serve", "--demo", "--port", str(port)], env=env, stdout=out, stderr=subprocess.STDOUT)
        try:
            live = Live(f"http://127.0.0.1:{port}", {}, env)
            for _ in range(600):
                assert process.poll() is None, said.read_text()
                with contextlib.suppress(OSError):
                    urllib.request.urlopen(f"{live.url}/health/", timeout=5).close()
                    break
                time.sleep(0.1)
            live.passwords |= {m[1]: m[2] for m in re.finditer(r"^  (\w+)-\w+ +(\S+) ", said.read_text(), re.MULTILINE)}
            assert len(live.passwords) >= 6, said.read_text()
            yield live
        finally:
            process.terminate()
            process.wait(20)
