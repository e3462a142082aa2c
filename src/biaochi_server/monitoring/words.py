"""What findings are called on pages: one sentence with the fix."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from biaochi_server import clock
from biaochi_server.monitoring.models import Submission
from biaochi_server.plain.checks import Finding

FINDINGS = {
    "formula": _("A formula was given; type the figure itself."),
    "too_long": _("Longer than 40 characters; type the figure alone."),
    "unit_typed": _("The unit stands in the table already; type the figure without it."),
    "not_a_number": _("“%(text)s” is not a number. Type a figure such as 1697.2, or — if the indicator does not apply here."),
    "not_yet": _("“…” is fine for a draft, but a submission needs the figure, or — if the indicator does not apply here."),
    "missing": _("Still empty. Type the figure, or — if the indicator does not apply here."),
    "not_whole": _("This counts things, so it must be a whole number; %(value)s was given."),
    "too_low": _("Can't be below %(limit)s."),
    "too_high": _("Can't be above %(limit)s."),
    "unit_slip": _("About %(times)s times the earlier figure: is the unit right? If so, explain."),
    "jump": _("%(change)s %% against the same period last year, beyond ±%(limit)s %%. Explain if it is right."),
    "outlier": _("The change stands out from this figure's own past. Explain if it is right."),
    "repeated": _("Exactly the figure of the last period, %(value)s. Explain if it is right."),
    "sum_differs": _("The province is %(whole)s, its cities add up to %(sum)s: %(difference)s apart. Mend or explain."),
}

WORKBOOK = {
    "too_big": _("The file is larger than %(limit)s MB. A form is far smaller: upload the form alone."),
    "not_a_workbook": _("This is not an Excel workbook (.xlsx), or it is protected by a password. Save it as .xlsx without a password."),
    "bomb": _("Unpacked, the file is larger than %(limit)s MB or holds too many parts. Copy your figures into a fresh form."),
    "macros": _("The workbook contains macros. Copy your figures into a fresh form and save it as .xlsx."),
    "damaged": _("The workbook is damaged or not written by a spreadsheet program. Copy your figures into a fresh form."),
    "not_ours": _("This workbook was not downloaded here, or its sheets are gone. Download the form, fill it in, and upload that."),
    "other_format": _("The form was made by another version of this system (format %(got)s, needed %(wanted)s). Download it again."),
    "other_form": _("This workbook belongs to another form: %(title)s. Upload it there, or download the form of this page."),
    "other_version": _("The form asks for other cells than when this workbook was made. Download it again and copy your figures over."),
    "unknown_key": _("There is no cell %(key)s in this form. Use the rows as they were downloaded."),
    "row_missing": _("The row of %(key)s is missing. Use the rows as they were downloaded."),
    "twice": _("The row of %(key)s stands there twice. Use the rows as they were downloaded."),
    "key_changed": _("The hidden columns of this row were changed. Download the form again and copy your figures over."),
    "outside": _("Something stands where nothing belongs; it would be lost. Delete it, or write it into an explanation."),
    "shut": _("%(key)s is under review or approved, so it can't be changed to “%(text)s”. Ask for it to be unlocked first."),
    "conflict": _("Someone else changed this cell to “%(theirs)s” after the workbook was made; yours is “%(yours)s”."),
    "excel_error": _("The cell holds Excel's error %(text)s; type the figure itself."),
    "not_a_figure": _("“%(text)s” is not a figure. Type a figure such as 1697.2, or — if the indicator does not apply here."),
    "a_date": _("The cell holds a date or time (%(text)s), not a figure. Format it as a number and type the figure again."),
    "a_percentage": _("The cell is formatted as a percentage, so %(text)s is stored where a hundred times as much is seen. Format it as a number and type the figure again."),
    "refused": "%(why)s",
    "long_note": _("The explanation is longer than 2000 characters; shorten it."),
}  # fmt: skip


def header_words() -> dict[str, str]:
    """The words of a workbook, in the language of the page."""
    return {
        "sheet": str(_("Form")), "problems": str(_("List of problems")), "where": str(_("Place")), "what": str(_("What is wrong, what to do")),
        "how": str(_("Fill in the white cells only; type figures without units, — for not applicable. Then upload the file where you downloaded it.")),
        "refused": str(_("Not a figure that can be")), "allowed": str(_("Type a figure without its unit, — for not applicable, … for not yet.")),
        "code": str(_("Code")), "name": str(_("Indicator")), "place": str(_("Unit scored")), "measure": str(_("In")), "text": str(_("This period")),
        "last": str(_("Last period")), "year_ago": str(_("A year ago")), "growth": str(_("Growth, per cent")), "state": str(_("State")),
        "note": str(_("Explanation")), "check": str(_("Check")),
    }  # fmt: skip


def reminder(submission: Submission, link: str) -> tuple[str, str]:
    """Subject and text of a reminder, in the language in force; the submission with its progress."""
    round_, late = submission.round, clock.now() > submission.round.due
    facts = {
        "title": round_.title, "organisation": submission.organisation.name, "due": f"{timezone.localtime(round_.due):%Y-%m-%d}", "open": submission.to_fill,  # type: ignore[attr-defined]
        "returned": submission.sent_back, "link": link,  # type: ignore[attr-defined]
    }  # fmt: skip
    subject = _("%(title)s was due on %(due)s") if late else _("%(title)s is due on %(due)s")
    lines = [_("%(organisation)s: %(open)s figures are still open.")]
    lines += [_("%(returned)s of them were returned by a reviewer, with what is to be mended.")] if facts["returned"] else []
    return str(subject) % facts, "\n".join(str(line) % facts for line in lines) + f"\n\n{link}\n"


def trouble(rule: str, facts: Mapping[str, str]) -> str:
    """What is wrong with a workbook, in words."""
    return str((WORKBOOK | FINDINGS)[rule]) % facts


def sentence(finding: Finding) -> str:
    """A finding in words."""
    return str(FINDINGS[finding.rule]) % finding.facts
