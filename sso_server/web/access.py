"""Each request has a name, and leaves one line and one count: who asked for what, and what came of it.

The line holds the endpoint's name, never the path or the query: codes, tokens and sealed requests travel there.
"""

from __future__ import annotations

import re
from time import monotonic

import structlog
from flask import Flask, Response, g, request

from sso_server.web.services import services

#: What a proxy may call a request; anything else would let a stranger write into our logs.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
# Asked every few seconds by machines that nobody wants to read of.
_SILENT = frozenset({"health.healthz", "health.readyz", "health.metrics", "static"})

_log = structlog.get_logger("sso_server.requests")


def install_requests(app: Flask) -> None:
    """Before everything else, so that whatever happens to the request is known by its name."""

    @app.before_request
    def _begin() -> None:
        g.begun = monotonic()
        # `web/client_ip` lets the header through from a trusted proxy alone.
        given = request.headers.get("X-Request-ID", "")
        g.request_id = given if _NAME.fullmatch(given) else services().randomness.token("req")[:20]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)

    @app.teardown_request
    def _forget(_error: BaseException | None) -> None:
        # What gunicorn says next in this thread is about somebody else.
        structlog.contextvars.clear_contextvars()

    @app.after_request
    def _end(response: Response) -> Response:
        response.headers["X-Request-ID"] = g.get("request_id", "")
        seconds = monotonic() - g.get("begun", monotonic())
        endpoint = endpoint_name()
        services().watch.request(endpoint, response.status_code, seconds)
        if endpoint not in _SILENT:
            _log.info(
                "request",
                method=request.method if request.method in _METHODS else "other",
                endpoint=endpoint,
                status=response.status_code,
                ms=round(seconds * 1000, 1),
            )
        return response


_METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS"})


def endpoint_name() -> str:
    """What was asked for, as this program calls it; `none` where nothing is."""
    return request.endpoint or "none"
