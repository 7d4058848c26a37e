"""Which server serves which key: one server for all, or the masters of a cluster (cluster.py)."""

from __future__ import annotations

from typing import Protocol

from redis.crc import key_slot
from redis.exceptions import ClusterDownError, MovedError

from sso_server.core.records import record
from sso_server.stores.redis.servers import Server


@record
class View:
    """The masters, and which of them serves each slot; without a cluster one that serves everything."""

    masters: tuple[Server, ...]
    owners: tuple[Server | None, ...] = ()

    def of(self, key: str) -> Server:
        """Who serves this key. Raises ClusterDownError if nobody does."""
        if not self.owners:
            return self.masters[0]
        if not key:
            raise ValueError("a call without a key must be told which server it is for")
        slot = key_slot(key.encode("utf-8", "replace"))
        owner = self.owners[slot]
        if owner is None:
            raise ClusterDownError(f"no master serves slot {slot}")
        return owner


class Topology(Protocol):
    """Which server serves what. Its methods raise RedisError."""

    @property
    def is_cluster(self) -> bool:
        """Whether there may be several masters."""

    def view(self) -> View:
        """As it is known now."""

    def moved(self, view: View, error: MovedError) -> View:
        """A server doesn't serve what this view says: the view after another look."""

    def failed(self, view: View | None, server: Server) -> None:
        """It couldn't be asked, or isn't what it was: look again before the next call, unless there is another view
        than this one already."""

    def close(self) -> None:
        """Close all connections that nobody uses."""


class One:
    """One server: the only one, whoever is the master under Sentinel, or one of a cluster's alone."""

    is_cluster = False

    def __init__(self, server: Server, of: Topology | None = None) -> None:
        self.server = server
        self._view = View((server,))
        self._of = of

    def view(self) -> View:
        """See Topology."""
        return self._view

    def moved(self, view: View, error: MovedError) -> View:
        """See Topology. There is nowhere else to go."""
        raise error

    def failed(self, view: View | None, server: Server) -> None:
        """See Topology."""
        if self._of is not None:
            self._of.failed(None, server)

    def close(self) -> None:
        """See Topology."""
        self.server.distrust()
