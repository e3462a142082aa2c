"""All writes about people: organisations, users, duties, passwords, second factors, rate limits."""

from __future__ import annotations

import hashlib
import time
from datetime import date

import pyotp
from django.contrib.auth.password_validation import validate_password
from django.db.models import Q
from django.utils.translation import gettext as _

from biaochi_server import clock
from biaochi_server.database import write
from biaochi_server.journal.actions import record
from biaochi_server.later import later
from biaochi_server.moves import Refused
from biaochi_server.people.models import Bucket, Duty, Organisation, User

SHOWN = {"organisation": ("code", "name_zh", "name_en", "kind", "unit", "parent_id", "active"), "user": ("username", "name", "email", "language", "is_active")}


def _values(thing: Organisation | User, what: str) -> dict[str, object]:
    return {f: getattr(thing, f) for f in SHOWN[what]}


@write
def save_organisation(organisation: Organisation, *, by: User | None) -> Organisation:
    """Add an organisation or change it."""
    old = Organisation.objects.select_for_update().filter(pk=organisation.pk).first()
    organisation.full_clean()
    organisation.save()
    verb = "organisation.changed" if old else "organisation.added"
    record(verb, organisation, by=by, before=_values(old, "organisation") if old else None, after=_values(organisation, "organisation"))
    return organisation


@write
def save_user(user: User, *, by: User | None, password: str | None = None, hashed: str = "") -> User:
    """Add a user or change one; a new user without a password (or its hash) can only set one by a link."""
    old = User.objects.select_for_update().filter(pk=user.pk).first()
    if old is None:
        user.set_password(password) if password else user.set_unusable_password()
        user.password = hashed or user.password
    user.full_clean(exclude=["password"])
    user.save()
    record("user.changed" if old else "user.added", user, by=by, before=_values(old, "user") if old else None, after=_values(user, "user"))
    return user


@write
def set_active(user: User, active: bool, *, by: User, reason: str) -> User:
    """Disable a user, whose sessions end at once, or let them in again."""
    user = User.objects.select_for_update().get(pk=user.pk)
    if user.pk == by.pk:
        raise Refused(_("You can't disable yourself; ask another administrator."))
    before, user.is_active = user.is_active, active
    user.save(update_fields=["is_active"])
    record("user.enabled" if active else "user.disabled", user, by=by, before={"is_active": before}, after={"is_active": active}, reason=reason)
    return user


@write
def give_duty(user: User, organisation: Organisation, role: str, *, start: date, end: date | None = None, by: User | None) -> Duty:
    """Give a user a role in an organisation. Refuses one that is already held."""
    overlapping = Duty.objects.filter(Q(end=None) | Q(end__gte=start), user=user, organisation=organisation, role=role)
    if end:
        overlapping = overlapping.filter(start__lte=end)
    if overlapping.exists():
        raise Refused(_("This duty is already held in that time; end it first."))
    duty = Duty(user=user, organisation=organisation, role=role, start=start, end=end)
    duty.full_clean()
    duty.save()
    record("duty.given", duty, by=by, after={"role": role, "organisation": organisation.code, "user": user.username, "start": start, "end": end})
    return duty


@write
def end_duty(duty: Duty, *, on: date, by: User) -> Duty:
    """End a duty on a day."""
    duty = Duty.objects.select_for_update().select_related("user", "organisation").get(pk=duty.pk)
    before, duty.end = duty.end, on
    duty.full_clean()
    duty.save(update_fields=["end"])
    record("duty.ended", duty, by=by, before={"end": before}, after={"end": on})
    return duty


@write
def set_password(user: User, password: str, *, by: User) -> User:
    """Set a password that passes the rules; all other sessions of the user end."""
    validate_password(password, user)
    user.set_password(password)
    user.save(update_fields=["password"])
    record("user.password_set", user, by=by)
    return user


@write
def ask_reset(address: str) -> None:
    """Have a link to set a new password sent to whoever has this address: the same work whether or not anyone has."""
    later("forgotten", address=address)


@write
def set_language(user: User, language: str) -> None:
    """Remember the language of the screens; a matter of taste, not journalled."""
    User.objects.filter(pk=user.pk).update(language=language)


@write
def set_second_factor(user: User, secret: str, code: str) -> User:
    """Turn the second factor on, after a code shows that the device has the secret."""
    if not _step_of(secret, code):
        raise Refused(_("This code does not fit. Is the clock of your device right?"))
    user.totp_secret, user.totp_last = secret, _step_of(secret, code)
    user.save(update_fields=["totp_secret", "totp_last"])
    record("user.second_factor_on", user, by=user)
    return user


@write
def reset_second_factor(user: User, *, by: User, reason: str) -> User:
    """Turn the second factor off for someone who lost the device; their sessions end."""
    user = User.objects.select_for_update().get(pk=user.pk)
    user.totp_secret, user.totp_last = "", 0
    user.save(update_fields=["totp_secret", "totp_last"])
    record("user.second_factor_off", user, by=by, reason=reason)
    return user


def _step_of(secret: str, code: str) -> int:
    """The 30-second step a code belongs to: this one or a neighbour; 0 if none."""
    totp, now = pyotp.TOTP(secret), int(time.time()) // 30
    code = "".join(code.split())
    return next((s for s in (now, now - 1, now + 1) if pyotp.utils.strings_equal(totp.generate_otp(s), code)), 0)


@write
def use_code(user: User, code: str) -> bool:
    """Whether a code of the second factor is right; each can be used once only."""
    step = _step_of(user.totp_secret, code)
    return bool(step) and User.objects.filter(pk=user.pk, totp_secret=user.totp_secret, totp_last__lt=step).update(totp_last=step) == 1


@write
def signed_in(user: User, *, how: str) -> None:
    """Write down that someone signed in."""
    User.objects.filter(pk=user.pk).update(last_login=clock.now())
    record("user.signed_in", user, by=user, after={"how": how})


@write
def take(limit: str, who: str, *, capacity: float, seconds: float) -> bool:
    """Take one from a bucket that holds ``capacity`` and fills up in ``seconds``; False when it is empty."""
    key = hashlib.sha256(f"{limit}|{who.casefold()}".encode()).hexdigest()
    now = clock.now()
    bucket, _new = Bucket.objects.select_for_update().get_or_create(key=key, defaults={"left": capacity, "at": now})
    gained = max((now - bucket.at).total_seconds(), 0) * capacity / seconds
    left = min(capacity, bucket.left + gained)
    allowed = left >= 1
    bucket.left, bucket.at = left - 1 if allowed else left, now
    bucket.save(update_fields=["left", "at"])
    return allowed
