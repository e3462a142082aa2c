"""The journal's pages: the history of one object, and the whole for those who oversee."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from biaochi_server.journal.models import Event


def _page(request: HttpRequest, events: object, title: str = "") -> HttpResponse:
    page = Paginator(events, 100).get_page(request.GET.get("page"))  # type: ignore[arg-type]
    return render(request, "journal/events.html", {"page": page, "title": title})


def _visible(request: HttpRequest) -> QuerySet[Event]:
    """Everything for leaders; for administrators what is about people, not the figures."""
    user = request.user
    if user.has("leader"):  # type: ignore[union-attr]
        return Event.objects.all()
    if user.has("administrator"):  # type: ignore[union-attr]
        return Event.objects.filter(kind__startswith="people.")
    raise Http404


@require_safe
def journal(request: HttpRequest) -> HttpResponse:
    """All events, newest first."""
    return _page(request, _visible(request).order_by("-number"))


@require_safe
def of_object(request: HttpRequest, app: str, model: str, pk: str) -> HttpResponse:
    """The events of one object, newest first."""
    events = _visible(request).filter(kind=f"{app}.{model}", object=pk).order_by("-number")
    newest = events.first()
    if newest is None:
        raise Http404
    return _page(request, events, newest.label)
