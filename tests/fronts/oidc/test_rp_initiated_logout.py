"""The modules of the certification profile RP-Initiated Logout, by their names: each signs in, signs out in its way,
and looks whether anybody is still signed in.
"""

import re
import sqlite3
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from sso_server.core.errors import Unavailable
from sso_server.fronts.oidc import end_session
from tests.support.oidc_site import OidcSite, built_of, path_of, query_of, sign_in

STATE = "a-state_of.many~characters"


def end(browser: FlaskClient, **params: str) -> TestResponse:
    return browser.get("/end-session", query_string=params)


def confirm(browser: FlaskClient, question: TestResponse) -> TestResponse:
    """Press the button of the page that asks."""
    assert path_of(question) == "/sign-out"
    page = browser.get(question.headers["Location"])
    fields = {n: unescape(v) for n, v in re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text)}
    return browser.post("/sign-out", data=fields | {"scope": "here"})


def is_signed_out(browser: FlaskClient, site: OidcSite) -> bool:
    return query_of(site.ask(browser, prompt="none")).get("error") == "login_required"


def shown(browser: FlaskClient, answer: TestResponse) -> str:
    """Our own page at the end."""
    assert path_of(answer) == "/signed-out"
    page = browser.get(answer.headers["Location"])
    assert page.status_code == 200
    return str(page.text)


@pytest.fixture
def hint(browser: FlaskClient, shop: OidcSite) -> str:
    """Somebody is signed in; the ID token."""
    return str(shop.tokens(browser)["id_token"])


@pytest.mark.covers("oidcc-rp-initiated-logout-discovery-endpoint-verification")
def test_oidcc_rp_initiated_logout_discovery_endpoint_verification(make_app: Any) -> None:
    document = make_app(issuer="https://sso.example.com").test_client().get("/.well-known/openid-configuration")
    assert document.get_json()["end_session_endpoint"] == "https://sso.example.com/end-session"


@pytest.mark.covers("oidcc-rp-initiated-logout", "line-95")
def test_oidcc_rp_initiated_logout(browser: FlaskClient, shop: OidcSite, hint: str) -> None:
    answer = end(browser, id_token_hint=hint, post_logout_redirect_uri=shop.home, state=STATE)
    assert (path_of(answer), query_of(answer)) == (shop.home, {"state": STATE})
    assert is_signed_out(browser, shop)


@pytest.mark.covers("oidcc-rp-initiated-logout-no-state")
def test_oidcc_rp_initiated_logout_no_state(browser: FlaskClient, shop: OidcSite, hint: str) -> None:
    answer = end(browser, id_token_hint=hint, post_logout_redirect_uri=shop.home)
    assert answer.headers["Location"] == shop.home
    assert is_signed_out(browser, shop)


@pytest.mark.covers("oidcc-rp-initiated-logout-only-state", "oidcc-rp-initiated-logout-no-params", "line-93", "line-95")
@pytest.mark.parametrize("params", [{"state": STATE}, {}], ids=["only_state", "no_params"])
def test_oidcc_rp_initiated_logout_with(
    browser: FlaskClient, shop: OidcSite, hint: str, params: dict[str, str]
) -> None:
    question = end(browser, **params)
    assert not is_signed_out(browser, shop)
    assert "You are signed out" in shown(browser, confirm(browser, question))
    assert is_signed_out(browser, shop)


@pytest.mark.covers("oidcc-rp-initiated-logout-no-post-logout-redirect-uri", "line-95")
def test_oidcc_rp_initiated_logout_no_post_logout_redirect_uri(browser: FlaskClient, shop: OidcSite, hint: str) -> None:
    assert "You are signed out" in shown(browser, end(browser, id_token_hint=hint, state=STATE))
    assert is_signed_out(browser, shop)


@pytest.mark.covers(
    "oidcc-rp-initiated-logout-bad-post-logout-redirect-uri",
    "oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri",
    "line-94",
)
@pytest.mark.parametrize("added", ["bad/", "?foo=bar"], ids=["bad_uri", "query_added"])
def test_oidcc_rp_initiated_logout_bad_post_logout_redirect_uri(
    browser: FlaskClient, shop: OidcSite, hint: str, added: str
) -> None:
    answer = end(browser, id_token_hint=hint, post_logout_redirect_uri=shop.home + added, state=STATE)
    page = shown(browser, answer)
    assert added not in page
    assert STATE not in page
    assert is_signed_out(browser, shop)


@pytest.mark.covers("oidcc-rp-initiated-logout-no-id-token-hint", "line-93", "line-94")
def test_oidcc_rp_initiated_logout_no_id_token_hint(browser: FlaskClient, shop: OidcSite, hint: str) -> None:
    question = end(browser, post_logout_redirect_uri=shop.home, state=STATE)
    shown(browser, confirm(browser, question))
    assert is_signed_out(browser, shop)


def unsigned(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, None, algorithm="none")


def foreign(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, ec.generate_private_key(ec.SECP256R1()), algorithm="ES256")


@pytest.mark.covers(
    "oidcc-rp-initiated-logout-modified-id-token-hint", "oidcc-rp-initiated-logout-bad-id-token-hint", "line-91"
)
@pytest.mark.parametrize("make", [unsigned, foreign], ids=["modified_id_token_hint", "bad_id_token_hint"])
def test_oidcc_rp_initiated_logout_bad_hint(browser: FlaskClient, shop: OidcSite, hint: str, make: Any) -> None:
    bad = make(jwt.decode(hint, options={"verify_signature": False}))
    question = end(browser, id_token_hint=bad, post_logout_redirect_uri=shop.home, state=STATE)
    assert not is_signed_out(browser, shop)
    shown(browser, confirm(browser, question))


@pytest.mark.covers("line-91")
def test_the_hint_of_a_client_that_knows_people_by_other_names_is_as_good(
    app: Flask, browser: FlaskClient, shop: OidcSite, pairwise: None
) -> None:
    tokens = shop.tokens(browser)
    assert not shop.claims(tokens["id_token"])["sub"].startswith("usr-")
    answer = end(browser, id_token_hint=tokens["id_token"], post_logout_redirect_uri=shop.home)
    assert answer.headers["Location"] == shop.home
    assert is_signed_out(browser, shop)


@pytest.fixture
def pairwise(app: Flask) -> None:
    """The shop gets names of its own for people."""
    clients = built_of(app).sql.clients
    (shop,) = (client for client in clients.list_clients() if client.client_id == "shop")
    assert clients.update(replace(shop, metadata=replace(shop.metadata, subject_type="pairwise")), shop)


@pytest.mark.covers("line-96")
@pytest.mark.parametrize("more", [{"logout_hint": "alice"}, {"ui_locales": "zh-CN en"}, {"ui_locales": "\u2603"}])
def test_hints_for_people_change_nothing(browser: FlaskClient, shop: OidcSite, hint: str, more: dict[str, str]) -> None:
    answer = end(browser, id_token_hint=hint, post_logout_redirect_uri=shop.home, **more)
    assert answer.headers["Location"] == shop.home
    assert is_signed_out(browser, shop)


@pytest.mark.covers("line-96")
def test_our_own_pages_speak_the_languages_that_were_asked_for(browser: FlaskClient, hint: str) -> None:
    question = end(browser, ui_locales="xx-what-strangers-wrote zh-CN en")
    assert "strangers" not in question.headers["Location"]
    assert "要退出登录吗" in browser.get(question.headers["Location"]).text
    posted = browser.post("/end-session", data={"id_token_hint": hint, "ui_locales": "zh-CN"})
    answer = browser.get(posted.headers["Location"])
    assert "您已退出登录" in shown(browser, answer)


@pytest.mark.covers("line-97")
def test_a_second_call_is_no_error_and_has_nobody_told_again(
    app: Flask, browser: FlaskClient, shop: OidcSite, hint: str
) -> None:
    sid, ledger = shop.claims(hint)["sid"], built_of(app).services.ledger
    first = end(browser, id_token_hint=hint, post_logout_redirect_uri=shop.home, state=STATE)
    rows = ledger.of_session(sid)
    second = end(browser, id_token_hint=hint, post_logout_redirect_uri=shop.home, state=STATE)
    assert second.headers["Location"] == first.headers["Location"]
    assert ledger.of_session(sid) == rows
    assert len(rows) == 1
    assert "You are signed out" in shown(browser, end(browser, id_token_hint=hint))


@pytest.mark.covers("line-98")
def test_when_the_browser_is_sent_on_the_end_is_in_the_database(
    browser: FlaskClient, shop: OidcSite, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is killed from here on has lost nothing: another connection reads it already."""
    sid, real, seen = shop.claims(hint)["sid"], end_session.see_other, []

    def look(uri: str) -> Any:
        with sqlite3.connect(f"file:{tmp_path / 'lockstep.sqlite3'}?mode=ro", uri=True) as database:
            ended = database.execute("SELECT ended_at FROM sessions WHERE sid = ?", (sid,)).fetchone()
            told = database.execute("SELECT count(*) FROM notifications WHERE sid = ?", (sid,)).fetchone()
        database.close()
        seen.append((ended[0] is not None, told[0]))
        return real(uri)

    monkeypatch.setattr(end_session, "see_other", look)
    end(browser, id_token_hint=hint, post_logout_redirect_uri=shop.home)
    assert seen == [(True, 1)]


@pytest.mark.covers("line-98")
def test_an_end_that_cannot_be_written_sends_nobody_anywhere(
    app: Flask, browser: FlaskClient, shop: OidcSite, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise Unavailable(detail="disk full")

    with monkeypatch.context() as away:
        away.setattr(built_of(app).sql.sessions, "end", refuse)
        answer = end(browser, id_token_hint=hint, post_logout_redirect_uri=shop.home)
        assert (answer.status_code, answer.headers.get("Location")) == (503, None)
        assert "Set-Cookie" not in answer.headers
    assert not is_signed_out(browser, shop)


@pytest.mark.covers("line-90")
def test_a_posted_request_is_the_same_request(browser: FlaskClient, shop: OidcSite, hint: str) -> None:
    form = {"id_token_hint": hint, "post_logout_redirect_uri": shop.home, "state": STATE}
    posted = browser.post("/end-session", data=form, headers={"Origin": "https://shop.example.com"})
    answer = browser.get(posted.headers["Location"])
    assert (path_of(answer), query_of(answer)) == (shop.home, {"state": STATE})
    assert is_signed_out(browser, shop)


@pytest.mark.covers("line-92")
def test_the_hint_of_another_person_asks_who_is_there(app: Flask, shop: OidcSite, hint: str) -> None:
    bobs = app.test_client()
    sign_in(bobs, username="bob")
    answer = end(bobs, id_token_hint=hint, post_logout_redirect_uri=shop.home, state=STATE)
    page = bobs.get(answer.headers["Location"])
    assert "You are signed in as Bob." in page.text
    assert not is_signed_out(bobs, shop)
