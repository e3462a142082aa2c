"""``biaochi manage add_administrator``: the first person of an empty server."""

from typing import Any

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from biaochi_server import clock
from biaochi_server.database import writing
from biaochi_server.people import actions
from biaochi_server.people.models import Organisation, User
from biaochi_server.people.states import Kind, Role


class Command(BaseCommand):
    """Add an administrator of the lead office, and the lead office if there is none."""

    help = "Add an administrator and print a link by which they set their password; adds the lead office if there is none."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the user name and the names."""
        parser.add_argument("username")
        parser.add_argument("--name", default="", help="the person's name")
        parser.add_argument("--office", default="牵头办公室", help="Chinese name of the lead office, if it must be added")

    def handle(self, *, username: str, name: str, office: str, **_: Any) -> None:
        """Add them, together or not at all."""
        try:
            with writing():
                lead = Organisation.objects.filter(kind=Kind.LEAD).first()
                lead = lead or actions.save_organisation(Organisation(code="lead", name_zh=office, name_en="Lead office", kind=Kind.LEAD), by=None)
                user = actions.save_user(User(username=username, name=name or username), by=None)
                actions.give_duty(user, lead, Role.ADMINISTRATOR, start=clock.today(), by=None)
        except ValidationError as e:
            raise CommandError("; ".join(e.messages)) from None
        path = reverse("people:set_by_link", args=[urlsafe_base64_encode(force_bytes(user.pk)), default_token_generator.make_token(user)])
        self.stdout.write(f"{username} sets a password at {path} within {settings.PASSWORD_RESET_TIMEOUT // 86400} days.")
