"""GET and POST /authorize, and the way back from the sign-in page. `authorize_request` and `next_step` decide."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import structlog
from flask import Blueprint, Response, url_for

from sso_server.core.acr import acr_of, meets
from sso_server.core.consents import Wish, wish_of
from sso_server.core.errors import InvalidRequest, Unavailable
from sso_server.core.sessions import Session
from sso_server.core.sign_in import Step, next_step
from sso_server.fronts.oidc.authorize_request import PARAMETERS, AuthorizeRequest, Received, check, unmet_acr
from sso_server.fronts.oidc.errors import (
    AuthorizationRefused,
    RedirectUriMismatch,
    ReturnAddress,
    with_fragment,
    with_query,
)
from sso_server.fronts.oidc.id_token import read_hint
from sso_server.fronts.oidc.received_request import PushedRequests, receive, used_up
from sso_server.web import browser_state, typed
from sso_server.web.agreed import has_agreed, to_agree
from sso_server.web.cookies import session_cookie
from sso_server.web.edge import this_request
from sso_server.web.errors import error_page
from sso_server.web.form_post import post_by_browser
from sso_server.web.language import known_language
from sso_server.web.params import read_params
from sso_server.web.responses import see_other
from sso_server.web.sealed_requests import hand_over, take_back
from sso_server.web.services import services
from sso_server.web.warned import must_ask_first

blueprint = Blueprint("oidc_authorize", __name__)
CONTINUE = "/authorize/continue"
#: Web servers cut browsers off at 8190; our pages add to the seal what the person did there.
_MAX_ADDRESS = 7800
#: What our pages want to know of a request that was pushed: all of it stays where it is.
_SHOWN = ("client_id", "redirect_uri", "prompt", "max_age", "login_hint")
_log = structlog.get_logger("sso_server.oidc")


@blueprint.route("/authorize", methods=["GET", "POST"])
def authorize() -> Response:
    """A site asks who this is."""
    request = this_request()
    sent = read_params(request, repeatable=("resource",))
    params = {name: value for name, value in sent.items() if name in PARAMETERS}
    if request.method == "POST":
        # A form posted from a site comes without our SameSite=Lax cookie; the redirected GET brings it along.
        return see_other(_address(url_for("oidc_authorize.authorize"), params))
    here = services()
    return _answer(receive(params, here, PushedRequests(here.slips, here.clock)), {})


@blueprint.get(CONTINUE)
def go_on() -> Response:
    """Back from the sign-in page. Everything is checked again: the registration may have changed meanwhile."""
    params, sealed = take_back(this_request(), CONTINUE)
    if sealed.get("pushed"):
        here = services()
        return _answer(PushedRequests(here.slips, here.clock).find_again(str(sealed["pushed"])), sealed)
    return _answer(Received(params, sealed.get("signed") is True), sealed)


def _answer(received: Received, sealed: Mapping[str, Any]) -> Response:
    try:
        return _decide(received, sealed)
    except AuthorizationRefused as error:
        if error.code != "temporarily_unavailable":
            # That is an answer, too: a pushed request is answered once.
            with contextlib.suppress(Unavailable):
                _take(received)
        raise


def _take(received: Received) -> bool:
    """Whether this request may be answered now: a pushed one for the first time (RFC 9126 section 7.3)."""
    if not received.pushed:
        return True
    here = services()
    return PushedRequests(here.slips, here.clock).take(received.pushed)


def _decide(received: Received, sealed: Mapping[str, Any]) -> Response:
    here, request = services(), this_request()
    asked = check(
        received,
        issuer=here.policy.issuer,
        clients=here.clients,
        find_hint=lambda token: read_hint(here.signer, token, here.policy.issuer),
        must_push=here.policy.require_pushed_requests,
    )
    if sealed and "cancel" in request.args:
        # OpenID Connect Core 1.0 section 3.1.2.6: on one of our pages the person chose not to go on.
        raise AuthorizationRefused("access_denied", "The person doesn't want to.", asked.back)
    try:
        session = here.sign_in.find_session(session_cookie(request))
        browser_state.keep(request, session)
        now = here.clock.now()
        asked_at = typed.asked_at(sealed, session, now)
        wishes = replace(asked.wishes, asked_at=asked_at, somebody_else=_is_somebody_else(asked, session))
        step = next_step(session, wishes, now)
        if session is not None and step is Step.PROCEED:
            if must_ask_first(request, session, asked_at, sealed, now):
                return _ask_first(asked, received, asked_at)
            if (wish := _unmet_wish(asked, session, sealed, now)) is not None:
                question = to_agree(wish, session, sealed, asked.back.redirect_uri)
                return _ask_consent(asked, received, asked_at, question)
            return _with_code(asked, received, session)
    except Unavailable as error:
        if "none" in asked.wishes.prompt:
            # No page may be shown; a person, though, is better served by one that works again when it is reloaded.
            raise AuthorizationRefused("temporarily_unavailable", error.description, asked.back) from error
        raise
    # Somebody else than the hint's person has just signed in: to ask again would go round in circles.
    if step is Step.REFUSE or (session is not None and session.auth_time >= asked_at):
        raise AuthorizationRefused("login_required", "Nobody is signed in who may be named without asking.", asked.back)
    return _page_of_ours("/sign-in", asked, received, asked_at)


def _is_somebody_else(asked: AuthorizeRequest, session: Session | None) -> bool:
    """Whether the site means another person than this session's, whom it knows by a `sub` of its own."""
    if session is None or not (asked.hint_sub or "sub" in asked.claims.names):
        return False
    sub = services().subjects.of(asked.client, session.user_id)
    return asked.hint_sub not in ("", sub) or not asked.claims.admits_subject(sub)


def _ask_first(asked: AuthorizeRequest, received: Received, asked_at: int) -> Response:
    if "none" in asked.wishes.prompt:
        # OpenID Connect Core 1.0 section 3.1.2.6: to go on without the page is what the person asked us not to do.
        raise AuthorizationRefused("interaction_required", "The person wants to be asked before sign-ins.", asked.back)
    return _page_of_ours("/go-on", asked, received, asked_at)


def _unmet_wish(asked: AuthorizeRequest, session: Session, sealed: Mapping[str, Any], now: int) -> Wish | None:
    """What the person has yet to agree to, if anything. Raises Unavailable."""
    wish = wish_of(asked.client, asked.scope, asked.claims.names)
    if "consent" in asked.wishes.prompt and not has_agreed(sealed, wish, session, now):
        return wish
    return wish if services().consents.is_missing(session.user_id, asked.client, wish) else None


def _ask_consent(
    asked: AuthorizeRequest, received: Received, asked_at: int, question: Mapping[str, object]
) -> Response:
    if "none" in asked.wishes.prompt:
        raise AuthorizationRefused("consent_required", "The person has not agreed to this, or not to all.", asked.back)
    return _page_of_ours("/consent", asked, received, asked_at, question)


def _page_of_ours(
    path: str, asked: AuthorizeRequest, received: Received, asked_at: int, more: Mapping[str, object] | None = None
) -> Response:
    here = services()
    params = {name: value for name, value in received.params.items() if not received.pushed or name in _SHOWN}
    if asked.wishes.max_age_s is not None:
        # The client's own default, too: our pages tell people why they are asked.
        params["max_age"] = str(asked.wishes.max_age_s)
    if received.pushed and not received.has_waited:
        PushedRequests(here.slips, here.clock).wait_for_person(received.pushed)
    came = {"signed": received.signed, "pushed": received.pushed, **(more or {})}
    sealed = hand_over(CONTINUE, params, asked.client.client_id, asked_at, came)
    # Ours alone, never the site's text: our pages keep what stands in their address.
    language = known_language(received.params.get("ui_locales", ""))
    return see_other(_address(path, {"request": sealed} | ({"ui_locales": language} if language else {})))


def _with_code(asked: AuthorizeRequest, received: Received, session: Session) -> Response:
    here, acr = services(), acr_of(session.amr, asked.acr_values)
    if not meets(acr, asked.acr_must):
        raise unmet_acr(asked.back)
    # While the request can still be answered another time: a store that is away is only a page.
    here.consents.note_use(session.user_id, asked.client, asked.scope)
    code = here.tickets.issue(
        session,
        asked.client,
        redirect_uri=asked.back.redirect_uri,
        code_challenge=asked.code_challenge,
        nonce=asked.nonce,
        scope=asked.scope,
        details=replace(asked.details, acr=acr),
    )
    # Last, so that a store that is away costs nobody the request; a code that doesn't leave is worth nothing.
    if not _take(received):
        # Two browsers, or two tabs at once: the site got its answer, and waits for no second one.
        raise used_up()
    _log.info("ticket_issued", client_id=asked.client.client_id, sid=session.sid)
    state = browser_state.session_state(this_request(), asked.client, asked.back.redirect_uri)
    return _to_site(asked.back, asked.back.fields(code=code) | state)


def _to_site(back: ReturnAddress, fields: Mapping[str, str]) -> Response:
    """As the site wants to be answered; an error, too (OAuth 2.0 Form Post Response Mode section 2)."""
    if back.by_post:
        return post_by_browser(back.redirect_uri, fields, back.site_name, is_signed_in="code" in fields)
    return see_other((with_fragment if back.by_fragment else with_query)(back.redirect_uri, fields))


def _address(path: str, fields: Mapping[str, str]) -> str:
    address = f"{path}?{urlencode(fields)}"
    if len(address) > _MAX_ADDRESS:
        # The web server would cut the browser off, without a page that says why.
        raise InvalidRequest("The request is too large.", detail=f"{path}: {len(address)} characters")
    return address


@blueprint.errorhandler(AuthorizationRefused)
def _tell_site(error: AuthorizationRefused) -> Response:
    _log.info("authorization_refused", code=error.code, description=error.description)
    return _to_site(error.back, error.fields)


@blueprint.errorhandler(RedirectUriMismatch)
def _show_mismatch(error: RedirectUriMismatch) -> Response:
    # Outside loopback the registration is nobody's business but the log's.
    return error_page(error, **({"mismatch": error.mismatch} if services().site.is_loopback else {}))
