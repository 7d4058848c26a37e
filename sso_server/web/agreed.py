"""Consent on its way through our pages: what is asked for, and of whom, travels in the seal; so does the answer.

The page is the portal's (`fronts/portal/consent`); what was agreed to is remembered by `core/consents`, and that alone
lets a client in. The mark in the seal is for those that want the question asked anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sso_server.core.consents import Wish
from sso_server.core.identifiers import digest
from sso_server.core.sessions import Session

#: An answer counts for the request it was given to, not for the same address out of the browser's history.
_COUNTS_MS = 5 * 60_000
#: What people did on our other pages for the same request, kept beside the question.
_OTHER_MARKS = ("typed", "typed_at", "answered", "answered_at")


def to_agree(wish: Wish, session: Session, sealed: Mapping[str, Any], back_to: str) -> dict[str, object]:
    """What the request's next seal says: the question, bound to this session, and what the last one said. `back_to`:
    the registered address to which the person goes on from here."""
    asked = {"scope": list(wish.scope), "claims": list(wish.claims), "of": digest(session.sid), "to": back_to}
    return {"consent": asked, **{mark: sealed[mark] for mark in _OTHER_MARKS if mark in sealed}}


def asked_of(sealed: Mapping[str, Any], session: Session) -> Wish | None:
    """What this session's person is asked to agree to. None: nothing, or it was somebody else who was asked."""
    asked = sealed.get("consent")
    if not isinstance(asked, dict) or asked.get("of") != digest(session.sid):
        return None
    return Wish(tuple(asked["scope"]), tuple(asked["claims"]))


def back_to(sealed: Mapping[str, Any]) -> str:
    """Where the person who is asked goes on to; empty: nobody is."""
    asked = sealed.get("consent")
    return str(asked.get("to", "")) if isinstance(asked, dict) else ""


def agreed(sealed: Mapping[str, Any], now: int) -> dict[str, Any]:
    """The request's payload once more, after whoever was asked has agreed."""
    return {**sealed, "agreed_at": now}


def has_agreed(sealed: Mapping[str, Any], wish: Wish, session: Session, now: int) -> bool:
    """Whether this session's person has agreed to all of this, for this very request."""
    shown, agreed_at = asked_of(sealed, session), sealed.get("agreed_at")
    if shown is None or not isinstance(agreed_at, int):
        return False
    covered = set(wish.scope) <= set(shown.scope) and set(wish.claims) <= set(shown.claims)
    # Below nothing, too: the node that took the answer may have a clock that is ahead of this one.
    return covered and now - agreed_at <= _COUNTS_MS
