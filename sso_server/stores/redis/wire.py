"""The bytes of one connection: on a plain socket packed and taken apart by hiredis alone, else (TLS) through redis-py's
connection, which takes 12 us more for a call.

No time is kept here but the socket's: how long an answer may take is `line`'s affair.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from hiredis import Reader, pack_command
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

Words = tuple[str | int, ...]
_pack: Callable[[Words], bytes] = pack_command  # type: ignore[assignment]  # its stub says: of one word
NOTHING_YET = object()
"""The answer isn't here."""


class Wire(Protocol):
    """Its methods raise RedisError or OSError."""

    def write(self, commands: Sequence[Words]) -> None:
        """Send without waiting for an answer. Raises UnicodeEncodeError, nothing sent, for half a character."""

    def take(self) -> Any:
        """An answer (one that is an error, too) that is here already; NOTHING_YET if none is."""

    def wait(self, timeout_s: float | None) -> Any:
        """The answer that is next, within so long a silence (None: the connection's own)."""

    def has_something(self) -> bool:
        """Whether there is something to be read: an answer that nobody asked for, or the end of the connection."""


def wire_of(connection: Any) -> Wire:
    """The one for this connection of redis-py's, which is connected."""
    plain: Any = getattr(connection, "_sock", None)
    parser: Any = getattr(connection, "_parser", None)
    if type(plain) is socket.socket and hasattr(parser, "parse_error"):
        return _Plain(plain, parser.parse_error, getattr(connection, "_socket_read_size", 65536))
    return _Through(connection)


class _Plain:
    """On the socket itself."""

    def __init__(self, plain: socket.socket, error_of: Any, read_size: int) -> None:
        self._socket = plain
        self._buffer = bytearray(read_size)
        self._reader = Reader(
            protocolError=InvalidResponse,
            replyError=error_of,
            encoding="utf-8",
            # What others wrote into our keys must not raise.
            errors="replace",
            notEnoughData=NOTHING_YET,
        )
        self._poll = select.poll()
        self._poll.register(plain, select.POLLIN)

    def write(self, commands: Sequence[Words]) -> None:
        """See Wire."""
        packed = _pack(commands[0]) if len(commands) == 1 else b"".join(map(_pack, commands))
        try:
            self._socket.sendall(packed)
        except TimeoutError:
            raise RedisTimeoutError("Timeout writing to socket") from None
        except OSError as error:
            raise RedisConnectionError(f"Error while writing to socket: {error}") from error

    def take(self) -> Any:
        """See Wire."""
        return self._reader.gets()

    def wait(self, timeout_s: float | None) -> Any:
        """See Wire."""
        own = self._socket.gettimeout()
        if timeout_s is not None:
            self._socket.settimeout(timeout_s)
        try:
            while (reply := self._reader.gets()) is NOTHING_YET:
                count = self._socket.recv_into(self._buffer)
                if count == 0:
                    raise RedisConnectionError("Connection closed by server.")
                self._reader.feed(self._buffer, 0, count)  # type: ignore[arg-type]
            return reply
        except TimeoutError:
            raise RedisTimeoutError("Timeout reading from socket") from None
        except RedisError:
            raise
        except OSError as error:
            raise RedisConnectionError(f"Error while reading from socket: {error}") from error
        finally:
            if timeout_s is not None:
                self._socket.settimeout(own)

    def has_something(self) -> bool:
        """See Wire."""
        return self._reader.has_data() or bool(self._poll.poll(0))


class _Through:
    """Through redis-py's connection."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def write(self, commands: Sequence[Words]) -> None:
        """See Wire."""
        self._connection.send_packed_command(list(self._connection.pack_commands(commands)), check_health=False)

    def take(self) -> Any:
        """See Wire. It can't look without waiting."""
        return NOTHING_YET

    def wait(self, timeout_s: float | None) -> Any:
        """See Wire."""
        try:
            if timeout_s is None:
                return self._connection.read_response()
            return self._connection.read_response(timeout=timeout_s)
        except ResponseError as error:
            return error

    def has_something(self) -> bool:
        """See Wire."""
        return bool(self._connection.can_read(0))
