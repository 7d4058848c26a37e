"""A site's doctor asks the centre: what is registered, what time it is, and what a logout call to the site comes to."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from sso_server.core.events import EventKind
from sso_server.core.trials import FREE_CALLS, MOST_CALLS
from tests.fronts.conftest import SECRETS
from tests.support.certificates import make_authority
from tests.support.oidc_site import OidcSite, built_of
from tests.support.ports import free_port
from tests.support.receivers import Posted, Receiver, Reply

STORE = "st-" + "a" * 32
Register = Callable[..., OidcSite]


@pytest.fixture(params=["sqlite", "redis"])
def app(request: pytest.FixtureRequest, make_app: Callable[..., Flask]) -> Flask:
    """On both stores: the calls are counted there."""
    if request.param == "sqlite":
        return make_app()
    return make_app(redis_url=request.getfixturevalue("empty_redis_url"))


@pytest.fixture
def register(app: Flask) -> Register:
    """The shop, changed before anybody has asked for it."""

    def change(**members: Any) -> OidcSite:
        built = built_of(app)
        client = built.services.clients.find("shop")
        assert client is not None
        assert built.sql.clients.update(replace(client, **members), client)
        built.services.clients._checked_at = 0
        return OidcSite(app, "shop", SECRETS["shop"])

    return change


@pytest.fixture
def receiver(app: Flask) -> Iterator[Callable[..., Receiver]]:
    """Sites that take logout calls as the standard says, or as the test wants them to."""
    running: list[Receiver] = []

    def start(**parts: Any) -> Receiver:
        running.append(Receiver(jwks=built_of(app).services.signer.jwks, **parts).__enter__())
        return running[-1]

    yield start
    for site in running:
        site.__exit__(None, None, None)


def ask(site: OidcSite, **members: Any) -> TestResponse:
    return site.app.test_client(use_cookies=False).post("/client-test", json=members, headers=site.basic)


def test_the_registered_address_gets_one_good_logout_call(
    register: Register, receiver: Callable[..., Receiver]
) -> None:
    there = receiver(headers={"Lockstep-Store": STORE})
    shop = register(backchannel_logout_uri=there.url)
    answer = ask(shop)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    body = answer.get_json()
    assert 0 <= body.pop("ms") < 5000
    assert abs(body.pop("now_ms") - time.time() * 1000) < 5000
    assert body == {
        "registered": {
            "redirect_uris": ["https://shop.example.com/cb", "https://shop.example.com/cb?a=%2F&b"],
            "post_logout_redirect_uris": ["https://shop.example.com/", "https://shop.example.com/bye?from=sso"],
            "backchannel_logout_uri": there.url,
            "delivery": "push",
        },
        "redirect_uri_registered": None,
        "called": True,
        "status": 200,
        "store": STORE,
        "problem": None,
        "cure": None,
    }
    (call,) = there.calls
    assert call.claims is not None
    assert (call.claims["aud"], call.claims["reason"]) == ("shop", "test")


def test_each_call_is_for_another_session_that_nobody_has(
    register: Register, receiver: Callable[..., Receiver]
) -> None:
    there = receiver()
    shop = register(backchannel_logout_uri=there.url)
    assert [ask(shop).status_code for _ in range(3)] == [200] * 3
    sids = {call.claims["sid"] for call in there.calls if call.claims}
    assert len(sids) == 3
    assert all(built_of(shop.app).services.ledger.of_session(sid) == [] for sid in sids)


@pytest.mark.parametrize(
    ("uri", "known"), [("https://shop.example.com/cb", True), ("https://shop.example.com/cb/", False), (None, None)]
)
def test_it_says_whether_a_redirect_uri_is_registered_and_calls_nobody(
    register: Register, receiver: Callable[..., Receiver], uri: str | None, known: bool | None
) -> None:
    there = receiver()
    body = ask(register(backchannel_logout_uri=there.url), redirect_uri=uri, call=False).get_json()
    assert (body["redirect_uri_registered"], body["called"], body["status"], there.calls) == (known, False, None, [])


def test_nothing_in_the_request_chooses_who_is_called(register: Register, receiver: Callable[..., Receiver]) -> None:
    there, elsewhere = receiver(), receiver()
    shop = register(backchannel_logout_uri=there.url)
    names = ("url", "uri", "logout_uri", "backchannel_logout_uri", "logout_url", "registered", "client_id")
    body = ask(shop, redirect_uri=elsewhere.url, **dict.fromkeys(names, elsewhere.url)).get_json()
    assert (body["status"], len(there.calls), elsewhere.calls) == (200, 1, [])


def test_a_redirect_is_not_followed(register: Register, receiver: Callable[..., Receiver]) -> None:
    elsewhere = receiver()
    there = receiver(before=lambda _: (307, ""), headers={"Location": elsewhere.url})
    body = ask(register(backchannel_logout_uri=there.url)).get_json()
    assert (body["status"], body["problem"], elsewhere.calls) == (307, "redirect", [])
    assert elsewhere.url not in str(body["cure"])


def test_of_the_site_s_answer_only_status_and_store_are_handed_on(
    register: Register, receiver: Callable[..., Receiver]
) -> None:
    headers = {"Lockstep-Store": "no-store-id-but-words", "X-Secret": "inner-header"}
    there = receiver(before=lambda _: (500, "inner body: csrf"), headers=headers)
    answer = ask(register(backchannel_logout_uri=there.url))
    body = answer.get_json()
    assert (body["status"], body["store"], body["problem"]) == (500, None, "site_failed")
    said = answer.text + str(answer.headers)
    assert [word for word in ("inner", "words", "csrf") if word in said] == []


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("http://127.0.0.1:{port}/logout", "connect"),
        ("http://169.254.169.254/latest/meta-data/", "address_forbidden"),
        ("http://10.0.0.1/logout", "address_forbidden"),
        ("", "no_address"),
    ],
)
def test_an_address_that_cannot_be_called_is_named_by_its_code(register: Register, uri: str, problem: str) -> None:
    body = ask(register(backchannel_logout_uri=uri.format(port=free_port()))).get_json()
    assert (body["called"], body["status"], body["problem"]) == (bool(uri), None, problem)
    assert body["cure"]


def test_a_certificate_that_is_not_trusted_is_named_as_such(
    register: Register, receiver: Callable[..., Receiver], tmp_path: Path
) -> None:
    there = receiver(tls=make_authority(tmp_path).context("127.0.0.1"))
    body = ask(register(backchannel_logout_uri=there.url)).get_json()
    assert (body["status"], body["problem"], there.calls) == (None, "certificate_untrusted", [])


def test_a_site_that_polls_is_not_called(register: Register, receiver: Callable[..., Receiver]) -> None:
    there = receiver()
    body = ask(register(backchannel_logout_uri=there.url, delivery="poll")).get_json()
    assert (body["called"], body["problem"], body["registered"]["delivery"], there.calls) == (False, None, "poll", [])


def test_a_site_cannot_be_hammered_through_it(register: Register, receiver: Callable[..., Receiver]) -> None:
    there = receiver()
    shop = register(backchannel_logout_uri=there.url)
    assert [ask(shop).status_code for _ in range(FREE_CALLS)] == [200] * FREE_CALLS
    refused = ask(shop)
    assert (refused.status_code, refused.get_json()["error"], refused.headers["Retry-After"]) == (429, "slow_down", "1")
    assert len(there.calls) == FREE_CALLS
    assert ask(shop, call=False).status_code == 200


@pytest.fixture
def slow_sites(register: Register, receiver: Callable[..., Receiver]) -> Iterator[Callable[[int], list[OidcSite]]]:
    """`slow_sites(3)`: three sites that have been called and don't answer before the end of the test."""
    entered, leave, threads = threading.Semaphore(0), threading.Event(), list[threading.Thread]()

    def slow(_call: Posted) -> Reply:
        entered.release()
        leave.wait(4)
        return 200, ""

    def start(count: int) -> list[OidcSite]:
        shop = register(backchannel_logout_uri=receiver(before=slow).url)
        built = built_of(shop.app)
        record = built.services.clients.find("shop")
        assert record is not None
        sites = [replace(shop, client_id=f"slow{i}") for i in range(count)]
        for site in sites:
            assert built.sql.clients.add(replace(record, client_id=site.client_id))
            threads.append(threading.Thread(target=ask, args=(site,)))
            threads[-1].start()
            assert entered.acquire(timeout=10)
        return sites

    yield start
    leave.set()
    for thread in threads:
        thread.join()


def test_a_slow_site_is_called_once_at_a_time_and_keeps_no_other_waiting(
    slow_sites: Callable[[int], list[OidcSite]], receiver: Callable[..., Receiver]
) -> None:
    (slow,) = slow_sites(1)
    refused = ask(slow)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "2")
    clients = built_of(slow.app).sql.clients
    shop = next(client for client in clients.list_clients() if client.client_id == "shop")
    assert clients.add(
        replace(shop, client_id="quick", backchannel_logout_uri=receiver(before=lambda _: (200, "")).url)
    )
    quick = replace(slow, client_id="quick")
    assert [ask(quick).get_json()["status"] for _ in range(2)] == [200] * 2


def test_slow_sites_together_hold_a_few_threads(slow_sites: Callable[[int], list[OidcSite]]) -> None:
    slow = slow_sites(MOST_CALLS)
    refused = ask(replace(slow[0], client_id="shop"))
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "2")


def test_each_call_leaves_a_line_in_log_and_audit(
    register: Register, receiver: Callable[..., Receiver], logged: list[dict[str, object]]
) -> None:
    shop = register(backchannel_logout_uri=receiver(before=lambda _: (404, "")).url)
    ask(shop)
    (line,) = [line for line in logged if line["event"] == "client_tested"]
    assert (line["client_id"], line["called"], line["status"], line["problem"]) == ("shop", True, 404, "http_404")
    (event,) = built_of(shop.app).services.audit.list_events(10, kind=EventKind.CLIENT_TESTED)
    assert (event.client_id, event.actor) == ("shop", "client:shop")
    assert (event.data["status"], event.data["problem"]) == (404, "http_404")


def test_only_the_client_itself_may_ask(app: Flask, receiver: Callable[..., Receiver], register: Register) -> None:
    there = receiver()
    register(backchannel_logout_uri=there.url)
    browser = app.test_client()
    spa = {"Authorization": "Basic c3BhOg=="}
    for headers in ({}, {"Authorization": "Basic c2hvcDp4"}, spa):
        answer = browser.post("/client-test", json={"client_id": "shop"}, headers=headers)
        assert (answer.status_code, answer.get_json()["error"]) == (401, "invalid_client")
    assert there.calls == []


def test_a_public_client_is_not_called_even_if_a_secret_is_left_from_before(
    register: Register, receiver: Callable[..., Receiver]
) -> None:
    there = receiver()
    for call in (True, False):
        answer = ask(register(backchannel_logout_uri=there.url, public=True), call=call)
        assert (answer.status_code, answer.get_json()["error"]) == (401, "invalid_client")
    assert there.calls == []


@pytest.mark.parametrize("body", [{"redirect_uri": 1}, {"redirect_uri": "x" * 2001}, {"call": 1}, {"call": None}])
def test_a_malformed_question_calls_nobody(
    register: Register, receiver: Callable[..., Receiver], body: dict[str, Any]
) -> None:
    there = receiver()
    answer = ask(register(backchannel_logout_uri=there.url), **body)
    assert (answer.status_code, answer.get_json()["error"], there.calls) == (400, "invalid_request", [])


def test_discovery_says_where_it_is(app: Flask) -> None:
    document = app.test_client().get("/.well-known/openid-configuration").get_json()
    assert document["client_test_endpoint"] == f"{document['issuer']}/client-test"
