"""A receipt says who was signed in where, until when, and how it ended: from the ledger, and a year later from the
audit alone.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from sso_server.core.clients import ClientDirectory
from sso_server.core.notifications import State
from sso_server.core.policy import DAY, MINUTE, SECOND
from sso_server.core.receipts import Bound, Receipt, Receipts, SiteReceipt, ToldBy
from sso_server.core.reports import SignOutReports
from sso_server.core.sessions import EndReason, Session
from sso_server.core.sign_out import ended_event
from tests.support.builders import a_report, opened, registered, store_id
from tests.support.deliveries import Deliveries
from tests.support.sinks import Sink

STORE = store_id()


@pytest.fixture
def receipt(deliveries: Deliveries) -> Callable[[Session], Receipt]:
    stores, sql = deliveries.stores, deliveries.sql
    reports = SignOutReports(
        stores.ledger,
        stores.check_ins,
        ClientDirectory(sql.clients, deliveries.clock),
        deliveries.clock,
        sql.restorations,
    )
    receipts = Receipts(stores.sessions, stores.ledger, reports, sql.audit)

    def find(session: Session) -> Receipt:
        found = receipts.find(session.sid)
        assert found is not None
        return found

    return find


def signed_in(deliveries: Deliveries, *stores_of_shop: str) -> Session:
    """At the shop, with these stores; a second ago."""
    now = deliveries.clock.now() - SECOND
    session = opened(deliveries.stores, now)
    for store in stores_of_shop:
        registered(deliveries.stores, session, "shop", now, store_id=store, local_max_ms=DAY)
    return session


def signs_out(deliveries: Deliveries, session: Session) -> None:
    deliveries.sign_out().end(session.sid, EndReason.ADMINISTRATOR, actor="admin:root")


def forgotten(deliveries: Deliveries, session: Session) -> None:
    """Everything final is in the audit and the store has dropped it, two days later."""
    deliveries.clock.pass_ms(2 * DAY)
    for _ in range(3):
        deliveries.stores.sweeps.purge(deliveries.clock.now(), 1000)
        deliveries.worker().archive_final()
    assert deliveries.stores.sessions.find(session.sid) is None
    assert deliveries.stores.ledger.of_session(session.sid) == []


def site(of: Receipt) -> SiteReceipt:
    (only,) = of.sites
    return only


def check_in(deliveries: Deliveries, *acks: str) -> None:
    deliveries.stores.check_ins.check_in(a_report(STORE, acks=acks), deliveries.clock.now(), 10)


def test_a_site_that_answered_was_signed_in_until_its_answer(deliveries: Deliveries, receipt: Callable) -> None:
    with Sink("ok") as sink:
        deliveries.site("shop", sink.url)
        session = signed_in(deliveries, "")
        signs_out(deliveries, session)
        deliveries.clock.pass_ms(31)
        deliveries.worker().run_once()
        deliveries.worker().archive_final()
    found = receipt(session)
    end = deliveries.clock.now() - 31
    assert (found.user_id, found.opened_at, found.ended_at) == ("usr-alice", end - SECOND, end)
    assert (found.address, found.user_agent) == ("192.0.2.7", "Mozilla/5.0 (测试)")
    assert (found.reason, found.actor, found.in_ledger) == ("administrator", "admin:root", True)
    told = site(found)
    assert (told.registered_at, told.until, told.bound) == (end - SECOND, end + 31, Bound.ACKNOWLEDGED)
    assert (told.last.state, told.last.told_by, told.last.attempts, told.last.status, told.before) == (
        State.ACKNOWLEDGED,
        ToldBy.PUSH,
        1,
        200,
        (),
    )
    forgotten(deliveries, session)
    assert receipt(session) == replace(found, in_ledger=False)


def test_the_last_word_counts_and_the_first_is_kept(deliveries: Deliveries, receipt: Callable) -> None:
    with Sink("400") as sink:
        deliveries.site("shop", sink.url)
        session = signed_in(deliveries, STORE)
        check_in(deliveries)
        signs_out(deliveries, session)
        for _ in range(3):
            deliveries.worker().run_once()
            deliveries.clock.pass_ms(6 * MINUTE)
        deliveries.worker().archive_final()
    refused = site(receipt(session))
    assert (refused.last.state, refused.last.error, refused.last.told_by) == (State.REFUSED, "http_400/3", None)
    assert (refused.until, refused.bound) == (refused.registered_at + 61 * SECOND, Bound.LEASE)
    check_in(deliveries, session.sid)
    told_at = deliveries.clock.now()
    for step in (lambda: deliveries.worker().archive_final(), lambda: forgotten(deliveries, session)):
        told = site(receipt(session))
        assert (told.last.state, told.last.told_by, told.last.at) == (State.ACKNOWLEDGED, ToldBy.CHECK_IN, told_at)
        assert told.before == (refused.last,)
        assert (told.until, told.bound) == (refused.until, Bound.LEASE), "it admitted nobody in between"
        step()
    assert site(receipt(session)) == told


@pytest.mark.parametrize("heard_by", ["push", "check_in"])
def test_a_site_that_was_cut_off_was_signed_in_until_its_lease_ran_out(
    deliveries: Deliveries, receipt: Callable, heard_by: str
) -> None:
    with Sink("rst") as sink:
        deliveries.site("shop", sink.url)
        session = signed_in(deliveries, STORE)
        check_in(deliveries)
        lease_over = deliveries.clock.now() + 60 * SECOND
        deliveries.clock.pass_ms(2 * SECOND)
        signs_out(deliveries, session)
        deliveries.worker().run_once()
        trying = site(receipt(session))
        assert (trying.last.state, trying.last.at, trying.last.error) == (State.PENDING, None, "reset")
        assert (trying.until, trying.bound) == (lease_over, Bound.LEASE)
        # Back after ten minutes: the first check-in hears of it, and only then is there a lease again.
        deliveries.clock.pass_ms(10 * MINUTE)
        check_in(deliveries)
        sink.headers = {"Lockstep-Store": STORE}
        sink.script("ok")
        deliveries.clock.pass_ms(SECOND)
        if heard_by == "push":
            deliveries.worker().run_once()
        else:
            check_in(deliveries, session.sid)
    deliveries.worker().archive_final()
    check_in(deliveries)
    told = site(receipt(session))
    assert (told.last.state, told.last.told_by) == (State.ACKNOWLEDGED, ToldBy(heard_by))
    assert (told.until, told.bound) == (lease_over, Bound.LEASE)
    forgotten(deliveries, session)
    assert site(receipt(session)) == told


def test_a_site_that_nobody_can_tell_has_no_known_bound(deliveries: Deliveries, receipt: Callable) -> None:
    session = opened(deliveries.stores, deliveries.clock.now() - SECOND)
    registered(deliveries.stores, session, "wiki", deliveries.clock.now() - SECOND, logout_uri="")
    signs_out(deliveries, session)
    deliveries.worker().archive_final()
    alone = site(receipt(session))
    assert (alone.last.state, alone.last.attempts) == (State.NO_ADDRESS, 0)
    assert (alone.bound, alone.until) == (Bound.LOCAL_SESSION, deliveries.clock.now() - SECOND + DAY)
    forgotten(deliveries, session)
    assert site(receipt(session)) == alone


def test_each_store_of_a_site_has_a_line_of_its_own_in_the_order_of_signing_in(
    deliveries: Deliveries, receipt: Callable
) -> None:
    stores = [store_id() for _ in range(3)]
    session = opened(deliveries.stores, deliveries.clock.now() - MINUTE)
    for seconds, store in enumerate(stores):
        at = deliveries.clock.now() - MINUTE + seconds * SECOND
        registered(deliveries.stores, session, "shop", at, store_id=store)
    signs_out(deliveries, session)
    found = receipt(session)
    assert [line.store_id for line in found.sites] == stores
    # None of them ever checked in: they admit nobody without having done so.
    assert {(line.until, line.bound) for line in found.sites} == {(deliveries.clock.now(), Bound.LEASE)}


def test_a_live_session_and_one_nobody_ever_had_have_no_receipt(deliveries: Deliveries) -> None:
    stores, sql = deliveries.stores, deliveries.sql
    clients = ClientDirectory(sql.clients, deliveries.clock)
    reports = SignOutReports(stores.ledger, stores.check_ins, clients, deliveries.clock, deliveries.sql.restorations)
    receipts = Receipts(stores.sessions, stores.ledger, reports, sql.audit)
    assert receipts.find(signed_in(deliveries, "").sid) is None
    assert receipts.find("sid-01-" + "a" * 32) is None


def test_an_end_that_had_to_be_made_good_counts_from_its_first_time(deliveries: Deliveries, receipt: Callable) -> None:
    session = signed_in(deliveries, "")
    first_at = deliveries.clock.now()
    lines = [ended_event(replace(session, ended_at=first_at, end_reason="idle"), "sweeper")]
    # As after a restoration: the store had forgotten that end, and knows only the second one.
    deliveries.clock.pass_ms(MINUTE)
    again_at = deliveries.clock.now()
    deliveries.stores.sessions.end(session.sid, "idle", again_at)
    lines.append(ended_event(replace(session, ended_at=again_at, end_reason="idle"), "restoration:x"))
    deliveries.sql.audit.append(*lines)
    found = receipt(session)
    assert (found.ended_at, found.reason, found.actor) == (first_at, "idle", "sweeper")
    assert found.ended_again == (again_at,)
