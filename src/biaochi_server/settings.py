"""The server's settings: one file, every value from the environment (OPTIONS lists them)."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlparse

from csp.constants import NONE, SELF

from biaochi_server.database import options


class Option(NamedTuple):
    """One environment variable: its name, its value when unset, what it does."""

    name: str
    default: str
    help: str


OPTIONS = [
    Option("BIAOCHI_DATA", "biaochi-data", "Folder of the SQLite database and the secret key"),
    Option("BIAOCHI_DATABASE", "", "postgresql://user:password@host:port/name; empty: SQLite in the data folder"),
    Option("BIAOCHI_SECRET_KEY", "", "Signs sessions; empty: made once and kept in the data folder"),
    Option("BIAOCHI_HOSTS", "localhost 127.0.0.1 [::1]", "Host names it answers to, separated by spaces"),
    Option("BIAOCHI_HTTPS", "no", "yes: served over HTTPS; cookies are Secure and HSTS is sent"),
    Option("BIAOCHI_PROXIES", "0", "Proxies in front that set X-Forwarded-For and X-Forwarded-Proto"),
    Option("BIAOCHI_DEBUG", "no", "yes: show errors in the browser; never in production"),
    Option("BIAOCHI_SECOND_FACTOR", "administrator coordinator", "Roles that must use a second factor; none: nobody must"),
    Option("BIAOCHI_TIME_ZONE", "Asia/Shanghai", "Where deadlines are counted"),
    Option("BIAOCHI_MAIL", "", "smtp://user:password@host:port to send reminders; empty: written to standard output"),
    Option("BIAOCHI_MAIL_FROM", "biaochi@localhost", "Sender of mails"),
    Option("BIAOCHI_ADDRESS", "http://127.0.0.1:8000", "Where people reach it, for the links in mails"),
    Option("BIAOCHI_REMIND", "3 1 -1", "Working days before the due day on which reminders are sent (-1: the day after it); none: no reminders"),
    Option("BIAOCHI_DEMO", "no", "yes: the data are a demonstration, and every page says so"),
]
_DEFAULTS = {o.name: o.default for o in OPTIONS}


def env(name: str) -> str:
    """The option's value from the environment, or its default."""
    return os.environ.get(name, _DEFAULTS[name])


def yes(name: str) -> bool:
    """Whether a yes/no option says yes."""
    return env(name).lower() in ("yes", "true", "1", "on")


def kept_secret(folder: Path) -> str:
    """The key kept in the folder; made on first use, readable by its owner alone."""
    file = folder / "secret-key"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as f:
                f.write(secrets.token_urlsafe(50))
        except FileExistsError:
            pass
    return file.read_text()


def database(url: str, folder: Path) -> dict[str, object]:
    """Django's description of the database."""
    if not url:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "biaochi.sqlite3"
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": file, "OPTIONS": options("sqlite"), "TEST": {"NAME": folder / "test.sqlite3"}}
    u = urlparse(url)
    return {
        "ENGINE": "django.db.backends.postgresql", "NAME": u.path[1:], "USER": unquote(u.username or ""), "PASSWORD": unquote(u.password or ""),
        "HOST": u.hostname or "", "PORT": str(u.port or ""), "OPTIONS": options("postgresql"), "CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True,
    }  # fmt: skip


HERE = Path(__file__).parent
DATA = Path(env("BIAOCHI_DATA"))
SECRET_KEY = env("BIAOCHI_SECRET_KEY") or kept_secret(DATA)
DEBUG = yes("BIAOCHI_DEBUG")
DEMO = yes("BIAOCHI_DEMO")
ALLOWED_HOSTS = env("BIAOCHI_HOSTS").split()
DATABASES = {"default": database(env("BIAOCHI_DATABASE"), DATA)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "biaochi_server",
    "biaochi_server.monitoring",
    "biaochi_server.people",
    "biaochi_server.journal",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.forms",
    "django_htmx",
    "csp",
    "ninja",
    "django_tasks",
    "django_tasks_db",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "biaochi_server.middleware.Request",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "biaochi_server.middleware.Person",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "biaochi_server.urls"
WSGI_APPLICATION = "biaochi_server.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "biaochi_server.frame.frame",
            ],
            "builtins": ["django.templatetags.i18n", "django.templatetags.static", "biaochi_server.templatetags.biaochi"],
        },
    }
]

AUTH_USER_MODEL = "people.User"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator", "OPTIONS": {"user_attributes": ("username", "name", "email")}},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "people:login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "people:login"
PASSWORD_RESET_TIMEOUT = 3 * 24 * 3600
SECOND_FACTOR_ROLES = frozenset(env("BIAOCHI_SECOND_FACTOR").split()) - {"none"}
PROXIES = int(env("BIAOCHI_PROXIES"))

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]
LOCALE_PATHS = [HERE / "locale"]
TIME_ZONE = env("BIAOCHI_TIME_ZONE")
USE_TZ = True

STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

HTTPS = yes("BIAOCHI_HTTPS")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_NAME = "__Host-session" if HTTPS else "session"
CSRF_COOKIE_NAME = "__Host-csrf" if HTTPS else "csrf"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_HTTPONLY, LANGUAGE_COOKIE_SAMESITE, LANGUAGE_COOKIE_SECURE = True, "Lax", HTTPS
SESSION_COOKIE_AGE = 12 * 3600
SECURE_SSL_REDIRECT = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if PROXIES else None
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF], "img-src": [SELF, "data:"], "object-src": [NONE], "base-uri": [NONE], "form-action": [SELF], "frame-ancestors": [NONE],
    }
}  # fmt: skip
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 2**20
FILE_UPLOAD_MAX_MEMORY_SIZE = 4 * 2**20
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000

_mail = urlparse(env("BIAOCHI_MAIL"))
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if _mail.hostname else 'console'}.EmailBackend"
EMAIL_HOST, EMAIL_PORT = _mail.hostname or "localhost", _mail.port or 25
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = unquote(_mail.username or ""), unquote(_mail.password or "")
DEFAULT_FROM_EMAIL = env("BIAOCHI_MAIL_FROM")
EMAIL_TIMEOUT = 20
ADDRESS = env("BIAOCHI_ADDRESS").rstrip("/")
REMIND = tuple(int(n) for n in env("BIAOCHI_REMIND").split() if n != "none")
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"out": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["out"], "level": "WARNING"},
}
