"""What the site itself does when somebody signs in or out: its own functions, plain or `async def`."""

import inspect
import logging
from collections.abc import Callable, Iterable
from typing import Any

from sso_client.errors import SSOError
from sso_client.events import log
from sso_client.records import LocalSession
from sso_client.user import User
from sso_client.waiting import Waiting

OnLogin = Callable[[User], Any]
OnLogout = Callable[[User, str], Any]


class Hooks:
    """The hooks of one site."""

    def __init__(self, waiting: Waiting) -> None:
        self._waiting = waiting
        self.on_login: OnLogin | None = None
        self.on_logout: list[OnLogout] = []

    async def signed_in(self, user: User) -> str | None:
        """Ask the site for its own name of the person; None if it has no hook or the hook names nobody.

        Whatever the hook raises stops the sign-in: SSOError `account_refused` with a page, anything else as the site's
        own failure.
        """
        if self.on_login is None:
            return None
        found = await self._call(self.on_login, user)
        if found is None:
            return None
        if found is False or found == "":
            raise SSOError("account_refused", f"on_login returned {found!r}")
        get_id = getattr(found, "get_id", None)  # Flask-Login's name for it
        return str(get_id() if callable(get_id) else found)

    async def signed_out(self, sessions: Iterable[LocalSession], reason: str) -> None:
        """Tell the site which local sessions are over; they are, whatever the hook does."""
        for session in sessions:
            for hook in self.on_logout:
                try:
                    await self._call(hook, session.user, reason)
                except Exception:  # noqa: BLE001 - the site's code; the sign-out is done and must go on
                    log.log(logging.ERROR, "on_logout failed; the sign-out stands", exc_info=True)

    async def _call(self, hook: Callable[..., Any], *args: Any) -> Any:
        if inspect.iscoroutinefunction(hook):
            return await hook(*args)
        answer = await self._waiting.step(hook, *args)
        return await answer if inspect.isawaitable(answer) else answer
