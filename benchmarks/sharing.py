"""How kept connections come to be shared among a node's web processes: `python -m benchmarks.sharing [--times N]`.

Eight callers connect at once and go on asking; who has how many of them is counted while they do.
"""

from __future__ import annotations

import argparse
import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from benchmarks.bed import machine, percentile, table
from benchmarks.given import WEB_SERVERS, has_web_server
from benchmarks.load import Load, Operation, request
from benchmarks.lockstep_server import LockstepServer

_CONNECTIONS = 8
_REQUESTS = 80

Share = tuple[int, ...]
"""The connections of each process, the most first."""


def measure(web_server: str, times: int, *, kept: bool = True) -> Iterator[tuple[Share, float]]:
    """Each time: who had how many once all had been answered some times, and answers a second. `kept`: else each
    request has a connection of its own, as from a proxy that keeps none."""
    server = LockstepServer(web_server=web_server, store="sqlite")
    server.start()
    try:
        for _ in range(times):
            callers = _Callers(server, kept)
            begun = perf_counter()
            Load(server.address).play(callers.ask() for _ in range(_CONNECTIONS))
            yield callers.share, callers.answered / (perf_counter() - begun)
    finally:
        server.stop()


@dataclass(slots=True)
class _Callers:
    """Those of one time."""

    server: LockstepServer
    kept: bool
    share: Share = ()
    answered: int = 0

    def ask(self) -> Operation[None]:
        """Until there is a share, and some times in all."""
        own, headers = 0, {} if self.kept else {"Connection": "close"}
        while own < _REQUESTS or (self.kept and not self.share):
            answer = yield request("GET", "/healthz", f"127.0.0.1:{self.server.address[1]}", headers=headers)
            answer.must(answer.status == 200, "a health check")
            own, self.answered = own + 1, self.answered + 1
            if self.kept and not self.share and self.answered >= _CONNECTIONS * _REQUESTS // 2:
                taken = _taken(self.server.address[1])
                counts = (len(taken & _sockets(pid)) for pid in self.server.processes()["web"])
                self.share = tuple(sorted(filter(None, counts), reverse=True))


def _taken(port: int) -> set[str]:
    """The connections of this port's server, each by the number of its socket (proc(5), net/tcp)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    established = "01"
    return {f"socket:[{row[9]}]" for row in rows if row[1].endswith(f":{port:04X}") and row[3] == established}


def _sockets(pid: int) -> set[str]:
    links = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            links.add(str(link.readlink()))
    return links


def main() -> None:
    """A line for each share that came up."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sharing", description=__doc__)
    parser.add_argument("--times", type=int, default=30)
    times = parser.parse_args().times
    print(machine())
    rows = []
    for web_server in filter(has_web_server, WEB_SERVERS):
        found = list(measure(web_server, times))
        for share, count in sorted(Counter(share for share, _ in found).items()):
            rate = percentile([rate for each, rate in found if each == share], 50)
            rows.append([web_server, " + ".join(map(str, share)), str(count), f"{rate:.0f}"])
    again = []
    for web_server in filter(has_web_server, WEB_SERVERS):
        rates = [rate for _, rate in measure(web_server, times, kept=False)]
        again.append([web_server, *(f"{percentile(rates, percent):.0f}" for percent in (50, 0, 100))])
    table("Eight connections", ["web server", "connections of each process", "times", "answers a second"], rows)
    table("A connection for each request, answers a second", ["web server", "median", "least", "most"], again)


if __name__ == "__main__":
    main()
