"""The demonstration: Shanxi's 6/11/34 example with one finished and one open round. Made through the same verbs as real work."""

from __future__ import annotations

import csv
import random
import secrets
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from django.contrib.auth.hashers import make_password
from django.utils import timezone

from biaochi_server import bridge, clock
from biaochi_server.monitoring import actions, queries
from biaochi_server.monitoring.actions import Edit
from biaochi_server.monitoring.models import Cell, Day, FrameworkEdition, Indicator, Observation, Round
from biaochi_server.people import actions as people
from biaochi_server.people.models import Organisation, User
from biaochi_server.people.states import Kind, Role
from biaochi_server.plain.numbers import canonical

FOLDER = Path(__file__).parent / "shanxi"
INDEX, DONE, OPEN = "shanxi-demo", "2022", "2023"
GENERATED = "演示数据（生成） · demonstration data, generated"
CENSUS = "2020年人口普查 · 2020 census (Dong, Du & Liu 2022)"
PRINTED = "2023年9月5日报载 · as printed on 5 September 2023"
Values = dict[tuple[str, str, str], str]  # indicator, unit, period


def table(name: str) -> list[dict[str, str]]:
    """A shipped table."""
    with open(FOLDER / name, newline="", encoding="utf-8") as f:
        return list(csv.DictReader(f))


def moment(day: date, hour: int = 9) -> datetime:
    """An hour of a day where the server stands."""
    return timezone.make_aware(datetime.combine(day, time(hour)))


def make() -> dict[str, tuple[str, str]]:
    """Fill an empty server; returns for each role an example user name and the password of all users of that role."""
    passwords = {role: secrets.token_urlsafe(9) for role in Role.values}
    with clock.standing_at(moment(date(2022, 12, 1))):
        places = organisations()
        users = persons(places, passwords)
        edition = frameworks(users[Role.EDITOR, "lead"])
        values = generated(edition)
        earlier(edition, values, users[Role.EDITOR, "lead"])
    finished(edition, values, users)
    opened(edition, users[Role.COORDINATOR, "lead"])
    examples = {Role.REPORTER: "140100", Role.REVIEWER: "gxt"}
    return {role: (users[role, examples.get(Role(role), "lead")].username, passwords[role]) for role in Role.values}


def organisations() -> dict[str, Organisation]:
    """The lead office, 12 departments, 11 cities."""
    made: dict[str, Organisation] = {}
    for row in table("organisations.csv"):
        parent = made["lead"] if row["kind"] == Kind.CITY else None
        made[row["code"]] = people.save_organisation(Organisation(**row, parent=parent), by=None)
    return made


def persons(places: Mapping[str, Organisation], passwords: Mapping[str, str]) -> dict[tuple[str, str], User]:
    """Users of every role: the lead office's, a reporter everywhere, a reviewer in the lead office and each department."""
    hashed = {role: make_password(password) for role, password in passwords.items()}
    made = {}
    for code, place in places.items():
        roles = (
            [r for r in Role.values if r != Role.REPORTER]
            if place.kind == Kind.LEAD
            else [Role.REPORTER, Role.REVIEWER]
            if place.kind == Kind.DEPARTMENT
            else [Role.REPORTER]
        )
        for role in roles:
            name = f"{place.name_zh.removesuffix('（演示）')}{Role(role).label}"
            user = people.save_user(User(username=f"{role}-{code}", name=str(name)[-60:], email=f"{role}-{code}@example.org"), by=None, hashed=hashed[role])
            people.give_duty(user, place, role, start=date(2022, 1, 1), by=None)
            made[role, code] = User.objects.get(pk=user.pk)
    return made


def frameworks(editor: User) -> FrameworkEdition:
    """The calendar and the framework."""
    actions.set_days([Day(date=date.fromisoformat(r["date"]), worked=r["worked"] == "yes", name=r["name"]) for r in table("holidays.csv")], by=editor)
    return actions.import_edition(bridge.project(FOLDER), INDEX, by=editor, collection={r["code"]: r for r in table("collection.csv")})


def generated(edition: FrameworkEdition) -> Values:
    """Plausible values of four years for every unit; parts add up to the province; what is known is as known."""
    rng = random.Random(2023)
    census = {r["unit"]: r for r in table("census.csv")}
    known = {(r["code"], r["period"]): r["value"] for r in table("facts.csv")}
    cities = [u for u in census if u != "140000"]
    values: Values = {}
    for i in Indicator.objects.filter(edition=edition, leaf=True):
        _indicator(i, values, rng, {u: int(census[u]["population"]) for u in cities}, known, {u: r[i.code] for u, r in census.items() if i.code in r})
    return values


def _indicator(
    i: Indicator, values: Values, rng: random.Random, people_in: Mapping[str, int], known: Mapping[tuple[str, str], str], census: Mapping[str, str]
) -> None:  # fmt: skip
    """One indicator's four years."""
    step = Decimal(1) if i.whole else Decimal("0.01")
    base = rng.uniform(30, 70) if "%" in i.unit else rng.uniform(200, 900)
    if i.low == "" and "%" in i.unit:
        base = 8.0  # growth rates
    of_city = {u: rng.uniform(0.75, 1.25) for u in people_in}
    whole = sum(people_in.values())
    for k, year in enumerate(("2019", "2020", "2021", "2022")):
        trend = 1 + 0.06 * (k - 3)
        total = Decimal(known.get((i.code, year), str(round(base * trend, 2))))
        for u, n in people_in.items():
            share = n / whole if i.sums_up else 1.0
            value = Decimal(float(total) * share * of_city[u] * rng.uniform(0.97, 1.03))
            value = min(value, Decimal("97.5")) if i.high == "100" else value
            values[i.code, u, year] = canonical(Decimal(census[u]) if census and year == "2020" else value.quantize(step, ROUND_HALF_UP))
        if i.sums_up:
            _fit(i, values, year, people_in, total, step)
        province = Decimal(census["140000"]) if census and year == "2020" else total.quantize(step, ROUND_HALF_UP)
        values[i.code, "140000", year] = canonical(province)


def _fit(i: Indicator, values: Values, year: str, people_in: Mapping[str, int], total: Decimal, step: Decimal) -> None:
    """Scale the cities so that they add up to the province, the rest going to the largest."""
    got = {u: Decimal(values[i.code, u, year]) for u in people_in}
    scale = total / (sum(got.values()) or Decimal(1))
    got = {u: (v * scale).quantize(step, ROUND_HALF_UP) for u, v in got.items()}
    largest = max(got, key=lambda u: got[u])
    got[largest] += total.quantize(step, ROUND_HALF_UP) - sum(got.values())
    values.update({(i.code, u, year): canonical(v) for u, v in got.items()})


def earlier(edition: FrameworkEdition, values: Values, editor: User) -> None:
    """The years before the finished round, each value with its source."""
    census = set(table("census.csv")[0]) - {"unit", "population"}
    rows = [
        Observation(index=INDEX, indicator=code, unit=unit, period=year, vintage=1, value=value, source=CENSUS if code in census and year == "2020" else GENERATED, at=clock.now())
        for (code, unit, year), value in values.items() if year < DONE
    ]  # fmt: skip
    actions.import_observations(rows, edition, by=editor, source=GENERATED)


def finished(edition: FrameworkEdition, values: Values, users: Mapping[tuple[str, str], User]) -> Round:
    """The round of 2022, from planning to release, by the people whose duty it is."""
    coordinator = users[Role.COORDINATOR, "lead"]
    codes = list(Indicator.objects.filter(edition=edition, leaf=True).values_list("code", flat=True))
    with clock.standing_at(moment(date(2023, 1, 3))):
        round_ = actions.plan_round(
            edition, DONE, ("2022年度监测（演示）", "Monitoring of 2022 (demonstration)"), opens=moment(date(2023, 1, 4)), due=moment(date(2023, 1, 20), 23),
            closes=moment(date(2023, 1, 31), 23), codes=codes, by=coordinator,
        )  # fmt: skip
        actions.move_round(round_, "open", by=coordinator)
    for k, submission in enumerate(round_.submissions.select_related("organisation")):
        with clock.standing_at(moment(date(2023, 1, 9)) + timedelta(hours=7 * k)):
            _filled(submission.pk, values, users)
    with clock.standing_at(moment(date(2023, 2, 1))):
        actions.move_round(round_, "close", by=coordinator)
        return actions.move_round(round_, "release", by=coordinator)


def _filled(pk: int, values: Values, users: Mapping[tuple[str, str], User]) -> None:
    """Fill one submission, each figure with where it is from, submit it, and have it approved by its reviewers."""
    cells = list(Cell.objects.filter(submission=pk).select_related("indicator", "submission__organisation", "reviewer"))
    submission = cells[0].submission
    reporter = users[Role.REPORTER, submission.organisation.code]
    printed = {(r["code"], "140000") for r in table("facts.csv")}
    edits = [Edit(c.pk, c.version, values[key], PRINTED if key[:2] in printed else GENERATED) for c in cells for key in [(c.indicator.code, c.unit, DONE)]]
    actions.save_draft(submission, edits, by=reporter)
    actions.submit(submission, by=reporter)
    for code in {c.reviewer.code for c in cells}:
        mine = Cell.objects.filter(submission=submission, reviewer__code=code)
        actions.approve(submission, dict(mine.values_list("pk", "version")), by=users[Role.REVIEWER, code])


def opened(edition: FrameworkEdition, coordinator: User) -> Round:
    """The round of 2023, open now, due on a working day in about two weeks."""
    today = clock.today()
    due = queries.calendar().on_or_after(today + timedelta(14))
    codes = list(Indicator.objects.filter(edition=edition, leaf=True).values_list("code", flat=True))
    round_ = actions.plan_round(
        edition, OPEN, ("2023年度监测（演示）", "Monitoring of 2023 (demonstration)"), opens=moment(today - timedelta(1)), due=moment(due, 23),
        closes=moment(due + timedelta(14), 23), codes=codes, by=coordinator,
    )  # fmt: skip
    return actions.move_round(round_, "open", by=coordinator)
