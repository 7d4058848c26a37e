"""The Basic plan, and Form Post with it: which claims come where, and in which ways user info may be asked for."""

from __future__ import annotations

import pytest
import requests

from tests.conformance import answers
from tests.conformance.plans import module
from tests.conformance.relying_party import Person, RelyingParty


@module("oidcc-userinfo-get")
def test_oidcc_userinfo_get(person: Person, party: RelyingParty) -> None:
    party.userinfo(party.sign_in(person), "get")


@module("oidcc-userinfo-post-header")
def test_oidcc_userinfo_post_header(person: Person, party: RelyingParty) -> None:
    party.userinfo(party.sign_in(person), "post")


@module("oidcc-userinfo-post-body")
def test_oidcc_userinfo_post_body(person: Person, party: RelyingParty) -> None:
    party.userinfo(party.sign_in(person), "body")


@pytest.mark.covers("COM-09", "line-20", "line-21")
def test_a_bad_token_is_401_and_no_token_is_told_apart(person: Person, party: RelyingParty) -> None:
    address, token = party.metadata["userinfo_endpoint"], party.sign_in(person)["access_token"]
    none = requests.get(address, timeout=10)
    assert none.status_code == 401
    assert none.headers["WWW-Authenticate"].startswith("Bearer")
    assert "error=" not in none.headers["WWW-Authenticate"].partition(",")[0]
    in_the_address = requests.get(address, params={"access_token": token}, timeout=10)
    assert in_the_address.status_code == 401
    bad = requests.get(address, headers={"Authorization": f"Bearer {token}x"}, timeout=10)
    assert bad.status_code == 401
    challenges = bad.headers["WWW-Authenticate"]
    assert challenges.startswith("Bearer")
    assert 'error="invalid_token"' in challenges
    answers.userinfo(
        requests.get(address, headers={"Authorization": f"bearer {token}"}, timeout=10),
        party.sign_in(person)["claims"]["sub"],
    )
