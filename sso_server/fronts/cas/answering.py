"""The frame of every CAS endpoint for programs: the format asked for, and a failure for whatever was raised.

Clients read the body and give up on any other status than 200; only "come again" has one of its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException

from sso_server.core.errors import InvalidRequest, LockstepError, Unavailable
from sso_server.fronts.cas import responses
from sso_server.fronts.cas.responses import Body
from sso_server.fronts.cas.validation import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    failure_of,
    read_asked,
    read_values,
    validate,
)
from sso_server.web.errors import log_error, log_unexpected, retry_after_of
from sso_server.web.params import MAX_BODY

#: How a failure looks: code, description, and whether as JSON.
Failing = Callable[..., Body]


def answer_validation(*, proxies_allowed: bool, with_attributes: bool) -> Response:
    """The answer to this request by sections 2.5 and 2.6 (`proxies_allowed`), or as CAS 3 has them (section 2.8)."""

    def answer(values: dict[str, str], as_json: bool) -> Body:
        found = validate(read_asked(request, values), proxies_allowed=proxies_allowed)
        told = responses.Success(
            found.user.username,
            found.about if with_attributes else None,
            found.attributes,
            found.iou,
            found.validated.proxies,
        )
        return responses.success(told, as_json=as_json)

    return answered(answer, responses.failure)


def answered(
    answer: Callable[[dict[str, str], bool], Body],
    failing: Failing,
    *,
    formats: bool = True,
    read: Callable[[], dict[str, str]] = lambda: read_values(request),
) -> Response:
    """What `answer` says to the parameters and to whether JSON is wanted; a failure if it raises. `formats`: there is a
    choice."""
    as_json: bool | None = None
    try:
        values = read()
        as_json = formats and wants_json(values)
        return respond(answer(values, as_json))
    except LockstepError as error:
        if as_json is None:
            as_json = formats and _asks_for_json()
        code, description = failure_of(error)
        return refuse(error, failing(code, description, as_json=as_json))


def wants_json(values: dict[str, str]) -> bool:
    """Section 2.5.1: XML unless something else is asked for. Raises InvalidRequest."""
    wanted = values.get("format", "XML").upper()
    if wanted not in ("XML", "JSON"):
        raise InvalidRequest("format is neither XML nor JSON.")
    return wanted == "JSON"


def _asks_for_json() -> bool:
    """Although the rest can't be read: whoever asks for JSON reads no other failure either."""
    wanted = request.args.getlist("format")
    request.max_content_length = MAX_BODY
    with contextlib.suppress(HTTPException):
        wanted += request.form.getlist("format")
    return [value.upper() for value in wanted] == ["JSON"]


def respond(body: Body) -> Response:
    """With status 200."""
    return Response(body.text, content_type=f"{body.mimetype}; charset=utf-8")


def refuse(error: LockstepError, body: Body) -> Response:
    """A failure. 503 is for a store that is away: the ticket may be shown again."""
    response = respond(body)
    response.status_code = 503 if isinstance(error, Unavailable) else 200
    response.headers.update(retry_after_of(error))
    log_error(error, response.status_code)
    return response


def install_failures(blueprint: Blueprint, failing: Failing) -> None:
    """What nobody expected is a failure that clients can read, too."""

    def unexpected(error: Exception) -> Response:
        if isinstance(error, HTTPException):
            return refuse(InvalidRequest(error.name), failing(INVALID_REQUEST, error.name, as_json=_asks_for_json()))
        log_unexpected(error)
        response = respond(failing(INTERNAL_ERROR, "That was this service's fault.", as_json=_asks_for_json()))
        response.status_code = 500
        return response

    blueprint.register_error_handler(HTTPException, unexpected)
    blueprint.register_error_handler(Exception, unexpected)
