"""TokenStore on Redis: grants and their tokens, in the bucket of the session they came from."""

from __future__ import annotations

from sso_server.core.tickets import Refusal
from sso_server.core.tokens import FoundToken, Rotated, Rotation
from sso_server.stores.redis import records
from sso_server.stores.redis.keys import ALL_BUCKETS, Keys
from sso_server.stores.redis.link import Link, command, step
from sso_server.stores.redis.places import Places


class RedisTokens:
    """Grants, access tokens, refresh tokens."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys
        self._places = Places(link, keys)

    def find_token(self, token_hash: str, kind: str, now: int) -> FoundToken | None:
        """See ports.TokenStore."""
        place = self._places.find(token_hash)
        if place is None:
            return None
        reply = self._link.send(step("find_token", self._keys.bucket(place.bucket), now, token_hash, kind))
        return records.found_token(*reply) if reply else None

    def rotate(self, rotation: Rotation, now: int) -> Rotated:
        """See ports.TokenStore. If its answer is lost, a repetition within the grace gets a sibling."""
        r = rotation
        place = self._places.find(r.token_hash)
        if place is None:
            return Rotated(Refusal.UNKNOWN)
        rotate = step(
            "rotate",
            self._keys.bucket(place.bucket),
            now,
            r.token_hash,
            r.client_id,
            r.grace_ms,
            r.access.token_hash,
            r.access.expires_at,
            r.refresh.token_hash,
            r.refresh.expires_at,
        )
        ends = {token.token_hash: token.expires_at for token in (r.access, r.refresh)}
        *_, reply = self._link.send_all([*self._places.put_tokens(place, ends, now), rotate])
        why, grant_id, flat_grant, flat_session, reused = reply
        return Rotated(
            Refusal(why) if why else None,
            records.grant(grant_id, flat_grant),
            records.session(flat_session),
            reused=reused == 1,
        )

    def revoke(self, token_hash: str, kind: str, client_id: str, now: int) -> None:
        """See ports.TokenStore."""
        place = self._places.find(token_hash)
        if place is not None:
            self._link.send(step("revoke", self._keys.bucket(place.bucket), now, token_hash, kind, client_id))

    def revoke_grants_of(self, user_id: str, keep_sid: str, now: int) -> int:
        """See ports.TokenStore."""
        groups: dict[int, list[str]] = {}
        for entry in self._link.send(command("ZRANGE", self._keys.grants_of(user_id), 0, -1)):
            bucket, _, grant_id = str(entry).partition("/")
            if bucket.isdecimal() and int(bucket) in ALL_BUCKETS and grant_id:
                groups.setdefault(int(bucket), []).append(grant_id)
        steps = [step("revoke_grants", self._keys.bucket(b), now, keep_sid, *ids) for b, ids in groups.items()]
        return sum(int(count) for count in self._link.send_all(steps))
