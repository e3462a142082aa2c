"""The app's entry in Django."""

from django.apps import AppConfig


class People(AppConfig):
    """See the package's docstring."""

    name = "biaochi_server.people"
    label = "people"
