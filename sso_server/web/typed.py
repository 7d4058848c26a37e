"""The proof that the password was typed for a sign-in request of a site: its seal says so, once our page has seen it.

A seal belongs to no browser: a stranger can make one early and have it opened in a browser where somebody typed a
password later, for another site. So when the request was made proves nothing; every front asks here instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sso_server.core.identifiers import digest
from sso_server.core.sessions import Session
from sso_server.core.sign_in import Step, Wishes, next_step

#: A password counts as typed for a request for so long (ms): the address stays in the browser's history.
_COUNTS_MS = 5 * 60_000
_MARKS = ("typed", "typed_at")


def typed(sealed: Mapping[str, Any], session: Session, now: int) -> dict[str, Any]:
    """The request's payload once more, after this session's person has typed the password for it."""
    return {**sealed, "typed": digest(session.sid), "typed_at": now}


def proof_in(sealed: Mapping[str, Any]) -> dict[str, Any]:
    """Of all that a seal says, the proof alone, for the next seal on the same way."""
    return {mark: sealed[mark] for mark in _MARKS if mark in sealed}


def is_too_old(sealed: Mapping[str, Any], session: Session, max_age_s: int | None, now: int) -> bool:
    """Whether a site that takes no older password than this has it asked for once more; None: it doesn't mind."""
    return next_step(session, Wishes(asked_at(sealed, session, now), max_age_s=max_age_s), now) is Step.ASK


def asked_at(sealed: Mapping[str, Any], session: Session | None, now: int) -> int:
    """When the request counts as made: before the password that was typed for it; else now, after any password."""
    if session is None:
        return now
    # Below nothing, too: the node that took the password may have a clock that is ahead of this one.
    if "typed" in sealed and sealed["typed"] == digest(session.sid) and now - sealed["typed_at"] <= _COUNTS_MS:
        return session.auth_time
    return max(now, session.auth_time + 1)
