"""Whether one more store of a client, or one more ticket of a CAS site, has room in a session: an end must stay one
short step, whatever its sites do.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.engine import Connection

from sso_server.stores.sql.prepared import Prepared
from sso_server.stores.sql.tables import participants

# Of those that are like it: stores and tickets don't take each other's room (a site may take up our SDK). A store's id
# begins with `st-`, a ticket with `ST-` or `PT-`: core/identifiers.py.
_LENGTH = 3
_OF_CLIENT = (
    participants.c.sid.in_(bindparam("_sids", expanding=True)),
    participants.c.client_id == bindparam("_client"),
    sa.func.substr(participants.c.store_id, 1, _LENGTH).in_(bindparam("_likes", expanding=True)),
)
_LIKES = (("st-",), ("ST-", "PT-"))
_CROWDED = (
    sa.select(participants.c.sid)
    .where(*_OF_CLIENT)
    .group_by(participants.c.sid)
    .having(sa.func.count() >= bindparam("_most"))
)
# The same of a single session, as a ticket that is redeemed asks: nothing is crowded.
_COUNT_IN_ONE = Prepared(
    sa.select(sa.func.count().label("found")).where(
        participants.c.sid == bindparam("_sid"),
        participants.c.client_id == bindparam("_client"),
        sa.func.substr(participants.c.store_id, 1, _LENGTH).in_((bindparam("_like"), bindparam("_other"))),
    )
)
_KNOWN = sa.select(participants.c.sid).where(*_OF_CLIENT, participants.c.store_id == bindparam("_store"))
_FORGET_OVER = sa.delete(participants).where(*_OF_CLIENT, participants.c.local_until <= bindparam("_now"))
_ALL = Prepared(sa.select(sa.func.count().label("found")).where(participants.c.sid == bindparam("_sid")))
_IS_THERE = sa.select(participants.c.sid).where(
    participants.c.sid == bindparam("_sid"),
    participants.c.client_id == bindparam("_client"),
    participants.c.store_id == bindparam("_store"),
)
_FORGET_ALL_OVER = sa.delete(participants).where(
    participants.c.sid == bindparam("_sid"), participants.c.local_until <= bindparam("_now")
)


def is_full(connection: Connection, sid: str, client_id: str, store_id: str, most: int, now: int) -> bool:
    """Whether the session (locked by the caller) has `most` participants, whatever their client, this one not among
    them. Before that is answered, those whose local sessions must be over by now are forgotten."""
    words = {"_sid": sid, "_client": client_id, "_store": store_id, "_now": now}
    if _ALL.find(connection, words).found < most or connection.execute(_IS_THERE, words).first():
        return False
    connection.execute(_FORGET_ALL_OVER, words)
    return bool(_ALL.find(connection, words).found >= most)


def without_room(
    connection: Connection, sids: Sequence[str], client_id: str, store_id: str, most: int, now: int
) -> set[str]:
    """Those of the sessions (locked by the caller) that have `most` stores (or tickets) of the client, this one not
    among them.

    Before one is answered, those whose local sessions must be over by now are forgotten there: they alone need not be
    told any more, however long the others have been silent.
    """
    likes = next((likes for likes in _LIKES if store_id[:_LENGTH] in likes), (store_id[:_LENGTH],))
    if len(sids) == 1:
        one = {"_sid": sids[0], "_client": client_id, "_like": likes[0], "_other": likes[-1]}
        if _COUNT_IN_ONE.find(connection, one).found < most:
            return set()
    words = {"_sids": sids, "_client": client_id, "_store": store_id, "_most": most, "_now": now, "_likes": likes}
    crowded = set(connection.execute(_CROWDED, words).scalars())
    if crowded:
        crowded -= set(connection.execute(_KNOWN, {**words, "_sids": sorted(crowded)}).scalars())
    if crowded:
        words["_sids"] = sorted(crowded)
        connection.execute(_FORGET_OVER, words)
        crowded = set(connection.execute(_CROWDED, words).scalars())
    return crowded
