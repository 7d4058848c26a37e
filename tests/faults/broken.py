"""Faulty parts, each breaking one guarantee: the suite must notice, by exactly that row of its table.

They are wired by the suite's entry modules when a run names one; a run of `make faults` names none.
"""

from typing import Any

from sso_server.core.notifications import Answer, State
from sso_server.core.sessions import EndReason

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
#: The site that has the faulty part, where it is a site's.
VICTIMS = {"acts-twice": "p-ok", "comes-back-at-site": "s-crash", "endless-lease": "s-cut"}
_FORGOTTEN = "p-ok"


def sessions(part: str, stores: Any) -> dict[str, Any]:
    """Methods of the session store to be replaced."""
    if part == "site-forgotten":

        def end(real: Any, sid: str, *args: Any, **kwargs: Any) -> Any:
            # Made for SQL; the table is the same in every process.
            with stores.database.write() as connection:
                connection.exec_driver_sql(
                    "DELETE FROM participants WHERE sid = ? AND client_id = ?", (sid, _FORGOTTEN)
                )
            return real(sid, *args, **kwargs)

        return {"end": end}
    if part == "comes-back-at-centre":

        def find_by_cookie(real: Any, *args: Any, **kwargs: Any) -> Any:
            import dataclasses

            found = real(*args, **kwargs)
            return found and dataclasses.replace(found, ended_at=None, end_reason=None)

        return {"find_by_cookie": find_by_cookie}
    return {}


def sweeps(part: str, stores: Any) -> dict[str, Any]:
    """Methods of the sweeps to be replaced."""
    if part != "eager-sweeper":
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
    if part != "row-left-behind":
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
    if part not in ("told-without-telling", "acts-twice"):
        return real
    return _Faulty(part, real)


class _Faulty:
    def __init__(self, part: str, real: Any) -> None:
        self._part = part
        self._real = real

    def send(self, url: str, body: bytes, headers: Any, **kwargs: Any) -> Answer:
        if self._part == "told-without-telling" and "Lockstep-Store" not in headers:
            return Answer(200)
        if self._part == "acts-twice":
            self._real.send(url, body, headers, **kwargs)
        answer: Answer = self._real.send(url, body, headers, **kwargs)
        return answer
