"""Checks of a figure: hard ones block, soft ones ask for an explanation. Pure; thresholds are arguments."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from statistics import median

from biaochi_server.plain.numbers import NOT_YET, canonical, growth, read

HARD, SOFT = "hard", "soft"


@dataclass(frozen=True)
class Finding:
    """One rule that a figure breaks: the rule's name, its severity, and the figures for the sentence."""

    rule: str
    severity: str
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Limits:
    """What an indicator's card says of its values, and the thresholds of its soft rules."""

    low: Decimal | None = None
    high: Decimal | None = None
    whole: bool = False
    jump: Decimal = Decimal(30)  # per cent against the same period last year
    score: float = 3.5  # modified z of growth against its own history
    tolerance: Decimal = Decimal("0.5")  # per cent between a whole and the sum of its parts


def hard(text: str, limits: Limits, *, required: bool) -> Iterator[Finding]:
    """What makes a figure impossible: these block submission."""
    typed = read(text)
    if typed.wrong:
        yield Finding(typed.wrong, HARD, {"text": text[:40]})
    elif typed.mark == NOT_YET and required:
        yield Finding("not_yet", HARD)
    elif typed.value is None and not typed.mark and required:
        yield Finding("missing", HARD)
    if typed.value is None:
        return
    if limits.whole and typed.value != typed.value.to_integral_value():
        yield Finding("not_whole", HARD, {"value": canonical(typed.value)})
    if limits.low is not None and typed.value < limits.low:
        yield Finding("too_low", HARD, {"limit": canonical(limits.low)})
    if limits.high is not None and typed.value > limits.high:
        yield Finding("too_high", HARD, {"limit": canonical(limits.high)})


def soft(value: Decimal | None, limits: Limits, *, last: Decimal | None, year_ago: Decimal | None, past: Sequence[Decimal] = ()) -> Iterator[Finding]:
    """What makes a figure unlikely: each asks for an explanation.

    Parameters
    ----------
    past : oldest first, the figure's own earlier values, period by period.
    """
    if value is None:
        return
    for base, name in ((year_ago, "year_ago"), (last, "last")):
        if base and value and (times := slip(value, base)):
            yield Finding("unit_slip", SOFT, {"times": times, "base": name})
            return
    change = growth(value, year_ago)
    if change is not None and abs(change) > limits.jump:
        yield Finding("jump", SOFT, {"change": f"{change:+.1f}", "limit": canonical(limits.jump)})
    elif last is not None and outlying(value, [*past, last] if not past or past[-1] != last else list(past), limits.score):
        yield Finding("outlier", SOFT)
    if last is not None and value == last and value != value.to_integral_value():
        yield Finding("repeated", SOFT, {"value": canonical(value)})


def slip(value: Decimal, base: Decimal) -> str:
    """Whether a value is its base times a power of ten within 20 per cent: a wrong unit; ``1000`` or ``1/10000``, else nothing."""
    if value * base <= 0:
        return ""
    ratio = value / base
    for power in (2, 3, 4, 8):
        for factor, word in ((Decimal(10) ** power, f"{10**power}"), (Decimal(10) ** -power, f"1/{10**power}")):
            if abs(ratio / factor - 1) <= Decimal("0.2"):
                return word
    return ""


def outlying(value: Decimal, past: Sequence[Decimal], score: float) -> bool:
    """Whether the change to a value stands out from the changes of the past (modified z, at least five of them)."""
    if len(past) < 6:
        return False
    steps = [float(b - a) for a, b in itertools.pairwise(past)]
    middle = median(steps)
    spread = median(abs(s - middle) for s in steps)
    return spread > 0 and abs(0.6745 * (float(value - past[-1]) - middle) / spread) > score


def sums(whole: Decimal | None, parts: Sequence[Decimal | None], limits: Limits) -> Finding | None:
    """Whether a province's figure is the sum of its cities'; None too while a part is missing."""
    if whole is None or not parts or any(p is None for p in parts):
        return None
    total = sum((p for p in parts if p is not None), Decimal())
    if abs(whole - total) <= abs(whole) * limits.tolerance / 100:
        return None
    return Finding("sum_differs", SOFT, {"whole": canonical(whole), "sum": canonical(total), "difference": canonical(whole - total)})
