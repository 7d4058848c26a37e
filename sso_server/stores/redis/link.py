"""The link to one Redis: explicit time-outs, no hidden retries, the core's errors, several calls in one round trip.

redis-py's defaults hide an outage for seconds (it repeats a call with back-off); here a call fails after about one
second and the caller decides. Nothing is repeated by itself, because a step that timed out may have been done.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.connection import BlockingConnectionPool
from redis.exceptions import NoScriptError, RedisError
from redis.retry import Retry

from sso_server.core.errors import Unavailable
from sso_server.stores.redis.scripts import Script, load

_TIMEOUT_S = 1.0
_CONNECTIONS = 32
_HEALTH_CHECK_S = 30
_SCHEMES = ("redis://", "rediss://", "unix://")


@dataclass(frozen=True, slots=True)
class Call:
    """One command; with a script, the call of that script on one key."""

    words: tuple[str | int, ...]
    script: Script | None = None

    def by_source(self) -> tuple[str | int, ...]:
        """The same call for a server that doesn't know the script yet; it will know it from then on."""
        return self.words if self.script is None else ("EVAL", self.script.source, *self.words[2:])


def command(*words: str | int) -> Call:
    """A plain command."""
    return Call(words)


def step(name: str, key: str, *args: str | int) -> Call:
    """A script on the slot of this key."""
    script = load(name)
    return Call(("EVALSHA", script.sha, 1, key, *args), script)


class Link:
    """Sends calls. Thread-safe and safe to use after a fork; connections are opened when needed."""

    def __init__(self, redis_url: str) -> None:
        """Connects to nothing yet. Raises ValueError for an address of another kind."""
        if not redis_url.startswith(_SCHEMES):
            raise ValueError(f"SSO_REDIS_URL must begin with one of {', '.join(_SCHEMES)}.")
        pool = BlockingConnectionPool.from_url(
            redis_url,
            max_connections=_CONNECTIONS,
            timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
            socket_timeout=_TIMEOUT_S,
            health_check_interval=_HEALTH_CHECK_S,
            retry=Retry(NoBackoff(), 0),
            retry_on_error=[],
            protocol=2,
            decode_responses=True,
            # What others wrote into our keys, and half a character that a browser sent, must not raise.
            encoding_errors="replace",
        )
        try:
            # Made, never connected: redis-py looks at the options of an address only when it needs a connection.
            pool.connection_class(**pool.connection_kwargs)
        except TypeError:
            raise ValueError("SSO_REDIS_URL has an option that redis-py doesn't know.") from None
        self._redis = redis.Redis(connection_pool=pool)

    def send(self, call: Call) -> Any:
        """The reply, in one round trip. Raises Unavailable."""
        with _outages_named():
            try:
                return self._redis.execute_command(*call.words)  # type: ignore[no-untyped-call]
            except NoScriptError:
                # A restarted server has forgotten its scripts; nothing of the step has been done.
                return self._redis.execute_command(*call.by_source())  # type: ignore[no-untyped-call]

    def send_all(self, calls: Sequence[Call]) -> list[Any]:
        """The replies, in one round trip (a pipeline without MULTI), done in this order. Unavailable if any failed."""
        if not calls:
            return []
        with _outages_named():
            replies = self._pipeline([call.words for call in calls])
            forgotten = [i for i, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
            if forgotten:
                again = self._pipeline([calls[i].by_source() for i in forgotten])
                for i, reply in zip(forgotten, again, strict=True):
                    replies[i] = reply
            for reply in replies:
                if isinstance(reply, Exception):
                    raise reply
            return replies

    def close(self) -> None:
        """Close all connections."""
        self._redis.connection_pool.disconnect()

    def _pipeline(self, commands: Sequence[tuple[str | int, ...]]) -> list[Any]:
        with self._redis.pipeline(transaction=False) as pipe:
            for words in commands:
                pipe.execute_command(*words)  # type: ignore[no-untyped-call]
            return pipe.execute(raise_on_error=False)


@contextmanager
def _outages_named() -> Iterator[None]:
    """Away, too slow, loading, read-only, full, or a broken value under one of our keys: all mean "not now"."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise Unavailable(detail=f"Redis: {type(error).__name__}: {str(error)[:200]}") from error
