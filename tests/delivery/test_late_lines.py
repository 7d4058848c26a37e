"""Lines of the journal that come after a restoration has read it are followed, by whoever is there then."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from sso_server.core.events import Event, EventKind
from sso_server.core.policy import HOUR, MINUTE, SECOND
from sso_server.core.sessions import Session
from sso_server.core.sign_out import Ended
from sso_server.stores.sql.account_tables import audit
from tests.support.deliveries import Deliveries
from tests.support.snapshots import Snapshot
from tests.support.went_back import is_live, signed_in

pytestmark = [pytest.mark.redis, pytest.mark.parametrize("place", ["redis"], indirect=True)]


@pytest.fixture
def lost(deliveries: Deliveries, snapshot: Callable[[], Snapshot]) -> Ended:
    """An end that Redis has forgotten and that stands in no journal yet. The restoration is found, and not begun."""
    session = signed_in(deliveries)
    restoring = deliveries.restoring()
    restoring.run_once(beat=True)
    taken = snapshot()
    ended = deliveries.stores.sessions.end(session.sid, "sign_out", deliveries.clock.now())
    assert ended is not None
    deliveries.clock.pass_ms(10 * SECOND)
    restoring.run_once(beat=True)
    taken.restore()
    return ended


def write(deliveries: Deliveries, ended: Ended) -> Session:
    deliveries.sign_out().record(ended, actor="user")
    return ended.session


def test_a_line_that_is_written_late_ends_its_session_too(deliveries: Deliveries, lost: Ended) -> None:
    restoring = deliveries.restoring()
    assert restoring.run_once(beat=True) is not None
    assert is_live(deliveries, lost.session), "no line, no end"
    write(deliveries, lost)
    deliveries.clock.pass_ms(30 * SECOND)
    restoring.run_once(beat=True)
    assert not is_live(deliveries, lost.session)


@pytest.mark.parametrize("away", [5 * SECOND, 10 * MINUTE])
def test_whoever_put_it_right_may_be_killed_before_the_line_is_there(
    deliveries: Deliveries, lost: Ended, away: int
) -> None:
    assert deliveries.restoring().run_once(beat=True) is not None
    write(deliveries, lost)
    deliveries.clock.pass_ms(away)
    # Nobody is there any more who remembers that it was he.
    deliveries.restoring().run_once(beat=True)
    assert not is_live(deliveries, lost.session)


def test_a_line_that_got_its_number_long_before_it_is_committed_is_not_passed_over(
    deliveries: Deliveries, lost: Ended
) -> None:
    session = write(deliveries, lost)
    deliveries.sql.audit.append(*[Event(deliveries.clock.now(), EventKind.SIGNED_IN)] * 1000)
    with deliveries.sql.database.write() as connection:
        line = connection.execute(sa.select(audit).where(audit.c.sid == session.sid)).mappings().all()[-1]
        connection.execute(sa.delete(audit).where(audit.c.number == line["number"]))
    restoring = deliveries.restoring()
    assert restoring.run_once(beat=True) is not None
    restoring.run_once(beat=True)
    with deliveries.sql.database.write() as connection:
        connection.execute(sa.insert(audit), dict(line))
    deliveries.clock.pass_ms(10 * SECOND)
    restoring.run_once(beat=True)
    assert not is_live(deliveries, session)


def test_each_late_line_is_followed_once_and_those_of_later_days_are_none(
    deliveries: Deliveries, lost: Ended, monkeypatch: pytest.MonkeyPatch
) -> None:
    restoring = deliveries.restoring()
    assert restoring.run_once(beat=True) is not None
    write(deliveries, lost)
    whole, followed = type(deliveries.stores.sessions).end, []

    def counted(self: object, sid: str, *args: object, **more: object) -> object:
        followed.append(sid)
        return whole(self, sid, *args, **more)

    monkeypatch.setattr(type(deliveries.stores.sessions), "end", counted)
    for _ in range(3):
        deliveries.clock.pass_ms(5 * SECOND)
        restoring.run_once(beat=True)
    # By its own line, and by the one that ending it wrote.
    assert followed == [lost.session.sid] * 2
    deliveries.clock.pass_ms(HOUR)
    deliveries.sql.audit.append(Event(deliveries.clock.now(), EventKind.SESSION_ENDED, sid="sid-later"))
    for again in (restoring, deliveries.restoring()):
        again.run_once(beat=True)
    assert followed == [lost.session.sid] * 2
