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
}
