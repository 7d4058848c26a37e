"""All sessions of a person, or all but this one: ending them, and finding them again for the report."""

from __future__ import annotations

import contextlib

from sso_server.core.errors import Refused
from sso_server.core.policy import SECOND
from sso_server.core.records import record
from sso_server.core.sessions import EndReason, Session
from sso_server.web.services import services

#: More sessions than people have; a report of more would be no use to them.
_MOST = 200
#: The clocks of two nodes may differ by so much (design 4.7), and the last sessions are ended by another process.
_CLOCKS_DIFFER_MS = 2 * SECOND


@record
class Swath:
    """What one sign-out everywhere has ended so far, and how many sessions it has yet to end."""

    sids: tuple[str, ...]
    still_open: int


def sign_out_everywhere(user_id: str, *, keep_sid: str = "") -> None:
    """End them. Raises Refused if the account is being changed again and again, Unavailable."""
    for _ in range(2):
        # Two devices pressed the button at the same moment: the next try reads the account anew.
        with contextlib.suppress(Refused):
            _order(user_id, keep_sid)
            return
    _order(user_id, keep_sid)


def other_sessions(session: Session) -> int:
    """How many more sessions of the same person are live. Raises Unavailable."""
    now = services().clock.now()
    live = services().lists.list_live(now, _MOST, user_id=session.user_id)
    return sum(other.sid != session.sid and other.is_live(now) for other in live)


def ended_since(user_id: str, since: int, keep_sid: str = "", *, app: str = "") -> Swath:
    """The sessions that a sign-out everywhere ordered at `since` (ms) has ended; `app`: those that the removal of this
    app has. Raises Unavailable."""
    reason = EndReason.APP_REMOVED if app else EndReason.SIGN_OUT_EVERYWHERE
    ended = services().ledger.list_ended(_MOST, user_id=user_id)
    sids = tuple(
        session.sid
        for session in ended
        if session.end_reason == reason and (session.ended_at or 0) >= since - _CLOCKS_DIFFER_MS
    )
    live = services().lists.list_live(services().clock.now(), _MOST, user_id=user_id, client_id=app)
    # Who has signed in again since isn't meant.
    return Swath(sids, sum(session.created_at < since and session.sid != keep_sid for session in live))


def _order(user_id: str, keep_sid: str) -> None:
    services().accounts.sign_out_everywhere(
        user_id, keep_sid=keep_sid, reason=EndReason.SIGN_OUT_EVERYWHERE, actor="user"
    )
