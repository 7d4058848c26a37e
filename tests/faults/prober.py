"""Visitors: ten times a second, some of the people whose sessions are about to end, or have just ended, open a page at
every host with the SDK. The host itself writes down when it let somebody through.
"""

import contextlib
import threading
import time
from collections.abc import Callable

import requests

from tests.faults.plan import Planned
from tests.faults.sites import LEASE_S
from tests.faults.world import Host, World

_STEP_S = 0.1
_AT_ONCE = 12
#: Where the network is cut, nothing but the lease ends a session: there more of them are watched.
_AT_ONCE_WHERE_CUT = 48
#: How long after an end its people are watched: until a lease must have run out, and some time on.
_WATCH_S = LEASE_S + 4


class Probers:
    """A thread for each host with the SDK."""

    def __init__(self, world: World, sessions: list[Planned], end_time: Callable[[Planned], float]) -> None:
        self._stop = threading.Event()
        self._end_time = end_time
        self._threads = [
            threading.Thread(target=self._run, args=(host, sessions), name=f"visitors of {host.name}")
            for host in world.hosts.values()
            if host.kind.sdk
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _run(self, host: Host, sessions: list[Planned]) -> None:
        with requests.Session() as http:
            url = f"http://127.0.0.1:{host.config.port}/probe"
            while not self._stop.wait(_STEP_S):
                wanted = self._wanted(host, sessions)
                with contextlib.suppress(requests.RequestException):
                    http.post(url, json=wanted, timeout=15)

    def _wanted(self, host: Host, sessions: list[Planned]) -> list[dict[str, object]]:
        now = time.time()
        near = [p for p in sessions if p.ends and host.name in p.cookies and -_WATCH_S < self._end_time(p) - now < 2]
        most = _AT_ONCE_WHERE_CUT if host.kind.fault == "wire:both" else _AT_ONCE
        every = max(1, len(near) // most)
        watched = [p for p in near if p.number % every == 0][:most]
        # Somebody is always there, so that the host checks in.
        watched += [p for p in sessions if not p.ends and host.name in p.cookies][:2]
        return [
            # A visitor would keep a session from ending as idle.
            {"cookie": p.cookies[host.name], "activity": p.reason != "idle"}
            for p in watched
        ]
