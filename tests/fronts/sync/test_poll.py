"""A site without our SDK asks for its sign-outs (RFC 8936), over the whole app."""

import time
from collections.abc import Callable
from dataclasses import replace

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from sso_server.core.notifications import State
from sso_server.core.sessions import EndReason
from tests.fronts.conftest import Later
from tests.support.oidc_site import ISSUER, OidcSite, built_of

EVENT = "http://schemas.openid.net/event/backchannel-logout"


def poll(site: OidcSite, **members: object) -> TestResponse:
    calls = site.app.test_client(use_cookies=False)
    return calls.post("/poll", json={"returnImmediately": True, **members}, headers=site.basic)


def sets(site: OidcSite, **members: object) -> dict[str, str]:
    answer = poll(site, **members)
    assert answer.status_code == 200, answer.text
    found: dict[str, str] = answer.get_json()["sets"]
    return found


def signed_in(site: OidcSite, browser: FlaskClient) -> str:
    return str(site.claims(site.tokens(browser)["id_token"])["sid"])


def ended(site: OidcSite, browser: FlaskClient) -> str:
    sid = signed_in(site, browser)
    built_of(site.app).services.sign_out.end(sid, EndReason.ADMINISTRATOR, actor="test")
    return sid


def state_of(site: OidcSite, sid: str) -> State:
    rows = built_of(site.app).services.ledger.of_session(sid)
    return next(row.state for row in rows if row.client_id == site.client_id)


def test_with_nothing_to_say_the_answer_has_both_members(shop: OidcSite) -> None:
    answer = poll(shop)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert answer.get_json() == {"sets": {}, "moreAvailable": False}


@pytest.mark.covers("line-131")
@pytest.mark.parametrize("name", ["shop", "wiki"])
def test_the_token_is_a_security_event_token_of_this_row(
    name: str, browser: FlaskClient, request: pytest.FixtureRequest
) -> None:
    site: OidcSite = request.getfixturevalue(name)
    before = int(time.time())
    sid = ended(site, browser)
    ((jti, token),) = sets(site).items()
    header = jwt.get_unverified_header(token)
    assert header["typ"] == "secevent+jwt"
    assert header["alg"] == {"shop": "ES256", "wiki": "RS256"}[name]
    claims = site.claims(token)
    person = built_of(site.app).services.users.find_by_username("alice")
    assert person is not None
    assert before <= claims["iat"] <= time.time()
    assert claims["ended_at"] // 1000 == claims["iat"]
    assert claims == {
        "iss": ISSUER, "aud": name, "jti": jti, "sub": person.user_id, "sid": sid, "events": {EVENT: {}},
        "reason": "administrator", "iat": claims["iat"], "ended_at": claims["ended_at"],
    }  # fmt: skip
    assert "exp" not in claims
    assert "nonce" not in claims


@pytest.mark.covers("line-134", "ssf-poll-delivery")
def test_the_same_claims_come_until_they_are_acknowledged(browser: FlaskClient, shop: OidcSite, later: Later) -> None:
    sid = ended(shop, browser)
    ((jti, token),) = sets(shop).items()
    with later(3600):
        ((again, second),) = sets(shop).items()
        assert (again, shop.claims(second)) == (jti, shop.claims(token))
    assert sets(shop, ack=[jti]) == {}
    assert sets(shop, ack=[jti]) == {}, "once more does no harm"
    assert state_of(shop, sid) is State.ACKNOWLEDGED


@pytest.mark.covers("line-135")
def test_what_was_not_acknowledged_before_a_restart_comes_after_it(
    make_app: Callable[..., Flask], browser: FlaskClient, shop: OidcSite
) -> None:
    first, second = ended(shop, browser), ended(shop, shop.app.test_client())
    offered = sets(shop)
    assert sets(shop, ack=[next(iter(offered))]) != {}
    built_of(shop.app).close()
    again = sets(replace(shop, app=make_app()))
    assert list(again) == list(offered)[1:]
    assert {shop.claims(token)["sid"] for token in again.values()} < {first, second}


@pytest.mark.covers("line-134", "ssf-poll-acknowledge-only")
def test_acknowledging_alone_lists_nothing_and_says_that_more_is_there(app: Flask, shop: OidcSite) -> None:
    sids = [ended(shop, app.test_client()) for _ in range(2)]
    first, _ = sets(shop)
    answer = poll(shop, ack=[first], maxEvents=0, returnImmediately=False).get_json()
    assert answer == {"sets": {}, "moreAvailable": True}
    assert sorted(state_of(shop, sid) for sid in sids) == [State.ACKNOWLEDGED, State.PENDING]


@pytest.mark.covers("line-134")
def test_no_more_events_than_asked_for_oldest_first(app: Flask, shop: OidcSite) -> None:
    sids = [ended(shop, app.test_client()) for _ in range(3)]
    answer = poll(shop, maxEvents=2).get_json()
    assert {shop.claims(token)["sid"] for token in answer["sets"].values()} == set(sids[:2])
    assert answer["moreAvailable"] is True
    answer = poll(shop, maxEvents=2, ack=list(answer["sets"])).get_json()
    assert {shop.claims(token)["sid"] for token in answer["sets"].values()} == set(sids[2:])
    assert answer["moreAvailable"] is False


def test_each_client_hears_of_its_own_rows_under_names_of_its_own(
    browser: FlaskClient, shop: OidcSite, wiki: OidcSite
) -> None:
    signed_in(wiki, browser)
    sid = ended(shop, browser)
    (of_shop,), (of_wiki,) = sets(shop), sets(wiki)
    assert of_shop != of_wiki
    assert wiki.claims(sets(wiki)[of_wiki])["aud"] == "wiki"
    assert list(sets(wiki, ack=[of_shop], setErrs={of_shop: {"err": "x"}})) == [of_wiki]
    assert (state_of(shop, sid), state_of(wiki, sid)) == (State.PENDING, State.PENDING)


@pytest.mark.parametrize("strange", ["", "x", "a.b", "sid-07-" + "a" * 32, ".0123456789abcdef", "sid\n.0", "x" * 9000])
def test_what_is_no_jti_of_ours_is_passed_over_and_the_rest_counts(
    strange: str, browser: FlaskClient, shop: OidcSite
) -> None:
    ended(shop, browser)
    (jti,) = sets(shop)
    assert sets(shop, ack=[strange, jti], setErrs={strange: {"err": "x"}}) == {}


def test_the_jti_must_be_whole(browser: FlaskClient, shop: OidcSite) -> None:
    sid = ended(shop, browser)
    (jti,) = sets(shop)
    for other in (sid, sid + ".", jti[:-1], jti.upper(), jti + "0", " " + jti):
        assert list(sets(shop, ack=[other])) == [jti]


@pytest.mark.covers("line-134")
def test_a_refused_event_does_not_come_again_and_stands_in_the_ledger_by_its_code(
    browser: FlaskClient, shop: OidcSite, logged: list[dict[str, object]]
) -> None:
    sid = ended(shop, browser)
    (jti,) = sets(shop)
    assert sets(shop, setErrs={jti: {"err": "Invalid Key\n" + "x" * 60, "description": "no such kid"}}) == {}
    (row,) = built_of(shop.app).services.ledger.of_session(sid)
    assert (row.state, row.last_error) == (State.REFUSED, "set_err:invalid_key_" + "x" * 28)
    (line,) = (line for line in logged if line["event"] == "events_refused")
    assert (line["count"], line["description"]) == (1, "no such kid")


def test_who_says_done_and_failed_of_one_event_has_done_it(browser: FlaskClient, shop: OidcSite) -> None:
    sid = ended(shop, browser)
    (jti,) = sets(shop)
    sets(shop, ack=[jti], setErrs={jti: {"err": "x"}})
    assert state_of(shop, sid) is State.ACKNOWLEDGED


def test_a_local_session_that_must_be_over_is_offered_no_more(
    browser: FlaskClient, shop: OidcSite, later: Later
) -> None:
    ended(shop, browser)
    with later(23 * 3600):
        assert len(sets(shop)) == 1
    with later(25 * 3600):
        assert sets(shop) == {}


def test_a_public_client_is_invalid_client(spa: OidcSite) -> None:
    answer = spa.app.test_client().post("/poll", json={"client_id": "spa"}, headers={"Authorization": "Basic c3BhOg=="})
    assert (answer.status_code, answer.get_json()["error"]) == (401, "invalid_client")


def test_a_public_client_is_refused_even_if_a_secret_is_left_from_before(shop: OidcSite, later: Later) -> None:
    built = built_of(shop.app)
    client = built.services.clients.find("shop")
    assert client is not None
    built.sql.clients.update(replace(client, public=True), client)
    with later(2):
        answer = poll(shop)
    assert (answer.status_code, answer.get_json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic c2hvcDp4"}, {"Authorization": "Bearer x"}])
def test_without_the_right_secret_it_is_invalid_client_whatever_the_body(app: Flask, headers: dict[str, str]) -> None:
    answer = app.test_client().post("/poll", data=b"{", headers=headers)
    assert (answer.status_code, answer.get_json()["error"]) == (401, "invalid_client")
    assert "WWW-Authenticate" in answer.headers


def test_a_wrong_value_is_invalid_request_and_nothing_is_done(browser: FlaskClient, shop: OidcSite) -> None:
    sid = ended(shop, browser)
    (jti,) = sets(shop)
    for members in ({"maxEvents": -1}, {"maxEvents": 10**12}, {"returnImmediately": 1}, {"setErrs": [jti]}):
        answer = poll(shop, **{"ack": [jti], **members})
        assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")
    assert state_of(shop, sid) is State.PENDING


def test_the_body_is_json_and_not_huge(shop: OidcSite) -> None:
    calls = shop.app.test_client()
    for content_type in ("application/x-www-form-urlencoded", "text/plain", ""):
        answer = calls.post("/poll", data="{}", headers=shop.basic | {"Content-Type": content_type})
        assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")
    for size, status in ((1024 * 1024 - 200, 200), (1024 * 1024 + 1, 413), (3 * 1024 * 1024, 413)):
        answer = poll(shop, padding="x" * size)
        assert answer.status_code == status
        assert status == 200 or answer.get_json()["error"] == "invalid_request"


def test_a_node_with_a_wrong_clock_answers_no_poll(
    app: Flask, browser: FlaskClient, shop: OidcSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended(shop, browser)
    clock = built_of(app).services.clock
    ahead = clock.now() + 2 * 86_400_000
    monkeypatch.setattr(type(clock), "now", lambda _self: ahead)
    answer = poll(shop)
    assert (answer.status_code, answer.get_json()["error"]) == (503, "temporarily_unavailable")
    monkeypatch.undo()
    assert len(sets(shop)) == 1


def test_only_post_is_answered(app: Flask) -> None:
    answer = app.test_client().get("/poll")
    assert (answer.status_code, answer.get_json()["error"]) == (405, "invalid_request")
