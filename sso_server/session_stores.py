"""Where sessions, tickets and the ledger live: in Redis, if the settings name one, else in the database."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import TYPE_CHECKING

from sso_server.config import ConfigError, Settings
from sso_server.stores.sql import SqlStores

if TYPE_CHECKING:
    from sso_server.stores.redis import RedisStores


def open_session_stores(
    settings: Settings, sql: SqlStores, *, fence: Callable[[str], bool] | None = None
) -> SqlStores | RedisStores:
    """`sql` itself, or Redis behind the fence, if one is given. Raises ConfigError."""
    url = settings.redis_url.get_secret_value()
    if not url:
        return sql
    if importlib.util.find_spec("redis") is None:
        raise ConfigError(["SSO_REDIS_URL: the redis client is not installed; install lockstep-sso[server,redis]."])
    from sso_server.stores.redis import RedisStores

    try:
        return RedisStores.open(url, fence=fence, replicas=settings.redis_replicas)
    except ValueError as error:
        raise ConfigError([str(error)]) from None
