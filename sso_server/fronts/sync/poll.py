"""POST /poll: a site without our SDK asks which sessions have ended (RFC 8936). `core.polls` decides what it hears."""

from __future__ import annotations

from dataclasses import field
from typing import Any

import structlog
from flask import Blueprint, Response, request

from sso_server.core.clients import Client
from sso_server.core.errors import InvalidClient, InvalidRequest
from sso_server.core.polls import MAX_EVENTS, Poll, PollAnswer, jti_of
from sso_server.core.records import record
from sso_server.fronts.sync.security_event import build
from sso_server.web.client_auth import read_json_sender
from sso_server.web.json_body import parse_object, read_body, texts
from sso_server.web.json_errors import install_json_errors, printable
from sso_server.web.responses import json_answer
from sso_server.web.services import services

blueprint = Blueprint("sync_poll", __name__)
install_json_errors(blueprint)
#: How long a poll waits for the first event. Below the 30 s after which many proxies and callers lose patience.
WAIT_S = 25.0
MAX_LIST = 5000
#: What a call gets that names no `maxEvents`: each token is signed for it alone.
USUAL_EVENTS = 100
_MOST_EVENTS = 2**31 - 1
_log = structlog.get_logger("sso_server.sync")


@record
class PollCall:
    """One call as it was sent; `refusals` maps a jti to error code and description."""

    acks: tuple[str, ...] = ()
    refusals: dict[str, tuple[str, str]] = field(default_factory=dict)
    max_events: int = USUAL_EVENTS
    return_immediately: bool = False


@blueprint.post("/poll")
def poll() -> Response:
    """Take what the site says of earlier events, then give it what waits, or wait for the first."""
    client = read_json_sender(request)
    if client.public:
        # Whoever knows its id could acknowledge in its name.
        raise InvalidClient("Only a confidential client can poll.")
    call = parse(read_body(request))
    codes = {jti: code for jti, (code, _) in call.refusals.items()}
    answer = services().polls.poll(client, Poll(call.acks, codes, call.max_events))
    for code, description in list(call.refusals.values())[:1]:
        said = {"error": printable(code)[:80], "description": printable(description)[:200]}
        _log.warning("events_refused", count=len(codes), **said)
    # RFC 8936 section 2.4.2: with maxEvents 0 the caller only acknowledges, so there is nothing to wait for.
    if answer.events or call.return_immediately or call.max_events == 0:
        return _answer(client, answer)
    return _first_of(client, call.max_events)


def parse(body: bytes) -> PollCall:
    """The call (RFC 8936 section 2.2). Unknown members are ignored. Raises InvalidRequest."""
    members = parse_object(body)
    most, at_once, errors = (
        members.get("maxEvents", USUAL_EVENTS),
        members.get("returnImmediately", False),
        members.get("setErrs", {}),
    )
    # `True` is an int to Python, 1.0 a number to JSON: neither is a count.
    if type(most) is not int or not 0 <= most <= _MOST_EVENTS:
        raise InvalidRequest(f"maxEvents is not a whole number from 0 to {_MOST_EVENTS}.")
    if not isinstance(at_once, bool):
        raise InvalidRequest("returnImmediately is neither true nor false.")
    acks = texts(members, "ack")
    if not isinstance(errors, dict):
        raise InvalidRequest("setErrs is not an object.")
    if len(acks) > MAX_LIST or len(errors) > MAX_LIST:
        raise InvalidRequest(f"ack and setErrs have at most {MAX_LIST} entries each.")
    refusals = {jti: _refusal(error) for jti, error in errors.items()}
    return PollCall(acks, refusals, min(most, MAX_EVENTS), at_once)


def _refusal(error: Any) -> tuple[str, str]:
    """RFC 8936 section 2.6: `err` is a code, `description` is for people."""
    if not isinstance(error, dict) or not isinstance(error.get("err"), str):
        raise InvalidRequest("An entry of setErrs is no object with a string err.")
    description = error.get("description", "")
    return error["err"], description if isinstance(description, str) else ""


def _first_of(client: Client, max_events: int) -> Response:
    """Wait (RFC 6202 section 2, which RFC 8936 section 2.2 names) until something is there or the time is over."""
    polls, room = services().polls, services().waiting
    nothing = PollAnswer((), more=False)
    with room.place(client.client_id) as free:
        if not free:
            response = _answer(client, nothing)
            # Nobody must take an answer that came at once for a reason to ask again at once.
            response.headers["Retry-After"] = "2"
            return response
        for _ in room.looks(WAIT_S, request.environ):
            if polls.has_waiting(client):
                answer = polls.poll(client, Poll(max_events=max_events))
                if answer.events:
                    return _answer(client, answer)
    return _answer(client, nothing)


def _answer(client: Client, answer: PollAnswer) -> Response:
    """RFC 8936 section 2.3."""
    signer, subjects, issuer = services().signer, services().subjects, services().policy.issuer
    sets = {
        jti_of(event.sid, client.client_id): build(event, client, subjects.of(client, event.user_id), signer, issuer)
        for event in answer.events
    }
    _log.info("polled", sets=len(sets), more=answer.more)
    return json_answer({"sets": sets, "moreAvailable": answer.more})
