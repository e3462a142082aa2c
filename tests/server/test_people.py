"""Signing in, second factor, rate limits, no account discovery; organisations, users and duties."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pyotp
import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from biaochi_server import clock
from biaochi_server.journal.models import Event
from biaochi_server.moves import Refused
from biaochi_server.people import actions
from biaochi_server.people.models import Duty, Organisation, User
from biaochi_server.people.states import Kind, Role
from tests.server.conftest import PASSWORD

Person = Callable[..., User]
SignedIn = Callable[[User], Client]


def visitor() -> Client:
    return Client(headers={"accept-language": "en"}, enforce_csrf_checks=False)


def try_in(client: Client, username: str, password: str, **more: Any) -> Any:
    return client.post("/login/", {"username": username, "password": password}, **more)


def test_a_user_signs_in_and_the_journal_knows(person: Person) -> None:
    user, client = person("li"), visitor()
    assert try_in(client, "li", PASSWORD).status_code == 302
    assert client.get("/account/").status_code == 200
    assert Event.objects.get(verb="user.signed_in").actor == user.pk


def test_after_signing_in_one_goes_where_one_wanted_but_never_elsewhere(person: Person) -> None:
    person("li")
    assert visitor().post("/login/", {"username": "li", "password": PASSWORD, "next": "/account/password/"}).url == "/account/password/"
    for bad in ("https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example"):
        assert visitor().post("/login/", {"username": "li", "password": PASSWORD, "next": bad}).url == "/"


def test_the_answer_does_not_tell_whether_there_is_such_a_user(person: Person) -> None:
    person("li")
    person("gone", is_active=False)
    answers = {re.sub(r'value="[^"]*"', "", try_in(visitor(), name, "wrong wrong wrong").content.decode()) for name in ("li", "nobody", "gone")}
    assert len(answers) == 1
    person("mail", email="one@example.org")
    sent = {
        re.sub(r'value="[^"]*"', "", visitor().post("/forgot/", {"email": e}).content.decode())
        for e in ("li@example.org", "none@example.org", "gone@example.org")
    }
    assert len(sent) == 1


def test_the_time_does_not_tell_whether_there_is_such_a_user(person: Person, settings: Any) -> None:
    """With a costly hash: without the sham hash an unknown name is answered a hundred times as fast."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    person("li")

    def seconds(name: str) -> float:
        start = time.perf_counter()
        try_in(visitor(), name, "wrong wrong wrong")
        return time.perf_counter() - start

    seconds("li")
    known, unknown = (sorted(seconds(n) for _ in range(3))[1] for n in ("li", "nobody"))
    assert 0.4 < known / unknown < 2.5


def test_ten_wrong_tries_close_the_door_for_a_while_for_known_and_unknown_names_alike(person: Person) -> None:
    person("li")
    for name in ("li", "nobody"):
        client = visitor()
        answers = [try_in(client, name, "wrong wrong wrong").status_code for _ in range(11)]
        assert answers == [200] * 10 + [429]
    assert try_in(visitor(), "LI", PASSWORD).status_code == 429
    with clock.standing_at(timezone.now() + timedelta(minutes=16)):
        assert try_in(visitor(), "li", PASSWORD).status_code == 302


def test_an_address_that_tries_many_names_is_held_up(db: None, settings: Any) -> None:
    answers = [try_in(visitor(), f"n{k}", "wrong wrong wrong", REMOTE_ADDR="10.0.0.9").status_code for k in range(101)]
    assert answers[-1] == 429
    assert set(answers[:-1]) == {200}
    assert try_in(visitor(), "m", "wrong wrong wrong", REMOTE_ADDR="10.0.0.8").status_code == 200


def test_a_forged_forwarding_header_is_not_believed(db: None, settings: Any) -> None:
    forged = [try_in(visitor(), f"n{k}", "wrong", HTTP_X_FORWARDED_FOR=f"10.1.1.{k}").status_code for k in range(101)]
    assert forged[-1] == 429


def test_the_second_factor_takes_each_code_once(person: Person) -> None:
    user = person("wang")
    secret = pyotp.random_base32()
    actions.set_second_factor(user, secret, pyotp.TOTP(secret).at(time.time() - 30))
    code = pyotp.TOTP(secret).now()
    first = visitor()
    assert try_in(first, "wang", PASSWORD).url.startswith("/login/second/")
    assert first.get("/account/").status_code == 302, "the password alone does not open anything"
    assert first.post("/login/second/", {"code": "000000"}).status_code == 200
    assert first.post("/login/second/", {"code": code}).status_code == 302
    assert first.get("/account/").status_code == 200
    second = visitor()
    try_in(second, "wang", PASSWORD)
    replayed = second.post("/login/second/", {"code": code})
    assert replayed.status_code == 200
    assert "used already" in replayed.content.decode()
    assert second.get("/account/").status_code == 302


def test_the_second_step_waits_five_minutes_only(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    user = person("wang")
    secret = pyotp.random_base32()
    actions.set_second_factor(user, secret, pyotp.TOTP(secret).at(time.time() - 30))
    client = visitor()
    try_in(client, "wang", PASSWORD)
    now = time.time()
    monkeypatch.setattr("biaochi_server.people.views.time.time", lambda: now + 301)
    assert client.post("/login/second/", {"code": pyotp.TOTP(secret).now()}).url == "/login/"


def test_codes_cannot_be_guessed_for_long(person: Person) -> None:
    user = person("wang")
    secret = pyotp.random_base32()
    actions.set_second_factor(user, secret, pyotp.TOTP(secret).now())
    client = visitor()
    try_in(client, "wang", PASSWORD)
    assert [client.post("/login/second/", {"code": "12345"}).status_code for _ in range(11)] == [200] * 10 + [429]


def test_roles_that_need_a_second_factor_are_led_to_set_it_up(administrator: User, signed_in: SignedIn, settings: Any) -> None:
    settings.SECOND_FACTOR_ROLES = frozenset({"administrator"})
    client = signed_in(administrator)
    assert client.get("/users/").url == "/account/second/"
    page = client.get("/account/second/").content.decode()
    secret = re.search(r'class="key">([A-Z2-7]+)<', page)[1]  # type: ignore[index]
    assert client.post("/account/second/", {"code": "000000"}).status_code == 200
    assert client.post("/account/second/", {"code": pyotp.TOTP(secret).now()}).status_code == 302
    assert client.get("/users/").status_code == 200


def test_disabling_a_user_ends_the_sessions_at_once(person: Person, administrator: User, signed_in: SignedIn) -> None:
    user = person("li")
    client = signed_in(user)
    assert client.get("/account/").status_code == 200
    assert signed_in(administrator).post(f"/users/{user.pk}/active/", {"reason": "left the office"}).status_code == 302
    assert client.get("/account/").status_code == 302
    assert Event.objects.get(verb="user.disabled").reason == "left the office"


def test_nobody_is_disabled_without_a_reason_and_nobody_disables_themselves(person: Person, administrator: User, signed_in: SignedIn) -> None:
    user, client = person("li"), signed_in(administrator)
    client.post(f"/users/{user.pk}/active/", {"reason": " "})
    client.post(f"/users/{administrator.pk}/active/", {"reason": "oops"})
    assert User.objects.filter(is_active=False).count() == 0


def test_a_new_password_or_a_reset_second_factor_ends_other_sessions(person: Person, administrator: User, signed_in: SignedIn) -> None:
    user = person("li")
    here, there = signed_in(user), signed_in(user)
    new = "quite another pass phrase"
    assert here.post("/account/password/", {"present": PASSWORD, "new_password1": new, "new_password2": new}).status_code == 302
    assert here.get("/account/").status_code == 200
    assert there.get("/account/").status_code == 302
    assert try_in(visitor(), "li", PASSWORD).status_code == 200
    assert try_in(visitor(), "li", new).status_code == 302
    secret = pyotp.random_base32()
    actions.set_second_factor(User.objects.get(pk=user.pk), secret, pyotp.TOTP(secret).now())
    assert here.get("/account/").status_code == 302


@pytest.mark.parametrize("bad", ["short", "123456789012345", "li@example.org", "passwordpassword"[:11]])
def test_weak_passwords_are_refused(person: Person, bad: str) -> None:
    user = person("li")
    with pytest.raises(ValidationError):
        actions.set_password(user, bad, by=user)


def test_a_forgotten_password_is_set_by_a_link_that_works_once(person: Person) -> None:
    person("li")
    client = visitor()
    client.post("/forgot/", {"email": "li@example.org"})
    link = re.search(r"http://127.0.0.1:8000(/set-password/\S+)", mail.outbox[0].body)[1]  # type: ignore[index]
    form = client.get(link).url
    new = "quite another pass phrase"
    assert client.post(form, {"new_password1": new, "new_password2": new}).url == "/login/"
    assert try_in(visitor(), "li", new).status_code == 302
    assert "out of date" in visitor().get(link).content.decode()
    assert Event.objects.filter(verb="user.password_set").count() == 1


def test_an_administrator_adds_a_person_who_sets_their_own_password(administrator: User, lead: Organisation, signed_in: SignedIn) -> None:
    client = signed_in(administrator)
    made = client.post("/users/new/", {"username": "zhao", "name": "赵", "email": "", "language": "en"})
    assert client.post(made.url + "duty/", {"organisation": lead.pk, "role": "coordinator", "start": "2026-01-01", "end": ""}).status_code == 302
    page = client.post(made.url + "link/").content.decode()
    link = re.search(r"http://testserver(/set-password/[^<\s]+)", page)[1]  # type: ignore[index]
    own = visitor()
    form = own.get(link).url
    new = "quite another pass phrase"
    own.post(form, {"new_password1": new, "new_password2": new})
    assert try_in(own, "zhao", new).status_code == 302
    page = own.get("/account/").content.decode()
    assert "Coordinator" in page
    assert Event.objects.get(verb="duty.given", reason="", actor=administrator.pk).changes


def test_a_duty_holds_from_its_first_day_to_its_last(person: Person, lead: Organisation) -> None:
    user = person("li")
    actions.give_duty(user, lead, Role.LEADER, start=date(2026, 3, 1), end=date(2026, 3, 31), by=None)
    for day, holds in (("2026-02-28", False), ("2026-03-01", True), ("2026-03-31", True), ("2026-04-01", False)):
        assert Duty.objects.current(date.fromisoformat(day)).filter(user=user).exists() is holds


def test_a_duty_is_not_given_twice_for_the_same_time(person: Person, lead: Organisation) -> None:
    user = person("li", (lead, Role.LEADER))
    with pytest.raises(Refused, match=r"already held|已"):
        actions.give_duty(user, lead, Role.LEADER, start=date(2026, 1, 1), by=None)
    with pytest.raises(IntegrityError), transaction.atomic():
        Duty.objects.create(user=user, organisation=lead, role=Role.LEADER, start=date(2026, 1, 1))


def test_the_last_day_of_a_duty_is_not_before_the_first(person: Person, lead: Organisation) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Duty.objects.create(user=person("li"), organisation=lead, role=Role.LEADER, start=date(2026, 1, 2), end=date(2026, 1, 1))


def test_an_ended_duty_opens_nothing_from_the_next_day_on(person: Person, lead: Organisation, administrator: User, signed_in: SignedIn) -> None:
    other = person("other", (lead, Role.ADMINISTRATOR))
    client = signed_in(other)
    assert client.get("/users/").status_code == 200
    actions.end_duty(other.duties.get(), on=clock.today() - timedelta(1), by=administrator)
    assert client.get("/users/").status_code == 404


@pytest.mark.parametrize(("page", "make"), [("/users/", "people"), ("/organisations/", "places")])
def test_lists_take_as_many_queries_with_thirty_rows_as_with_one(
    page: str, make: str, administrator: User, lead: Organisation, person: Person, organisation: Callable[..., Organisation], signed_in: SignedIn,
    django_assert_num_queries: Any,
) -> None:  # fmt: skip
    client = signed_in(administrator)
    budget = {"people": 5, "places": 4}[make]
    with django_assert_num_queries(budget):
        client.get(page)
    for k in range(30):
        person(f"p{k}", (lead, Role.LEADER)) if make == "people" else organisation(f"o{k}", Kind.CITY, parent=lead)
    with django_assert_num_queries(budget):
        assert client.get(page).status_code == 200


def test_the_language_of_a_person_comes_with_them(person: Person) -> None:
    person("en", language="en")
    person("zh", language="zh-hans")
    for name, words in (("en", "My duties"), ("zh", "我的职责")):
        client = Client()
        try_in(client, name, PASSWORD)
        assert words in client.get("/account/").content.decode()
