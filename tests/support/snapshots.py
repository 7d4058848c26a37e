"""Backups of a place (in SQLite, or a Redis of any kind), and putting them back under everybody who works with it."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.support.engines import Place


class Snapshot:
    """What the place holds now. `restore()` puts it back; everything since is lost."""

    def __init__(self, place: Place, directory: Path) -> None:
        self._place = place
        if place.engine != "sqlite":
            with _redis(place) as connection:
                names = list(connection.scan_iter(f"{place.prefix}:*", count=1000))
                self._keys = [(name, connection.pttl(name), connection.dump(name)) for name in names]
        else:
            self._file = directory / f"snapshot-{len(list(directory.glob('snapshot-*')))}.db"
            _copy(_path(place), self._file)

    def restore(self) -> None:
        """Go back in time."""
        if self._place.engine == "sqlite":
            _copy(self._file, _path(self._place))
            return
        with _redis(self._place) as connection:
            for name in connection.scan_iter(f"{self._place.prefix}:*", count=1000):
                connection.delete(name)
            for name, life, value in self._keys:
                connection.restore(name, max(life, 0), value)


def _path(place: Place) -> Path:
    return Path(place.url.removeprefix("sqlite:///"))


def _copy(source: Path, target: Path) -> None:
    # SQLite's own backup: it locks, so that it may overwrite a file that others have open.
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def _redis(place: Place) -> Any:
    import redis
    from redis.cluster import ClusterNode, RedisCluster
    from redis.sentinel import Sentinel

    if place.engine == "redis":
        return redis.Redis.from_url(place.url, socket_timeout=5)
    parts = urlsplit(place.url)
    servers = [(host, int(port)) for host, _, port in (each.partition(":") for each in parts.netloc.split(","))]
    if place.engine == "sentinel":
        found = Sentinel(servers, socket_timeout=5)
        return found.master_for(parts.path.split("/")[1], socket_timeout=5)
    return RedisCluster(startup_nodes=[ClusterNode(*server) for server in servers], socket_timeout=5)
