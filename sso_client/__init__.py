"""Lockstep's SDK: sign in once, sign out everywhere, for any Python site. `sso_client.flask` is the Flask adapter.

A name is imported when it is asked for: pytest loads `sso_client.testing.plugin` in every run of every project that has
the SDK installed, and such a run must not pay for a client that it never makes.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sso_client.attempt import Attempt
    from sso_client.bearer import Bearer
    from sso_client.blocking_client import SSOClient
    from sso_client.client import AsyncSSOClient
    from sso_client.clock import Clock
    from sso_client.errors import LeaseExpired, ScopeMissing, SettingsError, SSOError
    from sso_client.records import CheckInReport, Event, LocalSession, LogoutAnswer, SignIn, SignOut
    from sso_client.settings import Settings, load_settings
    from sso_client.stores import LocalStore
    from sso_client.stores.sqlite import open_sqlite_store
    from sso_client.user import AnonymousUser, User

_HOMES = {
    "AnonymousUser": "sso_client.user",
    "AsyncSSOClient": "sso_client.client",
    "Attempt": "sso_client.attempt",
    "Bearer": "sso_client.bearer",
    "CheckInReport": "sso_client.records",
    "Clock": "sso_client.clock",
    "Event": "sso_client.records",
    "LeaseExpired": "sso_client.errors",
    "LocalSession": "sso_client.records",
    "LocalStore": "sso_client.stores",
    "LogoutAnswer": "sso_client.records",
    "SSOClient": "sso_client.blocking_client",
    "SSOError": "sso_client.errors",
    "ScopeMissing": "sso_client.errors",
    "Settings": "sso_client.settings",
    "SettingsError": "sso_client.errors",
    "SignIn": "sso_client.records",
    "SignOut": "sso_client.records",
    "User": "sso_client.user",
    "load_settings": "sso_client.settings",
    "open_sqlite_store": "sso_client.stores.sqlite",
}

__all__ = [
    "AnonymousUser",
    "AsyncSSOClient",
    "Attempt",
    "Bearer",
    "CheckInReport",
    "Clock",
    "Event",
    "LeaseExpired",
    "LocalSession",
    "LocalStore",
    "LogoutAnswer",
    "SSOClient",
    "SSOError",
    "ScopeMissing",
    "Settings",
    "SettingsError",
    "SignIn",
    "SignOut",
    "User",
    "load_settings",
    "open_sqlite_store",
]


if not TYPE_CHECKING:  # so that a type checker still knows every name, and no other

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_HOMES[name]), name)
        return value
