"""Signing in, one's own account, and the administrator's pages about people."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Callable
from functools import wraps

import pyotp
import segno
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import authenticate, login, logout, update_session_auth_hash
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import PasswordResetForm, SetPasswordForm
from django.contrib.auth.tokens import default_token_generator
from django.contrib.auth.views import PasswordResetConfirmView
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import url_has_allowed_host_and_scheme, urlsafe_base64_encode
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST
from django.views.i18n import set_language

from biaochi_server import clock
from biaochi_server.middleware import address
from biaochi_server.moves import Refused
from biaochi_server.people import actions, forms, queries
from biaochi_server.people.models import Duty, Organisation, User
from biaochi_server.people.rules import administers

WAITING = "second_factor_for"
WAIT_SECONDS = 300
View = Callable[..., HttpResponse]
both = require_http_methods(["GET", "HEAD", "POST"])


def me(request: HttpRequest) -> User:
    """The user of a page that only signed-in people reach."""
    assert isinstance(request.user, User)
    return request.user


def only(rule: Callable[[User], bool]) -> Callable[[View], View]:
    """Not there for those whom the rule does not let in."""

    def wrap(view: View) -> View:
        @wraps(view)
        def inside(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
            if not rule(me(request)):
                raise Http404
            return view(request, *args, **kwargs)

        return inside

    return wrap


def _after(request: HttpRequest) -> str:
    asked = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(asked, {request.get_host()}, require_https=request.is_secure())
    return asked if safe else reverse(settings.LOGIN_REDIRECT_URL)


def _allowed(request: HttpRequest, limit: str, who: str) -> bool:
    """Ten tries a quarter of an hour for a name, a hundred for an address."""
    mine = actions.take(limit, who, capacity=10, seconds=900)
    return actions.take(limit, f"address {address(request)}", capacity=100, seconds=900) and mine


def _enter(request: HttpRequest, user: User, how: str) -> HttpResponse:
    login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    actions.signed_in(user, how=how)
    response = HttpResponseRedirect(_after(request))
    response.set_cookie(settings.LANGUAGE_COOKIE_NAME, user.language, httponly=True, samesite="Lax", secure=settings.HTTPS)
    return response


@login_not_required
@sensitive_post_parameters("password")
@both
def sign_in(request: HttpRequest) -> HttpResponse:
    """User name and password; then, where it is set up, the second factor."""
    if request.user.is_authenticated:
        return redirect(settings.LOGIN_REDIRECT_URL)
    form = forms.SignIn(request.POST or None)
    status = 200
    if form.is_valid():
        name = form.cleaned_data["username"]
        if not _allowed(request, "login", name):
            form.add_error(None, _("Too many tries. Wait a quarter of an hour, or ask your administrator."))
            status = 429
        elif isinstance(user := authenticate(request, username=name, password=form.cleaned_data["password"]), User):
            if not user.totp_secret:
                return _enter(request, user, "password")
            request.session[WAITING] = [user.pk, int(time.time()), user.get_session_auth_hash()]
            return redirect(f"{reverse('people:second')}?{request.GET.urlencode()}")
        else:
            form.add_error(None, _("User name and password do not fit. Both are case-sensitive."))
    return render(request, "people/sign_in.html", {"form": form, "next": request.GET.get("next", "")}, status=status)


@login_not_required
@both
def second(request: HttpRequest) -> HttpResponse:
    """The code of the second factor, within five minutes of the password."""
    pk, since, fits = request.session.get(WAITING, (None, 0, ""))
    user = User.objects.filter(pk=pk, is_active=True).first()
    if user is None or time.time() - since > WAIT_SECONDS or user.get_session_auth_hash() != fits:
        request.session.pop(WAITING, None)
        return redirect(settings.LOGIN_URL)
    form = forms.Code(request.POST or None)
    status = 200
    if form.is_valid():
        if not _allowed(request, "second factor", user.username):
            form.add_error(None, _("Too many tries. Wait a quarter of an hour, or ask your administrator."))
            status = 429
        elif actions.use_code(user, form.cleaned_data["code"]):
            del request.session[WAITING]
            return _enter(request, user, "password and second factor")
        else:
            form.add_error("code", _("This code does not fit, or was used already. Wait for the next one."))
    return render(request, "people/second.html", {"form": form}, status=status)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session."""
    logout(request)
    return redirect(settings.LOGOUT_REDIRECT_URL)


@login_not_required
@both
def forgot(request: HttpRequest) -> HttpResponse:
    """Ask for a link to set a new password; the answer is the same whether or not there is such a user."""
    form = PasswordResetForm(request.POST or None)
    if form.is_valid():
        if not _allowed(request, "reset", form.cleaned_data["email"]):
            return render(request, "people/forgot.html", {"form": form, "too_many": True}, status=429)
        actions.ask_reset(form.cleaned_data["email"])
        return render(request, "people/forgot.html", {"sent": True})
    return render(request, "people/forgot.html", {"form": form})


class SetByLink(PasswordResetConfirmView):
    """Set a password by a link that works once, for three days."""

    template_name = "people/set_password.html"

    def form_valid(self, form: SetPasswordForm) -> HttpResponse:  # type: ignore[type-arg,override]
        """Set it through the verb, so that the journal knows."""
        actions.set_password(form.user, form.cleaned_data["new_password1"], by=form.user)
        del self.request.session["_password_reset_token"]
        messages.success(self.request, _("The password is set. Sign in with it."))
        return redirect(settings.LOGIN_URL)


set_by_link = login_not_required(SetByLink.as_view())


@login_not_required
@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Change the language of the screens; for someone signed in it stays changed."""
    chosen = request.POST.get("language", "")
    if isinstance(request.user, User) and chosen in dict(settings.LANGUAGES):
        actions.set_language(request.user, chosen)
    return set_language(request)


@both
def account(request: HttpRequest) -> HttpResponse:
    """One's own name, duties, language and ways of signing in."""
    return render(request, "people/account.html", {"languages": settings.LANGUAGES})


@sensitive_post_parameters()
@both
def password(request: HttpRequest) -> HttpResponse:
    """Change one's own password."""
    user = me(request)
    form = forms.Password(user, request.POST or None)
    status = 200
    if form.is_valid() and not _allowed(request, "password", user.username):
        form.add_error(None, _("Too many tries. Wait a quarter of an hour, or ask your administrator."))
        status = 429
    elif form.is_valid():
        actions.set_password(user, form.cleaned_data["new_password1"], by=user)
        update_session_auth_hash(request, user)
        messages.success(request, _("The password is changed. Your other sessions have ended."))
        return redirect("people:account")
    return render(request, "people/password.html", {"form": form}, status=status)


@both
def second_setup(request: HttpRequest) -> HttpResponse:
    """Set up the second factor: show the secret as a picture, take a first code."""
    user = me(request)
    if user.totp_secret:
        return redirect("people:account")
    secret = request.session.setdefault("new_secret", pyotp.random_base32())
    form = forms.Code(request.POST or None)
    if form.is_valid():
        try:
            if not _allowed(request, "second factor", user.username):
                raise Refused(_("Too many tries. Wait a quarter of an hour, or ask your administrator."))
            actions.set_second_factor(user, secret, form.cleaned_data["code"])
        except Refused as e:
            form.add_error("code", str(e))
        else:
            del request.session["new_secret"]
            update_session_auth_hash(request, user)
            messages.success(request, _("The second factor is set up."))
            return redirect("people:account")
    uri = pyotp.TOTP(secret).provisioning_uri(name=user.username, issuer_name="Biaochi 标尺")
    picture = io.BytesIO()
    segno.make(uri).save(picture, kind="png", scale=4)
    return render(request, "people/second_setup.html", {"form": form, "secret": secret, "picture": base64.b64encode(picture.getvalue()).decode()})


@only(administers)
@both
def organisations(request: HttpRequest) -> HttpResponse:
    """All organisations."""
    return render(request, "people/organisations.html", {"organisations": Organisation.objects.select_related("parent")})


@only(administers)
@both
def organisation(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """One organisation: add or change."""
    found = get_object_or_404(Organisation, pk=pk) if pk else None
    form = forms.OrganisationForm(request.POST or None, instance=found)
    if form.is_valid():
        actions.save_organisation(form.save(commit=False), by=me(request))
        messages.success(request, _("Saved."))
        return redirect("people:organisations")
    return render(request, "people/organisation.html", {"form": form, "organisation": found})


@only(administers)
@both
def users(request: HttpRequest) -> HttpResponse:
    """All users with their duties."""
    return render(request, "people/users.html", {"users": queries.users()})


@only(administers)
@both
def user(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """One user: add or change, and the duties."""
    found = get_object_or_404(User, pk=pk) if pk else None
    form = forms.UserForm(request.POST or None, instance=found)
    if form.is_valid():
        saved = actions.save_user(form.save(commit=False), by=me(request))
        messages.success(request, _("Saved."))
        return redirect("people:user", saved.pk)
    duties = found.duties.select_related("organisation") if found else None
    context = {"form": form, "person": found, "duties": duties, "duty_form": forms.DutyForm(), "reason": forms.Reason(), "today": clock.today()}
    return render(request, "people/user.html", context)


def _tried(request: HttpRequest, act: Callable[[], object], done: str) -> None:
    """Do it, and say that it is done or why not."""
    try:
        act()
    except (Refused, ValidationError) as e:
        messages.error(request, "; ".join(e.messages) if isinstance(e, ValidationError) else str(e))
    else:
        messages.success(request, done)


@only(administers)
@require_POST
def give_duty(request: HttpRequest, pk: int) -> HttpResponse:
    """Give a user a duty."""
    person, form = get_object_or_404(User, pk=pk), forms.DutyForm(request.POST)
    if form.is_valid():
        d = form.cleaned_data
        give = actions.give_duty
        _tried(request, lambda: give(person, d["organisation"], d["role"], start=d["start"], end=d["end"], by=me(request)), _("The duty is given."))
    else:
        messages.error(request, _("The duty needs an organisation, a role and a first day; the last day can't be before the first."))
    return redirect("people:user", pk)


@only(administers)
@require_POST
def end_duty(request: HttpRequest, pk: int) -> HttpResponse:
    """End a duty today."""
    duty = get_object_or_404(Duty, pk=pk)
    _tried(request, lambda: actions.end_duty(duty, on=clock.today(), by=me(request)), _("The duty ends today."))
    return redirect("people:user", duty.user_id)


@only(administers)
@require_POST
def set_active(request: HttpRequest, pk: int) -> HttpResponse:
    """Disable a user or let them in again."""
    return _with_reason(request, pk, lambda u, r: actions.set_active(u, not u.is_active, by=me(request), reason=r))


@only(administers)
@require_POST
def reset_second(request: HttpRequest, pk: int) -> HttpResponse:
    """Turn a user's second factor off."""
    return _with_reason(request, pk, lambda u, r: actions.reset_second_factor(u, by=me(request), reason=r))


def _with_reason(request: HttpRequest, pk: int, act: Callable[[User, str], object]) -> HttpResponse:
    person, form = get_object_or_404(User, pk=pk), forms.Reason(request.POST)
    if form.is_valid():
        _tried(request, lambda: act(person, form.cleaned_data["reason"]), _("Done."))
    else:
        messages.error(request, _("Give a reason; the journal keeps it."))
    return redirect("people:user", pk)


@only(administers)
@require_POST
def link(request: HttpRequest, pk: int) -> HttpResponse:
    """Make a link by which a user sets a password; shown once, works once, for three days."""
    person = get_object_or_404(User, pk=pk, is_active=True)
    path = reverse("people:set_by_link", args=[urlsafe_base64_encode(force_bytes(person.pk)), default_token_generator.make_token(person)])
    return render(request, "people/link.html", {"person": person, "link": request.build_absolute_uri(path)})
