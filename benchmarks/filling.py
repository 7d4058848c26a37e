"""A store filled with very many sessions in minutes: one session in each bucket is opened and registered through the
ports, and what the store then holds of it is written again under other names, as often as it takes.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Table, false, select, true

from sso_server.core.identifiers import BUCKETS
from sso_server.core.policy import DAY, HOUR, MINUTE
from sso_server.core.sessions import Session
from sso_server.stores.sql import tables
from tests.support.builders import opened, random_part, registered

#: As browsers name themselves; its length decides how Redis stores a session.
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0"
LOGOUT_URI = "https://reports.example.com/sso/backchannel-logout"
_BASE32 = str.maketrans("0189", "ghij")


@dataclass(frozen=True)
class Pattern:
    """A session and what is to be another's in a copy of it."""

    session: Session
    names: tuple[str, ...]
    """Random parts of identifiers and digests."""
    pieces: list[bytes] = field(default_factory=list)
    """Redis: what writes it, cut where a name stands; `order` says which."""
    order: list[int] = field(default_factory=list)
    rows: dict[Table, list[dict[str, Any]]] = field(default_factory=dict)


@dataclass
class Filler:
    """Adds sessions of the same kind; `sites`: (client id, store id) of each participant."""

    stores: Any
    redis: Any
    """A redis-py client on the stores' Redis; None: they are in SQL."""
    sites: Sequence[tuple[str, str]]
    now: int
    refreshable: bool = True
    fresh: bool = False
    """With the spent tickets and the access tokens that go after a quarter of an hour."""
    patterns: list[Pattern] = field(default_factory=list)
    count: int = 0
    _connection: Any = None
    """SQL: of the one transaction that everything is written in."""

    def pattern(self, bucket: int) -> Pattern:
        """A new session in that bucket, with all its sites, through the ports."""
        user = f"usr-{random_part()}"
        session = opened(
            self.stores,
            self.now,
            bucket=bucket,
            user_id=user,
            user_agent=FIREFOX,
            idle_allowance_ms=8 * HOUR + MINUTE,
            absolute_until=self.now + DAY,
        )
        names = [user[4:], session.sid[7:], session.browser_hash, session.cookie_hash]
        for client_id, store_id in self.sites:
            changes: dict[str, Any] = {} if self.refreshable else {"refresh": None, "ticket": {"refreshable": False}}
            redemption, _ = registered(
                self.stores,
                session,
                client_id,
                self.now,
                store_id=store_id,
                reports=bool(store_id),
                logout_uri=LOGOUT_URI,
                **changes,
            )
            names += [redemption.ticket_hash, redemption.access.token_hash]
            names += [redemption.refresh.token_hash] if redemption.refresh else []
        self.count += 1
        if self.redis is None:
            return Pattern(session, tuple(names), rows=self._rows(session))
        raw = b"".join(_words(command) for command in self._commands(session, names))
        return Pattern(session, tuple(names), *_split(raw, names))

    def fill(self, wanted: int) -> None:
        """Until there are so many."""
        if not self.patterns:
            self.patterns = [self.pattern(bucket) for bucket in range(min(BUCKETS, wanted))]
        each = max(0, -(-(wanted - self.count) // len(self.patterns)))
        for pattern in self.patterns:
            copies = min(each, wanted - self.count)
            if self.redis is None:
                self._copy_rows(pattern, copies)
            else:
                self._copy_keys(pattern, copies)
            self.count += copies

    @contextlib.contextmanager
    def in_one_transaction(self) -> Iterator[None]:
        """SQLite: what is filled in this block is written at its end, each page once; nobody else may write meanwhile.
        With a million sessions that is the difference between minutes and the better part of an hour."""
        self.fill(BUCKETS)
        with self.stores.database.write() as self._connection:
            # All changed pages stay in memory: 3 GB at most.
            for pragma in ("cache_size = -3000000", "cache_spill = OFF"):
                self._connection.exec_driver_sql(f"PRAGMA {pragma}")
            yield
        self._connection = None
        with self.stores.database.read() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def _copy_keys(self, pattern: Pattern, copies: int) -> None:
        # Nobody reads a million answers: the last line waits for all of it.
        wire = self.redis.connection_pool.get_connection()
        try:
            wire.send_packed_command([_words(["CLIENT", "REPLY", "OFF"])])
            for begin in range(0, copies, 200):
                batch = []
                for _ in range(min(200, copies - begin)):
                    fresh = [name.encode() for name in _fresh(pattern.names)]
                    batch.append(_joined(pattern.pieces, [fresh[i] for i in pattern.order]))
                wire.send_packed_command(batch)
            wire.send_packed_command([_words(["CLIENT", "REPLY", "ON"])])
            wire.read_response()
        finally:
            self.redis.connection_pool.release(wire)

    def _commands(self, session: Session, names: Sequence[str]) -> Iterator[list[Any]]:
        """What writes this session's part of every key once more."""
        parts = (f"lockstep:{{b{session.sid[4:6]}}}:*", f"lockstep:{{u:{session.user_id}}}:*")
        for key in (key for part in parts for key in self.redis.scan_iter(part, count=10_000)):
            if not any(name.encode() in key for name in names):
                # Shared with others: its own entries alone.
                for member, score in self.redis.zrange(key, 0, -1, withscores=True):
                    if any(name.encode() in member for name in names):
                        yield ["ZADD", key, repr(score), member]
                continue
            if not self.fresh and self._is_over_soon(key):
                continue
            match self.redis.type(key):
                case b"hash":
                    yield ["HSET", key, *(part for pair in self.redis.hgetall(key).items() for part in pair)]
                case b"zset":
                    for member, score in self.redis.zrange(key, 0, -1, withscores=True):
                        yield ["ZADD", key, repr(score), member]
                case _:
                    yield ["SET", key, self.redis.get(key)]
            if (left := self.redis.pttl(key)) > 0:
                yield ["PEXPIRE", key, left]

    def _is_over_soon(self, key: bytes) -> bool:
        return b"}:ticket:" in key or (b"}:token:" in key and self.redis.hget(key, "kind") == b"at")

    def _rows(self, session: Session) -> dict[Table, list[dict[str, Any]]]:
        t = tables
        with self.stores.database.read() as connection:
            grants = list(
                connection.execute(select(t.grants.c.grant_id).where(t.grants.c.sid == session.sid)).scalars()
            )
            wheres = {
                t.sessions: t.sessions.c.sid == session.sid,
                t.participants: t.participants.c.sid == session.sid,
                t.grants: t.grants.c.sid == session.sid,
                t.tokens: t.tokens.c.grant_id.in_(grants) & (true() if self.fresh else t.tokens.c.kind != "at"),
                t.tickets: t.tickets.c.sid == session.sid if self.fresh else false(),
            }
            found = {t: [dict(r) for r in connection.execute(select(t).where(w)).mappings()] for t, w in wheres.items()}
        for row in found[t.participants]:
            del row["number"]
        return found

    def _copy_rows(self, pattern: Pattern, copies: int) -> None:
        for begin in range(0, copies, 1000):
            maps = [
                dict(zip(pattern.names, _fresh(pattern.names), strict=True)) for _ in range(min(1000, copies - begin))
            ]
            writing = contextlib.nullcontext(self._connection) if self._connection else self.stores.database.write()
            with writing as connection:
                for table, rows in pattern.rows.items():
                    if rows:
                        connection.execute(table.insert(), [_renamed(row, names) for names in maps for row in rows])


def _fresh(names: Sequence[str]) -> list[str]:
    """Other names of the same lengths: 32 characters of base32, 64 of hex."""
    noise = os.urandom(32 * len(names)).hex()
    parts = [noise[64 * i : 64 * i + len(name)] for i, name in enumerate(names)]
    return [part.translate(_BASE32) if len(part) == 32 else part for part in parts]


def _split(raw: bytes, names: Sequence[str]) -> tuple[list[bytes], list[int]]:
    pieces = re.split(b"(" + b"|".join(name.encode() for name in names) + b")", raw)
    places = {name.encode(): number for number, name in enumerate(names)}
    return pieces[::2], [places[name] for name in pieces[1::2]]


def _joined(pieces: Sequence[bytes], names: Sequence[bytes]) -> bytes:
    parts = [b""] * (len(pieces) + len(names))
    parts[::2] = pieces
    parts[1::2] = names
    return b"".join(parts)


def _words(command: Sequence[Any]) -> bytes:
    """As it goes over the wire."""
    words = [word if isinstance(word, bytes) else str(word).encode() for word in command]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def _renamed(row: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    changed = dict(row)
    for column, value in row.items():
        if isinstance(value, str):
            changed[column] = names.get(value, value) if len(value) == 64 else value
            for prefix in (4, 7):
                if value[prefix:] in names:
                    changed[column] = value[:prefix] + names[value[prefix:]]
    return changed
