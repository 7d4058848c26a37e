"""The feed of what APIs must refuse, put together from all buckets. scripts/_denied.lua writes it."""

from __future__ import annotations

from collections.abc import Sequence

from sso_server.core.check_in import StoreReport
from sso_server.core.denials import OVERLAP_US, Denied


def list_denied(
    feeds: Sequence[Sequence[str]], report: StoreReport, now: int, clock_us: int
) -> tuple[tuple[Denied, ...], int, bool]:
    """The entries that this report asks for, where to go on, and whether there are more. Each feed is a bucket's:
    entries and places, alternating, from `denied_from` on and one more than are handed out at once."""
    if report.denied_from is None:
        return (), 0, False
    most = report.most_denied
    entries: list[tuple[int, str, int]] = []
    ends_at: list[int] = []
    for feed in feeds:
        places = [int(float(place)) for place in feed[1::2]]
        if len(places) > most:
            # What this bucket has behind its last one isn't known.
            ends_at.append(places[-1])
        for member, place in zip(feed[::2], places, strict=True):
            name, _, until = member.partition("/")
            entries.append((place, name, int(until)))
    # A place may be later than this clock: of what came since it was read, or by the clock of a master before this one.
    # What has been read is handed out: an API must not take a token because two clocks differ.
    entries = sorted(entry for entry in entries if entry[2] > now)
    if len(entries) > most:
        ends_at.append(entries[most][0])
    denied = tuple(Denied(name, until) for _, name, until in entries[:most])
    if not ends_at:
        return denied, max(0, clock_us - OVERLAP_US), False
    # Nobody goes on past the clock: buckets were read one after the other, of what comes meanwhile some was not seen.
    return denied, min(clock_us, *ends_at), True
