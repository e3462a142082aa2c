"""The interface for programs: it answers as it documents, to each what their duties open, and never with more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import jsonschema
import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from biaochi_server.monitoring.models import FrameworkEdition, Observation, Round
from biaochi_server.people.models import User
from tests.server.shanxi import of, user

SignedIn = Callable[[User], Client]
WHO = ["reporter-140100", "reviewer-gxt", "coordinator-lead", "administrator-lead"]


@pytest.fixture
def ask(signed_in: SignedIn) -> Callable[..., Any]:
    """(user name, path, query) -> the answer, after checking that it is as the description says."""
    described: dict[str, Any] = {}

    def get(name: str, path: str, **query: object) -> Any:
        client = signed_in(user(name)) if name else Client()
        if not described:
            described.update(signed_in(user("leader-lead")).get("/api/openapi.json").json())
        answer = client.get(f"/api/{path}", query)
        plain = "/api/" + "/".join("{pk}" if part.isdigit() else part for part in path.split("/"))
        allowed = described["paths"][plain]["get"]["responses"]
        schema = allowed[str(answer.status_code)]["content"]["application/json"]["schema"]
        jsonschema.validate(answer.json(), {**schema, "components": described["components"]})
        return answer

    return get


@pytest.mark.parametrize("name", [*WHO, ""])
def test_every_answer_is_as_described(name: str, round_: Round, ask: Callable[..., Any]) -> None:
    submission, edition = of(round_, "140100"), FrameworkEdition.objects.get()
    for path in (
        "rounds",
        "submissions",
        "observations",
        f"submissions/{submission.pk}/cells",
        f"editions/{edition.pk}/indicators",
        "editions/999999/indicators",
    ):
        answer = ask(name, path)
        assert (answer.status_code == 401) == (not name)


def test_a_city_gets_its_own_and_a_department_what_it_answers_for(round_: Round, ask: Callable[..., Any]) -> None:
    assert {s["organisation"] for s in ask("reporter-140100", "submissions").json()["items"]} == {"140100"}
    units = {o["unit"] for o in ask("reporter-140100", "observations", limit=1000).json()["items"]}
    assert units == {"140100"}
    owned = set(FrameworkEdition.objects.get().indicators.filter(leaf=True, owner__code="gxt").values_list("code", flat=True))
    theirs = ask("reporter-gxt", "observations", limit=1000).json()
    assert {o["indicator"] for o in theirs["items"]} == owned
    assert theirs["count"] == Observation.objects.filter(indicator__in=owned).count()
    assert ask("administrator-lead", "observations").json() == {"items": [], "count": 0}
    assert ask("coordinator-lead", "observations").json()["count"] == Observation.objects.count()


def test_asking_for_what_is_not_yours_finds_nothing_and_counts_nothing(round_: Round, ask: Callable[..., Any]) -> None:
    theirs = of(round_, "140200")
    assert ask("reporter-140100", f"submissions/{theirs.pk}/cells").status_code == 404
    assert ask("reporter-140100", f"submissions/{theirs.pk}/cells").content == ask("reporter-140100", "submissions/999999/cells").content
    assert ask("reporter-140100", "observations", unit="140200").json() == {"items": [], "count": 0}


def test_a_reviewer_gets_and_counts_own_cells_of_a_submission_only(round_: Round, ask: Callable[..., Any]) -> None:
    submission = of(round_, "140100")
    mine = submission.cells.filter(reviewer__code="gxt").count()
    assert 0 < mine < submission.cells.count()
    assert len(ask("reviewer-gxt", f"submissions/{submission.pk}/cells").json()) == mine
    assert next(s for s in ask("reviewer-gxt", "submissions").json()["items"] if s["id"] == submission.pk)["asked"] == mine


def test_every_digit_of_a_figure_arrives(round_: Round, ask: Callable[..., Any]) -> None:
    stored = Observation.objects.filter(unit="140100").order_by("index", "indicator", "unit", "period", "vintage")
    got = ask("reporter-140100", "observations", limit=1000).json()["items"]
    assert [o["value"] for o in got] == list(stored.values_list("value", flat=True))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    query=st.dictionaries(st.sampled_from(["index", "indicator", "unit", "period", "limit", "offset", "other"]), st.text(max_size=30) | st.integers().map(str))
)
def test_whatever_is_asked_is_answered_or_refused_with_words(query: dict[str, str], round_: Round, ask: Callable[..., Any]) -> None:
    answer = ask("reporter-140100", "observations", **query)
    assert answer.status_code in (200, 422), urlencode(query)


@pytest.mark.parametrize("path", ["rounds", "submissions", "observations"])
def test_lists_take_as_many_queries_with_thirty_rows_as_with_one(path: str, round_: Round, signed_in: SignedIn, django_assert_max_num_queries: Any) -> None:
    for name in ("reporter-140100", "coordinator-lead"):
        client = signed_in(user(name))
        for limit in (1, 30):
            with django_assert_max_num_queries(7):
                assert client.get(f"/api/{path}", {"limit": limit} if path != "rounds" else {}).status_code == 200


def test_the_description_is_a_page_that_loads_nothing_from_elsewhere(round_: Round, signed_in: SignedIn) -> None:
    page = signed_in(user("reporter-140100")).get("/api/docs").content.decode()
    assert "swagger-ui" in page
    assert "//cdn" not in page
    assert "https://" not in page
