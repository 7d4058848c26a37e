"""A posted JSON object, read strictly: types as documented, no member twice. Their meaning is each endpoint's."""

from __future__ import annotations

import json
from typing import Any

from flask import Request

from sso_server.core.errors import InvalidRequest
from sso_server.core.writable import is_writable

MAX_BODY = 1024 * 1024


def read_body(request: Request, *, max_bytes: int = MAX_BODY) -> bytes:
    """The body of a call that says it is JSON. Raises InvalidRequest, RequestEntityTooLarge."""
    if request.mimetype != "application/json":
        raise InvalidRequest("Send a body of type application/json.")
    request.max_content_length = max_bytes
    return request.get_data()


def parse_object(body: bytes) -> dict[str, Any]:
    """The members of the one object that the body is. Raises InvalidRequest."""
    try:
        members = json.loads(body.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise InvalidRequest("The body is not JSON.") from None
    if not isinstance(members, dict):
        raise InvalidRequest("The body is not a JSON object.")
    if not is_writable(members):
        raise InvalidRequest("The body holds characters that can't be kept.")
    return members


def texts(members: dict[str, Any], name: str) -> tuple[str, ...]:
    """A list of strings, each once; absent means empty. Raises InvalidRequest."""
    value = members.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InvalidRequest(f"{name} is not a list of strings.")
    return tuple(dict.fromkeys(value))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        # Two readers may take different ones of two (RFC 8259 section 4).
        raise ValueError("a member is repeated")
    return members
