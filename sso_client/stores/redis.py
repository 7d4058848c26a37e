"""The local store in a Redis: for a site on several hosts, whose workers all share one set of local sessions."""

from sso_client.clock import Clock
from sso_client.stores import LocalStore
from sso_client.stores import redis_health as health
from sso_client.stores.redis_journal import RedisJournal
from sso_client.stores.redis_link import RedisLink
from sso_client.stores.redis_sessions import RedisEvents, RedisInbox, RedisSessions
from sso_client.stores.redis_tokens import RedisDenied, RedisPages, RedisTokens


def open_redis_store(url: str, *, issuer: str, client_id: str, clock: Clock, ca_file: str | None = None) -> LocalStore:
    """Open or create the store of one client in the Redis at `url` (redis://, rediss://).

    `clock` tells the hosts apart: each has a lease of its own. `ca_file`: whom to trust for rediss://, instead of the
    public authorities. Raises SSOError `store_failed`, `store_not_writable` (a replica) and others.
    """
    link = RedisLink(url, issuer=issuer, client_id=client_id, clock=clock, ca_file=ca_file)
    store_id = link.prepare()
    health.warn(link)
    return LocalStore(
        store_id=store_id,
        sessions=RedisSessions(link),
        inbox=RedisInbox(link),
        journal=RedisJournal(link),
        events=RedisEvents(link),
        tokens=RedisTokens(link),
        denied=RedisDenied(link),
        pages=RedisPages(link),
        close=link.close,
    )
