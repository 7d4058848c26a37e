"""What CAS 3 tells of a person: each service what it may know, in XML that holds whatever people are called."""

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from flask import Flask

from sso_server.fronts.cas.responses import About, Success, success
from tests.fronts.cas.validating import Answer, Service, add
from tests.support.oidc_site import built_of

OURS = ["authenticationDate", "longTermAuthenticationRequestTokenUsed", "isFromNewLogin"]
STAFF = "https://staff.example.org/"
STRANGE = ("R&D <1>", "a\"b'c", "工作组", "tab\there", "]]>", "&amp;", "\U0001f600")


@pytest.fixture(scope="session")
def site(shared_app: Flask) -> Service:
    built = built_of(shared_app)
    user = built.services.accounts.add("zoë", "x" * 20, name='Zoë <b>&"', groups=STRANGE, actor="test")
    # No way of ours lets these in; a database that somebody else fills might.
    bad = replace(built.sql.users.find(user.user_id), name="a\x00b\x08c\ufffe\x1fd", username="carl")
    assert built.sql.users.add(replace(bad, user_id="usr-" + "c" * 32))
    return add(shared_app, "staff", STAFF)


def told(site: Service, username: str = "alice", *, fresh: bool = True, **session: object) -> Answer:
    return site.validate(site.ticket(site.session(username, **session), fresh=fresh), "/cas/p3/serviceValidate")


def test_the_first_three_say_when_and_how_the_person_signed_in(site: Service) -> None:
    attributes = told(site).attributes
    assert attributes is not None
    assert list(attributes)[:3] == OURS
    (when,), remembered, fresh = (attributes[name] for name in OURS)
    assert abs(datetime.fromisoformat(when) - datetime.now(UTC)).total_seconds() < 60
    assert when.endswith("Z")
    assert (remembered, fresh) == (["false"], ["true"])


def test_a_session_that_was_there_and_one_that_is_kept_are_flagged(site: Service) -> None:
    attributes = told(site, fresh=False, remembered=True).attributes
    assert attributes is not None
    assert [attributes[name] for name in OURS[1:]] == [["true"], ["false"]]


def test_without_a_list_of_its_own_a_service_hears_what_its_scopes_open(site: Service) -> None:
    attributes = told(site).attributes
    assert attributes is not None
    assert {name: values for name, values in attributes.items() if name not in OURS} == {
        "preferred_username": ["alice"],
        "name": ["Alice"],
        "email": ["alice@example.com"],
        "email_verified": ["false"],
        "groups": ["staff"],
    }


def test_a_service_with_a_list_hears_these_alone_under_its_own_names(site: Service) -> None:
    other = add(site.app, "short", "https://short.example.org/", cas_attributes=("email", "memberOf=groups", "uid=sub"))
    attributes = told(other).attributes
    assert attributes is not None
    assert list(attributes) == [*OURS, "email", "memberOf", "uid"]
    assert (attributes["memberOf"], attributes["email"]) == (["staff"], ["alice@example.com"])


def test_a_service_with_fewer_scopes_hears_less(site: Service) -> None:
    other = add(site.app, "little", "https://little.example.org/", scopes=("openid", "email"))
    attributes = told(other).attributes
    assert attributes is not None
    assert list(attributes) == [*OURS, "email", "email_verified"]


def test_many_values_are_many_elements_and_every_character_arrives(site: Service) -> None:
    answer = told(site, "zoë")
    assert answer.user == "zoë"
    assert answer.attributes is not None
    assert answer.attributes["groups"] == list(STRANGE)
    assert answer.attributes["name"] == ['Zoë <b>&"']


def test_characters_that_xml_forbids_are_left_out(site: Service) -> None:
    answer = told(site, "carl")
    assert answer.attributes is not None
    assert (answer.user, answer.attributes["name"]) == ("carl", ["abcd"])


def test_no_attributes_before_cas_3(site: Service) -> None:
    for path in ("/cas/serviceValidate", "/cas/proxyValidate"):
        assert site.validate(site.ticket(), path).attributes is None


def test_a_name_that_would_break_the_answer_or_replace_ours_is_not_said(site: Service) -> None:
    names = [*OURS, "a b", "a><x", "1st", "cas:user", ""]
    specs = (*(f"{name}=groups" for name in names), "email")
    attributes = told(add(site.app, "odd", "https://odd.example.org/", cas_attributes=specs)).attributes
    assert attributes is not None
    assert list(attributes) == [*OURS, "email"]
    assert "staff" not in {value for values in attributes.values() for value in values}


def test_an_answer_is_one_well_formed_document(site: Service) -> None:
    text = site.ask("/cas/p3/serviceValidate", service=STAFF, ticket=site.ticket(site.session("zoë"))).get_data()
    assert ET.fromstring(text).tag.endswith("serviceResponse")


def test_a_person_whose_name_xml_has_no_form_for_is_nobody_else(site: Service) -> None:
    """Only accounts from before such names were refused have one."""
    built = built_of(site.app)
    alice = built.sql.users.find_by_username("alice")
    assert alice is not None
    assert built.sql.users.add(replace(alice, user_id="usr-" + "f" * 32, username="alice\ufffe"))
    session = site.session("alice\ufffe")
    for path in ("/cas/serviceValidate", "/cas/p3/proxyValidate"):
        assert site.validate(site.ticket(session), path).code == "INTERNAL_ERROR"
    plain = site.ask("/cas/validate", service=STAFF, ticket=site.ticket(session))
    assert plain.text == "no\n"


def test_what_is_released_never_stands_in_the_place_of_our_own_three() -> None:
    found = Success("alice", About(0, False, False), {"isFromNewLogin": ["forged"], "9no": ["x"], "team": ["red"]})
    assert "forged" not in success(found).text
    attributes = json.loads(success(found, as_json=True).text)["serviceResponse"]["authenticationSuccess"]["attributes"]
    assert (list(attributes), attributes["isFromNewLogin"]) == ([*OURS, "team"], [False])
