"""The suite's delivery process: the product's own, on watched ports, with points around each send, and with a clock
that runs faster where hours have to pass.

Claims last as long as a send may take on a real network. Where the clock runs k times as fast, they last k times as
many of its milliseconds; nothing else is changed for it.
"""

import dataclasses
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from sso_server import config, wiring
from sso_server.core.notifications import CLAIM_MS, SEND_MS
from sso_server.delivery import worker as worker_module
from sso_server.delivery.process import run_delivery
from sso_server.logs import configure_logs
from tests.faults import broken
from tests.faults.centre_ports import replace_stores
from tests.faults.keeper import die_with_parent
from tests.faults.points import Points


class FastClock:
    """`ports.Clock`: the real time until `since`, then `rate` times as fast. Both in ms."""

    def __init__(self, since: int, rate: int) -> None:
        self._since = since
        self._rate = rate

    def now(self) -> int:
        real = time.time_ns() // 1_000_000
        return real + max(0, real - self._since) * (self._rate - 1)


class FastHealth:
    """`ports.StoreHealth` of a store that goes by the same clock; it is still asked whether it can be written."""

    def __init__(self, health: Any, clock: FastClock) -> None:
        self._health = health
        self._clock = clock

    def store_time(self) -> int:
        self._health.store_time()
        return self._clock.now()

    def problems(self) -> list[str]:
        return list(self._health.problems())


class PointedSender:
    """The real sender between two points."""

    def __init__(self, sender: Any, points: Points) -> None:
        self._sender = sender
        self._points = points

    def send(self, *args: Any, **kwargs: Any) -> Any:
        self._points.passed("delivery.send.before")
        answer = self._sender.send(*args, **kwargs)
        self._points.passed("delivery.send.after")
        return answer


def deliver() -> None:
    """Settings as `sso deliver` has them, and `FAULTS_RUN`, `FAULTS_PART`, `FAULTS_FAST` (since:rate)."""
    run, part = Path(os.environ["FAULTS_RUN"]), os.environ.get("FAULTS_PART", "")
    replace_stores(run, "delivery", part)
    settings = config.load()
    configure_logs(settings.log_format)
    built = wiring.build(settings)
    if fast := os.environ.get("FAULTS_FAST", ""):
        since, rate = map(int, fast.split(":"))
        built = _sped_up(built, FastClock(since, rate), rate)
    worker = built.worker()
    worker._sender = PointedSender(broken.sender(part, worker._sender), Points(run / "points"))
    run_delivery(worker, built.sweeper(), threading.Event(), wake_path=built.wake_path)
    built.close()


def _sped_up(built: wiring.Built, clock: FastClock, rate: int) -> wiring.Built:
    worker_module.CLAIM_MS = CLAIM_MS * rate  # type: ignore[misc]
    worker_module.SEND_MS = SEND_MS * rate  # type: ignore[misc]
    stores: Any = built.session_stores
    stores._watched["health"] = FastHealth(stores.health, clock)
    # `sign_out` keeps the real time: an end is stamped with it, and no session ends before its real deadline. So do
    # `logout_posts`: tokens are for sites, and those live in real time.
    return dataclasses.replace(built, services=dataclasses.replace(built.services, clock=clock))


def main() -> None:
    """Forks a delivery process, and another whenever it is killed: at once, because everything is imported already.
    On a busy machine a fresh interpreter would take longer to start than the next kill takes to come."""
    children: list[int] = []

    def pass_on(number: int, _: Any) -> None:
        os.kill(children[-1], number)

    while True:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        child = os.fork()
        if child == 0:
            die_with_parent()
            deliver()
            return
        children.append(child)
        signal.signal(signal.SIGTERM, pass_on)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            sys.exit(os.WEXITSTATUS(status))


if __name__ == "__main__":
    main()
