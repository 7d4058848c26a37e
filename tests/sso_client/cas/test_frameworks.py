"""Signing in at another CAS server, and out again, is the same in every framework."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from sso_client.testing.page import Page
from tests.support.all_sites import FORM, AnySite, Visitor
from tests.support.fake_cas import FakeCas

OPENED = ["ticket_validated", "session_opened"]
CALLBACK = "/sso/callback"


def sign_in(visitor: Visitor, cas: FakeCas, path: str = "/account", user: str = "alice", *, fresh: bool = True) -> str:
    """The whole way round; returns the ticket."""
    back = cas.sign_in(visitor.start(path), user, fresh=fresh)
    answer = visitor.get(path_of(back))
    assert (answer.status, answer.location) == (302, path), answer.text
    return parse_qs(urlsplit(back).query)["ticket"][0]


def path_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def call(site: AnySite, path: str, body: bytes) -> Page:
    return site.send("POST", path, body, {"Content-Type": FORM})


def test_a_guarded_page_leads_to_the_server_and_back(site: AnySite, alice: Visitor, cas: FakeCas) -> None:
    sign_in(alice, cas)
    page = alice.get("/account")
    assert (page.text, page.header("Cache-Control")) == ("Hi Alice Example", "no-store")
    assert site.events() == OPENED
    me = json.loads(alice.get("/sso/me").text)
    assert (me["sub"], me["email"], me["groups"]) == ("alice", "alice@example.org", ["staff"])
    assert alice.get("/staff").text == "staff only"


@pytest.mark.parametrize("path", [CALLBACK, f"{CALLBACK}?state=whatever", "/sso/backchannel-logout"])
def test_a_logout_request_ends_the_session_and_tells_the_site(
    path: str, site: AnySite, alice: Visitor, cas: FakeCas
) -> None:
    ticket = sign_in(alice, cas)
    bob = site.visitor()
    sign_in(bob, cas, user="bob")
    told = call(site, path, cas.logout_form(ticket))
    assert (told.status, told.header("Cache-Control")) == (200, "no-store")
    assert (alice.is_in(), bob.is_in()) == (False, True)
    assert site.ended == [("alice", "logout_received")]
    assert call(site, path, cas.logout_form(ticket)).status == 200, "a repeat ends nothing more"
    assert len(site.ended) == 1


def test_a_logout_request_that_overtakes_the_sign_in_keeps_the_session_from_being_opened(
    site: AnySite, alice: Visitor, cas: FakeCas
) -> None:
    back = cas.sign_in(alice.start())
    ticket = parse_qs(urlsplit(back).query)["ticket"][0]
    assert call(site, CALLBACK, cas.logout_form(ticket)).status == 200
    answer = alice.get(path_of(back))
    assert (answer.location or "").startswith("/sso/login?"), "it starts again, once"
    assert not alice.is_in()
    assert site.events() == ["ticket_validated", "session_refused"]


def test_what_is_no_logout_request_ends_nothing(site: AnySite, alice: Visitor, cas: FakeCas) -> None:
    sign_in(alice, cas)
    for body in (b"", b"logoutRequest=", b"logoutRequest=%3Ca%2F%3E", b"logout_token=x.y.z", b"x" * 100_000):
        answer = call(site, CALLBACK, body)
        assert (answer.status, json.loads(answer.text)["error"]) == (400, "invalid_request")
    assert alice.is_in()


def test_a_form_signs_out_here_and_leads_to_the_server(site: AnySite, alice: Visitor, cas: FakeCas) -> None:
    sign_in(alice, cas)
    proof = alice.get("/form").text
    out = alice.post("/sso/logout", {"logout_form": proof})
    assert (out.status, out.location) == (303, f"{cas.url}/logout")
    assert not alice.is_in()
    assert site.ended == [("alice", "signed_out_here")]


def test_a_page_that_wants_a_fresh_sign_in_has_the_password_asked_for_again(
    site: AnySite, alice: Visitor, cas: FakeCas
) -> None:
    sign_in(alice, cas, fresh=False)
    asked = alice.start("/fresh")
    assert parse_qs(urlsplit(asked).query)["renew"] == ["true"]
    refused = alice.get(path_of(cas.sign_in(asked, fresh=False)))
    assert "auth_too_old" in refused.text
    sign_in(alice, cas, "/fresh")
    assert alice.get("/fresh").text == "fresh"
    assert "renew=true" in cas.calls[-1], "the server is asked whether it did"


def test_what_cas_has_no_word_for_says_so(alice: Visitor, cas: FakeCas) -> None:
    sign_in(alice, cas)
    assert "not_in_cas" in alice.get("/token").text
    refused = alice.get("/api/me", Authorization="Bearer x", Accept="application/json")
    assert (refused.status, json.loads(refused.text)["error"]) == (500, "not_in_cas")
