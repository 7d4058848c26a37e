"""The session side of the centre on Redis: every session-side port of the core, one Lua script per step.

Accounts, clients, keys and the audit stay in SQL. The layout is that of a Redis Cluster (docs/redis.md), on one Redis
and under Sentinel as well.
"""

from __future__ import annotations

from collections.abc import Callable

from sso_server.stores.redis.census import RedisCensus
from sso_server.stores.redis.check_ins import RedisCheckIns
from sso_server.stores.redis.grants_made import RedisGrants
from sso_server.stores.redis.guesses import RedisGuesses
from sso_server.stores.redis.health import RedisHealth
from sso_server.stores.redis.keys import Keys
from sso_server.stores.redis.ledger import RedisArchive, RedisLedger
from sso_server.stores.redis.link import Link
from sso_server.stores.redis.lists import RedisSessionLists
from sso_server.stores.redis.outbox import RedisOutbox
from sso_server.stores.redis.past import RedisPast
from sso_server.stores.redis.polls import RedisPolls
from sso_server.stores.redis.sessions import RedisSessions
from sso_server.stores.redis.slips import RedisSlips
from sso_server.stores.redis.sweeps import RedisSweeps
from sso_server.stores.redis.tickets import RedisTickets
from sso_server.stores.redis.tokens import RedisTokens


class RedisStores:
    """All session-side ports on one Redis."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys
        self.sessions = RedisSessions(link, keys)
        self.lists = RedisSessionLists(link, keys)
        self.sweeps = RedisSweeps(link, keys)
        self.tickets = RedisTickets(link, keys)
        self.tokens = RedisTokens(link, keys)
        self.check_ins = RedisCheckIns(link, keys)
        self.polls = RedisPolls(link, keys)
        self.outbox = RedisOutbox(link, keys)
        self.ledger = RedisLedger(link, keys)
        self.archive = RedisArchive(link, keys)
        self.census = RedisCensus(link, keys)
        self.guesses = RedisGuesses(link, keys)
        self.slips = RedisSlips(link, keys)
        self.grants = RedisGrants(link, keys)
        # Asked before anybody is admitted, and to find out who is not to be.
        self.health = RedisHealth(link.unfenced(), keys)
        self.past = RedisPast(link.unfenced(), keys)

    @classmethod
    def open(
        cls,
        redis_url: str,
        prefix: str = "lockstep",
        *,
        fence: Callable[[str], bool] | None = None,
        replicas: int = 0,
    ) -> RedisStores:
        """Ready to use; connects at the first call. `fence` and `replicas`: see Link. Raises ValueError for an address
        or prefix that can't be used."""
        return cls(Link(redis_url, fence, replicas), Keys(prefix))

    def unfenced(self) -> RedisStores:
        """On the same connections, also to a server that the fence doesn't admit."""
        return RedisStores(self._link.unfenced(), self._keys)

    def close(self) -> None:
        """Close all connections."""
        self._link.close()
