"""The delivery process: worker and sweeper side by side until SIGTERM, then six seconds to come to an end."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import structlog

from sso_server.core.errors import Unavailable
from sso_server.delivery.census import Census
from sso_server.delivery.restorer import Restorer
from sso_server.delivery.sweeper import Sweeper
from sso_server.delivery.wake import WakeListener, socket_name, take_dead
from sso_server.delivery.worker import Worker

_log = structlog.get_logger("sso_server.delivery")


def run_delivery(
    worker: Worker,
    sweeper: Sweeper,
    stop: threading.Event,
    *,
    restorer: Restorer | None = None,
    census: Census | None = None,
    wake_path: Path | None = None,
) -> None:
    """Run all until `stop` is set or, in the main thread, SIGTERM or SIGINT comes; then drain within about six seconds.

    With `wake_path` the worker is woken by `wake.DatagramWake`, and it takes over at once what killed workers of this
    machine had claimed: beside everything else, so that nothing waits for it.
    """
    with _signals(stop), contextlib.ExitStack() as closing:
        listener = None
        beside = [threading.Thread(target=sweeper.run, args=(stop,), name="sweeper")]
        if wake_path is not None:
            dead = take_dead(wake_path)
            try:
                listener = WakeListener(wake_path, worker.name)
                closing.callback(listener.close)
            except OSError as error:
                _log.warning("nobody_can_wake_us", error=str(error))
            if dead:
                beside.append(threading.Thread(target=_take_over, args=(worker, dead), name="take-over"))
        if restorer is not None:
            beside.append(threading.Thread(target=restorer.run, args=(stop,), name="restorer"))
        if census is not None:
            beside.append(threading.Thread(target=census.run, args=(stop,), name="census"))
        for thread in beside:
            thread.start()
        _log.info("delivery_started", worker=worker.name)
        try:
            worker.run(stop, listener)
        finally:
            stop.set()
            for thread in beside:
                thread.join()
        _log.info("delivery_stopped", worker=worker.name)


def _take_over(worker: Worker, dead: set[str]) -> None:
    """Bounded: a few hundred short calls at the most."""
    try:
        worker.take_over(lambda name: socket_name(name) in dead)
    except Unavailable as error:
        # Their claims run out by themselves half a minute after they were made.
        _log.warning("claims_not_taken_over", workers=len(dead), cause=error.detail)


@contextlib.contextmanager
def _signals(stop: threading.Event) -> Iterator[None]:
    """SIGTERM and SIGINT set `stop`. Handlers belong to the main thread: elsewhere the caller has its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
