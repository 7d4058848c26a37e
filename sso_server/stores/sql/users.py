"""UserStore and EndOrderStore: accounts, and orders written in the transaction that causes them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Row, bindparam, exc, text
from sqlalchemy.engine import Connection

from sso_server.core.events import Event
from sso_server.core.users import EndOrder, User, fold_username
from sso_server.stores.sql.account_tables import end_orders, marks, users
from sso_server.stores.sql.audit import write_events
from sso_server.stores.sql.engine import Database
from sso_server.stores.sql.prepared import Prepared
from sso_server.stores.sql.records import pack, unpack

_MARK = "users"
GENERATION = sa.select(marks.c.value).where(marks.c.name == bindparam("_name"))
# In the transaction of the change: whoever sees the new number sees the new rows.
GROW = text(
    "INSERT INTO marks (name, value) VALUES (:name, 1) ON CONFLICT (name) DO UPDATE SET value = marks.value + 1"
)
_BY_ID = Prepared(sa.select(users).where(users.c.user_id == bindparam("_user")))
_BY_NAME = Prepared(sa.select(users).where(users.c.folded == bindparam("_folded")))
_LIST = sa.select(users).order_by(users.c.folded)
_INSERT = sa.insert(users)
_UPDATE = sa.update(users).where(users.c.user_id == bindparam("_user"), users.c.version == bindparam("_version"))
_REHASH = (
    sa.update(users)
    .where(users.c.user_id == bindparam("_user"), users.c.password_hash == bindparam("_old"))
    .values(password_hash=bindparam("_new"))
)
# Repeating after a lost answer changes nothing.
_ADD_ORDER = text(
    "INSERT INTO end_orders (order_id, reason, created_at, user_id, user_version, client_id, keep_sid, revoke_grants,"
    " finished_at, ended) VALUES (:order_id, :reason, :created_at, :user_id, :user_version, :client_id, :keep_sid,"
    " :revoke_grants, :finished_at, :ended) ON CONFLICT (order_id) DO NOTHING"
)
_UNFINISHED = (
    sa.select(end_orders)
    .where(end_orders.c.finished_at.is_(None))
    .order_by(end_orders.c.created_at, end_orders.c.order_id)
)
_SINCE = (
    sa.select(end_orders)
    .where(sa.or_(end_orders.c.finished_at.is_(None), end_orders.c.finished_at >= bindparam("_since")))
    .order_by(end_orders.c.created_at, end_orders.c.order_id)
)
_PROGRESS = (
    sa.update(end_orders)
    .where(end_orders.c.order_id == bindparam("_order"))
    .values(
        ended=end_orders.c.ended + bindparam("_ended"),
        finished_at=sa.func.coalesce(end_orders.c.finished_at, bindparam("_finished", type_=sa.BigInteger)),
    )
)


class SqlUsers:
    """Implements `ports.UserStore` and `ports.PeopleSource`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, user_id: str) -> User | None:
        """By id. Raises Unavailable."""
        with self._database.read() as connection:
            row = _BY_ID.find(connection, {"_user": user_id})
        return None if row is None else _user_of(row)

    def find_by_username(self, folded: str) -> User | None:
        """By `users.fold_username(...)`. Raises Unavailable."""
        with self._database.read() as connection:
            row = _BY_NAME.find(connection, {"_folded": folded})
        return None if row is None else _user_of(row)

    def generation(self) -> int:
        """Grows with every change of an account; 0 before the first. Raises Unavailable."""
        with self._database.read() as connection:
            return connection.execute(GENERATION, {"_name": _MARK}).scalar_one_or_none() or 0

    def list_users(self, limit: int, *, after: str = "", admins_only: bool = False) -> list[User]:
        """By folded name, `after` (a folded name) exclusive. Raises Unavailable."""
        query = _LIST.limit(limit)
        if after:
            query = query.where(users.c.folded > after)
        if admins_only:
            query = query.where(users.c.is_admin)
        with self._database.read() as connection:
            return [_user_of(row) for row in connection.execute(query)]

    def add(self, user: User, event: Event | None = None) -> bool:
        """False when the name is taken. Raises Unavailable."""
        try:
            with self._database.write() as connection:
                connection.execute(_INSERT, _values(user))
                write_events(connection, event)
        except exc.IntegrityError:
            return False
        return True

    def update(self, user: User, order: EndOrder | None = None, event: Event | None = None) -> bool:
        """Write the row if its version still is the user's; an order brings the next version. Raises Unavailable."""
        version = user.version if order is None else user.version + 1
        changed = _UPDATE.values(_values(replace(user, version=version)))
        try:
            with self._database.write() as connection:
                if connection.execute(changed, {"_user": user.user_id, "_version": user.version}).rowcount != 1:
                    return False
                if order is not None:
                    write_order(connection, replace(order, user_version=version))
                write_events(connection, event)
                # The last thing: on PostgreSQL other changes wait for this row until the commit.
                connection.execute(GROW, {"name": _MARK})
        except exc.IntegrityError:
            # The new name was taken in the meantime.
            return False
        return True

    def rehash(self, user_id: str, old_hash: str, new_hash: str) -> None:
        """Replace the hash if it still is the old one; the version stays. Raises Unavailable."""
        with self._database.write() as connection:
            connection.execute(_REHASH, {"_user": user_id, "_old": old_hash, "_new": new_hash})


class SqlEndOrders:
    """Implements `ports.EndOrderStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, order: EndOrder) -> None:
        """Write an order that doesn't come with a change of an account. Raises Unavailable."""
        with self._database.write() as connection:
            write_order(connection, order)

    def list_unfinished(self) -> list[EndOrder]:
        """Oldest first. Raises Unavailable."""
        with self._database.read() as connection:
            return [_order_of(row) for row in connection.execute(_UNFINISHED)]

    def progress(self, order_id: str, ended: int, finished_at: int | None) -> None:
        """Add to the count; set the end when given (the first one stays). Raises Unavailable."""
        with self._database.write() as connection:
            connection.execute(_PROGRESS, {"_order": order_id, "_ended": ended, "_finished": finished_at})

    def list_since(self, since: int) -> list[EndOrder]:
        """Those not finished, or finished at `since` (ms) or later; oldest first. Raises Unavailable."""
        with self._database.read() as connection:
            return [_order_of(row) for row in connection.execute(_SINCE, {"_since": since})]


def write_order(connection: Connection, order: EndOrder) -> None:
    """In the transaction of what caused it."""
    connection.execute(_ADD_ORDER, _order_values(order))


def _user_of(row: Any) -> User:
    return User(
        user_id=row.user_id,
        username=row.username,
        password_hash=row.password_hash,
        created_at=row.created_at,
        name=row.name,
        email=row.email,
        email_verified=row.email_verified,
        groups=unpack(row.groups),
        is_admin=row.is_admin,
        locale=row.locale,
        version=row.version,
        disabled_at=row.disabled_at,
        profile=row.profile,
        updated_at=row.updated_at,
    )


def _values(user: User) -> dict[str, object]:
    return {
        "user_id": user.user_id,
        "username": user.username,
        "folded": fold_username(user.username),
        "password_hash": user.password_hash,
        "created_at": user.created_at,
        "name": user.name,
        "email": user.email,
        "email_verified": user.email_verified,
        "groups": pack(user.groups),
        "is_admin": user.is_admin,
        "locale": user.locale,
        "version": user.version,
        "disabled_at": user.disabled_at,
        "profile": user.profile,
        "updated_at": user.updated_at,
    }


def _order_of(row: Row[Any]) -> EndOrder:
    return EndOrder(
        order_id=row.order_id,
        reason=row.reason,
        created_at=row.created_at,
        user_id=row.user_id,
        user_version=row.user_version,
        client_id=row.client_id,
        keep_sid=row.keep_sid,
        revoke_grants=row.revoke_grants,
        finished_at=row.finished_at,
        ended=row.ended,
    )


def _order_values(order: EndOrder) -> dict[str, object]:
    return {
        "order_id": order.order_id,
        "reason": order.reason,
        "created_at": order.created_at,
        "user_id": order.user_id,
        "user_version": order.user_version,
        "client_id": order.client_id,
        "keep_sid": order.keep_sid,
        "revoke_grants": order.revoke_grants,
        "finished_at": order.finished_at,
        "ended": order.ended,
    }
