"""`format=JSON`: the same answers as objects (CAS 3.0.3 sections 2.5.1 and 2.5.2)."""

from typing import Any

import pytest
from flask import Flask

from tests.fronts.cas.validating import ENDPOINTS, NO_SUCH_TICKET, Service, add

PRESS = "https://press.example.org/"


@pytest.fixture(scope="session")
def site(shared_app: Flask) -> Service:
    return add(shared_app, "press", PRESS)


def said(site: Service, path: str, **params: str) -> Any:
    answer = site.ask(path, **params)
    assert (answer.status_code, answer.mimetype, answer.headers["Cache-Control"]) == (
        200,
        "application/json",
        "no-store",
    )
    return answer.get_json()["serviceResponse"]


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("wanted", ["JSON", "json"])
def test_a_good_ticket_names_the_person(site: Service, path: str, wanted: str) -> None:
    answer = said(site, path, service=PRESS, ticket=site.ticket(), format=wanted)["authenticationSuccess"]
    assert answer["user"] == "alice"
    assert ("attributes" in answer) == path.startswith("/cas/p3/")


def test_each_attribute_is_a_list_and_what_is_true_or_false_is_so(site: Service) -> None:
    attributes = said(site, "/cas/p3/serviceValidate", service=PRESS, ticket=site.ticket(), format="JSON")[
        "authenticationSuccess"
    ]["attributes"]
    assert all(isinstance(values, list) for values in attributes.values())
    assert (attributes["isFromNewLogin"], attributes["groups"]) == ([True], ["staff"])
    assert attributes["longTermAuthenticationRequestTokenUsed"] == [False]


@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_failure_has_code_and_description(site: Service, path: str) -> None:
    failure = said(site, path, service=PRESS, ticket=NO_SUCH_TICKET, format="JSON")["authenticationFailure"]
    assert (failure["code"], failure["description"]) == ("INVALID_TICKET", "There is no such ticket.")
    missing = said(site, path, service=PRESS, format="JSON")["authenticationFailure"]
    assert missing["code"] == "INVALID_REQUEST"


@pytest.mark.parametrize("wanted", ["XML", "xml", ""])
def test_xml_can_be_asked_for_and_is_the_answer_to_whoever_asks_for_nothing(site: Service, wanted: str) -> None:
    assert site.validate(site.ticket(), format=wanted).user == "alice"


@pytest.mark.parametrize("wanted", ["YAML", "JSONP", "text/xml"])
def test_another_format_is_an_invalid_request(site: Service, wanted: str) -> None:
    assert site.validate(site.ticket(), format=wanted).code == "INVALID_REQUEST"


def test_a_proxy_ticket_and_a_refusal_of_one_come_as_json(site: Service) -> None:
    failure = said(site, "/cas/proxy", pgt="PGT-1", targetService=PRESS, format="JSON")["proxyFailure"]
    assert failure["code"] == "INVALID_TICKET"


def test_whoever_asks_for_json_reads_no_failure_in_another_form(site: Service) -> None:
    calls = site.app.test_client(use_cookies=False)
    twice = calls.get(f"/cas/serviceValidate?service={PRESS}&service={PRESS}&ticket={NO_SUCH_TICKET}&format=JSON")
    too_large = calls.post("/cas/p3/serviceValidate?format=json", data={"service": "x" * 200_000})
    for answer in (twice, too_large):
        assert answer.get_json()["serviceResponse"]["authenticationFailure"]["code"] == "INVALID_REQUEST"
    form = {"service": [PRESS, PRESS], "ticket": NO_SUCH_TICKET, "format": "JSON"}
    assert calls.post("/cas/serviceValidate", data=form).mimetype == "application/json"
    assert calls.get("/cas/serviceValidate?format=JSON&format=XML").mimetype == "application/xml"
