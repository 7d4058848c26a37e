"""The routes that every adapter mounts: login, callback, logout, backchannel-logout, me. Framework-free.

Each reads its parameters, calls the client, answers. What is shown and who may go on is `site`'s.
"""

import hmac
from collections.abc import Awaitable, Callable
from typing import cast
from urllib.parse import urlsplit

from sso_client import logout_pages
from sso_client.addresses import MAX_NEXT, origin_of, safe_next
from sso_client.attempt import Attempt, is_restarted, superfluous
from sso_client.cookies import CookieNames
from sso_client.errors import SSOError
from sso_client.events import log
from sso_client.identifiers import hashed
from sso_client.records import Scope
from sso_client.site import Demand, Site, says_https
from sso_client.stores import MAX_PAGE
from sso_client.tabs import script_answer
from sso_client.web import SetCookie, WebAnswer, WebRequest, as_query, redirect

# Failures that a fresh start usually mends: the ticket is gone, the person's sign-in at the centre isn't.
_RESTART = frozenset({"ticket_used", "ticket_expired", "ticket_unknown", "session_ended", "pkce_mismatch"})
_TURN_S = 20
_MAX_TURNS = 3
_MAX_AGE_S = 366 * 86_400

Route = Callable[[WebRequest], Awaitable[WebAnswer]]


class Routes:
    """The routes of one site, by name and method."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._client = site.client
        self.by_name: dict[str, dict[str, Route]] = {
            # No HEAD: a link preview must not start a sign-in, nor spend a ticket.
            "login": {"GET": self.login},
            "callback": {"GET": self.callback},
            "logout": {"GET": self.ask_logout, "HEAD": self.ask_logout, "POST": self.logout},
            "backchannel-logout": {"POST": self.backchannel_logout},
            "me": {"GET": self.me, "HEAD": self.me},
            "tab.js": {"GET": self.tab_script, "HEAD": self.tab_script},
            "events": {"GET": self.events},
        }
        if site.settings.cas_url is not None:
            # Other CAS servers post to the very service that they gave the ticket for (CAS 3.0.3 section 2.3.3).
            self.by_name["callback"]["POST"] = self.backchannel_logout

    async def answer(self, name: str, request: WebRequest) -> WebAnswer:
        """The answer of one route, errors made into pages."""
        methods = self.by_name[name]
        route = methods.get(request.method)
        if route is None:
            return WebAnswer(405, {"Allow": ", ".join(methods), "Cache-Control": "no-store"})
        try:
            return await route(request)
        except SSOError as error:
            return self._site.show_error(request, error)

    async def login(self, request: WebRequest) -> WebAnswer:
        """Start a sign-in, or just go on if there is nothing to do."""
        site, client = self._site, self._client
        demand = _demand(request)
        next_page = await self._next_page(request)
        base = site.settings.base_url
        if base and urlsplit(base).netloc.lower() != request.host.lower() and "moved" not in request.query:
            # The attempt's cookie must be on the host that the centre sends the browser back to. Once only: behind a
            # proxy that rewrites Host, this host never looks right.
            query = {"next": next_page, "moved": "1"} | _as_query(demand)
            return redirect(f"{base}{site.prefix}/login?{as_query(query)}")
        session = await site.live_session(request)
        # Without leeway: whoever sent the person here, perhaps a stricter guard of the site's own, has seen too little.
        if session is not None and demand.is_strong_enough(session.user, client.now_ms() / 1000):
            return redirect(next_page)
        names = site.cookie_names(request)
        # Who is signed in and comes for a stronger sign-in, perhaps with several tabs, is in no loop.
        turns = self._turns(request, names) if session is None else 0
        if turns >= _MAX_TURNS:
            looping = SSOError("login_loop", f"{turns} sign-ins in {_TURN_S} s, no session cookie")
            return site.show_error(request, looping).with_cookies(_gone(names, names.turn))
        redirect_uri = f"{base}{site.prefix}/callback" if base else request.origin + site.route_url(request, "callback")
        url, attempt = await client.login_url(
            next_page,
            redirect_uri=redirect_uri,
            restarted="again" in request.query,
            max_age_s=demand.max_age_s,
            acr=demand.acr,
        )
        sealed, name = client.seal.seal_attempt(attempt), names.attempt(attempt.state)
        others = names.attempts(request.cookies)
        old = superfluous(client.seal, others, client.now_ms(), len(name) + len(sealed))
        answer = redirect(url).with_cookies(*(_gone(names, each) for each in old))
        answer = answer.with_cookies(SetCookie(name, sealed, names.secure, 3600))
        return answer.with_cookies(self._turn(names, turns)) if turns else answer

    async def callback(self, request: WebRequest) -> WebAnswer:
        """The browser is back with a ticket."""
        site, client = self._site, self._client
        names = site.cookie_names(request)
        state = request.argument("state") or ""
        cookie_name = names.attempt(state)
        attempt = client.seal.unseal_attempt(request.cookies.get(cookie_name, ""), client.now_ms())
        if attempt is None:
            return await self._without_attempt(request, names, state)
        try:
            ticket = await client.read_answer(request.query, attempt)
            sign_in = await client.validate_ticket(ticket, attempt)
            cookie, _ = await client.open_session(sign_in, replaces=request.cookies.get(names.session))
        except SSOError as error:
            answer = await self._after_failure(request, error, attempt)
        else:
            answer = redirect(attempt.next).with_cookies(
                SetCookie(names.session, cookie, names.secure),
                self._turn(names, max(0, self._turns(request, names) - 1)),
            )
        return answer.with_cookies(_gone(names, cookie_name))

    async def ask_logout(self, request: WebRequest) -> WebAnswer:
        """GET asks what to sign out of."""
        site = self._site
        if request.argument("after") == "1" and not site.cookie(request):  # back from a CAS server's sign-out
            return redirect(request.root_path + "/")
        if not site.cookie(request) and await site.live_session(request) is None:
            if not await self._client.tell_untold():
                return site.page(logout_pages.signed_out_page(site.language(request), told_later=True))
            return site.page(logout_pages.nobody_page(site.language(request)))
        return site.page(logout_pages.confirm_page(site.language(request), self._logout_form(request)))

    async def logout(self, request: WebRequest) -> WebAnswer:
        """POST, if this very site sent it, signs out."""
        site, names = self._site, self._site.cookie_names(request)
        cookie, lang = site.cookie(request), site.language(request)
        if not self._is_ours(request, names, cookie):
            return site.page(logout_pages.confirm_page(lang, self._logout_form(request)), 403)
        form = request.form
        scope, left = _first(form.get("scope")) or "browser", _first(form.get("left"))
        done = await self._client.sign_out(cookie, scope=cast(Scope, scope), left=left)
        if done.logout_url is not None:
            answer = redirect(done.logout_url, 303)
        elif scope == "everywhere":
            shown = logout_pages.not_everywhere_page(lang, self._logout_form(request), signed_in=done.was_signed_in)
            return site.page(shown, 503)
        elif scope == "site" and not done.was_signed_in:
            answer = site.page(logout_pages.nobody_page(lang))
        elif scope == "site":
            answer = site.page(logout_pages.left_page(lang, self._logout_form(request, done.left or "")))
        else:
            told_later = not done.told and not done.reachable
            answer = site.page(logout_pages.signed_out_page(lang, told_later=told_later))
        if scope != "everywhere":  # there the centre asks first: who says no stays signed in
            answer = answer.with_cookies(_gone(names, names.session), _gone(names, names.turn))
        if done.left is not None:
            answer = answer.with_cookies(SetCookie(names.left, hashed(done.left), names.secure))
        elif names.left in request.cookies and scope == "browser":
            answer = answer.with_cookies(_gone(names, names.left))
        return answer

    async def backchannel_logout(self, request: WebRequest) -> WebAnswer:
        """The centre's call. No cookie, no login, no CSRF token: the signed token is the proof, or the ticket."""
        done = await self._client.receive_logout(request.body, request.headers.get("content-type", ""))
        return WebAnswer(done.status, done.headers, done.body)

    async def me(self, request: WebRequest) -> WebAnswer:
        """Who is signed in, as JSON, for pages that watch. Asking isn't activity and keeps nothing alive."""
        site = self._site
        session = await site.session(request, activity=False)
        if session is None:
            await self._client.tell_untold()
            return site.json({"signed_in": False, "login_url": site.route_url(request, "login")})
        user = session.user
        return site.json(
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

    async def tab_script(self, request: WebRequest) -> WebAnswer:
        """The script of open pages: the same for everybody."""
        return script_answer(request)

    async def events(self, request: WebRequest) -> WebAnswer:
        """The stream that tells an open page of its end. Asking isn't activity and keeps nothing alive."""
        return self._site.tabs.answer(request, self._site.cookie(request))

    async def _next_page(self, request: WebRequest) -> str:
        """Where to go afterwards: as given, or kept in the store because it is long."""
        name = request.argument("page")
        if name is not None:
            return safe_next(await self._client.kept_page(name[:100]), MAX_PAGE)
        given = safe_next(request.argument("next"), MAX_PAGE)
        session = await self._site.live_session(request) if len(given) > MAX_NEXT else None
        return given if session else await self._site.fitting_next(request, given)

    async def _without_attempt(self, request: WebRequest, names: CookieNames, state: str) -> WebAnswer:
        """A second tab, the back button, a spent or foreign state: go on if signed in, else start again, once."""
        if await self._site.live_session(request) is not None:
            return redirect(request.root_path + "/")
        if is_restarted(state):
            why = self._why_no_cookie(request, names)
            raise SSOError("cookie_missing", why) if why else SSOError("state_unknown")
        log.info("an answer without its sign-in (spent, too old or another browser's): starting again")
        return self._restart(request, request.root_path + "/")

    def _why_no_cookie(self, request: WebRequest, names: CookieNames) -> str:
        """Why a browser comes back twice without the cookie that it was given a moment ago; empty if it has others."""
        base = self._site.settings.base_url
        if names.secure and request.scheme == "http" and not says_https(request):
            return f"the cookie is Secure, and this request came over plain http to {request.host!r:.200}"
        if base and urlsplit(base).netloc.lower() != request.host.lower():
            return f"the cookie was set at {urlsplit(base).netloc}, and this request came to {request.host!r:.200}"
        if request.headers.get("sec-fetch-dest") in ("iframe", "frame", "embed", "object", "fencedframe"):
            return "the cookie is SameSite=Lax, and this request came from a frame of another site's page"
        if not request.cookies:
            return "the browser sends no cookie at all: switched off, or SameSite=Lax kept it back"
        return "" if names.attempts(request.cookies) else "the browser sends other cookies, but none of a sign-in"

    async def _after_failure(self, request: WebRequest, error: SSOError, attempt: Attempt) -> WebAnswer:
        if error.code in _RESTART:
            log.warning("sign-in not finished, the browser goes on: %s", error)
            if await self._site.live_session(request) is not None:
                return redirect(safe_next(attempt.next))
            if not attempt.restarted:
                return self._restart(request, attempt.next)
        return self._site.show_error(request, error)

    def _restart(self, request: WebRequest, next_page: str) -> WebAnswer:
        return redirect(self._site.route_url(request, "login", {"next": safe_next(next_page), "again": "1"}))

    def _logout_form(self, request: WebRequest, left: str = "") -> logout_pages.LogoutForm:
        """What the buttons of our pages send, and where their links lead."""
        site = self._site
        asked = request.argument("next") or _first(request.form.get("next"))
        back = site.referring_page(request) if asked is None and request.method == "GET" else safe_next(asked)
        if back.startswith(site.route_url(request, "")):  # a page of ours leads nowhere
            back = "/"
        return logout_pages.LogoutForm(site.route_url(request, "logout"), site.logout_proof(request), back, left)

    def _is_ours(self, request: WebRequest, names: CookieNames, cookie: str | None) -> bool:
        """Proof that a page of this site sent the POST: our signed field, or the browser's own word for it."""
        form = request.form
        sent = _first(form.get("logout_form"))
        if sent and cookie:
            opened = self._client.seal.unseal("logout form", sent)
            if isinstance(opened, str) and hmac.compare_digest(opened, hashed(cookie)):
                return True
        site = request.headers.get("sec-fetch-site")
        if site is not None:
            return site == "same-origin"
        origin = request.headers.get("origin", "null")
        if origin != "null":
            return origin_of(origin) == self._site.own_origin(request)
        # A browser that says nothing, after a sign-out of this site only: the cookie that `logout_form` is tied to is
        # gone. Anybody can have a `left` of their own, so it must be the one that this browser was given.
        left = _first(form.get("left"))
        return self._client.is_left(left) and request.cookies.get(names.left) == hashed(left or "")

    def _turns(self, request: WebRequest, names: CookieNames) -> int:
        """How many sign-ins in a row, within seconds, did not leave a session behind."""
        match self._client.seal.unseal("turn", request.cookies.get(names.turn, "")):
            case [int(count), int(at_ms)] if 0 <= self._client.now_ms() - at_ms < _TURN_S * 1000:
                return count + 1
        return 0

    def _turn(self, names: CookieNames, count: int) -> SetCookie:
        sealed = self._client.seal.seal("turn", [count, self._client.now_ms()])
        return SetCookie(names.turn, sealed, names.secure, _TURN_S)


def _demand(request: WebRequest) -> Demand:
    """How strong a sign-in the link asks for. Anybody can write one: it can only ask for more, never for less."""
    age, acr = request.argument("max_age") or "", (request.argument("acr") or "").split()
    max_age_s = min(int(age), _MAX_AGE_S) if age.isdecimal() and len(age) < 10 else None
    return Demand(max_age_s=max_age_s, acr=tuple(acr[:5]) if sum(map(len, acr)) <= 200 else ())


def _as_query(demand: Demand) -> dict[str, str]:
    query = {} if demand.max_age_s is None else {"max_age": str(demand.max_age_s)}
    return query | ({"acr": " ".join(demand.acr)} if demand.acr else {})


def _first(values: list[str] | None) -> str | None:
    return values[0] if values else None


def _gone(names: CookieNames, name: str) -> SetCookie:
    return SetCookie(name, "", names.secure, 0)
