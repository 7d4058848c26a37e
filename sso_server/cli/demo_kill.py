"""The demo's second switch: right after the next sign-out was committed, the centre's processes are killed (SIGKILL).

It hears of a sign-out as the delivery process does (`delivery.wake` rings after the commit) and is quicker than a
delivery: nobody has been told yet, or hardly anybody. The supervisor starts what died again, and the sites hear.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from sso_server.clock import SystemClock
from sso_server.delivery.wake import WakeListener
from sso_server.fronts.demo.switches import Switches

_NAME = "demo-switch"
#: The browser, and a site that signs out by itself, get the answer that the sign-out is committed, and the page that
#: follows it. The delivery process has no such time.
_ANSWER_S = 0.4


@contextlib.contextmanager
def listening(wake_path: Path, switches: Switches, kill: Callable[[str], None]) -> Iterator[None]:
    """While it lasts, the switch works. `kill` ends a child of the supervisor by name. Raises OSError."""
    stop = threading.Event()
    listener = WakeListener(wake_path, _NAME)
    thread = threading.Thread(target=_listen, args=(listener, switches, kill, stop), name=_NAME)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        listener.close()


def _listen(listener: WakeListener, switches: Switches, kill: Callable[[str], None], stop: threading.Event) -> None:
    clock = SystemClock()
    while not stop.is_set():
        if not listener.wait(0.25) or not switches.kill.is_on:
            continue
        kill("delivery")
        switches.note_killed(clock.now())
        stop.wait(_ANSWER_S)
        kill("web")
