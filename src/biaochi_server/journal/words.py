"""What each verb of the journal is called on pages."""

from django.utils.translation import gettext_lazy as _

VERBS = {
    "organisation.added": _("added the organisation"),
    "organisation.changed": _("changed the organisation"),
    "user.added": _("added the user"),
    "user.changed": _("changed the user"),
    "user.enabled": _("let the user in again"),
    "user.disabled": _("disabled the user"),
    "user.password_set": _("set the password"),
    "user.second_factor_on": _("set up the second factor"),
    "user.second_factor_off": _("turned the second factor off"),
    "user.signed_in": _("signed in"),
    "duty.given": _("gave the duty"),
    "duty.ended": _("ended the duty"),
    "edition.imported": _("imported the framework"),
    "edition.history_imported": _("imported earlier values"),
    "calendar.changed": _("changed the calendar"),
    "round.planned": _("planned the round"),
    "round.open": _("opened the round"),
    "round.close": _("closed the round"),
    "round.reopen": _("opened the round again"),
    "round.release": _("released the round"),
    "submission.saved": _("saved a draft"),
    "submission.submitted": _("submitted"),
    "submission.approved": _("approved"),
    "submission.returned": _("returned"),
    "submission.unlocked": _("unlocked a cell"),
    "submission.unlock_asked": _("asked to unlock a cell"),
    "submission.unlock_refused": _("did not unlock a cell"),
    "submission.reminded": _("reminded"),
}
