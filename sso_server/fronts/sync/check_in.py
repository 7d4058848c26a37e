"""POST /check-in: a site's store tells what it served and hears what to end. Strict JSON; `core.check_in` decides."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import structlog
from flask import Blueprint, Request, Response, request

from sso_server.core.check_in import CheckIn
from sso_server.core.errors import InvalidClient, InvalidRequest
from sso_server.web.client_auth import read_client
from sso_server.web.json_errors import install_json_errors
from sso_server.web.responses import json_answer
from sso_server.web.services import services

blueprint = Blueprint("sync_check_in", __name__)
install_json_errors(blueprint)
MAX_BODY = 1024 * 1024
_MAX_MARK = 4096
_log = structlog.get_logger("sso_server.sync")


@blueprint.post("/check-in")
def check_in() -> Response:
    """Every end that the store hasn't acknowledged, or an error: an incomplete list must never renew a lease."""
    client = read_client(request, {})
    if client.public:
        # Whoever knows its id could speak for it.
        raise InvalidClient("Only a confidential client can check in.")
    call = parse(_body(request))
    answer = services().check_ins.check_in(client, call)
    _log.info("checked_in", store_id=call.store_id, ends=len(answer.ends), more=answer.more, lag_ms=answer.lag_ms)
    return json_answer(asdict(answer))


def parse(body: bytes) -> CheckIn:
    """The call as the core wants it. Unknown members are ignored. Raises InvalidRequest."""
    try:
        members = json.loads(body.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise InvalidRequest("The body is not JSON.") from None
    if not isinstance(members, dict):
        raise InvalidRequest("The body is not a JSON object.")
    store, mark = members.get("store"), members.get("mark")
    if not isinstance(store, str):
        raise InvalidRequest("store is not a string.")
    if mark is not None and not (isinstance(mark, str) and len(mark) <= _MAX_MARK):
        raise InvalidRequest("mark is neither null nor a string that we gave.")
    return CheckIn(
        store_id=store,
        mark=mark,
        acks=_texts(members, "acks"),
        ended=_texts(members, "ended"),
        active=_texts(members, "active"),
        live=_texts(members, "sids") if members.get("sids") is not None else None,
    )


def _body(request: Request) -> bytes:
    if request.mimetype != "application/json":
        raise InvalidRequest("Send a body of type application/json.")
    request.max_content_length = MAX_BODY
    return request.get_data(cache=False)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        # Two readers may take different ones of two (RFC 8259 section 4).
        raise ValueError("a member is repeated")
    return members


def _texts(members: dict[str, Any], name: str) -> tuple[str, ...]:
    value = members.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InvalidRequest(f"{name} is not a list of strings.")
    return tuple(dict.fromkeys(value))
