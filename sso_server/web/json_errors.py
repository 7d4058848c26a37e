"""Errors for programs: OAuth's JSON (RFC 6749 section 5.2), with the status and the challenge that belong to each code.

One handler per blueprint of machine endpoints; people's error pages are in `web/errors`.
"""

from __future__ import annotations

from flask import Blueprint, Response, current_app, request
from flask.blueprints import BlueprintSetupState
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from sso_server.core.errors import (
    InvalidClient,
    InvalidRequest,
    LockstepError,
    TooManyRequests,
    TooManyTrials,
    Unavailable,
)
from sso_server.web.errors import http_error_page, log_error, log_unexpected, retry_after_of
from sso_server.web.responses import json_answer

REALM = "lockstep"
_KEY = "lockstep_json"


def install_json_errors(blueprint: Blueprint) -> None:
    """Every error at an address of this blueprint becomes JSON, whatever the caller accepts."""
    blueprint.register_error_handler(LockstepError, json_error)
    blueprint.register_error_handler(HTTPException, _http_error)
    blueprint.register_error_handler(Exception, _unexpected)
    blueprint.record(_register)


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
    if isinstance(error, (TooManyRequests, TooManyTrials)):
        return 429
    return 503 if isinstance(error, Unavailable) else 400


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    text = "The request is too large." if status == 413 else error.name
    log_error(InvalidRequest(text), status)
    response = json_answer({"error": "invalid_request", "error_description": printable(text)}, status)
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return response


def _unexpected(error: Exception) -> Response:
    log_unexpected(error)
    return json_answer({"error": "server_error", "error_description": "That was this service's fault."}, 500)


def _register(state: BlueprintSetupState) -> None:
    state.app.extensions.setdefault(_KEY, set()).add(state.blueprint.name)
    state.app.register_error_handler(MethodNotAllowed, _wrong_method)


def _wrong_method(error: MethodNotAllowed) -> Response:
    """Refused before any view, and so before any blueprint, is known: only the address tells who is calling."""
    names = current_app.extensions[_KEY]
    rules = (rule for rule in current_app.url_map.iter_rules() if _is_at(rule.rule, request.path))
    for_programs = any(rule.endpoint.partition(".")[0] in names for rule in rules)
    return _http_error(error) if for_programs else http_error_page(error)


def _is_at(rule: str, path: str) -> bool:
    fixed, variable, _ = rule.partition("<")
    return path.startswith(fixed) if variable else path == rule
