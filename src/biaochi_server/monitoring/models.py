"""What is asked, of whom, for when; what was answered and what was approved."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from biaochi_server import clock
from biaochi_server.monitoring.states import EDITABLE, Ask, CellState, RoundState, State
from biaochi_server.people.models import Organisation, User
from biaochi_server.people.states import Role
from biaochi_server.plain.checks import Limits

Constraints = ClassVar[list[models.BaseConstraint]]


def in_language(zh: str, en: str) -> str:
    """The text for the language of the page; the other one where it is missing."""
    return (en or zh) if (get_language() or "").startswith("en") else (zh or en)


class FrameworkEdition(models.Model):
    """One version of an indicator tree with its recipe, as imported from an engine project."""

    index = models.CharField(_("Index"), max_length=40)
    number = models.PositiveIntegerField(_("Version"))
    title_zh = models.CharField(max_length=200)
    title_en = models.CharField(max_length=200)
    notice_zh = models.TextField(blank=True)
    notice_en = models.TextField(blank=True)
    recipe = models.TextField()
    fingerprint = models.CharField(max_length=64)
    imported_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar[list[str]] = ["index", "-number"]
        constraints: Constraints = [models.UniqueConstraint(fields=["index", "number"], name="edition_number_once")]

    def __str__(self) -> str:
        return f"{self.title} v{self.number}"

    @property
    def title(self) -> str:
        """In the language of the page."""
        return in_language(self.title_zh, self.title_en)

    @property
    def notice(self) -> str:
        """What must be said wherever its figures show."""
        return in_language(self.notice_zh, self.notice_en)


class Indicator(models.Model):
    """A node of the tree; a leaf is what is reported."""

    edition = models.ForeignKey(FrameworkEdition, models.CASCADE, related_name="indicators")
    code = models.CharField(_("Code"), max_length=40)
    parent_code = models.CharField(max_length=40, blank=True)
    position = models.PositiveIntegerField()
    level = models.PositiveSmallIntegerField()
    leaf = models.BooleanField()
    name_zh = models.CharField(max_length=200)
    name_en = models.CharField(max_length=200)
    unit = models.CharField(_("Unit"), max_length=40, blank=True)
    direction = models.CharField(max_length=10, blank=True)
    weight = models.CharField(max_length=40, blank=True)
    frequency = models.CharField(max_length=1, default="A")
    owner = models.ForeignKey(Organisation, models.PROTECT, null=True, related_name="owned")
    by_cities = models.BooleanField(default=False)
    sums_up = models.BooleanField(default=False)
    whole = models.BooleanField(default=False)
    low = models.CharField(max_length=40, blank=True)
    high = models.CharField(max_length=40, blank=True)
    jump = models.CharField(max_length=10, default="30")
    definition_zh = models.TextField(blank=True)
    definition_en = models.TextField(blank=True)
    source_zh = models.TextField(blank=True)
    source_en = models.TextField(blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["edition", "position"]
        constraints: Constraints = [models.UniqueConstraint(fields=["edition", "code"], name="indicator_code_once")]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"

    @property
    def name(self) -> str:
        """In the language of the page."""
        return in_language(self.name_zh, self.name_en)

    @property
    def definition(self) -> str:
        """In the language of the page."""
        return in_language(self.definition_zh, self.definition_en)

    @property
    def source(self) -> str:
        """In the language of the page."""
        return in_language(self.source_zh, self.source_en)

    @property
    def limits(self) -> Limits:
        """What the checks need to know of it."""
        low, high = (Decimal(t) if t else None for t in (self.low, self.high))
        return Limits(low, high, self.whole, Decimal(self.jump))


class Day(models.Model):
    """A day that differs from the week: a holiday, or a weekend worked instead."""

    date = models.DateField(primary_key=True)
    worked = models.BooleanField()
    name = models.CharField(max_length=40)


class Round(models.Model):
    """A set of indicators asked of organisations for a period, with its dates."""

    edition = models.ForeignKey(FrameworkEdition, models.PROTECT, related_name="rounds")
    period = models.CharField(_("Period"), max_length=10)
    title_zh = models.CharField(max_length=200)
    title_en = models.CharField(max_length=200)
    opens = models.DateTimeField(_("Opens"))
    due = models.DateTimeField(_("Due"))
    closes = models.DateTimeField(_("Closes"))
    state = models.CharField(max_length=10, choices=RoundState.choices, default=RoundState.PLANNED)

    class Meta:
        ordering: ClassVar[list[str]] = ["-period", "pk"]
        constraints: Constraints = [
            models.CheckConstraint(condition=Q(opens__lt=F("due"), due__lte=F("closes")), name="round_dates_in_order"),
            models.CheckConstraint(condition=Q(state__in=RoundState.values), name="round_state_is_known"),
            models.UniqueConstraint(fields=["edition", "period"], name="round_once_a_period"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def title(self) -> str:
        """In the language of the page."""
        return in_language(self.title_zh, self.title_en)

    def takes_figures(self, now: datetime | None = None) -> bool:
        """Whether figures can be written and submitted: open, and the server's clock is inside its window."""
        return self.state == RoundState.OPEN and self.opens <= (now or clock.now()) < self.closes


class Submissions(models.QuerySet["Submission"]):
    """Submissions, by who may see them."""

    def visible_to(self, user: User) -> Submissions:
        """Those a user's duties open: own organisation's, those with cells to review, or all."""
        if user.has(Role.COORDINATOR, Role.LEADER):
            return self
        mine = Q(organisation__in=user.organisations(Role.REPORTER, Role.REVIEWER))
        return self.filter(mine | Q(pk__in=Cell.objects.filter(reviewer__in=user.organisations(Role.REVIEWER)).values("submission")))

    def reportable_by(self, user: User) -> Submissions:
        """Those a user fills in."""
        return self.filter(organisation__in=user.organisations(Role.REPORTER))


class Submission(models.Model):
    """What one organisation owes in one round."""

    round = models.ForeignKey(Round, models.PROTECT, related_name="submissions")
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="submissions")
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    first_submitted_at = models.DateTimeField(null=True)
    submitted_at = models.DateTimeField(null=True)
    reminded_at = models.DateTimeField(null=True)

    objects = Submissions.as_manager()

    class Meta:
        ordering: ClassVar[list[str]] = ["round", "organisation__code"]
        constraints: Constraints = [
            models.UniqueConstraint(fields=["round", "organisation"], name="submission_once"),
            models.CheckConstraint(condition=Q(state__in=State.values), name="submission_state_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.round.title} {self.organisation.name}"


class Cells(models.QuerySet["Cell"]):
    """Cells, by who may see them."""

    def visible_to(self, user: User) -> Cells:
        """Those of one's own organisation, those to review, or all."""
        if user.has(Role.COORDINATOR, Role.LEADER):
            return self
        mine = Q(submission__organisation__in=user.organisations(Role.REPORTER, Role.REVIEWER))
        return self.filter(mine | Q(reviewer__in=user.organisations(Role.REVIEWER)))

    def reviewable_by(self, user: User) -> Cells:
        """Those whose reviewing organisation one reviews for."""
        return self.filter(reviewer__in=user.organisations(Role.REVIEWER))


class Cell(models.Model):
    """One figure asked: the text as typed, its exact value, and what was last approved."""

    submission = models.ForeignKey(Submission, models.PROTECT, related_name="cells")
    indicator = models.ForeignKey(Indicator, models.PROTECT, related_name="cells")
    unit = models.CharField(max_length=20)
    reviewer = models.ForeignKey(Organisation, models.PROTECT, related_name="reviews")
    state = models.CharField(max_length=10, choices=CellState.choices, default=CellState.OPEN)
    text = models.CharField(max_length=60, blank=True)
    value = models.CharField(max_length=60, blank=True)
    note = models.TextField(_("Explanation"), blank=True)
    noted_for = models.CharField(max_length=60, blank=True)
    message = models.TextField(blank=True)
    version = models.PositiveIntegerField(default=0)
    edited_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    edited_at = models.DateTimeField(null=True)
    submitted_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    approved_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    approved_at = models.DateTimeField(null=True)
    approved_text = models.CharField(max_length=60, blank=True)
    vintage = models.PositiveIntegerField(default=0)

    objects = Cells.as_manager()

    class Meta:
        ordering: ClassVar[list[str]] = ["submission", "indicator__position", "unit"]
        constraints: Constraints = [
            models.UniqueConstraint(fields=["submission", "indicator", "unit"], name="cell_once"),
            models.CheckConstraint(condition=Q(state__in=CellState.values), name="cell_state_is_known"),
            models.CheckConstraint(
                condition=~Q(state=CellState.APPROVED) | (~Q(approved_by=F("submitted_by")) & ~Q(approved_by=F("edited_by"))),
                name="cell_not_approved_by_its_reporter",
            ),
            models.CheckConstraint(condition=~Q(state=CellState.APPROVED) | Q(approved_text=F("text"), vintage__gt=0), name="cell_approved_as_it_stands"),
        ]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["reviewer", "state"], name="cell_to_review")]

    def __str__(self) -> str:
        return self.key

    @property
    def key(self) -> str:
        """What the journal calls it: indicator and unit."""
        return f"{self.indicator.code} {self.unit}"

    @property
    def editable(self) -> bool:
        """Whether its state lets it be written."""
        return self.state in EDITABLE

    @property
    def explained(self) -> bool:
        """Whether an explanation was given for the value it holds now."""
        return bool(self.note.strip()) and self.noted_for == (self.value or self.text)


class UnlockRequest(models.Model):
    """A reporter's wish to correct one approved cell."""

    cell = models.ForeignKey(Cell, models.PROTECT, related_name="unlock_requests")
    state = models.CharField(max_length=10, choices=Ask.choices, default=Ask.ASKED)
    reason = models.TextField()
    asked_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    answered_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    answer = models.TextField(blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["pk"]
        constraints: Constraints = [
            models.UniqueConstraint(fields=["cell"], condition=Q(state="asked"), name="unlock_asked_once"),
            models.CheckConstraint(condition=Q(answered_by=None) | ~Q(answered_by=F("asked_by")), name="unlock_answered_by_another"),
        ]

    def __str__(self) -> str:
        return f"{self.cell}: {self.reason}"


class Observations(models.QuerySet["Observation"]):
    """Observations, by who may see them."""

    def visible_to(self, user: User) -> Observations:
        """Those of one's own unit, those of indicators one's organisation owns, or all."""
        if user.has(Role.COORDINATOR, Role.LEADER):
            return self
        mine = user.organisations(Role.REPORTER, Role.REVIEWER)
        owned = Indicator.objects.filter(owner__in=mine, leaf=True, code=OuterRef("indicator"), edition__index=OuterRef("index"))
        return self.filter(Q(unit__in=Organisation.objects.filter(pk__in=mine).exclude(unit="").values("unit")) | Exists(owned))


class Observation(models.Model):
    """An approved or imported value: insert-only; a correction is the next vintage."""

    index = models.CharField(max_length=40)
    indicator = models.CharField(max_length=40)
    unit = models.CharField(max_length=20)
    period = models.CharField(max_length=10)
    vintage = models.PositiveIntegerField()
    value = models.CharField(max_length=60)
    source = models.TextField(blank=True)
    cell = models.ForeignKey(Cell, models.PROTECT, null=True, related_name="observations")
    reason = models.TextField(blank=True)
    at = models.DateTimeField()

    objects = Observations.as_manager()

    class Meta:
        constraints: Constraints = [models.UniqueConstraint(fields=["index", "indicator", "unit", "period", "vintage"], name="observation_vintage_once")]

    def __str__(self) -> str:
        return f"{self.indicator} {self.unit} {self.period} = {self.value}"


class Upload(models.Model):
    """A workbook that came back, kept as it was, with what was wrong with it: insert-only."""

    submission = models.ForeignKey(Submission, models.PROTECT, related_name="uploads")
    name = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    content = models.BinaryField()
    by = models.ForeignKey(User, models.PROTECT, related_name="+")
    at = models.DateTimeField()
    troubles = models.JSONField(default=list)
    cells = models.PositiveIntegerField(default=0)

    class Meta:
        ordering: ClassVar[list[str]] = ["-pk"]

    def __str__(self) -> str:
        return self.name

    @property
    def taken(self) -> bool:
        """Whether its figures were taken into the draft."""
        return not self.troubles
