"""What stands where in a form's workbook, and what its parts are called."""

from __future__ import annotations

from dataclasses import dataclass, field

from openpyxl.utils import get_column_letter

from biaochi_server.plain.numbers import read as read_number

FORMAT = "1"
META = "biaochi"
COLUMNS = ["code", "name", "place", "measure", "text", "last", "year_ago", "growth", "state", "note", "check"]
HIDDEN = ["unit", "version", "was", "was_note"]
TEXT, NOTE, CHECK = (COLUMNS.index(c) + 1 for c in ("text", "note", "check"))
TEXT_COLUMN = get_column_letter(TEXT)
WIDTHS = dict(zip(COLUMNS, (9, 40, 16, 10, 16, 14, 14, 9, 10, 34, 46), strict=True))
HEAD = 4  # the row of the column headers
MAX_BYTES, MAX_UNPACKED, MAX_FILES, MAX_ROWS = 2 * 2**20, 12 * 2**20, 200, 5000
MAX_NOTE = 2000
INK, QUIET, LINE = "1F4E79", "59636E", "D4D9DE"
FILLS = {"hard": "F8D7DA", "soft": "FDF0D5", "open": "FFFFFF", "shut": "F3F5F7"}


@dataclass(frozen=True)
class Mark:
    """Something to say about a cell: how grave (``hard``, ``soft``), and the sentence."""

    severity: str
    sentence: str


@dataclass(frozen=True)
class Line:
    """One cell of the form."""

    code: str
    name: str
    place: str
    measure: str
    text: str
    last: str
    year_ago: str
    growth: str
    state: str
    note: str
    unit: str
    version: int
    branch: str
    writable: bool
    low: str = ""
    high: str = ""
    whole: bool = False
    marks: tuple[Mark, ...] = ()
    was: str | None = None  # as it stands in the database, where ``text`` is somebody's wish
    was_note: str | None = None


@dataclass(frozen=True)
class Trouble:
    """What is wrong with a workbook: the rule's name, where, and the facts for the sentence."""

    rule: str
    where: str = ""
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Taken:
    """One row that came back."""

    row: int
    code: str
    unit: str
    version: int
    text: str
    note: str
    was: str
    was_note: str

    @property
    def changed(self) -> bool:
        """Whether somebody wrote into it since it was made."""
        return not same(self.text, self.was) or self.note != self.was_note


@dataclass
class Book:
    """What came back: where it belongs, its rows, and everything that is wrong with it."""

    meta: dict[str, str] = field(default_factory=dict)
    rows: list[Taken] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)


def same(a: str, b: str) -> bool:
    """Whether two texts say the same figure: ``1697.20`` and ``1697.2`` do."""
    x, y = read_number(a), read_number(b)
    return a == b or (x.value is not None and x.value == y.value)
