"""The documented interface for programs: https://…/api/docs; one router an app."""

from django.contrib.auth.decorators import login_not_required
from ninja import NinjaAPI
from ninja.security import SessionAuth

from biaochi_server.monitoring.api import router as monitoring

api = NinjaAPI(
    title="Biaochi 标尺", version="1", auth=SessionAuth(), urls_namespace="api",
    description="What a person's duties open, as JSON. Sign in on the pages; the session's cookie counts here too. What is not yours is 404 or absent.",
)  # fmt: skip
api.add_router("", monitoring)
addresses = api.urls  # made anew each time it is asked for
for route in addresses[0]:
    if route.name not in ("openapi-json", "openapi-view", "api-root"):
        login_not_required(route.callback)  # it answers 401 as JSON itself, by its auth
