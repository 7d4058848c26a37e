"""GET and POST /cas/login (CAS 3.0.3 sections 2.1 and 2.2), and the way back from the pages. `login_request` and
`next_step` decide; who signs in, signs in at the portal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import structlog
from flask import Blueprint, Response, make_response, redirect, request

from sso_server.core.service_urls import normal_form, with_ticket, without_ticket
from sso_server.core.sessions import Session
from sso_server.core.sign_in import Step, Wishes, next_step
from sso_server.fronts.cas.errors import ServiceUnknown
from sso_server.fronts.cas.login_request import LoginRequest, check, read_login
from sso_server.web import typed
from sso_server.web.cookies import session_cookie
from sso_server.web.errors import error_page
from sso_server.web.form_post import post_by_browser
from sso_server.web.responses import see_other
from sso_server.web.sealed_requests import hand_over, take_back
from sso_server.web.services import services
from sso_server.web.warned import must_ask_first

blueprint = Blueprint("cas_login", __name__)
LOGIN, CONTINUE = "/cas/login", "/cas/login/continue"
_log = structlog.get_logger("sso_server.cas")


@blueprint.route(LOGIN, methods=["GET", "POST"], strict_slashes=False)
def login() -> Response:
    """A site asks who this is, or a form of somebody's brings user name and password."""
    params = read_login(request)
    if request.method != "POST":
        return _answer(params, {})
    if not {"username", "password"} <= request.form.keys():
        # A form posted from a site comes without our SameSite=Lax cookie; the redirected GET brings it along.
        return see_other(f"{LOGIN}?{urlencode(params)}")
    return _accept(params)


@blueprint.get("/cas")
@blueprint.get("/cas/")
def begin() -> Response:
    """Where some clients lead unless they are told otherwise (flask-cas-ng): the query goes on as it is."""
    query = request.query_string.decode("ascii", "replace")
    return see_other(f"{LOGIN}?{query}" if query else LOGIN)


@blueprint.get(CONTINUE)
def go_on() -> Response:
    """Back from a page of ours. Everything is checked again: the registration may have changed meanwhile."""
    return _answer(*take_back(request, CONTINUE))


def _answer(params: Mapping[str, str], sealed: Mapping[str, Any]) -> Response:
    here = services()
    asked = check(params, find_by_service=here.clients.find_by_service, all_clients=here.clients.all)
    now, session = here.clock.now(), here.sign_in.find_session(session_cookie(request))
    asked_at = typed.asked_at(sealed, session, now)
    step = next_step(session, Wishes(asked_at, asked.prompt), now)
    if step is Step.REFUSE:
        # Section 2.1.1, gateway: the service finds no ticket and knows that nobody is signed in.
        return see_other(without_ticket(asked.service))
    if session is None or step is Step.ASK:
        return see_other(_page_of_ours("/sign-in", params, asked, asked_at))
    if asked.client is None:
        return see_other("/")
    if must_ask_first(request, session, asked_at, sealed, now):
        return see_other(_page_of_ours("/go-on", params, asked, asked_at))
    return _with_ticket(asked, session, is_fresh=session.auth_time >= asked_at)


def _accept(params: Mapping[str, str]) -> Response:
    """To the one place where passwords are checked, with the form as it was posted.

    307 keeps the form together, and this is the only one: it leads to our own sign-in page, never to a service, and
    there the form's token, the counting of guesses and the person's answer are what they are for our own form.
    """
    here = services()
    asked = check(params, find_by_service=here.clients.find_by_service, all_clients=here.clients.all)
    response = redirect(_page_of_ours("/sign-in", params, asked, here.clock.now()), 307)
    return make_response(response)


def _page_of_ours(path: str, params: Mapping[str, str], asked: LoginRequest, asked_at: int) -> str:
    client_id = asked.client.client_id if asked.client else ""
    return f"{path}?{urlencode({'request': hand_over(CONTINUE, params, client_id, asked_at)})}"


def _with_ticket(asked: LoginRequest, session: Session, *, is_fresh: bool) -> Response:
    assert asked.client is not None  # noqa: S101  (its caller has looked)
    ticket = services().service_tickets.issue(session, asked.client, service=normal_form(asked.service), fresh=is_fresh)
    _log.info("ticket_issued", client_id=asked.client.client_id, sid=session.sid)
    if not asked.by_post:
        # Section 2.2.4: a GET, so that what was typed is not posted on.
        return see_other(with_ticket(asked.service, ticket))
    return post_by_browser(without_ticket(asked.service), {"ticket": ticket}, asked.client.name)


@blueprint.errorhandler(ServiceUnknown)
def _show_unknown(error: ServiceUnknown) -> Response:
    # Outside loopback the registrations are nobody's business but the log's.
    return error_page(error, **({"mismatch": error.mismatch} if services().site.is_loopback else {}))
