"""Faulty parts, each breaking one guarantee: the suite must notice, by exactly that row of its table.

They are wired by the suite's entry modules when a run names one; a run of `make faults` names none.
"""

from typing import Any

import sqlalchemy as sa

from sso_server.core.notifications import Answer, State
from sso_server.core.sessions import EndReason
from sso_server.stores.sql.tables import participants

#: name -> what is wrong with it, and the row of the table that must fail.
PARTS = {
    "told-without-telling": ("the sender says that a site was told, and sends nothing", "unaccounted"),
    "site-forgotten": ("the end of a session writes no row for one of its sites", "unaccounted"),
    "row-left-behind": ("a failed attempt is never scheduled again", "unaccounted"),
    "acts-twice": ("each call is sent twice, and a site acts on each", "acted on twice"),
    "comes-back-at-site": ("a site's store puts a session back after its end", "brought back"),
    "comes-back-at-centre": ("the centre takes the cookie of an ended session", "brought back"),
    "endless-lease": ("a site's lease never runs out", "overhang"),
    "eager-sweeper": ("the sweeper ends a session that has hours to live", "early"),
}
#: A run may name several parts, joined by this.
AND = "+"
#: The site that has the faulty part, where it is a site's.
VICTIMS = {"acts-twice": "p-ok", "comes-back-at-site": "s-crash", "endless-lease": "s-cut"}
_FORGOTTEN = "p-ok"


def sessions(part: str, stores: Any) -> dict[str, Any]:
    """Methods of the session store to be replaced."""
    found: dict[str, Any] = {}
    if "site-forgotten" in part.split(AND):

        def end(real: Any, sid: str, *args: Any, **kwargs: Any) -> Any:
            # Made for SQL; the table is the same in every process.
            with stores.database.write() as connection:
                connection.execute(
                    sa.delete(participants).where(participants.c.sid == sid, participants.c.client_id == _FORGOTTEN)
                )
            return real(sid, *args, **kwargs)

        found["end"] = end
    if "comes-back-at-centre" in part.split(AND):

        def find_by_cookie(real: Any, *args: Any, **kwargs: Any) -> Any:
            import dataclasses

            session = real(*args, **kwargs)
            return session and dataclasses.replace(session, ended_at=None, end_reason=None)

        found["find_by_cookie"] = find_by_cookie
    return found


def sweeps(part: str, stores: Any) -> dict[str, Any]:
    """Methods of the sweeps to be replaced."""
    if "eager-sweeper" not in part.split(AND):
        return {}

    def end_due(real: Any, now: int, limit: int) -> Any:
        for session in stores.lists.list_live(now, 1000):
            if session.user_id.startswith("usr-control"):
                stores.sessions.end(session.sid, EndReason.IDLE.value, now)
                break
        return real(now, limit)

    return {"end_due": end_due}


def outbox(part: str) -> dict[str, Any]:
    """Methods of the outbox to be replaced."""
    if "row-left-behind" not in part.split(AND):
        return {}

    def record(real: Any, results: Any, now: int) -> Any:
        import dataclasses

        return real(
            [
                dataclasses.replace(r, next_attempt_at=None) if r.state is State.PENDING and r.status == 500 else r
                for r in results
            ],
            now,
        )

    return {"record": record}


def sender(part: str, real: Any) -> Any:
    """The sender, or a faulty one."""
    found = {"told-without-telling", "acts-twice"}.intersection(part.split(AND))
    return _Faulty(found, real) if found else real


def at_site(part: str, client_id: str) -> str:
    """The faulty part of this site, if it has one."""
    return next((name for name in part.split(AND) if VICTIMS.get(name) == client_id), "")


class _Faulty:
    def __init__(self, parts: set[str], real: Any) -> None:
        self._parts = parts
        self._real = real

    def send(self, url: str, body: bytes, headers: Any, **kwargs: Any) -> Answer:
        if "told-without-telling" in self._parts and "Lockstep-Store" not in headers:
            return Answer(200)
        if "acts-twice" in self._parts:
            self._real.send(url, body, headers, **kwargs)
        answer: Answer = self._real.send(url, body, headers, **kwargs)
        return answer
