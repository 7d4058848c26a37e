"""TokenStore on Redis: grants and their tokens, in the bucket of the session they came from."""

from __future__ import annotations

from sso_server.core.tickets import Refusal
from sso_server.core.tokens import FoundToken, Rotated, Rotation
from sso_server.stores.redis import records
from sso_server.stores.redis.grants import GrantIndex
from sso_server.stores.redis.keys import Keys
from sso_server.stores.redis.link import Call, Link, step


class RedisTokens:
    """Grants, access tokens, refresh tokens."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys
        self._grants = GrantIndex(link, keys)

    def find_token(self, token_hash: str, kind: str, bucket: int, now: int) -> FoundToken | None:
        """See ports.TokenStore."""
        reply = self._link.send(step("find_token", self._keys.bucket(bucket), now, token_hash, kind))
        return records.found_token(*reply) if reply else None

    def rotate(self, rotation: Rotation, now: int) -> Rotated:
        """See ports.TokenStore. If its answer is lost, a repetition within the grace gets a sibling."""
        r = rotation

        def rotate(indexed_until: int) -> Call:
            return step(
                "rotate",
                self._keys.bucket(r.bucket),
                now,
                r.token_hash,
                r.client_id,
                r.grace_ms,
                r.access.token_hash,
                r.access.expires_at,
                r.refresh.token_hash if r.refresh else "",
                r.refresh.expires_at if r.refresh else 0,
                indexed_until,
                *records.token_words(r.access),
                r.access.details,
                r.refresh.details if r.refresh else "",
            )

        ends = [token.expires_at for token in (r.access, r.refresh) if token is not None]
        why, grant_id, grant, session, reused = self._grants.send(r.bucket, ends, now, rotate)
        return Rotated(
            Refusal(why) if why else None,
            records.grant(grant_id, grant),
            records.session(session),
            reused=reused == 1,
        )

    def revoke(self, token_hash: str, kind: str, bucket: int, client_id: str, now: int) -> bool:
        """See ports.TokenStore."""
        return bool(self._link.send(step("revoke", self._keys.bucket(bucket), now, token_hash, kind, client_id)))

    def revoke_grant(self, grant_id: str, bucket: int, now: int) -> bool:
        """See ports.TokenStore."""
        return bool(self._link.send(step("revoke_grant", self._keys.bucket(bucket), now, grant_id)))

    def revoke_grants_of(self, user_id: str, now: int, *, before: int = 0, client_id: str = "") -> int:
        """See ports.TokenStore."""
        groups = self._grants.find(user_id or client_id)
        steps = [step("revoke_grants", self._keys.bucket(b), now, before, client_id, *ids) for b, ids in groups.items()]
        return sum(int(count) for count in self._link.send_all(steps))

    def revoke_grants_before(self, before: int, now: int) -> int:
        """See ports.TokenStore. No index names everybody's: it goes through all keys once, a page at a time."""
        revoked = 0
        for page in self._grants.find_all():
            steps = [step("revoke_grants", self._keys.bucket(b), now, before, "", *ids) for b, ids in page.items()]
            revoked += sum(int(count) for count in self._link.send_all(steps))
        return revoked
