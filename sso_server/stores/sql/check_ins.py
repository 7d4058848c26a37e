"""CheckInStore: what site stores tell and hear, one transaction per call."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import islice

import sqlalchemy as sa
from sqlalchemy import bindparam, exists, text
from sqlalchemy.engine import Connection

from sso_server.core.check_in import EndNotice, SiteStore, StoreAnswer, StoreReport
from sso_server.core.notifications import State
from sso_server.core.sessions import EndReason, local_until
from sso_server.stores.sql.denials import list_denied
from sso_server.stores.sql.engine import Database
from sso_server.stores.sql.past import read_past
from sso_server.stores.sql.prepared import Prepared
from sso_server.stores.sql.records import due_at_of, later
from sso_server.stores.sql.room import without_room
from sso_server.stores.sql.tables import notifications, participants, sessions, site_stores
from sso_server.stores.sql.turns import take_in_order

# A list may have 5000 sids; a statement with that many parameters is slow to compile and near SQLite's limit.
_CHUNK = 500
# Word for word the condition of the index ix_notifications_unheard: a bound value would not match it.
_UNHEARD = text("state <> 'acknowledged'")

_sids: sa.BindParameter[Sequence[str]] = bindparam("_sids", expanding=True)
_REGISTERED = (
    sa.select(participants.c.sid)
    .distinct()
    .join_from(participants, sessions, sessions.c.sid == participants.c.sid)
    .where(
        participants.c.sid.in_(_sids),
        participants.c.client_id == bindparam("_client"),
        sessions.c.ended_at.is_(None),
    )
)
_TOLD = sa.and_(
    notifications.c.sid.in_(_sids),
    notifications.c.client_id == bindparam("_client"),
    notifications.c.store_id == bindparam("_store"),
    _UNHEARD,
)
_ACKNOWLEDGE = (
    sa.update(notifications)
    .where(_TOLD)
    .values(
        state=State.ACKNOWLEDGED.value,
        final_at=bindparam("_now"),
        to_archive_at=bindparam("_now"),
        next_attempt_at=None,
        due_at=None,
        claimed_by="",
        claimed_until=0,
        last_error="",
    )
)
# Locked in the order of their names, so that two check-ins never wait for each other crosswise. An end of one of them
# either is seen here, or waits and then finds the participant that we register.
_LOCK_LIVE = (
    sa.select(sessions.c.sid, sessions.c.absolute_until)
    .where(sessions.c.sid.in_(_sids), sessions.c.ended_at.is_(None), sessions.c.due_at > bindparam("_now"))
    .order_by(sessions.c.sid)
    .with_for_update(key_share=True)
)
_active = later(sessions.c.last_active_at, bindparam("_now", type_=sa.BigInteger))
_TOUCH = (
    sa.update(sessions)
    .where(
        sessions.c.sid.in_(_sids),
        exists().where(
            participants.c.sid == sessions.c.sid,
            participants.c.client_id == bindparam("_client"),
            participants.c.store_id == bindparam("_store"),
        ),
    )
    .values(last_active_at=_active, due_at=due_at_of(_active))
)
_OWN = sa.select(participants.c.sid).where(
    participants.c.sid.in_(_sids), participants.c.client_id == bindparam("_client")
)
_REGISTER = text(
    "INSERT INTO participants (sid, client_id, store_id, kind, logout_uri, registered_at, local_until, reports)"
    " VALUES (:sid, :client_id, :store_id, :kind, :logout_uri, :registered_at, :local_until, :reports)"
    " ON CONFLICT (sid, client_id, store_id) DO NOTHING"
)
# `last_check_in_at` is never earlier than it was: answers of a store overtake each other, and its mark holds what
# was written. `lapsed_from` is the end of the lease that it had before this check-in, if that was over.
_STORE = Prepared(
    text(
        "INSERT INTO site_stores (client_id, store_id, last_check_in_at, lease_s, grace_s)"
        " VALUES (:client_id, :store_id, :now, :lease_s, :grace_s) ON CONFLICT (client_id, store_id) DO UPDATE SET"
        " last_check_in_at = CASE WHEN site_stores.last_check_in_at > excluded.last_check_in_at"
        " THEN site_stores.last_check_in_at ELSE excluded.last_check_in_at END,"
        " lease_s = excluded.lease_s, grace_s = excluded.grace_s, lapsed_from = CASE WHEN"
        " site_stores.last_check_in_at + (site_stores.lease_s + site_stores.grace_s) * 1000 < excluded.last_check_in_at"
        " THEN site_stores.last_check_in_at + (site_stores.lease_s + site_stores.grace_s) * 1000"
        " ELSE site_stores.lapsed_from END, lapsed_to = CASE WHEN"
        " site_stores.last_check_in_at + (site_stores.lease_s + site_stores.grace_s) * 1000 < excluded.last_check_in_at"
        " THEN excluded.last_check_in_at ELSE site_stores.lapsed_to END"
        " RETURNING last_check_in_at"
    )
)
_KNOWN_AT = Prepared(
    sa.select(site_stores.c.last_check_in_at).where(
        site_stores.c.client_id == bindparam("_client"), site_stores.c.store_id == bindparam("_store")
    )
)
_ENDS = Prepared(
    sa.select(notifications.c.sid, notifications.c.reason, notifications.c.ended_at)
    .where(
        notifications.c.client_id == bindparam("_client"),
        notifications.c.store_id == bindparam("_store"),
        _UNHEARD,
        (notifications.c.state != State.MOOT.value) | (notifications.c.local_until > bindparam("_now")),
    )
    .order_by(notifications.c.ended_at, notifications.c.number)
    .limit(bindparam("_limit"))
)
# The row without a store's name says when the client last polled (polls.py).
_SITE_STORES = sa.select(site_stores).where(
    site_stores.c.client_id == bindparam("_client"), site_stores.c.store_id != ""
)
_NAMED_STORES = _SITE_STORES.where(site_stores.c.store_id.in_(bindparam("_stores", expanding=True)))
_COUNT_STORES = (
    sa.select(sa.func.count()).select_from(site_stores).where(site_stores.c.client_id == bindparam("_client"))
)


class SqlCheckIns:
    """Implements `ports.CheckInStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def registered(self, client_id: str, sids: Sequence[str]) -> list[str]:
        """Those of the sids in which this client is a participant and which are not ended. Raises Unavailable."""
        if not sids:
            return []
        with self._database.read() as connection:
            found = {
                sid
                for chunk in _chunks(sids)
                for sid in connection.execute(_REGISTERED, {"_sids": chunk, "_client": client_id}).scalars()
            }
        return [sid for sid in dict.fromkeys(sids) if sid in found]

    def check_in(self, report: StoreReport, now: int, limit: int) -> StoreAnswer:
        """Apply the report and answer every row of the store that isn't acknowledged. Raises Unavailable."""
        store = {"_client": report.client_id, "_store": report.store_id, "_now": now}
        with self._database.write() as connection:
            for chunk in _chunks(sorted(report.acks)):
                take_in_order(connection, _TOLD, {**store, "_sids": chunk})
                connection.execute(_ACKNOWLEDGE, {**store, "_sids": chunk})
            live = _lock_live(connection, {*report.active, *(report.live or ())}, now)
            for chunk in _chunks([sid for sid in report.active if sid in live]):
                connection.execute(_TOUCH, {**store, "_sids": chunk})
            unknown = _register(connection, report, live, now)
            at, problem = _note(connection, report, now)
            past = read_past(connection, self._database)
            rows = _ENDS.find_all(connection, {**store, "_limit": limit + 1})
            denied, denied_to, more_denied = list_denied(connection, report, now)
        ends = [EndNotice(row.sid, row.reason, row.ended_at) for row in rows[:limit]]
        listed = {row.sid for row in rows}
        ends += [EndNotice(sid, EndReason.UNKNOWN_SESSION.value, now) for sid in unknown if sid not in listed]
        return StoreAnswer(
            tuple(ends),
            len(rows) > limit or more_denied,
            at,
            past,
            went_back=problem == "went_back",
            is_full=problem == "is_full",
            denied=denied,
            denied_to=denied_to,
        )

    def find_site_stores(self, client_id: str, store_ids: Collection[str] | None = None) -> list[SiteStore]:
        """The stores of a client that ever checked in, all or those of these names. Raises Unavailable."""
        of_client = {"_client": client_id}
        with self._database.read() as connection:
            if store_ids is None:
                rows = list(connection.execute(_SITE_STORES, of_client))
            else:
                chunks = [{**of_client, "_stores": chunk} for chunk in _chunks(list(store_ids))]
                rows = [row for chunk in chunks for row in connection.execute(_NAMED_STORES, chunk)]
        return [
            SiteStore(
                client_id=row.client_id,
                store_id=row.store_id,
                last_check_in_at=row.last_check_in_at,
                lease_s=row.lease_s,
                grace_s=row.grace_s,
                lapsed_from=row.lapsed_from,
                lapsed_to=row.lapsed_to,
            )
            for row in rows
        ]


def _note(connection: Connection, report: StoreReport, now: int) -> tuple[int, str]:
    """When the store has checked in at the latest, and what kept it from being written down, if anything did: it should
    have been known to have checked in later (`went_back`), or there are too many (`is_full`)."""
    of_store = {"_client": report.client_id, "_store": report.store_id}
    known = _KNOWN_AT.find(connection, of_store)
    known_at: int | None = known.last_check_in_at if known is not None else None
    if (known_at or 0) < report.proves_from:
        # Nothing is written: the proof must last until somebody has noted it.
        return known_at or 0, "went_back"
    if known_at is None and connection.execute(_COUNT_STORES, of_store).scalar_one() >= report.most_stores:
        return 0, "is_full"
    values = {
        "client_id": report.client_id,
        "store_id": report.store_id,
        "now": now,
        "lease_s": report.lease_s,
        "grace_s": report.grace_s,
    }
    (at,) = _STORE.find(connection, values)
    return int(at), ""


def _lock_live(connection: Connection, sids: set[str], now: int) -> dict[str, int]:
    """The live ones of the sids, locked, each with its absolute end."""
    return {
        row.sid: row.absolute_until
        for chunk in _chunks(sorted(sids))
        for row in connection.execute(_LOCK_LIVE, {"_sids": chunk, "_now": now})
    }


def _register(connection: Connection, report: StoreReport, live: dict[str, int], now: int) -> list[str]:
    """Register the store in the sessions that it says it has; those of them that are not, once each."""
    said = list(dict.fromkeys(report.live or ()))
    # Only sessions in which this client redeemed a ticket, with whatever store: a `sid` is no secret, and knowing
    # one must
    # not be enough to join a session, keep it alive or end it.
    own = {
        sid
        for chunk in _chunks([sid for sid in said if sid in live])
        for sid in connection.execute(_OWN, {"_sids": chunk, "_client": report.client_id}).scalars()
    }
    for chunk in _chunks(sorted(own)):
        own -= without_room(connection, chunk, report.client_id, report.store_id, report.most_in_session, now)
    rows = [
        {
            "sid": sid,
            "client_id": report.client_id,
            "store_id": report.store_id,
            "kind": report.kind,
            "logout_uri": report.logout_uri,
            "registered_at": now,
            "local_until": local_until(
                now,
                created_at=0,
                absolute_until=live[sid],
                local_max_ms=report.local_max_ms,
                margin_ms=report.margin_ms,
                bounded=True,
            ),
            "reports": True,
        }
        for sid in said
        if sid in own
    ]
    if rows:
        connection.execute(_REGISTER, rows)
    return [sid for sid in said if sid not in own]


def _chunks(sids: Sequence[str]) -> Iterator[list[str]]:
    rest = iter(sids)
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk
