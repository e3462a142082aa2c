"""From a clerk's figure to an approved one: verbs, pages, who sees what; the demonstration is the subject."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test import Client

from biaochi_server import bridge, clock, demo
from biaochi_server.journal import queries as journal
from biaochi_server.journal.models import Event
from biaochi_server.monitoring import actions, queries
from biaochi_server.monitoring.actions import Edit, NotReady
from biaochi_server.monitoring.models import Cell, FrameworkEdition, Observation, Round, Submission, UnlockRequest
from biaochi_server.monitoring.states import CellState, State, settled
from biaochi_server.moves import IllegalMove, NeedsReason, Refused, Stale
from biaochi_server.people import actions as people
from biaochi_server.people.models import Organisation, User
from tests.server.shanxi import a_year_on, fill, of, user, versions

SignedIn = Callable[[User], Client]


def test_the_demonstration_has_the_promised_shape(shanxi: None) -> None:
    edition = FrameworkEdition.objects.get()
    levels = [edition.indicators.filter(level=k).count() for k in (1, 2, 3)]
    kinds = [Organisation.objects.filter(kind=k).count() for k in ("lead", "department", "city")]
    assert (levels, kinds) == ([6, 11, 34], [1, 12, 11])
    assert dict(Round.objects.values_list("period", "state")) == {"2022": "released", "2023": "open"}
    assert set(Submission.objects.filter(round__period="2022").values_list("state", flat=True)) == {State.APPROVED}
    assert Observation.objects.get(indicator="B11", unit="140000", period="2022").value == "1697.2"
    census = Observation.objects.get(indicator="F13", unit="140100", period="2020")
    assert (census.value, "2020 census" in census.source) == ("11.32", True)
    assert "not the official yardstick" in edition.notice_en
    assert list(journal.breaks()) == []


def test_every_figure_of_the_finished_round_leads_back_to_who_reported_and_who_approved(shanxi: None) -> None:
    for o in Observation.objects.filter(period="2022").select_related("cell__submission"):
        assert o.cell is not None
        assert o.cell.approved_by_id not in (o.cell.submitted_by_id, o.cell.edited_by_id)
    assert Event.objects.filter(verb="submission.approved").exists()


def test_cities_report_for_themselves_and_departments_for_all(round_: Round) -> None:
    taiyuan, statistics = of(round_, "140100"), of(round_, "tjj")
    assert set(taiyuan.cells.values_list("unit", flat=True)) == {"140100"}
    assert {c.reviewer_id for c in taiyuan.cells.all()} == {c.indicator.owner_id for c in taiyuan.cells.select_related("indicator")}
    assert statistics.cells.values("unit").distinct().count() == 12
    assert set(statistics.cells.values_list("reviewer__code", flat=True)) == {"lead"}


def test_a_draft_keeps_what_was_typed_right_or_wrong(round_: Round) -> None:
    s = of(round_, "140100")
    cell = s.cells.first()
    assert cell is not None
    actions.save_draft(s, [Edit(cell.pk, 0, "abc")], by=user("reporter-140100"))
    cell.refresh_from_db()
    assert (cell.text, cell.value, cell.version) == ("abc", "", 1)
    assert Event.objects.filter(verb="submission.saved").latest("number").changes[0][2] == {"text": "abc", "note": ""}


def test_a_stale_draft_loses_nothing(round_: Round) -> None:
    s, li = of(round_, "140100"), user("reporter-140100")
    a, b = list(s.cells.all()[:2])
    actions.save_draft(s, [Edit(a.pk, 0, "1")], by=li)
    saved = actions.save_draft(s, [Edit(a.pk, 0, "2"), Edit(b.pk, 0, "3")], by=li)
    assert ([c.pk for c in saved.stale], [c.pk for c in saved.written]) == ([a.pk], [b.pk])
    a.refresh_from_db()
    assert a.text == "1"
    again = actions.save_draft(s, [Edit(a.pk, 0, "1")], by=li)
    assert (again.stale, again.written) == ([], []), "the same text again is no change"


def test_nothing_wrong_empty_or_unexplained_is_submitted_and_all_of_it_is_told(round_: Round) -> None:
    s, li = of(round_, "140100"), user("reporter-140100")
    edits = a_year_on(s)
    edits[0] = edits[0]._replace(text="abc")
    edits[1] = edits[1]._replace(text=str(float(edits[1].text) * 2))
    edits[2] = edits[2]._replace(text="")
    actions.save_draft(s, edits, by=li)
    with pytest.raises(NotReady) as told:
        actions.submit(s, by=li)
    assert {e.cell for e in edits[:3]} <= {r.cell.pk for r in told.value.rows}
    s.refresh_from_db()
    assert s.state == State.OPEN
    assert not s.cells.exclude(state=CellState.OPEN).exists()


def test_an_explanation_holds_for_the_value_it_was_given_for(round_: Round) -> None:
    s, li = of(round_, "140100"), user("reporter-140100")
    edit = a_year_on(s)[0]
    far = str(round(float(edit.text) * 2))
    actions.save_draft(s, [edit._replace(text=far, note="a new plant")], by=li)
    row = next(r for r in queries.grid(s) if r.cell.pk == edit.cell)
    assert (bool(row.findings), row.ready) == (True, True)
    actions.save_draft(s, [Edit(edit.cell, row.cell.version, str(float(far) + 10))], by=li)
    row = next(r for r in queries.grid(s) if r.cell.pk == edit.cell)
    assert not row.ready, "the value changed, so it must be explained anew"
    third = str(float(far) + 20)
    actions.save_draft(s, [Edit(edit.cell, row.cell.version, third, "a new plant")], by=li)
    row = next(r for r in queries.grid(s) if r.cell.pk == edit.cell)
    assert not row.ready, "the old words came along with a new value: nobody looked at them yet"
    actions.save_draft(s, [Edit(edit.cell, row.cell.version, third, "a new plant")], by=li)
    assert next(r for r in queries.grid(s) if r.cell.pk == edit.cell).ready, "sent again for the same value, they hold"


def test_not_applicable_is_a_figure_too(round_: Round) -> None:
    s, li = of(round_, "140300"), user("reporter-140300")
    edits = a_year_on(s)
    edits[0] = edits[0]._replace(text="—")
    actions.save_draft(s, edits, by=li)
    assert next(r for r in queries.grid(s) if r.cell.pk == edits[0].cell).ready


def test_the_province_must_be_the_sum_of_its_cities_or_be_explained(round_: Round) -> None:
    s, li = of(round_, "txj"), user("reporter-txj")
    values = {(r.cell.indicator.code, r.cell.unit): r.last for r in queries.grid(s)}
    rows = {(r.cell.indicator.code, r.cell.unit): r for r in queries.grid(s)}
    actions.save_draft(s, [Edit(rows[k].cell.pk, 0, v) for k, v in values.items() if k[0] == "B22" and k[1] != "140000"], by=li)
    whole = rows["B22", "140000"].cell
    actions.save_draft(s, [Edit(whole.pk, 0, str(float(values["B22", "140000"]) + 20))], by=li)
    found = next(r for r in queries.grid(s) if r.cell.pk == whole.pk)
    assert [f.rule for f in found.findings] == ["sum_differs"]
    assert float(found.findings[0].facts["difference"]) == pytest.approx(20, abs=0.02)


def test_review_return_mend_approve_unlock_correct_approve_again(round_: Round) -> None:
    s, reporter, reviewer = of(round_, "140100"), user("reporter-140100"), user("reviewer-gxt")
    fill(s, reporter)
    mine = s.cells.filter(reviewer__code="gxt")
    a, b = list(mine.values_list("pk", flat=True)[:2])
    seen = versions(mine)
    with pytest.raises(NeedsReason):
        actions.return_cells(s, {a: seen[a]}, {a: "  "}, by=reviewer)
    actions.return_cells(s, {a: seen[a], b: seen[b]}, {a: "check the unit", b: "and this"}, by=reviewer)
    actions.approve(s, {k: v for k, v in seen.items() if k not in (a, b)}, by=reviewer)
    s.refresh_from_db()
    assert s.state == State.RETURNED
    assert s.cells.get(pk=a).message == "check the unit"
    actions.save_draft(s, [Edit(a, s.cells.get(pk=a).version, s.cells.get(pk=a).text, "mended")], by=reporter)
    actions.submit(s, by=reporter)
    waiting = mine.filter(state=CellState.SUBMITTED)
    assert set(waiting.values_list("pk", flat=True)) == {a, b}, "only what was returned comes back"
    actions.approve(s, versions(waiting), by=reviewer)
    old = s.cells.get(pk=a)
    actions.unlock(old, by=reviewer, reason="source was revised")
    assert s.cells.filter(state=CellState.APPROVED, reviewer__code="gxt").count() == mine.count() - 1, "the approval of the rest stands"
    new = str(float(old.text) + 1) if not old.indicator.whole else str(int(old.text) + 1)
    actions.save_draft(s, [Edit(a, s.cells.get(pk=a).version, new, "revised")], by=reporter)
    actions.submit(s, by=reporter)
    again = s.cells.filter(pk=a)
    assert (again.get().approved_text, again.get().text) == (old.text, new), "the approver sees what it was"
    actions.approve(s, versions(again), by=reviewer)
    assert list(Observation.objects.filter(cell=a).order_by("vintage").values_list("vintage", "value")) == [(1, old.value), (2, again.get().value)]
    assert Observation.objects.filter(cell=b).count() == 1
    assert list(journal.breaks()) == []


def test_nobody_approves_what_they_reported(round_: Round) -> None:
    s, both = of(round_, "140100"), user("reporter-140100")
    people.give_duty(both, Organisation.objects.get(code="gxt"), "reviewer", start=clock.today(), by=None)
    both = user("reporter-140100")
    fill(s, both)
    with pytest.raises(Refused, match=r"another reviewer|其他人"):
        actions.approve(s, versions(s.cells.filter(reviewer__code="gxt")), by=both)
    cell = s.cells.filter(reviewer__code="gxt").first()
    assert cell is not None
    with pytest.raises(IntegrityError), transaction.atomic():
        Cell.objects.filter(pk=cell.pk).update(state="approved", approved_by=both, approved_text=cell.text, vintage=1)


def test_the_database_keeps_approved_text_and_observations_as_they_are(round_: Round) -> None:
    done = Cell.objects.filter(submission__round__period="2022").first()
    assert done is not None
    with pytest.raises(IntegrityError), transaction.atomic():
        Cell.objects.filter(pk=done.pk).update(text="1")
    for statement in ("UPDATE monitoring_observation SET value = '1'", "DELETE FROM monitoring_observation"):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_what_changed_since_it_was_seen_is_not_approved(round_: Round) -> None:
    s, reporter, reviewer = of(round_, "140100"), user("reporter-140100"), user("reviewer-gxt")
    fill(s, reporter)
    mine = s.cells.filter(reviewer__code="gxt")
    seen = versions(mine)
    one = next(iter(seen))
    actions.return_cells(s, {one: seen[one]}, {one: "mend"}, by=reviewer)
    actions.save_draft(s, [Edit(one, s.cells.get(pk=one).version, s.cells.get(pk=one).text, "mended")], by=reporter)
    actions.submit(s, by=reporter)
    with pytest.raises(Stale):
        actions.approve(s, seen, by=reviewer)
    assert not mine.filter(state=CellState.APPROVED).exists(), "all or nothing"


def test_a_reviewer_reviews_only_what_the_organisation_is_responsible_for(round_: Round) -> None:
    s = of(round_, "140100")
    fill(s, user("reporter-140100"))
    others = s.cells.exclude(reviewer__code="gxt")
    with pytest.raises(Refused):
        actions.approve(s, versions(others), by=user("reviewer-gxt"))


def test_after_closing_the_servers_clock_alone_decides(round_: Round) -> None:
    s, li = of(round_, "140100"), user("reporter-140100")
    edit = a_year_on(s)[0]
    with clock.standing_at(round_.closes - timedelta(seconds=1)):
        actions.save_draft(s, [edit], by=li)
    with clock.standing_at(round_.closes), pytest.raises(Refused):
        actions.save_draft(s, [edit._replace(version=1, text="9")], by=li)


def test_a_wish_to_unlock_is_answered_by_the_reviewer(round_: Round) -> None:
    s, reporter, reviewer = of(round_, "140100"), user("reporter-140100"), user("reviewer-gxt")
    fill(s, reporter)
    mine = s.cells.filter(reviewer__code="gxt")
    actions.approve(s, versions(mine), by=reviewer)
    cell = mine.first()
    assert cell is not None
    wish = actions.ask_unlock(cell, by=reporter, reason="a typing error")
    with pytest.raises(IllegalMove):
        actions.ask_unlock(cell, by=reporter, reason="again")
    with pytest.raises(NeedsReason):
        actions.answer_unlock(wish, False, by=reviewer)
    actions.answer_unlock(wish, True, by=reviewer)
    cell.refresh_from_db()
    assert (cell.state, UnlockRequest.objects.get().state) == ("unlocked", "granted")


def test_a_second_request_for_the_same_figure_is_flagged_and_needs_a_reason(round_: Round) -> None:
    coordinator = user("coordinator-lead")
    other = actions.import_edition(bridge.project(demo.FOLDER), "another", by=coordinator, collection={r["code"]: r for r in demo.table("collection.csv")})
    second = actions.plan_round(other, "2023", ("又一轮", "Another"), opens=round_.opens, due=round_.due, closes=round_.closes, codes=["F13"], by=coordinator)
    assert queries.asked_twice(second) == [("平均受教育年限", round_.title_zh)]
    with pytest.raises(NeedsReason):
        actions.move_round(second, "open", by=coordinator)
    assert actions.move_round(second, "open", by=coordinator, reason="a pilot").state == "open"
    assert queries.burden(round_)[Organisation.objects.get(code="tjj").pk] == of(round_, "tjj").cells.count() + 12


def test_a_round_moves_only_along_its_table(round_: Round) -> None:
    coordinator = user("coordinator-lead")
    with pytest.raises(IllegalMove):
        actions.move_round(round_, "open", by=coordinator)
    actions.move_round(round_, "close", by=coordinator)
    with pytest.raises(IllegalMove):
        actions.move_round(round_, "release", by=coordinator)
    with pytest.raises(NeedsReason):
        actions.move_round(round_, "reopen", by=coordinator)


@pytest.mark.parametrize(
    ("cells", "state"),
    [({"open"}, "open"), ({"open", "submitted"}, "open"), ({"submitted", "approved"}, "submitted"), ({"approved"}, "approved"), ({"approved", "returned"}, "returned"), ({"unlocked", "open"}, "returned")],
)  # fmt: skip
def test_the_state_of_a_submission_follows_from_its_cells(cells: set[str], state: str) -> None:
    assert settled(cells) == state


def test_the_same_framework_is_not_imported_twice_and_a_new_one_is_compared(shanxi: None, tmp_path: Any) -> None:
    editor = user("editor-lead")
    with pytest.raises(Refused):
        actions.import_edition(bridge.project(demo.FOLDER), demo.INDEX, by=editor)
    for name in ("biaochi.toml", "framework.csv"):
        (tmp_path / name).write_text(
            (demo.FOLDER / name).read_text(encoding="utf-8").replace("存力指数,Storage power index,指数,1,1", "存力指数,Storage power index,指数,1,2"),
            encoding="utf-8",
        )
    new = actions.import_edition(bridge.project(tmp_path), demo.INDEX, by=editor)
    assert new.number == 2
    old = FrameworkEdition.objects.get(index=demo.INDEX, number=1)
    assert queries.differences(old, new) == [("A23", "weight", "1.0", "2.0")]


def test_nothing_is_unlocked_in_a_round_that_takes_no_figures(round_: Round) -> None:
    """Else the cell could be mended by nobody."""
    done = Cell.objects.filter(submission__round__period="2022", reviewer__code="gxt", submission__organisation__code="140100")[0]
    with pytest.raises(Refused):
        actions.unlock(done, by=user("reviewer-gxt"), reason="late news")
    with pytest.raises(Refused):
        actions.ask_unlock(done, by=user("reporter-140100"), reason="late news")
    done.refresh_from_db()
    assert done.state == CellState.APPROVED


def test_every_value_of_the_demonstration_says_where_it_is_from(shanxi: None) -> None:
    told = {(o.indicator, o.unit, o.period): o.source or o.reason for o in Observation.objects.all()}
    assert set(told.values()) == {demo.GENERATED, demo.CENSUS, demo.PRINTED}
    assert {k for k, v in told.items() if v == demo.PRINTED} == {(r["code"], "140000", "2022") for r in demo.table("facts.csv")}
