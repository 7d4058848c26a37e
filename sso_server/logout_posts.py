"""Which logout message each kind of participant is sent: a front's own, signed or stamped now.

Sending is delivery's, which knows no front.
"""

from __future__ import annotations

from collections.abc import Mapping

from sso_server.core.clients import CAS, OIDC, Client
from sso_server.core.notifications import POLLED, Notification
from sso_server.core.ports import Clock, Randomness, Signer
from sso_server.core.subjects import Subjects
from sso_server.delivery.outgoing import Builder, OutgoingPost
from sso_server.fronts.cas import logout_request
from sso_server.fronts.oidc import logout_token


def logout_posts(
    signer: Signer, subjects: Subjects, issuer: str, clock: Clock, randomness: Randomness
) -> Mapping[str, Builder]:
    """Kind -> what makes the call of one attempt. That raises Refused (unreadable key), Unavailable."""

    def of_cas(row: Notification, _: Client) -> OutgoingPost:
        body, headers = logout_request.build(row.ticket, now_ms=clock.now(), request_id=randomness.token("LR"))
        return OutgoingPost(row.logout_uri, body, headers)

    def of_oidc(row: Notification, client: Client) -> OutgoingPost:
        sub, jti = subjects.of(client, row.user_id), randomness.token("jti")
        body, headers = logout_token.build(row, client, sub, signer, issuer, clock.now(), jti)
        return OutgoingPost(row.logout_uri, body, headers)

    return {OIDC: of_oidc, POLLED: of_oidc, CAS: of_cas}
