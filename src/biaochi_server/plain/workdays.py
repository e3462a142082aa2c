"""Working days: weekends, holidays and the weekends worked instead."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta


class Calendar:
    """Which days are worked. ``days`` maps a date to True (worked) or False (off) where it differs from the week."""

    def __init__(self, days: Mapping[date, bool]) -> None:
        self.days = days
        self.years = {d.year for d in days}

    def works(self, day: date) -> bool:
        """Whether a day is worked; by the week alone in a year without data (see ``knows``)."""
        return self.days.get(day, day.weekday() < 5)

    def knows(self, day: date) -> bool:
        """Whether the holidays of the day's year are known."""
        return day.year in self.years

    def on_or_after(self, day: date) -> date:
        """The day itself if worked, else the next one that is: how a due date moves."""
        while not self.works(day):
            day += timedelta(1)
        return day

    def add(self, day: date, n: int) -> date:
        """``n`` working days after a day (before it, if negative)."""
        step = timedelta(1 if n >= 0 else -1)
        left = abs(n)
        while left:
            day += step
            left -= self.works(day)
        return day
