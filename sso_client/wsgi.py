"""Lockstep around any WSGI application, without a change in it: REMOTE_USER and friends, set by nobody but us.

>>> application = SSOMiddleware(old_app, protect=["/"], public=["/healthz", "/static/"])   # doctest: +SKIP
"""

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from posixpath import normpath
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from sso_client.blocking_client import SSOClient
from sso_client.clock import Clock
from sso_client.cookies import read_cookies
from sso_client.driving import drive, drive_each
from sso_client.errors import SSOError
from sso_client.hooks import OnLogin, OnLogout
from sso_client.records import Event, LocalSession, Scope
from sso_client.routes import Routes
from sso_client.settings import load_settings
from sso_client.signed_token import MAX_TOKEN
from sso_client.site import Demand, Site
from sso_client.stores import LocalStore
from sso_client.stores.opening import open_store
from sso_client.tabs import FEW
from sso_client.user import User
from sso_client.web import SetCookie, WebAnswer, WebRequest

# What applications behind a sign-on proxy read. A header with "_" in its name arrives under the same key.
_HEADERS = ("HTTP_REMOTE_USER", "HTTP_REMOTE_NAME", "HTTP_REMOTE_EMAIL", "HTTP_REMOTE_GROUPS")
_FORGEABLE = frozenset({*_HEADERS, "REMOTE_USER", "AUTH_TYPE", "sso", "sso.user"})
_FORGEABLE |= {f"HTTP_X_REMOTE_{name}" for name in ("USER", "NAME", "EMAIL", "GROUPS")}
_FORGEABLE |= {f"HTTP_X_FORWARDED_{name}" for name in ("USER", "EMAIL", "GROUPS", "PREFERRED_USERNAME")}


@dataclass(frozen=True, slots=True)
class Caller:
    """What an API asks of its callers' tokens. `scope`: all of these, spaces between; `groups`: any one of them."""

    scope: str = ""
    groups: tuple[str, ...] = ()


# What a path asks for: to be signed in, a token, or nothing.
_Rule = Demand | Caller | None


class SSOMiddleware:
    """Single sign-on around a WSGI application.

    `protect`: the paths whose visitors must be signed in, each with what lies below it; a mapping says what more they
    need (`{"/": Demand(), "/admin": Demand(groups=("staff",))}`). `public`: exceptions. `bearer`: the paths of APIs,
    each with the scope that its callers' tokens need (`{"/api": "profile"}`) or with more
    (`Caller("profile", groups=("staff",))`), where nobody is sent to sign in. Of all these the longest path decides.
    `remote_user` gives the application's own name of a person. `tab_streams` is how many threads of a process may be
    busy telling open pages that they are signed out. Options are the fields of `sso_client.Settings`. Without `store=`
    the local sessions lie in `folder`, which all workers of the host must share. Raises ValueError for a path without a
    slash or with two rules, SettingsError, SSOError `store_...`.

    The application finds REMOTE_USER, `environ["sso.user"]` (a `User`, None if nobody), `environ["sso"]` (a `Visit`),
    and the headers Remote-User, Remote-Name, Remote-Email, Remote-Groups.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        protect: Sequence[str] | Mapping[str, Demand] = ("/",),
        public: Sequence[str] = (),
        bearer: Mapping[str, str | Caller] | None = None,
        remote_user: Callable[[User], str] = lambda user: user.username,
        prefix: str = "/sso",
        folder: str | Path = "sso-data",
        local_store: LocalStore | None = None,
        clock: Clock | None = None,
        debug: bool = False,
        tab_streams: int = FEW,
        **options: Any,
    ) -> None:
        settings = load_settings(options)
        guarded = protect if isinstance(protect, Mapping) else dict.fromkeys(protect, Demand())
        called = {path: Caller(rule) if isinstance(rule, str) else rule for path, rule in (bearer or {}).items()}
        self._rules = _sorted_rules([*guarded.items(), *dict.fromkeys(public).items(), *called.items()])
        self._app = app
        self._remote_user = remote_user
        store = local_store or open_store(settings, Path(folder), clock)
        self.client = SSOClient(settings, store, clock=clock, callback_path=f"/{prefix.strip('/')}/callback")
        self._site = Site(self.client.core, prefix=prefix, is_debug=lambda: debug, streams=tab_streams)
        self._routes = Routes(self._site)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """One request: one of our routes, a refusal, or the application with its visitor's name."""
        environ = {name: value for name, value in environ.items() if name not in _FORGEABLE}
        request, begun = _read(environ), False

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            nonlocal begun
            begun = True
            return start_response(status, headers, exc_info)

        try:
            return self._answer(environ, request, start)
        except SSOError as error:
            # PEP 3333 takes an answer in place of one that has begun only with what went wrong, and no other with it.
            why = sys.exc_info() if begun else None
            shown = self._site.show_error(request, error)
            return _send(shown, request, lambda status, headers: start_response(status, headers, why))

    def _answer(self, environ: WSGIEnvironment, request: WebRequest, start_response: StartResponse) -> Iterable[bytes]:
        inside = request.path.removeprefix(self._site.prefix + "/")
        if inside != request.path and inside in self._routes.by_name:
            return _send(drive(self._routes.answer(inside, _with_body(request, environ))), request, start_response)
        # The application may read `/static/../admin` or `//admin` as another path than the one that was asked for: what
        # either of them demands holds.
        paths = dict.fromkeys((request.path, normpath(re.sub(r"[/\\]+", "/", f"/{request.path}"))))
        rules = [rule for rule in map(self._rule, paths) if rule is not None]
        if not rules:
            return self._call(start_response, environ, request, self._public_session(request))
        session, caller = None, None
        for rule in rules:
            if isinstance(rule, Caller):
                caller = drive(self._site.bearer(request, rule.scope, rule.groups)).user
                continue
            session = drive(self._site.session(request))
            refusal = drive(self._site.refusal(request, session, rule))
            if refusal is not None:
                return _send(refusal, request, start_response)
        return self._call(_private(start_response), environ, request, session, caller)

    def _rule(self, path: str) -> _Rule:
        return next((rule for at, rule in self._rules if path == at or path.startswith(at + "/")), None)

    def _public_session(self, request: WebRequest) -> LocalSession | None:
        """Whoever is signed in is named on public pages as well; those do without when nobody can tell."""
        try:
            return drive(self._site.session(request)) if self._site.cookie(request) else None
        except SSOError:
            return None

    def on_login(self, hook: OnLogin) -> OnLogin:
        """Decorator: `hook(user)` maps a person who has just signed in to the application's own user.

        What it returns (an id, or an object with `get_id`) is `environ["sso"].session.site_user` from then on. None: no
        mapping. SSOError("account_refused") keeps the person out.
        """
        self.client.hooks.on_login = hook
        return hook

    def on_logout(self, hook: OnLogout) -> OnLogout:
        """Decorator: `hook(user, reason)` is called once for each local session that ended, whoever ended it."""
        self.client.hooks.on_logout.append(hook)
        return hook

    def _call(
        self,
        start_response: StartResponse,
        environ: WSGIEnvironment,
        request: WebRequest,
        session: LocalSession | None,
        caller: User | None = None,
    ) -> Iterable[bytes]:
        """The application's answer, with its visitor's name in the environ."""
        user = caller if session is None else session.user
        visit = Visit(self._site, self.client, request, session)
        environ |= {"sso.user": user, "sso": visit}
        if user is not None:
            environ |= {"REMOTE_USER": _text(self._remote_user(user)), "AUTH_TYPE": "sso"}
            told = (self._remote_user(user), user.name, user.email or "", ",".join(user.groups))
            environ |= {name: _text(value) for name, value in zip(_HEADERS, told, strict=True)}

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            gone = [] if visit.gone is None else [("Set-Cookie", visit.gone.header())]
            return start_response(status, [*headers, *gone], exc_info)

        return self._app(environ, start)


class Visit:
    """One request, for an application that knows of us: `environ["sso"]`."""

    def __init__(self, site: Site, client: SSOClient, request: WebRequest, session: LocalSession | None) -> None:
        self._site = site
        self._client = client
        self._request = request
        self.session = session
        self.gone: SetCookie | None = None

    def login_url(self, next_page: str | None = None) -> str:
        """Where a link "sign in" leads; back to `next_page`, by default to the current page."""
        return self._site.login_url(self._request, next_page)

    def logout_url(self) -> str:
        """Where a form "sign out" posts to. Put `logout_fields()` in the form."""
        return self._site.route_url(self._request, "logout")

    def logout_fields(self, scope: Scope = "browser") -> dict[str, str]:
        """The hidden fields of that form: the proof that this site made it, and what it ends."""
        return self._site.logout_fields(self._request, scope)

    def tab_script(self) -> str:
        """A script tag for pages that shall notice when their person is signed out; such a page must not be cached."""
        return self._site.tab_script(self._request, self.session)

    def access_token(self, *, min_life_s: float = 30) -> str:
        """A valid access token of the signed-in person, for calls to APIs. Raises SSOError `login_required` ..."""
        return drive(self._site.access_token(self._request, min_life_s))

    def still_signed_in(self) -> bool:
        """For streams: whether this person may still be served. Asking is no activity."""
        return self._client.still_signed_in(self._site.cookie(self._request))

    def sign_out(self) -> None:
        """Sign the person out from a page of the application's own, everywhere in this browser; the centre is told now.

        Before the answer begins, which removes the cookie. Raises SSOError `store_...`.
        """
        self.gone = drive(self._site.sign_out(self._request))
        self.session = None

    def recent_events(self, limit: int = 50) -> list[Event]:
        """What happened last at this site, newest first."""
        return self._client.recent_events(limit)


def _sorted_rules(given: list[tuple[str, _Rule]]) -> list[tuple[str, _Rule]]:
    """The longest path first: it decides. Raises ValueError."""
    paths = [path.rstrip("/") for path, _ in given]
    if wrong := [path for path, _ in given if not path.startswith("/")]:
        raise ValueError(f"protect, public and bearer are paths that begin with a slash, not {wrong}")
    if twice := sorted({path or "/" for path in paths if paths.count(path) > 1}):
        raise ValueError(f"each path has one rule, in protect, public or bearer; {twice} have more")
    rules = [(path, rule) for path, (_, rule) in zip(paths, given, strict=True)]
    return sorted(rules, key=lambda rule: -len(rule[0]))


def _read(environ: WSGIEnvironment) -> WebRequest:
    headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
    if environ.get("CONTENT_TYPE"):
        headers["content-type"] = environ["CONTENT_TYPE"]
    # PEP 3333: paths are bytes in disguise.
    path, root = (_decoded(environ.get(name, "")) for name in ("PATH_INFO", "SCRIPT_NAME"))
    host = headers.get("host") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
    return WebRequest(
        method=environ["REQUEST_METHOD"],
        scheme=environ["wsgi.url_scheme"],
        host=host,
        path=path or "/",
        root_path=root.rstrip("/"),
        query_string=environ.get("QUERY_STRING", "").encode("latin-1"),
        headers=headers,
        cookies=read_cookies(headers.get("cookie", "")),
        remote_addr=environ.get("REMOTE_ADDR", ""),
        may_wait=bool(environ.get("wsgi.multithread")),
    )


def _with_body(request: WebRequest, environ: WSGIEnvironment) -> WebRequest:
    """Our own routes take forms of at most one token's size."""
    if request.method != "POST":
        return request
    length = environ.get("CONTENT_LENGTH") or "0"
    wanted = min(int(length), MAX_TOKEN + 1) if length.isdecimal() else 0
    return replace(request, body=environ["wsgi.input"].read(wanted))


def _decoded(text: str) -> str:
    return text.encode("latin-1").decode("utf-8", "replace")


def _text(value: str) -> str:
    """A value as an environ holds it, and in one line whatever the centre said."""
    return re.sub(r"[\x00-\x1f\x7f]+", " ", value).encode("utf-8", "replace").decode("latin-1")


def _send(
    answer: WebAnswer, request: WebRequest, start_response: Callable[[str, list[tuple[str, str]]], Any]
) -> Iterable[bytes]:
    body = answer.body.encode()
    headers = list(answer.headers.items())
    if answer.stream is None:
        headers.append(("Content-Length", str(len(body))))
    headers += [("Set-Cookie", cookie.header()) for cookie in answer.cookies]
    start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", headers)
    if request.method == "HEAD":  # servers send what they are given
        return []
    return [body] if answer.stream is None else drive_each(answer.stream)


def _private(start_response: StartResponse) -> StartResponse:
    """A guarded page belongs to one person: after signing out, neither a cache nor the back button shows it."""

    def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        if not any(name.lower() == "cache-control" for name, _ in headers):
            headers = [*headers, ("Cache-Control", "no-store")]
        return start_response(status, [*headers, ("Vary", "Cookie")], exc_info)

    return start
