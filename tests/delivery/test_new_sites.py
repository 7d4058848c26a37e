"""The worker remembers the sites for a second. One that was registered within that second is not a removed one."""

from tests.support.deliveries import Deliveries, sinks


def test_a_site_that_was_registered_a_moment_ago_is_told(deliveries: Deliveries) -> None:
    worker = deliveries.worker()
    with sinks(2) as (old, new):
        deliveries.site("old", old.url)
        deliveries.ended("old")
        worker.run_once()
        deliveries.site("new", new.url)
        session = deliveries.ended("new")
        worker.run_once()
        assert (old.count, new.count) == (1, 1)
        assert deliveries.states(session) == {"new": "acknowledged"}


def test_a_removed_site_is_not_waited_for(deliveries: Deliveries) -> None:
    session = deliveries.ended("removed")
    deliveries.worker().run_once()
    assert deliveries.states(session) == {"removed": "moot"}
