"""The form as an Excel workbook, out and back. Pure: words come in as arguments."""

from biaochi_server.plain.workbook.back import read
from biaochi_server.plain.workbook.layout import TEXT_COLUMN, Book, Line, Mark, Taken, Trouble
from biaochi_server.plain.workbook.out import clean, make

__all__ = ["TEXT_COLUMN", "Book", "Line", "Mark", "Taken", "Trouble", "clean", "make", "read"]
