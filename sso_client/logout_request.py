"""Logout requests of other CAS servers (CAS 3.0.3 section 2.3.3): a form with a SAML document that names a ticket.

Nobody signs them. Who knows a ticket, which was spent when the session began, can end that session and nothing else.
"""

import json

from sso_client.cas import sid_of
from sso_client.cas_answers import read_xml
from sso_client.clock import Clock
from sso_client.errors import SSOError
from sso_client.events import Events, log
from sso_client.hooks import Hooks
from sso_client.identifiers import shown_store
from sso_client.logout_token import field_from_form
from sso_client.records import LocalSession, LogoutAnswer
from sso_client.stores import LocalStore
from sso_client.waiting import Waiting

_PROTOCOL = "{urn:oasis:names:tc:SAML:2.0:protocol}"
_MOST_TICKETS = 5  # servers name one; each costs a stranger nothing and this site a few writes


def tickets_in(body: bytes, content_type: str) -> tuple[str, ...]:
    """The tickets that a call names. Raises SSOError `logout_request_invalid`."""
    try:
        document = field_from_form(body, content_type, "logoutRequest")
    except SSOError as error:
        raise SSOError("logout_request_invalid", error.detail) from error
    root = read_xml(document.encode(), "logout_request_invalid")
    indexes = root.findall(f"{_PROTOCOL}SessionIndex") if root.tag == f"{_PROTOCOL}LogoutRequest" else []
    tickets = tuple(ticket for index in indexes if (ticket := (index.text or "").strip()))
    if not 0 < len(tickets) <= _MOST_TICKETS:
        raise SSOError("logout_request_invalid", f"root {root.tag!r:.80}, {len(tickets)} times SessionIndex")
    return tickets


class LogoutRequests:
    """Answers the calls to one site."""

    def __init__(self, store: LocalStore, events: Events, hooks: Hooks, clock: Clock, waiting: Waiting) -> None:
        self._store = store
        self._events = events
        self._hooks = hooks
        self._clock = clock
        self._waiting = waiting

    async def answer(self, body: bytes, content_type: str) -> LogoutAnswer:
        """As `SSOClient.receive_logout`. Whether a ticket was known here, the answer doesn't tell."""
        # By this name the doctor sees whether all workers share a store; the store's own name is a secret here.
        headers = {
            "Cache-Control": "no-store",
            "Content-Type": "application/json",
            "Lockstep-Store": shown_store(self._store.store_id),
        }
        status = 400
        try:
            tickets = tickets_in(body, content_type)
            status = 503
            await self._waiting.whole(self._end([sid_of(ticket) for ticket in tickets]))
        except SSOError as error:
            log.warning("logout request not accepted: %s", error)
            what = "invalid_request" if status == 400 else "temporarily_unavailable"
            return LogoutAnswer(status, headers, json.dumps({"error": what, "error_description": error.code}))
        return LogoutAnswer(200, headers, "{}")

    async def _end(self, sids: list[str]) -> None:
        """A whole: the site hears of every end, even if the caller has given up waiting."""
        ended: tuple[LocalSession, ...] = await self._waiting.step(
            self._store.inbox.end_unsigned, sids, self._clock.wall_ms()
        )
        for session in ended:
            await self._events.tell("logout_received", "logout request received, local session ended", session.sid)
        if ended:
            await self._hooks.signed_out(ended, "logout_received")
        else:  # logged, not kept: anybody can send these, and the event log is short
            log.info("logout request received, no local session here sid=%s", " ".join(sids))
