"""gunicorn's worker of the centre, in a hurry: nobody has a minute in a test."""

from collections.abc import Callable, Iterable
from typing import Any

from sso_server.cli.gunicorn_worker import LeavingWorker

LARGE = 32 << 20


class HurriedWorker(LeavingWorker):
    """As it is, with another patience."""

    patience_s = 2


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Reads what it is sent; `/large` is more than anybody's buffers take."""
    body = environ["wsgi.input"].read()
    if environ["PATH_INFO"] == "/large":
        body = b"x" * LARGE
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
