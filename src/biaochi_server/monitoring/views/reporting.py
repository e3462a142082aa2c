"""Pages of reporters: to do, the grid, pasting."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from biaochi_server import clock
from biaochi_server.monitoring import actions, forms, queries, rules
from biaochi_server.monitoring.models import Cell, FrameworkEdition, Indicator, Round, Submission
from biaochi_server.monitoring.states import RoundState
from biaochi_server.moves import Refused
from biaochi_server.people.states import Role
from biaochi_server.people.views import both, me, only


def visible_submission(request: HttpRequest, pk: int) -> Submission:
    """A submission that the visitor may see; 404 for any other."""
    return get_object_or_404(Submission.objects.visible_to(me(request)).select_related("round__edition", "organisation"), pk=pk)


def own_submission(request: HttpRequest, pk: int) -> Submission:
    """A submission that the visitor fills in; 404 for any other."""
    return get_object_or_404(Submission.objects.reportable_by(me(request)).select_related("round__edition", "organisation"), pk=pk)


def by_branch(rows: list[queries.Row], edition: FrameworkEdition) -> list[tuple[Indicator, list[queries.Row]]]:
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
    submission = visible_submission(request, pk)
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
        "submission": submission, "branches": by_branch(rows, submission.round.edition), "rows": rows, "writable": writable, "mine": mine, "left": left,
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
    submission = own_submission(request, pk)
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
