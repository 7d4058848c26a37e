"""Where the ways of signing people in differ: what is asked, what comes back, what a ticket is worth, where people go
after signing out.

`exchange` is OpenID Connect, `cas` is CAS. Everything else, from the attempt's cookie to the lease, is the same.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from sso_client.attempt import Attempt
from sso_client.clock import Instant
from sso_client.discovery import Provider
from sso_client.records import SignIn


class SignInProtocol(Protocol):
    """One protocol, spoken by one site.

    `knows_devices`: the other side has a page that asks whether to end all sessions of a person.
    """

    @property
    def knows_devices(self) -> bool: ...

    def ask_url(self, provider: Provider, attempt: Attempt, prompt: str | None) -> str:
        """Where to send the browser to sign in. Raises SSOError if the protocol has no way to ask for that."""

    def read_answer(self, parameters: Mapping[str, Sequence[str]], attempt: Attempt, provider: Provider) -> str:
        """The ticket in the query of the callback. Raises SSOError; the first wrong line decides."""

    async def redeem(self, ticket: str, attempt: Attempt, store_id: str, moment: Instant) -> SignIn:
        """Take the ticket, find out who signed in. `moment` is now. Raises SSOError."""

    def leave_url(self, provider: Provider, id_token: str | None, state: str | None) -> str | None:
        """Where to send the browser once it is signed out here, None if nowhere. `id_token`: whose session it was."""

    def everywhere_url(self, provider: Provider) -> str | None:
        """Where the person is asked whether to end all of their sessions, None if nowhere."""
