"""Every lifetime and limit that the core obeys, as one frozen value. `config` fills it; nothing here reads settings."""

from __future__ import annotations

from sso_server.core.records import record

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


@record
class Policy:
    """All durations in milliseconds unless the name says `_s`."""

    issuer: str = "http://127.0.0.1:9000"
    ticket_ms: int = 60 * SECOND
    access_token_ms: int = 5 * MINUTE
    offline_ms: int = 30 * DAY
    idle_ms: int = 8 * HOUR
    absolute_ms: int = 24 * HOUR
    remembered_ms: int = 30 * DAY
    lease_s: int = 60
    grace_s: int = 0
    refresh_grace_ms: int = 60 * SECOND
    cookie_overlap_ms: int = 60 * SECOND
    idle_without_reports: bool = False
    """End a session by idleness although one of its sites can't report activity."""
    require_pushed_requests: bool = False
    """Every client has to push its authorization requests (RFC 9126 section 5)."""
    clock_margin_ms: int = 5 * MINUTE
    """Added to `local_until`: how far a site's clock may run behind ours."""

    @property
    def report_ms(self) -> int:
        """How coarsely activity is reported, at the centre and by sites (design: max(N, idle/10))."""
        return max(self.lease_s * SECOND, self.idle_ms // 10)

    @property
    def idle_allowance_ms(self) -> int:
        """Idle time plus what a report may be late by: the interval itself, the quarter of it within which a store
        notes
        activity only once, and one lease.
        """
        return self.idle_ms + self.report_ms * 5 // 4 + self.lease_s * SECOND
