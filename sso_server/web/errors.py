"""Error pages for people: what happened, what to do, a request id to quote; never a stack trace, never a redirect.

Errors for programs are in `web/json_errors`; anything that nobody expected, anywhere else, ends here.
"""

from __future__ import annotations

from typing import Any

import structlog
from flask import Flask, Response, g, make_response, render_template, request
from werkzeug.exceptions import HTTPException

from sso_server.core.errors import (
    InvalidClient,
    InvalidRequest,
    InvalidToken,
    LockstepError,
    TooManyGuesses,
    TooManyRequests,
    TooManyTrials,
    Unavailable,
    WrongCredentials,
)
from sso_server.web.access import endpoint_name

_TOO_MANY = (TooManyGuesses, TooManyRequests, TooManyTrials)
_log = structlog.get_logger("sso_server.web")


def install_errors(app: Flask) -> None:
    """The last-resort handlers."""
    app.register_error_handler(LockstepError, error_page)
    app.register_error_handler(HTTPException, http_error_page)
    app.register_error_handler(Exception, _unexpected)


def status_of(error: LockstepError) -> int:
    """The HTTP status of a core error on a page."""
    if isinstance(error, _TOO_MANY):
        return 429
    if isinstance(error, Unavailable):
        return 503
    if isinstance(error, (InvalidRequest, InvalidClient, WrongCredentials, InvalidToken)):
        return 400
    return 403


def log_error(error: LockstepError, status: int) -> None:
    """The private detail goes here and nowhere else."""
    _log.warning(
        "request_refused",
        code=error.code,
        status=status,
        endpoint=endpoint_name(),
        detail=error.detail or error.description,
    )


def error_page(error: LockstepError, **context: Any) -> Response:
    """The page for a core error; `context` is handed to the template (e.g. `mismatch`)."""
    status = status_of(error)
    log_error(error, status)
    return _page(status, error.code, error.description, retry_after_s=_retry_after_s(error), **context)


def retry_after_of(error: LockstepError) -> dict[str, str]:
    """The Retry-After header, if the error has one."""
    seconds = _retry_after_s(error)
    return {"Retry-After": str(seconds)} if seconds else {}


def _retry_after_s(error: LockstepError) -> int:
    if isinstance(error, Unavailable):
        return error.retry_after_s
    return -(-error.retry_after_ms // 1000) if isinstance(error, _TOO_MANY) else 0


def page_of(error: LockstepError | HTTPException) -> Response:
    """The page for either kind."""
    return error_page(error) if isinstance(error, LockstepError) else http_error_page(error)


def log_unexpected(error: Exception) -> None:
    """With its traceback: the answer has only the request id."""
    _log.error("unexpected_error", endpoint=endpoint_name(), exc_info=error)


def http_error_page(error: HTTPException) -> Response:
    """The page for what routing or parsing refused."""
    if error.response is not None and error.code is not None and error.code < 400:
        return error.response  # type: ignore[return-value]  # a redirect that the routing made
    response = _page(error.code or 500, f"http_{error.code}", "")
    for name, value in error.get_headers():
        if name.lower() in ("allow", "retry-after"):
            response.headers[name] = value
    return response


def _unexpected(error: Exception) -> Response:
    log_unexpected(error)
    return _page(500, "server_error", "")


def _page(status: int, code: str, description: str, retry_after_s: int = 0, **context: Any) -> Response:
    if request.accept_mimetypes.best_match(["text/html", "application/json"], "text/html") == "application/json":
        response = make_response(
            {"error": code, "error_description": description, "request_id": g.get("request_id", "")}
        )
    else:
        response = make_response(
            render_template(
                "error.html",
                status=status,
                code=code,
                description=description,
                request_id=g.get("request_id", ""),
                retry_after_s=retry_after_s,
                **context,
            )
        )
    response.status_code = status
    if retry_after_s:
        response.headers["Retry-After"] = str(retry_after_s)
    return response
