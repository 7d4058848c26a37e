"""Rows of a site that is known to be away: what the ledger says of them, and that they go soon after it is back."""

from typing import Any

from sso_server.core.interventions import can_retry
from sso_server.core.notifications import Answer
from sso_server.core.sessions import Session
from sso_server.delivery.worker import Worker
from sso_server.fronts.portal.standings import has_failed
from tests.support.deliveries import Deliveries


class Road:
    """`worker.Sender` to a site that is away until somebody says otherwise."""

    answer = Answer(503)
    calls = 0

    def send(self, *_: Any, **__: Any) -> Answer:
        self.calls += 1
        return self.answer


def fail_for_a_while(deliveries: Deliveries, road: Road) -> tuple[Worker, list[Session]]:
    """A worker that has learnt that the shop is away, and the sessions of which it had to tell."""
    deliveries.site("shop", "https://shop.example/logout")
    worker, sessions = deliveries.worker(sender=road), []
    for _ in range(7):
        sessions.append(deliveries.ended("shop"))
        worker.run_once()
        deliveries.clock.pass_ms(3000)
    return worker, sessions


def test_a_row_that_was_not_called_says_that_its_site_is_away_and_counts_no_try(deliveries: Deliveries) -> None:
    road = Road()
    worker, earlier = fail_for_a_while(deliveries, road)
    calls, late = road.calls, deliveries.ended("shop")
    worker.run_once()
    assert road.calls == calls, "it pauses"
    row = deliveries.rows(late)["shop"]
    assert (row.state, row.attempt, row.sends, row.last_status, row.last_error) == ("pending", 1, 0, None, "http_503")
    assert has_failed(row), "the page says that it can't be reached"
    assert can_retry(row, deliveries.clock.now())
    for _ in range(40):
        deliveries.clock.pass_ms(5000)
        worker.run_once()
    assert sum(deliveries.rows(one)["shop"].sends for one in (*earlier, late)) == road.calls


def test_one_answer_has_all_who_waited_told_within_a_minute(deliveries: Deliveries) -> None:
    road = Road()
    worker, _ = fail_for_a_while(deliveries, road)
    waiting = [deliveries.ended("shop") for _ in range(60)]
    for _ in range(60):
        deliveries.clock.pass_ms(5000)
        worker.run_once()
    never_called = [one for one in waiting if not deliveries.rows(one)["shop"].sends]
    assert len(never_called) > 30
    road.answer = Answer(200)
    for _ in range(14):
        deliveries.clock.pass_ms(5000)
        worker.run_once()
    assert {deliveries.rows(one)["shop"].state for one in never_called} == {"acknowledged"}
    assert {deliveries.rows(one)["shop"].sends for one in never_called} == {1}
