"""Whether one more store of a client has room in a session: an end must stay one short step, whatever its sites do."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.engine import Connection

from sso_server.stores.sql.tables import participants

_OF_CLIENT = (
    participants.c.sid.in_(bindparam("_sids", expanding=True)),
    participants.c.client_id == bindparam("_client"),
    participants.c.store_id != "",
)
_CROWDED = (
    sa.select(participants.c.sid)
    .where(*_OF_CLIENT)
    .group_by(participants.c.sid)
    .having(sa.func.count() >= bindparam("_most"))
)
_KNOWN = sa.select(participants.c.sid).where(*_OF_CLIENT, participants.c.store_id == bindparam("_store"))
_FORGET_OVER = sa.delete(participants).where(*_OF_CLIENT, participants.c.local_until <= bindparam("_now"))


def without_room(
    connection: Connection, sids: Sequence[str], client_id: str, store_id: str, most: int, now: int
) -> set[str]:
    """Those of the sessions (locked by the caller) that have `most` stores of the client, this one not among them.

    Before one is answered, stores whose local sessions must be over by now are forgotten there: those alone need not
    be told any more, however long the others have been silent.
    """
    words = {"_sids": sids, "_client": client_id, "_store": store_id, "_most": most, "_now": now}
    crowded = set(connection.execute(_CROWDED, words).scalars())
    if crowded:
        crowded -= set(connection.execute(_KNOWN, {**words, "_sids": sorted(crowded)}).scalars())
    if crowded:
        words["_sids"] = sorted(crowded)
        connection.execute(_FORGET_OVER, words)
        crowded = set(connection.execute(_CROWDED, words).scalars())
    return crowded
