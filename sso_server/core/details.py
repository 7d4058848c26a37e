"""What an OpenID Connect ticket, its grant and its tokens carry besides their columns: JSON in their `details`.

Stores only keep the text. CAS writes details of its own (`service_tickets`), for its own tickets.
"""

from __future__ import annotations

import json
from dataclasses import fields
from functools import lru_cache
from typing import Any

from sso_server.core.records import record

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@record
class GrantDetails:
    """Of a ticket, and of the grant that comes from it: what the request asked for and the sign-in gave."""

    claims: str = ""
    """The `claims` parameter as JSON text (OpenID Connect Core 1.0 section 5.5); empty: there was none."""
    acr: str = ""
    """The authentication context class that the sign-in met; empty: none is said."""
    resources: tuple[str, ...] = ()
    """The `resource` values of the request (RFC 8707); empty: all that the client's tokens are for."""
    dpop_jkt: str = ""
    """Thumbprint of the key to which the code is bound (RFC 9449 section 10); empty: to none."""

    def to_text(self) -> str:
        """Empty if there is nothing to say."""
        return _text(self, _NO_GRANT_DETAILS)

    @classmethod
    def from_text(cls, text: str) -> GrantDetails:
        """The opposite; members that a newer version wrote are left out."""
        return _grant_details(text) if text else _NO_GRANT_DETAILS


@record
class TokenDetails:
    """Of one token: in what it differs from its grant."""

    jkt: str = ""
    """Thumbprint of the key that must prove itself beside it (RFC 9449 section 6); empty: a bearer token."""
    scope: str | None = None
    """Narrower than the grant's; None: the same."""
    actor: str = ""
    """The client that acts for the person, after a token exchange; behind it, parted by spaces and newest first, those
    that exchanged on the way."""
    resources: tuple[str, ...] = ()
    """What its `aud` names instead of clients (RFC 8707); empty: its clients."""

    def to_text(self) -> str:
        """Empty if there is nothing to say."""
        return _text(self, _NO_TOKEN_DETAILS)

    @classmethod
    def from_text(cls, text: str) -> TokenDetails:
        """The opposite; members that a newer version wrote are left out."""
        if not text:
            return _NO_TOKEN_DETAILS
        known = _known(text, _NO_TOKEN_DETAILS)
        return cls(**known | {"resources": tuple(known.get("resources", ()))})


def act_claim(actor: str) -> dict[str, object]:
    """`TokenDetails.actor` as the `act` claim (RFC 8693 section 4.1): who acts, and inside, for information, who did
    before."""
    newest, _, before = actor.partition(" ")
    return {"sub": newest, "act": act_claim(before)} if before else {"sub": newest}


_NO_GRANT_DETAILS, _NO_TOKEN_DETAILS = GrantDetails(), TokenDetails()


@lru_cache(maxsize=256)  # nearly all grants say the same
def _grant_details(text: str) -> GrantDetails:
    known = _known(text, _NO_GRANT_DETAILS)
    return GrantDetails(**known | {"resources": tuple(known.get("resources", ()))})


# Found once: `dataclasses.asdict` took 10 us each time, up to four times a request.
_NAMES = {kind: tuple(each.name for each in fields(kind)) for kind in (GrantDetails, TokenDetails)}


def _text(details: GrantDetails | TokenDetails, nothing: GrantDetails | TokenDetails) -> str:
    names = _NAMES[type(nothing)]
    said = {name: value for name in names if (value := getattr(details, name)) != getattr(nothing, name)}
    return _encode(said) if said else ""


def _known(text: str, nothing: GrantDetails | TokenDetails) -> dict[str, Any]:
    said = json.loads(text)
    return {name: said[name] for name in _NAMES[type(nothing)] if name in said}
