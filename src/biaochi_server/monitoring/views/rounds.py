"""Pages of rounds, frameworks and indicators."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from biaochi_server.monitoring import actions, forms, queries, rules
from biaochi_server.monitoring.models import FrameworkEdition, Indicator, Observation, Round
from biaochi_server.monitoring.states import RoundState
from biaochi_server.moves import Refused
from biaochi_server.people.views import both, me, only


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
    actions.remind(owing, by=me(request))
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
    found = get_object_or_404(Indicator.objects.select_related("edition", "owner"), pk=pk, leaf=True)
    names = queries.unit_names()
    series = queries.series(found, Observation.objects.visible_to(me(request)))
    periods = sorted({o.period for o in series})
    table = [
        (names.get(u, u), [next((o.value for o in series if (o.unit, o.period) == (u, p)), "") for p in periods]) for u in sorted({o.unit for o in series})
    ]
    return render(request, "monitoring/indicator.html", {"indicator": found, "periods": periods, "table": table})
