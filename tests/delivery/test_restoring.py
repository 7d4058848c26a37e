"""The store of sessions goes back to a snapshot; who had ended ends again, and nobody's lease is renewed before."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sso_server.core.errors import Unavailable
from sso_server.core.events import EventKind
from sso_server.core.policy import DAY
from sso_server.core.restorations import Restoration
from tests.support.deliveries import Deliveries
from tests.support.engines import Place
from tests.support.snapshots import Snapshot
from tests.support.went_back import Site, end, is_live, one_store, put_right, signed_in


def test_a_lease_is_renewed_only_after_what_had_ended_has_ended_again(
    deliveries: Deliveries, site: Site, snapshot: Callable[[], Snapshot]
) -> None:
    ended = signed_in(deliveries)
    first = site.check_in()
    deliveries.restoring().run_once(beat=True)
    taken = snapshot()
    deliveries.clock.pass_ms(10_000)
    end(deliveries, ended)
    assert [notice.sid for notice in site.check_in().ends] == [ended.sid]
    site.check_in(ended.sid)
    taken.restore()
    assert is_live(deliveries, ended), "the snapshot brought it back"
    for _ in range(2):
        with pytest.raises(Unavailable):
            site.check_in()
    put_right(deliveries)
    assert not is_live(deliveries, ended)
    answer = site.check_in()
    reason = "store_restored" if one_store(deliveries) else "sign_out"
    assert [(notice.sid, notice.reason) for notice in answer.ends] == [(ended.sid, reason)]
    assert answer.epoch != first.epoch
    assert site.check_in(ended.sid).epoch == answer.epoch
    (line,) = deliveries.sql.audit.list_events(10, kind=EventKind.STORE_RESTORED)
    assert (line.data["cause"], line.data["ended"]) == ("mark", 1)


def test_with_a_journal_nobody_else_is_signed_out_without_one_everybody_is(
    deliveries: Deliveries, site: Site, snapshot: Callable[[], Snapshot]
) -> None:
    ended, other = signed_in(deliveries), signed_in(deliveries)
    site.check_in()
    taken = snapshot()
    deliveries.clock.pass_ms(10_000)
    end(deliveries, ended)
    site.check_in()
    taken.restore()
    with pytest.raises(Unavailable):
        site.check_in()
    deliveries.clock.pass_ms(2000)
    later = signed_in(deliveries)
    put_right(deliveries)
    assert is_live(deliveries, other) is not one_store(deliveries)
    assert is_live(deliveries, later), "opened after it was found out"
    # Nobody knows which grants were revoked meanwhile; with a journal only orders revoke, and they are repeated.
    assert (deliveries.stores.tokens.revoke_grants_of("usr-alice", 1) == 1) is one_store(deliveries)


def test_nothing_is_found_where_nothing_was_lost(deliveries: Deliveries, site: Site) -> None:
    session = signed_in(deliveries)
    epochs = set()
    for seconds in (0, 1, 30, 3600, 300 * 86_400):
        deliveries.clock.pass_ms(seconds * 1000)
        epochs.add(site.check_in().epoch)
        assert deliveries.restoring().run_once(beat=True) is None
    assert len(epochs) == 1
    assert deliveries.stores.sessions.find(session.sid).end_reason in (None, "idle", "absolute")


def test_a_store_older_than_its_marks_memory_accuses_nobody(deliveries: Deliveries, site: Site) -> None:
    site.check_in()
    deliveries.clock.pass_ms(401 * DAY)
    deliveries.stores.sweeps.purge(deliveries.clock.now(), 100)
    assert site.check_in().ends == ()


def test_both_stores_of_one_machine_went_back_together_and_everybody_is_signed_out(
    deliveries: Deliveries, site: Site, snapshot: Callable[[], Snapshot], sql_place: Place, tmp_path: Path
) -> None:
    ended = signed_in(deliveries)
    site.check_in()
    deliveries.restoring().run_once(beat=True)
    taken, of_sql = snapshot(), Snapshot(sql_place, tmp_path)
    deliveries.clock.pass_ms(10_000)
    end(deliveries, ended)
    site.check_in(ended.sid)
    # The journal is one line longer when this mark is given.
    deliveries.clock.pass_ms(10_000)
    site.check_in()
    of_sql.restore()
    taken.restore()
    with pytest.raises(Unavailable):
        site.check_in()
    put_right(deliveries)
    found = deliveries.stores.sessions.find(ended.sid)
    assert found.end_reason == "store_restored"
    site.check_in(ended.sid)


def first_seen(deliveries: Deliveries, incarnation: str) -> None:
    now = deliveries.clock.now()
    row = Restoration("res-first", "first_seen", now, 0, False, incarnation, finished_at=now)
    assert deliveries.sql.restorations.begin(row, after="")


@pytest.mark.parametrize("found_by", ["a site", "the delivery process"])
def test_another_server_is_found_out(deliveries: Deliveries, site: Site, found_by: str) -> None:
    session = signed_in(deliveries)
    first_seen(deliveries, "postgresql:1:00000001")
    if found_by == "a site":
        with pytest.raises(Unavailable):
            site.check_in()
    put_right(deliveries)
    # A database that failed over has lost its journal, too; beside a Redis it says that nobody has ended.
    assert is_live(deliveries, session) is not one_store(deliveries)
    site.check_in()


def test_a_server_that_would_not_say_who_it_is_is_learnt_and_alarms_nobody(deliveries: Deliveries, site: Site) -> None:
    session = signed_in(deliveries)
    first_seen(deliveries, "")
    before = site.check_in().epoch
    assert deliveries.restoring().run_once(beat=True) is None
    assert deliveries.sql.restorations.state().newest.incarnation == deliveries.stores.past.look().incarnation
    assert site.check_in().epoch == before
    assert is_live(deliveries, session)
