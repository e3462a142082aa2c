"""Organisations, users, duties with dates, and the buckets of the rate limits."""

from __future__ import annotations

from datetime import date
from typing import ClassVar

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.db import models
from django.db.models import Q
from django.utils.crypto import salted_hmac
from django.utils.functional import cached_property
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from biaochi_server import clock
from biaochi_server.people.states import Kind, Role


class Organisation(models.Model):
    """A lead office, department, city or county."""

    code = models.CharField(_("Code"), max_length=20, unique=True)
    name_zh = models.CharField(_("Chinese name"), max_length=100)
    name_en = models.CharField(_("English name"), max_length=150)
    kind = models.CharField(_("Kind"), max_length=12, choices=Kind.choices)
    unit = models.CharField(_("Unit it reports for"), max_length=20, blank=True)
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children", verbose_name=_("Part of"))
    active = models.BooleanField(_("Active"), default=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["code"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=Q(kind__in=Kind.values), name="organisation_kind_is_known"),
            models.CheckConstraint(condition=~Q(parent=models.F("pk")), name="organisation_not_its_own_parent"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The name in the language of the page."""
        return self.name_en if (get_language() or "").startswith("en") else self.name_zh


class Users(BaseUserManager["User"]):
    """Users are found by their exact user name."""


class User(AbstractBaseUser):
    """A person who signs in. What they may do follows from their duties alone."""

    username = models.CharField(_("User name"), max_length=60, unique=True, validators=[UnicodeUsernameValidator()])
    name = models.CharField(_("Name"), max_length=60)
    email = models.EmailField(_("E-mail"), blank=True)
    language = models.CharField(_("Language"), max_length=10, choices=settings.LANGUAGES, default="zh-hans")
    is_active = models.BooleanField(_("Active"), default=True)
    totp_secret = models.CharField(max_length=64, blank=True)
    totp_last = models.BigIntegerField(default=0)

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    objects = Users()

    class Meta:
        ordering: ClassVar[list[str]] = ["username"]

    def __str__(self) -> str:
        return f"{self.name} ({self.username})"

    @cached_property
    def held(self) -> list[Duty]:
        """The duties held now, with their organisations."""
        return list(Duty.objects.current().filter(user=self).select_related("organisation"))

    def has(self, *roles: str) -> bool:
        """Whether one of these roles is held now, anywhere."""
        return any(d.role in roles for d in self.held)

    def organisations(self, *roles: str) -> set[int]:
        """Keys of the organisations in which one of these roles is held now."""
        return {d.organisation_id for d in self.held if d.role in roles}

    @property
    def duty_words(self) -> str:
        """The duties held, for the journal: ``reporter 140100; reviewer 140100``."""
        return "; ".join(f"{d.role} {d.organisation.code}" for d in self.held)

    @property
    def must_have_second_factor(self) -> bool:
        """Whether a role held now demands a second factor."""
        return self.has(*settings.SECOND_FACTOR_ROLES)

    def get_session_auth_hash(self) -> str:
        """Changes with password and second factor, so that other sessions end when either changes."""
        return salted_hmac("biaochi.session", self.password + self.totp_secret, algorithm="sha256").hexdigest()

    def get_session_auth_fallback_hash(self) -> list[str]:
        """No keys of the past."""
        return []


class Duties(models.QuerySet["Duty"]):
    """Duties, by when they hold."""

    def current(self, on: date | None = None) -> Duties:
        """Those that hold on a day, of organisations that are active."""
        day = on or clock.today()
        return self.filter(Q(end=None) | Q(end__gte=day), start__lte=day, organisation__active=True)


class Duty(models.Model):
    """A role that a user holds in an organisation, from a day to a day (inclusive)."""

    user = models.ForeignKey(User, models.PROTECT, related_name="duties", verbose_name=_("User"))
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="duties", verbose_name=_("Organisation"))
    role = models.CharField(_("Role"), max_length=15, choices=Role.choices)
    start = models.DateField(_("From"))
    end = models.DateField(_("Until"), null=True, blank=True)

    objects = Duties.as_manager()

    class Meta:
        ordering: ClassVar[list[str]] = ["organisation__code", "role", "start"]
        verbose_name_plural = "duties"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=Q(end=None) | Q(end__gte=models.F("start")), name="duty_ends_after_it_starts"),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="duty_role_is_known"),
            models.UniqueConstraint(fields=["user", "organisation", "role"], condition=Q(end=None), name="duty_held_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user.username} {self.role} {self.organisation.code}"


class Bucket(models.Model):
    """What is left of a rate limit: filled again as time goes by."""

    key = models.CharField(max_length=64, primary_key=True)
    left = models.FloatField()
    at = models.DateTimeField()
