"""The Basic plan, and Form Post with it: the whole way, codes that are used again, and refreshing."""

from __future__ import annotations

import jwt
import pytest
import requests

from tests.conformance import answers
from tests.conformance.conftest import ONE, SECRET
from tests.conformance.plans import module
from tests.conformance.relying_party import Person, RelyingParty
from tests.support.centre import Centre


@module(
    "oidcc-server", more=("COM-01", "COM-02", "COM-04", "COM-05", "COM-06", "COM-07", "COM-09", "COM-10", "line-69")
)
def test_oidcc_server(person: Person, party: RelyingParty, other: RelyingParty) -> None:
    for site in (party, other):
        tokens = site.sign_in(person)
        answers.nobody_described(tokens["claims"])
        site.userinfo(tokens)
    assert person.asked == 1


@module("oidcc-server")
def test_oidcc_server_for_a_public_client(person: Person, public: RelyingParty) -> None:
    tokens = public.sign_in(person)
    public.userinfo(tokens)


@module("oidcc-server-client-secret-post")
def test_oidcc_server_client_secret_post(person: Person, party: RelyingParty) -> None:
    party.in_form = True
    party.userinfo(party.sign_in(person))


@module("oidcc-idtoken-signature", more=("oidcc-idtoken-rs256", "line-79"))
def test_oidcc_idtoken_signature(person: Person, party: RelyingParty) -> None:
    header = jwt.get_unverified_header(party.sign_in(person)["id_token"])
    assert header["alg"] == "RS256"
    assert header["kid"]


@module("oidcc-ensure-request-with-valid-pkce-succeeds")
def test_oidcc_ensure_request_with_valid_pkce_succeeds(person: Person, party: RelyingParty) -> None:
    party.uses_pkce = True
    party.sign_in(person)


@module("oidcc-ensure-request-without-nonce-succeeds-for-code-flow")
def test_oidcc_ensure_request_without_nonce_succeeds_for_code_flow(person: Person, party: RelyingParty) -> None:
    assert "nonce" not in party.sign_in(person, nonce=None)["claims"]


@module("oidcc-codereuse", more=("line-8",))
def test_oidcc_codereuse(person: Person, party: RelyingParty) -> None:
    code = party.code(person)
    party.redeem(code)
    again = party.try_code(code)
    assert (again.status_code, answers.refusal(again)) == (400, "invalid_grant")


@module("oidcc-codereuse", more=("line-8", "line-34"))
def test_what_came_of_a_code_that_is_used_again_works_no_more(person: Person, party: RelyingParty) -> None:
    code = party.code(person)
    tokens = party.redeem(code)
    party.try_code(code)
    refreshed = party.post("token_endpoint", grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert answers.refusal(refreshed) == "invalid_grant"
    with pytest.raises(AssertionError, match="invalid_token"):
        party.userinfo(tokens)


@module("oidcc-refresh-token", more=("line-17", "line-80"))
def test_oidcc_refresh_token(person: Person, party: RelyingParty, other: RelyingParty) -> None:
    first = party.sign_in(person)
    again = party.refresh(first["refresh_token"])
    kept = ("iss", "sub", "aud", "auth_time")
    assert [again["claims"][name] for name in kept] == [first["claims"][name] for name in kept]
    assert again["claims"].get("azp") == first["claims"].get("azp")
    assert again["refresh_token"] != first["refresh_token"]
    party.userinfo(again)

    stolen = other.post("token_endpoint", grant_type="refresh_token", refresh_token=again["refresh_token"])
    assert answers.refusal(stolen) == "invalid_grant"


@module("oidcc-refresh-token")
def test_a_refresh_without_the_secret_is_refused(person: Person, party: RelyingParty) -> None:
    token = party.sign_in(person)["refresh_token"]
    stranger = RelyingParty(party.issuer, ONE, SECRET + "x")
    answer = stranger.post("token_endpoint", grant_type="refresh_token", refresh_token=token)
    assert (answer.status_code, answers.refusal(answer)) == (401, "invalid_client")


@pytest.mark.covers("COM-03", "COM-05")
def test_codes_and_tokens_cannot_be_guessed(person: Person, party: RelyingParty) -> None:
    found = []
    for _ in range(5):
        code = party.code(person)
        tokens = party.redeem(code)
        found += [code, tokens["access_token"], tokens["refresh_token"]]
    # What is the same in all of a kind is a name, and no secret: only the rest counts.
    for kind in range(3):
        same = found[kind::3]
        tails = [text.rpartition("-")[2] for text in same]
        assert len(set(tails)) == len(tails)
        assert all(answers.entropy(tail) > 96 and len(tail) * 5 >= 128 for tail in tails), tails


@module("oidcc-idtoken-unsigned", more=("line-79",))
def test_oidcc_idtoken_unsigned(suite_centre: Centre, party: RelyingParty, mode: str) -> None:
    token = suite_centre.cli("registration", "add", f"unsigned-{mode or 'query'}")["token"]
    members = {"redirect_uris": [party.redirect_uri], "id_token_signed_response_alg": "none"}
    answer = requests.post(
        party.metadata["registration_endpoint"],
        json=members,
        headers={"Authorization": f"Bearer {token}"},
        timeout=10,
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")
