"""Kinds of organisation and the roles a person may hold in one."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Kind(models.TextChoices):
    """What an organisation is."""

    LEAD = "lead", _("Lead office")
    DEPARTMENT = "department", _("Department")
    CITY = "city", _("City")
    COUNTY = "county", _("County")


class Role(models.TextChoices):
    """What a duty allows; product section 3."""

    ADMINISTRATOR = "administrator", _("Administrator")
    EDITOR = "editor", _("Framework editor")
    REPORTER = "reporter", _("Reporter")
    REVIEWER = "reviewer", _("Reviewer")
    COORDINATOR = "coordinator", _("Coordinator")
    LEADER = "leader", _("Leader")


WHOLE = frozenset({Role.ADMINISTRATOR, Role.EDITOR, Role.COORDINATOR, Role.LEADER})
"""Roles of the lead office: they concern the whole, not one organisation's figures."""
