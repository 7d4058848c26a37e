"""Which master of a cluster serves which slot, as the cluster itself says.

The map is read at first use, when a server says MOVED, and after a connection has failed, so that a promoted replica is
found; never more often.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from redis.crc import REDIS_CLUSTER_HASH_SLOTS
from redis.exceptions import ClusterDownError, MovedError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError

from sso_server.stores.redis.address import Address, Host
from sso_server.stores.redis.line import Line, ask_once, connect
from sso_server.stores.redis.servers import Server
from sso_server.stores.redis.topology import View

_MOST_S = 0.5
"""How long one node may take to show its map."""
_ALL_MOST_S = 1.0
_PAUSE_S = 0.1
"""After a failed connection the map isn't read again sooner than this after the last time."""
_SUSPECT_S = 10.0
"""So long after a failure a node is asked after all others."""


class Cluster:
    """Reads the map, keeps the servers. See Topology."""

    is_cluster = True

    def __init__(self, address: Address) -> None:
        self._address = address
        self._begin()

    def view(self) -> View:
        """The map as it is known. Raises RedisError if there is none to be had."""
        if self._pid != os.getpid():
            self._begin()
        view = self._view
        if view is not None and not self._is_stale:
            return view
        return self._read_unless(lambda: self._view is not None and (not self._is_stale or self._has_just_read()))

    def moved(self, view: View, error: MovedError) -> View:
        """A server that this map names doesn't serve a slot any more: the map as it is now."""
        return self._read_unless(lambda: self._view is not view, first=(error.host, error.port))

    def failed(self, view: View | None, server: Server) -> None:
        """See Topology."""
        self._suspects[server.name] = time.monotonic()
        if view is None or self._view is view:
            self._is_stale = True

    def close(self) -> None:
        """Close all connections that nobody uses."""
        for server in self._servers.values():
            server.distrust()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._reading = threading.Lock()
        self._view: View | None = None
        self._is_stale = False
        self._read_at = 0.0
        self._servers: dict[str, Server] = {}
        self._hosts: tuple[Host, ...] = ()
        """All nodes that the last map named, masters first."""
        self._suspects: dict[str, float] = {}

    def _has_just_read(self) -> bool:
        return time.monotonic() - self._read_at < _PAUSE_S

    def _read_unless(self, is_known: Callable[[], bool], first: Host | None = None) -> View:
        if not self._reading.acquire(timeout=_ALL_MOST_S):
            raise RedisConnectionError("the cluster's map is being read, and no node shows it")
        try:
            if self._view is None or not is_known():
                # Not after one that is only looked for: under constant failures it would never be read again.
                self._read_at = time.monotonic()
                self._view = self._read(first)
                self._is_stale = None in self._view.owners
            return self._view
        finally:
            self._reading.release()

    def _read(self, first: Host | None) -> View:
        limit = min(_MOST_S, self._address.timeout_s)
        options = self._address.options | {"socket_timeout": limit, "socket_connect_timeout": limit}
        until, said = time.monotonic() + _ALL_MOST_S, ""
        for host in self._order(first):
            if time.monotonic() > until:
                break
            try:
                asked = [("CLUSTER", "INFO"), ("CLUSTER", "SLOTS")]
                info, slots = ask_once(connect(host, options, tls=self._address.tls), limit, asked)
            except (RedisError, OSError) as error:
                self._suspects[_name(host)] = time.monotonic()
                said = said or f"{type(error).__name__}: {error}"
                continue
            for reply in (info, slots):
                if isinstance(reply, Exception):
                    raise reply
            # A node that most others can't reach goes on showing what it knew.
            if "cluster_state:ok" in info:
                return self._arrange(slots, host)
            said = f"{_name(host)} says that the cluster is down"
        raise ClusterDownError(f"no node of the cluster shows a map; {said}")

    def _order(self, first: Host | None) -> list[Host]:
        known = dict.fromkeys([*([first] if first and first[0] else []), *self._hosts, *self._address.hosts])
        since = time.monotonic() - _SUSPECT_S
        return sorted(known, key=lambda host: self._suspects.get(_name(host), 0.0) > since)

    def _arrange(self, slots: Sequence[Any], asked: Host) -> View:
        owners: list[Server | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        servers: dict[str, Server] = {}
        masters, replicas = dict[Host, None](), dict[Host, None]()
        for first, last, master, *others in slots:
            host = _host(master, asked)
            masters[host] = None
            replicas |= dict.fromkeys(_host(other, asked) for other in others)
            server = servers.setdefault(_name(host), self._servers.get(_name(host)) or self._server(host))
            owners[first : last + 1] = [server] * (last + 1 - first)
        for name, server in self._servers.items():
            if name not in servers:
                # Who comes back as a master may have been a replica in between: nothing of before counts.
                server.distrust()
        self._servers = servers
        self._hosts = tuple(dict.fromkeys([*masters, *replicas]))
        return View(tuple(servers[name] for name in sorted(servers)), tuple(owners))

    def _server(self, host: Host) -> Server:
        a = self._address
        return Server(_name(host), partial(_open_line, a, host), a.connections, a.wait_s, a.idle_s)


def _open_line(address: Address, host: Host) -> Line:
    line = Line(connect(host, address.options, tls=address.tls), address.timeout_s)
    if line.role == "slave":
        line.close()
        raise RedisConnectionError(f"{_name(host)} has become a replica")
    return line


def _name(host: Host) -> str:
    return f"{host[0]}:{host[1]}"


def _host(node: Sequence[Any], asked: Host) -> Host:
    """A node of the map. One that announces no name, or an unknown one, is where it was asked, or at its address."""
    name = node[0]
    if name == "?":
        extra = node[3] if len(node) > 3 else []
        name = dict(zip(extra[::2], extra[1::2], strict=False)).get("ip")
    return str(name or asked[0]), int(node[1])
