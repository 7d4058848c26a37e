"""All sessions of a person, or all but this one; tried again when two devices press the button at the same moment."""

from __future__ import annotations

import contextlib

from sso_server.core.errors import Refused
from sso_server.core.sessions import EndReason
from sso_server.web.services import services


def sign_out_everywhere(user_id: str, *, keep_sid: str = "") -> None:
    """End them. Raises Refused if the account is being changed again and again, Unavailable."""
    for _ in range(2):
        # Refused: somebody else changed the account between our reading and writing; the next try reads anew.
        with contextlib.suppress(Refused):
            _order(user_id, keep_sid)
            return
    _order(user_id, keep_sid)


def _order(user_id: str, keep_sid: str) -> None:
    services().accounts.sign_out_everywhere(
        user_id, keep_sid=keep_sid, reason=EndReason.SIGN_OUT_EVERYWHERE, actor="user"
    )
