"""Reads of monitoring: the grid with its comparisons and checks, the board, what waits on whom."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from biaochi_server import bridge, clock
from biaochi_server.monitoring.models import Cell, Day, FrameworkEdition, Indicator, Observation, Round, Submission, UnlockRequest, Upload
from biaochi_server.monitoring.states import EDITABLE, Ask, CellState, RoundState
from biaochi_server.people.models import Organisation, User
from biaochi_server.people.states import Kind
from biaochi_server.plain import checks
from biaochi_server.plain.checks import Finding
from biaochi_server.plain.numbers import growth, read
from biaochi_server.plain.workdays import Calendar

Key = tuple[str, str]  # indicator code, unit


@dataclass(frozen=True)
class Row:
    """One cell of a grid with everything shown beside it."""

    cell: Cell
    unit_name: str
    last: str
    year_ago: str
    change: Decimal | None
    findings: tuple[Finding, ...]

    @property
    def hard(self) -> bool:
        """Whether something blocks submission."""
        return any(f.severity == checks.HARD for f in self.findings)

    @property
    def unexplained(self) -> bool:
        """Whether something asks for an explanation that is not given yet."""
        return any(f.severity == checks.SOFT for f in self.findings) and not self.cell.explained

    @property
    def ready(self) -> bool:
        """Whether it can be submitted."""
        return not self.hard and not self.unexplained

    @property
    def growing(self) -> bool:
        """Whether growth says something: not for shares and growth rates themselves."""
        return self.change is not None


def calendar() -> Calendar:
    """The working-day calendar."""
    return Calendar(dict(Day.objects.values_list("date", "worked")))


def unit_names() -> dict[str, str]:
    """Names of the units, by code."""
    return {o.unit: o.name for o in Organisation.objects.exclude(unit="")}


def province() -> str:
    """The unit of which the cities are parts."""
    return Organisation.objects.filter(kind=Kind.LEAD).exclude(unit="").values_list("unit", flat=True).first() or ""


def past(index: str, codes: Iterable[str], units: Iterable[str], periods: Sequence[str]) -> dict[Key, dict[str, str]]:
    """Newest vintages of earlier values: (indicator, unit) -> period -> value."""
    found: dict[Key, dict[str, str]] = defaultdict(dict)
    rows = Observation.objects.filter(index=index, indicator__in=set(codes), unit__in=set(units), period__in=periods).order_by("vintage")
    for indicator, unit, period, value in rows.values_list("indicator", "unit", "period", "value"):
        found[indicator, unit][period] = value
    return found


def before(period: str, n: int) -> list[str]:
    """The ``n`` periods before one, oldest first."""
    found: list[str] = []
    for _ in range(n):
        period = bridge.previous(period)
        found.append(period)
    return found[::-1]


def number(text: str) -> Decimal | None:
    """The number a stored text holds."""
    return read(text).value


def rows(cells: Iterable[Cell], *, parts: Mapping[Key, Mapping[str, str]] | None = None, memory: int = 13) -> list[Row]:
    """Cells of one round with comparisons and findings, in the order of the framework.

    Parameters
    ----------
    cells : with submission, round, edition and indicator at hand.
    parts : values of the parts of the whole, by (indicator, ""): unit -> text; see ``city_values``.
    """
    found = sorted(cells, key=lambda c: (c.indicator.position, c.unit))
    if not found:
        return []
    period = found[0].submission.round.period
    index = found[0].submission.round.edition.index
    earlier = before(period, memory)
    history = past(index, (c.indicator.code for c in found), (c.unit for c in found), [*earlier, bridge.year_before(period)])
    names = unit_names()
    return [_row(c, names.get(c.unit, c.unit), history[c.indicator.code, c.unit], earlier, (parts or {}).get((c.indicator.code, c.unit), {})) for c in found]


def _row(cell: Cell, name: str, history: Mapping[str, str], earlier: Sequence[str], parts: Mapping[str, str]) -> Row:
    period = cell.submission.round.period
    last, year_ago = history.get(bridge.previous(period), ""), history.get(bridge.year_before(period), "")
    limits = cell.indicator.limits
    findings = list(checks.hard(cell.text, limits, required=True))
    value = number(cell.text)
    if not findings:
        series = [v for p in earlier if (v := number(history.get(p, ""))) is not None]
        findings += checks.soft(value, limits, last=number(last), year_ago=number(year_ago), past=series)
        if parts and (difference := checks.sums(value, [number(t) for t in parts.values()], limits)):
            findings.append(difference)
    change = None if "%" in cell.indicator.unit else growth(value, number(year_ago))
    return Row(cell, name, last, year_ago, change, tuple(findings))


def city_values(round_: Round, cells: Sequence[Cell]) -> dict[Key, dict[str, str]]:
    """For the province's cells of indicators that sum up: what the cities reported and submitted, or this submission holds."""
    whole = province()
    asked = {c.indicator.code for c in cells if c.unit == whole and c.indicator.sums_up}
    if not asked:
        return {}
    cities = list(Organisation.objects.filter(kind=Kind.CITY, active=True).exclude(unit="").values_list("unit", flat=True))
    found: dict[Key, dict[str, str]] = {(code, whole): dict.fromkeys(cities, "") for code in asked}
    shown = Q(state__in=(CellState.SUBMITTED, CellState.APPROVED)) | Q(submission=cells[0].submission_id)
    texts = Cell.objects.filter(shown, submission__round=round_, indicator__code__in=asked, unit__in=cities)
    for code, unit, text in texts.values_list("indicator__code", "unit", "text"):
        found[code, whole][unit] = text
    return found


def grid(submission: Submission, user: User | None = None) -> list[Row]:
    """All cells of a submission; only those a user may see, if one is given."""
    cells = Cell.objects.filter(submission=submission)
    if user is not None:
        cells = cells.visible_to(user)
    found = list(cells.select_related("indicator", "reviewer", "submission__round__edition"))
    return rows(found, parts=city_values(submission.round, found))


def with_progress(submissions: QuerySet[Submission], user: User | None = None) -> QuerySet[Submission]:
    """Add counts: asked, filled, returned, waiting; only of the cells a user may see, if one is given."""
    seen = Q() if user is None else Q(cells__in=Cell.objects.visible_to(user))
    return submissions.select_related("round__edition", "organisation").annotate(
        asked=Count("cells", filter=seen),
        filled=Count("cells", filter=seen & ~Q(cells__text="")),
        sent_back=Count("cells", filter=seen & Q(cells__state__in=(CellState.RETURNED, CellState.UNLOCKED))),
        to_fill=Count("cells", filter=seen & Q(cells__state__in=EDITABLE)),
        waiting=Count("cells", filter=seen & Q(cells__state=CellState.SUBMITTED)),
        done=Count("cells", filter=seen & Q(cells__state=CellState.APPROVED)),
    )


def owed(user: User) -> list[Submission]:
    """What a reporter still owes: returned first, then by due date."""
    mine = with_progress(Submission.objects.reportable_by(user).filter(round__state=RoundState.OPEN)).filter(to_fill__gt=0)
    return sorted(mine, key=lambda s: (not s.sent_back, s.round.due))


def inbox(user: User) -> QuerySet[Submission]:
    """Submissions with cells that wait on a reviewer."""
    mine = user.organisations("reviewer")
    waiting = Q(cells__state=CellState.SUBMITTED, cells__reviewer__in=mine)
    return (
        Submission.objects.filter(waiting).select_related("round__edition", "organisation")
        .annotate(waiting=Count("cells", distinct=True), changed=Count("cells", filter=Q(cells__vintage__gt=0), distinct=True)).order_by("submitted_at")
    )  # fmt: skip


def asked_unlocks(user: User) -> QuerySet[UnlockRequest]:
    """Wishes to unlock that wait on a reviewer."""
    return UnlockRequest.objects.filter(state=Ask.ASKED, cell__reviewer__in=user.organisations("reviewer")).select_related(
        "cell__indicator", "cell__submission__round__edition", "cell__submission__organisation", "asked_by"
    )


@dataclass(frozen=True)
class Standing:
    """One organisation on the round's board."""

    submission: Submission
    waits_on: str
    by_when: datetime | date
    late: bool


def waited_for(submission: Submission, reviewers: Sequence[str]) -> str:
    """Who acts next, by name."""
    if submission.to_fill:  # type: ignore[attr-defined]
        return submission.organisation.name
    return "、".join(reviewers)


def board(round_: Round) -> list[Standing]:
    """Every organisation of a round: progress, who is waited for, whether it is late; longest waited for first."""
    found = list(with_progress(Submission.objects.filter(round=round_)))
    reviewers: dict[int, list[str]] = defaultdict(list)
    waiting = Cell.objects.filter(submission__round=round_, state=CellState.SUBMITTED).values_list("submission", "reviewer").distinct()
    names = {o.pk: o.name for o in Organisation.objects.all()}
    for submission, reviewer in waiting:
        reviewers[submission].append(names[reviewer])
    review_days = calendar().add(round_.due.date(), 5)
    out = []
    for s in found:
        by_when: datetime | date = round_.due if s.to_fill else review_days  # type: ignore[attr-defined]
        late = bool(s.to_fill and (s.first_submitted_at is None) and clock.now() > round_.due)  # type: ignore[attr-defined]
        out.append(Standing(s, waited_for(s, reviewers[s.pk]), by_when, late))
    return sorted(out, key=lambda t: (not t.late, not t.submission.to_fill, not t.submission.waiting, t.submission.organisation.code))  # type: ignore[attr-defined]


def remind_since(round_: Round, before_due: Sequence[int]) -> datetime | None:
    """Since when reminders of a round are due: nine o'clock of the last of these working days before the due day that has come; None before all."""
    days, due, now = calendar(), timezone.localdate(round_.due), clock.now()
    moments = [timezone.make_aware(datetime.combine(days.add(due, -n), time(9))) for n in before_due]
    return max((m for m in moments if round_.opens <= m <= now), default=None)


def to_remind(before_due: Sequence[int]) -> list[Submission]:
    """Submissions still owed whose reporters were not reminded since the last reminder was due."""
    found = []
    for round_ in Round.objects.filter(state=RoundState.OPEN):
        since = remind_since(round_, before_due)
        if since is not None and round_.takes_figures():
            not_yet = Q(reminded_at=None) | Q(reminded_at__lt=since)
            found += list(with_progress(Submission.objects.filter(not_yet, round=round_)).filter(to_fill__gt=0))
    return found


def timely(submission: Submission) -> bool | None:
    """Whether it was first submitted by the due date; None while it is neither submitted nor due."""
    if submission.first_submitted_at:
        return submission.first_submitted_at <= submission.round.due
    return False if clock.now() > submission.round.due else None


def burden(round_: Round) -> dict[int, int]:
    """Cells asked of each organisation in the year of a round, over all rounds."""
    year = bridge.end_of(round_.period).year
    asked = Cell.objects.filter(submission__round__period__startswith=str(year)).values_list("submission__organisation").annotate(n=Count("pk"))
    return dict(asked)


def asked_twice(round_: Round) -> list[tuple[str, str]]:
    """Figures of a round that another round asks for the same unit and period: (indicator, other round)."""
    mine = Cell.objects.filter(submission__round=round_)
    keys = {(name, unit) for name, unit in mine.values_list("indicator__name_zh", "unit")}
    others = Cell.objects.filter(submission__round__period=round_.period, indicator__name_zh__in={n for n, _ in keys}).exclude(submission__round=round_)
    found = others.values_list("indicator__name_zh", "unit", "submission__round__title_zh").distinct()
    return sorted({(name, title) for name, unit, title in found if (name, unit) in keys})


def series(indicator: Indicator, observations: QuerySet[Observation]) -> list[Observation]:
    """The newest vintage of each of some approved or imported values of an indicator, by period."""
    newest: dict[tuple[str, str], Observation] = {}
    for o in observations.filter(index=indicator.edition.index, indicator=indicator.code).order_by("period", "vintage"):
        newest[o.unit, o.period] = o
    return list(newest.values())


def cells_in_conflict(upload: Upload) -> list[Cell]:
    """The cells that someone else had changed when a workbook came in."""
    keys = {t["facts"].get("key") for t in upload.troubles if t["rule"] == "conflict"}
    return [c for c in Cell.objects.filter(submission=upload.submission).select_related("indicator") if c.key in keys] if keys else []


COMPARED = ("name_zh", "name_en", "unit", "direction", "weight", "frequency", "parent_code", "low", "high", "definition_zh", "source_zh")


def differences(old: FrameworkEdition, new: FrameworkEdition) -> list[tuple[str, str, str, str]]:
    """What differs between two editions: (code, field, before, after); a whole node as field ``""``."""
    a, b = ({i.code: i for i in e.indicators.all()} for e in (old, new))
    found = [(code, "", str(a.get(code, "")), str(b.get(code, ""))) for code in sorted(a.keys() ^ b.keys())]
    for code in sorted(a.keys() & b.keys()):
        found += [(code, f, x, y) for f in COMPARED if (x := getattr(a[code], f)) != (y := getattr(b[code], f))]
    if old.recipe != new.recipe:
        found.append(("", "recipe", old.recipe, new.recipe))
    return found
