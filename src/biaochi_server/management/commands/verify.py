"""``biaochi manage verify``: is the journal whole?"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from biaochi_server.journal import queries


class Command(BaseCommand):
    """Walk the journal's chain and say where it does not hold."""

    help = "Walk the journal's hash chain; names every event that was changed, removed or put in."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take an anchor."""
        parser.add_argument("--anchor", metavar="NUMBER:HASH", help="an event noted down earlier; shows whether the end was cut off")

    def handle(self, *, anchor: str | None, **_: Any) -> None:
        """Print the breaks, or the head of the chain."""
        noted = None
        if anchor:
            number, _colon, digest = anchor.partition(":")
            if not number.isdigit() or len(digest) != 64:
                raise CommandError(f"--anchor needs NUMBER:HASH as verify prints it; got {anchor!r}.")
            noted = (int(number), digest)
        found = list(queries.breaks(noted))
        if found:
            raise CommandError("\n".join(["The journal does not hold:", *(f"  event {b.number} {b.what}" for b in found)]))
        self.stdout.write("The journal holds. Note this down elsewhere: {}:{}".format(*queries.head()))
