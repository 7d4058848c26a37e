"""The delivery worker put together for a test, and the short way to a session that has ended at some sites."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from sso_server.core.check_in import CheckIns
from sso_server.core.clients import Client, ClientDirectory, site_client
from sso_server.core.clock_guard import ClockGuard
from sso_server.core.notifications import Notification
from sso_server.core.policy import Policy
from sso_server.core.ports import Clock
from sso_server.core.reports import SignOutReports
from sso_server.core.restorations import Restorations
from sso_server.core.restoring import Restoring
from sso_server.core.sessions import Session
from sso_server.core.sign_out import SignOut
from sso_server.crypto.identifiers import SystemRandomness
from sso_server.crypto.seals import ItsdangerousSeals
from sso_server.delivery.outgoing import OutgoingPost
from sso_server.delivery.sender import GuardedSender
from sso_server.delivery.sweeper import Sweeper
from sso_server.delivery.worker import Worker
from sso_server.stores.sql import SqlStores
from tests.support.builders import opened, registered
from tests.support.clocks import SetClock, StoreClock
from tests.support.sinks import Sink


def build_post(row: Notification, client: Client) -> OutgoingPost:
    """Instead of a logout token: what a test wants to see."""
    body = f"logout_token={row.sid}&attempt={row.attempt}&client={client.client_id}"
    return OutgoingPost(row.logout_uri, body.encode(), {"Content-Type": "application/x-www-form-urlencoded"})


class NoBell:
    """`ports.Wake` that nobody hears."""

    def ring(self) -> None:
        return


class Deliveries:
    """`stores` keep sessions and the ledger, `sql` clients and the audit."""

    def __init__(self, stores: Any, sql: SqlStores, *, clock: Clock | None = None, build: Any = build_post) -> None:
        self.stores = stores
        self.sql = sql
        self.clock: Any = clock or SetClock()
        self.build = build
        self.sender = GuardedSender(allow_loopback=True)

    def worker(self, name: str = "worker-1", **parts: Any) -> Worker:
        clients = ClientDirectory(self.sql.clients, self.clock)
        given = {
            "outbox": self.stores.outbox,
            "archive": self.stores.archive,
            "audit": self.sql.audit,
            "safe_by": SignOutReports(
                self.stores.ledger, self.stores.check_ins, clients, self.clock, self.sql.restorations
            ).safe_by,
            "clients": clients,
            "builders": {"oidc": self.build},
            "sender": self.sender,
            "clock": self.clock,
            "clock_guard": ClockGuard(StoreClock(self.clock), self.clock),
            "jitter": lambda: 0.5,
            "name": name,
        }
        return Worker(**{**given, **parts})

    def site(self, client_id: str, logout_uri: str, **changes: Any) -> Client:
        """A registered client that is told at this address."""
        client = site_client(client_id, client_id, f"https://{client_id}.example", self.clock.now())
        client = replace(client, backchannel_logout_uri=logout_uri, **changes)
        if not self.sql.clients.add(client):
            (was,) = (c for c in self.sql.clients.list_clients() if c.client_id == client_id)
            assert self.sql.clients.update(client, was)
        return client

    def ended(self, *client_ids: str, **changes: Any) -> Session:
        """A session that was open at these sites and has ended now."""
        now = self.clock.now()
        session = opened(self.stores, now - 1000)
        for client_id in client_ids:
            registered(self.stores, session, client_id, now - 1000, **changes)
        self.stores.sessions.end(session.sid, "sign_out", now)
        return session

    def rows(self, session: Session) -> dict[str, Notification]:
        """The session's rows by client."""
        return {row.client_id: row for row in self.stores.ledger.of_session(session.sid)}

    def states(self, session: Session) -> dict[str, str]:
        return {client_id: row.state.value for client_id, row in self.rows(session).items()}

    def sign_out(self) -> SignOut:
        stores, sql = self.stores, self.sql
        return SignOut(
            stores.sessions,
            stores.lists,
            stores.sweeps,
            sql.end_orders,
            stores.tokens,
            sql.audit,
            NoBell(),
            self.clock,
            SystemRandomness(),
        )

    def sweeper(self) -> Sweeper:
        stores = self.stores
        return Sweeper(self.sign_out(), stores.sweeps, stores.ledger, stores.health, self.sql.audit, self.clock)

    def restorations(self) -> Restorations:
        """Finds out; marks are sealed with a key of the test's."""
        seals = ItsdangerousSeals(["k" * 40], self.clock)
        one_store = self.stores is self.sql or isinstance(self.stores, SqlStores)
        return Restorations(
            self.sql.restorations, self.stores.past, seals, self.clock, SystemRandomness(), one_store=one_store
        )

    def restoring(self) -> Restoring:
        """Puts right."""
        stores, sql = self.stores, self.sql
        return Restoring(
            self.restorations(),
            sql.restorations,
            stores.past,
            sql.journal,
            self.sign_out(),
            stores.lists,
            sql.end_orders,
            stores.tickets,
            stores.tokens,
            sql.audit,
            ClientDirectory(sql.clients, self.clock),
            self.clock,
            Policy(),
        )

    def check_ins(self) -> CheckIns:
        """What sites call."""
        guard = ClockGuard(StoreClock(self.clock), self.clock)
        return CheckIns(self.stores.check_ins, self.sign_out(), self.restorations(), guard, self.clock, Policy())

    def close(self) -> None:
        self.sender.close()
        if self.stores is not self.sql:
            self.stores.close()


@contextlib.contextmanager
def running(worker: Worker, **more: Any) -> Iterator[None]:
    """The worker's loop in a thread."""
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,), kwargs=more)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive(), "the worker did not drain"


def eventually(what: Callable[[], object], timeout_s: float = 40.0) -> None:
    """Poll until it is true; AssertionError if it never is."""
    deadline = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.01)


@contextlib.contextmanager
def sinks(count: int, behaviour: str = "ok") -> Iterator[list[Sink]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Sink(behaviour)) for _ in range(count)]
