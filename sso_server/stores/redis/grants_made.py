"""GrantStore on Redis: grants that come from no ticket. One script; the index of the person, or of a client that speaks
for itself, is written before it.
"""

from __future__ import annotations

from sso_server.core.details import TokenDetails
from sso_server.core.tickets import NewToken, Refusal
from sso_server.core.tokens import Grant
from sso_server.stores.redis import records
from sso_server.stores.redis.grants import KEEP_MS, GrantIndex
from sso_server.stores.redis.keys import Keys
from sso_server.stores.redis.link import Link, command, step


class RedisGrants:
    """Grants that come from no ticket, and grants by any token of theirs."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys
        self._index = GrantIndex(link, keys)

    def issue(self, grant: Grant, access: NewToken, bucket: int, now: int) -> Refusal | None:
        """See ports.GrantStore. If its answer is lost, nobody has the token, and it expires."""
        until = max(access.expires_at, access.deny_until) + KEEP_MS
        write = step(
            "issue",
            self._keys.bucket(bucket),
            now,
            grant.grant_id,
            access.token_hash,
            access.expires_at,
            *records.token_words(access),
            access.details,
            grant.sid,
            *records.grant_fields(grant),
            "indexed_until",
            until,
        )
        # No client id looks like a person's.
        index = self._index.put(grant.user_id or grant.client_id, bucket, grant.grant_id, now, until)
        why = self._link.send_in_order([index, write])[-1]
        return Refusal(why) if why else None

    def find_grant(self, token_hash: str, bucket: int) -> tuple[Grant, TokenDetails] | None:
        """See ports.GrantStore."""
        key = self._keys.in_bucket(bucket, "token", token_hash)
        grant_id, details = self._link.send(command("HMGET", key, "grant", "details"))
        if grant_id is None:
            return None
        key = self._keys.in_bucket(bucket, "grant", grant_id)
        grant = records.grant(grant_id, self._link.send(command("HMGET", key, *records.GRANT)))
        return None if grant is None else (grant, TokenDetails.from_text(details or ""))
