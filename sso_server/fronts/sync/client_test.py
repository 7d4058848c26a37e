"""POST /client-test: a site's doctor compares its settings with its registration and has its logout address called.

`core.trials` decides; what is called is never taken from the request.
"""

from __future__ import annotations

import structlog
from flask import Blueprint, Response, request

from sso_server.core.clients import Client
from sso_server.core.errors import InvalidClient, InvalidRequest
from sso_server.core.records import record
from sso_server.core.service_urls import matches
from sso_server.core.trials import Trial
from sso_server.web.client_auth import read_json_sender
from sso_server.web.json_body import parse_object, read_body
from sso_server.web.json_errors import install_json_errors
from sso_server.web.responses import json_answer
from sso_server.web.services import services

blueprint = Blueprint("sync_client_test", __name__)
install_json_errors(blueprint)
_MAX_URI = 2000
_log = structlog.get_logger("sso_server.sync")


@record
class Asked:
    """One call as it was sent."""

    redirect_uri: str | None
    call: bool


@blueprint.post("/client-test")
def client_test() -> Response:
    """What the centre knows of this client, its time, and what a logout call to it came to."""
    client = read_json_sender(request)
    if client.public:
        # Whoever knows its id could have it called.
        raise InvalidClient("Only a confidential client can have itself tested.")
    asked = parse(read_body(request))
    trial = services().trials.call(client) if asked.call else Trial(called=False)
    _log.info("client_tested", called=trial.called, status=trial.status, problem=trial.problem, took_ms=trial.took_ms)
    return json_answer(
        {
            "now_ms": services().clock.now(),
            "registered": _registered(client),
            "redirect_uri_registered": None if asked.redirect_uri is None else _leads_back(client, asked.redirect_uri),
            "called": trial.called,
            "status": trial.status,
            "store": trial.store_id or None,
            "problem": trial.problem or None,
            "cure": trial.cure or None,
            "ms": trial.took_ms,
        }
    )


def parse(body: bytes) -> Asked:
    """The call. Unknown members are ignored. Raises InvalidRequest."""
    members = parse_object(body)
    redirect_uri, call = members.get("redirect_uri"), members.get("call", True)
    if redirect_uri is not None and not (isinstance(redirect_uri, str) and len(redirect_uri) <= _MAX_URI):
        raise InvalidRequest(f"redirect_uri is neither null nor a string of at most {_MAX_URI} characters.")
    if not isinstance(call, bool):
        raise InvalidRequest("call is neither true nor false.")
    return Asked(redirect_uri, call)


def _leads_back(client: Client, uri: str) -> bool:
    """As /authorize compares, character by character (RFC 9700 section 2.1); a CAS service as /cas/login does."""
    return uri in client.redirect_uris or any(matches(service, uri) for service in client.cas_services)


def _registered(client: Client) -> dict[str, object]:
    return {
        "redirect_uris": list(client.redirect_uris or client.cas_services),
        "post_logout_redirect_uris": list(client.post_logout_redirect_uris),
        "backchannel_logout_uri": client.backchannel_logout_uri or None,
        "delivery": client.delivery,
    }
