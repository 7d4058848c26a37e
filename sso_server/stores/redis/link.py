"""The link to Redis: one server, a service under Sentinel, or a cluster. Explicit time-outs, no hidden retries, the
core's errors, several calls in one round trip.

A call fails after about one second and the caller decides. Nothing is repeated by itself, because a step that timed
out may have been done; only what a server refused without doing it (an unknown script, a slot that it doesn't serve) is
sent once more.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from redis.exceptions import (
    AskError,
    ClusterDownError,
    MovedError,
    NoScriptError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError

from sso_server.core.errors import Unavailable
from sso_server.stores.redis.address import Address, parse
from sso_server.stores.redis.calls import Call, command, step
from sso_server.stores.redis.cluster import Cluster
from sso_server.stores.redis.exchange import ServerFailed, ask, exchange
from sso_server.stores.redis.line import Line, connect
from sso_server.stores.redis.sentinel import Sentinels
from sso_server.stores.redis.servers import Fence, Refused, Server
from sso_server.stores.redis.topology import One, Topology, View
from sso_server.stores.redis.wire import Words

__all__ = ["Call", "Link", "command", "step"]


class Link:
    """Sends calls. Thread-safe and safe to use after a fork; connections are opened when needed."""

    def __init__(self, redis_url: str, fence: Fence | None = None, replicas: int = 0) -> None:
        """Connects to nothing yet. Calls are sent only to servers whose incarnation the fence admits, and a step that
        writes is answered when so many replicas have it. Raises ValueError for an address that can't be used."""
        address = parse(redis_url)
        self._topology = _topology(address)
        self._fence = fence
        self.replicas = replicas
        self.name = ""
        """Of the one master of a cluster that this link leads to: for people."""
        # Its answer must come before the server counts as silent.
        self._confirm_ms = int(address.timeout_s * 700)

    def send(self, call: Call) -> Any:
        """The reply, in one round trip. Raises Unavailable."""
        return self.send_all([call])[0]

    def send_all(self, calls: Sequence[Call], *, one_view: bool = False) -> list[Any]:
        """The replies, in one round trip: a pipeline for each server, without MULTI, done in this order there; written
        to all servers before any answer is read. Unavailable if any failed, and with `one_view` if a server doesn't
        serve any more what it was asked for."""
        return self._send(calls, [call.words for call in calls], one_view) if calls else []

    def send_in_order(self, calls: Sequence[Call]) -> list[Any]:
        """The same for calls that rely on those before them: none is done unless the ones before it have reached their
        server. One round trip on one server; on a cluster one for each call."""
        if not self._topology.is_cluster:
            # Their text: a script that the server has forgotten would be done after those behind it.
            words = [*(call.by_source() for call in calls[:-1]), *(call.words for call in calls[-1:])]
            return self._send(calls, words, one_view=False)
        return [self.send(call) for call in calls]

    def by_server(self, keys: Sequence[str]) -> list[list[str]]:
        """The keys by the master that serves them now; one group unless it is a cluster. Raises Unavailable."""
        if not self._topology.is_cluster:
            return [list(keys)]
        with _outages_named():
            view = self._topology.view()
            groups: dict[str, list[str]] = {}
            for key in keys:
                groups.setdefault(view.of(key).name, []).append(key)
            return list(groups.values())

    def masters(self) -> list[Link]:
        """A link to each master alone, for calls without a key. Raises Unavailable."""
        with _outages_named():
            view = self._topology.view()
            return [
                self._with(_topology=One(server, self._topology), name=server.name if self.is_cluster else "")
                for server in view.masters
            ]

    def unfenced(self) -> Link:
        """The same connections without the fence."""
        return self._with(_fence=None)

    def of_one_life(self) -> Link:
        """The same connections, for what makes sense only as long as it is the same life of the same server (one) that
        answers; Unavailable from the moment when another does."""
        seen: list[str] = []
        admits = self._fence

        def is_the_first(incarnation: str) -> bool:
            if admits is not None and not admits(incarnation):
                return False
            seen.append(incarnation)
            return incarnation == seen[0]

        return self._with(_fence=is_the_first)

    @property
    def is_cluster(self) -> bool:
        """Whether there may be several masters."""
        return self._topology.is_cluster

    def close(self) -> None:
        """Close all connections."""
        self._topology.close()

    def _with(self, **changes: Any) -> Link:
        other = copy.copy(self)
        for name, value in changes.items():
            setattr(other, name, value)
        return other

    def _send(self, calls: Sequence[Call], words: Sequence[Words], one_view: bool) -> list[Any]:
        try:
            view = self._topology.view()
            replies, is_confirmed = self._exchange(view, calls, words)
            if is_confirmed and not any(isinstance(reply, Exception) for reply in replies):
                return replies
            again = [i for i, reply in enumerate(replies) if isinstance(reply, (NoScriptError, MovedError))]
            for moved in (reply for reply in replies if isinstance(reply, MovedError)):
                view = self._topology.moved(view, moved)
                if one_view:
                    raise moved
                break
            if again:
                # A restarted server has forgotten its scripts; another master may never have heard of them.
                sources = [calls[i].by_source() for i in again]
                more, is_confirmed_too = self._exchange(view, [calls[i] for i in again], sources)
                is_confirmed = is_confirmed and is_confirmed_too
                for i, reply in zip(again, more, strict=True):
                    replies[i] = reply
            for reply in replies:
                if isinstance(reply, Exception):
                    raise reply
            if not is_confirmed:
                raise Unavailable(detail=f"Redis: done, and not confirmed by {self.replicas} replicas")
        except (RedisError, OSError) as error:
            _name(error)
        return replies

    def _exchange(self, view: View, calls: Sequence[Call], words: Sequence[Words]) -> tuple[list[Any], bool]:
        """The replies, errors among them, and whether enough replicas have what was written."""
        if not view.owners:
            return self._exchange_with(view, calls, words)
        places: dict[Server, list[int]] = {}
        for i, call in enumerate(calls):
            places.setdefault(view.of(call.key), []).append(i)
        batches = {server: [words[i] for i in indexes] for server, indexes in places.items()}
        waiting = [s for s, indexes in places.items() if self.replicas and any(calls[i].writes for i in indexes)]
        for server in waiting:
            batches[server].append(("WAIT", self.replicas, self._confirm_ms))
        try:
            answers = exchange(batches, self._fence)
        except ServerFailed as failed:
            self._give_up(view, failed)
        confirmed = [answers[server].pop() for server in waiting]
        replies: list[Any] = [None] * len(calls)
        for server, indexes in places.items():
            for i, reply in zip(indexes, answers[server], strict=True):
                replies[i] = reply
            if any(map(_says_not_here, answers[server])):
                self._topology.failed(view, server)
                server.distrust()
        return replies, self._are_enough(confirmed)

    def _exchange_with(self, view: View, calls: Sequence[Call], words: Sequence[Words]) -> tuple[list[Any], bool]:
        """The same where one server serves everything."""
        (server,) = view.masters
        waits = self.replicas > 0 and any(call.writes for call in calls)
        try:
            replies = ask(server, [*words, ("WAIT", self.replicas, self._confirm_ms)] if waits else words, self._fence)
        except ServerFailed as failed:
            self._give_up(view, failed)
        confirmed = [replies.pop()] if waits else []
        if any(isinstance(reply, Exception) and _says_not_here(reply) for reply in replies):
            self._topology.failed(view, server)
            server.distrust()
        return replies, self._are_enough(confirmed)

    def _give_up(self, view: View, failed: ServerFailed) -> NoReturn:
        self._topology.failed(view, failed.server)
        if not isinstance(failed.cause, Refused):
            failed.server.distrust()
        raise _naming(failed) from None

    def _are_enough(self, confirmed: Sequence[Any]) -> bool:
        for reply in confirmed:
            if isinstance(reply, Exception):
                raise reply
        return all(int(reply) >= self.replicas for reply in confirmed)


def _topology(address: Address) -> Topology:
    # Made, never connected: what redis-py makes of the options is known at once.
    connect(address.hosts[0] if address.hosts else None, address.options, tls=address.tls)
    if address.kind == "cluster":
        return Cluster(address)
    if address.kind == "sentinel":
        open_line = Sentinels(address).open_line
    else:
        host = address.hosts[0] if address.hosts else None

        def open_line() -> Line:
            line = Line(connect(host, address.options, tls=address.tls), address.timeout_s)
            if line.is_of_cluster:
                # It would answer, be ready, and be "not now" for most people.
                line.close()
                raise RedisConnectionError("it is a node of a cluster: SSO_REDIS_URL must be redis+cluster://...")
            return line

    return One(Server("", open_line, address.connections, address.wait_s, address.idle_s))


def _naming(failed: ServerFailed) -> Exception:
    """Which of several it was: of one that hangs the cause says no more than that time is over."""
    name, cause = failed.server.name, failed.cause
    if not name or isinstance(cause, (Unavailable, ResponseError)):
        return cause
    return Unavailable(detail=f"Redis ({name}): {type(cause).__name__}: {str(cause)[:200]}")


def _says_not_here(reply: Any) -> bool:
    """A replica by now, or a cluster that has lost too many."""
    return isinstance(reply, (ReadOnlyError, ClusterDownError)) or (
        isinstance(reply, ResponseError) and "READONLY" in str(reply)
    )


@contextmanager
def _outages_named() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        _name(error)


def _name(error: RedisError | OSError) -> NoReturn:
    """Away, too slow, loading, read-only, full, or a broken value under one of our keys: all mean "not now"."""
    if isinstance(error, MovedError):
        words = "its slots are with other servers since a moment ago, or this is a cluster (redis+cluster://)"
        raise Unavailable(detail=f"Redis: {words}") from error
    if isinstance(error, AskError):
        raise Unavailable(detail="Redis: the slot is being moved to another server") from error
    raise Unavailable(detail=f"Redis: {type(error).__name__}: {str(error)[:200]}") from error
