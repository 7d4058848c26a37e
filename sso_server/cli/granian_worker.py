"""One web worker on granian, as `sso serve --web-server granian` runs it: the only file that knows granian.

granian's own supervisor isn't used: ours binds the sockets, forks the workers, restarts what dies and shuts the door
without a reset. What granian leaves to the application is kept here: bodies are what their head says, long addresses
are refused, and nobody's environment variables get among the request's.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, cast

import structlog
from granian._futures import _new_cbscheduler
from granian._granian import SocketHolder, WorkerSignal, WSGIWorker
from granian.http import HTTP1Settings

from sso_server.app import create_app
from sso_server.core.errors import Unavailable
from sso_server.crypto import cores
from sso_server.web import services
from sso_server.web.waiting import WEB_THREADS

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_log = structlog.get_logger("sso_server.serve")
_BACKLOG = 2048
#: Connections of one process at once; the next ones wait in the backlog. gunicorn's number.
_CONNECTIONS = 1000
_MAX_HEAD = 64 * 1024
#: A sealed sign-in request travels in the URL. gunicorn's number.
_MAX_TARGET = 8190
_READ_HEAD_MS = 30_000
#: How long a connection that is kept alive stays open when the process is told to stop: a request may be on its way.
_LINGER_S = 2.0
_GRACEFUL_S = 8.0

Headers = list[tuple[str, str]]


def run(listener: int, *, core: int | None = None, threads: int = WEB_THREADS) -> int:
    """Answer requests on this descriptor until SIGTERM or SIGINT; 0. `core`: the number of the one that this process
    keeps to; None: any. Raises ConfigError."""
    supervisor = os.getppid()
    if core is not None:
        cores.keep_to_one(core)
    app = create_app()
    leaving, gone, stop = threading.Event(), threading.Event(), WorkerSignal()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: leaving.set())
    here = services.of(app)
    # Requests that wait are answered when the worker is told to stop: else it would wait for them.
    here.waiting.close_when(leaving.is_set)
    here.readiness.not_when(leaving.is_set)
    with contextlib.suppress(Unavailable):
        # Read now, published from memory for as long as the database may be away.
        here.signer.jwks()
    stop.add_cb(gone.set)
    # What granian's own supervisor hands to its workers: no interface that its authors promise, hence the narrow pin in
    # pyproject.toml.
    make = cast(Any, WSGIWorker)
    worker = make(
        1,  # its number, for granian's own log lines
        (None, _held(listener)),
        None,  # no pipe to a supervisor of granian's
        1,  # thread of its event loop
        1,  # and of that loop's own blocking work, which is none
        threads,
        30,  # seconds until an idle one ends
        _CONNECTIONS,
        "1",  # HTTP/1.1 only
        HTTP1Settings(header_read_timeout=_READ_HEAD_MS, max_buffer_size=_MAX_HEAD),
        None,
        None,  # static files are the application's
        *(False, None, None, None, "tls1.3", None, [], False),  # TLS is the proxy's
        (None, None),  # our numbers are in /metrics
    )
    loop = asyncio.new_event_loop()  # asked for its methods; it never runs
    schedule = cast(Any, _new_cbscheduler)(loop, answering(app.wsgi_app, leaving.is_set), impl_asyncio=True)
    worker.serve_mtr(schedule, loop, stop)
    leaving.wait()
    # Without a supervisor nobody else holds the address: who starts the next one waits for it.
    gone.wait(_LINGER_S if os.getppid() == supervisor else 0)
    stop.set()
    gone.wait(_GRACEFUL_S - _LINGER_S)
    return 0


def answering(app: WSGIApplication, is_leaving: Callable[[], bool]) -> Callable[[Any, dict[str, Any]], None]:
    """What granian calls for each request, with its way to answer and what it read."""
    ours: dict[str, Any] = {
        "SCRIPT_NAME": "",
        "wsgi.version": (1, 0),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }

    def answer(protocol: Any, read: dict[str, Any]) -> None:
        environ = ours | read
        try:
            status, headers, body = _refusal(environ) or _answer(app, environ)
        except Exception:  # noqa: BLE001  (Flask has handled its own; whatever else it is must be answered and said)
            _log.error("request_failed", exc_info=True)
            status, headers, body = _plain(500, "The server could not answer.")
        if is_leaving():
            # RFC 9112 section 9.6: who hears it sends the next request to another node.
            headers = [*headers, ("Connection", "close")]
        protocol.response_bytes(status, headers, body)

    return answer


def _answer(app: WSGIApplication, environ: dict[str, Any]) -> tuple[int, Headers, bytes]:
    started: list[tuple[str, Headers]] = []

    def start_response(status: str, headers: Headers, _error: Any = None) -> Callable[[bytes], object]:
        started.append((status, headers))
        return _no_write

    path: str = environ["PATH_INFO"]
    if not path.isascii():
        # PEP 3333: the bytes of the path, each as one character; granian has decoded them.
        environ["PATH_INFO"] = path.encode().decode("latin-1")
    parts: Iterable[bytes] = app(environ, start_response)
    try:
        # In one piece: no answer of ours is long, and one that fails midway must not have begun.
        body = b"".join(parts)
    finally:
        if close := getattr(parts, "close", None):
            close()
    status, headers = started[-1]
    return int(status[:3]), headers, body


def _refusal(environ: dict[str, Any]) -> tuple[int, Headers, bytes] | None:
    if len(environ["PATH_INFO"]) + len(environ["QUERY_STRING"]) > _MAX_TARGET:
        return _plain(414, "The address is too long.")
    if "HTTP_TRANSFER_ENCODING" in environ:
        # granian tells nobody when chunks end too early (RFC 9112 section 8): half a body would pass for all of it.
        return _plain(411, "The body needs a Content-Length.")
    if not environ.get("HTTP_COOKIE", "-") or not environ.get("HTTP_X_FORWARDED_FOR", "-").rpartition(",")[2].strip():
        # What has a byte beyond ASCII comes from granian as an empty text: everybody would be signed out by one foreign
        # cookie, without a word, and a stranger could take the proxy's address for his own.
        return _plain(400, "A header has characters beyond ASCII.")
    return None


def _plain(status: int, text: str) -> tuple[int, Headers, bytes]:
    body = f"{text}\n".encode()
    return status, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))], body


def _held(listener: int) -> Any:
    is_a_path = False
    return cast(Any, SocketHolder)(listener, is_a_path, _BACKLOG)


def _no_write(_: bytes) -> None:
    raise NotImplementedError("Flask never writes this way")
