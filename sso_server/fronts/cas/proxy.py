"""/cas/proxy (CAS 3.0.3 section 2.7): a proxy ticket for a proxy-granting ticket."""

from __future__ import annotations

from flask import Blueprint, Response

from sso_server.core.errors import InvalidGrant, InvalidRequest
from sso_server.core.service_urls import normal_form
from sso_server.core.tickets import Refusal
from sso_server.fronts.cas import responses
from sso_server.fronts.cas.answering import answered, install_failures
from sso_server.fronts.cas.responses import Body
from sso_server.fronts.cas.validation import UNAUTHORIZED_SERVICE
from sso_server.web.services import services

blueprint = Blueprint("cas_proxy", __name__)
install_failures(blueprint, responses.proxy_failure)


@blueprint.route("/cas/proxy", methods=["GET", "POST"], strict_slashes=False)
def proxy() -> Response:
    """Whoever has the ticket is its owner: it was sent to a registered address over https, and nowhere else."""
    return answered(_answer, responses.proxy_failure)


def _answer(values: dict[str, str], as_json: bool) -> Body:
    missing = [name for name in ("pgt", "targetService") if name not in values]
    if missing:
        raise InvalidRequest(f"{' and '.join(missing)}: required, and not there.")
    target = services().clients.find_by_service(values["targetService"])
    if target is None:
        return _refused(UNAUTHORIZED_SERVICE, "No such service is registered.", as_json)
    try:
        ticket = services().proxy_granting.issue(values["pgt"], target, service=normal_form(values["targetService"]))
    except InvalidGrant as error:
        if error.description == Refusal.NO_PROXY:
            return _refused(UNAUTHORIZED_SERVICE, "The service may not have proxy tickets any more.", as_json)
        raise
    return responses.proxy_success(ticket, as_json=as_json)


def _refused(code: str, description: str, as_json: bool) -> Body:
    return responses.proxy_failure(code, description, as_json=as_json)
