"""The app's entry in Django."""

from django.apps import AppConfig


class Journal(AppConfig):
    """See the package's docstring."""

    name = "biaochi_server.journal"
    label = "journal"
