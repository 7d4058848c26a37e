"""The SAML 1.1 answer of /cas/samlValidate, in a SOAP envelope (CAS 3.0.3 section 4.2.5). Pure.

The order of the elements is what clients count on that go by position: Status before Assertion, Conditions first in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.etree import ElementTree as ET

from sso_server.core.records import record
from sso_server.fronts.cas.responses import Body, allowed, instant

_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
PROTOCOL, ASSERTION = "urn:oasis:names:tc:SAML:1.0:protocol", "urn:oasis:names:tc:SAML:1.0:assertion"
_ATTRIBUTES = "http://www.ja-sig.org/products/cas/"
_ARTIFACT, _PASSWORD = "urn:oasis:names:tc:SAML:1.0:cm:artifact", "urn:oasis:names:tc:SAML:1.0:am:password"

for _prefix, _namespace in (("SOAP-ENV", _SOAP), ("samlp", PROTOCOL), ("saml", ASSERTION)):
    ET.register_namespace(_prefix, _namespace)


@record
class Frame:
    """What every answer carries. `now` in ms."""

    response_id: str
    request_id: str
    """Empty if the question couldn't be read."""
    target: str
    now: int


@record
class Statement:
    """A ticket was good. Times in ms."""

    assertion_id: str
    issuer: str
    user: str
    authenticated_at: int
    good_until: int
    attributes: Mapping[str, Sequence[str]]


def success(frame: Frame, said: Statement) -> Body:
    """Who it is."""
    envelope, response = _response(frame, "Success")
    about = {"AssertionID": said.assertion_id, "IssueInstant": instant(frame.now), "Issuer": said.issuer}
    assertion = _add(response, ASSERTION, "Assertion", {"MajorVersion": "1", "MinorVersion": "1", **about})
    times = {"NotBefore": instant(frame.now), "NotOnOrAfter": instant(said.good_until)}
    restriction = _add(_add(assertion, ASSERTION, "Conditions", times), ASSERTION, "AudienceRestrictionCondition")
    _add(restriction, ASSERTION, "Audience", text=frame.target)
    if said.attributes:
        statement = _add(assertion, ASSERTION, "AttributeStatement")
        _add_subject(statement, said.user)
        for name, values in said.attributes.items():
            named = {"AttributeName": name, "AttributeNamespace": _ATTRIBUTES}
            attribute = _add(statement, ASSERTION, "Attribute", named)
            for value in values:
                _add(attribute, ASSERTION, "AttributeValue", text=value)
    how = {"AuthenticationInstant": instant(said.authenticated_at), "AuthenticationMethod": _PASSWORD}
    _add_subject(_add(assertion, ASSERTION, "AuthenticationStatement", how), said.user)
    return _body(envelope)


def failure(frame: Frame, description: str) -> Body:
    """Why it isn't good."""
    envelope, _ = _response(frame, "RequestDenied", description)
    return _body(envelope)


def _response(frame: Frame, status: str, message: str = "") -> tuple[ET.Element, ET.Element]:
    envelope = ET.Element(f"{{{_SOAP}}}Envelope")
    _add(envelope, _SOAP, "Header")
    about = {"ResponseID": frame.response_id, "IssueInstant": instant(frame.now), "Recipient": frame.target}
    if frame.request_id:
        about["InResponseTo"] = allowed(frame.request_id)
    body = _add(envelope, _SOAP, "Body")
    response = _add(body, PROTOCOL, "Response", {"MajorVersion": "1", "MinorVersion": "1", **about})
    told = _add(response, PROTOCOL, "Status")
    # A qualified name; clients compare the text, with this prefix in it.
    _add(told, PROTOCOL, "StatusCode", {"Value": f"samlp:{status}"})
    if message:
        _add(told, PROTOCOL, "StatusMessage", text=message)
    return envelope, response


def _add_subject(statement: ET.Element, user: str) -> None:
    subject = _add(statement, ASSERTION, "Subject")
    _add(subject, ASSERTION, "NameIdentifier", text=user)
    confirmation = _add(subject, ASSERTION, "SubjectConfirmation")
    _add(confirmation, ASSERTION, "ConfirmationMethod", text=_ARTIFACT)


def _add(
    parent: ET.Element, namespace: str, name: str, attributes: Mapping[str, str] | None = None, *, text: str = ""
) -> ET.Element:
    child = ET.SubElement(parent, f"{{{namespace}}}{name}", {k: allowed(v) for k, v in (attributes or {}).items()})
    child.text = allowed(text) or None
    return child


def _body(envelope: ET.Element) -> Body:
    return Body(ET.tostring(envelope, encoding="unicode"), "text/xml")
