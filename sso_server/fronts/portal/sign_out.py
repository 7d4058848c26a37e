"""Sign out: a GET asks, a POST ends. Here, or on all devices; then the report, or back to the site that asked."""

from __future__ import annotations

import contextlib

from flask import Blueprint, make_response, render_template, request
from flask.typing import ResponseReturnValue

from sso_server.core.clients import Client
from sso_server.core.errors import Unavailable
from sso_server.core.notifications import POLLED
from sso_server.core.sessions import EndReason, Session
from sso_server.fronts.portal.asking import LeaveAsking, read_leave_asking
from sso_server.fronts.portal.client_face import name_of
from sso_server.fronts.portal.everywhere import other_sessions, sign_out_everywhere
from sso_server.fronts.portal.forms import PRESS_ONCE_MORE, Problem, asks_again, read_form, read_query
from sso_server.fronts.portal.people import Person, find_person, find_person_quietly
from sso_server.fronts.portal.signed_out import page_of
from sso_server.web.cookies import clear_session_cookie, session_cookie
from sso_server.web.frames import past_frames
from sso_server.web.responses import allow_form_target, see_other
from sso_server.web.services import services

blueprint = Blueprint("sign_out", __name__)


@blueprint.get("/sign-out")
def ask() -> ResponseReturnValue:
    """A link or an image must not sign anybody out: only the button does."""
    asking = read_leave_asking(read_query(request).get("request", ""))
    person = find_person()
    if person is not None:
        return _page(asking, person)
    _confirm_end()
    return see_other(_after(None, asking, 0))


def _confirm_end() -> None:
    """Somebody whose press of the button was answered with an error asks again, and is about to be told that they are
    signed out: what a Redis knows that loses it in a moment isn't enough for that. Nothing new ends here."""
    session = services().sign_in.find_any_session(session_cookie(request))
    if session is not None and session.ended_at is not None:
        services().sign_out.end(session.sid, EndReason.SIGN_OUT, actor="user")


@blueprint.post("/sign-out")
def end() -> ResponseReturnValue:
    """End this browser's session, or all of the person's; a second click shows the first one's report."""
    values = read_form(request)
    asking = read_leave_asking(values.get("request", ""))
    session = services().sign_in.find_any_session(session_cookie(request))
    now, since = services().clock.now(), 0
    if session is not None:
        # A cookie of an ended session may show how its sites took it, but ends nothing else.
        everywhere = values.get("scope") == "everywhere" and session.is_live(now)
        if everywhere:
            sign_out_everywhere(session.user_id)
            since = now
            # The order has this session, too: whatever fails here, a delivery process ends it, and nobody who is told
            # of an error is signed out behind their back.
            with contextlib.suppress(Unavailable):
                services().sign_out.end(session.sid, EndReason.SIGN_OUT_EVERYWHERE, actor="user")
        else:
            services().sign_out.end(session.sid, EndReason.SIGN_OUT, actor="user")
    response = see_other(past_frames(session.sid if session else "", _after(session, asking, since)))
    clear_session_cookie(response)
    return response


@asks_again(blueprint)
def renew() -> ResponseReturnValue:
    """The form's cookie is gone: ask again with a fresh token."""
    asking = read_leave_asking(read_form(request).get("request", ""))
    person = find_person_quietly()
    if person is None:
        return see_other(_after(None, asking, 0))
    return _page(asking, person, Problem(PRESS_ONCE_MORE), 400)


def _page(
    asking: LeaveAsking, person: Person, problem: Problem | None = None, status: int = 200
) -> ResponseReturnValue:
    if asking.back:
        allow_form_target(asking.back)
    told, untold = _sites(person.session)
    page = render_template(
        "sign_out.html",
        asking=asking,
        person=person,
        others=other_sessions(person.session),
        told=told,
        untold=untold,
        problem=problem,
    )
    return make_response(page, status)


def _sites(session: Session) -> tuple[list[str], list[Client]]:
    """The sites opened in this session: names of those that will be told, and those that can't be."""
    # Two stores of one site are one site to its visitors, and it hears if one of them does.
    hears: dict[str, bool] = {}
    for participant in services().lists.participants(session.sid):
        known = participant.logout_uri or participant.sdk_store or participant.kind == POLLED
        hears[participant.client_id] = bool(known) or hears.get(participant.client_id, False)
    clients = [(services().clients.find(client_id), heard) for client_id, heard in hears.items()]
    return [name_of(c) for c, heard in clients if c and heard], [c for c, heard in clients if c and not heard]


def _after(session: Session | None, asking: LeaveAsking, since: int) -> str:
    if asking.back:
        # RP-Initiated Logout 1.0 section 3: the registered address, after the end is committed.
        return asking.back
    client_id = asking.client.client_id if asking.client else ""
    if session is None:
        return page_of("", client_id) if client_id else "/signed-out"
    return page_of(session.sid, client_id, user_id=session.user_id if since else "", since=since)
