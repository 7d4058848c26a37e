"""The receipt of a sign-out: who was signed in where, until when, and how it ended; and the audit's lines that keep it.

The ledger knows an ended session for about a day, the audit for 400. A line is written when a row becomes final
(`delivery.clerk`), and again when it changes after that: the last word counts, the earlier ones are its history.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from sso_server.core.events import Event, EventKind
from sso_server.core.identifiers import is_store_id, mark_of
from sso_server.core.notifications import Notification, State
from sso_server.core.ports import AuditStore, Ledger, SessionStore
from sso_server.core.records import record
from sso_server.core.reports import SignOutReports

_MOST_LINES = 10_000
#: What a ledger says whose entry could not be read (stores/redis): a moment in the year 287396.
_NO_MOMENT = 2**53 - 1
_FOUND_LATER = "unknown"


class Bound(StrEnum):
    """Why nobody was signed in at the site any more."""

    ACKNOWLEDGED = "acknowledged"
    """The site said that it has ended its local session."""
    LEASE = "lease"
    """Its lease (and grace) had run out: a site with our SDK admits nobody after that."""
    LOCAL_SESSION = "local_session"
    """Its local session should be over by then. Nothing that we know makes sure of it: no bound is known."""
    NONE = "none"
    """Not even that is known."""


class ToldBy(StrEnum):
    """How an acknowledgement came."""

    PUSH = "push"
    CHECK_IN = "check_in"
    POLL = "poll"


@record
class Word:
    """What the ledger said of a site. Times in ms."""

    at: int | None
    """When it became final; None: it is still being told."""
    state: State
    attempts: int
    status: int | None
    """The last answer's; None: it has not answered."""
    error: str
    told_by: ToldBy | None
    """Only of an acknowledgement."""


@record
class SiteReceipt:
    """One site (one store or ticket of it) of the session. Times in ms; None: not known."""

    client_id: str
    store_id: str
    """Empty: a site without our SDK."""
    registered_at: int | None
    until: int | None
    """Nobody was signed in there after this moment, as far as `bound` says."""
    bound: Bound
    last: Word
    before: tuple[Word, ...]
    """Earlier words, oldest first."""
    ticket: str = ""
    """The mark of a CAS site's ticket (`identifiers.mark_of`)."""


@record
class ByHand:
    """Somebody had a site told again, or gave it up. `at` in ms."""

    at: int
    client_id: str
    """Empty: every site."""
    given_up: bool
    actor: str


@record
class Receipt:
    """A session that is over. Times in ms; empty and None: the line in the audit is from before these were kept."""

    sid: str
    user_id: str
    opened_at: int | None
    address: str
    user_agent: str
    ended_at: int
    reason: str
    actor: str
    """Who ended it, as the audit has it; `unknown`: the line was lost and written later."""
    ended_again: tuple[int, ...]
    """A store that went back in time had forgotten the end, and it was made good then (core/restoring.py)."""
    in_ledger: bool
    """The ledger still has its rows; else all of this comes from the audit."""
    sites: tuple[SiteReceipt, ...]
    """In the order in which they were signed in."""
    by_hand: tuple[ByHand, ...]
    """Oldest first."""


@record
class _Line:
    """A row of the ledger or a line of the audit."""

    client_id: str
    place: str
    """The store, or a ticket's mark: the ticket itself stays out of the audit."""
    registered_at: int
    local_until: int
    safe_by: int | None
    word: Word


class Receipts:
    """Writes receipts."""

    def __init__(self, sessions: SessionStore, ledger: Ledger, reports: SignOutReports, audit: AuditStore) -> None:
        self._sessions = sessions
        self._ledger = ledger
        self._reports = reports
        self._audit = audit

    def find(self, sid: str) -> Receipt | None:
        """The receipt; None while the session lives, and for one that neither the ledger nor the audit knows.

        Raises Unavailable.
        """
        session = self._sessions.find(sid)
        if session is not None and session.ended_at is None:
            return None
        ends = self._lines(EventKind.SESSION_ENDED, sid)
        # One of them may have been written because another seemed to be lost.
        end = min(ends, key=lambda line: line.actor == _FOUND_LATER, default=None)
        if session is None and end is None:
            return None
        rows = self._ledger.of_session(sid)
        present = [_of_row(row, safe_by) for row, safe_by in zip(rows, self._reports.safe_by(rows), strict=True)]
        lines = self._lines(EventKind.NOTIFICATION_FINAL, sid)
        sites = _sites([*map(_of_event, lines), *present])
        kept = end.data if end is not None else {}
        if session is not None:
            kept = {**kept, **_kept_of(session.created_at, session.address, session.user_agent)}
        return Receipt(
            sid=sid,
            user_id=session.user_id if session is not None else end.user_id if end is not None else "",
            opened_at=_number(kept.get("opened_at")),
            address=str(kept.get("address") or ""),
            user_agent=str(kept.get("user_agent") or ""),
            # The first end counts: what the store has may be the one that made it good.
            ended_at=(end.at if end is not None else session.ended_at if session is not None else None) or 0,
            reason=str(kept.get("reason") or (session.end_reason if session is not None else "") or ""),
            actor=end.actor if end is not None else _FOUND_LATER,
            ended_again=tuple(sorted({line.at for line in ends if end is not None and line.at > end.at})),
            in_ledger=session is not None,
            sites=sites,
            by_hand=self._by_hand(sid),
        )

    def _lines(self, kind: EventKind, sid: str) -> list[Event]:
        """Oldest first; in one millisecond as they were written, too."""
        return self._audit.list_events(_MOST_LINES, kind=kind, sid=sid)[::-1]

    def _by_hand(self, sid: str) -> tuple[ByHand, ...]:
        kinds = (EventKind.NOTIFICATION_RETRIED, EventKind.NOTIFICATION_ABANDONED)
        acts = [
            ByHand(line.at, line.client_id, kind is EventKind.NOTIFICATION_ABANDONED, line.actor)
            for kind in kinds
            for line in self._lines(kind, sid)
        ]
        return tuple(sorted(acts, key=lambda act: act.at))


def final_event(row: Notification, safe_by: int | None, now: int) -> Event:
    """The audit's line for a final row: all that a receipt says when the ledger has forgotten it."""
    return Event(
        row.final_at or now,
        EventKind.NOTIFICATION_FINAL,
        user_id=row.user_id,
        sid=row.sid,
        client_id=row.client_id,
        actor="delivery",
        data={
            "state": row.state.value,
            "attempts": row.sends,
            "status": row.last_status,
            "error": row.last_error,
            "store": _place(row),
            "reason": row.reason,
            "ended_at": row.ended_at,
            "registered_at": row.registered_at,
            "local_until": row.local_until,
            "safe_by": safe_by,
        },
    )


def _kept_of(opened_at: int, address: str, user_agent: str) -> dict[str, str | int | None]:
    return {"opened_at": opened_at, "address": address, "user_agent": user_agent}


def _of_row(row: Notification, safe_by: int | None) -> _Line:
    place = _place(row)
    word = _word(row.final_at, row.state, row.sends, row.last_status, row.last_error, place)
    return _Line(row.client_id, place, row.registered_at, row.local_until, safe_by, word)


def _place(row: Notification) -> str:
    return row.sdk_store or mark_of(row.ticket)


def _of_event(event: Event) -> _Line:
    data = event.data
    place = str(data.get("store") or "")
    word = _word(
        event.at,
        State(str(data.get("state"))),
        _number(data.get("attempts")) or 0,
        _number(data.get("status")),
        str(data.get("error") or ""),
        place,
    )
    return _Line(
        event.client_id,
        place,
        _number(data.get("registered_at")) or 0,
        _number(data.get("local_until")) or 0,
        _number(data.get("safe_by")),
        word,
    )


def _word(at: int | None, state: State, attempts: int, status: int | None, error: str, place: str) -> Word:
    if state is not State.ACKNOWLEDGED:
        return Word(at, state, attempts, status, error, None)
    has_store = is_store_id(place)
    if (status is not None and 200 <= status < 300) or (place and not has_store):
        # A CAS site can't ask, and some of them say yes by a redirect.
        told_by = ToldBy.PUSH
    else:
        # No call was answered with yes, so it asked: a store of ours at its check-in, anybody else by a poll.
        told_by = ToldBy.CHECK_IN if has_store else ToldBy.POLL
    # A failure of before stays in the row on one kind of store; it is not what came of it.
    return Word(at, state, attempts, status, "", told_by)


def _sites(lines: Iterable[_Line]) -> tuple[SiteReceipt, ...]:
    """One per (client, store or ticket) of these lines, which come oldest first, the present row last."""
    by_site: dict[tuple[str, str], list[_Line]] = {}
    for line in lines:
        by_site.setdefault((line.client_id, line.place), []).append(line)
    sites = [_site(of_site) for of_site in by_site.values()]
    return tuple(sorted(sites, key=lambda site: (site.registered_at or 0, site.client_id, site.store_id, site.ticket)))


def _site(lines: list[_Line]) -> SiteReceipt:
    last = lines[-1]
    # A line may stand there twice (a crash between writing and marking), and the present row is a line as well.
    words = list(dict.fromkeys(line.word for line in lines if line.word != last.word))
    # Each is a moment after which it admitted nobody, found at another time: the earliest is as true as the others.
    safe_by = min((line.safe_by for line in lines if line.safe_by is not None), default=None)
    until, bound = _bound(last, safe_by)
    return SiteReceipt(
        client_id=last.client_id,
        store_id=last.place if is_store_id(last.place) else "",
        registered_at=next((line.registered_at for line in lines if line.registered_at), None),
        until=until,
        bound=bound,
        last=last.word,
        before=tuple(words),
        ticket="" if is_store_id(last.place) else last.place,
    )


def _bound(line: _Line, safe_by: int | None) -> tuple[int | None, Bound]:
    at = line.word.at
    if line.word.state is State.ACKNOWLEDGED and at is not None and (safe_by is None or at <= safe_by):
        return at, Bound.ACKNOWLEDGED
    if safe_by is not None:
        return safe_by, Bound.LEASE
    if 0 < line.local_until < _NO_MOMENT:
        return line.local_until, Bound.LOCAL_SESSION
    return None, Bound.NONE


def _number(value: str | int | None) -> int | None:
    return value if isinstance(value, int) else None
