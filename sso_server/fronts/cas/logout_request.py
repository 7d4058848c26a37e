"""The logout request (CAS 3.0.3 section 2.3.3, appendix C) as bytes. Sending is `delivery`'s."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlencode
from xml.sax.saxutils import escape, quoteattr

#: Word for word as in appendix C, prefixes too: clients look for `<samlp:SessionIndex>` as text.
_DOCUMENT = (
    '<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"'
    ' xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"'
    ' ID={request_id} Version="2.0" IssueInstant="{instant}">'
    "<saml:NameID>@NOT_USED@</saml:NameID>"
    "<samlp:SessionIndex>{ticket}</samlp:SessionIndex>"
    "</samlp:LogoutRequest>"
)


def build(ticket: str, *, now_ms: int, request_id: str) -> tuple[bytes, dict[str, str]]:
    """Body and headers of one attempt. `ticket`: the one that the service validated. `request_id` is new each time and
    begins with a letter (SAML 2.0 core, section 1.3.4): a receiver may refuse one that it has seen."""
    document = _DOCUMENT.format(
        request_id=quoteattr(request_id),
        # SAML 2.0 core, section 1.3.3: UTC.
        instant=f"{datetime.fromtimestamp(now_ms / 1000, tz=UTC):%Y-%m-%dT%H:%M:%SZ}",
        ticket=escape(ticket),
    )
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return urlencode({"logoutRequest": document}).encode("ascii"), headers
