"""A third party learns nothing before the person agrees; what was agreed to is remembered, and asked for again only if
there is more of it.
"""

from __future__ import annotations

import json
import re
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from sso_server.core.errors import Unavailable
from sso_server.core.events import EventKind
from sso_server.core.sessions import EndReason
from tests.fronts.conftest import Later
from tests.support.consenting import allowed, asked, consent_of, press, third_party
from tests.support.oidc_site import OidcSite, agree, built_of, change_client, path_of, query_of, sign_in

ALL = ("openid", "profile", "email", "groups", "offline_access")


@pytest.fixture
def other(wiki: OidcSite) -> OidcSite:
    """The wiki belongs to others now."""
    return third_party(wiki)


def test_a_third_party_gets_its_code_after_a_yes_and_without_a_question_from_then_on(
    browser: FlaskClient, other: OidcSite
) -> None:
    sign_in(browser)
    answer = other.ask(browser)
    assert consent_of(other) is None
    agreed = agree(browser, answer.headers["Location"])
    assert path_of(agreed) == other.redirect_uri
    assert other.redeem(query_of(agreed)["code"]).status_code == 200
    known = consent_of(other)
    assert known is not None
    assert known.scope == ("openid", "profile", "email", "groups")
    for prompt in (None, "none"):
        assert "code" in query_of(other.ask(browser, prompt=prompt))


def test_a_site_of_the_operators_own_asks_nobody(browser: FlaskClient, shop: OidcSite) -> None:
    sign_in(browser)
    assert "code" in query_of(shop.ask(browser, scope=" ".join(ALL[:4])))
    assert consent_of(shop) is None


def test_consent_is_one_persons_for_one_client(
    app: Flask, browser: FlaskClient, other: OidcSite, spa: OidcSite
) -> None:
    change_client(spa, metadata={"third_party": True})
    other.code(browser)
    assert path_of(spa.ask(browser)) == "/consent"
    bob = app.test_client()
    sign_in(bob, username="bob")
    assert path_of(other.ask(bob)) == "/consent"


@pytest.mark.covers("line-70")
def test_without_a_page_consent_is_required(browser: FlaskClient, other: OidcSite) -> None:
    sign_in(browser)
    refused = query_of(other.ask(browser, prompt="none"))
    assert (refused["error"], refused["state"]) == ("consent_required", "the-state")
    other.code(browser)
    assert "code" in query_of(other.ask(browser, prompt="none"))
    assert query_of(other.ask(browser, prompt="none", scope="openid offline_access"))["error"] == "consent_required"


@pytest.mark.covers("line-70")
def test_prompt_consent_asks_again_each_time_also_for_the_operators_own_sites(
    browser: FlaskClient, shop: OidcSite, other: OidcSite
) -> None:
    sign_in(browser)
    for site in (shop, other):
        for _ in range(2):
            answer = site.ask(browser, prompt="consent")
            assert path_of(answer) == "/consent"
            assert path_of(agree(browser, answer.headers["Location"])) == site.redirect_uri
        assert "code" in query_of(site.ask(browser))


def test_an_answer_counts_for_its_own_request_for_five_minutes(
    browser: FlaskClient, other: OidcSite, later: Later
) -> None:
    sign_in(browser)
    page = asked(browser, other, prompt="consent")
    goes_on = press(browser, page).headers["Location"]
    with later(290):
        assert path_of(browser.get(goes_on)) == other.redirect_uri
    with later(310):
        assert path_of(browser.get(goes_on)) == "/consent"


def test_a_password_that_was_asked_for_is_not_asked_for_again_after_the_consent(
    browser: FlaskClient, other: OidcSite
) -> None:
    sign_in(browser)
    for prompt in ("login consent", "login", "select_account consent"):
        page = other.ask(browser, prompt=prompt)
        assert path_of(page) == "/sign-in"
        answer = browser.get(sign_in(browser, page.headers["Location"]).headers["Location"])
        if path_of(answer) == "/consent":
            answer = agree(browser, answer.headers["Location"])
        assert path_of(answer) == other.redirect_uri, prompt


@pytest.mark.covers("fapi2-security-profile-final-user-rejects-authentication")
@pytest.mark.parametrize("mode", ["query", "form_post"])
def test_user_rejects_authentication(browser: FlaskClient, other: OidcSite, shop: OidcSite, mode: str) -> None:
    """On the sign-in page and on the consent page: the site is told, and nobody is signed in or remembered."""

    def cancelled(page: TestResponse) -> dict[str, str]:
        links = [unescape(link) for link in re.findall(r'href="([^"]*&amp;cancel=1)"', page.text)]
        assert len(links) == 1, page.text
        answer = browser.get(links[0])
        if mode == "query":
            return query_of(answer)
        return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', answer.text))

    for site in (shop, other):
        on_sign_in = cancelled(browser.get(site.ask(browser, response_mode=mode).headers["Location"]))
        assert (on_sign_in["error"], on_sign_in["state"]) == ("access_denied", "the-state")
        assert on_sign_in["iss"] == "http://127.0.0.1:9000"
        assert "code" not in on_sign_in
    sign_in(browser)
    assert cancelled(asked(browser, other, response_mode=mode))["error"] == "access_denied"
    assert consent_of(other) is None
    assert path_of(other.ask(browser)) == "/consent"


def test_a_request_that_asks_for_more_asks_for_all_of_it_and_marks_what_is_new(
    browser: FlaskClient, other: OidcSite
) -> None:
    other.code(browser, scope="openid email")
    page = asked(browser, other, scope="openid profile email offline_access")
    assert "Wiki asks for more" in page.text
    assert allowed(page.text) == [
        "Recognise you when you come back, by the number of your account",
        "See your profile: your name and user name, and what else it says of you New",
        "See your e-mail address",
        "Go on with all of this while you are not signed in, until you remove it New",
    ]
    assert path_of(browser.get(press(browser, page).headers["Location"])) == other.redirect_uri
    # What was agreed to before is not forgotten over what is agreed to now.
    other.code(browser, scope="openid groups", claims='{"userinfo": {"gender": null}}')
    other.code(browser, scope="openid", claims='{"userinfo": {"birthdate": null}}')
    assert "code" in query_of(other.ask(browser, scope="openid", claims='{"userinfo": {"gender": null}}'))
    for scope in ("openid email", "openid profile", "openid offline_access", "openid groups"):
        assert "code" in query_of(other.ask(browser, scope=scope))


def test_a_refusal_leaves_what_was_agreed_to_before(browser: FlaskClient, other: OidcSite) -> None:
    other.code(browser, scope="openid")
    asked(browser, other, scope="openid groups")
    known = consent_of(other)
    assert known is not None
    assert known.scope == ("openid",)


def test_claims_that_are_asked_for_one_by_one_are_named_one_by_one(browser: FlaskClient, other: OidcSite) -> None:
    sign_in(browser)
    wanted = {
        "userinfo": {"given_name": {"essential": True}, "email": None, "sub": None, "shoe_size": None},
        "id_token": {"birthdate": None, "auth_time": {"essential": True}, "acr": None},
    }
    more = {"scope": "openid email", "claims": json.dumps(wanted)}
    page = asked(browser, other, **more)
    assert allowed(page.text) == [
        "Recognise you when you come back, by the number of your account",
        "See your e-mail address",
        "See your given name",
        "See your date of birth",
    ]
    assert "shoe_size" not in page.text
    press(browser, page)
    assert "code" in query_of(other.ask(browser, **more))
    grown = more | {"claims": json.dumps({"userinfo": {"given_name": None, "gender": None}})}
    assert [line for line in allowed(asked(browser, other, **grown).text) if line.endswith(" New")] == [
        "See your gender New"
    ]


@pytest.mark.covers("line-81")
def test_offline_access_is_given_by_consent_and_the_code_flow_alone(browser: FlaskClient, other: OidcSite) -> None:
    sign_in(browser)
    scope = "openid offline_access"
    assert query_of(other.ask(browser, scope=scope, prompt="none"))["error"] == "consent_required"
    assert query_of(other.ask(browser, scope=scope, response_type="code id_token", response_mode="query"))["error"] == (
        "unsupported_response_type"
    )
    tokens = other.tokens(browser, scope=scope)
    assert tokens["scope"] == scope
    services = built_of(other.app).services
    services.sign_out.end(other.claims(tokens["id_token"])["sid"], EndReason.SIGN_OUT, actor="user")
    assert other.refresh(tokens["refresh_token"]).status_code == 200


@pytest.mark.covers("line-81")
def test_offline_access_of_the_operators_own_site_is_noted_so_that_it_can_be_taken_back(
    browser: FlaskClient, shop: OidcSite
) -> None:
    shop.code(browser, scope="openid offline_access profile")
    known = consent_of(shop)
    assert known is not None
    assert known.scope == ("offline_access",), "nobody agreed to the rest"
    change_client(shop, metadata={"third_party": True})
    assert path_of(shop.ask(browser, scope="openid offline_access")) == "/consent"


def test_the_audit_has_a_line_for_what_was_given(browser: FlaskClient, other: OidcSite) -> None:
    other.code(browser, scope="openid email")
    (line,) = built_of(other.app).services.audit.list_events(5, kind=EventKind.CONSENT_GIVEN)
    assert (line.client_id, line.actor, line.data) == ("wiki", "user", {"scope": "openid email", "claims": ""})


def test_last_use_is_noted_once_an_hour_by_sign_ins_and_by_refreshes(
    browser: FlaskClient, other: OidcSite, later: Later
) -> None:
    tokens = other.tokens(browser)
    first = consent_of(other)
    assert first is not None
    with later(3000):
        other.code(browser)
        assert consent_of(other) == first
    with later(3700):
        tokens = other.refresh(tokens["refresh_token"]).get_json()
        second = consent_of(other)
        assert second is not None
        assert second.last_used_at - first.last_used_at >= 3_600_000
        assert second.granted_at == first.granted_at
    with later(7500):
        other.code(browser)
        third = consent_of(other)
        assert third is not None
        assert third.last_used_at > second.last_used_at


def test_a_refresh_is_answered_although_its_use_cannot_be_noted(
    browser: FlaskClient, other: OidcSite, later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = other.tokens(browser)

    def away(*_: object) -> None:
        raise Unavailable

    with later(3700):
        monkeypatch.setattr(built_of(other.app).sql.consents, "note_use", away)
        assert other.refresh(tokens["refresh_token"]).status_code == 200


def test_a_code_that_was_on_its_way_when_the_app_was_removed_opens_nothing(
    browser: FlaskClient, other: OidcSite
) -> None:
    code = other.code(browser)
    services = built_of(other.app).services
    assert services.consents.remove(services.accounts.get("alice").user_id, "wiki", actor="user")
    refused = other.redeem(code)
    assert (refused.status_code, refused.get_json()["error"]) == (400, "invalid_grant")
    assert refused.get_json()["error_description"] == "consent_removed"


def test_a_store_that_is_away_is_a_page_and_without_one_an_error(
    browser: FlaskClient, other: OidcSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(browser)

    def away(*_: object) -> None:
        raise Unavailable

    monkeypatch.setattr(built_of(other.app).sql.consents, "find", away)
    assert other.ask(browser).status_code == 503
    assert query_of(other.ask(browser, prompt="none"))["error"] == "temporarily_unavailable"


@pytest.mark.covers("fapi2-security-profile-final-user-rejects-authentication")
def test_a_pushed_request_is_asked_about_and_answered_once(browser: FlaskClient, other: OidcSite) -> None:
    def pushed() -> dict[str, str]:
        answer = other.post("/par", **other.params())
        assert answer.status_code == 201, answer.text
        return {"client_id": other.client_id, "request_uri": answer.get_json()["request_uri"]}

    sign_in(browser)
    first, second = pushed(), pushed()
    for _ in range(2):
        page = browser.get(browser.get("/authorize", query_string=first).headers["Location"])
    assert "Either way you go on to wiki.example.com." in page.text
    assert path_of(browser.get(press(browser, page).headers["Location"])) == other.redirect_uri
    assert browser.get("/authorize", query_string=first).status_code == 400
    assert built_of(other.app).services.consents.remove(
        built_of(other.app).services.accounts.get("alice").user_id, "wiki", actor="user"
    )
    page = browser.get(browser.get("/authorize", query_string=second).headers["Location"])
    cancel = unescape(re.findall(r'href="([^"]*&amp;cancel=1)"', page.text)[0])
    assert query_of(browser.get(cancel))["error"] == "access_denied"
    assert browser.get(press(browser, page).headers["Location"]).status_code == 400, "the site has its answer"
