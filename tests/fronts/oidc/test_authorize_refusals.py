"""Everything else that is wrong is told to the site by a redirect."""

import pytest
from flask.testing import FlaskClient

from tests.support.oidc_site import ISSUER, OidcSite, path_of, query_of, sign_in

REFUSED: list[tuple[dict[str, str | None], str]] = [
    ({"response_type": None}, "invalid_request"),
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"response_type": "id_token", "nonce": None}, "unsupported_response_type"),
    ({"response_type": "code id_token"}, "unsupported_response_type"),
    ({"response_type": "code token"}, "unsupported_response_type"),
    ({"response_mode": "fragment"}, "invalid_request"),
    ({"scope": None}, "invalid_scope"),
    ({"scope": "profile"}, "invalid_scope"),
    ({"scope": "OPENID"}, "invalid_scope"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"code_challenge_method": None}, "invalid_request"),
    ({"code_challenge": "short"}, "invalid_request"),
    ({"code_challenge": None}, "invalid_request"),
    ({"code_challenge": None, "code_challenge_method": None, "nonce": None}, "invalid_request"),
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


def test_a_public_client_needs_pkce_whatever_else_it_sends(browser: FlaskClient, spa: OidcSite) -> None:
    answer = spa.ask(browser, code_challenge=None, code_challenge_method=None)
    assert query_of(answer)["error"] == "invalid_request"


def test_an_error_keeps_the_registered_query(browser: FlaskClient, shop: OidcSite) -> None:
    uri = "https://shop.example.com/cb?a=%2F&b"
    location = shop.ask(browser, redirect_uri=uri, scope="email").headers["Location"]
    assert location.startswith(uri + "&error=invalid_scope&")
