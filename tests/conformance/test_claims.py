"""The Basic plan, and Form Post with it: each scope opens its claims at user info, of the right types, and no ID token
describes anybody."""

from __future__ import annotations

import re
from typing import Any

import pytest

from sso_server.core.accounts import Changes
from tests.conformance import answers
from tests.conformance.plans import module
from tests.conformance.relying_party import Person, RelyingParty
from tests.support.centre import Centre

PROFILE = {
    "name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture",
    "website", "gender", "birthdate", "zoneinfo", "locale", "updated_at",
}  # fmt: skip
EMAIL = {"email", "email_verified"}
PHONE = {"phone_number", "phone_number_verified"}
GIVEN = {
    "given_name": "Ada", "family_name": "Lovelace", "middle_name": "King", "nickname": "Countess", "gender": "female",
    "profile": "https://people.example.com/ada", "picture": "https://people.example.com/ada.png",
    "website": "https://ada.example.com/", "birthdate": "1815-12-10", "zoneinfo": "Europe/London",
    "phone_number": "+44 20 7946 0000", "phone_number_verified": "true", "address": "12 St James's Square\nLondon",
    "address.locality": "London", "address.country": "United Kingdom",
}  # fmt: skip


@pytest.fixture
def person(suite_centre: Centre, person: Person) -> Person:
    """Somebody of whom everything is known."""
    with suite_centre.core() as built:
        known = Changes(email_verified=True, locale="en-GB", claims=GIVEN)
        built.services.accounts.update(person.username, known, actor="test")
    return person


def told(person: Person, party: RelyingParty, scope: str) -> dict[str, Any]:
    """User info under this scope, its types checked; the ID token has none of it."""
    tokens = party.sign_in(person, scope=scope)
    answers.nobody_described(tokens["claims"])
    found = party.userinfo(tokens)
    del found["sub"]
    for name, value in found.items():
        if name in ("email_verified", "phone_number_verified"):
            assert isinstance(value, bool), name
        elif name == "updated_at":
            assert type(value) is int, "a JSON number of seconds"
            assert 1_700_000_000 < value < 5_000_000_000
        elif name == "address":
            assert all(isinstance(part, str) and part for part in value.values())
        else:
            assert isinstance(value, str), name
            assert value, name
    return found


@module("oidcc-scope-profile", more=("COM-10",))
def test_oidcc_scope_profile(person: Person, party: RelyingParty) -> None:
    found = told(person, party, "openid profile")
    assert set(found) == PROFILE
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", found["birthdate"])
    assert (found["given_name"], found["zoneinfo"], found["locale"]) == ("Ada", "Europe/London", "en-GB")


@module("oidcc-scope-email")
def test_oidcc_scope_email(person: Person, party: RelyingParty) -> None:
    found = told(person, party, "openid email")
    assert found == {"email": f"{person.username}@example.com", "email_verified": True}


@module("oidcc-scope-address")
def test_oidcc_scope_address(person: Person, party: RelyingParty) -> None:
    (address,) = told(person, party, "openid address").values()
    assert address == {
        "formatted": "12 St James's Square\nLondon", "locality": "London", "country": "United Kingdom"
    }  # fmt: skip


@module("oidcc-scope-phone")
def test_oidcc_scope_phone(person: Person, party: RelyingParty) -> None:
    found = told(person, party, "openid phone")
    assert found == {"phone_number": "+44 20 7946 0000", "phone_number_verified": True}


@module("oidcc-scope-all", more=("COM-10",))
def test_oidcc_scope_all(person: Person, party: RelyingParty) -> None:
    assert set(told(person, party, "openid profile email address phone")) == PROFILE | EMAIL | PHONE | {"address"}


def test_what_discovery_names_is_what_there_is(person: Person, party: RelyingParty) -> None:
    offered = set(party.metadata["claims_supported"])
    assert offered >= PROFILE | EMAIL | PHONE | {"address", "sub", "acr", "auth_time"}
    assert {"profile", "email", "address", "phone"} <= set(party.metadata["scopes_supported"])
    assert party.metadata["claims_parameter_supported"] is True
    assert set(party.sign_in(person)["claims"]) <= offered
