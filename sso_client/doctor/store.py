"""Whether local sessions can be kept where the settings say. No file is made that the site would not own."""

import os
from pathlib import Path

from sso_client.clock import SystemClock
from sso_client.doctor.findings import Finding, ok, problem, unknown, warning
from sso_client.errors import SSOError
from sso_client.settings import Settings
from sso_client.stores.opening import open_store

CHECK = "store"


def look_at_store(settings: Settings) -> tuple[list[Finding], str | None]:
    """What was found, and the store's name if it could be opened."""
    if settings.store is None:
        return [unknown(CHECK, "store_default")], None
    in_redis = settings.store.startswith(("redis://", "rediss://"))
    path = settings.store.removeprefix("sqlite:///")
    if not in_redis and not Path(path).exists():
        # A file made here would belong to whoever runs the doctor, and the site might not be able to write it.
        return [_of_absent_file(Path(path))], None
    try:
        # Opening is a write: both kinds note whose store it is.
        store = open_store(settings, Path(path).parent)
    except SSOError as error:
        return [problem(CHECK, error.code, "failed", detail=error.detail)], None
    store_id = store.store_id
    store.close()
    if in_redis:
        return [ok(CHECK, "store_redis", store=store_id), *_of_redis(settings, settings.store)], store_id
    return [ok(CHECK, "store_file", path=path, store=store_id)], store_id


def _of_absent_file(path: Path) -> Finding:
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
        return ok(CHECK, "store_absent", path=str(path))
    return problem(CHECK, "store_not_writable", "folder_not_writable", path=str(folder))


def _of_redis(settings: Settings, url: str) -> list[Finding]:
    """What this server does when its memory is full, and when it stops."""
    from sso_client.stores.redis_health import find_weaknesses
    from sso_client.stores.redis_link import RedisLink

    link = RedisLink(
        url, issuer=settings.issuer, client_id=settings.client_id, clock=SystemClock(), ca_file=settings.ca_file
    )
    try:
        weaknesses = {weakness.kind: weakness.seen for weakness in find_weaknesses(link)}
    except SSOError as error:
        return [unknown("redis memory", "failed", detail=error.detail)]
    finally:
        link.close()
    # What Redis drops by itself is not only a session: the record that one has ended goes the same way.
    evicts, forgets = weaknesses.get("evicts"), weaknesses.get("keeps_nothing")
    return [
        problem("redis memory", "store_evicts", "redis_evicts", said=evicts)
        if evicts
        else ok("redis memory", "redis_full"),
        warning("redis disk", "store_volatile", "redis_forgets", said=forgets)
        if forgets
        else ok("redis disk", "redis_aof"),
    ]
