"""Lockstep for Django: what a site imports. The rules are in `sso_client.site` and `routes`; this folder translates.

Names are imported when they are asked for: Django loads this package before its models are there.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sso_client.django.backend import SSOBackend
    from sso_client.django.connection import get_client
    from sso_client.django.guards import bearer_required, login_required
    from sso_client.django.middleware import SSOMiddleware
    from sso_client.django.signals import sso_signed_in, sso_signed_out
    from sso_client.django.verbs import (
        access_token,
        login_url,
        logout_fields,
        logout_url,
        recent_events,
        still_signed_in,
        tab_script,
    )

_HOMES = {
    "SSOBackend": "backend",
    "SSOMiddleware": "middleware",
    "access_token": "verbs",
    "bearer_required": "guards",
    "get_client": "connection",
    "login_required": "guards",
    "login_url": "verbs",
    "logout_fields": "verbs",
    "logout_url": "verbs",
    "recent_events": "verbs",
    "sso_signed_in": "signals",
    "sso_signed_out": "signals",
    "still_signed_in": "verbs",
    "tab_script": "verbs",
}

__all__ = [
    "SSOBackend",
    "SSOMiddleware",
    "access_token",
    "bearer_required",
    "get_client",
    "login_required",
    "login_url",
    "logout_fields",
    "logout_url",
    "recent_events",
    "sso_signed_in",
    "sso_signed_out",
    "still_signed_in",
    "tab_script",
]


if not TYPE_CHECKING:  # so that a type checker still knows every name, and no other

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
