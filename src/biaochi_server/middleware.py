"""Every request gets a number; every signed-in person gets private pages and, where it is asked, a second factor."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _

from biaochi_server.journal.actions import request_number

Next = Callable[[HttpRequest], HttpResponse]


def address(request: HttpRequest) -> str:
    """The client's address, believing only as many proxies as are said to stand in front."""
    said = [a.strip() for a in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if a.strip()]
    n: int = settings.PROXIES
    return said[-n] if 0 < n <= len(said) else str(request.META.get("REMOTE_ADDR", ""))


LARGEST = 8 * 2**20  # bytes; workbooks and pages are far smaller


def too_large() -> HttpResponse:
    """Refuse a body before it is read."""
    text = _("Too large: at most %(limit)s MB can be sent at once. Go back; what you had saved is still there.") % {"limit": LARGEST // 2**20}
    return HttpResponse(text, status=413, content_type="text/plain; charset=utf-8")


class Request:
    """Number the request, so that all journal entries of one request can be found together."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        token = request_number.set(uuid.uuid4().hex)
        try:
            response = too_large() if int(request.META.get("CONTENT_LENGTH") or 0) > LARGEST else self.get_response(request)
        finally:
            number = request_number.get()
            request_number.reset(token)
        response.headers["X-Request-ID"] = number
        response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        response.headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
        return response


class Person:
    """Keep pages of signed-in people out of caches; send those who need a second factor to set it up."""

    OPEN = ("people:second_setup", "people:logout", "set_language", "people:password")

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user
        if user.is_authenticated and user.must_have_second_factor and not user.totp_secret and request.path not in map(reverse, self.OPEN):
            return redirect("people:second_setup")
        response = self.get_response(request)
        if not response.has_header("Cache-Control"):
            add_never_cache_headers(response)
        return response
