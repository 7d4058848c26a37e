"""`manage.py check`: everything that keeps single sign-on from working here, all at once, each with its cure."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Advice
from django.urls import NoReverseMatch, reverse

from sso_client.django.backend import backend_path
from sso_client.django.options import read_options
from sso_client.errors import SettingsError

_OURS = "sso_client.django.SSOMiddleware"
_BEFORE_US = (
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
)


def check_site(app_configs: Any = None, **_: Any) -> list[CheckMessage]:  # noqa: ARG001 - Django's own
    """Settings, middleware, backend, routes. The centre isn't asked: `python -m sso_client doctor` does that."""
    return [*_check_settings(), *_check_middleware(), *_check_backend(), *_check_routes()]


def _check_settings() -> list[CheckMessage]:
    try:
        read_options()
    except SettingsError as error:
        return [Error(problem, id="sso.E001") for problem in error.problems]
    return []


def _check_middleware() -> list[CheckMessage]:
    listed = list(settings.MIDDLEWARE)
    if _OURS not in listed:
        return [Error("single sign-on has no middleware", hint=f"Add {_OURS!r} to MIDDLEWARE.", id="sso.E002")]
    return [
        Error(f"{name} must stand before {_OURS}", hint="Mind the order in MIDDLEWARE.", id="sso.E003")
        for name in _BEFORE_US
        if name not in listed[: listed.index(_OURS)]
    ]


def _check_backend() -> list[CheckMessage]:
    try:
        backend_path()
    except LookupError as error:
        return [Error(str(error), id="sso.E004")]
    return []


def _check_routes() -> list[CheckMessage]:
    try:
        login = reverse("sso:login")
    except NoReverseMatch:
        hint = 'Add path("sso/", include("sso_client.django.urls")) to the root URLconf.'
        return [Error("the routes of single sign-on are not mounted", hint=hint, id="sso.E005")]
    if str(settings.LOGIN_URL) not in ("sso:login", login):
        hint = 'Set LOGIN_URL = "sso:login".'
        return [Advice("plain login_required doesn't lead to single sign-on", hint=hint, id="sso.W001")]
    return []
