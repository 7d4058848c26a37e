"""One connection to one Redis server, which life of that server it leads to, and nothing that is sent twice.

A line that failed is never used again: an answer that comes late must not be taken for the next one's.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Any

from redis.backoff import NoBackoff
from redis.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoPermissionError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from sso_server.stores.redis.wire import NOTHING_YET, Words, wire_of

_MOST_TIMES = 5
"""A server that trickles must not hold a thread for as many seconds as it has answers to give."""
_LATE_S = 0.01
"""What a server that is read after a silent one still gets: its answers have long been here."""


class Line:
    """Opened at once. Raises RedisError or OSError; where a method does, the line must be closed."""

    def __init__(self, connection: Any, timeout_s: float, *, asks_who: bool = True) -> None:
        self._connection = connection
        self._timeout_s = timeout_s
        self._quiet_since = 0.0
        self.used_at = self.opened_at = time.monotonic()
        """Monotonic seconds."""
        self.incarnation = ""
        """`redis:run_id:master_replid` of the server when this connection was opened; empty if it forbids INFO."""
        self.role = ""
        """`master`, `slave`, or empty as above."""
        self.is_of_cluster = False
        """It serves some keys and sends callers away with the others."""
        self.generation = 0
        """Belongs to whom the line belongs to (servers.py)."""
        try:
            connection.connect()
            self._wire = wire_of(connection)
            if asks_who:
                self._introduce()
        except BaseException:
            # Nobody has the line yet who could.
            connection.disconnect()
            raise

    def ask(self, commands: Sequence[Words]) -> list[Any]:
        """Write and read."""
        self.write(commands)
        return self.read(len(commands))

    def write(self, commands: Sequence[Words]) -> None:
        """Send without waiting for an answer."""
        try:
            self._wire.write(commands)
        except UnicodeEncodeError:
            # Half a character that a browser sent.
            self._wire.write([tuple(_whole(word) for word in words) for words in commands])
        self._quiet_since = time.monotonic()

    def read(self, count: int) -> list[Any]:
        """So many answers; one that is an error stands in its place. RedisError if the server is silent for too long
        since `write`: while another server was waited for, it could have answered."""
        replies: list[Any] = []
        take = self._wire.take
        for i in range(count):
            reply = take()
            if reply is NOTHING_YET:
                reply = self._awaited(i == 0)
            if isinstance(reply, RedisConnectionError):
                # Loading, full of clients: the server itself isn't usable.
                raise reply
            replies.append(reply)
        self.used_at = time.monotonic()
        return replies

    def _awaited(self, is_first: bool) -> Any:
        waited = time.monotonic() - self._quiet_since
        # The first shares its time with `write`; each further one has as much, all together a few times that.
        most = self._timeout_s - waited if is_first else min(self._timeout_s, _MOST_TIMES * self._timeout_s - waited)
        return self._wire.wait(max(_LATE_S, most) if most < self._timeout_s - _LATE_S else None)

    def is_usable(self, idle_s: float) -> bool:
        """Whether the server still holds it. Raises TimeoutError if the server is silent."""
        try:
            if self._wire.has_something():
                # An answer that nobody asked for, or the end of the connection.
                return False
            if idle_s and time.monotonic() - self.used_at > idle_s:
                return bool(self.ask([("PING",)]) == ["PONG"])
        except RedisTimeoutError:
            raise
        except (RedisError, OSError):
            return False
        return True

    def close(self) -> None:
        """Whatever is still under way on it."""
        self._connection.disconnect()

    def _introduce(self) -> None:
        replies = self.ask([("INFO", "server"), ("INFO", "replication")])
        for reply in replies:
            # Busy, loading: it will say in a moment. Who may never ask is another matter.
            if isinstance(reply, ResponseError) and not _is_forbidden(reply):
                raise reply
        told = "\n".join(reply for reply in replies if isinstance(reply, str))

        def value(name: str) -> str:
            found = re.search(rf"^{name}:(\w+)", told, re.MULTILINE)
            return found[1] if found else ""

        self.role, run_id = value("role"), value("run_id")
        self.is_of_cluster = value("redis_mode") == "cluster"
        if run_id:
            self.incarnation = f"redis:{run_id}:{value('master_replid')}"


def _whole(word: str | int) -> str | int:
    return word.encode("utf-8", "replace").decode() if isinstance(word, str) else word


def _is_forbidden(error: ResponseError) -> bool:
    """By the server's access list, or because the command was renamed away."""
    return isinstance(error, NoPermissionError) or "unknown command" in str(error)


def ask_once(connection: Any, timeout_s: float, commands: Sequence[Words]) -> list[Any]:
    """The answers to these on a connection of their own. Raises RedisError or OSError."""
    line = Line(connection, timeout_s, asks_who=False)
    try:
        return line.ask(commands)
    finally:
        line.close()


def connect(host: tuple[str, int] | None, options: dict[str, Any], *, tls: bool = False) -> Any:
    """redis-py's connection with these options, not yet connected; without a host to a socket. No retries, no checks
    of its own. Raises ValueError for options that can't be used."""
    kind: Any = UnixDomainSocketConnection if host is None else SSLConnection if tls else Connection
    place = {} if host is None else {"host": host[0], "port": host[1]}
    try:
        return kind(
            **{
                **options,
                **place,
                "retry": Retry(NoBackoff(), 0),
                "retry_on_error": [],
                "health_check_interval": 0,
                "protocol": 2,
                "decode_responses": True,
                # See wire.py.
                "encoding_errors": "replace",
                "driver_info": None,
            }
        )
    except (TypeError, RedisError):
        raise ValueError("SSO_REDIS_URL: has an option whose value can't be used.") from None
