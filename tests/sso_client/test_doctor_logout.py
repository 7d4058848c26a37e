"""The doctor on the way of a sign-out: which stores answer, and whether the centre's call arrives."""

from typing import Any
from unittest.mock import patch

import pytest
from flask import Flask, request

from sso_client.waiting import BlockingWaiting
from sso_server.core.guesses import Limit
from sso_server.core.trials import FREE_CALLS
from tests.support.examined import Shop, findings_of, troubles
from tests.support.oidc_site import built_of
from tests.support.ports import free_port


def test_an_accepted_call_without_a_store_was_answered_by_something_else(shop: Shop) -> None:
    app = shop.app()
    url = shop.run(app)
    stranger = Flask("stranger")
    stranger.add_url_rule("/<path:path>", "any", lambda path: "thanks", methods=["GET", "POST"])
    shop.centre.register(url, backchannel_logout_uri=shop.run(stranger) + "/logout")
    found = findings_of(shop.settings(base_url=url, store=shop.store), url)
    assert troubles(found) == {"call back": ("problem", "callback_not_ours")}


def test_two_workers_with_a_store_each(shop: Shop) -> None:
    ports = [
        int(shop.run(shop.app(store=f"sqlite:///{shop.directory}/{name}.sqlite3")).rpartition(":")[2])
        for name in ("one", "two")
    ]
    url = f"http://127.0.0.1:{shop.forward(*ports)}"
    shop.centre.register(url)
    found = findings_of(shop.settings(base_url=url), url)
    assert troubles(found) == {"one store": ("problem", "store_not_shared")}
    assert ("count", 2) in found["one store"].facts
    assert found["call back"].level == "ok"


def test_two_workers_with_one_store(shop: Shop) -> None:
    ports = [int(shop.run(shop.app()).rpartition(":")[2]) for _ in range(2)]
    url = f"http://127.0.0.1:{shop.forward(*ports)}"
    shop.centre.register(url)
    assert troubles(findings_of(shop.settings(base_url=url, store=shop.store), url)) == {}


def test_two_hosts_with_one_redis(shop: Shop, empty_redis_url: str) -> None:
    ports = [int(shop.run(shop.app(store=empty_redis_url)).rpartition(":")[2]) for _ in range(2)]
    url = f"http://127.0.0.1:{shop.forward(*ports)}"
    shop.centre.register(url)
    found = findings_of(shop.settings(base_url=url, store=empty_redis_url), url)
    assert troubles(found) == {"redis disk": ("warning", "store_volatile")}
    assert found["one store"].level == "ok"


def test_the_centre_calls_another_host_than_the_one_that_is_looked_at(shop: Shop) -> None:
    here, there = shop.run(shop.app()), shop.run(shop.app(store=f"sqlite:///{shop.directory}/there.sqlite3"))
    shop.centre.register(here, backchannel_logout_uri=f"{there}/sso/backchannel-logout")
    found = findings_of(shop.settings(base_url=here), here)
    assert troubles(found) == {"one store": ("problem", "store_not_shared")}


def test_a_running_site_with_another_store_than_these_settings(shop: Shop) -> None:
    other = f"sqlite:///{shop.directory}/other.sqlite3"
    shop.app(store=other)
    assert troubles(shop.examine(shop.app(), store=other)) == {"same store": ("problem", "store_differs")}


@pytest.mark.parametrize(
    ("uri", "code", "advice"),
    [
        (
            "http://127.0.0.1:{port}/sso/backchannel-logout",
            "callback_unreachable",
            "Nobody takes the connection",
        ),
        ("http://10.0.0.1/sso/backchannel-logout", "callback_unreachable", "The centre may not call there"),
        ("", "logout_address_missing", ""),
    ],
)
def test_a_call_back_that_does_not_come(shop: Shop, uri: str, code: str, advice: str) -> None:
    url = shop.run(shop.app())
    shop.centre.register(url, backchannel_logout_uri=uri.format(port=free_port()))
    found = findings_of(shop.settings(base_url=url), url)
    assert troubles(found) == {"call back": ("problem", code)}
    assert found["call back"].advice.startswith(advice)


def test_a_site_that_cannot_reach_the_centre_refuses_its_call(shop: Shop) -> None:
    app = shop.app()

    @app.before_request
    def lost() -> tuple[str, int, dict[str, str]] | None:
        refused = request.form.get("logout_token", "").count(".") == 2
        return ("", 503, {"Lockstep-Store": "st-" + "a" * 32}) if refused else None

    found = shop.examine(app)
    assert troubles(found) == {"call back": ("problem", "callback_refused")}
    assert "does the site reach the centre" in found["call back"].advice


def test_a_site_registered_to_poll_is_not_called(shop: Shop) -> None:
    url = shop.run(shop.app())
    shop.centre.register(url, delivery="poll")
    assert troubles(findings_of(shop.settings(base_url=url), url)) == {
        "call back": ("warning", "logout_address_missing")
    }


def test_a_centre_that_was_asked_too_often_says_when_to_ask_again(shop: Shop) -> None:
    url = shop.run(shop.app())
    shop.centre.register(url)
    built = built_of(shop.centre.app)
    for _ in range(FREE_CALLS + 6):
        built.session_stores.guesses.begin((Limit("trial:shop", 100, 1, 1, 60_000),), built.services.clock.now())
    found = findings_of(shop.settings(base_url=url), url)
    assert (found["call back"].level, found["call back"].seen) == ("unknown", "busy")


def test_a_centre_that_calls_this_site_just_now_is_waited_for(shop: Shop) -> None:
    url = shop.run(shop.app())
    shop.centre.register(url)
    calling = built_of(shop.centre.app).services.trials._calling
    calling.add("shop")
    waits: list[int] = []

    def pause(self: BlockingWaiting, seconds: float) -> Any:
        waits.append(int(seconds))
        calling.remove("shop")
        return real(self, 0)

    real = BlockingWaiting.pause
    with patch.object(BlockingWaiting, "pause", pause):
        found = findings_of(shop.settings(base_url=url), url)
    assert (waits, found["call back"].level) == ([2], "ok")
