"""TicketStore on Redis. `redeem` is one script: checks, the ticket, the registration of the site and the tokens."""

from __future__ import annotations

from sso_server.core.identifiers import bucket_of
from sso_server.core.policy import MINUTE
from sso_server.core.tickets import Redeemed, Redemption, Refusal, Ticket
from sso_server.stores.redis import records
from sso_server.stores.redis.grants import KEEP_MS, GrantIndex, named_until
from sso_server.stores.redis.keys import ALL_BUCKETS, Keys
from sso_server.stores.redis.link import Call, Link, command, step

_LONGEST_LIFE_MS = 11 * MINUTE
"""Longer than the settings let a ticket live (10 minutes), for clocks that differ."""


class RedisTickets:
    """Tickets, each in the bucket of its session."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys
        self._grants = GrantIndex(link, keys)

    def put(self, ticket: Ticket) -> None:
        """See ports.TicketStore."""
        life_ms = max(1, ticket.expires_at - ticket.issued_at + KEEP_MS)
        bucket, until = bucket_of(ticket.sid), named_until(ticket)
        words = (ticket.ticket_hash, life_ms, until, *records.ticket_words(ticket))
        self._link.send_all(
            [
                self._grants.put(ticket.user_id, bucket, ticket.ticket_hash, ticket.issued_at, until),
                step("put_ticket", self._keys.bucket(bucket), *words),
            ]
        )

    def redeem(self, redemption: Redemption, now: int) -> Redeemed:
        """See ports.TicketStore. If its answer is lost, a repetition finds the ticket USED and revokes what it gave:
        nobody has those tokens, and the client starts over."""
        r = redemption
        ends = [token.expires_at for token in (r.access, r.refresh) if token is not None]

        def redeem(indexed_until: int) -> Call:
            return step(
                "redeem",
                self._keys.bucket(r.bucket),
                now,
                r.ticket_hash,
                r.client_id,
                r.redirect_uri,
                r.code_challenge,
                r.store_id,
                records.site_members(r.kind, r.logout_uri, r.reports),
                r.local_max_ms,
                int(r.reports),
                int(r.idle_off),
                r.access.token_hash if r.access else "",
                r.access.expires_at if r.access else 0,
                r.refresh.token_hash if r.refresh else "",
                r.refresh.expires_at if r.refresh else 0,
                indexed_until,
                r.margin_ms,
                r.most_stores,
                *records.token_words(r.access),
                r.access.kind if r.access else "",
                r.details,
                "" if r.most_of_all is None else r.most_of_all,
                r.access.details if r.access else "",
                r.refresh.details if r.refresh else "",
            )

        why, ticket, session = self._grants.send(r.bucket, ends, now, redeem)
        return Redeemed(
            Refusal(why) if why else None,
            records.ticket(r.ticket_hash, ticket),
            records.session(session),
        )

    def void_all(self, epoch: str, now: int) -> None:
        """See ports.TicketStore. Each bucket has its epoch noted until every ticket of before has expired by itself."""
        keys = [self._keys.in_bucket(bucket, "epoch") for bucket in ALL_BUCKETS]
        self._link.send_all([command("SET", key, epoch, "PX", _LONGEST_LIFE_MS) for key in keys])

    def find(self, ticket_hash: str, bucket: int) -> Ticket | None:
        """See ports.TicketStore."""
        key = self._keys.in_bucket(bucket, "ticket", ticket_hash)
        return records.ticket(ticket_hash, self._link.send(command("HMGET", key, *records.TICKET)))
