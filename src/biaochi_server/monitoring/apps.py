"""The app's entry in Django."""

from django.apps import AppConfig


class Monitoring(AppConfig):
    """See the package's docstring."""

    name = "biaochi_server.monitoring"
    label = "monitoring"
