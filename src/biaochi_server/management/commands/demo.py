"""``biaochi manage demo``: fill an empty server with the demonstration."""

from typing import Any

from django.core.management.base import BaseCommand

from biaochi_server import demo
from biaochi_server.database import writing
from biaochi_server.people.models import Organisation
from biaochi_server.people.states import Role


class Command(BaseCommand):
    """Fill an empty server; a server with anything in it is left alone."""

    help = "Fill an empty server with the Shanxi demonstration and print the passwords; leaves a server with anything in it alone."

    def handle(self, **_: Any) -> None:
        """All or nothing."""
        if Organisation.objects.exists():
            self.stdout.write("The server is not empty; it is left as it is. 服务器已有数据，保持不变。")
            return
        with writing():
            made = demo.make()
        self.stdout.write("演示数据 Demonstration data. 密码只显示这一次 Passwords are shown this once:\n")
        for role, (username, password) in made.items():
            self.stdout.write(f"  {username:24} {password:16} {Role(role).label}")
        self.stdout.write("  同一角色的其他用户密码相同，如 reporter-140200、reporter-tjj。Other users of a role have the same password.")
