"""Every port of the core that is a store, on SQLite (the embedded default) and PostgreSQL. Schema: migrate.py."""

from __future__ import annotations

from sso_server.core.records import record
from sso_server.stores.sql.audit import SqlAudit
from sso_server.stores.sql.census import SqlCensus
from sso_server.stores.sql.check_ins import SqlCheckIns
from sso_server.stores.sql.clients import SqlClients
from sso_server.stores.sql.consents import SqlConsents
from sso_server.stores.sql.engine import BUSY_MS, CONNECTIONS, Database
from sso_server.stores.sql.grants import SqlGrants
from sso_server.stores.sql.guesses import SqlGuesses
from sso_server.stores.sql.health import SqlHealth
from sso_server.stores.sql.journal import SqlJournal
from sso_server.stores.sql.keys import SqlKeys
from sso_server.stores.sql.lasting import SqlLasting
from sso_server.stores.sql.ledger import SqlArchive, SqlLedger
from sso_server.stores.sql.lists import SqlSessionLists
from sso_server.stores.sql.one_time import SqlOneTime
from sso_server.stores.sql.outbox import SqlOutbox
from sso_server.stores.sql.past import SqlPast
from sso_server.stores.sql.polls import SqlPolls
from sso_server.stores.sql.registration_tokens import SqlRegistrationTokens
from sso_server.stores.sql.restorations import SqlRestorations
from sso_server.stores.sql.retention import SqlRetention
from sso_server.stores.sql.sessions import SqlSessions
from sso_server.stores.sql.slips import SqlSlips
from sso_server.stores.sql.sweeps import SqlSweeps
from sso_server.stores.sql.tickets import SqlTickets
from sso_server.stores.sql.tokens import SqlTokens
from sso_server.stores.sql.users import SqlEndOrders, SqlUsers

__all__ = ["SqlStores"]


@record
class SqlStores:
    """The stores on one database, named after their ports."""

    database: Database
    sessions: SqlSessions
    lists: SqlSessionLists
    sweeps: SqlSweeps
    tickets: SqlTickets
    tokens: SqlTokens
    grants: SqlGrants
    census: SqlCensus
    check_ins: SqlCheckIns
    polls: SqlPolls
    outbox: SqlOutbox
    ledger: SqlLedger
    archive: SqlArchive
    guesses: SqlGuesses
    slips: SqlSlips
    users: SqlUsers
    end_orders: SqlEndOrders
    clients: SqlClients
    consents: SqlConsents
    registration_tokens: SqlRegistrationTokens
    audit: SqlAudit
    one_time: SqlOneTime
    lasting: SqlLasting
    keys: SqlKeys
    health: SqlHealth
    journal: SqlJournal
    past: SqlPast
    restorations: SqlRestorations
    retention: SqlRetention

    @classmethod
    def open(cls, database_url: str, *, busy_ms: int = BUSY_MS, connections: int = CONNECTIONS) -> SqlStores:
        """On a database that was migrated before (`migrate.upgrade`). Connects lazily, to PostgreSQL with at most
        `connections` connections. Once per process, after any fork.

        Raises ValueError for a URL that is neither an SQLite file nor PostgreSQL.
        """
        database = Database(database_url, busy_ms=busy_ms, connections=connections)
        return cls(
            database=database,
            sessions=SqlSessions(database),
            lists=SqlSessionLists(database),
            sweeps=SqlSweeps(database),
            tickets=SqlTickets(database),
            tokens=SqlTokens(database),
            grants=SqlGrants(database),
            census=SqlCensus(database),
            check_ins=SqlCheckIns(database),
            polls=SqlPolls(database),
            outbox=SqlOutbox(database),
            ledger=SqlLedger(database),
            archive=SqlArchive(database),
            guesses=SqlGuesses(database),
            slips=SqlSlips(database),
            users=SqlUsers(database),
            end_orders=SqlEndOrders(database),
            clients=SqlClients(database),
            consents=SqlConsents(database),
            registration_tokens=SqlRegistrationTokens(database),
            audit=SqlAudit(database),
            one_time=SqlOneTime(database),
            lasting=SqlLasting(database),
            keys=SqlKeys(database),
            health=SqlHealth(database),
            journal=SqlJournal(database),
            past=SqlPast(database),
            restorations=SqlRestorations(database),
            retention=SqlRetention(database),
        )

    def unfenced(self) -> SqlStores:
        """Nothing stands between us and the database."""
        return self

    def close(self) -> None:
        """Close every connection."""
        self.database.close()
