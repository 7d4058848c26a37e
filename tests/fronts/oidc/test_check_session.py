"""Session management: what a site is told to compare, which cookie a frame may read, and when either changes."""

import hashlib
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.oidc_site import ISSUER, OidcSite, query_of, sign_in

ORIGIN = "https://shop.example.com"
COOKIE = "lockstep_state"


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """Switched on."""
    return make_app(session_management=True)


def state(browser: FlaskClient) -> str:
    cookie = browser.get_cookie(COOKIE)
    return cookie.value if cookie else ""


def session_state(browser: FlaskClient, site: OidcSite, **more: str) -> str:
    return query_of(site.ask(browser, **more))["session_state"]


def frame_says(browser: FlaskClient, client_id: str, given: str, origin: str = ORIGIN) -> str:
    """What the frame's script finds out (section 3.2)."""
    digest, _, salt = given.partition(".")
    text = f"{client_id} {origin} {state(browser)} {salt}"
    return "unchanged" if hashlib.sha256(text.encode()).hexdigest() == digest else "changed"


@pytest.mark.covers("oidcc-session-management-discovery-endpoint-verification")
def test_oidcc_session_management_discovery_endpoint_verification(app: Flask, make_app: Callable[..., Flask]) -> None:
    on, off = (one.test_client().get("/.well-known/openid-configuration").get_json() for one in (app, make_app()))
    assert on["check_session_iframe"] == f"{ISSUER}/check-session"
    assert "check_session_iframe" not in off


def test_switched_off_there_is_neither_frame_nor_cookie_nor_state(make_app: Callable[..., Flask]) -> None:
    off = make_app()
    browser, shop = off.test_client(), OidcSite(off, "shop", "")
    sign_in(browser)
    assert "session_state" not in query_of(shop.ask(browser))
    assert browser.get_cookie(COOKIE) is None
    assert browser.get("/check-session").status_code == 404


@pytest.mark.covers("line-89")
def test_the_state_is_good_until_the_sign_out_and_for_one_origin(browser: FlaskClient, shop: OidcSite) -> None:
    sign_in(browser)
    given = session_state(browser, shop)
    assert " " not in given
    assert session_state(browser, shop) != given  # another salt
    assert frame_says(browser, "shop", given) == "unchanged"
    assert frame_says(browser, "shop", given, "https://evil.example") == "changed"
    assert frame_says(browser, "wiki", given) == "changed"
    browser.get("/end-session", query_string={"id_token_hint": shop.tokens(browser)["id_token"]})
    assert frame_says(browser, "shop", given) == "changed"


def test_another_person_and_a_new_password_change_the_state(browser: FlaskClient, shop: OidcSite) -> None:
    sign_in(browser)
    before = session_state(browser, shop)
    sign_in(browser, shop.ask(browser, prompt="login").headers["Location"])
    again = session_state(browser, shop)
    assert frame_says(browser, "shop", before) == "changed"
    sign_in(browser, shop.ask(browser, prompt="login").headers["Location"], username="bob")
    assert frame_says(browser, "shop", again) == "changed"


def test_a_session_that_ended_elsewhere_changes_the_state_as_soon_as_the_browser_comes_by(
    browser: FlaskClient, shop: OidcSite
) -> None:
    store = "st-" + "a" * 32
    sid = shop.claims(shop.tokens(browser, store_id=store)["id_token"])["sid"]
    given = session_state(browser, shop)
    assert shop.check_in(store, ended=[sid]).status_code == 200
    # The cookie is the browser's: nobody else can change it. Sites with a logout address have heard by now.
    assert frame_says(browser, "shop", given) == "unchanged"
    assert query_of(shop.ask(browser, prompt="none"))["error"] == "login_required"
    assert frame_says(browser, "shop", given) == "changed"


def test_a_frame_that_asks_without_the_sessions_cookie_changes_nothing(browser: FlaskClient, shop: OidcSite) -> None:
    sign_in(browser)
    given = session_state(browser, shop)
    secret = browser.get_cookie("lockstep_session")
    assert secret is not None
    # SameSite=Lax: in a hidden frame of a site's page it stays at home, and this one comes along.
    browser.delete_cookie("lockstep_session")
    asked = "/authorize?" + urlencode(shop.params(prompt="none"))
    answer = browser.get(asked, headers={"Sec-Fetch-Dest": "iframe", "Sec-Fetch-Site": "cross-site"})
    assert query_of(answer)["error"] == "login_required"
    assert frame_says(browser, "shop", given) == "unchanged"
    assert query_of(browser.get(asked, headers={"Sec-Fetch-Dest": "document"}))["error"] == "login_required"
    assert frame_says(browser, "shop", given) == "changed"


def test_an_answer_that_names_nobody_has_no_state(browser: FlaskClient, shop: OidcSite) -> None:
    assert "session_state" not in query_of(shop.ask(browser, prompt="none"))


def test_a_browser_from_before_it_was_switched_on_gets_its_cookie_with_the_next_answer(
    make_app: Callable[..., Flask],
) -> None:
    before, after = make_app(), make_app(session_management=True)
    old, browser = before.test_client(), after.test_client()
    sign_in(old)
    secret = old.get_cookie("lockstep_session")
    assert secret is not None
    browser.set_cookie("lockstep_session", secret.value)
    given = session_state(browser, OidcSite(after, "shop"))
    assert frame_says(browser, "shop", given) == "unchanged"


def test_the_cookie_may_be_read_in_frames_and_opens_nothing(browser: FlaskClient, shop: OidcSite) -> None:
    answer = sign_in(browser)
    (line,) = [one for one in answer.headers.getlist("Set-Cookie") if one.startswith(COOKIE)]
    attributes = {part.strip() for part in line.split(";")[1:]}
    assert attributes == {"Secure", "Path=/", "SameSite=None"}
    secret = browser.get_cookie("lockstep_session")
    assert secret is not None
    assert state(browser) not in (secret.value, hashlib.sha256(secret.value.encode()).hexdigest())
    thief = shop.app.test_client()
    thief.set_cookie("lockstep_session", state(browser))
    assert query_of(shop.ask(thief, prompt="none"))["error"] == "login_required"


def test_the_frame_is_the_one_page_that_others_may_frame(browser: FlaskClient) -> None:
    frame, page = browser.get("/check-session"), browser.get("/sign-in")
    assert "X-Frame-Options" not in frame.headers
    assert "frame-ancestors *" in frame.headers["Content-Security-Policy"]
    assert "script-src 'self'" in frame.headers["Content-Security-Policy"]
    assert f'data-cookie="{COOKIE}"' in frame.text
    assert "<form" not in frame.text
    assert frame.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert page.headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]


def test_on_https_the_cookie_belongs_to_this_host_alone(make_app: Callable[..., Flask]) -> None:
    app = make_app(session_management=True, issuer="https://sso.example.com")
    frame = app.test_client().get("/check-session", base_url="https://sso.example.com")
    assert 'data-cookie="__Host-lockstep_state"' in frame.text


def test_a_posted_answer_has_the_state_too(browser: FlaskClient, shop: OidcSite) -> None:
    sign_in(browser)
    page = shop.ask(browser, response_mode="form_post").text
    assert 'name="session_state"' in page
