"""The server as a Django app: its templates, static files, commands and checks."""

from django.apps import AppConfig


class Server(AppConfig):
    """What is shared by all apps of the server."""

    name = "biaochi_server"
    verbose_name = "Biaochi"

    def ready(self) -> None:
        """Register the checks of the database's settings."""
        from biaochi_server import database  # noqa: F401  (registers by being loaded)
