"""POST /check-in: a site's store tells what it served and hears what to end. Strict JSON; `core.check_in` decides."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import structlog
from flask import Blueprint, Response, request

from sso_server.core.check_in import CheckIn
from sso_server.core.errors import InvalidClient, InvalidRequest
from sso_server.web.client_auth import read_json_sender
from sso_server.web.json_body import parse_object, read_body, texts
from sso_server.web.json_errors import install_json_errors
from sso_server.web.responses import json_answer
from sso_server.web.services import services

blueprint = Blueprint("sync_check_in", __name__)
install_json_errors(blueprint)
_MAX_MARK = 4096
_log = structlog.get_logger("sso_server.sync")


@blueprint.post("/check-in")
def check_in() -> Response:
    """Every end that the store hasn't acknowledged, or an error: an incomplete list must never renew a lease."""
    client = read_json_sender(request)
    if client.public:
        # Whoever knows its id could speak for it.
        raise InvalidClient("Only a confidential client can check in.")
    call = parse(read_body(request))
    answer = services().check_ins.check_in(client, call)
    if answer.strange_mark:
        # Forged, or given before the secret key was replaced or this store's file was copied from elsewhere.
        _log.warning("strange_mark", store_id=call.store_id)
    _log.info("checked_in", store_id=call.store_id, ends=len(answer.ends), more=answer.more, lag_ms=answer.lag_ms)
    members = asdict(answer)
    del members["strange_mark"], members["denied"], members["denied_to"]
    if answer.denied is not None:
        entries = [{"sid" if one.is_session else "jti": one.name, "until": one.until} for one in answer.denied]
        members |= {"denied": entries, "denied_to": answer.denied_to}
    return json_answer(members)


def parse(body: bytes) -> CheckIn:
    """The call as the core wants it. Unknown members are ignored. Raises InvalidRequest."""
    members = parse_object(body)
    store, mark = members.get("store"), members.get("mark")
    if not isinstance(store, str):
        raise InvalidRequest("store is not a string.")
    if mark is not None and not (isinstance(mark, str) and len(mark) <= _MAX_MARK):
        raise InvalidRequest("mark is neither null nor a string that we gave.")
    return CheckIn(
        store_id=store,
        mark=mark,
        acks=texts(members, "acks"),
        ended=texts(members, "ended"),
        active=texts(members, "active"),
        live=texts(members, "sids") if members.get("sids") is not None else None,
        denied_from=_denied_from(members),
    )


def _denied_from(members: dict[str, Any]) -> int | None:
    """Absent: an SDK that knows no JWT access tokens. Null: one that has heard of nothing yet."""
    if "denied_from" not in members:
        return None
    begin = members["denied_from"]
    if begin is not None and type(begin) is not int:
        raise InvalidRequest("denied_from is neither null nor a number that we gave.")
    return begin or 0
