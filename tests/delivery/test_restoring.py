"""The store of sessions goes back to a snapshot; who had ended ends again, and nobody's lease is renewed before."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sso_server.core.check_in import CheckIn, CheckInAnswer
from sso_server.core.clients import ClientDirectory
from sso_server.core.errors import Unavailable
from sso_server.core.events import EventKind
from sso_server.core.policy import DAY, MINUTE
from sso_server.core.reports import SignOutReports
from sso_server.core.restorations import Restoration
from sso_server.core.sessions import EndReason, Session
from sso_server.core.users import EndOrder
from tests.support.builders import opened, registered, store_id
from tests.support.deliveries import Deliveries
from tests.support.engines import Place
from tests.support.snapshots import Snapshot

STORE = store_id()


class Site:
    """The shop's store: it keeps the mark of its last answer."""

    def __init__(self, deliveries: Deliveries) -> None:
        self._check_ins = deliveries.check_ins()
        self.client = deliveries.site("shop", "https://shop.example/logout", lease_s=60)
        deliveries.clock.pass_ms(1)
        self.mark: str | None = None

    def check_in(self, *acks: str) -> CheckInAnswer:
        answer = self._check_ins.check_in(self.client, CheckIn(STORE, self.mark, acks, (), (), None))
        self.mark = answer.mark
        return answer


@pytest.fixture
def site(deliveries: Deliveries) -> Site:
    return Site(deliveries)


@pytest.fixture
def snapshot(place: Place, tmp_path: Path) -> Callable[[], Snapshot]:
    return lambda: Snapshot(place, tmp_path)


def signed_in(deliveries: Deliveries, **changes: object) -> Session:
    """At the shop, a second ago."""
    now = deliveries.clock.now() - 1000
    session = opened(deliveries.stores, now, **changes)
    registered(deliveries.stores, session, now=now, store_id=STORE, reports=True, ticket={"offline": True})
    return session


def end(deliveries: Deliveries, session: Session) -> None:
    deliveries.sign_out().end(session.sid, EndReason.SIGN_OUT, actor="user")


def is_live(deliveries: Deliveries, session: Session) -> bool:
    found = deliveries.stores.sessions.find(session.sid)
    return found is not None and found.ended_at is None


def one_store(deliveries: Deliveries) -> bool:
    return deliveries.stores.past.look().heartbeat is None


def put_right(deliveries: Deliveries) -> None:
    done = deliveries.restoring().run_once(beat=True)
    assert done is not None, "nothing was found"
    assert deliveries.restoring().run_once(beat=True) is None, "and then it is right"


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


@pytest.mark.redis
@pytest.mark.parametrize("place", ["redis"], indirect=True)
class TestWithAJournal:
    """Sessions in Redis, the journal in SQL."""

    def test_a_redis_that_lost_its_heartbeat_is_found_out_without_any_site(
        self, deliveries: Deliveries, snapshot: Callable[[], Snapshot]
    ) -> None:
        ended, other = signed_in(deliveries), signed_in(deliveries)
        restoring = deliveries.restoring()
        assert restoring.run_once(beat=True) is None
        taken = snapshot()
        end(deliveries, ended)
        deliveries.clock.pass_ms(10_000)
        assert restoring.run_once(beat=True) is None
        taken.restore()
        put_right(deliveries)
        assert not is_live(deliveries, ended)
        assert is_live(deliveries, other)

    @pytest.mark.parametrize("since_is_known", [True, False])
    def test_few_lines_or_few_sessions_whatever_is_shorter_is_gone_through(
        self, deliveries: Deliveries, snapshot: Callable[[], Snapshot], since_is_known: bool
    ) -> None:
        sessions = [signed_in(deliveries) for _ in range(8)]
        restoring = deliveries.restoring()
        restoring.run_once(beat=False)
        if since_is_known:
            deliveries.clock.pass_ms(10 * MINUTE)
            restoring.run_once(beat=True)
        taken = snapshot()
        for session in sessions[:2]:
            end(deliveries, session)
        deliveries.clock.pass_ms(10_000)
        restoring.run_once(beat=True)
        taken.restore()
        put_right(deliveries)
        assert [is_live(deliveries, session) for session in sessions] == [False] * 2 + [True] * 6

    def test_end_orders_are_carried_out_again_and_spare_what_came_after_them(
        self, deliveries: Deliveries, snapshot: Callable[[], Snapshot]
    ) -> None:
        kept, other = signed_in(deliveries), signed_in(deliveries)
        bobs = signed_in(deliveries, user_id="usr-bob")
        restoring = deliveries.restoring()
        restoring.run_once(beat=True)
        taken = snapshot()
        deliveries.clock.pass_ms(5_000)
        now = deliveries.clock.now()
        order = EndOrder("ord-1", "password_change", now, "usr-alice", 2, keep_sid=kept.sid, revoke_grants=True)
        deliveries.sql.end_orders.add(order)
        deliveries.sweeper().run_once()
        assert deliveries.sql.end_orders.list_unfinished() == []
        deliveries.clock.pass_ms(10_000)
        restoring.run_once(beat=True)
        taken.restore()
        new = signed_in(deliveries, user_version=2)
        # Its line in the journal is not enough here: somebody has dropped it.
        deliveries.sql.audit.purge_events(deliveries.clock.now() + 1, 100)
        put_right(deliveries)
        assert [is_live(deliveries, s) for s in (kept, other, bobs, new)] == [True, False, True, True]
        assert deliveries.stores.tokens.revoke_grants_of("usr-alice", 1) == 1, "the one granted after the order"

    def test_a_line_that_is_written_late_ends_its_session_too(
        self, deliveries: Deliveries, snapshot: Callable[[], Snapshot]
    ) -> None:
        session = signed_in(deliveries)
        restoring = deliveries.restoring()
        restoring.run_once(beat=True)
        taken = snapshot()
        ended = deliveries.stores.sessions.end(session.sid, "sign_out", deliveries.clock.now())
        deliveries.clock.pass_ms(10_000)
        restoring.run_once(beat=True)
        taken.restore()
        assert restoring.run_once(beat=True) is not None
        assert is_live(deliveries, session), "no line, no end"
        deliveries.sign_out().record(ended, actor="user")
        deliveries.clock.pass_ms(30_000)
        restoring.run_once(beat=True)
        assert not is_live(deliveries, session)

    def test_two_nodes_that_find_out_together_do_no_harm(
        self, deliveries: Deliveries, site: Site, snapshot: Callable[[], Snapshot]
    ) -> None:
        ended, other = signed_in(deliveries), signed_in(deliveries)
        site.check_in()
        one, two = deliveries.restoring(), deliveries.restoring()
        one.run_once(beat=True)
        taken = snapshot()
        end(deliveries, ended)
        deliveries.clock.pass_ms(10_000)
        two.run_once(beat=True)
        taken.restore()
        found = [one.run_once(beat=True), two.run_once(beat=True)]
        assert [restoration is not None for restoration in found] == [True, False]
        assert not is_live(deliveries, ended)
        assert is_live(deliveries, other)

    def test_one_that_breaks_off_is_carried_out_from_the_beginning(
        self, deliveries: Deliveries, site: Site, snapshot: Callable[[], Snapshot], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sessions = [signed_in(deliveries) for _ in range(5)]
        site.check_in()
        restoring = deliveries.restoring()
        restoring.run_once(beat=True)
        taken = snapshot()
        for session in sessions:
            end(deliveries, session)
        deliveries.clock.pass_ms(10_000)
        restoring.run_once(beat=True)
        taken.restore()
        whole = type(deliveries.stores.sessions).end
        calls = []

        def breaks(self: object, *args: object, **more: object) -> object:
            calls.append(args)
            if len(calls) == 3:
                raise Unavailable(detail="here it ends")
            return whole(self, *args, **more)

        with monkeypatch.context() as patched:
            patched.setattr(type(deliveries.stores.sessions), "end", breaks)
            with pytest.raises(Unavailable, match="right now"):
                restoring.run_once(beat=True)
        assert sum(is_live(deliveries, session) for session in sessions) == 3
        with pytest.raises(Unavailable):
            site.check_in()
        put_right(deliveries)
        assert not any(is_live(deliveries, session) for session in sessions)
        site.check_in()

    def test_a_store_that_goes_back_further_before_it_is_put_right_is_searched_whole(
        self, deliveries: Deliveries, snapshot: Callable[[], Snapshot]
    ) -> None:
        early, late, *others = [signed_in(deliveries) for _ in range(9)]
        restoring = deliveries.restoring()
        restoring.run_once(beat=True)
        oldest = snapshot()
        end(deliveries, early)
        deliveries.clock.pass_ms(10 * MINUTE)
        restoring.run_once(beat=True)
        older = snapshot()
        end(deliveries, late)
        deliveries.clock.pass_ms(10_000)
        restoring.run_once(beat=True)
        older.restore()
        found = deliveries.restorations().look(beat=True).unfinished
        assert found is not None
        assert found.since > 0
        oldest.restore()
        put_right(deliveries)
        assert not is_live(deliveries, late)
        assert not is_live(deliveries, early), "its end was older than what was written down as lost"
        assert all(is_live(deliveries, other) for other in others)

    def test_a_report_says_no_safe_too_early_about_leases_that_were_forgotten(
        self, deliveries: Deliveries, site: Site, snapshot: Callable[[], Snapshot]
    ) -> None:
        session = signed_in(deliveries)
        deliveries.restoring().run_once(beat=True)
        taken = snapshot()
        deliveries.clock.pass_ms(20_000)
        site.check_in()
        lease_until = deliveries.clock.now() + 60_000
        end(deliveries, session)
        deliveries.restoring().run_once(beat=True)
        taken.restore()
        put_right(deliveries)
        clients = ClientDirectory(deliveries.sql.clients, deliveries.clock)
        stores = deliveries.stores
        reports = SignOutReports(
            stores.ledger, stores.check_ins, clients, deliveries.clock, deliveries.sql.restorations
        )
        (line,) = reports.lines(session.sid)
        assert line.safe_at is not None
        assert line.safe_at >= lease_until
