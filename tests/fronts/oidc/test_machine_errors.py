"""At the addresses for programs every error is JSON, whatever the caller accepts and whatever went wrong."""

import pytest
from flask.testing import FlaskClient

from tests.support.oidc_site import OidcSite

MACHINE = {
    "/token": "POST",
    "/userinfo": "GET POST",
    "/introspect": "POST",
    "/revoke": "POST",
    "/check-in": "POST",
    "/jwks.json": "GET",
    "/.well-known/openid-configuration": "GET",
}
HTML = {"Accept": "text/html,*/*;q=0.8"}


@pytest.mark.parametrize("path", MACHINE)
def test_a_wrong_method_is_405_in_json_and_names_the_right_ones(browser: FlaskClient, path: str) -> None:
    answer = browser.put(path, headers=HTML)
    assert (answer.status_code, answer.get_json()["error"]) == (405, "invalid_request")
    assert set(MACHINE[path].split()) <= set(answer.headers["Allow"].split(", "))


@pytest.mark.parametrize("path", ["/authorize", "/end-session", "/sign-in"])
def test_where_browsers_go_it_is_a_page(browser: FlaskClient, path: str) -> None:
    answer = browser.put(path, headers=HTML)
    assert (answer.status_code, answer.mimetype) == (405, "text/html")
    assert "POST" in answer.headers["Allow"]


def test_what_nobody_expected_is_500_in_json_and_its_traceback_in_the_log(
    shop: OidcSite, monkeypatch: pytest.MonkeyPatch, logged: list[dict[str, object]]
) -> None:
    monkeypatch.setattr("sso_server.fronts.oidc.token.read_client_form", lambda *_, **__: 1 / 0)
    answer = shop.app.test_client().post("/token", headers=HTML)
    assert (answer.status_code, answer.get_json()["error"]) == (500, "server_error")
    assert "division" not in answer.text
    (line,) = (line for line in logged if line["event"] == "unexpected_error")
    assert isinstance(line["exc_info"], ZeroDivisionError)
