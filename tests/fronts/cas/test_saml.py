"""POST /cas/samlValidate: SAML 1.1, as mod_auth_cas, phpCAS and the Java clients ask (CAS 3.0.3 section 4.2)."""

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.fronts.cas.validating import NO_SUCH_TICKET, Service, add
from tests.support.oidc_site import built_of

ARCHIVE = "https://archive.example.org/"
PLAIN = "http://127.0.0.1:8089/"
P, A = "{urn:oasis:names:tc:SAML:1.0:protocol}", "{urn:oasis:names:tc:SAML:1.0:assertion}"
QUESTION = """<?xml version="1.0" encoding="UTF-8"?>
<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://schemas.xmlsoap.org/soap/envelope/"><SOAP-ENV:Header/><SOAP-ENV:Body>
<samlp:Request xmlns:samlp="urn:oasis:names:tc:SAML:1.0:protocol" MajorVersion="1" MinorVersion="1"
 RequestID="_question" IssueInstant="2026-01-01T00:00:00Z"><samlp:AssertionArtifact>
 {ticket}
</samlp:AssertionArtifact></samlp:Request></SOAP-ENV:Body></SOAP-ENV:Envelope>"""


@pytest.fixture(scope="session")
def site(shared_app: Flask) -> Service:
    return add(shared_app, "archive", ARCHIVE)


def ask(site: Service, ticket: str = "", *, body: str = QUESTION, **params: str) -> TestResponse:
    calls = site.app.test_client(use_cookies=False)
    data = body.replace("{ticket}", ticket).encode()
    return calls.post("/cas/samlValidate", query_string=params, data=data, content_type="text/xml")


def denied(answer: TestResponse) -> str:
    """The words of a refusal."""
    assert (answer.status_code, answer.mimetype) == (200, "text/xml")
    root = ET.fromstring(answer.get_data())
    status = root.find(f".//{P}StatusCode")
    assert status is not None
    assert status.attrib["Value"] == "samlp:RequestDenied"
    assert root.find(f".//{A}Assertion") is None
    return root.findtext(f".//{P}StatusMessage") or ""


def test_a_good_ticket_names_the_person_with_attributes_in_the_order_that_clients_count_on(site: Service) -> None:
    session = site.session()
    answer = ask(site, site.ticket(session), TARGET=ARCHIVE)
    assert (answer.status_code, answer.mimetype, answer.headers["Cache-Control"]) == (200, "text/xml", "no-store")
    root = ET.fromstring(answer.get_data())
    header, body = root
    (response,) = body
    status, assertion = response
    assert (root.tag, header.tag) == tuple(
        f"{{http://schemas.xmlsoap.org/soap/envelope/}}{n}" for n in ("Envelope", "Header")
    )
    assert (response.attrib["InResponseTo"], response.attrib["Recipient"]) == ("_question", ARCHIVE)
    assert status[0].attrib["Value"] == "samlp:Success"
    assert 'xmlns:samlp="urn:oasis:names:tc:SAML:1.0:protocol"' in answer.text
    conditions, attributes, statement = assertion
    assert [one.tag for one in assertion] == [f"{A}Conditions", f"{A}AttributeStatement", f"{A}AuthenticationStatement"]
    now = datetime.now(UTC)
    from_, until = (datetime.fromisoformat(conditions.attrib[name]) for name in ("NotBefore", "NotOnOrAfter"))
    assert from_ <= now < until < now + timedelta(minutes=5)
    assert conditions.findtext(f".//{A}Audience") == ARCHIVE
    for part in (attributes, statement):
        assert part[0].findtext(f"{A}NameIdentifier") == "alice"
    told = {one.attrib["AttributeName"]: [value.text for value in one] for one in attributes.iterfind(f"{A}Attribute")}
    assert (told["groups"], told["email"]) == (["staff"], ["alice@example.com"])
    assert told["longTermAuthenticationRequestTokenUsed"] == ["false"]


def test_whoever_asks_so_is_a_participant_whose_session_is_named_by_the_ticket(site: Service) -> None:
    session = site.session()
    ticket = site.ticket(session)
    ask(site, ticket, TARGET=ARCHIVE)
    (one,) = built_of(site.app).session_stores.lists.participants(session.sid)
    assert (one.client_id, one.kind, one.store_id) == ("archive", "cas", ticket)


def test_a_site_in_the_clear_hears_the_name_alone(site: Service) -> None:
    plain = add(site.app, "plain", PLAIN)
    root = ET.fromstring(ask(plain, plain.ticket(), TARGET=PLAIN).get_data())
    assert root.findtext(f".//{A}NameIdentifier") == "alice"
    assert root.find(f".//{A}Attribute") is None


def test_the_ticket_is_good_once_and_for_its_service(site: Service) -> None:
    ticket = site.ticket()
    assert "INVALID_SERVICE" in denied(ask(site, ticket, TARGET=ARCHIVE + "x"))
    assert "INVALID_TICKET" in denied(ask(site, ticket, TARGET=ARCHIVE))
    assert "INVALID_TICKET" in denied(ask(site, NO_SUCH_TICKET, TARGET=ARCHIVE))


def test_with_renew_only_a_password_typed_for_it_is_good(site: Service) -> None:
    assert "INVALID_TICKET" in denied(ask(site, site.ticket(fresh=False), TARGET=ARCHIVE, renew="true"))


@pytest.mark.parametrize("wrong", [{}, {"target": ARCHIVE}, {"Target": ARCHIVE}, {"service": ARCHIVE}])
def test_without_target_in_capitals_it_is_an_invalid_request(site: Service, wrong: dict[str, str]) -> None:
    ticket = site.ticket()
    assert "INVALID_REQUEST" in denied(ask(site, ticket, **wrong))
    assert ET.fromstring(ask(site, ticket, TARGET=ARCHIVE).get_data()).find(f".//{A}Assertion") is not None


@pytest.mark.parametrize(
    "body",
    [
        "",
        "not xml",
        "<a/>",
        QUESTION.replace("AssertionArtifact", "Artifact"),
        QUESTION.replace("SAML:1.0:protocol", "SAML:2.0:protocol"),
        "<r xmlns='urn:oasis:names:tc:SAML:1.0:protocol'><AssertionArtifact/><AssertionArtifact/></r>",
        "<!DOCTYPE x [<!ENTITY a 'ST-1'>]>" + QUESTION.split("?>", 1)[1].replace("{ticket}", "&a;"),
        "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><x>&a;</x>",
        "<?xml version='1.0' encoding='klingon'?><x/>",
        "<!DOCTYPE x>" + QUESTION.split("?>", 1)[1],
    ],
)
def test_what_is_no_question_is_an_invalid_request_and_entities_are_not_read(site: Service, body: str) -> None:
    said = denied(ask(site, site.ticket(), body=body, TARGET=ARCHIVE))
    assert "INVALID_REQUEST" in said
    assert "root" not in said


def test_a_question_with_a_document_type_is_refused_though_it_names_no_entity(site: Service) -> None:
    ticket = site.ticket()
    assert "INVALID_REQUEST" in denied(
        ask(site, ticket, body=QUESTION.replace("?>", "?><!DOCTYPE x>", 1), TARGET=ARCHIVE)
    )
    assert site.validate(ticket).user == "alice"


def test_too_large_a_body_is_an_invalid_request(site: Service) -> None:
    assert "INVALID_REQUEST" in denied(ask(site, body="<a>" + "x" * 200_000 + "</a>", TARGET=ARCHIVE))


def test_it_is_only_for_posts(site: Service) -> None:
    assert site.ask("/cas/samlValidate", TARGET=ARCHIVE, ticket=site.ticket()).status_code == 405
