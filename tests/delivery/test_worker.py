import pytest

from sso_server.core.clients import Client
from sso_server.core.clock_guard import ClockGuard
from sso_server.core.errors import Unavailable
from sso_server.core.events import EventKind
from sso_server.core.notifications import Notification
from sso_server.delivery.outgoing import OutgoingPost
from tests.support.clocks import SetClock, StoreClock
from tests.support.deliveries import Deliveries, build_post
from tests.support.ports import free_port
from tests.support.sinks import Sink

HOUR = 3_600_000
DAY = 24 * HOUR


def test_every_site_of_an_ended_session_is_told_once(deliveries: Deliveries) -> None:
    with Sink("ok") as one, Sink("ok") as two:
        deliveries.site("one", one.url)
        deliveries.site("two", two.url)
        session = deliveries.ended("one", "two")
        worker = deliveries.worker()
        assert worker.run_once() == 2
        assert worker.run_once() == 0
        assert deliveries.states(session) == {"one": "acknowledged", "two": "acknowledged"}
        assert [sink.inbox[0].form["logout_token"] for sink in (one, two)] == [session.sid] * 2
        assert (one.count, two.count) == (1, 1)


def test_a_site_that_was_down_is_told_at_its_next_turn(deliveries: Deliveries) -> None:
    with Sink("503", "ok") as sink:
        deliveries.site("shop", sink.url)
        session = deliveries.ended("shop")
        worker = deliveries.worker()
        worker.run_once()
        row = deliveries.rows(session)["shop"]
        assert (row.state, row.attempt, row.last_error) == ("pending", 1, "http_503")
        assert worker.run_once() == 0
        deliveries.clock.pass_ms(1000)
        worker.run_once()
        assert deliveries.states(session) == {"shop": "acknowledged"}
        assert [request.form["attempt"] for request in sink.inbox] == ["1", "2"]


def test_retry_after_decides_when_the_next_turn_is(deliveries: Deliveries) -> None:
    with Sink("429", "ok", headers={"Retry-After": "40"}) as sink:
        deliveries.site("shop", sink.url)
        session = deliveries.ended("shop")
        deliveries.worker().run_once()
        assert deliveries.rows(session)["shop"].next_attempt_at == deliveries.clock.now() + 40_000


def test_a_site_is_told_at_its_present_address(deliveries: Deliveries) -> None:
    with Sink("ok") as old, Sink("ok") as new:
        deliveries.site("shop", old.url)
        session = deliveries.ended("shop", logout_uri=old.url)
        deliveries.site("shop", new.url)
        deliveries.worker().run_once()
        assert (old.count, new.count) == (0, 1)
        assert deliveries.states(session) == {"shop": "acknowledged"}


def test_a_site_without_an_address_any_more_is_given_up_by_name(deliveries: Deliveries) -> None:
    deliveries.site("shop", "")
    session = deliveries.ended("shop")
    deliveries.worker().run_once()
    row = deliveries.rows(session)["shop"]
    assert (row.state, row.last_error) == ("abandoned", "no_address_now")


def test_a_removed_client_and_a_session_that_is_over_anyway_are_moot(deliveries: Deliveries) -> None:
    with Sink("500") as sink:
        deliveries.site("shop", sink.url)
        session = deliveries.ended("shop", "stranger", local_max_ms=HOUR)
        worker = deliveries.worker()
        worker.run_once()
        assert deliveries.states(session) == {"shop": "pending", "stranger": "moot"}
        deliveries.clock.pass_ms(HOUR)
        worker.run_once()
        assert deliveries.states(session) == {"shop": "moot", "stranger": "moot"}
        assert sink.count == 1


def test_a_private_address_needs_the_client_s_permission(deliveries: Deliveries) -> None:
    deliveries.site("shop", "https://10.255.255.1/")
    deliveries.site("open", f"http://127.0.0.1:{free_port()}/")
    session = deliveries.ended("shop", "open")
    deliveries.worker().run_once()
    rows = deliveries.rows(session)
    assert rows["shop"].last_error == "address_forbidden"
    assert rows["open"].last_error == "connect"


def test_another_store_s_yes_is_not_this_store_s(deliveries: Deliveries) -> None:
    mine, other = "st-" + "a" * 32, "st-" + "b" * 32
    with Sink("ok", headers={"Lockstep-Store": other}) as sink:
        deliveries.site("shop", sink.url)
        session = deliveries.ended("shop", store_id=mine)
        deliveries.worker().run_once()
        row = deliveries.rows(session)["shop"]
        assert (row.state, row.last_error) == ("pending", "other_store")


def test_a_builder_that_fails_costs_an_attempt_and_nothing_else(deliveries: Deliveries) -> None:
    broken = True

    def build(row: Notification, client: Client) -> OutgoingPost:
        if broken:
            raise Unavailable if row.attempt == 1 else KeyError("no key")
        return build_post(row, client)

    with Sink("ok") as sink:
        deliveries.site("shop", sink.url)
        session = deliveries.ended("shop")
        worker = deliveries.worker(builders={"oidc": build})
        for _ in range(2):
            worker.run_once()
            assert deliveries.rows(session)["shop"].last_error == "centre_failed"
            deliveries.clock.pass_ms(10_000)
        broken = False
        worker.run_once()
        assert deliveries.states(session) == {"shop": "acknowledged"}


def test_a_claim_that_a_dead_worker_left_is_due_again_when_it_runs_out(deliveries: Deliveries) -> None:
    with Sink("ok") as sink:
        deliveries.site("shop", sink.url)
        session = deliveries.ended("shop")
        deliveries.stores.outbox.claim("dead", deliveries.clock.now(), 10, 30_000)
        worker = deliveries.worker()
        assert worker.run_once() == 0
        deliveries.clock.pass_ms(30_000)
        assert worker.run_once() == 1
        assert deliveries.states(session) == {"shop": "acknowledged"}


def test_what_a_dead_worker_had_claimed_can_be_taken_over_at_once(deliveries: Deliveries) -> None:
    with Sink("ok") as sink:
        deliveries.site("shop", sink.url)
        sessions = [deliveries.ended("shop") for _ in range(4)]
        outbox, now = deliveries.stores.outbox, deliveries.clock.now()
        dead = outbox.claim("dead", now, 2, 30_000)
        alive = outbox.claim("alive", now, 2, 30_000)
        assert (len(dead), len(alive)) == (2, 2)
        worker = deliveries.worker()
        assert worker.take_over(lambda name: name == "dead") == 2
        assert worker.run_once() == 2
        told = {session.sid for session in sessions if deliveries.states(session) == {"shop": "acknowledged"}}
        assert told == {row.sid for row in dead}


def test_a_successor_with_the_same_name_releases_only_what_it_has_not_claimed_itself(deliveries: Deliveries) -> None:
    deliveries.site("shop", "http://127.0.0.1:9/")
    sessions = [deliveries.ended("shop") for _ in range(2)]
    outbox = deliveries.stores.outbox
    (before,) = outbox.claim("host-7", deliveries.clock.now(), 1, 30_000)
    deliveries.clock.pass_ms(1)
    worker = deliveries.worker("host-7")
    outbox.claim("host-7", deliveries.clock.now(), 1, 30_000)
    assert worker.take_over(lambda name: name == "host-7") == 1
    states = {session.sid: deliveries.states(session)["shop"] for session in sessions}
    assert states.pop(before.sid) == "pending"
    assert list(states.values()) == ["claimed"]


def test_a_claim_that_is_nearly_over_is_not_sent(deliveries: Deliveries) -> None:
    with Sink("ok") as sink:
        deliveries.site("shop", sink.url)
        session = deliveries.ended("shop")

        class SlowClaim:
            """The store answered so late that the claim has three seconds left."""

            def claim(self, *args: int, bulk: bool) -> list[Notification]:
                rows = deliveries.stores.outbox.claim(*args, bulk=bulk)
                deliveries.clock.pass_ms(27_000 if rows else 0)
                return rows

            def __getattr__(self, name: str) -> object:
                return getattr(deliveries.stores.outbox, name)

        assert deliveries.worker(outbox=SlowClaim()).run_once() == 1
        assert sink.count == 0
        row = deliveries.rows(session)["shop"]
        assert (row.state, row.next_attempt_at) == ("pending", deliveries.clock.now())


def test_final_rows_come_to_the_audit_once(deliveries: Deliveries) -> None:
    with Sink("ok") as yes, Sink("418") as no:
        deliveries.site("yes", yes.url)
        deliveries.site("no", no.url)
        session = deliveries.ended("yes", "no")
        worker = deliveries.worker()
        assert worker.archive_final() == 0
        worker.run_once()
        assert worker.archive_final() == 2
        assert worker.archive_final() == 0
    events = deliveries.sql.audit.list_events(10, kind=EventKind.NOTIFICATION_FINAL)
    assert {(event.sid, event.client_id, event.data["state"], event.data["error"]) for event in events} == {
        (session.sid, "yes", "acknowledged", ""),
        (session.sid, "no", "abandoned", "http_418"),
    }


@pytest.mark.parametrize("off_ms", [40 * DAY, 3000, -3000])
def test_a_worker_whose_clock_is_wrong_decides_nothing_and_leaves_it_to_another(
    deliveries: Deliveries, off_ms: int
) -> None:
    with Sink("ok") as sink:
        deliveries.site("shop", sink.url)
        session = deliveries.ended("shop", "stranger")
        before = deliveries.rows(session)
        wrong = SetClock(deliveries.clock.now() + off_ms)
        guard = ClockGuard(StoreClock(deliveries.clock), wrong)
        worker = deliveries.worker(clock=wrong, clock_guard=guard)
        assert worker.run_once() == 0
        assert worker.take_over(lambda _: True) == 0
        assert deliveries.rows(session) == before
        assert sink.count == 0
        deliveries.worker("another").run_once()
        assert deliveries.states(session) == {"shop": "acknowledged", "stranger": "moot"}
        # Set right again, it goes on by itself.
        wrong.pass_ms(9000 - off_ms)
        deliveries.clock.pass_ms(9000)
        later = deliveries.ended("shop")
        assert worker.run_once() == 1
        assert deliveries.states(later) == {"shop": "acknowledged"}


def test_what_waits_when_the_clock_goes_wrong_is_left_to_its_claim(deliveries: Deliveries) -> None:
    with Sink("500") as sink:
        deliveries.site("shop", sink.url)
        session = deliveries.ended("shop")
        clock = SetClock(deliveries.clock.now())
        worker = deliveries.worker(clock=clock, clock_guard=ClockGuard(StoreClock(deliveries.clock), clock))
        assert len(worker._claim()) == 1
        clock.pass_ms(40 * DAY)
        worker.run_once()
        assert deliveries.states(session) == {"shop": "claimed"}
        assert sink.count == 0
        deliveries.clock.pass_ms(31_000)
        deliveries.worker("another").run_once()
        assert sink.count == 1
