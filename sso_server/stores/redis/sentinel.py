"""Who the master is, asked of the sentinels whenever a connection is opened.

One that doesn't answer is passed over, and asked last from then on.
"""

from __future__ import annotations

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from sso_server.stores.redis.address import Address, Host
from sso_server.stores.redis.line import Line, ask_once, connect

_MOST_S = 0.5
"""How long one sentinel may take: a silent one and the master together about a second."""


class Sentinels:
    """Of one service."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._order = address.hosts

    def open_line(self) -> Line:
        """To the master of now. Raises RedisError or OSError."""
        address = self._address
        line = Line(connect(self.find_master(), address.options, tls=address.tls), address.timeout_s)
        if line.role not in ("master", ""):
            # Between the promotion of another and the moment when every sentinel knows of it.
            line.close()
            raise RedisConnectionError("a sentinel named a server that is a replica")
        return line

    def find_master(self) -> Host:
        """What the first sentinel that answers says. Raises RedisError."""
        limit = min(_MOST_S, self._address.timeout_s)
        options = self._address.sentinel_options | {"socket_timeout": limit, "socket_connect_timeout": limit}
        ask = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._address.service)
        said = ""
        for host in self._order:
            try:
                (reply,) = ask_once(connect(host, options, tls=self._address.tls), limit, [ask])
            except (RedisError, OSError) as error:
                said = f"{type(error).__name__}: {error}"
                self._order = (*(h for h in self._order if h != host), host)
                continue
            if isinstance(reply, list) and len(reply) == 2:
                return str(reply[0]), int(reply[1])
            said = str(reply) if isinstance(reply, Exception) else "it knows no such service"
        raise RedisConnectionError(f"no sentinel names a master; the last one asked: {said}")
