"""The store of sessions goes back in time: APIs hear of ends although the tokens that they hold were forgotten."""

from collections.abc import Callable

import pytest

from sso_server.core.errors import Unavailable
from sso_server.core.identifiers import digest
from sso_server.core.policy import MINUTE
from sso_server.core.sessions import Session
from sso_server.core.tickets import NewToken
from tests.support.builders import a_report, bucket, identifier, registered, store_id
from tests.support.deliveries import Deliveries
from tests.support.snapshots import Snapshot
from tests.support.went_back import Site, end, one_store, put_right, signed_in


@pytest.fixture
def site(deliveries: Deliveries) -> Site:
    """The shop, whose access tokens are JWTs for the API of `stock`."""
    made = Site(deliveries)
    made.check_in()
    deliveries.site("shop", "https://shop.example/logout", access_token="jwt", audience=("stock",))
    return made


def given_jwt(deliveries: Deliveries, session: Session) -> None:
    now, jti = deliveries.clock.now(), identifier("jti", bucket(session.sid))
    jwt = NewToken(digest(jti), now + 5 * MINUTE, ("stock",), jti, now + 10 * MINUTE)
    registered(deliveries.stores, session, now=now, access=jwt)


def heard(deliveries: Deliveries) -> set[str]:
    report = a_report(store_id(), client_id="stock", denied_from=0)
    return {one.name for one in deliveries.stores.check_ins.check_in(report, deliveries.clock.now(), 1000).denied}


def lose(deliveries: Deliveries, site: Site, snapshot: Snapshot) -> None:
    """What happened since the snapshot, as a site's next check-in finds out."""
    site.check_in()
    snapshot.restore()
    with pytest.raises(Unavailable):
        site.check_in()


def test_who_had_ended_is_refused_again_although_no_token_is_known(
    deliveries: Deliveries, site: Site, snapshot: Callable[[], Snapshot]
) -> None:
    session = signed_in(deliveries)
    taken = snapshot()
    deliveries.clock.pass_ms(10_000)
    given_jwt(deliveries, session)
    end(deliveries, session)
    assert heard(deliveries) == {session.sid}
    lose(deliveries, site, taken)
    assert heard(deliveries) == set(), "it was lost"
    put_right(deliveries)
    assert heard(deliveries) == {session.sid}


def test_who_lives_on_is_refused_when_the_session_ends_soon_after(
    deliveries: Deliveries, site: Site, snapshot: Callable[[], Snapshot]
) -> None:
    session = signed_in(deliveries)
    taken = snapshot()
    deliveries.clock.pass_ms(10_000)
    given_jwt(deliveries, session)
    lose(deliveries, site, taken)
    put_right(deliveries)
    # With one store everybody was signed out already.
    assert heard(deliveries) == ({session.sid} if one_store(deliveries) else set())
    deliveries.clock.pass_ms(MINUTE)
    end(deliveries, session)
    assert heard(deliveries) == {session.sid}


def test_a_session_that_ended_and_is_gone_altogether_is_refused(
    deliveries: Deliveries, site: Site, snapshot: Callable[[], Snapshot]
) -> None:
    taken = snapshot()
    deliveries.clock.pass_ms(10_000)
    session = signed_in(deliveries)
    given_jwt(deliveries, session)
    end(deliveries, session)
    lose(deliveries, site, taken)
    assert deliveries.stores.sessions.find(session.sid) is None
    put_right(deliveries)
    # The journal of one store went back with it.
    assert heard(deliveries) == (set() if one_store(deliveries) else {session.sid})


def test_without_jwts_a_restoration_tells_no_api(
    deliveries: Deliveries, site: Site, snapshot: Callable[[], Snapshot]
) -> None:
    deliveries.site("shop", "https://shop.example/logout", audience=("stock",))
    session = signed_in(deliveries)
    taken = snapshot()
    deliveries.clock.pass_ms(10_000)
    end(deliveries, session)
    lose(deliveries, site, taken)
    put_right(deliveries)
    assert heard(deliveries) == set()
