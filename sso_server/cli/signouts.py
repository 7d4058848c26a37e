"""`sso signout`: what became of sign-outs, site by site, and an operator's word on a row: try again, or give up."""

from __future__ import annotations

from typing import Any

import click

from sso_server.cli.centre import Centre, open_centre
from sso_server.cli.output import json_option, print_json, print_table, when
from sso_server.cli.receipt_view import print_receipt, receipt_json
from sso_server.cli.session_view import sites_json
from sso_server.core.errors import Refused
from sso_server.core.reports import SiteLine, Standing, one_for_each_site
from sso_server.core.sessions import Session

_DONE = (Standing.SIGNED_OUT, Standing.OVER)


@click.group("signout")
def signouts() -> None:
    """Sign-outs: who was told, who not yet."""


@signouts.command("list")
@click.option("--unfinished", is_flag=True, help="Only those with a site that is still being told.")
@click.option("--user", "username", help="Only those of this person.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many.")
@json_option
def list_signouts(unfinished: bool, username: str | None, limit: int, as_json: bool) -> None:
    """List ended sessions, newest first, one line each."""
    with open_centre() as centre:
        user_id = centre.services.accounts.get(username).user_id if username else ""
        found = centre.services.ledger.list_ended(limit, unfinished_only=unfinished, user_id=user_id)
        lines = {s.sid: one_for_each_site(centre.services.reports.lines(s.sid)) for s in found}
        if as_json:
            print_json([_signout_json(s, lines[s.sid], centre) for s in found])
            return
        rows = [
            (s.sid, centre.username(s.user_id), when(s.ended_at), s.end_reason or "", _summary(lines[s.sid]))
            for s in found
        ]
    nothing = "Every site has been told." if unfinished else "No session has ended lately."
    print_table(("SESSION", "USER", "ENDED", "REASON", "SITES"), rows, nothing)


@signouts.command("show")
@click.argument("sid")
@json_option
def show_signout(sid: str, as_json: bool) -> None:
    """Show the receipt of one ended session.

    Who was signed in where, until when, and how it ended; for as long as the audit keeps it.
    """
    with open_centre() as centre:
        receipt = centre.receipts.find(sid)
        if receipt is None:
            session = centre.session_store.find(sid)
            if session is not None:
                raise Refused(f"{sid} has not ended: see sso session show {sid}.", code="session_live")
            kept = f"receipts are kept for {centre.settings.audit_days} days"
            raise Refused(f"There was no session {sid!r} ({kept}).", code="session_unknown")
        if as_json:
            rows = sites_json(centre.get_session(sid), centre) if receipt.in_ledger else []
            print_json(receipt_json(receipt, centre) | {"notifications": rows})
            return
        print_receipt(receipt, centre)


@signouts.command("retry")
@click.argument("sid")
@click.argument("client_id", required=False, default="")
@json_option
def retry_signout(sid: str, client_id: str, as_json: bool) -> None:
    """Tell a site (or every site) of that session again, now."""
    with open_centre() as centre:
        centre.get_session(sid)
        if client_id and client_id not in {row.client_id for row in centre.services.ledger.of_session(sid)}:
            raise Refused(f"There is nothing of {client_id!r} in this sign-out.", code="client_unknown")
        count = centre.services.interventions.retry(sid, client_id, actor="cli")
    if as_json:
        print_json({"sid": sid, "client_id": client_id or None, "retried": count})
    else:
        click.echo(f"Being told again now: {count}." if count else "Nothing to tell again now.")


@signouts.command("abandon")
@click.argument("sid")
@click.argument("client_id")
@json_option
def abandon_signout(sid: str, client_id: str, as_json: bool) -> None:
    """Stop trying to tell a site; the ledger keeps that it was given up by hand."""
    with open_centre() as centre:
        centre.get_session(sid)
        count = centre.services.interventions.abandon(sid, client_id, actor="cli")
        if not count:
            raise Refused(f"Nothing is being tried for {client_id!r} in this session.", code="nothing_pending")
    if as_json:
        print_json({"sid": sid, "client_id": client_id, "abandoned": count})
    else:
        click.echo(f"Given up: {count}. A site with the SDK still hears of it at its next check-in.")


def _signout_json(session: Session, lines: list[SiteLine], centre: Centre) -> dict[str, Any]:
    return {
        "sid": session.sid,
        "user_id": session.user_id,
        "username": centre.username(session.user_id),
        "ended_at": session.ended_at,
        "reason": session.end_reason,
        "sites": [{"client_id": line.client_id, "standing": line.standing.value} for line in lines],
    }


def _summary(lines: list[SiteLine]) -> str:
    """`2 of 2 signed out`, `1 of 3 signed out, 2 trying`."""
    if not lines:
        return "no sites"
    done = sum(line.standing in _DONE for line in lines)
    others = {
        "safe": sum(line.standing is Standing.SAFE for line in lines),
        "trying": sum(line.standing in (Standing.TRYING, Standing.TRYING_NO_BOUND) for line in lines),
        "not told": sum(line.standing is Standing.NOT_TOLD for line in lines),
    }
    return ", ".join(
        [f"{done} of {len(lines)} signed out", *(f"{count} {word}" for word, count in others.items() if count)]
    )
