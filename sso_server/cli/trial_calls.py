"""The calls of the logout doctor: tokens for a session that nobody has, good ones and ones that no site may take."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import parse_qs, urlencode

from sso_server.cli.centre import Centre
from sso_server.core.clients import Client
from sso_server.core.policy import HOUR
from sso_server.core.trials import trial_row
from sso_server.delivery.outgoing import OutgoingPost
from sso_server.fronts.cas import logout_request
from sso_server.fronts.oidc import logout_token

_FORM = "application/x-www-form-urlencoded"


class TrialCalls:
    """`doctor.Calls` for one client; made anew for each examination."""

    def __init__(self, centre: Centre, client: Client) -> None:
        self._services = centre.services
        self._issuer = centre.settings.issuer
        self._client = client
        self._row = trial_row(client, centre.services.randomness, centre.services.clock.now())

    def good(self) -> OutgoingPost:
        """As the delivery worker calls."""
        return self._post()

    def as_json(self) -> OutgoingPost:
        """A fresh good token in JSON."""
        body = json.dumps({"logout_token": _token(self._post())}).encode("ascii")
        return replace(self._post(), body=body, headers={"Content-Type": "application/json"})

    def forged(self) -> dict[str, Callable[[], OutgoingPost]]:
        """Each is made when its turn comes, so that it is refused for its fault and not for its age."""
        return {
            "signature": lambda: self._with(_break_signature),
            "alg_none": lambda: self._with(_unsign),
            "audience": lambda: self._post(client=replace(self._client, client_id="another-site")),
            "expired": lambda: self._post(ago_ms=HOUR),
        }

    def _post(self, *, client: Client | None = None, ago_ms: int = 0) -> OutgoingPost:
        services = self._services
        body, headers = logout_token.build(
            self._row,
            client or self._client,
            services.subjects.of(self._client, self._row.user_id),
            services.signer,
            self._issuer,
            services.clock.now() - ago_ms,
            services.randomness.token("jti"),
        )
        return OutgoingPost(self._client.backchannel_logout_uri, body, headers)

    def _with(self, change: Callable[[str], str]) -> OutgoingPost:
        post = self._post()
        return replace(post, body=urlencode({"logout_token": change(_token(post))}).encode("ascii"))


class CasTrialCalls:
    """The same for a CAS site: a ticket that nobody has. Nothing in such a call could be forged."""

    def __init__(self, centre: Centre, client: Client) -> None:
        self._services = centre.services
        self._row = trial_row(client, centre.services.randomness, centre.services.clock.now())

    def good(self) -> OutgoingPost:
        """As the delivery worker calls."""
        services = self._services
        body, headers = logout_request.build(
            self._row.ticket, now_ms=services.clock.now(), request_id=services.randomness.token("LR")
        )
        return OutgoingPost(self._row.logout_uri, body, headers)

    def as_json(self) -> None:
        """A document of XML in a form, or nothing."""

    def forged(self) -> dict[str, Callable[[], OutgoingPost]]:
        """There are none."""
        return {}


def _token(post: OutgoingPost) -> str:
    return parse_qs(post.body.decode("ascii"))["logout_token"][0]


def _break_signature(token: str) -> str:
    head, payload, signature = token.split(".")
    # The first character: of the last one, some bits may be padding that no decoder looks at.
    return f"{head}.{payload}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


def _unsign(token: str) -> str:
    header = base64.urlsafe_b64encode(b'{"alg":"none","typ":"logout+jwt"}').rstrip(b"=").decode("ascii")
    return f"{header}.{token.split('.')[1]}."
