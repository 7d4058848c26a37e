"""response_mode=form_post (OAuth 2.0 Form Post Response Mode): the browser takes the answer to the site in a form."""

from html.parser import HTMLParser

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.oidc_site import ISSUER, OidcSite, query_of, sign_in

HOSTILE = "\"><script>alert('x')</script>&amp; 密 +%00"


class PostedForm(HTMLParser):
    """The one form of a page: where it goes and what it carries."""

    def __init__(self, answer: TestResponse) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self.scripts: list[str] = []
        self.feed(answer.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        if tag == "form" and "data-submit" in named:
            assert named["method"] == "post"
            self.action = named["action"]
        elif tag == "input" and self.action:
            self.fields[named["name"]] = named["value"]
        elif tag == "script":
            self.scripts.append(named["src"])


def posted(answer: TestResponse) -> PostedForm:
    assert answer.status_code == 200, answer.text[:300]
    assert "Location" not in answer.headers
    return PostedForm(answer)


def test_the_code_is_posted_and_stands_in_no_address(browser: FlaskClient, shop: OidcSite) -> None:
    sign_in(browser)
    form = posted(shop.ask(browser, response_mode="form_post"))
    assert form.action == shop.redirect_uri
    assert (form.fields["state"], form.fields["iss"]) == ("the-state", ISSUER)
    assert set(form.fields) == {"code", "state", "iss"}
    assert shop.redeem(form.fields["code"]).status_code == 200


def test_the_page_runs_no_script_but_our_own_and_is_kept_nowhere(browser: FlaskClient, shop: OidcSite) -> None:
    sign_in(browser)
    answer = shop.ask(browser, response_mode="form_post")
    policy = answer.headers["Content-Security-Policy"]
    assert "form-action 'self' https:;" in policy
    assert "script-src 'self';" in policy
    assert all(src.startswith("/static/") for src in posted(answer).scripts)
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_state_comes_back_as_it_was_whatever_it_holds(browser: FlaskClient, shop: OidcSite) -> None:
    sign_in(browser)
    answer = shop.ask(browser, response_mode="form_post", state=HOSTILE)
    assert posted(answer).fields["state"] == HOSTILE
    assert "<script>alert" not in answer.text


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"prompt": "none"}, "login_required"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"prompt": "create"}, "invalid_request"),
    ],
)
def test_an_error_is_posted_as_well(browser: FlaskClient, shop: OidcSite, change: dict[str, str], error: str) -> None:
    form = posted(shop.ask(browser, response_mode="form_post", **change))
    assert (form.action, form.fields["error"], form.fields["iss"]) == (shop.redirect_uri, error, ISSUER)
    assert set(form.fields) == {"error", "error_description", "state", "iss"}


def test_a_redirect_uri_with_a_query_is_posted_to_as_it_is(browser: FlaskClient, shop: OidcSite) -> None:
    sign_in(browser)
    other = f"{shop.redirect_uri}?a=%2F&b"
    assert posted(shop.ask(browser, response_mode="form_post", redirect_uri=other)).action == other


def test_it_survives_the_sign_in_page(browser: FlaskClient, shop: OidcSite) -> None:
    page = shop.ask(browser, response_mode="form_post")
    answer = sign_in(browser, page.headers["Location"])
    form = posted(browser.get(answer.headers["Location"]))
    assert form.action == shop.redirect_uri
    assert "code" in form.fields


def test_nothing_is_posted_to_an_address_that_is_not_registered(browser: FlaskClient, shop: OidcSite) -> None:
    answer = shop.ask(browser, response_mode="form_post", redirect_uri="https://evil.example/cb")
    assert answer.status_code == 400
    assert PostedForm(answer).action == ""


def test_another_mode_is_refused_in_the_query(browser: FlaskClient, shop: OidcSite) -> None:
    assert query_of(shop.ask(browser, response_mode="fragment"))["error"] == "invalid_request"
