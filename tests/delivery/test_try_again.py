"""What pressing "Try again now" does to the tries that a site has, on each engine."""

from sso_server.core.policy import MINUTE
from sso_server.fronts.portal.standings import has_failed
from tests.support.deliveries import Deliveries
from tests.support.sinks import Sink


def test_presses_use_up_none_of_a_sites_own_tries(deliveries: Deliveries) -> None:
    with Sink("404") as sink:
        deliveries.site("shop", sink.url)
        session = deliveries.ended("shop")
        worker = deliveries.worker()
        worker.run_once()
        for _ in range(3):
            deliveries.clock.pass_ms(5000)
            assert deliveries.stores.ledger.retry(session.sid, "shop", deliveries.clock.now()) == 1
            assert has_failed(deliveries.rows(session)["shop"]), "the page goes on to say that it failed"
            worker.run_once()
        row = deliveries.rows(session)["shop"]
        assert (row.state, row.last_error, sink.count) == ("pending", "http_404", 4)
        for _ in range(2):
            deliveries.clock.pass_ms(10 * MINUTE)
            worker.run_once()
        assert deliveries.states(session) == {"shop": "abandoned"}, "left alone, it is given up as ever"
