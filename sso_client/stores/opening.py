"""Which local store a site's settings mean: a SQLite file, or a Redis that several hosts share."""

import hashlib
import re
from pathlib import Path

from sso_client.clock import Clock, SystemClock
from sso_client.settings import Settings
from sso_client.stores import LocalStore
from sso_client.stores.sqlite import open_sqlite_store


def open_store(settings: Settings, folder: Path, clock: Clock | None = None) -> LocalStore:
    """Open the store that `settings.store` names; without one, the client's own file in `folder`.

    Raises SSOError `store_...` if local sessions can't be kept there.
    """
    if settings.store is not None and settings.store.startswith(("redis://", "rediss://")):
        from sso_client.stores.redis import open_redis_store

        return open_redis_store(
            settings.store,
            issuer=settings.issuer,
            client_id=settings.client_id,
            clock=clock or SystemClock(),
            ca_file=settings.ca_file,
        )
    return open_sqlite_store(sqlite_path(settings, folder), issuer=settings.issuer, client_id=settings.client_id)


def sqlite_path(settings: Settings, folder: Path) -> Path:
    """Where the client's file lies: as set, or in `folder` under a name that no other client or issuer's file has.

    So a start with a wrong SSO_ISSUER leaves a file of its own behind and nothing in the way of the right one.
    """
    if settings.store is not None:
        return Path(settings.store.removeprefix("sqlite:///"))
    slug = re.sub(r"[^A-Za-z0-9_.-]", "_", settings.client_id)
    whose = hashlib.sha256(f"{settings.issuer}\n{settings.client_id}".encode()).hexdigest()[:8]
    return folder / f"sso-{slug}-{whose}.sqlite3"
