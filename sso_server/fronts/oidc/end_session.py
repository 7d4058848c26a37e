"""GET and POST /end-session (OpenID Connect RP-Initiated Logout 1.0): a site sends the browser here to sign out.

Ends at once only the cookie's session, and only when an ID token of ours names it. Otherwise the portal asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from urllib.parse import urlencode

import structlog
from flask import Blueprint, Response, request, url_for

from sso_server.core.clients import Client
from sso_server.core.errors import InvalidRequest
from sso_server.core.records import record
from sso_server.core.sessions import EndReason, Session
from sso_server.fronts.oidc.errors import with_query
from sso_server.fronts.oidc.id_token import Hint, read_hint
from sso_server.web.cookies import clear_session_cookie, session_cookie
from sso_server.web.frames import past_frames
from sso_server.web.language import known_language
from sso_server.web.params import read_params
from sso_server.web.responses import see_other
from sso_server.web.services import services

blueprint = Blueprint("oidc_end_session", __name__)
_log = structlog.get_logger("sso_server.oidc")


@record
class EndRequest:
    """A checked request to sign out."""

    sid: str
    """What the ID token names; empty without a valid one."""
    client_id: str
    back: str
    """The registered address to return to; empty: stay on our page."""
    state: str
    language: str = ""
    """In which our page is to speak; empty: as the browser wishes."""


@blueprint.route("/end-session", methods=["GET", "POST"])
def end_session() -> Response:
    """Sign out, ask first, or say that it is done already."""
    if request.method == "POST":
        # As at /authorize: only a GET brings the cookie along. The ID token itself stays out of the address.
        sealed = services().seals.seal("end-session", asdict(check(read_params(request))))
        return see_other(url_for("oidc_end_session.end_session", request=sealed))
    posted = services().seals.open("end-session", request.args.get("request", ""), max_age_s=300)
    return _sign_out(EndRequest(**posted) if posted else check(read_params(request)))


def check(params: Mapping[str, str]) -> EndRequest:
    """What is asked, as far as it can be believed. Raises InvalidRequest when hint and client_id name different sites.

    A return address that isn't registered is dropped and logged, and the sign-out goes on: a person who wants out must
    not be kept in by a site's configuration. It is never followed (section 3).
    """
    hint = _hint(params.get("id_token_hint"))
    client_id = params.get("client_id", "")
    if hint and client_id and client_id != hint.client_id:
        raise InvalidRequest("The ID token belongs to another site than the one that asks.", detail=client_id[:80])
    client = None
    if hint or "id_token_hint" not in params:
        # A hint that isn't ours makes everything beside it doubtful.
        client = services().clients.find(hint.client_id if hint else client_id)
    back = _registered(client, params.get("post_logout_redirect_uri", ""))
    return EndRequest(
        sid=hint.sid if hint else "",
        client_id=client.client_id if client else "",
        back=back,
        state=params.get("state", "") if back else "",
        # Only a language of ours goes into an address, not what strangers wrote.
        language=known_language(params.get("ui_locales", "")),
    )


def _sign_out(asked: EndRequest) -> Response:
    session = services().sign_in.find_any_session(session_cookie(request))
    live = session is not None and session.is_live(services().clock.now())
    if session is not None and live and session.sid != asked.sid:
        # A forced sign-out by a link or a picture is an attack (ASVS 5.0, 10.6.2): without proof the person is asked.
        return see_other(_page("/sign-out", asked, request=_sealed_question(asked)))
    if session is not None and live:
        # Committed before the browser is answered: whoever arrives at the site is out (section 2).
        services().sign_out.end(session.sid, EndReason.SITE_SIGN_OUT, actor=f"client:{asked.client_id}")
        _log.info("signed_out_by_site", client_id=asked.client_id, sid=session.sid)
    response = see_other(past_frames(session.sid if session else "", _after(asked, session)))
    clear_session_cookie(response)
    return response


def _after(asked: EndRequest, session: Session | None) -> str:
    if asked.back:
        return with_query(asked.back, {"state": asked.state} if asked.state else {})
    client = services().clients.find(asked.client_id)
    shown = {
        "sid": session.sid if session else asked.sid,
        "client_id": asked.client_id,
        "back": _home(client) if client else "",
    }
    return _page("/signed-out", asked, of=services().seals.seal("signed-out", shown))


def _page(path: str, asked: EndRequest, **fields: str) -> str:
    return f"{path}?{urlencode(fields | ({'ui_locales': asked.language} if asked.language else {}))}"


def _sealed_question(asked: EndRequest) -> str:
    question = {"client_id": asked.client_id, "post_logout_redirect_uri": asked.back, "state": asked.state}
    return services().seals.seal("sign-out", question)


def _hint(token: str | None) -> Hint | None:
    return read_hint(services().signer, token, services().policy.issuer) if token else None


def _registered(client: Client | None, received: str) -> str:
    registered = client.post_logout_redirect_uris if client else ()
    if received and received not in registered:
        _log.warning(
            "post_logout_redirect_uri_dropped", received=received.partition("?")[0][:300], registered=list(registered)
        )
        return ""
    return received


def _home(client: Client) -> str:
    return client.base_url or next(iter(client.post_logout_redirect_uris), "")
