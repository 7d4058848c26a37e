"""A refused ticket says why, to the authenticated client, in the log and in the audit."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from sso_server.core.events import EventKind
from sso_server.core.sessions import EndReason
from tests.conformance.plans import module
from tests.fronts.conftest import SECRETS, Later
from tests.support.oidc_site import OidcSite, built_of, change_client, query_of, sign_in


def refusal(answer: TestResponse) -> str:
    body = answer.get_json()
    assert (answer.status_code, body["error"], set(body)) == (400, "invalid_grant", {"error", "error_description"})
    return str(body["error_description"])


def test_a_second_redemption_is_ticket_used_and_kills_what_the_first_gave(browser: FlaskClient, shop: OidcSite) -> None:
    code = shop.code(browser)
    first = shop.redeem(code).get_json()
    assert shop.userinfo(first["access_token"]).status_code == 200
    assert refusal(shop.redeem(code)) == "ticket_used"
    assert shop.userinfo(first["access_token"]).status_code == 401
    assert shop.refresh(first["refresh_token"]).status_code == 400


@module("oidcc-codereuse-30seconds", more=("line-8", "line-34"))
def test_a_second_redemption_after_half_a_minute_is_still_ticket_used_and_kills_what_the_first_gave(
    browser: FlaskClient, shop: OidcSite, later: Later, mode: str
) -> None:
    sign_in(browser)
    page = shop.ask(browser, response_mode=mode or None)
    code = re.search(r'name="code" value="([^"]+)"', page.text)[1] if mode else query_of(page)["code"]
    first = shop.redeem(code).get_json()
    with later(31):
        assert shop.userinfo(first["access_token"]).status_code == 200
        assert refusal(shop.redeem(code)) == "ticket_used"
        assert shop.userinfo(first["access_token"]).status_code == 401


def test_of_simultaneous_redemptions_exactly_one_wins(browser: FlaskClient, shop: OidcSite) -> None:
    code = shop.code(browser)
    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(answer.status_code for answer in pool.map(lambda _: shop.redeem(code), range(8)))
    assert statuses == [200] + [400] * 7


@pytest.mark.covers("line-9")
def test_a_late_one_is_ticket_expired(browser: FlaskClient, shop: OidcSite, later: Later) -> None:
    code = shop.code(browser)
    with later(61):
        assert refusal(shop.redeem(code)) == "ticket_expired"


def test_the_life_of_a_ticket_is_a_setting(make_app: Callable[..., Flask], later: Later) -> None:
    app = make_app(ticket_life=5)
    site = OidcSite(app, "shop", SECRETS["shop"])
    code = site.code(app.test_client())
    with later(6):
        assert refusal(site.redeem(code)) == "ticket_expired"


@pytest.mark.covers("line-10")
def test_another_client_is_refused_and_the_ticket_is_burnt(
    browser: FlaskClient, shop: OidcSite, wiki: OidcSite
) -> None:
    code = shop.code(browser)
    assert refusal(wiki.redeem(code, redirect_uri=shop.redirect_uri)) == "ticket_other_client"
    assert refusal(shop.redeem(code)) == "ticket_used"


@pytest.mark.parametrize("uri", ["https://shop.example.com/cb?a=%2F&b", "https://evil.example/cb"])
def test_another_redirect_uri_is_refused_and_the_ticket_is_burnt(
    browser: FlaskClient, shop: OidcSite, uri: str
) -> None:
    code = shop.code(browser)
    assert refusal(shop.redeem(code, redirect_uri=uri)) == "redirect_uri_mismatch"
    assert refusal(shop.redeem(code)) == "ticket_used"


@pytest.mark.parametrize("verifier", ["w" * 43, None, ""])
@pytest.mark.covers("line-26", "line-28")
def test_a_wrong_or_missing_verifier_is_refused_and_the_ticket_is_burnt(
    browser: FlaskClient, shop: OidcSite, verifier: str | None
) -> None:
    code = shop.code(browser)
    assert refusal(shop.redeem(code, code_verifier=verifier)) == "pkce_mismatch"
    assert refusal(shop.redeem(code)) == "ticket_used"


@pytest.mark.covers("line-27")
def test_a_verifier_without_a_challenge_is_refused(browser: FlaskClient, shop: OidcSite) -> None:
    change_client(shop, metadata={"require_pkce": False})
    code = shop.code(browser, code_challenge=None, code_challenge_method=None)
    assert refusal(shop.redeem(code)) == "pkce_mismatch"


def test_a_ticket_of_an_ended_session_is_session_ended_and_registers_nobody(
    browser: FlaskClient, shop: OidcSite, wiki: OidcSite
) -> None:
    sid = wiki.claims(wiki.tokens(browser)["id_token"])["sid"]
    code = shop.code(browser)
    services = built_of(shop.app).services
    services.sign_out.end(sid, EndReason.ADMINISTRATOR, actor="test")
    assert refusal(shop.redeem(code)) == "session_ended"
    assert [p.client_id for p in services.lists.participants(sid)] == ["wiki"]


def test_anything_else_is_ticket_unknown(browser: FlaskClient, shop: OidcSite) -> None:
    tokens = shop.tokens(browser)
    code = shop.code(browser)
    for odd in ("x", "code-07-" + "a" * 32, code[:-1], code + "a", code.upper(), tokens["access_token"], "\u0001"):
        assert refusal(shop.redeem(odd)) == "ticket_unknown"
    for odd in ("x", code, tokens["access_token"], "rt-07-" + "a" * 32):
        assert refusal(shop.refresh(odd)) == "ticket_unknown"


def test_the_reason_is_in_the_log_and_in_the_audit_and_the_ticket_in_neither(
    browser: FlaskClient, shop: OidcSite, logged: list[dict[str, object]]
) -> None:
    sign_in(browser)
    code = shop.code(browser)
    shop.redeem(code)
    logged.clear()
    shop.redeem(code)
    (line,) = logged
    assert (line["code"], line["detail"], line["client_id"]) == ("invalid_grant", "ticket_used", "shop")
    assert str(line["request_id"]).startswith("req-")
    (event,) = built_of(shop.app).services.audit.list_events(5, kind=EventKind.TICKET_REFUSED)
    assert (event.client_id, event.data["refusal"]) == ("shop", "ticket_used")
    assert code not in str(line) + str(event)


def test_made_up_tickets_leave_a_line_in_the_log_and_nothing_in_the_database(
    spa: OidcSite, logged: list[dict[str, object]]
) -> None:
    for odd in ("x", "code-07-" + "a" * 32):
        assert refusal(spa.redeem(odd)) == "ticket_unknown"
    assert [line["detail"] for line in logged] == ["ticket_unknown"] * 2
    assert built_of(spa.app).services.audit.list_events(5, kind=EventKind.TICKET_REFUSED) == []


@pytest.mark.covers("line-22")
def test_no_secret_is_ever_logged(browser: FlaskClient, shop: OidcSite, logged: list[dict[str, object]]) -> None:
    code = shop.code(browser)
    tokens = shop.redeem(code).get_json()
    shop.refresh(tokens["refresh_token"])
    shop.redeem(code)
    shop.refresh(tokens["refresh_token"])
    shop.post("/token", headers={"Authorization": "Basic c2hvcDp3cm9uZy1zZWNyZXQ="}, grant_type="refresh_token")
    browser.get("/authorize", query_string={"client_id": "shop", "code": code, "id_token_hint": tokens["id_token"]})
    secrets = (code, *(tokens[name] for name in ("access_token", "refresh_token", "id_token")), shop.secret)
    assert len(logged) >= 3
    assert [one for one in (*secrets, "wrong-secret") if one in str(logged)] == []
