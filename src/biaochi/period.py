"""SDMX time periods: 2023, 2023-S1, 2023-Q3, 2023-08; they know their order and their neighbours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering
from typing import Any

from biaochi.errors import Problem, Text

_FORM = re.compile(r"(\d{4})(?:-(?:A1|S([12])|Q([1-4])|M?(0[1-9]|1[0-2])))?", re.ASCII)
_MONTHS = {"A": 12, "S": 6, "Q": 3, "M": 1}


@total_ordering
@dataclass(frozen=True)
class Period:
    """A calendar period: frequency A, S, Q or M, and its number counted from year 0."""

    freq: str
    number: int

    @classmethod
    def parse(cls, text: str) -> Period:
        """Read ``2023``, ``2023-A1``, ``2023-S2``, ``2023-Q3``, ``2023-08`` or ``2023-M08``.

        Raises
        ------
        ValueError
            If the text is none of these.

        Examples
        --------
        >>> Period.parse("2023-Q1").previous
        Period('2022-Q4')
        >>> Period.parse("2023-08").year_before
        Period('2022-08')
        """
        m = _FORM.fullmatch(text.strip())
        if not m:
            raise ValueError(f"not a period: {text!r}")
        year, half, quarter, month = (int(g) if g else 0 for g in m.groups())
        for freq, part in (("S", half), ("Q", quarter), ("M", month)):
            if part:
                return cls(freq, year * (12 // _MONTHS[freq]) + part - 1)
        return cls("A", year)

    @property
    def per_year(self) -> int:
        """Periods of this frequency in a year."""
        return 12 // _MONTHS[self.freq]

    @property
    def year(self) -> int:
        """The calendar year."""
        return self.number // self.per_year

    @property
    def previous(self) -> Period:
        """The period just before, of the same frequency."""
        return Period(self.freq, self.number - 1)

    @property
    def year_before(self) -> Period:
        """The same period a year before."""
        return Period(self.freq, self.number - self.per_year)

    @property
    def end_month(self) -> int:
        """Months from the start of year 0 to the end of the period."""
        return (self.number + 1) * _MONTHS[self.freq]

    def _order(self) -> tuple[int, int]:
        return self.end_month, _MONTHS[self.freq]  # by end; of two that end together the shorter first

    def __lt__(self, other: Period) -> bool:
        return self._order() < other._order()

    def __str__(self) -> str:
        year, part = divmod(self.number, self.per_year)
        tail = {"A": "", "M": f"-{part + 1:02d}"}.get(self.freq, f"-{self.freq}{part + 1}")
        return f"{year:04d}{tail}"

    def __repr__(self) -> str:
        return f"Period({str(self)!r})"


def period_fault(cell: object) -> Problem | None:
    """What is wrong with a cell that should hold a period; None when it is one."""
    try:
        Period.parse(period_text(cell))
    except ValueError:
        dated = hasattr(cell, "isoformat")
        return Problem(
            "period-is-a-date" if dated else "bad-period",
            Text(
                f"{str(cell)!r} is a calendar date, not a period." if dated else f"{cell!r} is not a period.",
                f"{str(cell)!r} 是日期，不是期。" if dated else f"{cell!r} 不是可识别的期。",
            ),
            _period_meant(cell) or Text("Write it as text: 2023, 2023-S1, 2023-Q3 or 2023-08.", "请以文本填写：2023、2023-S1、2023-Q3 或 2023-08。"),
        )
    return None


def _period_meant(cell: object) -> Text | None:
    """The period that a near miss such as 2023年8月, 2023Q1, 202308 or 2023.0 was meant to be."""
    m = re.fullmatch(r"(\d{4})(?:\.0|年)?(?:[-/.]?(?:([QqSs季]?)(\d{1,2})(月|季度)?))?", str(cell).strip(), re.ASCII)
    if not m:
        return None
    year, kind, part = m[1], "Q" if m[4] == "季度" else (m[2] or "").upper().replace("季", "Q"), m[3]
    meant = year if part is None else f"{year}-{kind}{part}" if kind else f"{year}-{int(part):02d}"
    try:
        Period.parse(meant)
    except ValueError:
        return None
    return Text(f"Write {meant}.", f"请写 {meant}。")


def period_text(cell: Any) -> str:
    """A cell as period text: a whole number from a spreadsheet is a year."""
    if hasattr(cell, "is_integer") and not isinstance(cell, bool) and cell.is_integer():
        return str(int(cell))
    return str(cell)
