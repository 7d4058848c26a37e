"""Whether local sessions can be kept where the settings say. No file is made that the site would not own."""

import os
from pathlib import Path
from typing import Any

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
        return [ok(CHECK, "store_redis", store=store_id), *_of_redis(settings.store)], store_id
    return [ok(CHECK, "store_file", path=path, store=store_id)], store_id


def _of_absent_file(path: Path) -> Finding:
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if os.access(folder, os.W_OK | os.X_OK):
        return ok(CHECK, "store_absent", path=str(path))
    return problem(CHECK, "store_not_writable", "folder_not_writable", path=str(folder))


def _of_redis(url: str) -> list[Finding]:
    """What this server does when its memory is full, and when it stops. Managed servers may refuse to tell."""
    import redis

    try:
        with redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=2, decode_responses=True) as connection:
            memory: dict[str, Any] = connection.info("memory")
            aof = connection.info("persistence").get("aof_enabled")
            try:
                snapshots = connection.config_get("save").get("save")
            except redis.ResponseError:
                snapshots = None
    except redis.RedisError as error:
        return [unknown("redis", "redis_silent", error=type(error).__name__)]
    return [_of_eviction(str(memory.get("maxmemory_policy", ""))), _of_persistence(bool(aof), snapshots)]


def _of_eviction(policy: str) -> Finding:
    if not policy:
        return unknown("redis memory", "redis_silent", error="maxmemory_policy")
    if policy == "noeviction":
        return ok("redis memory", "redis_policy", policy=policy)
    # What Redis drops by itself is no ended session only: the record that one has ended goes the same way.
    return problem("redis memory", "store_evicts", "redis_policy", policy=policy)


def _of_persistence(aof: bool, snapshots: str | None) -> Finding:
    if aof:
        return ok("redis disk", "redis_aof")
    if snapshots:
        return ok("redis disk", "redis_snapshots", save=snapshots)
    if snapshots is None:
        return unknown("redis disk", "redis_silent", error="save")
    return warning("redis disk", "store_volatile", "redis_no_disk")
