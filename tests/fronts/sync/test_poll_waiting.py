"""A poll that waits: what ends it, and who may."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from sso_server.core.errors import Unavailable
from sso_server.core.sessions import EndReason
from sso_server.fronts.sync import poll as front
from tests.support.deliveries import eventually
from tests.support.oidc_site import OidcSite, built_of


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(12) as threads:
        yield threads


@pytest.fixture
def stopping(shop: OidcSite) -> Iterator[threading.Event]:
    """The process is told to stop when this is set; it is at the end of the test."""
    event = threading.Event()
    room = built_of(shop.app).services.waiting
    room.close_when(event.is_set)
    yield event
    event.set()


def wait_at(site: OidcSite, **members: object) -> TestResponse:
    return site.app.test_client(use_cookies=False).post("/poll", json=members, headers=site.basic)


def places_taken(site: OidcSite) -> int:
    return built_of(site.app).services.waiting._taken.total()


def waiting(pool: ThreadPoolExecutor, site: OidcSite, count: int = 1) -> list[Future[TestResponse]]:
    """So many calls of the site, all of them waiting."""
    before = places_taken(site)
    calls = [pool.submit(wait_at, site) for _ in range(count)]
    eventually(lambda: places_taken(site) == before + count)
    return calls


def end(site: OidcSite, sid: str) -> None:
    built_of(site.app).services.sign_out.end(sid, EndReason.SIGN_OUT, actor="test")


def signed_in(site: OidcSite, browser: FlaskClient) -> str:
    return str(site.claims(site.tokens(browser)["id_token"])["sid"])


def test_a_waiting_call_is_answered_when_a_session_ends(
    browser: FlaskClient, shop: OidcSite, wiki: OidcSite, pool: ThreadPoolExecutor, stopping: threading.Event
) -> None:
    sid = signed_in(shop, browser)
    (call,), (other,) = waiting(pool, shop), waiting(pool, wiki)
    end(shop, sid)
    ended = time.monotonic()
    (token,) = call.result(20).get_json()["sets"].values()
    # Measured 0.25 s on average, 0.5 s at most.
    assert time.monotonic() - ended < 5
    assert shop.claims(token)["sid"] == sid
    assert not other.done(), "another site has nothing to hear"
    stopping.set()
    assert other.result(20).get_json() == {"sets": {}, "moreAvailable": False}


def test_a_call_whose_acknowledgements_leave_nothing_waits_for_the_next_end(
    browser: FlaskClient, shop: OidcSite, pool: ThreadPoolExecutor, stopping: threading.Event
) -> None:
    first = signed_in(shop, browser)
    end(shop, first)
    (jti,) = wait_at(shop).get_json()["sets"]
    call = pool.submit(wait_at, shop, ack=[jti])
    eventually(lambda: places_taken(shop) == 1)
    assert built_of(shop.app).services.ledger.of_session(first)[0].state == "acknowledged"
    second = signed_in(shop, shop.app.test_client())
    end(shop, second)
    (token,) = call.result(20).get_json()["sets"].values()
    assert shop.claims(token)["sid"] == second


def test_after_its_time_a_waiting_call_is_answered_with_nothing(
    shop: OidcSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front, "WAIT_S", 0.7)
    began = time.monotonic()
    answer = wait_at(shop)
    assert 0.7 <= time.monotonic() - began < 5
    assert (answer.status_code, answer.get_json()) == (200, {"sets": {}, "moreAvailable": False})
    assert "Retry-After" not in answer.headers


def test_it_waits_for_less_than_the_half_minute_of_most_proxies() -> None:
    assert 20 <= front.WAIT_S < 30


def test_who_finds_no_place_is_answered_at_once_and_asked_to_come_later(
    browser: FlaskClient, shop: OidcSite, wiki: OidcSite, pool: ThreadPoolExecutor, stopping: threading.Event
) -> None:
    calls = [*waiting(pool, shop, 4), *waiting(pool, wiki, 4)]
    for site in (shop, wiki):
        began = time.monotonic()
        answer = wait_at(site)
        assert time.monotonic() - began < 5
        assert (answer.get_json()["sets"], answer.headers["Retry-After"]) == ({}, "2")
    end(shop, signed_in(shop, browser))
    assert len(wait_at(shop).get_json()["sets"]) == 1, "what is there comes without a place"
    stopping.set()
    assert [call.result(20).status_code for call in calls] == [200] * 8
    assert places_taken(shop) == 0


def test_a_stop_of_the_process_ends_every_wait(
    shop: OidcSite, pool: ThreadPoolExecutor, stopping: threading.Event
) -> None:
    calls = waiting(pool, shop, 3)
    stopping.set()
    began = time.monotonic()
    assert [call.result(20).get_json()["sets"] for call in calls] == [{}] * 3
    assert wait_at(shop).get_json()["sets"] == {}
    # Measured 0.5 s; without it 25 s.
    assert time.monotonic() - began < 5


def test_nobody_holds_a_connection_of_the_database_while_waiting(
    shop: OidcSite, pool: ThreadPoolExecutor, stopping: threading.Event
) -> None:
    waiting(pool, shop, 4)
    database = built_of(shop.app).sql.database
    assert database._reads is not None
    idle = database._reads._idle
    # The one that SQLite is written by stays out, and those that the next who reads will find; the four who wait would
    # hold one each.
    eventually(lambda: database._engine.pool.checkedout() - len(idle) <= 1)


def test_a_store_that_goes_away_meanwhile_is_said_and_the_place_is_free_again(
    shop: OidcSite, pool: ThreadPoolExecutor, stopping: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    (call,) = waiting(pool, shop)
    store = built_of(shop.app).session_stores.polls

    def away(*_: object) -> bool:
        raise Unavailable(detail="gone")

    monkeypatch.setattr(type(store), "has_waiting", away)
    answer = call.result(20)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert places_taken(shop) == 0


def test_a_second_centre_on_the_same_stores_ends_the_wait_as_well(
    make_app: Callable[..., Flask], browser: FlaskClient, shop: OidcSite, pool: ThreadPoolExecutor,
    stopping: threading.Event,
) -> None:  # fmt: skip
    sid = signed_in(shop, browser)
    (call,) = waiting(pool, shop)
    built_of(make_app()).services.sign_out.end(sid, EndReason.SIGN_OUT, actor="test")
    ended = time.monotonic()
    assert len(call.result(20).get_json()["sets"]) == 1
    assert time.monotonic() - ended < 5
