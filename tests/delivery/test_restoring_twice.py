"""Once found out, a store that went back is put right once; and what else is written meanwhile hides no loss."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sso_server.core.errors import Unavailable
from sso_server.core.events import Event, EventKind
from sso_server.core.policy import HOUR, MINUTE
from tests.support.deliveries import Deliveries
from tests.support.engines import Place
from tests.support.snapshots import Snapshot
from tests.support.went_back import Site, end, is_live, put_right, signed_in


def strangers(deliveries: Deliveries, count: int = 20) -> None:
    """Lines that anybody can have written: failed sign-ins."""
    for _ in range(count):
        deliveries.sql.audit.append(Event(deliveries.clock.now(), EventKind.SIGN_IN_FAILED, actor="user"))


@pytest.mark.redis
@pytest.mark.parametrize("place", ["redis"], indirect=True)
@pytest.mark.parametrize("first_found_by", ["a site", "a heartbeat"])
def test_lines_of_strangers_do_not_make_up_for_a_journal_that_was_lost_too(
    deliveries: Deliveries,
    site: Site,
    snapshot: Callable[[], Snapshot],
    sql_place: Place,
    tmp_path: Path,
    first_found_by: str,
) -> None:
    ended = signed_in(deliveries)
    deliveries.restoring().run_once(beat=True)
    site.check_in()
    taken, of_sql = snapshot(), Snapshot(sql_place, tmp_path)
    deliveries.clock.pass_ms(20_000)
    end(deliveries, ended)
    deliveries.restoring().run_once(beat=True)
    site.check_in()
    deliveries.clock.pass_ms(20_000)
    taken.restore()
    of_sql.restore()
    assert is_live(deliveries, ended)
    strangers(deliveries)
    if first_found_by == "a heartbeat":
        # As after Redis' restart: whoever finds it out first takes the journal for whole.
        deliveries.sql.restorations.note_heartbeat(deliveries.clock.now())
        put_right(deliveries)
        assert is_live(deliveries, ended)
    with pytest.raises(Unavailable):
        site.check_in()
    put_right(deliveries)
    found = deliveries.stores.sessions.find(ended.sid)
    assert found is not None
    assert found.end_reason == "store_restored"
    site.check_in()


def test_a_mark_from_a_clock_that_was_ahead_proves_once(
    deliveries: Deliveries, site: Site, snapshot: Callable[[], Snapshot]
) -> None:
    signed_in(deliveries)
    deliveries.restoring().run_once(beat=False)
    site.check_in()
    taken = snapshot()
    deliveries.clock.pass_ms(HOUR)
    site.check_in()
    deliveries.clock.pass_ms(-HOUR)
    site.check_in()
    taken.restore()
    with pytest.raises(Unavailable):
        site.check_in()
    put_right(deliveries)
    new = signed_in(deliveries)
    for _ in range(3):
        deliveries.clock.pass_ms(MINUTE)
        site.check_in()
        assert deliveries.restoring().run_once(beat=True) is None
    assert is_live(deliveries, new)


def test_a_second_loss_is_found_out_although_a_clock_had_been_ahead_before_the_first(
    deliveries: Deliveries, site: Site, snapshot: Callable[[], Snapshot]
) -> None:
    deliveries.restoring().run_once(beat=False)
    site.check_in()
    taken = snapshot()
    deliveries.clock.pass_ms(HOUR)
    site.check_in()
    deliveries.clock.pass_ms(-HOUR)
    taken.restore()
    with pytest.raises(Unavailable):
        site.check_in()
    put_right(deliveries)
    ended = signed_in(deliveries)
    site.check_in()
    again = snapshot()
    deliveries.clock.pass_ms(MINUTE)
    end(deliveries, ended)
    site.check_in()
    again.restore()
    assert is_live(deliveries, ended)
    with pytest.raises(Unavailable):
        site.check_in()
    put_right(deliveries)
    assert not is_live(deliveries, ended)


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_marks_of_an_epoch_that_the_database_has_forgotten_prove_once(
    deliveries: Deliveries, site: Site, snapshot: Callable[[], Snapshot]
) -> None:
    deliveries.restoring().run_once(beat=False)
    site.check_in()
    taken = snapshot()
    for ahead in (0, HOUR):
        # The second time the epoch that the mark names was itself lost, and the mark is from a clock that was ahead.
        deliveries.clock.pass_ms(MINUTE + ahead)
        site.check_in()
        deliveries.clock.pass_ms(-ahead)
        taken.restore()
        with pytest.raises(Unavailable):
            site.check_in()
        put_right(deliveries)
        if not ahead:
            site.check_in()
    for _ in range(3):
        site.check_in()
        assert deliveries.restoring().run_once(beat=True) is None
