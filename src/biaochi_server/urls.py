"""All addresses."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import include, path

from biaochi_server.api import addresses as api
from biaochi_server.journal.views import journal, of_object
from biaochi_server.people.views import language


def home(request: HttpRequest) -> HttpResponse:
    """The first page a person's duties give."""
    return redirect("monitoring:todo" if request.user.held else "people:account")  # type: ignore[union-attr]


@login_not_required
def healthy(request: HttpRequest) -> HttpResponse:
    """For whoever watches the server: it answers and its database answers."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("ok", content_type="text/plain")


urlpatterns = [
    path("", home, name="home"),
    path("health/", healthy, name="health"),
    path("language/", language, name="set_language"),
    path("journal/", journal, name="journal"),
    path("journal/<slug:app>.<slug:model>/<slug:pk>/", of_object, name="history"),
    path("api/", api),
    path("", include("biaochi_server.monitoring.urls")),
    path("", include("biaochi_server.people.urls")),
]
