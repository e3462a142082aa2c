"""The form as a workbook: out, back, and what was wrong with it."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from biaochi_server.monitoring import actions, forms, queries, rules
from biaochi_server.monitoring.models import Submission, Upload
from biaochi_server.monitoring.views.reporting import by_branch, own_submission, visible_submission
from biaochi_server.moves import Refused
from biaochi_server.people import actions as people
from biaochi_server.people.views import both, me, only
from biaochi_server.plain.workbook import Trouble

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def _as_file(content: bytes, name: str) -> HttpResponse:
    return HttpResponse(content, content_type=XLSX, headers={"Content-Disposition": content_disposition_header(True, name)})


@only(rules.takes_part)
@require_safe
def workbook(request: HttpRequest, pk: int) -> HttpResponse:
    """The form as a workbook: to fill in for its reporters, to read for all who see it."""
    user = me(request)
    submission = visible_submission(request, pk)
    rows = queries.grid(submission, user)
    writable = rules.reports(user, submission) and submission.round.takes_figures()
    content = forms.workbook(submission, by_branch(rows, submission.round.edition), writable=writable)
    return _as_file(content, f"{submission.round.period} {submission.organisation.name}.xlsx")


@only(rules.takes_part)
@both
def excel(request: HttpRequest, pk: int) -> HttpResponse:
    """Download the form, upload it filled in: all of it is taken, or nothing."""
    submission = own_submission(request, pk)
    form = forms.WorkbookForm(request.POST or None, request.FILES or None)
    status = 200
    if form.is_valid():
        if not people.take("upload", me(request).username, capacity=60, seconds=3600):
            form.add_error(None, _("Sixty workbooks an hour are enough. Wait a little, or type into the form."))
            status = 429
        else:
            upload = _uploaded(request, submission, actions.File(form.cleaned_data["file"].name, form.cleaned_data["file"].read()))
            if upload.taken:
                messages.success(request, _("%(n)s cells were taken from the workbook.") % {"n": upload.cells})
                return redirect("monitoring:grid", pk)
            status = 422
    uploads = submission.uploads.defer("content").select_related("by")[:10]
    return render(request, "monitoring/excel.html", {"form": form, "submission": submission, "uploads": uploads, "refused": status == 422}, status=status)


def _uploaded(request: HttpRequest, submission: Submission, file: actions.File) -> Upload:
    """Take a workbook, or keep it with everything that is wrong with it."""
    user = me(request)
    rows = queries.grid(submission)
    judged = forms.judge(submission, rows, file.content)
    if not judged.troubles:
        try:
            return actions.take_workbook(submission, file, judged.edits, by=user)
        except actions.Conflict as e:
            judged = forms.judge(submission, rows, file.content, e.cells)
        except Refused as e:
            return actions.refuse_workbook(submission, file, [Trouble("refused", facts={"why": str(e)})], by=user)
    return actions.refuse_workbook(submission, file, judged.troubles, by=user)


def _upload(request: HttpRequest, pk: int) -> Upload:
    user = me(request)
    mine = Q() if rules.sees_the_whole(user) else Q(submission__in=Submission.objects.reportable_by(user))
    return get_object_or_404(Upload.objects.filter(mine).select_related("submission__round__edition", "submission__organisation"), pk=pk)


@only(rules.takes_part)
@require_safe
def upload(request: HttpRequest, pk: int) -> HttpResponse:
    """A workbook as it came."""
    found = _upload(request, pk)
    return _as_file(bytes(found.content), found.name)


@only(rules.takes_part)
@require_safe
def marked(request: HttpRequest, pk: int) -> HttpResponse:
    """A workbook as it came, its problems marked on the cells and listed, ready to be mended and uploaded again."""
    found = _upload(request, pk)
    submission = found.submission
    rows = queries.grid(submission)
    judged = forms.judge(submission, rows, bytes(found.content), queries.cells_in_conflict(found))
    writable = submission.round.takes_figures()
    content = forms.workbook(submission, by_branch(rows, submission.round.edition), writable=writable, tried=judged.tried)
    return _as_file(content, f"{_('marked')} {found.name}")
