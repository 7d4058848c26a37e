"""Each request has a name, and leaves one line and one count: who asked for what, and what came of it.

The line holds the endpoint's name, never the path or the query: codes, tokens and sealed requests travel there.
"""

from __future__ import annotations

import re
from time import monotonic

import structlog
from flask import Flask, Response, g, request

from sso_server.web.edge import this_request
from sso_server.web.services import of

#: What a proxy may call a request; anything else would let a stranger write into our logs.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
# Asked every few seconds by machines that nobody wants to read of.
_SILENT = frozenset({"health.healthz", "health.readyz", "health.metrics", "static"})

_log = structlog.get_logger("sso_server.requests")


def install_requests(app: Flask) -> None:
    """Before everything else, so that whatever happens to the request is known by its name."""
    token, count = of(app).randomness.token, of(app).watch.request

    @app.before_request
    def _begin() -> None:
        begun = monotonic()
        # `web/client_ip` lets the header through from a trusted proxy alone.
        given = request.environ.get("HTTP_X_REQUEST_ID", "")
        name = given if given and _NAME.fullmatch(given) else token("req")[:20]
        g.begun, g.request_id = begun, name
        structlog.contextvars.bind_contextvars(request_id=name)

    @app.teardown_request
    def _forget(_error: BaseException | None) -> None:
        # What gunicorn says next in this thread is about somebody else.
        structlog.contextvars.clear_contextvars()

    @app.after_request
    def _end(response: Response) -> Response:
        asked, now = this_request(), monotonic()
        response.headers["X-Request-ID"] = g.get("request_id", "")
        seconds = now - g.get("begun", now)
        endpoint, status = asked.endpoint or "none", response.status_code
        count(endpoint, status, seconds)
        if endpoint not in _SILENT:
            method = asked.method if asked.method in _METHODS else "other"
            _log.info("request", method=method, endpoint=endpoint, status=status, ms=round(seconds * 1000, 1))
        return response


_METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS"})


def endpoint_name() -> str:
    """What was asked for, as this program calls it; `none` where nothing is."""
    return request.endpoint or "none"
