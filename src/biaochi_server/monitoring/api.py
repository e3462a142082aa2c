"""Monitoring as data: what a person's duties open, as JSON. Read only; what writes goes through the pages."""

from datetime import datetime
from typing import Annotated, ClassVar

from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema
from ninja.pagination import LimitOffsetPagination, paginate
from pydantic import Field, StringConstraints

from biaochi_server.monitoring import queries
from biaochi_server.monitoring.models import Indicator, Observation, Round, Submission
from biaochi_server.people.views import me

router = Router(tags=["monitoring"])
Code = Annotated[str, StringConstraints(pattern=r"^[\w.:\-]{1,40}$")]


class Refusal(Schema):
    """Why there is no answer."""

    detail: str


class Wrong(Schema):
    """What is wrong with what was asked."""

    detail: list[dict[str, object]]


class Page(LimitOffsetPagination):
    """A hundred at once unless asked otherwise; a thousand at most."""

    class Input(LimitOffsetPagination.Input):
        """Which part of the whole."""

        limit: int = Field(100, ge=1, le=1000)
        offset: int = Field(0, ge=0, le=10**9)


class RoundOut(Schema):
    """A set of indicators asked of organisations for a period."""

    id: int
    index: str = Field(alias="edition.index")
    edition: int = Field(alias="edition.number")
    fingerprint: str = Field(alias="edition.fingerprint", description="Of the framework, as the engine computes it")
    period: str
    title_zh: str
    title_en: str
    opens: datetime
    due: datetime
    closes: datetime
    state: str


class SubmissionOut(Schema):
    """What one organisation owes in one round, and how far it is."""

    id: int
    round: int = Field(alias="round_id")
    organisation: str = Field(alias="organisation.code")
    state: str
    first_submitted_at: datetime | None
    submitted_at: datetime | None
    asked: int
    filled: int
    under_review: int = Field(alias="waiting")
    returned: int = Field(alias="sent_back")
    approved: int = Field(alias="done")


class CellOut(Schema):
    """One figure: the text as typed and its exact value."""

    indicator: str = Field(alias="indicator.code")
    unit: str
    measured_in: str = Field(alias="indicator.unit")
    text: str
    value: str = Field(description="The exact decimal, or a mark; a text, so that no digit is lost")
    state: str
    version: int
    note: str
    message: str


class IndicatorOut(Schema):
    """A node of the framework."""

    code: str
    parent: str = Field(alias="parent_code")
    leaf: bool
    name_zh: str
    name_en: str
    unit: str
    direction: str
    weight: str
    frequency: str
    definition_zh: str
    definition_en: str
    source_zh: str
    source_en: str


class ObservationOut(Schema):
    """An approved or imported value; a correction is the next vintage."""

    index: str
    indicator: str
    unit: str
    period: str
    vintage: int
    value: str
    source: str
    reason: str
    at: datetime


class ObservationsAsked(Schema):
    """Which observations."""

    model_config: ClassVar = {"extra": "forbid"}  # type: ignore[typeddict-item]
    index: Code | None = None
    indicator: Code | None = None
    unit: Code | None = None
    period: Code | None = None


@router.get("/rounds", response={200: list[RoundOut], 401: Refusal}, url_name="rounds")
def rounds(request: HttpRequest) -> QuerySet[Round]:
    """Rounds in which there is something for you to see."""
    mine = Submission.objects.visible_to(me(request))
    return Round.objects.filter(pk__in=mine.values("round")).select_related("edition")


@router.get("/submissions", response={200: list[SubmissionOut], 401: Refusal, 422: Wrong}, url_name="submissions")
@paginate(Page)
def submissions(request: HttpRequest) -> QuerySet[Submission]:
    """Submissions that your duties open, with their progress; of another organisation's only the cells that you review are counted."""
    user = me(request)
    return queries.with_progress(Submission.objects.visible_to(user), user)


@router.get("/submissions/{int:pk}/cells", response={200: list[CellOut], 401: Refusal, 404: Refusal}, url_name="cells")
def cells(request: HttpRequest, pk: int) -> QuerySet[queries.Cell]:
    """The cells of a submission that your duties open."""
    user = me(request)
    submission = get_object_or_404(Submission.objects.visible_to(user), pk=pk)
    return queries.Cell.objects.filter(submission=submission).visible_to(user).select_related("indicator")


@router.get("/editions/{int:pk}/indicators", response={200: list[IndicatorOut], 401: Refusal, 404: Refusal}, url_name="indicators")
def indicators(request: HttpRequest, pk: int) -> QuerySet[Indicator]:
    """The tree of a framework edition, in its order."""
    edition = get_object_or_404(queries.FrameworkEdition.objects.filter(pk__in=[] if not me(request).held else [pk]))
    return edition.indicators.all()


@router.get("/observations", response={200: list[ObservationOut], 401: Refusal, 422: Wrong}, url_name="observations")
@paginate(Page)
def observations(request: HttpRequest, asked: Query[ObservationsAsked]) -> QuerySet[Observation]:
    """Approved and imported values that your duties open, every vintage, oldest first."""
    wanted = {k: v for k, v in asked.model_dump().items() if v is not None}
    return Observation.objects.visible_to(me(request)).filter(**wanted).order_by("index", "indicator", "unit", "period", "vintage")
