"""The one client of a process, made when Django builds its middleware: workers never ask the centre to start.

Whose account a person gets is `backend`'s; here the sign-in is handed over to it.
"""

from contextvars import ContextVar
from functools import cached_property
from threading import Lock
from typing import Any

from django.conf import settings as django_settings
from django.contrib import auth
from django.urls import get_script_prefix, reverse

from sso_client.blocking_client import SSOClient
from sso_client.clock import Clock
from sso_client.django.options import SiteOptions, read_options
from sso_client.django.signals import sso_signed_out
from sso_client.errors import SSOError
from sso_client.routes import Routes
from sso_client.site import Site
from sso_client.stores.opening import open_store
from sso_client.user import User

asking: ContextVar[Any] = ContextVar("asking", default=None)
"""The request that a sign-in comes with: Django's backends are handed it."""


class Connection:
    """One client with its site and routes. Raises SSOError `store_...` if local sessions can't be kept."""

    def __init__(self, options: SiteOptions, clock: Clock | None = None) -> None:
        self.options = options
        self.client = SSOClient(options.settings, open_store(options.settings, options.folder, clock), clock=clock)
        self.client.hooks.on_login = self._name_account
        self.client.hooks.on_logout.append(self._tell_signed_out)

    @cached_property
    def site(self) -> Site:
        # Not before the first request: the site's URLconf may import what imports us.
        login = reverse("sso:login").removeprefix(get_script_prefix().rstrip("/"))
        return Site(
            self.client.core,
            prefix=login.removesuffix("/login"),
            is_debug=lambda: bool(django_settings.DEBUG),
            streams=self.options.tab_streams,
        )

    @cached_property
    def routes(self) -> Routes:
        return Routes(self.site)

    def _name_account(self, user: User) -> str:
        """The primary key of a person's account, as text. Raises SSOError `account_refused`."""
        hook = self.options.on_login
        found = None if hook is None else hook(user)
        if found is False:
            raise SSOError("account_refused", f"ON_LOGIN refused sub {user.sub}")
        account = auth.authenticate(asking.get(), sso_user=user, account=found)
        if account is None:
            raise SSOError("account_refused", f"no backend has an account for sub {user.sub}, or it is not active")
        return str(account._meta.pk.value_to_string(account))  # noqa: SLF001 - as django.contrib.auth does

    def _tell_signed_out(self, user: User, reason: str) -> None:
        sso_signed_out.send(sender=type(self), user=user, reason=reason)


_current: Connection | None = None
_lock = Lock()


def get_connection() -> Connection:
    """This process's connection. Made anew if the settings have changed, as they do between tests."""
    global _current  # noqa: PLW0603 - one for each process, as Django's own settings are
    options = read_options()
    with _lock:
        if _current is None or _current.options != options:
            if _current is not None:
                _current.client.close()
            _current = Connection(options)
        return _current


def get_client() -> SSOClient:
    """The framework-free client, for scripts and management commands: `get_client().check_in()`."""
    return get_connection().client
