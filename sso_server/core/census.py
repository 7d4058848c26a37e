"""What a store of sessions can count without going through it: how many, and since when."""

from __future__ import annotations

from sso_server.core.records import record


@record
class Counted:
    """As of one moment, roughly: the parts are counted one after the other. Times in ms."""

    live: int
    """Sessions that are not ended."""
    due: int
    """Notifications that somebody waits for, to be sent now."""
    due_bulk: int
    """The same of mass ends and deadlines."""
    later: int
    """To be sent later: between two attempts, or in the hands of a worker."""
    later_bulk: int
    when_asked: int
    """Only told when their site asks, at a check-in or by a poll."""
    to_archive: int
    """Final, on their way to the audit."""
    oldest_unfinished: int | None
    """When the session ended whose notification is unfinished for the longest."""


@record
class Findings:
    """What one count of the delivery process found out. Times in ms."""

    counted: Counted
    lag: int
    """How long the oldest due session has waited for the sweeper."""
    due_since: int
    """How long the notification that is due for the longest waits for a worker; 0: none is due."""
    due_since_bulk: int
    is_restoring: bool
    differences: dict[str, int]
    """How far this node's clock is from each store's, by the store's name."""
