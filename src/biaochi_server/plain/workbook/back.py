"""A workbook that comes back: believed in nothing."""

from __future__ import annotations

import io
import warnings
import zipfile
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from xml.parsers import expat

from openpyxl import load_workbook
from openpyxl.utils import get_column_letter

from biaochi_server.plain.workbook.layout import (
    COLUMNS,
    FORMAT,
    HEAD,
    HIDDEN,
    MAX_BYTES,
    MAX_FILES,
    MAX_NOTE,
    MAX_ROWS,
    MAX_UNPACKED,
    META,
    NOTE,
    TEXT,
    Book,
    Taken,
    Trouble,
)


def read(content: bytes) -> Book:
    """Read a workbook that came back. Never raises: whatever is wrong with it is among the troubles."""
    book = Book()
    if trouble := _unsafe(content):
        book.troubles.append(trouble)
        return book
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            file = load_workbook(io.BytesIO(content), read_only=True, data_only=False, keep_links=False)
            _meta(file, book)
            if not book.troubles:
                _rows(file, book)
    except Exception:  # whatever a damaged file makes the reader do, it is told as damaged
        book.rows.clear()
        book.troubles = [Trouble("damaged")]
    return book


def _unsafe(content: bytes) -> Trouble | None:
    """What forbids even opening it: too large, no workbook, packed to burst, macros, tricks in its XML."""
    if len(content) > MAX_BYTES:
        return Trouble("too_big", facts={"limit": str(MAX_BYTES // 2**20)})
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as pack:
            files = pack.infolist()
            if len(files) > MAX_FILES or sum(f.file_size for f in files) > MAX_UNPACKED or len({f.filename for f in files}) < len(files):
                return Trouble("bomb", facts={"limit": str(MAX_UNPACKED // 2**20)})
            names = {f.filename.lower() for f in files}
            if "[content_types].xml" not in names:
                return Trouble("not_a_workbook")
            if any("vbaproject" in n or "macrosheets" in n or (n.endswith(".bin") and "vba" in n) for n in names):
                return Trouble("macros")
            if b"macroenabled" in pack.read("[Content_Types].xml").lower():
                return Trouble("macros")
            if any(_has_doctype(pack.read(f)) for f in files if f.filename.lower().endswith((".xml", ".rels", ".vml"))):
                return Trouble("damaged")
    except Exception:  # not a zip, an encrypted one, or a broken one
        return Trouble("not_a_workbook")
    return None


def _has_doctype(text: bytes) -> bool:
    """Whether an XML file brings declarations of its own: no workbook needs them, attacks do."""
    found: list[bool] = []
    parser = expat.ParserCreate()

    def declared(*_: Any) -> None:
        found.append(True)

    def begun(*_: Any) -> None:
        parser.StartElementHandler = None
        raise StopIteration

    parser.StartDoctypeDeclHandler = declared
    parser.StartElementHandler = begun
    try:
        parser.Parse(text, True)
    except StopIteration:
        pass
    except expat.ExpatError:
        return True
    return bool(found)


def _meta(file: Any, book: Book) -> None:
    """Where the workbook belongs."""
    if META not in file.sheetnames or _form(file) is None:
        book.troubles.append(Trouble("not_ours"))
        return
    for row in file[META].iter_rows(max_row=20, max_col=2, values_only=True):
        if len(row) == 2 and row[0] is not None and row[1] is not None:
            book.meta[str(row[0])] = str(row[1])
    if book.meta.get("format") != FORMAT:
        book.troubles.append(Trouble("other_format", facts={"got": book.meta.get("format", "—")[:20], "wanted": FORMAT}))


def _form(file: Any) -> Any:
    """The sheet with the form, wherever it was moved and whatever it was called."""
    for sheet in file.worksheets:
        head = next(sheet.iter_rows(min_row=HEAD, max_row=HEAD, min_col=len(COLUMNS) + 1, max_col=len(COLUMNS) + len(HIDDEN), values_only=True), ())
        if list(head) == HIDDEN:
            return sheet
    return None


def _rows(file: Any, book: Book) -> None:
    """Every row with a key; everything that stands where nothing belongs is told."""
    sheet = _form(file)
    seen: set[tuple[str, str]] = set()
    last = len(COLUMNS) + len(HIDDEN)
    for at, cells in enumerate(sheet.iter_rows(min_row=HEAD + 1, max_row=MAX_ROWS, max_col=last + 12), HEAD + 1):
        values = [c.value for c in cells] + [None] * (last - len(cells))
        code, unit = (_plain(values[k]) for k in (0, len(COLUMNS)))
        if any(v is not None for v in values[last:]):
            book.troubles.append(Trouble("outside", f"A{at}"))
        if not unit:
            book.troubles += [Trouble("outside", f"{get_column_letter(k)}{at}") for k in (TEXT, NOTE) if values[k - 1] is not None]
            continue
        if (code, unit) in seen:
            book.troubles.append(Trouble("twice", f"A{at}", {"key": f"{code} {unit}"[:60]}))
            continue
        seen.add((code, unit))
        cell = {k: cells[k - 1] if k <= len(cells) else None for k in (TEXT, NOTE)}
        texts = {}
        for k, read_one in ((TEXT, _figure), (NOTE, _note)):
            texts[k], wrong = read_one(cell[k])
            if wrong:
                book.troubles.append(Trouble(wrong, f"{get_column_letter(k)}{at}", {"text": texts[k][:40], "key": f"{code} {unit}"[:60]}))
        version, was, was_note = (_plain(values[len(COLUMNS) + k]) for k in (1, 2, 3))
        if not (version.isascii() and version.isdigit() and len(version) < 10):
            book.troubles.append(Trouble("key_changed", f"A{at}"))
            continue
        book.rows.append(Taken(at, code, unit, int(version), texts[TEXT], texts[NOTE], was, was_note))


def _plain(value: Any) -> str:
    return "" if value is None else str(value)


def _figure(cell: Any) -> tuple[str, str]:
    """A figure's text, and the name of what is wrong with the cell."""
    value = getattr(cell, "value", None)
    kind = getattr(cell, "data_type", "n")
    if value is None:
        return "", ""
    if kind == "f" or (isinstance(value, str) and value.startswith("=")) or not isinstance(value, (str, int, float, bool, date, datetime, time, timedelta)):
        return str(value)[:40] if isinstance(value, str) else "=…", "formula"
    if kind == "e":
        return str(value), "excel_error"
    if isinstance(value, bool):
        return str(value).upper(), "not_a_figure"
    if isinstance(value, (date, time, timedelta)):
        return str(value), "a_date"
    if isinstance(value, str):
        return value.strip(), ""
    text = _number(value)
    return (text, "a_percentage") if "%" in (getattr(cell, "number_format", "") or "") else (text, "" if text[-1:].isdigit() else "not_a_figure")


def _number(value: float) -> str:
    """A stored number as the shortest text that gives it back."""
    number = Decimal(repr(value))
    if not number.is_finite():
        return str(value)
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _note(cell: Any) -> tuple[str, str]:
    """An explanation's text."""
    value = getattr(cell, "value", None)
    if getattr(cell, "data_type", "") == "f":
        return str(value)[:40] if isinstance(value, str) else "=…", "formula"
    text = _plain(value).strip()
    return text[:MAX_NOTE], "long_note" if len(text) > MAX_NOTE else ""
