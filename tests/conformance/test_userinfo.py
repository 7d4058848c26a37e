"""The Basic plan, and Form Post with it: which claims come where, and in which ways user info may be asked for."""

from __future__ import annotations

import pytest
import requests

from tests.conformance import answers
from tests.conformance.plans import module
from tests.conformance.relying_party import Person, RelyingParty

#: OpenID Connect Core 1.0 section 5.4: scope -> claim -> its type (section 5.1).
OPENED: dict[str, dict[str, type]] = {
    "profile": {
        **dict.fromkeys(
            ("name", "family_name", "given_name", "middle_name", "nickname", "preferred_username", "profile",
             "picture", "website", "gender", "birthdate", "zoneinfo", "locale"), str
        ),
        "updated_at": int,
    },
    "email": {"email": str, "email_verified": bool},
    "address": {"address": dict},
    "phone": {"phone_number": str, "phone_number_verified": bool},
}  # fmt: skip


@module("oidcc-userinfo-get")
def test_oidcc_userinfo_get(person: Person, party: RelyingParty) -> None:
    party.userinfo(party.sign_in(person), "get")


@module("oidcc-userinfo-post-header")
def test_oidcc_userinfo_post_header(person: Person, party: RelyingParty) -> None:
    party.userinfo(party.sign_in(person), "post")


@module("oidcc-userinfo-post-body")
def test_oidcc_userinfo_post_body(person: Person, party: RelyingParty) -> None:
    party.userinfo(party.sign_in(person), "body")


def _check_scopes(person: Person, party: RelyingParty, *scopes: str) -> None:
    tokens = party.sign_in(person, scope=" ".join(("openid", *scopes)))
    answers.nobody_described(tokens["claims"])
    told = party.userinfo(tokens)
    expected = {claim: kind for scope in scopes for claim, kind in OPENED[scope].items()}
    assert {claim: type(value) for claim, value in told.items()} == {"sub": str, **expected}


@module("oidcc-scope-profile")
def test_oidcc_scope_profile(described: Person, party: RelyingParty) -> None:
    _check_scopes(described, party, "profile")


@module("oidcc-scope-email")
def test_oidcc_scope_email(described: Person, party: RelyingParty) -> None:
    _check_scopes(described, party, "email")


@module("oidcc-scope-address")
def test_oidcc_scope_address(described: Person, party: RelyingParty) -> None:
    _check_scopes(described, party, "address")


@module("oidcc-scope-phone")
def test_oidcc_scope_phone(described: Person, party: RelyingParty) -> None:
    _check_scopes(described, party, "phone")


@module("oidcc-scope-all")
def test_oidcc_scope_all(described: Person, party: RelyingParty) -> None:
    _check_scopes(described, party, *OPENED)


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
