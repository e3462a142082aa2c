"""Numbers as typed, working days, checks: against values worked out by hand."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biaochi_server.demo import table
from biaochi_server.plain import checks
from biaochi_server.plain.checks import Limits
from biaochi_server.plain.numbers import canonical, growth, read, shown
from biaochi_server.plain.workdays import Calendar


@pytest.mark.parametrize(
    ("text", "value"),
    [("1697.2", "1697.2"), (" １，６９７．２ ", "1697.2"), ("1,697,200", "1697200"), ("-0.50", "-0.5"), ("−3", "-3"), ("+7", "7"), (".5", "0.5"), ("1 697.2", "1697.2"), ("０", "0"), ("123456789012345.123456", "123456789012345.123456")],
)  # fmt: skip
def test_figures_are_read_exactly(text: str, value: str) -> None:
    typed = read(text)
    assert typed.value is not None
    assert canonical(typed.value) == value


@pytest.mark.parametrize(
    ("text", "wrong"),
    [("1,5", "not_a_number"), ("1.234.5", "not_a_number"), ("12abc", "unit_typed"), ("5%", "unit_typed"), ("3.5亿元", "unit_typed"), ("=A1", "formula"), ("@SUM(A1)", "formula"), ("1e5", "not_a_number"), ("nan", "not_a_number"),
     ("Infinity", "not_a_number"), ("九", "not_a_number"), ("1" * 41, "too_long"), ("1697．2．", "not_a_number"), ("²", "2?")],
)  # fmt: skip
def test_what_is_no_figure_says_why(text: str, wrong: str) -> None:
    if wrong == "2?":
        assert read(text).value == 2, "NFKC: a superscript digit is the digit"
    else:
        assert read(text).value is None
        assert read(text).wrong in (wrong, "not_a_number")


@pytest.mark.parametrize(("text", "mark"), [("—", "—"), ("-", "—"), ("/", "—"), ("…", "…"), ("...", "…"), ("……", "…"), ("", ""), ("  ", "")])
def test_marks(text: str, mark: str) -> None:
    assert read(text) == (None, mark, "")


@given(st.text(max_size=50))
def test_any_text_is_a_number_a_mark_nothing_or_wrong(text: str) -> None:
    typed = read(text)
    assert (typed.value is not None) + bool(typed.mark) + bool(typed.wrong) <= 1
    if typed.value is not None:
        assert read(canonical(typed.value)).value == typed.value


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**15), max_value=10**15))
def test_what_is_shown_reads_back(value: Decimal) -> None:
    assert read(shown(value)).value == value


def test_growth() -> None:
    assert growth(Decimal("209"), Decimal("99")).quantize(Decimal("0.1")) == Decimal("111.1")  # type: ignore[union-attr]  # as printed on 5 September 2023
    assert growth(Decimal(1), Decimal(0)) is None
    assert growth(Decimal(1), Decimal(-5)) is None


def rules(text: str, limits: Limits = Limits(), required: bool = True) -> list[str]:
    return [f.rule for f in checks.hard(text, limits, required=required)]


def test_hard_rules() -> None:
    share = Limits(low=Decimal(0), high=Decimal(100))
    assert rules("") == ["missing"]
    assert rules("", required=False) == []
    assert rules("…") == ["not_yet"]
    assert rules("—") == []
    assert rules("-0.1", share) == ["too_low"]
    assert rules("100.1", share) == ["too_high"]
    assert rules("100", share) == rules("0", share) == []
    assert rules("2.5", Limits(whole=True)) == ["not_whole"]
    assert rules("2.0", Limits(whole=True)) == []


def likely(value: str, last: str = "", year: str = "", past: tuple[str, ...] = ()) -> list[str]:
    read_ = [Decimal(x) if x else None for x in (value, last, year)]
    return [f.rule for f in checks.soft(read_[0], Limits(), last=read_[1], year_ago=read_[2], past=[Decimal(p) for p in past])]


def test_soft_rules() -> None:
    assert likely("130", year="100") == []
    assert likely("130.1", year="100") == likely("69.9", year="100") == ["jump"]
    assert likely("16972000", last="1697.2") == ["unit_slip"]
    assert likely("0.17", last="1697.2") == ["unit_slip"]
    assert likely("16972", last="1697.2", year="1697.2") == ["jump"], "ten times is no unit's slip; a growth of 900 % is a jump"
    assert likely("12.5", last="12.5") == ["repeated"]
    assert likely("12", last="12") == [], "counts may well stay"
    steady = ("100", "101", "102.5", "103", "104.5", "105")
    assert likely("106", last="105", past=steady) == []
    assert likely("125", last="105", past=steady) == ["outlier"]
    assert likely("125", last="105", past=steady[-3:]) == [], "too little past to tell"


def test_the_modified_z_is_that_of_iglewicz_and_hoaglin() -> None:
    """Steps 1, 1.5, 0.5, 1.5, 0.5: median 1, MAD 0.5; 0.6745 (s - 1) / 0.5 > 3.5 from s = 3.5945 on."""
    past = [Decimal(x) for x in ("100", "101", "102.5", "103", "104.5", "105")]
    assert not checks.outlying(Decimal("108.594"), past, 3.5)
    assert checks.outlying(Decimal("108.595"), past, 3.5)


def test_sums() -> None:
    limits = Limits()
    assert checks.sums(Decimal(100), [Decimal(60), Decimal("39.5")], limits) is None
    assert checks.sums(Decimal(100), [Decimal(60), Decimal("39.4")], limits).facts == {"whole": "100", "sum": "99.4", "difference": "0.6"}  # type: ignore[union-attr]
    assert checks.sums(Decimal(100), [Decimal(60), None], limits) is None
    assert checks.sums(None, [Decimal(60)], limits) is None


@pytest.fixture(scope="module")
def calendar() -> Calendar:
    return Calendar({date.fromisoformat(r["date"]): r["worked"] == "yes" for r in table("holidays.csv")})


def test_the_national_day_week_of_2023(calendar: Calendar) -> None:
    """Off from 29 September to 6 October; Saturdays 7 and 8 October were worked (State Council, 8 December 2022)."""
    assert [d for d in range(1, 11) if calendar.works(date(2023, 10, d))] == [7, 8, 9, 10]
    assert calendar.on_or_after(date(2023, 9, 30)) == date(2023, 10, 7)
    assert calendar.add(date(2023, 9, 28), 2) == date(2023, 10, 8)
    assert calendar.add(date(2023, 10, 8), -2) == date(2023, 9, 28)


def test_a_year_without_data_goes_by_the_week_and_says_so(calendar: Calendar) -> None:
    assert calendar.knows(date(2026, 6, 1))
    assert not calendar.knows(date(2031, 6, 1))
    assert calendar.works(date(2031, 10, 1))


@given(st.dates(date(2019, 1, 1), date(2030, 1, 1)), st.integers(0, 40))
def test_adding_working_days_counts_them(day: date, n: int) -> None:
    c = Calendar({date.fromisoformat(r["date"]): r["worked"] == "yes" for r in table("holidays.csv")})
    to = c.add(day, n)
    assert sum(c.works(day + timedelta(k)) for k in range(1, (to - day).days + 1)) == n
