"""Errors for programs: OAuth's JSON (RFC 6749 section 5.2), with the status and the challenge that belong to each code.

One handler per blueprint of machine endpoints; people's error pages are in `web/errors`.
"""

from __future__ import annotations

from flask import Blueprint, Response
from werkzeug.exceptions import HTTPException

from sso_server.core.errors import InvalidClient, InvalidRequest, LockstepError, Unavailable
from sso_server.web.errors import log_error, retry_after_of
from sso_server.web.responses import json_answer

REALM = "lockstep"


def install_json_errors(blueprint: Blueprint) -> None:
    """Every error raised in a view of this blueprint becomes JSON."""
    blueprint.register_error_handler(LockstepError, json_error)
    blueprint.register_error_handler(HTTPException, _http_error)


def json_error(error: LockstepError) -> Response:
    """The answer for a core error; its private detail goes to the log only."""
    status = _status_of(error)
    log_error(error, status)
    response = json_answer({"error": error.code, "error_description": printable(error.description)}, status)
    response.headers.update(retry_after_of(error))
    if isinstance(error, InvalidClient):
        # RFC 9110 section 15.5.2: a 401 always names a scheme; RFC 6749 section 5.2: the one that the client used.
        response.headers["WWW-Authenticate"] = f'Basic realm="{REALM}", charset="UTF-8"'
    return response


def printable(text: str) -> str:
    """Only what `error_description` may hold (RFC 6749 section 5.2): printable ASCII without quote and backslash."""
    return "".join(c if " " <= c <= "~" and c not in '"\\' else "'" for c in text)


def _status_of(error: LockstepError) -> int:
    if isinstance(error, InvalidClient):
        return 401
    return 503 if isinstance(error, Unavailable) else 400


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    text = "The request is too large." if status == 413 else error.name
    log_error(InvalidRequest(text), status)
    return json_answer({"error": "invalid_request", "error_description": printable(text)}, status)
