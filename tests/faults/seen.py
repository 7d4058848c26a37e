"""Whether what was planned to go wrong did: calls that each site spoiled, connections that each cut wire swallowed,
points at which somebody died. Zeros in the table of a run in which nothing happened would prove nothing.
"""

import contextlib
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tests.faults.reckoning import Reckoning
from tests.faults.world import Host, World

#: A fault lasts until it has spoiled so many calls, also past its time.
ENOUGH = 3
_ERRORS = {"drop": "reset", "hang": "timeout", "drip": "timeout", "late": "timeout", "stop": "timeout"}
WIRE = "wire"


class Calls:
    """Answers of sites by (client, error), from the delivery process's log as it grows; `ok` is an error too here."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._read = 0
        self._counted: Counter[tuple[str, str]] = Counter()

    def counted(self) -> Counter[tuple[str, str]]:
        """Up to the last whole line."""
        with contextlib.suppress(FileNotFoundError), self._log.open("rb") as file:
            file.seek(self._read)
            whole = file.read().rpartition(b"\n")[0]
            self._read += len(whole) + 1 if whole else 0
            for line in whole.splitlines():
                # What a killed process wrote last may be half a line, with its successor's first behind it.
                with contextlib.suppress(ValueError, KeyError):
                    entry = json.loads(line)
                    if entry["event"] == "notification_sent":
                        self._counted[entry["client_id"], entry["error"].partition("/")[0] or "ok"] += 1
        return self._counted


def shows_as(host: Host) -> str:
    """What this host's fault looks like to the delivery process; `wire`: to the wire alone; empty: there is none."""
    fault = host.kind.fault
    if host.kind.clock_off_ms and not host.kind.clock_slow:
        return "http_400"
    return WIRE if fault.startswith("wire") else f"http_{fault}" if fault.isdigit() else _ERRORS.get(fault, "")


def spoiled(host: Host, calls: Calls) -> int:
    """How often the host's fault has been met so far."""
    how = shows_as(host)
    if how == WIRE:
        # Cut both ways, the quieter one counts.
        return min(wire.swallowed for wire in (host.way_in, host.way_out) if wire is not None)
    return calls.counted()[host.kind.client_id, how]


def never_happened(world: World, calls: Calls, *, faults: bool, hour: bool) -> list[str]:
    """A sentence for each site that was to go wrong and never did."""
    found = []
    for host in world.hosts.values():
        how = shows_as(host)
        if faults and how and not spoiled(host, calls):
            found.append(f"{host.name}: {host.kind.what}: no call met it ({how})")
        if hour and host.kind.down and not calls.counted()[host.kind.client_id, "connect"]:
            found.append(f"{host.name}: {host.kind.what}: nobody called it in that hour")
    return found


def never_died(planned: Iterable[str], killed_at: Iterable[str]) -> list[str]:
    """A sentence for each named point at which nobody died."""
    return [f"kill -9 at {name}: nobody came by" for name in sorted(set(planned) - set(killed_at))]


def never_watched(world: World, reckoning: Reckoning) -> list[str]:
    """A sentence for each thing that was to be looked at from outside, and never was."""
    found = []
    if any(host.kind.sdk for host in world.hosts.values()) and not reckoning.watched:
        found.append("visitors at sites with the SDK: none was let through")
    for what, (done, planned) in reckoning.visits_over_http.items():
        if 2 * done < planned:
            found.append(f"sign-ins over HTTP at sites {what} SDK: {done} of {planned}")
    return found
