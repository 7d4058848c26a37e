"""Push and poll are two ways to one row: what a worker gives up or leaves alone, a poll still brings."""

from sso_server.core.clients import ClientDirectory
from sso_server.core.clock_guard import ClockGuard
from sso_server.core.policy import DAY, MINUTE
from sso_server.core.polls import Poll, PollAnswer, Polls, jti_of
from tests.support.clocks import StoreClock
from tests.support.deliveries import Deliveries
from tests.support.sinks import Sink


def poll(deliveries: Deliveries, *acks: str) -> PollAnswer:
    """The shop asks, and acknowledges these sids."""
    guard = ClockGuard(StoreClock(deliveries.clock), deliveries.clock)
    client = ClientDirectory(deliveries.sql.clients, deliveries.clock).find("shop")
    assert client is not None
    call = Poll(tuple(jti_of(sid, "shop") for sid in acks))
    return Polls(deliveries.stores.polls, guard, deliveries.clock).poll(client, call)


def offered(deliveries: Deliveries) -> list[str]:
    return [event.sid for event in poll(deliveries).events]


def test_what_three_calls_could_not_bring_a_poll_brings(deliveries: Deliveries) -> None:
    with Sink("404") as sink:
        deliveries.site("shop", sink.url)
        session = deliveries.ended("shop")
        worker = deliveries.worker()
        for _ in range(3):
            assert worker.run_once() == 1
            deliveries.clock.pass_ms(10 * MINUTE)
        assert deliveries.states(session) == {"shop": "abandoned"}
        assert worker.archive_final() == 1
        assert offered(deliveries) == [session.sid]
        poll(deliveries, session.sid)
        row = deliveries.rows(session)["shop"]
        assert (row.state, row.attempt, row.last_status, row.last_error) == ("acknowledged", 3, 404, "")
        assert worker.archive_final() == 1, "the audit hears of the good end, too"
        assert (worker.run_once(), sink.count) == (0, 3)


def test_a_poll_between_two_calls_spares_the_second(deliveries: Deliveries) -> None:
    with Sink("503", "ok") as sink:
        deliveries.site("shop", sink.url)
        session = deliveries.ended("shop")
        worker = deliveries.worker()
        worker.run_once()
        poll(deliveries, session.sid)
        deliveries.clock.pass_ms(DAY // 2)
        assert worker.run_once() == 0
        assert sink.count == 1


def test_what_a_call_has_brought_is_not_offered(deliveries: Deliveries) -> None:
    with Sink("ok") as sink:
        deliveries.site("shop", sink.url)
        deliveries.ended("shop")
        deliveries.worker().run_once()
        assert offered(deliveries) == []


def test_nobody_calls_a_site_that_asks(deliveries: Deliveries) -> None:
    with Sink("ok") as sink:
        deliveries.site("shop", sink.url, delivery="poll")
        session = deliveries.ended("shop", kind="poll", logout_uri=sink.url)
        worker = deliveries.worker()
        for _ in range(3):
            assert worker.run_once() == 0
            deliveries.clock.pass_ms(MINUTE)
        assert sink.count == 0
        assert offered(deliveries) == [session.sid]


def test_rows_that_waited_for_a_call_wait_for_a_poll_once_the_client_asks(deliveries: Deliveries) -> None:
    with Sink("503") as sink:
        deliveries.site("shop", sink.url)
        tried = deliveries.ended("shop")
        worker = deliveries.worker()
        worker.run_once()
        deliveries.site("shop", sink.url, delivery="poll")
        # Registered while it was still called: its kind is that of a site to be called.
        fresh = deliveries.ended("shop")
        deliveries.clock.pass_ms(MINUTE)
        assert worker.run_once() == 2
        for _ in range(3):
            deliveries.clock.pass_ms(MINUTE)
            assert worker.run_once() == 0
        assert sink.count == 1
        for session in (tried, fresh):
            row = deliveries.rows(session)["shop"]
            assert (row.state, row.next_attempt_at) == ("pending", None)
        assert sorted(offered(deliveries)) == sorted([tried.sid, fresh.sid])
        assert poll(deliveries, tried.sid, fresh.sid).events == ()
        assert [deliveries.states(session) for session in (tried, fresh)] == [{"shop": "acknowledged"}] * 2


def test_a_row_that_nobody_asks_for_is_moot_when_its_time_has_passed(deliveries: Deliveries) -> None:
    deliveries.site("shop", "", delivery="poll")
    session = deliveries.ended("shop", kind="poll", logout_uri="")
    deliveries.clock.pass_ms(DAY + MINUTE)
    deliveries.stores.sweeps.purge(deliveries.clock.now(), 100)
    assert deliveries.states(session) == {"shop": "moot"}
    assert offered(deliveries) == []
