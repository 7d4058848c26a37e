"""Everything else that is wrong is told to the site by a redirect."""

from urllib.parse import parse_qsl

import pytest
from flask.testing import FlaskClient

from tests.support.oidc_site import ISSUER, OidcSite, change_client, path_of, query_of, sign_in

REFUSED: list[tuple[dict[str, str | None], str]] = [
    ({"response_type": None}, "invalid_request"),
    ({"response_type": "none"}, "unsupported_response_type"),
    ({"response_type": "code code"}, "unsupported_response_type"),
    ({"response_type": "token", "response_mode": "query"}, "unsupported_response_type"),
    ({"response_mode": "fragment"}, "invalid_request"),
    ({"response_mode": "jwt"}, "invalid_request"),
    ({"response_mode": "query.jwt"}, "invalid_request"),
    ({"response_mode": "web_message"}, "invalid_request"),
    ({"scope": None}, "invalid_scope"),
    ({"scope": "profile"}, "invalid_scope"),
    ({"scope": "OPENID"}, "invalid_scope"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"code_challenge_method": None}, "invalid_request"),
    ({"code_challenge": "short"}, "invalid_request"),
    ({"code_challenge": None}, "invalid_request"),
    ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
    ({"prompt": "none login"}, "invalid_request"),
    ({"prompt": "create"}, "invalid_request"),
    ({"max_age": "-1"}, "invalid_request"),
    ({"max_age": "soon"}, "invalid_request"),
    ({"max_age": "1e3"}, "invalid_request"),
    ({"max_age": "٣"}, "invalid_request"),
    ({"id_token_hint": "not.a.token"}, "invalid_request"),
    ({"request": "eyJhbGciOiJub25lIn0.e30."}, "request_not_supported"),
    ({"request_uri": "https://shop.example.com/object"}, "request_uri_not_supported"),
    ({"registration": "{}"}, "registration_not_supported"),
    ({"prompt": "none"}, "login_required"),
]


@pytest.mark.covers("line-2", "line-33")
@pytest.mark.parametrize(("change", "error"), REFUSED, ids=str)
def test_the_site_is_told_what_is_wrong_with_state_and_issuer(
    browser: FlaskClient, shop: OidcSite, change: dict[str, str | None], error: str
) -> None:
    answer = shop.ask(browser, **change)
    assert path_of(answer) == shop.redirect_uri
    query = query_of(answer)
    assert (query["error"], query["state"], query["iss"]) == (error, "the-state", ISSUER)
    assert set(query) == {"error", "error_description", "state", "iss"}


@pytest.mark.parametrize(("change", "error"), REFUSED[:-1], ids=str)
def test_a_session_makes_no_bad_request_good(
    browser: FlaskClient, shop: OidcSite, change: dict[str, str | None], error: str
) -> None:
    sign_in(browser)
    assert query_of(shop.ask(browser, **change))["error"] == error


@pytest.mark.covers("oidcc-ensure-request-without-nonce-fails", "line-19", "line-36")
@pytest.mark.parametrize(
    "response_type", ["token", "id_token", "id_token token", "code id_token", "code token", "code id_token token"]
)
def test_what_only_the_implicit_flows_have_is_refused_where_their_sites_look_for_it(
    browser: FlaskClient, shop: OidcSite, response_type: str
) -> None:
    sign_in(browser)
    page, _, fragment = shop.ask(browser, response_type=response_type).headers["Location"].partition("#")
    assert page == shop.redirect_uri
    told = dict(parse_qsl(fragment, strict_parsing=True))
    assert (told["error"], told["state"], told["iss"]) == ("unsupported_response_type", "the-state", ISSUER)
    assert not {"code", "access_token", "id_token"} & set(told)


@pytest.mark.covers("line-68")
@pytest.mark.parametrize("scope", [None, "", "profile email", "OPENID", "openid2"])
def test_without_the_scope_openid_there_is_no_sign_in(browser: FlaskClient, shop: OidcSite, scope: str | None) -> None:
    sign_in(browser)
    assert query_of(shop.ask(browser, scope=scope))["error"] == "invalid_scope"


@pytest.mark.covers("line-73", "line-74")
def test_what_is_not_supported_is_refused_by_name(browser: FlaskClient, shop: OidcSite) -> None:
    sign_in(browser)
    for name in ("request", "request_uri", "registration"):
        assert query_of(shop.ask(browser, **{name: "{}"}))["error"] == f"{name}_not_supported"


@pytest.mark.covers("line-25", "line-32")
@pytest.mark.parametrize("name", ["code_challenge", "code_challenge_method"])
def test_half_of_pkce_is_none(browser: FlaskClient, shop: OidcSite, name: str) -> None:
    sign_in(browser)
    for relaxed in (False, True):
        change_client(shop, metadata={"require_pkce": not relaxed})
        assert query_of(shop.ask(browser, **{name: None}))["error"] == "invalid_request"


def test_a_public_client_needs_pkce_whatever_else_it_sends(browser: FlaskClient, spa: OidcSite) -> None:
    answer = spa.ask(browser, code_challenge=None, code_challenge_method=None)
    assert query_of(answer)["error"] == "invalid_request"


def test_an_error_keeps_the_registered_query(browser: FlaskClient, shop: OidcSite) -> None:
    uri = "https://shop.example.com/cb?a=%2F&b"
    location = shop.ask(browser, redirect_uri=uri, scope="email").headers["Location"]
    assert location.startswith(uri + "&error=invalid_scope&")


@pytest.mark.parametrize("path", ["/authorize", "/par", "/token", "/apps/remove", "/device", "/sign-in"])
def test_a_nul_is_refused_wherever_it_comes_in(browser: FlaskClient, shop: OidcSite, path: str) -> None:
    """PostgreSQL takes none: it would be found out where the request is written down."""
    sign_in(browser)
    if path == "/authorize":
        assert shop.ask(browser, nonce="a\0b").status_code == 400
    elif path in ("/par", "/token"):
        answer = shop.post(path, **shop.params(nonce="a\0b"))
        assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")
    else:
        page = browser.get("/sessions").get_data(as_text=True)
        token = page.split('name="csrf_token" value="')[1].split('"')[0]
        answer = browser.post(path, data={"csrf_token": token, "client": "a\0b"})
        assert (answer.status_code, "characters" in answer.get_data(as_text=True)) == (400, True), answer.text
