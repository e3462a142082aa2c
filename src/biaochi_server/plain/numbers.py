"""Numbers as people type them, kept exactly, and as pages show them."""

from __future__ import annotations

import re
import unicodedata
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

NOT_APPLICABLE, NOT_YET = "—", "…"
_MARKS = {"—": NOT_APPLICABLE, "——": NOT_APPLICABLE, "-": NOT_APPLICABLE, "–": NOT_APPLICABLE, "/": NOT_APPLICABLE, "…": NOT_YET, "……": NOT_YET, "...": NOT_YET}
_NUMBER = re.compile(r"[+-]?(?:\d+|\d{1,3}(?:,\d{3})+)(?:\.\d+)?|[+-]?\.\d+", re.ASCII)
LONGEST = 40


class Typed(NamedTuple):
    """What a text says: a number, a mark (``—`` not applicable, ``…`` not yet available), or what is wrong with it."""

    value: Decimal | None = None
    mark: str = ""
    wrong: str = ""  # a word of checks.WORDS


def read(text: str) -> Typed:
    """Read a typed figure: full-width digits, thousands separators and spaces are fine.

    Examples
    --------
    >>> read(" １，６９７．２ ").value
    Decimal('1697.2')
    >>> read("—").mark, read("1,5").wrong, read("=A1+1").wrong
    ('—', 'not_a_number', 'formula')
    """
    plain = re.sub(r"\s", "", unicodedata.normalize("NFKC", text.replace("，", ",").replace("．", ".").replace("－", "-").replace("−", "-")))
    mark = _MARKS.get(re.sub(r"\s", "", text)) or _MARKS.get(plain)
    if not plain or mark:
        return Typed(mark=mark or "")
    if len(plain) > LONGEST:
        return Typed(wrong="too_long")
    if plain[0] in "=@":
        return Typed(wrong="formula")
    if plain[-1:] in "%％":
        return Typed(wrong="unit_typed")
    if _NUMBER.fullmatch(plain):
        return Typed(Decimal(plain.replace(",", "")))
    return Typed(wrong="unit_typed" if re.fullmatch(rf"(?:{_NUMBER.pattern})[^\d.,]+", plain, re.ASCII) else "not_a_number")


def canonical(value: Decimal) -> str:
    """The shortest exact decimal text: ``1697.2``, ``-0.5``, ``0``.

    Examples
    --------
    >>> canonical(Decimal("1697.200")), canonical(Decimal("-0.0")), canonical(Decimal("1E+3"))
    ('1697.2', '0', '1000')
    """
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def shown(value: Decimal | str | None, decimals: int | None = None) -> str:
    """For a page: thousands apart by thin spaces, rounded half up; an empty text for nothing.

    Examples
    --------
    >>> shown("34915616").replace(chr(0x202F), " "), shown(Decimal("2.345"), 2), shown("—")
    ('34 915 616', '2.35', '—')
    """
    if value is None or value in ("", NOT_APPLICABLE, NOT_YET):
        return str(value or "")
    number = Decimal(value)
    if decimals is not None:
        number = number.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    return format(number, ",f").replace(",", "\u202f").replace("-", "−")


def growth(now: Decimal | None, before: Decimal | None) -> Decimal | None:
    """Growth in per cent of a positive base; None where it says nothing."""
    if now is None or before is None or before <= 0:
        return None
    return (now / before - 1) * 100
