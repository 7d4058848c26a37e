"""A client that was called, then asked, and is to be called again: nothing of it waits for ever."""

from sso_server.core.policy import MINUTE
from tests.support.builders import opened, registered
from tests.support.deliveries import Deliveries
from tests.support.sinks import Sink


def test_push_then_poll_then_push_leaves_nobody_untold(deliveries: Deliveries) -> None:
    stores, clock = deliveries.stores, deliveries.clock
    with Sink("ok") as sink:
        builders = {"oidc": deliveries.build}
        deliveries.site("shop", sink.url)
        sessions = {name: opened(stores, clock.now() - 1000) for name in ("called", "asked", "live")}
        registered(stores, sessions["called"], "shop", clock.now() - 900)
        for name in ("asked", "live"):
            registered(stores, sessions[name], "shop", clock.now() - 900, kind="poll", logout_uri="")
        deliveries.site("shop", sink.url, delivery="poll")
        clock.pass_ms(2000)
        for name in ("called", "asked"):
            stores.sessions.end(sessions[name].sid, "sign_out", clock.now())
        deliveries.worker(builders=builders).run_once()
        waiting = [deliveries.rows(sessions[name])["shop"] for name in ("called", "asked")]
        assert [(row.state, row.next_attempt_at) for row in waiting] == [("pending", None)] * 2

        deliveries.site("shop", sink.url, delivery="push")
        assert stores.ledger.call_from_now("shop", "oidc", sink.url, clock.now()) == 2
        assert stores.ledger.call_from_now("shop", "oidc", sink.url, clock.now()) == 0
        stores.sessions.end(sessions["live"].sid, "sign_out", clock.now())
        clock.pass_ms(2000)
        worker = deliveries.worker(builders=builders)
        for _ in range(3):
            worker.run_once()
            clock.pass_ms(MINUTE)
        assert [deliveries.states(session) for session in sessions.values()] == [{"shop": "acknowledged"}] * 3
        assert sink.count == 3


def test_what_another_client_or_a_store_waits_for_stays_as_it_is(deliveries: Deliveries) -> None:
    stores, clock = deliveries.stores, deliveries.clock
    session = opened(stores, clock.now() - 1000)
    registered(stores, session, "wiki", clock.now() - 900, kind="poll", logout_uri="")
    registered(stores, session, "shop", clock.now() - 900, store_id="st-" + "a" * 32, logout_uri="")
    stores.sessions.end(session.sid, "sign_out", clock.now())
    before = deliveries.rows(session)
    assert stores.ledger.call_from_now("shop", "oidc", "https://shop.example/out", clock.now()) == 0
    assert deliveries.rows(session) == before
