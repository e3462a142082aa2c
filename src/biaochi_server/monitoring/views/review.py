"""Pages of one cell and of review."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from biaochi_server.journal.queries import history
from biaochi_server.monitoring import actions, forms, queries, rules
from biaochi_server.monitoring.models import Cell, Observation, Submission, UnlockRequest
from biaochi_server.monitoring.states import CellState
from biaochi_server.monitoring.views.reporting import by_branch
from biaochi_server.moves import Refused, Stale
from biaochi_server.people.views import both, me, only


@only(rules.takes_part)
@require_safe
def cell(request: HttpRequest, pk: int) -> HttpResponse:
    """One cell: its card, its past, who did what; and unlocking."""
    user = me(request)
    found = get_object_or_404(
        Cell.objects.visible_to(user).select_related("indicator__edition", "submission__round__edition", "submission__organisation", "reviewer"), pk=pk
    )
    row = queries.rows([found], parts=queries.city_values(found.submission.round, [found]))[0]
    key = found.key
    events = [(e, [c for c in e.changes if c[0] == key]) for e in history(found.submission)[:400]]
    said = [(e, changes) for e, changes in events if changes or key in str(e.after)]
    approved = found.state == CellState.APPROVED
    context = {
        "row": row, "cell": found, "events": said, "may_unlock": approved and rules.reviews(user, found), "may_ask": approved and rules.reports(user, found.submission),
        "series": queries.series(found.indicator, Observation.objects.filter(unit=found.unit)), "asked": found.unlock_requests.select_related("asked_by", "answered_by"),
    }  # fmt: skip
    return render(request, "monitoring/cell.html", context)


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
        "branches": by_branch(rows, submission.round.edition),
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
