"""ClientStore: registered clients, and the generation by which every process notices a change."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Row, bindparam, exc
from sqlalchemy.engine import Connection

from sso_server.core.client_metadata import ClientMetadata
from sso_server.core.clients import Client, ClientSecret
from sso_server.core.users import EndOrder
from sso_server.stores.sql.account_tables import clients, consents
from sso_server.stores.sql.engine import Database
from sso_server.stores.sql.records import pack, unpack
from sso_server.stores.sql.users import GENERATION, GROW, write_order

_MARK = "clients"
_ALL = sa.select(clients).order_by(clients.c.client_id)
_INSERT = sa.insert(clients)
_DELETE = sa.delete(clients).where(clients.c.client_id == bindparam("_client"))
_DELETE_CONSENTS = sa.delete(consents).where(consents.c.client_id == bindparam("_client"))
# All in one order and before the deletion: of two removals at once, one waits for the other.
_WITH_AUDIENCE = _ALL.where(clients.c.audience != pack(())).with_for_update()
_SET_AUDIENCE = (
    sa.update(clients).where(clients.c.client_id == bindparam("_client")).values(audience=bindparam("_audience"))
)


class SqlClients:
    """Implements `ports.ClientStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list_clients(self) -> list[Client]:
        """All of them, by id. Raises Unavailable."""
        with self._database.read() as connection:
            return [_client_of(row) for row in connection.execute(_ALL)]

    def generation(self) -> int:
        """Grows with every change; 0 before the first. Raises Unavailable."""
        with self._database.read() as connection:
            return connection.execute(GENERATION, {"_name": _MARK}).scalar_one_or_none() or 0

    def add(self, client: Client) -> bool:
        """False when the id is taken. Raises Unavailable."""
        return self.change_all((client,), (), ())

    def update(self, client: Client, was: Client) -> bool:
        """False when the stored record isn't `was` (any more), or when there is none. Raises Unavailable."""
        return self.change_all((), ((client, was),), ())

    def remove(self, client_id: str, order: EndOrder | None = None) -> bool:
        """False when there was none; no other client's tokens are for it any more. Raises Unavailable."""

        def change(connection: Connection) -> bool:
            if order is not None:
                write_order(connection, order)
            return _remove(connection, client_id)

        return self._change(change)

    def change_all(
        self,
        added: Sequence[Client],
        changed: Sequence[tuple[Client, Client]],
        removed: Sequence[Client],
        orders: Sequence[EndOrder] = (),
    ) -> bool:
        """All of it, or nothing: False when one of them isn't (or is) there any more. Raises Unavailable."""

        def change(connection: Connection) -> bool:
            # In this order: a removal takes the client out of the others' audience, and they are compared as they were
            # known.
            for client, was in changed:
                if not _update(connection, client, was):
                    return False
            for client in removed:
                if not _remove(connection, client.client_id):
                    return False
            for client in added:
                connection.execute(_INSERT, _values(client))
            for order in orders:
                write_order(connection, order)
            return True

        return self._change(change)

    def _change(self, change: Callable[[Connection], bool]) -> bool:
        try:
            with self._database.write() as connection:
                if not change(connection):
                    raise _NotAsKnown
                connection.execute(GROW, {"name": _MARK})
        except (exc.IntegrityError, _NotAsKnown):
            return False
        return True


class _NotAsKnown(Exception):
    """Nothing of the transaction is to stay."""


def _update(connection: Connection, client: Client, was: Client) -> bool:
    # All of it is compared: of two that read the same record, the slower would write back what the other changed, a
    # rotated secret for one.
    unchanged = (clients.c[name].is_not_distinct_from(value) for name, value in _values(was).items())
    return connection.execute(sa.update(clients).where(*unchanged).values(_values(client))).rowcount == 1


def _remove(connection: Connection, client_id: str) -> bool:
    # Whoever is registered under this id later must not be who the others meant.
    for row in connection.execute(_WITH_AUDIENCE).all():
        if client_id in (names := unpack(row.audience)):
            rest = tuple(name for name in names if name != client_id)
            connection.execute(_SET_AUDIENCE, {"_client": row.client_id, "_audience": pack(rest)})
    connection.execute(_DELETE_CONSENTS, {"_client": client_id})
    return connection.execute(_DELETE, {"_client": client_id}).rowcount == 1


def _client_of(row: Row[Any]) -> Client:
    return Client(
        client_id=row.client_id,
        name=row.name,
        created_at=row.created_at,
        kind=row.kind,
        secrets=tuple(ClientSecret(secret["hash"], secret["expires_at"]) for secret in json.loads(row.secrets)),
        public=row.public,
        base_url=row.base_url,
        redirect_uris=unpack(row.redirect_uris),
        post_logout_redirect_uris=unpack(row.post_logout_redirect_uris),
        backchannel_logout_uri=row.backchannel_logout_uri,
        id_token_alg=row.id_token_alg,
        scopes=unpack(row.scopes),
        refresh_tokens=row.refresh_tokens,
        lease_s=row.lease_s,
        grace_s=row.grace_s,
        local_session_max_s=row.local_session_max_s,
        allow_private=row.allow_private,
        delivery=row.delivery,
        access_token=row.access_token,
        audience=unpack(row.audience),
        cas_services=unpack(row.cas_services),
        cas_proxy_callbacks=unpack(row.cas_proxy_callbacks),
        cas_attributes=unpack(row.cas_attributes),
        metadata=ClientMetadata.from_json(row.metadata),
    )


def _values(client: Client) -> dict[str, object]:
    return {
        "client_id": client.client_id,
        "name": client.name,
        "created_at": client.created_at,
        "kind": client.kind,
        "secrets": json.dumps([{"hash": secret.hash, "expires_at": secret.expires_at} for secret in client.secrets]),
        "public": client.public,
        "base_url": client.base_url,
        "redirect_uris": pack(client.redirect_uris),
        "post_logout_redirect_uris": pack(client.post_logout_redirect_uris),
        "backchannel_logout_uri": client.backchannel_logout_uri,
        "id_token_alg": client.id_token_alg,
        "scopes": pack(client.scopes),
        "refresh_tokens": client.refresh_tokens,
        "lease_s": client.lease_s,
        "grace_s": client.grace_s,
        "local_session_max_s": client.local_session_max_s,
        "allow_private": client.allow_private,
        "delivery": client.delivery,
        "access_token": client.access_token,
        "audience": pack(client.audience),
        "cas_services": pack(client.cas_services),
        "cas_proxy_callbacks": pack(client.cas_proxy_callbacks),
        "cas_attributes": pack(client.cas_attributes),
        "metadata": client.metadata.to_json(),
    }
