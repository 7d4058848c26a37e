"""The centre opened for one command: the same parts as a web worker has, next to a running server or without one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

from sso_server import wiring
from sso_server.config import Settings, load
from sso_server.core.clients import Client
from sso_server.core.errors import Refused, Unavailable
from sso_server.core.ports import CheckInStore, ClientStore, PollStore, SessionStore, TicketStore
from sso_server.core.receipts import Receipts
from sso_server.core.records import record
from sso_server.core.sessions import EndReason, Session
from sso_server.core.users import EndOrder
from sso_server.crypto.signing_keys import SigningKeys
from sso_server.delivery.pace import in_batches
from sso_server.delivery.sender import GuardedSender
from sso_server.logs import configure_logs
from sso_server.secret_key import prepare_data_dir
from sso_server.web.services import Services

_PAGE = 1000


@record
class Centre:
    """What commands call."""

    settings: Settings
    secrets: tuple[str, ...]
    """The first writes, all read."""
    services: Services
    client_store: ClientStore
    session_store: SessionStore
    ticket_store: TicketStore
    check_in_store: CheckInStore
    poll_store: PollStore
    signing_keys: SigningKeys
    receipts: Receipts
    sender: Callable[[], GuardedSender]
    """What calls sites, guarded as the delivery worker's; whoever takes it closes it."""

    def get_client(self, client_id: str) -> Client:
        """From the store itself: the directory may be a second old. Raises Refused."""
        for client in self.client_store.list_clients():
            if client.client_id == client_id:
                return client
        raise Refused(f"There is no client {client_id!r}.", code="client_unknown")

    def get_session(self, sid: str) -> Session:
        """Live, or ended and not yet purged. Raises Refused."""
        session = self.session_store.find(sid)
        if session is None:
            raise Refused(f"There is no session {sid!r} (ended ones are kept for about a day).", code="session_unknown")
        return session

    def username(self, user_id: str) -> str:
        """The name people know; the id if the account is gone."""
        user = self.services.users.find(user_id)
        return user.username if user is not None else user_id

    def count_live(self) -> int:
        """Sessions that are not ended."""
        return self.services.lists.count_live(self.services.clock.now())

    def end_many(self, reason: EndReason, *, client_id: str = "") -> int:
        """End all sessions, or all that opened this site; how many there were."""
        count = self._count(client_id=client_id)
        order = self.services.sign_out.order(reason, client_id=client_id)
        with once_written():
            self.finish_order(order)
        return count

    def removals_of(self, client_ids: Sequence[str]) -> dict[str, tuple[int, EndOrder]]:
        """How many sessions opened each site, and the order that ends them, not yet written: that is done next, in the
        transaction that removes the sites, so that whatever dies afterwards, a delivery process carries it out.

        Raises Unavailable, while nothing is written, if the sessions can't be counted.
        """
        # All counted first: an order is about who had gone to the site when it was removed, and counting takes a while.
        counts = {client_id: self._count(client_id=client_id) for client_id in client_ids}
        return {name: (count, self.services.sign_out.order_for_removal(name)) for name, count in counts.items()}

    def finish_order(self, order: EndOrder) -> None:
        """Run it to its end, with or without a running worker."""
        # A pass that ends nothing is the last: whatever another process's worker took is over as well.
        in_batches(lambda: self.services.sign_out.run_order(order))

    def end_person(self, username: str) -> int:
        """End every session of a person; how many there were. Raises Refused."""
        user = self.services.accounts.get(username)
        count = self._count(user_id=user.user_id)
        self.services.accounts.sign_out_everywhere(
            user.user_id, keep_sid="", reason=EndReason.ADMINISTRATOR, actor="cli"
        )
        self.finish_orders()
        return count

    def finish_orders(self) -> None:
        """Run what a change of an account has ordered to its end, also without a worker. Raises Unavailable."""
        with once_written():
            in_batches(self.services.sign_out.run_pending_orders)

    def _count(self, *, user_id: str = "", client_id: str = "") -> int:
        now, count, after = self.services.clock.now(), 0, ""
        while page := self.services.lists.list_live(now, _PAGE, user_id=user_id, client_id=client_id, after_sid=after):
            count += len(page)
            after = page[-1].sid
            if len(page) < _PAGE:
                break
        return count


@contextlib.contextmanager
def once_written() -> Iterator[None]:
    """Around what follows a committed change: whoever reads of a failure there must not take the change for undone."""
    try:
        yield
    except Unavailable as error:
        raise Unavailable(
            f"The change is written, but not all that follows it is done: {error.description} Sessions that are to end"
            " do so as soon as a delivery process reaches the stores.",
            detail=error.detail,
        ) from error


@contextlib.contextmanager
def open_centre(settings: Settings | None = None) -> Iterator[Centre]:
    """The centre of these settings (default: the environment's). Raises ConfigError, Refused, Unavailable.

    A database that has no table yet gets its schema here, under the migrations' lock: `sso user add` may be the very
    first command. One with an older schema is left alone, because servers may be running on it.
    """
    settings = settings or load()
    configure_logs(settings.log_format)
    prepare_data_dir(settings)
    ensure_schema(settings)
    built = wiring.build(settings)

    try:
        yield Centre(
            settings=settings,
            secrets=built.secret_keys,
            services=built.services,
            client_store=built.sql.clients,
            session_store=built.session_stores.sessions,
            ticket_store=built.session_stores.tickets,
            check_in_store=built.session_stores.check_ins,
            poll_store=built.session_stores.polls,
            signing_keys=built.signing_keys,
            receipts=Receipts(
                built.session_stores.sessions, built.session_stores.ledger, built.services.reports, built.sql.audit
            ),
            sender=built.sender,
        )
    finally:
        built.close()


def redis_trouble(services: Services) -> str:
    """Why Redis can't be used now, without a password; empty when it can, and where there is none. Asks it once."""
    for health in services.health[1:]:
        try:
            health.store_time()
        except Unavailable as error:
            return error.detail.removeprefix("Redis: ") or error.description
    return ""


def ensure_schema(settings: Settings) -> None:
    """Make the tables where there are none. Raises Refused for a schema of another version, Unavailable."""
    # Alembic is the slowest import of all, and `sso serve` needs another function of this file.
    from sso_server.stores.sql import migrate

    # In this order: a process that makes the schema between the two questions makes the newest.
    if not migrate.has_schema(settings.sql_url):
        migrate.upgrade(settings.sql_url)
    elif not migrate.current_is_head(settings.sql_url):
        raise Refused(
            "The database's schema is of another version. Stop the servers, make a backup, then run: sso db upgrade",
            code="schema_version",
        )
