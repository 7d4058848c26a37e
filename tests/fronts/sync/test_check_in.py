"""A site's store reports and hears, over the whole app."""

import json
import time
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient

from sso_server.core.sessions import EndReason
from tests.fronts.conftest import Later
from tests.support.oidc_site import OidcSite, built_of, sign_in

STORE, OTHER = "st-" + "a" * 32, "st-" + "b" * 32


def sid_at(site: OidcSite, browser: FlaskClient, store: str = STORE) -> str:
    return str(site.claims(site.tokens(browser, store_id=store)["id_token"])["sid"])


def end(site: OidcSite, sid: str) -> None:
    built_of(site.app).services.sign_out.end(sid, EndReason.ADMINISTRATOR, actor="test")


def test_with_nothing_to_say_the_answer_has_every_member(shop: OidcSite) -> None:
    answer = shop.check_in(STORE, mark=None, acks=[], ended=[], active=[])
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    body = answer.get_json()
    assert isinstance(body.pop("mark"), str)
    assert 1 <= len(body.pop("epoch")) <= 64
    assert body == {"ends": [], "more": False, "lag_ms": 0, "lease_s": 60, "grace_s": 0, "report_s": 2880}


def test_an_end_is_listed_until_it_is_acknowledged(browser: FlaskClient, shop: OidcSite) -> None:
    sid = sid_at(shop, browser)
    before = int(time.time() * 1000)
    end(shop, sid)
    for _ in range(2):
        (notice,) = shop.check_in(STORE).get_json()["ends"]
        assert (set(notice), notice["sid"], notice["reason"]) == ({"sid", "reason", "ended_at"}, sid, "administrator")
        assert before <= notice["ended_at"] <= time.time() * 1000
    assert shop.check_in(STORE, acks=[sid]).get_json()["ends"] == []
    assert shop.check_in(STORE, acks=[sid]).get_json()["ends"] == []
    (row,) = built_of(shop.app).services.ledger.of_session(sid)
    assert row.state == "acknowledged"


def test_each_store_hears_of_its_own_sessions_only(browser: FlaskClient, shop: OidcSite, wiki: OidcSite) -> None:
    end(shop, sid_at(shop, browser))
    assert shop.check_in(OTHER).get_json()["ends"] == []
    assert wiki.check_in(STORE).get_json()["ends"] == []
    assert len(shop.check_in(STORE).get_json()["ends"]) == 1


def test_a_sign_out_at_the_site_ends_the_session_everywhere(
    browser: FlaskClient, shop: OidcSite, wiki: OidcSite
) -> None:
    sid_at(wiki, browser, OTHER)
    sid = sid_at(shop, browser)
    assert shop.check_in(STORE, ended=[sid]).get_json()["ends"] == []
    assert shop.check_in(STORE, ended=[sid]).status_code == 200
    (notice,) = wiki.check_in(OTHER).get_json()["ends"]
    assert (notice["sid"], notice["reason"]) == (sid, "site_sign_out")


def test_a_site_cannot_end_a_session_that_it_takes_no_part_in(
    browser: FlaskClient, shop: OidcSite, wiki: OidcSite
) -> None:
    sid = sid_at(shop, browser)
    assert wiki.check_in(OTHER, ended=[sid], acks=[sid]).status_code == 200
    assert shop.check_in(STORE, sids=[sid]).get_json()["ends"] == []


def test_activity_at_the_site_keeps_the_session_alive(browser: FlaskClient, shop: OidcSite, later: Later) -> None:
    sid = sid_at(shop, browser)
    for hours in (4, 9, 14):
        with later(hours * 3600):
            assert shop.check_in(STORE, active=[sid]).get_json()["ends"] == []
    with later(19 * 3600):
        assert shop.check_in(STORE).get_json()["ends"] == []
    with later(23.9 * 3600):
        (notice,) = shop.check_in(STORE).get_json()["ends"]
        assert notice["reason"] == "idle"


def test_live_sessions_are_registered_again_and_unknown_ones_come_back(browser: FlaskClient, shop: OidcSite) -> None:
    sid, unknown = sid_at(shop, browser), "sid-07-" + "z" * 32
    (notice,) = shop.check_in(OTHER, sids=[sid, unknown]).get_json()["ends"]
    assert (notice["sid"], notice["reason"]) == (unknown, "unknown_session")
    end(shop, sid)
    assert [n["sid"] for n in shop.check_in(OTHER).get_json()["ends"]] == [sid]


def test_a_public_client_is_invalid_client(spa: OidcSite) -> None:
    for headers in ({}, {"Authorization": "Basic c3BhOg=="}, {"Authorization": "Basic c3BhOng="}):
        answer = spa.app.test_client().post("/check-in", json={"store": STORE, "client_id": "spa"}, headers=headers)
        assert (answer.status_code, answer.get_json()["error"]) == (401, "invalid_client")


def test_a_public_client_is_refused_even_if_a_secret_is_left_from_before(shop: OidcSite, later: Later) -> None:
    built = built_of(shop.app)
    client = built.services.clients.find("shop")
    assert client is not None
    built.sql.clients.update(replace(client, public=True), client)
    with later(2):
        answer = shop.check_in(STORE)
    assert (answer.status_code, answer.get_json()["error"]) == (401, "invalid_client")


def test_a_wrong_secret_is_invalid_client_whatever_the_body(app: Flask) -> None:
    answer = app.test_client().post("/check-in", data=b"{", headers={"Authorization": "Basic c2hvcDp4"})
    assert (answer.status_code, answer.get_json()["error"]) == (401, "invalid_client")
    assert "WWW-Authenticate" in answer.headers


@pytest.mark.parametrize(
    "members",
    [{"store": "st-1"}, {"store": STORE.upper()}, {"acks": ["x"]}, {"active": ["sid-07-short"]}, {"ended": [STORE]},
     {"sids": ["sid-07-" + "a" * 32 + "\n"]}, {"acks": "x"}, {"mark": 1}],
)  # fmt: skip
def test_a_wrong_value_is_invalid_request_and_nothing_is_done(
    browser: FlaskClient, shop: OidcSite, members: dict[str, object]
) -> None:
    sid = sid_at(shop, browser)
    body = {"store": STORE, "ended": [sid]} | members
    answer = shop.app.test_client().post("/check-in", json=body, headers=shop.basic)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")
    assert shop.check_in(STORE, sids=[sid]).get_json()["ends"] == []


def test_a_list_of_more_than_5000_is_refused(shop: OidcSite) -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    sids = [
        "sid-00-" + "a" * 28 + letters[i // 676] + letters[i // 26 % 26] + letters[i % 26] + "a" for i in range(5001)
    ]
    assert shop.check_in(STORE, acks=sids[:5000]).status_code == 200
    assert shop.check_in(STORE, acks=sids).status_code == 400


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/plain", ""])
def test_the_body_must_be_declared_as_json(shop: OidcSite, content_type: str) -> None:
    headers = shop.basic | {"Content-Type": content_type}
    answer = shop.app.test_client().post("/check-in", data=json.dumps({"store": STORE}), headers=headers)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")


def test_a_body_over_one_mebibyte_is_413_in_json(shop: OidcSite) -> None:
    for size, status in ((1024 * 1024 - 200, 200), (1024 * 1024 + 1, 413), (3 * 1024 * 1024, 413)):
        answer = shop.check_in(STORE, padding="x" * size)
        assert answer.status_code == status
        assert status == 200 or answer.get_json()["error"] == "invalid_request"


def test_the_lease_and_the_grace_are_the_clients_own(shop: OidcSite, later: Later) -> None:
    built = built_of(shop.app)
    client = built.services.clients.find("shop")
    assert client is not None
    built.sql.clients.update(replace(client, lease_s=20, grace_s=600), client)
    with later(2):
        body = shop.check_in(STORE).get_json()
    assert (body["lease_s"], body["grace_s"]) == (20, 600)


def test_a_late_sweeper_shortens_the_lease(app: Flask, shop: OidcSite, later: Later) -> None:
    for _ in range(7):  # a check-in sweeps five by itself
        sign_in(app.test_client())
    # Idle after 8 h; a report may be an hour late, and one lease later nobody is served any more.
    with later((8 * 60 + 60 + 1 + 10) * 60):
        assert 590_000 < shop.check_in(STORE).get_json()["lag_ms"] < 660_000
        assert shop.check_in(STORE).get_json()["lag_ms"] == 0


def test_a_node_with_a_wrong_clock_answers_no_check_in_and_ends_nobody(
    app: Flask, browser: FlaskClient, shop: OidcSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    sid = sid_at(shop, browser)
    clock = built_of(app).services.clock
    ahead = clock.now() + 2 * 86_400_000
    monkeypatch.setattr(type(clock), "now", lambda _self: ahead)
    answer = shop.check_in(STORE, active=[sid])
    assert (answer.status_code, answer.get_json()["error"]) == (503, "temporarily_unavailable")
    monkeypatch.undo()
    assert built_of(app).session_stores.sessions.find(sid).ended_at is None
