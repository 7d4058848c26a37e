"""Where a run's stores live: the engines by name, each with servers of its own, as the settings that name them.

Their servers live through a run; those that die are tests/failover's.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from tests.support.postgres import running_postgres
from tests.support.services import SERVICES, running_redis

_Settings = dict[str, str]


@contextlib.contextmanager
def _redis(directory: Path) -> Iterator[_Settings]:
    directory.mkdir()
    with running_redis(directory) as url:
        yield {"SSO_REDIS_URL": url}


@contextlib.contextmanager
def _postgres(directory: Path) -> Iterator[_Settings]:
    # No process of it dies in a run: it needn't wait for the disk.
    with running_postgres(directory, fast=True) as server:
        yield {"SSO_DATABASE_URL": server.create_database(), "SSO_SECRET_KEY": "the-same-on-every-node-" * 2}


@contextlib.contextmanager
def _cluster(directory: Path) -> Iterator[_Settings]:
    from tests.support.redis_cluster import running_cluster

    with running_cluster(directory) as cluster:
        yield {"SSO_REDIS_URL": cluster.url}


@contextlib.contextmanager
def _sentinel(directory: Path) -> Iterator[_Settings]:
    from tests.support.sentinel import running_sentinel

    with running_sentinel(directory) as found:
        yield {"SSO_REDIS_URL": found.url}


_Part = Callable[[Path], AbstractContextManager[_Settings]]
#: name -> what the table calls it, the markers of what it needs, and its parts
ENGINES: dict[str, tuple[str, tuple[str, ...], tuple[_Part, ...]]] = {
    "sqlite": ("SQLite", (), ()),
    "redis": ("Redis", ("redis",), (_redis,)),
    "postgres": ("PostgreSQL", ("postgres",), (_postgres,)),
    "cluster": ("PostgreSQL and Redis Cluster", ("postgres", "redis"), (_postgres, _cluster)),
    "sentinel": ("PostgreSQL and Redis under Sentinel", ("postgres", "redis"), (_postgres, _sentinel)),
}


def title(engine: str) -> str:
    """For people."""
    return ENGINES[engine][0]


def missing(engine: str) -> str:
    """What isn't installed of what it needs; empty: nothing."""
    return next((sentence for find, sentence in map(SERVICES.__getitem__, ENGINES[engine][1]) if find() is None), "")


@contextlib.contextmanager
def running(engine: str, directory: Path) -> Iterator[_Settings]:
    """Its servers, for as long as the block lasts; the settings of a centre that lives on them."""
    with ExitStack() as stack:
        settings: _Settings = {}
        for part in ENGINES[engine][2]:
            settings |= stack.enter_context(part(directory / part.__name__.strip("_")))
        yield settings
