"""/cas/serviceValidate (CAS 3.0.3 section 2.5) and /cas/p3/serviceValidate, which tells attributes (section 2.8)."""

from __future__ import annotations

from flask import Blueprint, Response

from sso_server.fronts.cas import responses
from sso_server.fronts.cas.answering import answer_validation, install_failures

blueprint = Blueprint("cas_service_validate", __name__)
install_failures(blueprint, responses.failure)


@blueprint.route("/cas/serviceValidate", methods=["GET", "POST"], strict_slashes=False)
def service_validate() -> Response:
    """Service tickets only: section 2.5 knows of nobody in between."""
    return answer_validation(proxies_allowed=False, with_attributes=False)


@blueprint.route("/cas/p3/serviceValidate", methods=["GET", "POST"], strict_slashes=False)
def p3_service_validate() -> Response:
    """The same, with attributes."""
    return answer_validation(proxies_allowed=False, with_attributes=True)
