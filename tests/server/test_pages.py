"""The pages of monitoring: what a clerk, a reviewer and a coordinator see and send, and what stays hidden."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from biaochi_server import clock
from biaochi_server.monitoring import actions, queries
from biaochi_server.monitoring.actions import Edit
from biaochi_server.monitoring.models import FrameworkEdition, Round
from biaochi_server.people.models import Organisation, User
from tests.server.shanxi import a_year_on, fill, of, user

SignedIn = Callable[[User], Client]


def test_a_clerk_fills_submits_and_mends_by_pages_alone(round_: Round, signed_in: SignedIn) -> None:
    """Plain forms: what a browser without JavaScript sends."""
    s, clerk, reviewer = of(round_, "140100"), signed_in(user("reporter-140100")), signed_in(user("reviewer-gxt"))
    assert f"/submissions/{s.pk}/" in clerk.get("/todo/").content.decode()
    edits = a_year_on(s)
    form = {f"v-{e.cell}": e.text for e in edits} | {f"e-{e.cell}": e.version for e in edits} | {f"n-{e.cell}": "checked" for e in edits}
    first = edits[0].cell
    wrong = clerk.post(f"/submissions/{s.pk}/", form | {f"v-{first}": "12亿元", "do": "submit"})
    page = wrong.content.decode()
    assert wrong.status_code == 422
    assert "type the figure without it" in page
    assert f'href="#v-{first}"' in page
    form |= {f"e-{c.pk}": c.version for c in s.cells.all()}
    done = clerk.post(f"/submissions/{s.pk}/", form | {"do": "submit"})
    assert done.url == "/todo/"
    page = reviewer.get(f"/review/{s.pk}/").content.decode()
    mine = s.cells.filter(reviewer__code="gxt")
    assert page.count('name="c-') == mine.count()
    a, b = list(mine[:2])
    back = {f"c-{c.pk}": "on" for c in (a, b)} | {f"e-{c.pk}": c.version for c in (a, b)} | {f"m-{a.pk}": "unit?", f"m-{b.pk}": "source?"}
    assert reviewer.post(f"/review/{s.pk}/", back | {"do": "return"}).status_code == 302
    page = clerk.get(f"/submissions/{s.pk}/").content.decode()
    assert page.count('class="figure"') == 2
    assert "unit?" in page
    mend = {f"v-{a.pk}": a.text, f"e-{a.pk}": a.version + 1, f"n-{a.pk}": "mended", "do": "submit"}
    assert clerk.post(f"/submissions/{s.pk}/", mend).url == "/todo/"
    rest = mine.filter(state="submitted")
    yes = {f"c-{c.pk}": "on" for c in rest} | {f"e-{c.pk}": c.version for c in rest}
    assert reviewer.post(f"/review/{s.pk}/", yes | {"do": "approve"}).status_code == 302
    assert not mine.exclude(state="approved").exists()
    assert "Nothing waits on you here" in reviewer.get(f"/review/{s.pk}/").content.decode()
    one = mine.first()
    assert one is not None
    assert "Unlock this cell" in reviewer.get(f"/cells/{one.pk}/").content.decode()
    reviewer.post(f"/cells/{one.pk}/unlock/", {"reason": "revised at the source"})
    page = clerk.get(f"/cells/{one.pk}/").content.decode()
    assert "unlocked a cell" in page
    assert "revised at the source" in page


def test_a_cell_is_saved_as_it_is_left_and_a_conflict_is_told(round_: Round, signed_in: SignedIn) -> None:
    s, clerk = of(round_, "140100"), signed_in(user("reporter-140100"))
    cell = s.cells.first()
    assert cell is not None
    ok = clerk.post(f"/cells/{cell.pk}/save/", {f"v-{cell.pk}": "12abc", f"e-{cell.pk}": "0"})
    assert ok.status_code == 200
    assert "type the figure without it" in ok.content.decode()
    assert f'name="e-{cell.pk}" value="1"' in ok.content.decode()
    late = clerk.post(f"/cells/{cell.pk}/save/", {f"v-{cell.pk}": "7", f"e-{cell.pk}": "0"})
    assert late.status_code == 409
    assert "Someone else changed" in late.content.decode()
    cell.refresh_from_db()
    assert cell.text == "12abc"


def test_pasting_takes_all_lines_or_none(round_: Round, signed_in: SignedIn) -> None:
    s, clerk = of(round_, "140100"), signed_in(user("reporter-140100"))
    rows = queries.grid(s)
    start = rows[0].cell.pk
    too_many = clerk.post(f"/submissions/{s.pk}/paste/", {"start": start, "cells": "1\n" * (len(rows) + 1)})
    assert "Nothing was taken" in too_many.content.decode()
    odd = clerk.post(f"/submissions/{s.pk}/paste/", {"start": start, "cells": f"{rows[0].cell.indicator.code}\t1\nXX\t2"})
    assert "no open cell for" in odd.content.decode()
    assert not s.cells.exclude(text="").exists()
    assert clerk.post(f"/submissions/{s.pk}/paste/", {"start": start, "cells": "1\r\n２\n\n"}).status_code == 302
    assert [r.cell.text for r in queries.grid(s)[:3]] == ["1", "２", ""]
    assert queries.grid(s)[1].cell.value == "2"
    keyed = "\n".join(f"{r.cell.indicator.code}\t{r.unit_name}\t{k + 5}" for k, r in enumerate(reversed(rows)))
    assert clerk.post(f"/submissions/{s.pk}/paste/", {"start": start, "cells": keyed}).status_code == 302
    assert [r.cell.text for r in queries.grid(s)] == [str(len(rows) - 1 - k + 5) for k in range(len(rows))]


def test_the_board_says_who_is_waited_for(round_: Round, signed_in: SignedIn) -> None:
    fill(of(round_, "140100"), user("reporter-140100"))
    page = signed_in(user("coordinator-lead")).get(f"/rounds/{round_.pk}/").content.decode()
    assert page.count("<tr") == 1 + round_.submissions.count()
    standings = {s.submission.organisation.code: s for s in queries.board(round_)}
    assert standings["140200"].waits_on == Organisation.objects.get(code="140200").name
    assert Organisation.objects.get(code="gxt").name in standings["140100"].waits_on
    with clock.standing_at(round_.due + timedelta(hours=2)):
        late = [s for s in queries.board(round_) if s.late]
        assert len(late) == round_.submissions.count() - 1
        assert queries.timely(of(round_, "140100")) is True
        assert queries.timely(of(round_, "140200")) is False


def test_reminding_writes_to_the_reporters_who_still_owe(round_: Round, signed_in: SignedIn) -> None:
    fill(of(round_, "140100"), user("reporter-140100"))
    signed_in(user("coordinator-lead")).post(f"/rounds/{round_.pk}/remind/")
    to = {address for m in mail.outbox for address in m.to}
    assert "reporter-140200@example.org" in to
    assert "reporter-140100@example.org" not in to
    assert of(round_, "140200").reminded_at is not None


@pytest.mark.parametrize("who", ["reporter-140200", "reviewer-nyt", "editor-lead", "administrator-lead"])
def test_figures_of_others_are_not_there(who: str, round_: Round, signed_in: SignedIn) -> None:
    """A city's figure that nobody else has: in no page, count, list or error of those it does not concern."""
    s = of(round_, "140100")
    secret = "987654.321"
    cell = s.cells.filter(reviewer__code="gxt", indicator__whole=False).first()
    assert cell is not None
    actions.save_draft(s, [Edit(cell.pk, 0, secret)], by=user("reporter-140100"))
    client = signed_in(user(who))
    pages = [
        f"/submissions/{s.pk}/", f"/cells/{cell.pk}/", f"/review/{s.pk}/", f"/submissions/{s.pk}/paste/", "/todo/", "/submissions/", f"/indicators/{cell.indicator_id}/",
        f"/rounds/{round_.pk}/", "/rounds/", f"/frameworks/{round_.edition_id}/", "/journal/", f"/journal/monitoring.submission/{s.pk}/",
    ]  # fmt: skip
    for page in pages:
        answer = client.get(page)
        if who == "administrator-lead" and page.startswith("/journal"):
            continue  # the journal is the administrator's to oversee
        assert secret not in answer.content.decode(), page
        if str(s.pk) in page and "review" not in page and who != "reviewer-nyt":
            assert answer.status_code == 404, page
    for address, post in (
        (f"/cells/{cell.pk}/save/", {f"v-{cell.pk}": "1", f"e-{cell.pk}": "1"}),
        (f"/submissions/{s.pk}/", {"do": "submit"}),
        (f"/cells/{cell.pk}/unlock/", {"reason": "x"}),
    ):
        answer = client.post(address, post)
        assert answer.status_code == 404, address
        assert secret not in answer.content.decode()


def test_a_reviewer_sees_own_cells_of_a_submission_only(round_: Round, signed_in: SignedIn) -> None:
    s = of(round_, "140100")
    page = signed_in(user("reviewer-nyt")).get(f"/submissions/{s.pk}/").content.decode()
    shown = set(re.findall(r'href="/cells/(\d+)/"', page))
    assert shown == {str(pk) for pk in s.cells.filter(reviewer__code="nyt").values_list("pk", flat=True)}


def test_a_city_sees_only_its_own_line_on_a_card(shanxi: None, signed_in: SignedIn) -> None:
    card = FrameworkEdition.objects.get().indicators.get(code="C21")
    names = dict(Organisation.objects.exclude(unit="").values_list("unit", "name_en"))
    city = signed_in(user("reporter-140200")).get(f"/indicators/{card.pk}/").content.decode()
    assert names["140200"] in city
    assert names["140100"] not in city
    owner = signed_in(user("reviewer-nyt")).get(f"/indicators/{card.pk}/").content.decode()
    assert all(n in owner for n in names.values())


@pytest.mark.parametrize(
    ("who", "page", "budget"),
    [("reporter-140100", "/todo/", 12), ("reporter-140100", "/submissions/", 6), ("coordinator-lead", "/rounds/", 6), ("editor-lead", "/frameworks/", 5)],
)  # fmt: skip
def test_lists_keep_their_query_budget(who: str, page: str, budget: int, round_: Round, signed_in: SignedIn, django_assert_max_num_queries: Any) -> None:
    client = signed_in(user(who))
    counts = []
    for more in (0, 30):
        for k in range(more):
            coordinator = user("coordinator-lead")
            made = actions.plan_round(
                round_.edition, f"{1950 + k}", (f"第{k}轮", f"Round {k}"), opens=round_.opens, due=round_.due, closes=round_.closes, codes=["A21", "C21"], by=coordinator
            )  # fmt: skip
            actions.move_round(made, "open", by=coordinator)
        with django_assert_max_num_queries(budget) as asked:
            assert client.get(page).status_code == 200
        counts.append(len(asked))
    assert counts[0] == counts[1]


@pytest.mark.parametrize(("who", "page", "budget"), [("reporter-tjj", "grid", 14), ("reporter-140100", "grid", 14), ("coordinator-lead", "board", 12)])
def test_large_pages_take_few_queries(who: str, page: str, budget: int, round_: Round, signed_in: SignedIn, django_assert_max_num_queries: Any) -> None:
    client = signed_in(user(who))
    address = f"/rounds/{round_.pk}/" if page == "board" else f"/submissions/{of(round_, who.split('-')[1]).pk}/"
    with django_assert_max_num_queries(budget):
        assert client.get(address).status_code == 200


def test_every_page_of_the_demonstration_says_that_it_is_one(round_: Round, signed_in: SignedIn, settings: Any) -> None:
    settings.DEMO = True
    client = signed_in(user("reporter-140100"))
    s = of(round_, "140100")
    for page in ("/todo/", "/submissions/", f"/submissions/{s.pk}/", f"/cells/{s.cells.all()[0].pk}/", "/frameworks/", "/account/"):
        assert "Demonstration data" in client.get(page).content.decode(), page


def test_what_was_typed_is_shown_again_when_nothing_could_be_saved(round_: Round, signed_in: SignedIn) -> None:
    s, clerk = of(round_, "140100"), signed_in(user("reporter-140100"))
    cell = s.cells.first()
    assert cell is not None
    Round.objects.filter(pk=round_.pk).update(state="closed")
    answer = clerk.post(f"/submissions/{s.pk}/", {f"v-{cell.pk}": "31415.9", f"e-{cell.pk}": "0", "do": "save"})
    assert answer.status_code == 409
    assert "31415.9" in answer.content.decode()


def test_a_refused_review_keeps_the_messages_and_the_choice(round_: Round, signed_in: SignedIn) -> None:
    s, reviewer = of(round_, "140100"), signed_in(user("reviewer-gxt"))
    fill(s, user("reporter-140100"))
    a, b = list(s.cells.filter(reviewer__code="gxt")[:2])
    back = {f"c-{c.pk}": "on" for c in (a, b)} | {f"e-{c.pk}": c.version for c in (a, b)} | {f"m-{a.pk}": "which unit was meant?"}
    answer = reviewer.post(f"/review/{s.pk}/", back | {"do": "return"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "which unit was meant?" in page
    assert page.count(" checked>") == 2


def test_the_history_of_a_cell_reads_as_words(round_: Round, signed_in: SignedIn) -> None:
    s, clerk = of(round_, "140100"), signed_in(user("reporter-140100"))
    cell = s.cells.first()
    assert cell is not None
    actions.save_draft(s, [Edit(cell.pk, 0, "12", "new")], by=user("reporter-140100"))
    page = clerk.get(f"/cells/{cell.pk}/").content.decode()
    assert "… → 12（new）" in page
    assert "{&#x27;" not in page


def test_the_chosen_language_stays_chosen(shanxi: None, signed_in: SignedIn) -> None:
    clerk = signed_in(user("reporter-140100"))
    clerk.post("/language/", {"language": "en", "next": "/todo/"})
    assert user("reporter-140100").language == "en"
    clerk.post("/language/", {"language": "xx", "next": "/todo/"})
    assert user("reporter-140100").language == "en"
