"""The link to one Redis: the store's keys, its scripts, short time-outs, and Redis' errors in our words.

Each step is one script and one round trip. What the keys mean is in `redis_sessions`, `redis_tokens`, `redis_journal`.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.connection import BlockingConnectionPool
from redis.exceptions import (
    BusyLoadingError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
)
from redis.exceptions import TimeoutError as TookTooLong
from redis.retry import Retry

from sso_client.clock import Clock, now
from sso_client.errors import SSOError
from sso_client.identifiers import new_secret, new_store_id
from sso_client.settings import is_store

SCHEMA_VERSION = 1
_CONNECT_S = 1.0
_ANSWER_S = 2.0
_CONNECTIONS = 32
_HEALTH_CHECK_S = 30
_FOLDER = Path(__file__).parent / "redis_scripts"
_USES = "-- uses: "
_APART_MS = 60_000  # less than any margin with which something is refused
_CHECKED_FOR_MS = 60_000
# Steps that write until when something is refused for all hosts, or drop it, and the turn to ask. A sign-out by hand
# isn't stopped: until the centre has heard of it, nothing opens that sid.
_BY_THE_CLOCK = frozenset(
    ("open", "end_by_sid", "end_by_sub", "end_unsigned", "tell_end", "drop_lapsed", "take_turn", "gather", "apply")
)
_UNREADABLE = (
    "the address or one of its options can't be read; the special characters of a password must be percent-encoded"
)


class RedisLink:
    """Sends steps. Safe for threads and after a fork; raises SSOError `store_...` for every failure.

    Nothing is repeated by itself, because a step that timed out may have been done.
    """

    def __init__(self, url: str, *, issuer: str, client_id: str, clock: Clock, ca_file: str | None = None) -> None:
        """Connects to nothing yet. `url` is redis:// or rediss://; `ca_file` a PEM file for the latter.

        Raises SSOError `store_failed` if redis-py can't read the address or one of its options.
        """
        self._issuer, self._client_id, self._clock = issuer, client_id, clock
        self._store_id = new_store_id()
        self._process = (0, "")
        self._checked = (0, 0)
        options: dict[str, Any] = {"ssl_ca_certs": ca_file} if ca_file and url.startswith("rediss://") else {}
        try:
            if not is_store(url):
                raise ValueError
            pool = BlockingConnectionPool.from_url(
                url,
                max_connections=_CONNECTIONS,
                timeout=_CONNECT_S,
                socket_connect_timeout=_CONNECT_S,
                socket_timeout=_ANSWER_S,
                health_check_interval=_HEALTH_CHECK_S,
                retry=Retry(NoBackoff(), 0),
                retry_on_error=[],
                protocol=2,
                decode_responses=True,
                redis_connect_func=_greet,
                **options,
            )
            # Made, never connected: redis-py looks at the options of an address only when it needs a connection.
            pool.connection_class(**pool.connection_kwargs)
        except (TypeError, ValueError, AttributeError, RedisError):
            # Not in redis-py's words, which quote what they can't read: it may be the password.
            raise SSOError("store_failed", f"SSO_STORE: {_UNREADABLE}") from None
        made = pool.connection_kwargs
        # For the log: never the address itself, which holds the password.
        self.place = f"redis {made.get('host', 'localhost')}:{made.get('port', 6379)}/{made.get('db', 0)}"
        self.redis = redis.Redis(connection_pool=pool)
        # One tag: all keys of a store share a slot of a cluster. Two issuers may each know a client of this name.
        digest = hashlib.sha256(f"{issuer}\n{client_id}".encode()).hexdigest()[:12]
        self.prefix = f"{{sso:{re.sub(r'[^A-Za-z0-9_.-]', '_', client_id)}:{digest}}}"

    def prepare(self) -> str:
        """Name the store if it has no name yet; returns its name. Raises `store_other_client`, `store_newer`."""
        self._store_id = self._get_name()
        return self._store_id

    def step(self, name: str, *args: str | int) -> Any:
        """Run the script `name` on this store; returns its reply, in one round trip."""
        if name in _BY_THE_CLOCK:
            self.check_clock()
        try:
            return self._send(name, self._store_id, *args)
        except _Forgotten:
            # Emptied, or come back without its last writes. Whoever notices first gives the store its name again, so
            # that the processes that run and the sessions that the centre has under this name stay together.
            if self._get_name() != self._store_id:
                raise self._renamed() from None
            return self._send(name, self._store_id, *args)

    def host(self, boot_id: str | None = None) -> str:
        """Whose clocks judge a lease: the boot's name; by default this machine's.

        Where boots have no names, two machines' boot clocks could be taken for each other. There each process stands
        for itself: it asks the centre a little more often, and nobody is served by another's clock.
        """
        boot_id = boot_id or self._clock.boot_id()
        if boot_id not in ("", "unknown"):
            return boot_id
        if self._process[0] != os.getpid():  # a forked worker is another process
            self._process = (os.getpid(), f"process-{new_secret()}")
        return self._process[1]

    def check_clock(self) -> None:
        """Raise SSOError `store_failed` while this host's wall clock and Redis' are more than a minute apart.

        Hosts share what is refused, each entry until a time: one with a wrong clock would forget for all of them. Redis
        is asked once a minute, and again when this clock was set.
        """
        asked = now(self._clock)
        checked_ms, ahead_ms = self._checked
        was_set = abs(asked.wall_ms - asked.boot_ms - ahead_ms) >= 1000
        if 0 <= asked.boot_ms - checked_ms < _CHECKED_FOR_MS and not was_set:
            return
        with self.errors_named():
            seconds, micros = self.redis.time()
        apart_ms = asked.wall_ms - (seconds * 1000 + micros // 1000)
        if abs(apart_ms) > _APART_MS:
            apart = f"{abs(apart_ms) // 1000} s {'ahead of' if apart_ms > 0 else 'behind'}"
            raise SSOError("store_failed", f"{self.place}: this host's clock is {apart} Redis': run NTP on both hosts")
        self._checked = (asked.boot_ms, asked.wall_ms - asked.boot_ms)

    def close(self) -> None:
        """Close all connections."""
        self.redis.connection_pool.disconnect()

    def _get_name(self) -> str:
        arguments = (self._issuer, self._client_id, self._store_id, SCHEMA_VERSION)
        store_id, issuer, client_id, schema = self._send("prepare", *arguments)
        if not str(schema).isdigit():
            raise SSOError("store_failed", f"{self.place}: {self.prefix}:meta belongs to another program")
        if int(schema) > SCHEMA_VERSION:
            raise SSOError("store_newer", f"{self.place}: schema {schema}")
        if (issuer, client_id) != (self._issuer, self._client_id):
            raise SSOError("store_other_client", f"{self.place}: {client_id} at {issuer}")
        return str(store_id)

    def _send(self, name: str, *args: str | int) -> Any:
        source, sha = _load(name)
        words = (1, f"{self.prefix}:meta", *args)
        with self.errors_named():
            try:
                return self.redis.execute_command("EVALSHA", sha, *words)  # type: ignore[no-untyped-call]
            except NoScriptError:
                # A restarted server has forgotten its scripts; nothing of the step has been done.
                return self.redis.execute_command("EVAL", source, *words)  # type: ignore[no-untyped-call]

    def _renamed(self) -> SSOError:
        return SSOError("store_failed", f"{self.place}: it was emptied and begun anew by another process; restart this")

    @contextmanager
    def errors_named(self) -> Iterator[None]:
        """Redis' errors in our words."""
        try:
            yield
        except (RedisError, OSError, UnicodeError) as error:
            text = str(error)
            if text.startswith("NOSTORE"):
                raise _Forgotten("store_failed", f"{self.place}: it was emptied a moment ago") from None
            if text.startswith("OTHERSTORE"):
                raise self._renamed() from None
            if isinstance(error, ReadOnlyError):
                # After a failover the same address leads to the new master: with new connections only.
                self.redis.connection_pool.disconnect()
            raise SSOError(_code(error, text), f"{self.place}: {type(error).__name__}: {text[:200]}") from error


class _Forgotten(SSOError):
    """Redis doesn't know the store; nothing of the step has been done."""


def _greet(connection: Any) -> None:
    """A connection's beginning, and no reading from a replica: it may not have heard of the last sign-outs."""
    connection.on_connect()
    connection.send_command("INFO", "replication")
    if "role:slave" in str(connection.read_response()):
        raise ReadOnlyError("READONLY this server is a replica: name its master in SSO_STORE")


def _code(error: Exception, text: str) -> str:
    if isinstance(error, ReadOnlyError | OutOfMemoryError | NoPermissionError):
        return "store_not_writable"
    if text.startswith(("READONLY", "OOM", "MISCONF", "NOREPLICAS", "NOPERM")):
        return "store_not_writable"
    if isinstance(error, BusyLoadingError | TookTooLong) or text.startswith(("BUSY", "LOADING", "No connection avail")):
        return "store_busy"
    return "store_failed"


@cache
def _load(name: str) -> tuple[str, str]:
    """The script `redis_scripts/<name>.lua` with the parts that its first line names in front, and its SHA-1.

    SHA-1 is how Redis names scripts; nothing rests on its strength.
    """
    body = (_FOLDER / f"{name}.lua").read_text(encoding="utf-8")
    first = body.partition("\n")[0]
    shared = first.removeprefix(_USES).split() if first.startswith(_USES) else []
    source = "\n".join([*((_FOLDER / f"_{part}.lua").read_text(encoding="utf-8") for part in shared), body])
    return source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
