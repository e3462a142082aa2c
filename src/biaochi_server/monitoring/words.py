"""What findings are called on pages: one sentence with the fix."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

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


def sentence(finding: Finding) -> str:
    """A finding in words."""
    return str(FINDINGS[finding.rule]) % finding.facts
