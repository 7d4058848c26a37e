"""`warn` (CAS 3.0.3 section 2.2.1): who asked to be asked before a site signs them in, and the proof that they were.

The page is the portal's (`fronts/portal/go_on`); every front that lets people in without a question asks here first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Request

from sso_server.core.identifiers import digest
from sso_server.core.sessions import Session
from sso_server.web.cookies import warn_cookie

#: An answer counts for the request it was given to, not for the same address out of the browser's history.
_ANSWER_COUNTS_MS = 60_000


def must_ask_first(request: Request, session: Session, asked_at: int, sealed: Mapping[str, Any], now: int) -> bool:
    """Whether the person is to be asked before this session signs them in. `sealed`: the request as it came back."""
    if not warn_cookie(request) or session.auth_time >= asked_at:
        # Whoever has just typed the password for this site knows where it leads.
        return False
    answered_at = sealed.get("answered_at")
    if sealed.get("answered") != digest(session.sid) or not isinstance(answered_at, int):
        return True
    # Below nothing, too: the node that took the answer may have a clock that is ahead of this one.
    return now - answered_at > _ANSWER_COUNTS_MS


def answered(sealed: Mapping[str, Any], session: Session, now: int) -> dict[str, Any]:
    """The request's payload once more, with the answer of this session's person."""
    return {**sealed, "answered": digest(session.sid), "answered_at": now}
