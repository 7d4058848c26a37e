"""POST /cas/samlValidate?TARGET=...: a ticket validated by a SAML 1.1 question (CAS 3.0.3 section 4.2)."""

from __future__ import annotations

from defusedxml import DefusedXmlException
from defusedxml import ElementTree as SafeElementTree
from flask import Blueprint, Response, request

from sso_server.core.errors import InvalidRequest
from sso_server.core.policy import MINUTE
from sso_server.fronts.cas.answering import answered, install_failures
from sso_server.fronts.cas.responses import Body, instant
from sso_server.fronts.cas.saml_answer import PROTOCOL, Frame, Statement, failure, success
from sso_server.fronts.cas.validation import Asked, Found, is_set, validate
from sso_server.web.params import MAX_BODY, read_all
from sso_server.web.services import services


def _denied(code: str, description: str, *, as_json: bool) -> Body:
    del as_json
    return failure(_frame(""), f"{code}: {description}")


blueprint = Blueprint("cas_saml_validate", __name__)
install_failures(blueprint, _denied)


@blueprint.post("/cas/samlValidate", strict_slashes=False)
def saml_validate() -> Response:
    """The address names the service, the body the ticket."""

    def answer(values: dict[str, str], as_json: bool) -> Body:
        del as_json
        if "TARGET" not in values:
            raise InvalidRequest("TARGET: required, and not there.")
        ticket, request_id = read_question(request.get_data())
        asked = Asked(
            values["TARGET"], ticket, is_set(values, "renew"), authorization=request.headers.get("Authorization")
        )
        return success(_frame(request_id), _statement(validate(asked, proxies_allowed=False), asked.service))

    request.max_content_length = MAX_BODY
    return answered(answer, _denied, formats=False, read=lambda: read_all(request.args))


def read_question(body: bytes) -> tuple[str, str]:
    """The ticket and the id of the question. Raises InvalidRequest; nothing outside the document is read."""
    try:
        root = SafeElementTree.fromstring(body, forbid_dtd=True)
    except (SafeElementTree.ParseError, DefusedXmlException, ValueError, LookupError):
        # LookupError: an encoding that there isn't.
        raise InvalidRequest("The body is not the XML of a SAML request.") from None
    artifacts = list(root.iter(f"{{{PROTOCOL}}}AssertionArtifact"))
    if len(artifacts) != 1:
        raise InvalidRequest("The body has not one AssertionArtifact.")
    ids = [one.get("RequestID", "") for one in root.iter(f"{{{PROTOCOL}}}Request")]
    return (artifacts[0].text or "").strip(), next(iter(ids), "")[:256]


def _frame(request_id: str) -> Frame:
    target = request.args.get("TARGET", "")
    return Frame(services().randomness.token("response"), request_id, target, services().clock.now())


def _statement(found: Found, target: str) -> Statement:
    about = found.about
    attributes = {
        "authenticationDate": [instant(about.authenticated_at)],
        "longTermAuthenticationRequestTokenUsed": [str(about.remembered).lower()],
        "isFromNewLogin": [str(about.fresh).lower()],
        **found.attributes,
    }
    # Section 4.2.1: no attributes for a site that is called in the clear.
    is_tls = target.lower().startswith("https://")
    return Statement(
        services().randomness.token("assertion"),
        services().policy.issuer,
        found.user.username,
        about.authenticated_at,
        # For whoever has the ticket now; the local session's life is the site's own.
        services().clock.now() + MINUTE,
        attributes if is_tls else {},
    )
