"""`sso session`: who is signed in where, the map of one session, and ending sessions."""

from __future__ import annotations

import click

from sso_server.cli.arguments import confirm
from sso_server.cli.centre import Centre, open_centre
from sso_server.cli.output import json_option, print_fields, print_json, print_table, when
from sso_server.cli.session_view import SITE_HEADINGS, session_json, site_rows, sites_json
from sso_server.core import identifiers
from sso_server.core.errors import InvalidRequest, Refused
from sso_server.core.sessions import EndReason, Session


@click.group("session")
def sessions() -> None:
    """Sessions: one browser, one person."""


@sessions.command("list")
@click.option("--user", "username", help="Only sessions of this person.")
@click.option("--client", "client_id", default="", help="Only sessions that opened this site.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="At most so many.")
@json_option
def list_sessions(username: str | None, client_id: str, limit: int, as_json: bool) -> None:
    """List live sessions."""
    with open_centre() as centre:
        user_id = centre.services.accounts.get(username).user_id if username else ""
        if client_id:
            centre.get_client(client_id)
        now = centre.services.clock.now()
        found = centre.services.lists.list_live(now, limit, user_id=user_id, client_id=client_id)
        if as_json:
            print_json([session_json(session, centre) for session in found])
            return
        rows = [
            (
                session.sid,
                centre.username(session.user_id),
                when(session.created_at),
                when(session.last_active_at),
                " ".join(dict.fromkeys(p.client_id for p in centre.services.lists.participants(session.sid))) or "-",
            )
            for session in found
        ]
    print_table(("SESSION", "USER", "SINCE", "LAST ACTIVE", "SITES"), rows, "Nobody is signed in.")
    if len(found) == limit:
        click.echo(f"There may be more than {limit}: see --limit.")


@sessions.command("show")
@click.argument("sid", required=False)
@click.option("--ticket", help="The session of this authorization code or CAS ticket.")
@click.option("--token", help="The session of this access or refresh token.")
@json_option
def show_session(sid: str | None, ticket: str | None, token: str | None, as_json: bool) -> None:
    """Show the map of a session, live or ended.

    Its sites, the address where each is called, and how the calls went.
    """
    if sum(given is not None for given in (sid, ticket, token)) != 1:
        raise click.UsageError("Give one of: SID, --ticket, --token.")
    with open_centre() as centre:
        session = centre.get_session(_sid_of(centre, sid, ticket, token))
        if as_json:
            print_json(session_json(session, centre) | {"sites": sites_json(session, centre)})
            return
        _print_session(session, centre)
        click.echo()
        print_table(SITE_HEADINGS, site_rows(session, centre), "It opened no site.")


@sessions.command("end")
@click.argument("sid", required=False)
@click.option("--user", "username", help="Every session of this person.")
@click.option("--client", "client_id", help="Every session that opened this site.")
@click.option("--all", "everything", is_flag=True, help="Every session there is.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@json_option
def end_session(
    sid: str | None, username: str | None, client_id: str | None, everything: bool, yes: bool, as_json: bool
) -> None:
    """End sessions; every site of theirs is told."""
    if sum((sid is not None, username is not None, client_id is not None, everything)) != 1:
        raise click.UsageError("Give one of: SID, --user, --client, --all.")
    with open_centre() as centre:
        if sid is not None:
            centre.get_session(sid)
            ended = centre.services.sign_out.end(sid, EndReason.ADMINISTRATOR, actor="cli")
            count = 1 if ended is not None and ended.first else 0
        elif username is not None:
            count = centre.end_person(username)
        elif client_id is not None:
            centre.get_client(client_id)
            count = centre.end_many(EndReason.ADMINISTRATOR, client_id=client_id)
        else:
            confirm(f"Sign everybody out ({centre.count_live()} sessions)?", yes)
            count = centre.end_many(EndReason.ADMINISTRATOR)
    if as_json:
        print_json({"sessions_ended": count})
    elif sid is not None:
        click.echo(f"{sid} has ended." if count else f"{sid} had ended already.")
    else:
        click.echo(f"Sessions ended: {count}.")


def _sid_of(centre: Centre, sid: str | None, ticket: str | None, token: str | None) -> str:
    """The session that a ticket or token belongs to. Raises InvalidRequest, Refused."""
    if ticket is not None:
        if not identifiers.is_kind(ticket, identifiers.CODE) and not identifiers.is_ticket(ticket):
            raise InvalidRequest("That is not one of our authorization codes or tickets.")
        found = centre.ticket_store.find(identifiers.digest(ticket), identifiers.bucket_of(ticket))
        if found is None:
            raise Refused("No such ticket: it was never issued, or it ended more than ten minutes ago.")
        return found.sid
    if token is not None:
        known = centre.services.tokens.find(token)
        if known is None:
            raise Refused("No such token: it was never issued, has expired, was revoked, or its session has ended.")
        return known.grant.sid
    return sid or ""


def _print_session(session: Session, centre: Centre) -> None:
    answer = session_json(session, centre)
    end = f"{when(session.ended_at)} ({session.end_reason})" if session.ended_at is not None else ""
    print_fields(
        [
            ("session", session.sid),
            ("user", answer["username"]),
            ("state", answer["state"]),
            ("signed in", f"{when(session.auth_time)} ({', '.join(session.amr)})"),
            ("last active", when(session.last_active_at)),
            ("ended", end),
            ("ends by", "" if end else when(session.due_at)),
            ("from", session.address),
            ("browser", session.user_agent),
        ]
    )
