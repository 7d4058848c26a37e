"""What is done to the sites and to the processes, and when: windows of faults, and points at which somebody dies."""

import signal
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults import plan
from tests.faults.seen import ENOUGH, Calls, spoiled
from tests.faults.site_server import behave
from tests.faults.world import Host, World


@dataclass(frozen=True)
class Event:
    """`at` is a share of the first part."""

    at: float
    do: Callable[[], object]
    ready: Callable[[], bool] = lambda: True
    """It waits for this, too: a fault that nobody has met yet goes on."""


def events(world: World, points: list[str], calls: Calls) -> list[Event]:
    """In order. Points are armed one after the other."""
    found: list[Event] = []
    for host in world.hosts.values():

        def was_met(host: Host = host) -> bool:
            return spoiled(host, calls) >= ENOUGH

        for begin, end in host.kind.windows if host.kind.fault else ():
            found.append(Event(begin, lambda host=host: begin_fault(world, host)))
            if not host.kind.refuses:
                found.append(Event(end, lambda host=host: end_fault(world, host), was_met))
        if host.kind.clock_off_ms and not host.kind.clock_slow:
            found.append(Event(host.kind.windows[-1][1], (host.directory / "clock-mended").touch, was_met))
    # Processes die in the first half, sites hang in the second: else no call would live long enough to time out.
    for i, point in enumerate(points):
        # In a short run everybody signs in at its beginning.
        first = point.startswith(("web.open", "web.redeem")) and point not in points[:i]
        at = 0.0 if first else 0.03 + 0.52 * i / max(1, len(points))
        found.append(Event(at, lambda point=point: world.points.arm(point)))
    if points:
        # All of the web side at once, in the middle of everything.
        found.append(Event(0.47, lambda: world.keeper.kill("web")))
    return sorted(found, key=lambda event: event.at)


def begin_fault(world: World, host: Host) -> None:
    """The host's fault, whatever it is."""
    fault = host.kind.fault
    if fault == "stop":
        world.keeper.signal(host.name, signal.SIGSTOP)
    elif fault.startswith("wire:"):
        # Silently for one half of them, loudly for the other.
        how = "refuse" if fault == "wire:in" else "hole"
        for wire in (host.way_in, host.way_out):
            if wire is not None:
                wire.cut(how)
    else:
        behave(host.directory, do=fault, share=host.kind.share)


def end_fault(world: World, host: Host) -> None:
    """As if it had never been."""
    fault = host.kind.fault
    if fault == "stop":
        world.keeper.signal(host.name, signal.SIGCONT)
    elif fault.startswith("wire:"):
        for wire in (host.way_in, host.way_out):
            if wire is not None:
                wire.mend()
    else:
        behave(host.directory, do="ok")


def chosen_points(world: World, count: int) -> list[str]:
    """So many deaths: fewer than there are points are spread over the list, more go round again."""
    found = plan.points(world.kinds)
    if count >= len(found):
        return [found[i % len(found)] for i in range(count)]
    return [found[i * len(found) // count] for i in range(count)]
