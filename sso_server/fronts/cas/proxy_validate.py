"""/cas/proxyValidate (CAS 3.0.3 section 2.6) and /cas/p3/proxyValidate, which tells attributes (section 2.9)."""

from __future__ import annotations

from flask import Blueprint, Response

from sso_server.fronts.cas import responses
from sso_server.fronts.cas.answering import answer_validation, install_failures

blueprint = Blueprint("cas_proxy_validate", __name__)
install_failures(blueprint, responses.failure)


@blueprint.route("/cas/proxyValidate", methods=["GET", "POST"], strict_slashes=False)
def proxy_validate() -> Response:
    """Service tickets and proxy tickets: whom to trust in between is the service's own decision."""
    return answer_validation(proxies_allowed=True, with_attributes=False)


@blueprint.route("/cas/p3/proxyValidate", methods=["GET", "POST"], strict_slashes=False)
def p3_proxy_validate() -> Response:
    """The same, with attributes."""
    return answer_validation(proxies_allowed=True, with_attributes=True)
