"""Revocations of tokens as the journal has them, to be repeated when the store of tokens has forgotten them.

Those of a whole person are end orders, and die with their sessions; here are the others: at `/revoke`, a replayed
ticket, a refresh token that came back.
"""

from __future__ import annotations

from sso_server.core import identifiers
from sso_server.core.events import Event, EventKind
from sso_server.core.ports import TokenStore
from sso_server.core.records import record


@record
class Revocation:
    """What was revoked: an access token alone, or the grant of a refresh token or of a ticket."""

    kind: str
    """`identifiers.ACCESS_TOKEN`, `REFRESH_TOKEN` or `CODE`."""
    digest: str
    bucket: int
    client_id: str

    def event(self, at: int) -> Event:
        """The journal's line (`at` in ms). It names no session: that has lines of its own."""
        data: dict[str, str | int | None] = {"kind": self.kind, "digest": self.digest, "bucket": self.bucket}
        return Event(at, EventKind.TOKEN_REVOKED, client_id=self.client_id, actor=f"client:{self.client_id}", data=data)

    def carry_out(self, tokens: TokenStore, now: int) -> bool:
        """Whether there was something to revoke. Idempotent. Raises Unavailable."""
        if self.kind == identifiers.CODE:
            return tokens.revoke_grant(self.digest, self.bucket, now)
        return tokens.revoke(self.digest, self.kind, self.bucket, self.client_id, now)


def of_line(client_id: str, data: dict[str, str | int | None]) -> Revocation | None:
    """The line's revocation; None if a newer version wrote something else there."""
    kind, digest, bucket = data.get("kind"), data.get("digest"), data.get("bucket")
    if not isinstance(kind, str) or not isinstance(digest, str) or not isinstance(bucket, int):
        return None
    return Revocation(kind, digest, bucket, client_id)
