"""What APIs must refuse although a signature holds: JWT access tokens whose session is over or that were revoked.

An API checks a JWT (RFC 9068) by itself, so its end must come to it: in the feed that its site's stores hear at their
check-ins. Who writes into it is the store's step that ends or revokes; nothing here is a second step.
"""

from __future__ import annotations

from sso_server.core import identifiers
from sso_server.core.ports import Signer
from sso_server.core.records import record

JWT_TYPE = "at+jwt"
MAX_DENIED = 5000
"""So many entries are handed out at once: some 400 kB, less than what a site reads of an answer."""
OVERLAP_US = 60_000_000
"""An entry's place in the feed is the store's clock when it was written. PostgreSQL may commit it up to 40 s later
(stores/sql/engine.py), and the next server's clock may be behind: so much of the feed is handed out once more."""
MAX_PLACE = 1 << 53
"""The largest number that every JSON reader keeps (RFC 8259 section 6)."""


@record
class Denied:
    """One entry: a `sid` or a `jti`, and until when (ms) tokens of that name must be refused."""

    name: str
    until: int

    @property
    def is_session(self) -> bool:
        """All tokens that carry this `sid`; else the one with this `jti`."""
        return identifiers.is_kind(self.name, identifiers.SESSION)


def name_of(token: str, signer: Signer, issuer: str) -> str | None:
    """The identifier under whose digest an access or refresh token is kept: its own text, or the `jti` of a JWT that we
    signed. None for anything else; a bare `jti`, which APIs see and log, opens nothing. Raises Unavailable."""
    if any(identifiers.is_kind(token, kind) for kind in (identifiers.ACCESS_TOKEN, identifiers.REFRESH_TOKEN)):
        return token
    if token.count(".") != 2:
        return None
    claims = signer.verify(token, typ=JWT_TYPE)
    jti = claims.get("jti") if claims is not None and claims.get("iss") == issuer else None
    return jti if isinstance(jti, str) and identifiers.is_kind(jti, identifiers.JWT_ID) else None
