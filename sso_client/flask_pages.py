"""The routes that the Flask adapter mounts: login, callback, logout, backchannel-logout, me.

Each view reads its parameters, calls the client, answers. `flask.SSO` is handed in; nothing here outlives a request.
"""

import hmac
from typing import TYPE_CHECKING, cast
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Flask, Response, request, url_for

from sso_client import logout_pages
from sso_client.addresses import origin_of, safe_next
from sso_client.attempt import Attempt, is_restarted, superfluous
from sso_client.errors import SSOError
from sso_client.events import log
from sso_client.identifiers import hashed
from sso_client.records import Scope
from sso_client.signed_token import MAX_TOKEN

if TYPE_CHECKING:
    from sso_client.flask import SSO

# Failures that a fresh start usually mends: the ticket is gone, the person's sign-in at the centre isn't.
_RESTART = frozenset({"ticket_used", "ticket_expired", "ticket_unknown", "session_ended", "pkce_mismatch"})
_TURN_S = 20
_MAX_TURNS = 3


def build_blueprint(sso: "SSO") -> Blueprint:
    """The five routes under the adapter's own name."""
    routes = Blueprint(sso.blueprint, "sso_client.flask")
    views = _Views(sso)
    routes.add_url_rule("/login", "login", views.login, methods=["GET"])
    routes.add_url_rule("/callback", "callback", views.callback, methods=["GET"])
    routes.add_url_rule("/logout", "logout", views.logout, methods=["GET", "POST"])
    routes.add_url_rule("/backchannel-logout", "backchannel_logout", views.backchannel_logout, methods=["POST"])
    routes.add_url_rule("/me", "me", views.me, methods=["GET"])
    return routes


def exempt_from_csrf(app: Flask, blueprint: str) -> None:
    """Tell Flask-WTF, if the application uses it, that our POSTs prove themselves in another way."""
    protection = app.extensions.get("csrf")
    if protection is not None and hasattr(protection, "exempt") and not app.extensions.get(f"{blueprint} csrf exempt"):
        for name in ("logout", "backchannel_logout"):
            protection.exempt(app.view_functions[f"{blueprint}.{name}"])
        app.extensions[f"{blueprint} csrf exempt"] = True


def go(url: str, status: int = 302) -> Response:
    """A redirect that nobody keeps."""
    return Response(status=status, headers={"Location": url, "Cache-Control": "no-store"})


class _Views:
    """The views of one adapter."""

    def __init__(self, sso: "SSO") -> None:
        self._sso = sso

    def login(self) -> Response:
        """Start a sign-in, or just go on if there is nothing to do."""
        if request.method != "GET":  # Flask answers HEAD too: a link preview must not start anything
            return Response(status=405, headers={"Allow": "GET"})
        sso, client = self._sso, self._sso.client
        next_page = safe_next(request.args.get("next"))
        base = sso.settings.base_url
        if base and urlsplit(base).netloc.lower() != request.host.lower() and "moved" not in request.args:
            # The attempt's cookie must be on the host that the centre sends the browser back to. Once only: behind a
            # proxy that rewrites Host, this host never looks right.
            return go(f"{base}{sso.prefix}/login?{urlencode({'next': next_page, 'moved': '1'})}")
        if sso.live_session() is not None:
            return go(next_page)
        names = sso.cookie_names
        turns = self._turns()
        if turns >= _MAX_TURNS:
            response = sso.show_error(SSOError("login_loop", f"{turns} sign-ins in {_TURN_S} s, no session cookie"))
            self._forget(response, names.turn)
            return response
        here = url_for(f"{sso.blueprint}.callback", _external=True)
        redirect_uri = f"{base}{sso.prefix}/callback" if base else here
        url, attempt = client.login_url(next_page, redirect_uri=redirect_uri, restarted="again" in request.args)
        response = go(url)
        sealed, name = client.seal.seal_attempt(attempt), names.attempt(attempt.state)
        others = names.attempts(request.cookies)
        for old in superfluous(client.seal, others, client.now_ms(), len(name) + len(sealed)):
            self._forget(response, old)
        self._set(response, name, sealed, max_age=3600)
        if turns:
            self._set(response, names.turn, self._sealed_turns(turns), max_age=_TURN_S)
        return response

    def callback(self) -> Response:
        """The browser is back with a ticket."""
        if request.method != "GET":  # a HEAD must not spend the ticket
            return Response(status=405, headers={"Allow": "GET"})
        sso, client = self._sso, self._sso.client
        parameters = {name: request.args.getlist(name) for name in request.args}
        state = parameters.get("state", [""])[0]
        cookie_name = sso.cookie_names.attempt(state)
        attempt = client.seal.unseal_attempt(request.cookies.get(cookie_name, ""), client.now_ms())
        if attempt is None:
            return self._without_attempt(state)
        old = request.cookies.get(sso.cookie_names.session)
        try:
            sign_in = client.validate_ticket(client.read_answer(parameters, attempt), attempt)
            cookie, _ = client.open_session(sign_in, replaces=old)
        except SSOError as error:
            response = self._after_failure(error, attempt)
        else:
            response = go(attempt.next)
            self._set(response, sso.cookie_names.session, cookie)
            self._set(response, sso.cookie_names.turn, self._sealed_turns(max(0, self._turns() - 1)), max_age=_TURN_S)
        self._forget(response, cookie_name)
        return response

    def logout(self) -> Response:
        """GET asks; POST, if this very site sent it, signs out."""
        sso = self._sso
        names = sso.cookie_names
        cookie = request.cookies.get(names.session)
        if request.method != "POST":
            if sso.live_session() is None and not cookie:
                if not sso.client.tell_untold():
                    return sso.render(logout_pages.signed_out_page(sso.language, told_later=True))
                return sso.render(logout_pages.nobody_page(sso.language))
            return sso.render(logout_pages.confirm_page(sso.language, self._logout_form()))
        if not self._is_ours(cookie):
            return sso.render(logout_pages.confirm_page(sso.language, self._logout_form()), 403)
        scope = request.form.get("scope") or "browser"
        done = sso.client.sign_out(cookie, scope=cast(Scope, scope), left=request.form.get("left"))
        if done.logout_url is not None:
            response = go(done.logout_url, 303)
        elif scope == "everywhere":
            form, signed_in = self._logout_form(), done.was_signed_in
            return sso.render(logout_pages.not_everywhere_page(sso.language, form, signed_in=signed_in), 503)
        elif scope == "site" and not done.was_signed_in:
            response = sso.render(logout_pages.nobody_page(sso.language))
        elif scope == "site":
            response = sso.render(logout_pages.left_page(sso.language, self._logout_form(done.left or "")))
        else:
            told_later = not done.told and not done.reachable
            response = sso.render(logout_pages.signed_out_page(sso.language, told_later=told_later))
        if scope != "everywhere":  # there the centre asks first: who says no stays signed in
            self._forget(response, names.session)
            self._forget(response, names.turn)
        if done.left is not None:
            self._set(response, names.left, hashed(done.left))
        elif names.left in request.cookies and scope == "browser":
            self._forget(response, names.left)
        return response

    def _logout_form(self, left: str = "") -> logout_pages.LogoutForm:
        """What the buttons of our pages send, and where their links lead."""
        asked = request.values.get("next")
        back = self._sso.referring_page() if asked is None and request.method == "GET" else safe_next(asked)
        if back.startswith(self._sso.prefix + "/"):  # a page of ours leads nowhere
            back = "/"
        return logout_pages.LogoutForm(self._sso.logout_url(), self._sso.logout_proof(), back, left)

    def backchannel_logout(self) -> Response:
        """The centre's call. No cookie, no login, no CSRF token: the signed logout token is the proof."""
        body = request.stream.read(MAX_TOKEN + 1)
        if not body and request.form:  # something before us in the application has read the form
            body = urlencode(list(request.form.items(multi=True))).encode()
        answer = self._sso.client.receive_logout(body, request.content_type or "")
        return Response(answer.body, answer.status, dict(answer.headers))

    def me(self) -> Response:
        """Who is signed in, as JSON, for pages that watch. Asking isn't activity and keeps nothing alive."""
        sso = self._sso
        session = sso.client.find_session(request.cookies.get(sso.cookie_names.session), activity=False)
        if session is None:
            sso.client.tell_untold()
            return sso.json({"signed_in": False, "login_url": f"{sso.prefix}/login"})
        user = session.user
        return sso.json(
            {
                "signed_in": True,
                "sub": user.sub,
                "username": user.username,
                "name": user.name,
                "email": user.email,
                "email_verified": user.email_verified,
                "groups": list(user.groups),
                "locale": user.locale,
                "auth_time": user.auth_time,
            }
        )

    def _without_attempt(self, state: str) -> Response:
        """A second tab, the back button, a spent or foreign state: go on if signed in, else start again, once."""
        if self._sso.live_session() is not None:
            return go("/")
        if is_restarted(state):
            raise SSOError("state_unknown")
        log.info("an answer without its sign-in (spent, too old or another browser's): starting again")
        return self._restart("/")

    def _after_failure(self, error: SSOError, attempt: Attempt) -> Response:
        if error.code in _RESTART:
            log.warning("sign-in not finished, the browser goes on: %s", error)
            if self._sso.live_session() is not None:
                return go(safe_next(attempt.next))
            if not attempt.restarted:
                return self._restart(attempt.next)
        return self._sso.show_error(error)

    def _restart(self, next_page: str) -> Response:
        return go(url_for(f"{self._sso.blueprint}.login", next=safe_next(next_page), again="1"))

    def _is_ours(self, cookie: str | None) -> bool:
        """Proof that a page of this site sent the POST: our signed field, or the browser's own word for it."""
        sent = request.form.get("logout_form", "")
        if sent and cookie:
            opened = self._sso.client.seal.unseal("logout form", sent)
            if isinstance(opened, str) and hmac.compare_digest(opened, hashed(cookie)):
                return True
        site = request.headers.get("Sec-Fetch-Site")
        if site is not None:
            return site == "same-origin"
        origin = request.headers.get("Origin", "null")
        if origin != "null":
            return origin_of(origin) == self._sso.own_origin
        # A browser that says nothing, after a sign-out of this site only: the cookie that `logout_form` is tied to is
        # gone. Anybody can have a `left` of their own, so it must be the one that this browser was given.
        left = request.form.get("left")
        return self._sso.client.is_left(left) and request.cookies.get(self._sso.cookie_names.left) == hashed(left or "")

    def _turns(self) -> int:
        """How many sign-ins in a row, within seconds, did not leave a session behind."""
        client = self._sso.client
        match client.seal.unseal("turn", request.cookies.get(self._sso.cookie_names.turn, "")):
            case [int(count), int(at_ms)] if 0 <= client.now_ms() - at_ms < _TURN_S * 1000:
                return count + 1
        return 0

    def _sealed_turns(self, count: int) -> str:
        return self._sso.client.seal.seal("turn", [count, self._sso.client.now_ms()])

    def _set(self, response: Response, name: str, value: str, max_age: int | None = None) -> None:
        secure = self._sso.cookie_names.secure
        response.set_cookie(name, value, max_age=max_age, path="/", secure=secure, httponly=True, samesite="Lax")

    def _forget(self, response: Response, name: str) -> None:
        secure = self._sso.cookie_names.secure
        response.delete_cookie(name, path="/", secure=secure, httponly=True, samesite="Lax")
