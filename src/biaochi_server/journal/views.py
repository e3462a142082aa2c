"""The journal's pages: the history of one object, and the whole for those who oversee."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from biaochi_server.journal.models import Event

OVERSEERS = ("administrator", "leader")


def _page(request: HttpRequest, events: object, title: str = "") -> HttpResponse:
    page = Paginator(events, 100).get_page(request.GET.get("page"))  # type: ignore[arg-type]
    return render(request, "journal/events.html", {"page": page, "title": title})


def _overseer(request: HttpRequest) -> None:
    if not request.user.has(*OVERSEERS):  # type: ignore[union-attr]
        raise Http404


@require_safe
def journal(request: HttpRequest) -> HttpResponse:
    """All events, newest first."""
    _overseer(request)
    return _page(request, Event.objects.order_by("-number"))


@require_safe
def of_object(request: HttpRequest, app: str, model: str, pk: str) -> HttpResponse:
    """The events of one object, newest first."""
    _overseer(request)
    events = Event.objects.filter(kind=f"{app}.{model}", object=pk).order_by("-number")
    newest = events.first()
    if newest is None:
        raise Http404
    return _page(request, events, newest.label)
