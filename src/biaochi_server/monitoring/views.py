"""The pages of monitoring: to do, the grid, the cell, review, the board, the indicator's card."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from django.contrib import messages
from django.core.mail import send_mail
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from biaochi_server import clock
from biaochi_server.journal.queries import history
from biaochi_server.monitoring import actions, forms, queries, rules
from biaochi_server.monitoring.models import Cell, FrameworkEdition, Indicator, Observation, Round, Submission, UnlockRequest
from biaochi_server.monitoring.states import CellState, RoundState
from biaochi_server.moves import Refused, Stale
from biaochi_server.people.queries import holders
from biaochi_server.people.states import Role
from biaochi_server.people.views import both, me, only


def _submission(request: HttpRequest, pk: int) -> Submission:
    return get_object_or_404(Submission.objects.visible_to(me(request)).select_related("round__edition", "organisation"), pk=pk)


def _own(request: HttpRequest, pk: int) -> Submission:
    return get_object_or_404(Submission.objects.reportable_by(me(request)).select_related("round__edition", "organisation"), pk=pk)


def _by_branch(rows: list[queries.Row], edition: FrameworkEdition) -> list[tuple[Indicator, list[queries.Row]]]:
    """Rows grouped by the level-1 indicator they stand under."""
    nodes = {n.code: n for n in edition.indicators.all()}

    def branch(row: queries.Row) -> str:
        node = row.cell.indicator
        while node.level > 1 and node.parent_code in nodes:
            node = nodes[node.parent_code]
        return node.code

    return [(nodes[code], list(group)) for code, group in groupby(rows, branch)]


@only(rules.takes_part)
@require_safe
def todo(request: HttpRequest) -> HttpResponse:
    """What waits on me: returned first, then by due date; what I have to review; wishes to unlock."""
    user = me(request)
    context = {"owed": queries.owed(user), "inbox": queries.inbox(user), "unlocks": queries.asked_unlocks(user), "now": clock.now()}
    if user.has(Role.COORDINATOR):
        context["rounds"] = Round.objects.exclude(state=RoundState.RELEASED)
    return render(request, "monitoring/todo.html", context)


@only(rules.takes_part)
@require_safe
def submissions(request: HttpRequest) -> HttpResponse:
    """Every submission of one's own organisations."""
    return render(request, "monitoring/submissions.html", {"submissions": queries.with_progress(Submission.objects.reportable_by(me(request)))})


@only(rules.takes_part)
@both
def grid(request: HttpRequest, pk: int) -> HttpResponse:
    """The form of one organisation in one round."""
    submission = _submission(request, pk)
    mine = rules.reports(me(request), submission)
    if request.method == "POST":
        if not mine:
            raise Http404
        return _posted(request, submission)
    return _grid(request, submission, mine)


def _grid(request: HttpRequest, submission: Submission, mine: bool, **more: Any) -> HttpResponse:
    rows = queries.grid(submission, me(request))
    writable = mine and submission.round.takes_figures()
    left = [r for r in rows if r.cell.editable and not r.ready]
    context = {
        "submission": submission, "branches": _by_branch(rows, submission.round.edition), "rows": rows, "writable": writable, "mine": mine, "left": left,
        "filled": sum(bool(r.cell.text) for r in rows), "open": sum(r.cell.editable for r in rows), "now": clock.now(), **more,
    }  # fmt: skip
    return render(request, "monitoring/grid.html", context, status=more.get("status", 200))


def _posted(request: HttpRequest, submission: Submission) -> HttpResponse:
    """Save what was typed; then submit, if that was asked."""
    user = me(request)
    cells = list(submission.cells.values_list("pk", flat=True))
    typed = {k: v for k, v in request.POST.items() if isinstance(v, str)}
    try:
        saved = actions.save_draft(submission, forms.edits(typed, cells), by=user)
        if saved.stale:
            mine = {c.pk: typed.get(f"v-{c.pk}", "") for c in saved.stale}
            return _grid(request, submission, True, stale=[(c, mine[c.pk]) for c in saved.stale], status=409)
        if typed.get("do") == "submit":
            actions.submit(submission, by=user)
            messages.success(request, _("Submitted. The reviewers see it now; you will find returned cells under To do."))
            return redirect("monitoring:todo")
    except actions.NotReady as e:
        return _grid(request, submission, True, refused=str(e), status=422)
    except Refused as e:
        stored = submission.cells.select_related("indicator")
        unsaved = [(c, typed[f"v-{c.pk}"]) for c in stored if typed.get(f"v-{c.pk}", c.text).strip() != c.text]
        return _grid(request, submission, True, refused=str(e), unsaved=unsaved, status=409)
    messages.success(request, _("Draft saved."))
    return redirect("monitoring:grid", submission.pk)


@only(rules.takes_part)
@require_POST
def save_cell(request: HttpRequest, pk: int) -> HttpResponse:
    """Save one cell as it is left; answers with what stands beside it."""
    cell = get_object_or_404(Cell.objects.filter(submission__in=Submission.objects.reportable_by(me(request))).select_related("submission"), pk=pk)
    typed = {k: v for k, v in request.POST.items() if isinstance(v, str)}
    context: dict[str, Any] = {}
    try:
        if actions.save_draft(cell.submission, forms.edits(typed, [pk]), by=me(request)).stale:
            context["stale"] = True
    except Refused as e:
        context["refused"] = str(e)
    found = list(Cell.objects.filter(pk=pk).select_related("indicator", "submission__round__edition"))
    row = queries.rows(found, parts=queries.city_values(found[0].submission.round, found))[0]
    siblings = list(Cell.objects.filter(submission=cell.submission).values_list("text", flat=True))
    context |= {"row": row, "typed": typed.get(f"v-{pk}", ""), "filled": sum(map(bool, siblings)), "asked": len(siblings), "now": clock.now()}
    return render(request, "monitoring/cell_saved.html", context, status=409 if "stale" in context or "refused" in context else 200)


@only(rules.takes_part)
@both
def paste(request: HttpRequest, pk: int) -> HttpResponse:
    """Take cells copied from a spreadsheet: all of them or none."""
    submission = _own(request, pk)
    form = forms.Paste(queries.grid(submission), request.POST or None)
    if form.is_valid():
        try:
            saved = actions.save_draft(submission, form.cleaned_data["edits"], by=me(request), source="paste")
        except Refused as e:
            form.add_error(None, str(e))
        else:
            messages.success(request, _("%(n)s cells were taken from the paste.") % {"n": len(saved.written)})
            return redirect("monitoring:grid", pk)
    return render(request, "monitoring/paste.html", {"form": form, "submission": submission})


@only(rules.takes_part)
@require_safe
def cell(request: HttpRequest, pk: int) -> HttpResponse:
    """One cell: its card, its past, who did what; and unlocking."""
    user = me(request)
    found = get_object_or_404(
        Cell.objects.visible_to(user).select_related("indicator__edition", "submission__round__edition", "submission__organisation", "reviewer"), pk=pk
    )
    row = queries.rows([found], parts=queries.city_values(found.submission.round, [found]))[0]
    key = f"{found.indicator.code} {found.unit}"
    events = [(e, [c for c in e.changes if c[0] == key]) for e in history(found.submission)[:400]]
    said = [(e, changes) for e, changes in events if changes or key in str(e.after)]
    approved = found.state == CellState.APPROVED
    context = {
        "row": row, "cell": found, "events": said, "may_unlock": approved and rules.reviews(user, found), "may_ask": approved and rules.reports(user, found.submission),
        "series": _series(found.indicator, [found.unit]), "asked": found.unlock_requests.select_related("asked_by", "answered_by"),
    }  # fmt: skip
    return render(request, "monitoring/cell.html", context)


def _series(indicator: Indicator, units: list[str]) -> list[Observation]:
    newest: dict[tuple[str, str], Observation] = {}
    for o in Observation.objects.filter(index=indicator.edition.index, indicator=indicator.code, unit__in=units).order_by("period", "vintage"):
        newest[o.unit, o.period] = o
    return list(newest.values())


@only(rules.takes_part)
@require_POST
def unlock(request: HttpRequest, pk: int) -> HttpResponse:
    """Unlock an approved cell, or ask for it: whichever one's duty allows."""
    user = me(request)
    found = get_object_or_404(Cell.objects.visible_to(user).select_related("submission__organisation"), pk=pk)
    reason = request.POST.get("reason", "")
    try:
        if rules.reviews(user, found):
            actions.unlock(found, by=user, reason=reason)
            messages.success(request, _("Unlocked. The reporter sees it under To do; the approval of all other cells stands."))
        elif rules.reports(user, found.submission):
            actions.ask_unlock(found, by=user, reason=reason)
            messages.success(request, _("Asked. The reviewer answers under To do."))
        else:
            raise Http404
    except Refused as e:
        messages.error(request, str(e))
    return redirect("monitoring:cell", pk)


@only(rules.takes_part)
@require_POST
def answer_unlock(request: HttpRequest, pk: int) -> HttpResponse:
    """Grant or refuse a wish to unlock."""
    wish = get_object_or_404(UnlockRequest.objects.filter(cell__in=Cell.objects.reviewable_by(me(request))).select_related("cell__submission"), pk=pk)
    try:
        actions.answer_unlock(wish, request.POST.get("do") == "grant", by=me(request), answer=request.POST.get("answer", ""))
        messages.success(request, _("Done."))
    except Refused as e:
        messages.error(request, str(e))
    return redirect("monitoring:todo")


@only(rules.takes_part)
@both
def review(request: HttpRequest, pk: int) -> HttpResponse:
    """What waits on a reviewer in one submission: the difference since the last approval."""
    user = me(request)
    mine = Cell.objects.filter(submission=pk).reviewable_by(user)
    if not mine.exists():
        raise Http404
    submission = Submission.objects.select_related("round__edition", "organisation").get(pk=pk)
    refused, status, typed = "", 200, {}
    if request.method == "POST":
        typed = {k: v for k, v in request.POST.items() if isinstance(v, str)}
        try:
            return _reviewed(request, submission, typed)
        except Refused as e:
            refused, status = str(e), 409 if isinstance(e, Stale) else 422
    cells = list(mine.filter(state=CellState.SUBMITTED).select_related("indicator", "submission__round__edition", "submitted_by"))
    rows = queries.rows(cells, parts=queries.city_values(submission.round, cells))
    settled = mine.exclude(state=CellState.SUBMITTED).count()
    context = {
        "submission": submission,
        "branches": _by_branch(rows, submission.round.edition),
        "rows": rows,
        "settled": settled,
        "refused": refused,
        "typed": typed,
    }
    return render(request, "monitoring/review.html", context, status=status)


def _reviewed(request: HttpRequest, submission: Submission, typed: dict[str, str]) -> HttpResponse:
    seen = forms.seen(typed)
    if typed.get("do") == "return":
        told = {pk: typed.get(f"m-{pk}", "") for pk in seen}
        actions.return_cells(submission, seen, told, by=me(request))
        messages.success(request, _("%(n)s cells are returned.") % {"n": len(seen)})
    else:
        actions.approve(submission, seen, by=me(request))
        messages.success(request, _("%(n)s cells are approved.") % {"n": len(seen)})
    return redirect("monitoring:review", submission.pk)


@only(rules.sees_the_whole)
@require_safe
def rounds(request: HttpRequest) -> HttpResponse:
    """All rounds."""
    return render(request, "monitoring/rounds.html", {"rounds": Round.objects.select_related("edition"), "may_plan": rules.coordinates(me(request))})


@only(rules.coordinates)
@both
def new_round(request: HttpRequest) -> HttpResponse:
    """Plan a round."""
    form = forms.RoundForm(request.POST or None)
    if form.is_valid():
        d = form.cleaned_data
        codes = list(Indicator.objects.filter(edition=d["edition"], leaf=True, frequency__in=d["frequencies"]).values_list("code", flat=True))
        try:
            made = actions.plan_round(
                d["edition"], d["period"], (d["title_zh"], d["title_en"]), opens=d["opens"], due=d["due"], closes=d["closes"], codes=codes, by=me(request)
            )  # fmt: skip
        except Refused as e:
            form.add_error(None, str(e))
        else:
            return redirect("monitoring:board", made.pk)
    return render(request, "monitoring/new_round.html", {"form": form})


@only(rules.sees_the_whole)
@require_safe
def board(request: HttpRequest, pk: int) -> HttpResponse:
    """A round: who has reported, what waits on whom."""
    round_ = get_object_or_404(Round.objects.select_related("edition"), pk=pk)
    standings = queries.board(round_)
    carried = queries.burden(round_)
    lines = [(s, queries.timely(s.submission), carried.get(s.submission.organisation_id, 0)) for s in standings]
    context = {"round": round_, "lines": lines, "twice": queries.asked_twice(round_), "may_move": rules.coordinates(me(request)), "states": RoundState}
    return render(request, "monitoring/board.html", context)


@only(rules.coordinates)
@require_POST
def move_round(request: HttpRequest, pk: int) -> HttpResponse:
    """Open, close, reopen or release."""
    round_ = get_object_or_404(Round, pk=pk)
    verb = request.POST.get("do", "")
    try:
        if verb not in ("open", "close", "reopen", "release"):
            raise Refused(_("A round can be opened, closed, reopened or released."))
        actions.move_round(round_, verb, by=me(request), reason=request.POST.get("reason", ""))
        messages.success(request, _("Done."))
    except Refused as e:
        messages.error(request, str(e))
    return redirect("monitoring:board", pk)


@only(rules.coordinates)
@require_POST
def remind(request: HttpRequest, pk: int) -> HttpResponse:
    """Write to the reporters of everyone who still owes something."""
    round_ = get_object_or_404(Round.objects.select_related("edition"), pk=pk, state=RoundState.OPEN)
    owing = [s for s in queries.with_progress(round_.submissions.all()) if s.to_fill]
    for submission in owing:
        people = holders(Role.REPORTER, {submission.organisation_id}).exclude(email="")
        link = request.build_absolute_uri(reverse("monitoring:grid", args=[submission.pk]))
        body = _("%(title)s is due on %(due)s; %(n)s cells are still open: %(link)s") % {
            "title": round_.title, "due": f"{round_.due:%Y-%m-%d}", "n": submission.to_fill, "link": link,
        }  # fmt: skip
        if to := [p.email for p in people]:
            send_mail(round_.title, body, None, to)
    actions.reminded(owing, by=me(request))
    messages.success(request, _("%(n)s organisations are reminded.") % {"n": len(owing)})
    return redirect("monitoring:board", pk)


@only(rules.takes_part)
@require_safe
def editions(request: HttpRequest) -> HttpResponse:
    """All framework editions."""
    return render(request, "monitoring/editions.html", {"editions": FrameworkEdition.objects.all()})


@only(rules.takes_part)
@require_safe
def edition(request: HttpRequest, pk: int) -> HttpResponse:
    """One edition's tree, beside the version before it."""
    found = get_object_or_404(FrameworkEdition, pk=pk)
    older = FrameworkEdition.objects.filter(index=found.index, number__lt=found.number).order_by("-number").first()
    context = {
        "edition": found,
        "nodes": found.indicators.select_related("owner"),
        "older": older,
        "differences": queries.differences(older, found) if older else [],
    }
    return render(request, "monitoring/edition.html", context)


@only(rules.takes_part)
@require_safe
def indicator(request: HttpRequest, pk: int) -> HttpResponse:
    """An indicator's card: definition, source, who reports; and the series one may see."""
    user = me(request)
    found = get_object_or_404(Indicator.objects.select_related("edition", "owner"), pk=pk, leaf=True)
    names = queries.unit_names()
    owners = {found.owner_id}
    if user.has(Role.COORDINATOR, Role.LEADER) or owners & user.organisations(Role.REPORTER, Role.REVIEWER):
        units = list(names)
    else:
        units = [d.organisation.unit for d in user.held if d.organisation.unit and d.role in (Role.REPORTER, Role.REVIEWER)]
    series = _series(found, units)
    periods = sorted({o.period for o in series})
    table = [
        (names.get(u, u), [next((o.value for o in series if (o.unit, o.period) == (u, p)), "") for p in periods]) for u in sorted({o.unit for o in series})
    ]
    return render(request, "monitoring/indicator.html", {"indicator": found, "periods": periods, "table": table})
