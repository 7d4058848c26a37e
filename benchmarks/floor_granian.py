"""The floor on granian, started as `sso serve` starts it: forked workers, each with a door and a core of its own and a
`WSGIWorker` with the same numbers; and the least that is between granian and Flask.
`python -m benchmarks.floor_granian PORT WORKERS THREADS`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any, cast

from granian._futures import _new_cbscheduler
from granian._granian import SocketHolder, WorkerSignal, WSGIWorker
from granian.http import HTTP1Settings

from benchmarks.floor_app import create_app
from sso_server.cli.door import Door
from sso_server.crypto.cores import keep_to_one

_BACKLOG = 2048


def _answering(app: Any) -> Callable[[Any, dict[str, Any]], None]:
    ours = {
        "SCRIPT_NAME": "",
        "wsgi.version": (1, 0),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }

    def answer(protocol: Any, read: dict[str, Any]) -> None:
        started: list[Any] = []
        parts: Iterable[bytes] = app(ours | read, lambda status, headers, _=None: started.extend((status, headers)))
        protocol.response_bytes(int(started[0][:3]), started[1], b"".join(parts))
        if close := getattr(parts, "close", None):
            close()

    return answer


def _work(listener: int, threads: int) -> None:
    leaving, stop = threading.Event(), WorkerSignal()
    signal.signal(signal.SIGTERM, lambda *_: leaving.set())
    worker = cast(Any, WSGIWorker)(
        *(1, (None, cast(Any, SocketHolder)(listener, False, _BACKLOG)), None, 1, 1, threads, 30, 1000, "1"),
        HTTP1Settings(header_read_timeout=30_000, max_buffer_size=64 * 1024),
        *(None, None, False, None, None, None, "tls1.3", None, [], False, (None, None)),
    )
    loop = asyncio.new_event_loop()
    schedule = cast(Any, _new_cbscheduler)(loop, _answering(create_app().wsgi_app), impl_asyncio=True)
    worker.serve_mtr(schedule, loop, stop)
    leaving.wait()
    os._exit(0)


def main(port: int, workers: int, threads: int) -> None:
    """Until SIGTERM."""
    first = Door("127.0.0.1", port)
    children = []
    for number, door in enumerate([first, *(first.beside() for _ in range(1, workers))]):
        child = os.fork()
        if not child:
            keep_to_one(number)
            _work(door.fd, threads)
        children.append(child)
    signal.signal(signal.SIGTERM, lambda *_: [os.kill(child, signal.SIGTERM) for child in children])
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
