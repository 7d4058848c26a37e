"""A CAS site without our SDK is told at the end of a session: one logout request (CAS 3.0.3 section 2.3.3) for each
ticket that it validated, through the same ledger as everybody else.
"""

import re
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from urllib.parse import parse_qs, unquote_plus

import pytest

from sso_server.core.clients import ClientDirectory
from sso_server.core.events import EventKind
from sso_server.core.identifiers import mark_of
from sso_server.core.policy import DAY, HOUR, SECOND
from sso_server.core.receipts import Bound, Receipts, ToldBy
from sso_server.core.reports import SignOutReports, Standing, one_for_each_site
from sso_server.core.restorations import Restoration
from sso_server.core.sessions import Session
from sso_server.delivery.worker import Worker
from sso_server.fronts.cas.logout_request import build
from tests.support.builders import opened, registered, store_id
from tests.support.cas_rows import (
    ASSERTION,
    PROTOCOL,
    add_cas_site,
    cas_builder,
    ticket_in,
    validated,
)
from tests.support.deliveries import Deliveries
from tests.support.ports import free_port
from tests.support.sinks import Sink
from tests.support.snapshots import Snapshot
from tests.support.went_back import end, one_store, put_right

NOW = 1_800_000_000_000
TICKET = "ST-07-" + "a" * 32


def worker(deliveries: Deliveries) -> Worker:
    return deliveries.worker(builders={"cas": cas_builder(deliveries), "oidc": deliveries.build})


def rows(deliveries: Deliveries, session: Session) -> dict[str, tuple[str, str]]:
    """ticket -> (state, error)."""
    return {row.ticket: (row.state.value, row.last_error) for row in deliveries.stores.ledger.of_session(session.sid)}


def reports(deliveries: Deliveries) -> SignOutReports:
    clients = ClientDirectory(deliveries.sql.clients, deliveries.clock)
    return SignOutReports(
        deliveries.stores.ledger, deliveries.stores.check_ins, clients, deliveries.clock, deliveries.sql.restorations
    )


# -- the message ------------------------------------------------------------------------------------------------------


@pytest.fixture
def far_from_greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process's own time is not UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Shanghai")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("far_from_greenwich")
def test_the_document_is_that_of_appendix_c() -> None:
    body, headers = build(TICKET, now_ms=NOW, request_id="LR-" + "b" * 32)
    assert headers == {"Content-Type": "application/x-www-form-urlencoded"}
    ((name, (document,)),) = parse_qs(body.decode("ascii"), strict_parsing=True).items()
    assert name == "logoutRequest"
    root = ET.fromstring(document)
    assert root.tag == f"{PROTOCOL}LogoutRequest"
    instant = datetime.fromtimestamp(NOW / 1000, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert root.attrib == {"ID": "LR-" + "b" * 32, "Version": "2.0", "IssueInstant": instant}
    assert [(child.tag, child.text) for child in root] == [
        (f"{ASSERTION}NameID", "@NOT_USED@"),
        (f"{PROTOCOL}SessionIndex", TICKET),
    ]


def test_clients_that_read_it_as_text_find_the_ticket() -> None:
    body, _ = build(TICKET, now_ms=NOW, request_id="LR-1")
    text = unquote_plus(body.decode("ascii"))
    assert re.findall("<samlp:SessionIndex>(.*)</samlp:SessionIndex>", text) == [TICKET]
    # mod_auth_cas looks at the beginning, and lxml takes no text with a declaration of its encoding.
    assert text.startswith("logoutRequest=<samlp:LogoutRequest ")
    assert len(body) < 1024, "mod_auth_cas reads no further"


def test_nothing_in_a_ticket_can_break_out_of_the_document() -> None:
    body, _ = build('ST-1</samlp:SessionIndex>&"', now_ms=NOW, request_id='a"b<c')
    root = ET.fromstring(parse_qs(body.decode("ascii"))["logoutRequest"][0])
    assert (root.attrib["ID"], root[1].text) == ('a"b<c', 'ST-1</samlp:SessionIndex>&"')


# -- who is told, where, and what the answers mean --------------------------------------------------------------------


def test_each_ticket_is_told_once_at_its_own_service_and_each_attempt_is_new(deliveries: Deliveries) -> None:
    with Sink("500", "ok") as sink, Sink("ok") as other:
        service, elsewhere = sink.url + "?page=1", other.url
        add_cas_site(deliveries, "wiki", service, elsewhere)
        session = opened(deliveries.stores, deliveries.clock.now())
        first, second = (validated(deliveries, session, one) for one in (service, elsewhere))
        end(deliveries, session)
        working = worker(deliveries)
        working.run_once()
        assert rows(deliveries, session) == {first: ("pending", "http_500"), second: ("acknowledged", "")}
        deliveries.clock.pass_ms(SECOND)
        working.run_once()
        assert rows(deliveries, session) == {first: ("acknowledged", ""), second: ("acknowledged", "")}
        assert [request.line for request in sink.inbox] == ["POST /logout?page=1 HTTP/1.1"] * 2
        assert [ticket_in(request) for request in (*sink.inbox, *other.inbox)] == [first, first, second]
        documents = [ET.fromstring(request.form["logoutRequest"]).attrib for request in sink.inbox]
        assert len({one["ID"] for one in documents}) == len({one["IssueInstant"] for one in documents}) == 2
        assert not any("Lockstep-Store" in request.headers for request in sink.inbox)


def test_where_a_logout_address_is_registered_all_of_a_sites_tickets_go_there(deliveries: Deliveries) -> None:
    with Sink("ok") as service, Sink("ok") as before, Sink("ok") as now:
        add_cas_site(deliveries, "wiki", service.url, backchannel_logout_uri=before.url)
        session = opened(deliveries.stores, deliveries.clock.now())
        tickets = {validated(deliveries, session, service.url, logout_uri=before.url) for _ in range(2)}
        add_cas_site(deliveries, "wiki", service.url, backchannel_logout_uri=now.url)
        end(deliveries, session)
        worker(deliveries).run_once()
        assert {ticket_in(request) for request in now.inbox} == tickets
        assert (service.count, before.count) == (0, 0), "it has moved since"


def test_a_service_below_a_registered_prefix_is_called_itself(deliveries: Deliveries) -> None:
    with Sink("ok") as sink:
        site = sink.url.removesuffix("logout")
        add_cas_site(deliveries, "wiki", site)
        session = opened(deliveries.stores, deliveries.clock.now())
        validated(deliveries, session, site + "wiki/page?x=%2F")
        end(deliveries, session)
        worker(deliveries).run_once()
        assert [request.line for request in sink.inbox] == ["POST /wiki/page?x=%2F HTTP/1.1"]


def test_a_service_that_is_not_the_clients_any_more_is_never_called(deliveries: Deliveries) -> None:
    with Sink("ok") as sink, Sink("ok") as other:
        add_cas_site(deliveries, "wiki", sink.url)
        session = opened(deliveries.stores, deliveries.clock.now())
        ticket = validated(deliveries, session, sink.url)
        add_cas_site(deliveries, "wiki", other.url)
        end(deliveries, session)
        worker(deliveries).run_once()
        assert rows(deliveries, session) == {ticket: ("abandoned", "no_address_now")}
        assert (sink.count, other.count) == (0, 0)
        add_cas_site(deliveries, "wiki", other.url, backchannel_logout_uri=other.url)
        deliveries.clock.pass_ms(2 * SECOND)
        assert deliveries.stores.ledger.retry(session.sid, "wiki", deliveries.clock.now()) == 1
        worker(deliveries).run_once()
        assert rows(deliveries, session) == {ticket: ("acknowledged", "")}
        assert (sink.count, other.count) == (0, 1)


@pytest.mark.parametrize(
    ("status", "location", "outcome"),
    [
        ("200", "", "acknowledged"),
        ("204", "", "acknowledged"),
        # mod_auth_cas and django-cas-ng have done the work by then.
        ("302", "https://sso.example/cas/login?service=x", "acknowledged"),
        ("303", "/", "acknowledged"),
        ("302", "/logout", "acknowledged"),
        # Nothing behind the server has seen it.
        ("302", "https://127.0.0.1/logout", "http_302"),
        ("302", "/logout/", "http_302"),
        ("301", "/elsewhere", "http_301"),
        ("307", "/elsewhere", "http_307"),
        ("308", "/elsewhere", "http_308"),
        ("400", "", "http_400"),
        ("403", "", "http_403"),
        ("503", "", "http_503"),
    ],
)
def test_what_an_answer_means(
    deliveries_on: Callable[..., Deliveries], status: str, location: str, outcome: str
) -> None:
    deliveries = deliveries_on()
    with Sink(status, headers={"Location": location} if location else {}) as sink:
        add_cas_site(deliveries, "wiki", sink.url)
        session = opened(deliveries.stores, deliveries.clock.now())
        ticket = validated(deliveries, session, sink.url)
        end(deliveries, session)
        worker(deliveries).run_once()
        expected = ("acknowledged", "") if outcome == "acknowledged" else ("pending", outcome)
        assert rows(deliveries, session) == {ticket: expected}


def test_a_store_that_its_answer_names_is_nobodys_affair(deliveries_on: Callable[..., Deliveries]) -> None:
    deliveries = deliveries_on()
    with Sink("ok", headers={"Lockstep-Store": store_id()}) as sink:
        add_cas_site(deliveries, "wiki", sink.url)
        session = opened(deliveries.stores, deliveries.clock.now())
        ticket = validated(deliveries, session, sink.url)
        end(deliveries, session)
        worker(deliveries).run_once()
        assert rows(deliveries, session) == {ticket: ("acknowledged", "")}


def test_a_redirect_is_no_yes_of_a_site_that_takes_logout_tokens(deliveries_on: Callable[..., Deliveries]) -> None:
    deliveries = deliveries_on()
    with Sink("302", headers={"Location": "/"}) as sink:
        deliveries.site("shop", sink.url)
        session = deliveries.ended("shop")
        deliveries.worker().run_once()
        assert deliveries.states(session) == {"shop": "pending"}


def test_it_is_retried_until_its_local_session_must_be_over_and_then_it_is_moot(deliveries: Deliveries) -> None:
    address = f"http://127.0.0.1:{free_port()}/app"
    add_cas_site(deliveries, "wiki", address)
    session = opened(deliveries.stores, deliveries.clock.now())
    ticket = validated(deliveries, session, address, local_max_ms=HOUR)
    end(deliveries, session)
    working = worker(deliveries)
    for _ in range(40):
        deliveries.clock.pass_ms(2 * 60 * SECOND)
        working.run_once()
    assert rows(deliveries, session) == {ticket: ("moot", "connect")}


# -- what people and the audit hear -----------------------------------------------------------------------------------


def test_to_people_it_is_one_site_that_stands_as_its_worst_ticket_and_no_bound_is_known(deliveries: Deliveries) -> None:
    with Sink("ok") as sink, Sink("500") as down:
        add_cas_site(deliveries, "wiki", sink.url, down.url)
        deliveries.site("shop", sink.url)
        session = opened(deliveries.stores, deliveries.clock.now())
        for service in (sink.url, down.url, sink.url):
            validated(deliveries, session, service)
        registered(deliveries.stores, session, "shop", deliveries.clock.now())
        end(deliveries, session)
        worker(deliveries).run_once()
        lines = reports(deliveries).lines(session.sid)
        standings = [Standing.SIGNED_OUT, Standing.TRYING_NO_BOUND, Standing.SIGNED_OUT, Standing.SIGNED_OUT]
        assert [line.standing for line in lines] == standings
        shown = one_for_each_site(lines)
        assert [(line.client_id, line.standing, line.tickets) for line in shown] == [
            ("wiki", Standing.TRYING_NO_BOUND, 3),
            ("shop", Standing.SIGNED_OUT, 0),
        ]
        assert [(line.store_id, line.safe_at) for line in lines] == [("", None)] * 4
        down.script("ok")
        deliveries.clock.pass_ms(SECOND)
        worker(deliveries).run_once()
        shown = one_for_each_site(reports(deliveries).lines(session.sid))
        assert [line.standing for line in shown] == [Standing.SIGNED_OUT] * 2


def test_the_audit_tells_its_tickets_apart_without_naming_one(deliveries: Deliveries) -> None:
    with Sink("ok") as sink, Sink("302", headers={"Location": "/"}) as sent_on, Sink("500") as down:
        add_cas_site(deliveries, "wiki", sink.url, sent_on.url, down.url)
        session = opened(deliveries.stores, deliveries.clock.now())
        tickets = []
        for one in (sink, sent_on, down):
            tickets.append(validated(deliveries, session, one.url))
            deliveries.clock.pass_ms(1)
        end(deliveries, session)
        working = worker(deliveries)
        working.run_once()
        deliveries.stores.ledger.abandon(session.sid, "wiki", "cli", deliveries.clock.now())
        while working.archive_final():
            pass
        events = deliveries.sql.audit.list_events(1000)
        assert not [event for event in events if any(ticket in str(event) for ticket in tickets)]
        lines = [event.data["store"] for event in events if event.kind is EventKind.NOTIFICATION_FINAL]
        assert sorted(map(str, lines)) == sorted(map(mark_of, tickets))
        receipts = Receipts(
            deliveries.stores.sessions, deliveries.stores.ledger, reports(deliveries), deliveries.sql.audit
        )
        fresh = receipts.find(session.sid)
        deliveries.clock.pass_ms(3 * DAY)
        for _ in range(3):
            deliveries.stores.sweeps.purge(deliveries.clock.now(), 1000)
        assert deliveries.stores.ledger.of_session(session.sid) == []
        kept = receipts.find(session.sid)
        assert fresh is not None
        assert kept is not None
        assert (fresh.sites, fresh.in_ledger, kept.in_ledger) == (kept.sites, True, False)
        assert [(site.ticket, site.store_id, site.last.told_by, site.bound) for site in kept.sites] == [
            (mark_of(tickets[0]), "", ToldBy.PUSH, Bound.ACKNOWLEDGED),
            (mark_of(tickets[1]), "", ToldBy.PUSH, Bound.ACKNOWLEDGED),
            (mark_of(tickets[2]), "", None, Bound.LOCAL_SESSION),
        ]


def test_after_a_store_went_back_in_time_its_tickets_are_told_again(
    deliveries: Deliveries, snapshot: Callable[[], Snapshot]
) -> None:
    with Sink("ok") as sink:
        add_cas_site(deliveries, "wiki", sink.url)
        session = opened(deliveries.stores, deliveries.clock.now())
        tickets = {validated(deliveries, session, sink.url) for _ in range(2)}
        deliveries.restoring().run_once(beat=True)
        taken = snapshot()
        deliveries.clock.pass_ms(10 * SECOND)
        deliveries.restoring().run_once(beat=True)
        end(deliveries, session)
        worker(deliveries).run_once()
        taken.restore()
        assert deliveries.stores.sessions.find(session.sid).ended_at is None, "the snapshot brought it back"
        note_that_it_went_back(deliveries)
        put_right(deliveries)
        worker(deliveries).run_once()
        assert [ticket_in(request) in tickets for request in sink.inbox] == [True] * 4
        assert {state for state, _ in rows(deliveries, session).values()} == {"acknowledged"}


def note_that_it_went_back(deliveries: Deliveries) -> None:
    """What proves it is other tests' affair (test_restoring)."""
    store = deliveries.sql.restorations
    state = store.state()
    after = state.newest.restoration_id if state is not None else ""
    detected = Restoration("res-" + "z" * 32, "mark", deliveries.clock.now(), 0, one_store(deliveries), "")
    assert store.begin(detected, after=after)
