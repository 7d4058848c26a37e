"""The event log: what happened to whom, in plain words, for people and for the log file.

A full disk must not turn a finished step into a failed one: an event that can't be kept is only logged.
"""

import logging

from sso_client.clock import Clock
from sso_client.errors import SSOError
from sso_client.records import Event
from sso_client.stores import EventLog
from sso_client.waiting import Waiting

log = logging.getLogger("sso_client")


class Events:
    """Writes each event to the store's log and to the logger `sso_client`."""

    def __init__(self, kept: EventLog, clock: Clock, waiting: Waiting) -> None:
        self._kept = kept
        self._clock = clock
        self._waiting = waiting

    async def tell(
        self, kind: str, text: str, sid: str | None = None, after_ms: int | None = None, level: int = logging.INFO
    ) -> None:
        """One event, now. `after_ms` is the time since the click that caused it."""
        log.log(level, "%s [%s]%s", text, kind, f" sid={sid}" if sid else "")
        try:
            await self._waiting.step(self._kept.record, Event(self._clock.wall_ms(), kind, text, sid, after_ms))
        except SSOError as error:
            log.warning("event not kept: %s", error)

    async def recent(self, limit: int = 50) -> list[Event]:
        """The last events, newest first."""
        return await self._waiting.step(self._kept.recent, limit)


def since(ended_at_ms: int | None, now_ms: int) -> tuple[str, int | None]:
    """`, 31 ms after the click` and the number; nothing when the clocks disagree or the moment is unknown."""
    if ended_at_ms is None or now_ms < ended_at_ms:
        return "", None
    gap = now_ms - ended_at_ms
    words = f"{gap} ms" if gap < 10_000 else f"{gap // 1000} s"
    return f", {words} after the click", gap
