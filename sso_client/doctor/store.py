"""Whether local sessions can be kept where the settings say. No file is made that the site would not own."""

import os
from pathlib import Path

from sso_client.clock import SystemClock
from sso_client.doctor.findings import Finding, ok, problem, unknown, warning
from sso_client.errors import SSOError
from sso_client.identifiers import shown_store
from sso_client.settings import Settings
from sso_client.stores.opening import open_store, sqlite_path

CHECK = "store"
#: Where a site without SSO_STORE keeps its file, as seen from the folder it is started in: Flask, and all others.
DEFAULT_FOLDERS = (Path("instance"), Path("sso-data"))


def look_at_store(settings: Settings) -> tuple[list[Finding], str | None]:
    """What was found, and the store's name if it could be opened."""
    if settings.store is None:
        folders = [folder for folder in DEFAULT_FOLDERS if sqlite_path(settings, folder).exists()]
        # What lies here needn't be what the running site has: nothing is said of that one by it.
        return [_opened(settings, folder)[0] for folder in folders] or [unknown(CHECK, "store_default")], None
    if settings.store.startswith(("redis://", "rediss://")):
        found, store_id = _opened(settings, Path())
        return [found, *(_of_redis(settings, settings.store) if store_id else ())], store_id
    path = sqlite_path(settings, Path())
    if not path.exists():
        # A file made here would belong to whoever runs the doctor, and the site might not be able to write it.
        return [_of_absent_file(path)], None
    found, store_id = _opened(settings, path.parent)
    return [found], store_id


def _opened(settings: Settings, folder: Path) -> tuple[Finding, str | None]:
    """Opening is a write: every kind of store notes whose it is."""
    try:
        store = open_store(settings, folder)
    except SSOError as error:
        return problem(CHECK, error.code, "failed", detail=error.detail), None
    store.close()
    name = store.store_id if settings.cas_url is None else shown_store(store.store_id)
    if settings.store is not None and settings.store.startswith(("redis://", "rediss://")):
        return ok(CHECK, "store_redis", store=name), name
    return ok(CHECK, "store_file", path=str(sqlite_path(settings, folder)), store=name), name


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
        link.check_clock()
    except SSOError as error:
        link.close()
        return [problem(CHECK, error.code, "failed", detail=error.detail)]
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
