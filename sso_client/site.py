"""A web site under single sign-on, whatever its framework: whose request it is, who may go on, what is shown instead.

The mounted routes are `routes`; an adapter translates requests and answers and has no rules of its own.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sso_client import pages
from sso_client.addresses import MAX_NEXT, is_loopback, origin_of, safe_next
from sso_client.bearer import Bearer
from sso_client.client import AsyncSSOClient
from sso_client.cookies import CookieNames, cookie_names
from sso_client.errors import LeaseExpired, SSOError
from sso_client.events import log
from sso_client.identifiers import hashed
from sso_client.records import LocalSession, Scope
from sso_client.signed_token import LEEWAY_S
from sso_client.stores import MAX_PAGE
from sso_client.tabs import FEW, Tabs, script_tag
from sso_client.user import User
from sso_client.web import SetCookie, WebAnswer, WebRequest, as_query, redirect

_TELL_HTTPS = ("x-forwarded-proto", "x-forwarded-scheme", "x-url-scheme", "x-forwarded-ssl", "front-end-https")
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-proto", "x-real-ip", "via")


@dataclass(frozen=True, slots=True)
class Demand:
    """What a page asks of its visitor beyond being signed in.

    `groups`: any one of them. `max_age_s`: something was typed at most so long ago. `acr`: any one of these ways of
    signing in. One name may be written as it is.
    """

    groups: tuple[str, ...] = ()
    max_age_s: int | None = None
    acr: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "groups", names(self.groups))
        object.__setattr__(self, "acr", names(self.acr))

    def is_strong_enough(self, user: User, now_s: float, leeway_s: int = 0) -> bool:
        """True if signing in once more would not be asked for. `leeway_s`: how far two clocks may be apart."""
        fresh = self.max_age_s is None or user.is_fresh(self.max_age_s + leeway_s, now_s)
        return fresh and (not self.acr or user.acr in self.acr)


class Site:
    """One site. `prefix` is where the routes are mounted, below the application's own root."""

    def __init__(
        self,
        client: AsyncSSOClient,
        *,
        prefix: str = "/sso",
        is_debug: Callable[[], bool] = lambda: False,
        streams: int = FEW,
    ) -> None:
        self.client = client
        self.tabs = Tabs(client, streams)
        self.settings = client.settings
        self.prefix = "/" + prefix.strip("/")
        client.callback_path = f"{self.prefix}/callback"
        self._is_debug = is_debug

    # ---------------------------------------------------------------- addresses

    def own_origin(self, request: WebRequest) -> str:
        """`scheme://host[:port]` under which people see this site."""
        return origin_of(self.settings.base_url or request.origin) or request.origin

    def cookie_names(self, request: WebRequest) -> CookieNames:
        """The names of our cookies here. Raises SSOError `cookie_insecure`, `proxy_headers_missing`."""
        if self.settings.base_url is None and request.scheme == "http" and says_https(request):
            raise SSOError("proxy_headers_missing", f"{f'http://{request.host}'!r:.200}, and yet it is https")
        return cookie_names(self.settings.client_id, self.own_origin(request))

    def route_url(self, request: WebRequest, name: str, query: Mapping[str, str] | None = None) -> str:
        """The path of one of our routes, with a query."""
        path = f"{request.root_path}{self.prefix}/{name}"
        return f"{path}?{as_query(query)}" if query else path

    def login_url(self, request: WebRequest, next_page: str | None = None, demand: Demand | None = None) -> str:
        """Where a link "sign in" leads; back to `next_page`, by default to the current page."""
        query = {"next": next_page or request.page}
        if demand is not None and demand.max_age_s is not None:
            query["max_age"] = str(demand.max_age_s)
        if demand is not None and demand.acr:
            query["acr"] = " ".join(demand.acr)
        return self.route_url(request, "login", query)

    def tab_script(self, request: WebRequest, session: LocalSession | None) -> str:
        """The tag, as HTML, by which a page watches over the session that it was made for."""
        return script_tag(self.route_url(request, "tab.js"), session)

    def logout_proof(self, request: WebRequest) -> str:
        """A token tied to this browser's local session; nobody else's form can carry it."""
        return self.client.seal.seal("logout form", hashed(self.cookie(request) or ""))

    def logout_fields(self, request: WebRequest, scope: Scope = "browser") -> dict[str, str]:
        """The hidden fields of a form that posts to the route `logout`."""
        return {"logout_form": self.logout_proof(request), "scope": scope}

    def referring_page(self, request: WebRequest) -> str:
        """The page of this site that sent the request, else the start page."""
        referrer = request.headers.get("referer", "")
        is_ours = origin_of(referrer) == origin_of(request.origin) and referrer.count("/") > 2
        return safe_next("/" + referrer.split("/", 3)[-1]) if is_ours else "/"

    # ---------------------------------------------------------------- whose request it is

    def cookie(self, request: WebRequest) -> str | None:
        """The value of the session cookie."""
        return request.cookies.get(self.cookie_names(request).session) or None

    async def session(self, request: WebRequest, *, activity: bool = True) -> LocalSession | None:
        """The local session of a request. Raises LeaseExpired (a 503 page) when nobody can confirm it."""
        cookie = self.cookie(request)
        return await self.client.find_session(cookie, activity=activity) if cookie else None

    async def live_session(self, request: WebRequest) -> LocalSession | None:
        """As `session`, but None when the centre can't confirm it: for pages that can do without."""
        try:
            return await self.session(request)
        except LeaseExpired:
            return None

    # ---------------------------------------------------------------- who may go on

    async def refusal(
        self, request: WebRequest, session: LocalSession | None, demand: Demand | None = None
    ) -> WebAnswer | None:
        """What to answer instead of a guarded page; None if its visitor may go on.

        Raises SSOError `group_required`, which `show_error` makes a page of.
        """
        demand = demand or Demand()
        if session is None:
            return await self.ask_to_sign_in(request, demand)
        user = session.user
        if demand.groups and not any(user.has_group(group) for group in demand.groups):
            raise SSOError("group_required", f"one of {list(demand.groups)}")
        # As lenient as the check of the ID token, or a person could be sent to sign in for ever.
        if not demand.is_strong_enough(user, self.client.now_ms() / 1000, LEEWAY_S):
            return await self.ask_to_sign_in(request, demand, is_signed_in=True)
        return None

    async def ask_to_sign_in(
        self, request: WebRequest, demand: Demand | None = None, *, is_signed_in: bool = False
    ) -> WebAnswer:
        """A redirect for browsers, JSON for programs, a page where something was sent: no redirect may lose that.

        `is_signed_in`: not as `demand` wants it.
        """
        await self.client.tell_untold()
        if self.wants_json(request):
            login_url = self.own_origin(request) + self.login_url(request, self.referring_page(request), demand)
            return self.json({"error": "login_required", "login_url": login_url, **_named(demand)}, 401)
        if request.method not in ("GET", "HEAD"):
            # A redirect would drop what was sent, or worse: send it again after signing in.
            login_url = self.login_url(request, self.referring_page(request), demand)
            shown = pages.sign_in_page(self.language(request), login_url, is_signed_in=is_signed_in)
            return self.page(shown, 401)
        return redirect(self.login_url(request, await self.fitting_next(request, request.page), demand))

    async def bearer(self, request: WebRequest, scope: str | Sequence[str] = (), groups: Sequence[str] = ()) -> Bearer:
        """Who calls an API, by the access token in the Authorization header. Nobody is ever sent to a page.

        Raises SSOError `bearer_...`, LeaseExpired; `show_error` makes the answer of each.
        """
        found = await self.client.read_bearer(request.headers.get("authorization"), scope=scope)
        groups = names(groups)
        if groups and not any(found.user.has_group(group) for group in groups):
            raise SSOError("bearer_group", f"one of {list(groups)}")
        return found

    async def access_token(self, request: WebRequest, min_life_s: float = 30) -> str:
        """A valid access token of the person at this request. Raises what `AsyncSSOClient.access_token` raises."""
        return await self.client.access_token(self.cookie(request), min_life_s=min_life_s)

    async def sign_out(self, request: WebRequest) -> SetCookie | None:
        """The person signs out by a page of the site's own; what removes the cookie, None if there is none.

        Raises SSOError `store_...`.
        """
        cookie = self.cookie(request)
        if cookie is None:
            return None
        await self.client.sign_out(cookie)
        names = self.cookie_names(request)
        return SetCookie(names.session, "", names.secure, 0)

    async def fitting_next(self, request: WebRequest, page: str) -> str:
        """A page of ours as it fits into a cookie and a request line: a longer one is kept in the store meanwhile."""
        page = safe_next(page, MAX_PAGE)
        if len(page) <= MAX_NEXT:
            return page
        try:
            name = await self.client.keep_page(page)
        except SSOError as error:
            log.warning("a long page to go back to is not kept: %s", error)
            return "/"
        return self.route_url(request, "login", {"page": name})

    # ---------------------------------------------------------------- what is shown

    def json(self, value: Mapping[str, Any], status: int = 200) -> WebAnswer:
        """An answer for programs that no cache keeps."""
        headers = {"Content-Type": "application/json", "Cache-Control": "no-store", "Vary": "Cookie"}
        return WebAnswer(status, headers, json.dumps(value))

    def page(self, html: str, status: int = 200) -> WebAnswer:
        """One of our own pages with its headers."""
        return WebAnswer(status, pages.headers(self.settings.issuer_origin), html)

    def language(self, request: WebRequest) -> str:
        """`en` or `zh`."""
        return pages.language(request.headers.get("accept-language", ""))

    def show_error(self, request: WebRequest, error: SSOError) -> WebAnswer:
        """A page, or JSON for programs: the stable code and the cause; the fix only where developers look."""
        log.log(40 if error.status >= 500 else 30, "%s %s: %s", request.method, request.path, error)
        if error.code.startswith("bearer_"):  # RFC 6750 section 3: for programs, whatever they say they accept
            answer = self.json({"error": error.code, "error_description": error.cause}, error.status)
            challenge = self.client.challenge(error)
            return answer if challenge is None else answer.with_headers(WWW_Authenticate=challenge)
        if self.wants_json(request) or request.path == f"{self.prefix}/me":
            answer = self.json({"error": error.code, "error_description": error.cause}, error.status)
        else:
            again: str | None = safe_next(request.page, MAX_PAGE)  # "//host/x" is a path here, but not as a link
            if request.path == f"{self.prefix}/callback":  # its address is good for one go
                again = self.route_url(request, "login")
            elif error.code == "group_required" or request.method not in ("GET", "HEAD"):
                again = None
            shown = pages.error_page(self.language(request), error, again=again, show_fix=self._shows_fixes(request))
            answer = self.page(shown, error.status)
        if error.status == 503:
            retry_s = error.retry_after_s if isinstance(error, LeaseExpired) else 5
            return answer.with_headers(Retry_After=str(retry_s))
        return answer

    def wants_json(self, request: WebRequest) -> bool:
        """True for a program's request: it can't do anything with a page or a redirect to one."""
        headers = request.headers
        return (
            _prefers_json(headers.get("accept", ""))
            or "x-requested-with" in headers
            or "hx-request" in headers
            or headers.get("authorization", "").lower().startswith("bearer ")
            or (headers.get("sec-fetch-dest") == "empty" and headers.get("sec-fetch-mode") in ("cors", "same-origin"))
        )

    def _shows_fixes(self, request: WebRequest) -> bool:
        """True where only developers look. A visitor chooses `Host`, so that alone proves nothing."""
        if self._is_debug():
            return True
        if self.settings.base_url:
            return is_loopback(urlsplit(self.settings.base_url).netloc)
        # A proxy on this very host makes every visitor look like a neighbour.
        proxied = any(name in request.headers for name in _FORWARDED)
        return not proxied and is_loopback(request.remote_addr) and is_loopback(request.host)


def names(given: str | Sequence[str]) -> tuple[str, ...]:
    """One name or several, as a guard is written: a string is one name, not its letters, and an empty one is none."""
    return tuple(given) if not isinstance(given, str) else (given,) if given else ()


def says_https(request: WebRequest) -> bool:
    """True if a proxy before us or the browser itself says that it came over https, and nobody here believes it."""
    headers = request.headers
    if any(headers.get(name, "").partition(",")[0].strip().lower() in ("https", "on") for name in _TELL_HTTPS):
        return True
    if "proto=https" in headers.get("forwarded", "").lower().replace('"', ""):
        return True
    # A proxy that says nothing is given away by the browser: it sends Sec-Fetch-... to trustworthy addresses only
    # (W3C Fetch Metadata section 3), and its own page's address.
    if "sec-fetch-mode" in headers and not is_loopback(request.host):
        return True
    return any(origin_of(headers.get(name, "")) == f"https://{request.host.lower()}" for name in ("origin", "referer"))


def _named(demand: Demand | None) -> dict[str, Any]:
    """What a program must know to ask for the right sign-in."""
    told = {} if demand is None or demand.max_age_s is None else {"max_age": demand.max_age_s}
    return told | ({"acr": list(demand.acr)} if demand is not None and demand.acr else {})


def _prefers_json(accept: str) -> bool:
    """True if JSON is wanted more than a page (RFC 9110 section 12.5.1): on a tie, what is named beats a wildcard."""
    page, program = (0.0, False), (0.0, False)
    for item in accept[:500].split(","):
        kind, *parameters = (part.strip().lower() for part in item.split(";"))
        weight = _weight(parameters)
        if kind == "application/json":
            program = max(program, (weight, weight > 0))
        elif kind == "text/html":
            page = max(page, (weight, True))
        elif kind in ("*/*", "text/*"):
            page = max(page, (weight, False))
    return program > page


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return min(1.0, max(0.0, float(parameter[2:])))
            except ValueError:
                return 0.0
    return 1.0
