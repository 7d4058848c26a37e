"""The Basic plan, and Form Post with it: what an authorization request may hold, and what comes of it."""

from __future__ import annotations

import json
import time

import jwt
import pytest

from tests.conformance.plans import module
from tests.conformance.relying_party import Person, RelyingParty
from tests.support.centre import wait_until


@module("oidcc-response-type-missing")
def test_oidcc_response_type_missing(person: Person, party: RelyingParty) -> None:
    fields = party.ask(person, response_type=None)
    assert fields is not None
    assert fields["error"] in ("invalid_request", "unsupported_response_type")


@pytest.mark.covers("oidcc-ensure-request-without-nonce-fails", "line-19", "line-36")
@pytest.mark.parametrize("response_type", ["id_token", "token", "id_token token", "code id_token", "code token"])
def test_nothing_but_a_code_is_given_by_the_browser(person: Person, party: RelyingParty, response_type: str) -> None:
    """An explicit mode, so that the answer stands where this site looks; without one it is in the fragment."""
    for nonce in (None, "n"):
        found = party.error(person, response_type=response_type, response_mode="query", nonce=nonce)
        assert found == "unsupported_response_type"


@module("oidcc-alternate-happy-flow")
def test_oidcc_alternate_happy_flow(person: Person, party: RelyingParty) -> None:
    usual = party.sign_in(person, scope="openid profile email")
    party.ask_with(person, dict(reversed(party.params(scope="email profile openid").items())))
    fields = party.ask_with(person, dict(reversed(party.params(scope="email profile openid").items())))
    assert fields is not None
    turned = party.redeem(fields["code"])
    assert party.userinfo(turned) == party.userinfo(usual)


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"display": "page"}, id="oidcc-display-page"),
        pytest.param({"display": "popup"}, id="oidcc-display-popup"),
        pytest.param({"extra": "foobar"}, id="oidcc-ensure-request-with-unknown-parameter-succeeds"),
        pytest.param({"login_hint": "somebody@example.com"}, id="oidcc-login-hint"),
        pytest.param({"ui_locales": "se"}, id="oidcc-ui-locales"),
        pytest.param({"ui_locales": "zh-CN en"}, id="oidcc-ui-locales-of-ours"),
        pytest.param({"claims_locales": "se"}, id="oidcc-claims-locales"),
    ],
)
@module(
    "oidcc-display-page",
    "oidcc-display-popup",
    "oidcc-ensure-request-with-unknown-parameter-succeeds",
    "oidcc-login-hint",
    "oidcc-ui-locales",
    "oidcc-claims-locales",
    more=("line-5",),
)
def test_a_request_may_hold(person: Person, party: RelyingParty, more: dict[str, str]) -> None:
    party.sign_in(person, **more)


@module("oidcc-ensure-post-request-succeeds")
def test_oidcc_ensure_post_request_succeeds(person: Person, party: RelyingParty) -> None:
    party.redeem(party.code(person, by_post=True))


@module("oidcc-prompt-login", more=("line-70",))
def test_oidcc_prompt_login(person: Person, party: RelyingParty) -> None:
    first = party.sign_in(person)["claims"]
    wait_until(lambda: int(time.time()) > first["auth_time"], why="the next second")
    again = party.sign_in(person, prompt="login")["claims"]
    assert person.asked == 2
    assert again["auth_time"] > first["auth_time"]
    assert again["sub"] == first["sub"]


@module("oidcc-prompt-none-not-logged-in", more=("line-70",))
def test_oidcc_prompt_none_not_logged_in(person: Person, party: RelyingParty) -> None:
    assert party.error(person, prompt="none") == "login_required"
    assert person.asked == 0


@module("oidcc-prompt-none-logged-in")
def test_oidcc_prompt_none_logged_in(person: Person, party: RelyingParty) -> None:
    first = party.sign_in(person)["claims"]
    silent = party.sign_in(person, prompt="none")["claims"]
    assert person.asked == 1
    assert (silent["sub"], silent["auth_time"]) == (first["sub"], first["auth_time"])


@module("oidcc-max-age-1", more=("line-71",))
def test_oidcc_max_age_1(person: Person, party: RelyingParty) -> None:
    first = party.sign_in(person)["claims"]
    wait_until(lambda: time.time() > first["auth_time"] + 2, why="the sign-in to be older than a second")
    again = party.sign_in(person, max_age="1")["claims"]
    assert person.asked == 2
    assert again["auth_time"] > first["auth_time"]


@module("oidcc-max-age-10000", more=("line-71",))
def test_oidcc_max_age_10000(person: Person, party: RelyingParty) -> None:
    first = party.sign_in(person)["claims"]
    again = party.sign_in(person, max_age="10000")["claims"]
    assert person.asked == 1
    assert again["auth_time"] == first["auth_time"]


@module("oidcc-id-token-hint")
def test_oidcc_id_token_hint(person: Person, party: RelyingParty) -> None:
    first = party.sign_in(person)
    silent = party.sign_in(person, prompt="none", id_token_hint=first["id_token"])
    assert person.asked == 1
    assert silent["claims"]["sub"] == first["claims"]["sub"]


@module("oidcc-ensure-registered-redirect-uri", more=("line-1", "line-30"))
def test_oidcc_ensure_registered_redirect_uri(person: Person, party: RelyingParty) -> None:
    for address in (f"{party.redirect_uri}/", "https://evil.example.com/cb", party.redirect_uri.upper(), None):
        assert party.ask(person, redirect_uri=address) is None
        assert person.page.status_code == 400
        assert (person.page.history, person.asked) == ([], 0)


@module("oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported", more=("line-73",))
def test_a_request_by_reference_is_refused_by_name(person: Person, party: RelyingParty) -> None:
    assert party.metadata.get("request_uri_parameter_supported", True) is False
    for reference in (f"{party.redirect_uri}/request.jwt", "urn:example:of-nobody"):
        assert party.error(person, request_uri=reference) == "request_uri_not_supported"


def _unsigned(**claims: object) -> str:
    return jwt.encode(dict(claims), "", algorithm="none")


@module("oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported", more=("line-73",))
def test_an_unsigned_request_object_is_never_passed_over(person: Person, party: RelyingParty) -> None:
    params = party.params()
    request = _unsigned(**params, iss=party.client_id, aud=party.issuer)
    error = party.error(person, state=params["state"], nonce=params["nonce"], request=request)
    assert error in ("request_not_supported", "invalid_request_object")


@module("oidcc-ensure-request-object-with-redirect-uri")
def test_a_redirect_uri_inside_an_unsigned_object_leads_nowhere(person: Person, party: RelyingParty) -> None:
    """Of a signed one it is the address that counts: that is shown where request objects are tested."""
    request = _unsigned(**party.params(redirect_uri="https://evil.example.com/cb"), iss=party.client_id)
    fields = party.ask(person, request=request)
    assert fields is None or "error" in fields
    assert [asked for asked in person.site.arrived if "evil" in str(asked.url)] == []


@module("oidcc-ensure-request-with-acr-values-succeeds")
def test_oidcc_ensure_request_with_acr_values_succeeds(person: Person, party: RelyingParty) -> None:
    offered = party.metadata["acr_values_supported"]
    for wished in (offered[0], f"urn:example:unknown {offered[0]}"):
        assert party.sign_in(person, acr_values=wished)["claims"]["acr"] == offered[0]
    party.sign_in(person, acr_values="1 2")


@module("oidcc-claims-essential")
def test_oidcc_claims_essential(person: Person, party: RelyingParty) -> None:
    wish = json.dumps({"userinfo": {"name": {"essential": True}}})
    found = party.userinfo(party.sign_in(person, claims=wish))
    assert found["name"] == "Alice Liddell"
    assert "email" not in found
