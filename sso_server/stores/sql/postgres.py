"""Connections to PostgreSQL: how long anything may take, how many there are, and when one that died is noticed.

What the failures mean to the rest is engine.py's; only this file imports the driver.
"""

from __future__ import annotations

import select
from time import monotonic
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from sso_server.stores.sql.address import POOLER, is_pooled

CONNECT_S = 3
STATEMENT_MS = 10_000
# A process that was stopped in the middle of a transaction must not commit it minutes later: what it has written into
# the feed for APIs would stand behind where their sites have read already (core/denials.py).
IDLE_MS = 30_000
# Longer than the server's own limit: only a server that neither answers nor goes away (a disk that hangs, a machine
# that was cut off) ever needs it.
ANSWER_S = STATEMENT_MS / 1000 + 2
# Of a machine that is gone without a word, idle connections too are noticed after half a minute.
_KEEPALIVE = {"keepalives_idle": "15", "keepalives_interval": "5", "keepalives_count": "3"}
# Who is sent away (57P..), is too slow (25P03) or is asked to write on a standby (25006: the old primary after a
# failover) finds a better server on another connection, if on any: none of the pool's is used again.
_LEAVE = frozenset({"25006", "25P03", "57P01", "57P02", "57P03", "57P05"})


class BoundedConnection(psycopg.Connection[Any]):
    """Waits for an answer for ANSWER_S at most; then it is closed, because what comes later would be out of turn."""

    answer_s: float | None = ANSWER_S

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """See psycopg. Raises psycopg.OperationalError."""
        begun = monotonic()
        try:
            return super().wait(gen, interval, self.answer_s if timeout is None else timeout)
        except psycopg.OperationalError:
            if timeout is None and self.answer_s is not None and monotonic() - begun >= self.answer_s:
                self.close()
                raise psycopg.OperationalError(f"no answer within {self.answer_s:.0f} s") from None
            raise


class PatientConnection(BoundedConnection):
    """For migrations, which take as long as they take."""

    answer_s = None


def refuse_unknown_options(url: URL) -> None:
    """Raises ValueError, which quotes nothing: what stands there may be half a password."""
    try:
        options: dict[str, Any] = dict(url.difference_update_query([POOLER]).query)
        psycopg.conninfo.make_conninfo("", **options)
    except psycopg.Error:
        raise ValueError("has an option that PostgreSQL's client library doesn't know") from None


def make_engine(url: URL, *, busy_ms: int, connections: int, patient: bool = False) -> sa.Engine:
    """An engine with at most `connections` connections. `busy_ms`: how long one waits for a lock, or for a connection.
    `patient`: nothing has a limit but connecting. Connects lazily."""
    kind = PatientConnection if patient else BoundedConnection
    limits = {} if patient else _limits(url, busy_ms)
    defaults = {"connect_timeout": str(CONNECT_S), "application_name": "lockstep", **_KEEPALIVE, **limits}
    engine = sa.create_engine(
        url.difference_update_query([POOLER]),
        # What people typed and digests of secrets don't belong into error texts, which end in logs.
        hide_parameters=True,
        isolation_level="READ COMMITTED",
        pool_size=connections,
        max_overflow=0,
        pool_timeout=busy_ms / 1000,
        # The same few are used while there is little to do: the others show that there was once more.
        pool_use_lifo=True,
        # It would ask for the type's number at the first connection.
        use_native_hstore=False,
        connect_args={
            **{name: value for name, value in defaults.items() if name not in url.query},
            # The server keeps a prepared statement for one of its connections, and the next transaction is on another.
            **({"prepare_threshold": None} if is_pooled(url) else {}),
        },
    )

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _record: Any, args: list[Any], values: dict[str, Any]) -> Any:
        return kind.connect(*args, **values)

    event.listen(engine, "checkin", _mark_used)
    event.listen(engine, "checkout", _refuse_if_dead)
    event.listen(engine, "handle_error", _leave_if_sent_away)
    return engine


def _limits(url: URL, busy_ms: int) -> dict[str, str]:
    """Those that the server keeps. Behind a pooler they are the role's (docs/postgresql.md): what one client set would
    be found by the next, and PgBouncer refuses the option."""
    if is_pooled(url):
        return {}
    limits = {
        "lock_timeout": busy_ms,
        "statement_timeout": STATEMENT_MS,
        "idle_in_transaction_session_timeout": IDLE_MS,
    }
    own = " ".join(f"-c {name}={value}" for name, value in limits.items())
    return {"options": own}


def _mark_used(_connection: Any, record: ConnectionPoolEntry) -> None:
    record.info["used"] = True


def _refuse_if_dead(connection: Any, record: ConnectionPoolEntry, _proxy: PoolProxiedConnection) -> None:
    """Nothing has been asked, so nothing can have come in but the server's goodbye. Looking costs a system call, asking
    (`pool_pre_ping`) would cost a round trip each time. Raises InvalidatePoolError: a new one is made instead."""
    if "used" not in record.info:
        return
    look = select.poll()
    look.register(connection.fileno(), select.POLLIN)
    if look.poll(0):
        record.info.pop("used")
        raise exc.InvalidatePoolError("the server has closed the connection, or has said something unasked")


def _leave_if_sent_away(context: ExceptionContext) -> None:
    if getattr(context.original_exception, "sqlstate", None) in _LEAVE:
        context.is_disconnect = True
