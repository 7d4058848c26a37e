"""A WSGI application and a worker in a hurry, for tests of `cli/web_worker`; the settings are gunicorn's."""

import json
import threading
from collections.abc import Iterable
from typing import Any

from sso_server.cli.web_worker import WebWorker

threads = 2
keepalive = 5
graceful_timeout = 8
worker_connections = 60
control_socket_disable = True
worker_class = "tests.support.web_echo.HurriedWorker"
LARGE = 4_000_000


class HurriedWorker(WebWorker):
    """A second instead of ten; not too little for a busy machine."""

    arrive_s = 1.0
    write_s = 1.0
    most_held = 4 * 1024 * 1024


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """What arrived, as JSON; `/large` answers with four megabytes; `/unread` doesn't look at the body."""
    path = environ["PATH_INFO"]
    if path == "/large":
        answer = b"x" * LARGE
    else:
        body = b"" if path == "/unread" else environ["wsgi.input"].read()
        answer = json.dumps(
            {"path": path, "size": len(body), "start": body[:20].decode(), "threads": threading.active_count()}
        ).encode()
    start_response("200 OK", [("Content-Length", str(len(answer))), ("Content-Type", "application/json")])
    return [answer]
