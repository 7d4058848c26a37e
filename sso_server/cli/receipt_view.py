"""A receipt as `sso signout show` prints it: for people with a line for everything that happened, and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import click

from sso_server.cli.centre import Centre
from sso_server.cli.output import length, print_fields, print_table, when
from sso_server.core.notifications import State
from sso_server.core.receipts import Bound, Receipt, SiteReceipt, ToldBy, Word

_STORE_SHOWN = 11
# A site that signed out by itself says so at a check-in: nobody told it.
_TOLD_BY = {
    ToldBy.PUSH: "told by push",
    ToldBy.CHECK_IN: "acknowledged at its check-in",
    ToldBy.POLL: "acknowledged by its poll",
}
#: From good to bad.
_WORST = (Bound.ACKNOWLEDGED, Bound.LEASE, Bound.LOCAL_SESSION, Bound.NONE)
_STATES = {
    State.PENDING: "still being told",
    State.CLAIMED: "being told just now",
    State.ACKNOWLEDGED: "signed out",
    State.REFUSED: "refused the call",
    State.ABANDONED: "given up",
    State.MOOT: "not told any more: its local session is over",
    State.NO_ADDRESS: "not told: no address",
}


def print_receipt(receipt: Receipt, centre: Centre) -> None:
    """For people."""
    opened = when(receipt.opened_at) if receipt.opened_at is not None else ""
    by = receipt.actor if receipt.actor != "unknown" else "somebody whose name was lost"
    print_fields(
        [
            ("session", receipt.sid),
            ("user", centre.username(receipt.user_id)),
            ("signed in", opened),
            ("from", ", ".join(filter(None, (receipt.address, receipt.user_agent)))),
            ("ended", f"{when(receipt.ended_at)} ({receipt.reason}) by {by}"),
            ("known from", "the ledger and the audit" if receipt.in_ledger else "the audit"),
        ]
    )
    click.echo()
    rows = [
        (
            site.client_id,
            site.store_id[:_STORE_SHOWN] or (f"{tickets} tickets" if tickets > 1 else "-"),
            when(site.registered_at),
            _until(site),
            _ended(site.last, receipt.ended_at),
        )
        for site, tickets in _sites(receipt)
    ]
    headings = ("SITE", "STORE", "SIGNED IN SINCE", "STILL SIGNED IN UNTIL", "HOW IT ENDED")
    print_table(headings, rows, "It had opened no site.")
    click.echo()
    print_table(("WHEN", "WHO", "WHAT HAPPENED"), _history(receipt, centre), "")


def receipt_json(receipt: Receipt, centre: Centre) -> dict[str, Any]:
    """The same as data."""
    return {
        "sid": receipt.sid,
        "user_id": receipt.user_id,
        "username": centre.username(receipt.user_id),
        "opened_at": receipt.opened_at,
        "address": receipt.address,
        "user_agent": receipt.user_agent,
        "ended_at": receipt.ended_at,
        "reason": receipt.reason,
        "actor": receipt.actor,
        "ended_again": list(receipt.ended_again),
        "in_ledger": receipt.in_ledger,
        "sites": [
            {
                "client_id": site.client_id,
                "store_id": site.store_id,
                "ticket": site.ticket or None,
                "registered_at": site.registered_at,
                "signed_in_until": site.until,
                "bound": site.bound.value,
                **_word_json(site.last),
                "before": [_word_json(word) for word in site.before],
            }
            for site in receipt.sites
        ],
        "by_hand": [
            {"at": act.at, "client_id": act.client_id or None, "given_up": act.given_up, "actor": act.actor}
            for act in receipt.by_hand
        ],
    }


def _sites(receipt: Receipt) -> Iterable[tuple[SiteReceipt, int]]:
    """The sites as people see them, each with how many tickets it validated: a CAS site is one to them, however many
    these are, and stands as the one about which least good is known."""
    shown: dict[tuple[str, str], tuple[SiteReceipt, int]] = {}
    for site in receipt.sites:
        place = (site.client_id, site.store_id)
        first, tickets = shown.get(place, (site, 0))
        worst = max(first, site, key=lambda one: (_WORST.index(one.bound), one.until or 0))
        since = min((one.registered_at for one in (first, site) if one.registered_at is not None), default=None)
        shown[place] = replace(worst, registered_at=since), tickets + bool(site.ticket)
    return shown.values()


def _word_json(word: Word) -> dict[str, Any]:
    return {
        "state": word.state.value,
        "final_at": word.at,
        "attempts": word.attempts,
        "last_status": word.status,
        "last_error": word.error,
        "told_by": word.told_by.value if word.told_by is not None else None,
    }


def _until(site: SiteReceipt) -> str:
    """As exact as it is known and no more."""
    if site.bound is Bound.ACKNOWLEDGED:
        return when(site.until)
    if site.bound is Bound.LEASE:
        return f"at most {when(site.until)} (lease)"
    if site.bound is Bound.LOCAL_SESSION:
        return f"no bound known (its own session's end: {when(site.until)})"
    return "no bound known"


def _ended(word: Word, ended_at: int) -> str:
    """`signed out after 31 ms, told by push (1 try, 200)`, `given up (3 tries, http_404/3)` ..."""
    words = _STATES[word.state]
    if word.state is State.ACKNOWLEDGED and word.at is not None:
        words += f" after {length(max(0, word.at - ended_at))}"
    if word.told_by is not None:
        words += f", {_TOLD_BY[word.told_by]}"
    notes = []
    if word.attempts:
        notes.append("1 try" if word.attempts == 1 else f"{word.attempts} tries")
    if word.error or word.status is not None:
        notes.append(word.error or f"http_{word.status}")
    return f"{words} ({', '.join(notes)})" if notes else words


def _history(receipt: Receipt, centre: Centre) -> list[tuple[str, str, str]]:
    """Everything in the order in which it happened; what is still open comes last."""
    lines: list[tuple[float, str, str]] = []
    if receipt.opened_at is not None:
        lines.append((receipt.opened_at, centre.username(receipt.user_id), "signed in"))
    lines.append((receipt.ended_at, receipt.actor, f"ended the session ({receipt.reason})"))
    again = "ended it again: the store had gone back in time"
    lines += [(at, "the centre", again) for at in receipt.ended_again]
    for site, _ in _sites(receipt):
        if site.registered_at is not None:
            lines.append((site.registered_at, site.client_id, "the person was signed in there"))
        for word in (*site.before, site.last):
            at = float("inf") if word.at is None else word.at
            lines.append((at, site.client_id, _ended(word, receipt.ended_at)))
        if site.bound is Bound.LEASE and site.until is not None:
            is_over = site.until <= centre.services.clock.now()
            words = "was over: it admitted nobody any more" if is_over else "runs out: it admits nobody after that"
            lines.append((site.until, site.client_id, f"its lease {words}"))
    for act in receipt.by_hand:
        what = "gave up" if act.given_up else "had told again:"
        lines.append((act.at, act.actor, f"{what} {act.client_id or 'every site'}"))
    lines.sort(key=lambda line: line[0])
    return [(when(int(at)) if at != float("inf") else "-", who, what) for at, who, what in lines]
