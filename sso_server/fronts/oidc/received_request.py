"""What a request says once its request object is opened (RFC 9101) or its pushed one is found (RFC 9126).

Afterwards there are only parameters (`authorize_request.Received`); whether they are good is `check`'s to say.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sso_server.core.clients import Client
from sso_server.core.errors import InvalidRequest, LockstepError
from sso_server.core.identifiers import digest
from sso_server.core.policy import HOUR, MINUTE, SECOND
from sso_server.core.ports import Clock, SlipStore
from sso_server.fronts.oidc.authorize_request import PARAMETERS, Received, find_asking, return_address
from sso_server.fronts.oidc.errors import AuthorizationRefused
from sso_server.fronts.oidc.request_object import counts_alone, read_request_object
from sso_server.web.params import MAX_TOTAL
from sso_server.web.services import Services

#: RFC 9126 section 2.2: what stands before the random part.
REQUEST_URI = "urn:ietf:params:oauth:request_uri:"
#: The browser has to come with it within this time (section 2.2, `expires_in`) ...
VISIT_WITHIN_S = 60
#: ... and the person to be done within this: signing in takes as long as it takes.
_FINISH_WITHIN_MS = HOUR
#: What nobody has come for is kept only a little longer than it is good: while one request to us may take.
_SPARE_MS = MINUTE
# In a request object these say who it is from and until when, not what is asked.
_INSIDE = tuple(name for name in PARAMETERS if name not in ("request", "request_uri"))


class PushedRequests:
    """Requests that wait for the browser that brings their `request_uri`. Each is answered once."""

    def __init__(self, slips: SlipStore, clock: Clock) -> None:
        self._slips = slips
        self._clock = clock

    def keep(self, token: str, params: Mapping[str, str], *, signed: bool) -> str:
        """The `request_uri` of a request that has passed every check. `token`: random, known to nobody else. Raises
        Unavailable."""
        now = self._clock.now()
        visit_by = now + VISIT_WITHIN_S * SECOND
        content = {"params": dict(params), "signed": signed, "visit_by": visit_by}
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        if not self._slips.add(_slip(token), text, visit_by + _SPARE_MS, now):
            raise AssertionError("160 random bits came twice")
        return REQUEST_URI + token

    def find(self, request_uri: str, client: Client) -> Received:
        """The request, of this client and not answered yet. Raises InvalidRequest (`invalid_request_uri`)."""
        name = _slip(request_uri.removeprefix(REQUEST_URI))
        content = self._read(name)
        # Section 4: bound to the client that pushed it. Which of these it was is nobody's business who can't know.
        if content["params"].get("client_id") != client.client_id or self._clock.now() > content["visit_by"]:
            raise used_up()
        return Received(content["params"], content["signed"], name)

    def find_again(self, name: str) -> Received:
        """The same, back from our own pages: the browser came in time, and the person may take longer. Raises
        InvalidRequest (`invalid_request_uri`)."""
        content = self._read(name)
        return Received(content["params"], content["signed"], name, has_waited=True)

    def wait_for_person(self, name: str) -> None:
        """The browser came in time, and gets a page: from here on the request is kept for as long as that may take.
        Raises InvalidRequest (`invalid_request_uri`), Unavailable."""
        now = self._clock.now()
        if not self._slips.extend(name, now + _FINISH_WITHIN_MS, now):
            # Answered in another tab at this very moment.
            raise used_up()

    def _read(self, name: str) -> dict[str, Any]:
        text = self._slips.find(name, self._clock.now())
        if text is None:
            raise used_up()
        content: dict[str, Any] = json.loads(text)
        return content

    def take(self, name: str) -> bool:
        """The request behind this slip is answered now; for exactly one caller."""
        return self._slips.take(name, self._clock.now()) is not None


def used_up() -> InvalidRequest:
    """Shown on a page: the site has been answered already, or waits no longer (RFC 9126 section 7.3)."""
    return InvalidRequest("This request_uri is unknown, expired or used already.", code="invalid_request_uri")


def receive(params: Mapping[str, str], here: Services, pushed: PushedRequests) -> Received:
    """A request that came with a browser. Raises InvalidRequest (a page), AuthorizationRefused (a redirect)."""
    if "request" not in params and "request_uri" not in params:
        return Received(params)
    client = find_asking(here.clients, params.get("client_id", ""))
    try:
        if "request" in params and "request_uri" in params:
            # OpenID Connect Core 1.0 section 6.1.
            raise InvalidRequest("A request holds request or request_uri, not both.")
        if "request" in params:
            return opened(params, client, here)
        if not params["request_uri"].startswith(REQUEST_URI):
            # We call no addresses that a stranger names (RFC 9101 section 10.4.1).
            raise InvalidRequest("Only pushed requests have a request_uri here.", code="request_uri_not_supported")
        # Section 4: what stands beside it doesn't count.
        return pushed.find(params["request_uri"], client)
    except InvalidRequest as error:
        raise _told(error, client, params, here.policy.issuer) from error


def opened(params: Mapping[str, str], client: Client, here: Services, *, alone: bool = False) -> Received:
    """A request with its `request` made into parameters. `alone`: nothing beside it counts, whoever the client is.
    Raises InvalidRequest."""
    inside = read_request_object(
        params["request"],
        client,
        issuer=here.policy.issuer,
        now=here.clock.now(),
        verify=here.client_keys.verify,
        known=_INSIDE,
    )
    outside = {name: value for name, value in params.items() if name != "request"}
    both = params.get("response_type"), inside.get("response_type")
    if all(both) and len(set(both)) > 1:
        # OpenID Connect Core 1.0 section 6.1.
        raise InvalidRequest("response_type differs inside the request object.", code="invalid_request_object")
    if alone or counts_alone(client):
        outside = {}
    whole = {**outside, **inside, "client_id": client.client_id}
    if not alone and sum(len(name) + len(value) for name, value in whole.items()) > MAX_TOTAL:
        # Our own pages carry it along in their addresses; one that was pushed stays here.
        raise InvalidRequest("The request is too large.", code="invalid_request_object")
    return Received(whole, signed=True)


def _told(error: InvalidRequest, client: Client, params: Mapping[str, str], issuer: str) -> LockstepError:
    """The site is told if it says, outside, a registered address; else the person is (a page)."""
    try:
        back = return_address(client, params, issuer)
    except InvalidRequest:
        return error
    return AuthorizationRefused(error.code, error.description, back)


def _slip(token: str) -> str:
    return f"par:{digest(token)}"
