"""Requests in a JWT that the client signed (RFC 9101), with the browser and pushed."""

import base64
import hmac
import json
import time
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.client_keys import client_key
from tests.support.oidc_site import ISSUER, VERIFIER, OidcSite, change_client, path_of, query_of, sign_in

KEY = client_key("ES256")
OTHER = "https://shop.example.com/cb?a=%2F&b"
FAPI = {"profile": "fapi2", "token_endpoint_auth_method": "private_key_jwt"}


@pytest.fixture
def signer(shop: OidcSite) -> OidcSite:
    """The shop, with a key."""
    change_client(shop, metadata={"jwks": KEY.jwks})
    return shop


def inside(site: OidcSite, **more: object) -> dict[str, Any]:
    """The claims of a good one, and what a test changes in them; None leaves one out."""
    claims: dict[str, object] = {**site.params(), "iss": site.client_id, "aud": ISSUER, **more}
    return {name: value for name, value in claims.items() if value is not None}


def ask(browser: FlaskClient, site: OidcSite, request: str, **beside: str) -> TestResponse:
    """With what OpenID Connect wants beside the object."""
    usual = {"client_id": site.client_id, "response_type": "code", "scope": "openid"}
    return browser.get("/authorize?" + urlencode({**usual, "request": request, **beside}))


def refusal(browser: FlaskClient, site: OidcSite, request: str, state: str = "outside") -> str:
    """What the site is told, at the address and with the state that it named outside."""
    answer = ask(browser, site, request, redirect_uri=site.redirect_uri, state="outside")
    assert path_of(answer) == site.redirect_uri
    query = query_of(answer)
    assert (query["state"], query["iss"]) == (state, ISSUER)
    return query["error"]


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "EdDSA"])
def test_a_signed_object_is_the_request(browser: FlaskClient, shop: OidcSite, alg: str) -> None:
    key = client_key(alg)
    change_client(shop, metadata={"jwks": key.jwks})
    sign_in(browser)
    answer = ask(browser, shop, key.sign(inside(shop)))
    assert (path_of(answer), query_of(answer)["state"]) == (shop.redirect_uri, "the-state")
    tokens = shop.redeem(query_of(answer)["code"]).get_json()
    assert shop.claims(tokens["id_token"])["nonce"] == "the-nonce"


@pytest.mark.covers("oidcc-ensure-request-object-with-redirect-uri")
def test_oidcc_ensure_request_object_with_redirect_uri(browser: FlaskClient, signer: OidcSite) -> None:
    sign_in(browser)
    request = KEY.sign(inside(signer, redirect_uri=OTHER))
    for outside in (signer.redirect_uri, "https://evil.example/cb"):
        answer = ask(browser, signer, request, redirect_uri=outside)
        assert answer.headers["Location"].startswith(f"{OTHER}&code=")
    evil = KEY.sign(inside(signer, redirect_uri="https://evil.example/cb"))
    answer = ask(browser, signer, evil, redirect_uri=signer.redirect_uri)
    assert (answer.status_code, answer.headers.get("Location")) == (400, None)


def test_parameters_inside_win_and_those_outside_fill_in(browser: FlaskClient, signer: OidcSite) -> None:
    sign_in(browser)
    request = KEY.sign(inside(signer, nonce=None, scope="openid email"))
    answer = ask(browser, signer, request, state="outside", nonce="outside", scope="openid profile")
    assert query_of(answer)["state"] == "the-state"
    tokens = signer.redeem(query_of(answer)["code"]).get_json()
    assert (signer.claims(tokens["id_token"])["nonce"], tokens["scope"]) == ("outside", "openid email")


def test_of_a_client_that_has_to_sign_nothing_beside_counts(browser: FlaskClient, signer: OidcSite) -> None:
    change_client(signer, metadata={"require_signed_request_object": True})
    sign_in(browser)
    assert query_of(signer.ask(browser))["error"] == "invalid_request"
    answer = ask(browser, signer, KEY.sign(inside(signer, nonce=None, prompt="login")), nonce="outside")
    way_back = sign_in(browser, answer.headers["Location"])
    code = query_of(browser.get(way_back.headers["Location"]))["code"]
    assert "nonce" not in signer.claims(signer.redeem(code).get_json()["id_token"])


def test_members_that_are_no_text_are_understood(browser: FlaskClient, signer: OidcSite) -> None:
    change_client(signer, metadata={"resources": ("https://a.example/", "https://b.example/")})
    sign_in(browser)
    wishes = {"max_age": 10_000, "claims": {"id_token": {"email": None}}, "resource": ["https://a.example/"]}
    answer = ask(browser, signer, KEY.sign(inside(signer, **wishes)))
    tokens = signer.redeem(query_of(answer)["code"]).get_json()
    assert signer.claims(tokens["id_token"])["email"] == "alice@example.com"
    asked = ask(browser, signer, KEY.sign(inside(signer, max_age=0)))
    assert path_of(asked) == "/sign-in"


BAD: list[tuple[str, dict[str, object]]] = [
    ("another issuer", {"iss": "wiki"}),
    ("another audience", {"aud": "https://other.example"}),
    ("audiences without us", {"aud": ["https://other.example"]}),
    ("another client", {"client_id": "wiki"}),
    ("an assertion", {"sub": "shop"}),
    ("expired", {"exp": int(time.time()) - 120}),
    # Counted from when the tests are collected, and a run of all of them may take an hour.
    ("not yet", {"nbf": int(time.time()) + 86_400}),
    ("from the future", {"iat": int(time.time()) + 86_400}),
    ("no time", {"exp": "soon"}),
    ("no number", {"exp": True}),
    ("infinite", {"exp": float("inf")}),
    ("huge", {"exp": 10**400}),
    ("nested", {"request": "x.y.z"}),
    ("by reference", {"request_uri": "https://shop.example.com/object"}),
    ("another response type", {"response_type": "code id_token"}),
    ("a list", {"scope": ["openid"]}),
    ("an object", {"state": {"a": 1}}),
    ("a number", {"nonce": 1}),
    ("true", {"max_age": True}),
    ("a NUL", {"nonce": "a\0b"}),
    ("half a character", {"state": "\ud800"}),
]


@pytest.mark.parametrize("change", [change for _, change in BAD], ids=[name for name, _ in BAD])
def test_an_object_that_is_not_for_this_is_refused(
    browser: FlaskClient, signer: OidcSite, change: dict[str, object]
) -> None:
    sign_in(browser)
    assert refusal(browser, signer, KEY.sign(inside(signer, **change))) == "invalid_request_object"


@pytest.mark.parametrize("audience", [ISSUER, [ISSUER], ["https://other.example", ISSUER], None], ids=str)
def test_the_audience_may_be_a_list_or_missing(browser: FlaskClient, signer: OidcSite, audience: object) -> None:
    sign_in(browser)
    answer = ask(browser, signer, KEY.sign(inside(signer, aud=audience, iss=None, exp=int(time.time()) + 60.5)))
    assert "code" in query_of(answer)


def _mac(claims: dict[str, Any], secret: str) -> str:
    """HS256 by hand: the library refuses to be so foolish."""
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in ({"alg": "HS256"}, claims))
    signed = b".".join(parts)
    mac = base64.urlsafe_b64encode(hmac.digest(secret.encode(), signed, "sha256")).rstrip(b"=")
    return b".".join((signed, mac)).decode()


def _forged(site: OidcSite) -> list[tuple[str, str]]:
    stranger = client_key("ES256", "stranger")
    claims = inside(site)
    public = json.dumps(KEY.public)
    return [
        ("signed by a stranger", stranger.sign(claims)),
        ("a key that comes along", stranger.sign(claims, jwk=stranger.public)),
        ("a MAC with the public key", _mac(claims, public)),
        ("a MAC with the secret", _mac(claims, site.secret)),
        ("of another type", KEY.sign(claims, typ="dpop+jwt")),
        ("changed", KEY.sign(claims)[:-6] + "AAAAAA"),
        ("critical", KEY.sign(claims, crit=["b64"], b64=True)),
        ("no JWT", "x"),
        ("no JSON", "eyJhbGciOiJFUzI1NiJ9.eA.eA"),
        ("a list", KEY.sign(claims).split(".")[0] + "." + base64.urlsafe_b64encode(b"[]").decode().rstrip("=") + ".e"),
        ("five parts", "a.b.c.d.e"),
    ]


@pytest.mark.covers("line-73", "advisory-43")
@pytest.mark.parametrize("number", range(11))
def test_an_object_that_the_client_did_not_sign_is_refused(browser: FlaskClient, signer: OidcSite, number: int) -> None:
    sign_in(browser)
    name, request = _forged(signer)[number]
    assert refusal(browser, signer, request) == "invalid_request_object", name


@pytest.mark.covers("oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported", "line-73")
def test_an_unsigned_object_is_refused_by_name(browser: FlaskClient, signer: OidcSite) -> None:
    sign_in(browser)
    request = jwt.encode(inside(signer), None, algorithm="none")
    assert refusal(browser, signer, request) == "request_not_supported"
    assert refusal(browser, signer, request + "x") == "invalid_request_object"


@pytest.mark.covers("line-73")
def test_a_client_without_keys_cannot_send_any(browser: FlaskClient, shop: OidcSite) -> None:
    assert refusal(browser, shop, KEY.sign(inside(shop))) == "request_not_supported"


def test_only_the_algorithm_that_was_registered_will_do(browser: FlaskClient, signer: OidcSite) -> None:
    change_client(signer, metadata={"request_object_signing_alg": "PS256"})
    assert refusal(browser, signer, KEY.sign(inside(signer))) == "invalid_request_object"
    change_client(signer, metadata={"request_object_signing_alg": "ES256"})
    assert path_of(ask(browser, signer, KEY.sign(inside(signer)))) == "/sign-in"


def test_an_object_and_a_reference_together_are_refused(browser: FlaskClient, signer: OidcSite) -> None:
    beside = {"request": KEY.sign(inside(signer)), "request_uri": "urn:ietf:params:oauth:request_uri:x"}
    assert query_of(signer.ask(browser, **beside))["error"] == "invalid_request"


def test_what_is_wrong_inside_is_told_where_the_object_says(browser: FlaskClient, signer: OidcSite) -> None:
    request = KEY.sign(inside(signer, redirect_uri=OTHER, state="inside", scope="email"))
    answer = ask(browser, signer, request, redirect_uri=signer.redirect_uri, state="outside")
    assert answer.headers["Location"].startswith(f"{OTHER}&error=invalid_scope&")
    assert "state=inside" in answer.headers["Location"]


def test_the_whole_way_through_the_sign_in_page(browser: FlaskClient, signer: OidcSite) -> None:
    change_client(signer, metadata={"require_signed_request_object": True})
    page = ask(browser, signer, KEY.sign(inside(signer)))
    way_back = sign_in(browser, page.headers["Location"])
    assert signer.redeem(query_of(browser.get(way_back.headers["Location"]))["code"]).status_code == 200


def test_a_seal_without_a_signature_is_worth_none(browser: FlaskClient, signer: OidcSite) -> None:
    page = signer.ask(browser)
    change_client(signer, metadata={"require_signed_request_object": True})
    way_back = sign_in(browser, page.headers["Location"])
    assert query_of(browser.get(way_back.headers["Location"]))["error"] == "invalid_request"


def test_a_posted_object_works_too(browser: FlaskClient, signer: OidcSite) -> None:
    sign_in(browser)
    fields = {"client_id": "shop", "response_type": "code", "scope": "openid", "request": KEY.sign(inside(signer))}
    redirect = browser.post("/authorize", data=fields)
    assert "code" in query_of(browser.get(redirect.headers["Location"]))


def push(site: OidcSite, request: str, **beside: str) -> TestResponse:
    return site.post("/par", request=request, **beside)


@pytest.mark.covers("line-55")
def test_of_a_pushed_object_nothing_beside_counts(browser: FlaskClient, signer: OidcSite) -> None:
    answer = push(signer, KEY.sign(inside(signer, nonce=None)), nonce="beside", client_id="shop", prompt="login")
    assert answer.status_code == 201
    sign_in(browser)
    uri = answer.get_json()["request_uri"]
    code = query_of(browser.get("/authorize?" + urlencode({"client_id": "shop", "request_uri": uri})))["code"]
    assert "nonce" not in signer.claims(signer.redeem(code, code_verifier=VERIFIER).get_json()["id_token"])


def test_a_pushed_object_satisfies_who_has_to_sign_and_plain_parameters_do_not(signer: OidcSite) -> None:
    change_client(signer, metadata={"require_signed_request_object": True})
    assert push(signer, KEY.sign(inside(signer))).status_code == 201
    plain = signer.post("/par", **signer.params())
    assert (plain.status_code, plain.get_json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("change", [{"iss": "wiki"}, {"sub": "shop"}, {"redirect_uri": None}], ids=str)
def test_a_bad_object_is_refused_when_it_is_pushed(signer: OidcSite, change: dict[str, object]) -> None:
    answer = push(signer, KEY.sign(inside(signer, **change)), redirect_uri=signer.redirect_uri)
    assert answer.status_code == 400
    assert answer.get_json()["error"] in ("invalid_request_object", "invalid_request")


def _minutes(change: dict[str, float]) -> dict[str, int]:
    return {name: int(time.time() + 60 * minutes) for name, minutes in change.items()}


@pytest.mark.parametrize(
    ("minutes", "alg", "good"),
    [
        ({"nbf": -1, "exp": 5}, "ES256", True),
        ({"nbf": -1, "exp": 5}, "PS256", True),
        ({"nbf": -1, "exp": 5}, "RS256", False),
        ({"exp": 5}, "ES256", False),
        ({"nbf": -1}, "ES256", False),
        ({"nbf": -70, "exp": 5}, "ES256", False),
        ({"nbf": -1, "exp": 70}, "ES256", False),
    ],
)
def test_fapi_2_wants_short_lives_and_good_algorithms(
    browser: FlaskClient, shop: OidcSite, minutes: dict[str, float], alg: str, good: bool
) -> None:
    key = client_key(alg)
    change_client(shop, metadata={"jwks": key.jwks, "profile": "fapi2"})
    request = key.sign(inside(shop, **_minutes(minutes)), typ="oauth-authz-req+jwt")
    told = refusal(browser, shop, request, "the-state" if good else "outside")
    # One that is good in itself is refused for another reason: it was not pushed.
    assert told == ("invalid_request" if good else "invalid_request_object")


def test_discovery_names_the_algorithms(browser: FlaskClient) -> None:
    metadata = browser.get("/.well-known/openid-configuration").get_json()
    assert metadata["request_parameter_supported"] is True
    assert metadata["request_object_signing_alg_values_supported"] == ["RS256", "PS256", "ES256", "EdDSA"]
