"""What is typed about people."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib.auth.forms import SetPasswordForm
from django.utils.translation import gettext_lazy as _

from biaochi_server import clock
from biaochi_server.people.models import Duty, Organisation, User


class SignIn(forms.Form):
    """User name and password."""

    username = forms.CharField(
        label=_("User name"), max_length=60, widget=forms.TextInput({"autocomplete": "username", "autofocus": True, "autocapitalize": "none"})
    )
    password = forms.CharField(label=_("Password"), max_length=500, strip=False, widget=forms.PasswordInput({"autocomplete": "current-password"}))


class Code(forms.Form):
    """A code of the second factor."""

    code = forms.CharField(
        label=_("Six-digit code"), max_length=12, widget=forms.TextInput({"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True})
    )


class Password(SetPasswordForm):
    """A new password, with the present one."""

    present = forms.CharField(label=_("Present password"), strip=False, widget=forms.PasswordInput({"autocomplete": "current-password"}))
    field_order: ClassVar[list[str]] = ["present", "new_password1", "new_password2"]

    def clean_present(self) -> str:
        """The present password must be right."""
        typed: str = self.cleaned_data["present"]
        if not self.user.check_password(typed):
            raise forms.ValidationError(_("This is not your present password."))
        return typed


class OrganisationForm(forms.ModelForm):  # type: ignore[type-arg]
    """An organisation."""

    class Meta:
        model = Organisation
        fields: ClassVar[list[str]] = ["code", "name_zh", "name_en", "kind", "unit", "parent", "active"]


class UserForm(forms.ModelForm):  # type: ignore[type-arg]
    """A user."""

    class Meta:
        model = User
        fields: ClassVar[list[str]] = ["username", "name", "email", "language"]


class DutyForm(forms.ModelForm):  # type: ignore[type-arg]
    """A duty for a user."""

    class Meta:
        model = Duty
        fields: ClassVar[list[str]] = ["organisation", "role", "start", "end"]
        widgets: ClassVar[dict[str, Any]] = {
            "start": forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
            "end": forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["organisation"].queryset = Organisation.objects.filter(active=True)  # type: ignore[attr-defined]
        self.initial.setdefault("start", clock.today())


class Reason(forms.Form):
    """A reason, which the journal keeps."""

    reason = forms.CharField(label=_("Reason"), max_length=500, widget=forms.Textarea({"rows": 2}))
