"""Lockstep's SDK: sign in once, sign out everywhere, for any Python site. `sso_client.flask` is the Flask adapter."""

from sso_client.attempt import Attempt
from sso_client.blocking_client import SSOClient
from sso_client.client import AsyncSSOClient
from sso_client.clock import Clock
from sso_client.errors import LeaseExpired, SettingsError, SSOError
from sso_client.records import CheckInReport, Event, LocalSession, LogoutAnswer, SignIn, SignOut
from sso_client.settings import Settings, load_settings
from sso_client.stores import LocalStore
from sso_client.stores.sqlite import open_sqlite_store
from sso_client.user import AnonymousUser, User

__all__ = [
    "AnonymousUser",
    "AsyncSSOClient",
    "Attempt",
    "CheckInReport",
    "Clock",
    "Event",
    "LeaseExpired",
    "LocalSession",
    "LocalStore",
    "LogoutAnswer",
    "SSOClient",
    "SSOError",
    "Settings",
    "SettingsError",
    "SignIn",
    "SignOut",
    "User",
    "load_settings",
    "open_sqlite_store",
]
