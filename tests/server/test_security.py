"""Headers and cookies (OWASP ASVS 3.3 and 3.4), and the checks of the settings."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from django.db import connection
from django.test import Client

from biaochi_server import database
from biaochi_server.settings import OPTIONS
from tests.server.conftest import PASSWORD

ROOT = Path(__file__).parents[2]


def test_headers_of_every_page(db: None) -> None:
    for page in ("/login/", "/forgot/", "/nowhere/", "/"):
        headers = Client().get(page).headers
        policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
        assert policy["default-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["object-src"] == policy["base-uri"] == "'none'"
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "no-store" in headers["Cache-Control"]


def test_cookies_can_not_be_read_by_scripts_or_sent_by_other_sites(person: Any) -> None:
    person("li")
    client = Client()
    client.get("/login/")
    client.post("/login/", {"username": "li", "password": PASSWORD})
    assert set(client.cookies) >= {"session", "csrf"}
    for cookie in client.cookies.values():
        assert cookie["httponly"], cookie
        assert cookie["samesite"] == "Lax", cookie


def test_over_https_cookies_are_bound_to_the_host_and_transport_is_strict(tmp_path: Path) -> None:
    script = """
import django, os; django.setup()
from django.conf import settings as s
from django.test import Client
a = Client().get('/health/', headers={'host': 'x.example', 'x-forwarded-proto': 'https'})
b = Client().get('/health/', headers={'host': 'x.example'})
print(s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_NAME, s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, a.headers['Strict-Transport-Security'], b.status_code, b.url)
"""
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "biaochi_server.settings",
        "BIAOCHI_DATA": str(tmp_path),
        "BIAOCHI_DATABASE": "",
        "BIAOCHI_HTTPS": "yes",
        "BIAOCHI_PROXIES": "1",
        "BIAOCHI_HOSTS": "x.example",
    }
    said = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True).stdout.split()
    assert said == ["__Host-session", "__Host-csrf", "True", "True", "max-age=31536000;", "includeSubDomains", "301", "https://x.example/health/"]


def test_a_strange_host_is_refused(db: None) -> None:
    assert Client().get("/login/", headers={"host": "evil.example"}).status_code == 400


def test_a_form_from_elsewhere_is_refused(person: Any) -> None:
    person("li")
    client = Client(enforce_csrf_checks=True)
    assert client.post("/login/", {"username": "li", "password": PASSWORD}).status_code == 403


def test_the_database_settings_are_read_back(db: None) -> None:
    assert [e for e in run_checks(databases=["default"]) if e.id.startswith("biaochi")] == []


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="about SQLite's settings")
def test_a_wrong_setting_of_sqlite_is_found(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "transaction_mode", "DEFERRED")
    assert [e.id for e in database.sqlite_is_safe(databases=["default"])] == ["biaochi.E002"]


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="about SQLite's settings")
def test_sqlite_keeps_its_journal_in_a_wal_and_syncs_fully(db: None) -> None:
    with connection.cursor() as cursor:
        assert [cursor.execute(f"PRAGMA {p}").fetchone()[0] for p in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")] == ["wal", 2, 1, 20000]


def test_the_key_is_made_once_and_is_the_owners_alone(tmp_path: Path) -> None:
    from biaochi_server.settings import kept_secret

    first = kept_secret(tmp_path / "new")
    assert first == kept_secret(tmp_path / "new")
    assert len(first) > 50
    assert ((tmp_path / "new" / "secret-key").stat().st_mode & 0o777) == 0o600


def test_every_option_stands_in_the_docs() -> None:
    page = (ROOT / "docs" / "guide" / "server.md").read_text(encoding="utf-8")
    assert [o.name for o in OPTIONS if f"`{o.name}`" not in page] == []


def test_plain_http_to_the_outside_is_warned_of(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["yardstick.example"]
    assert [w.id for w in database.https_outside()] == ["biaochi.W001"]
    settings.SESSION_COOKIE_SECURE = True
    assert database.https_outside() == []
