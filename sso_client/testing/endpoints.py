"""The fake provider's addresses: one short function each, in the order in which a provider must check.

The wire is the centre's: docs/endpoints.md. What is remembered is `provider`, what is said at length is `answers`,
sockets and faults are `listener`.
"""

import base64
import html
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, unquote_plus, urlencode, urlsplit

from sso_client.testing import answers
from sso_client.testing.answers import PATHS

if TYPE_CHECKING:
    from sso_client.testing.provider import Provider, Session

#: Why the centre refuses a ticket: words of `error_description` beside `invalid_grant` (docs/endpoints.md, Token).
REFUSALS = frozenset(
    {"ticket_unknown", "ticket_used", "ticket_expired", "ticket_other_client", "session_ended", "pkce_mismatch"}
)


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it came."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def parameters(self) -> dict[str, str]:
        """The first value of each parameter: of the form if something was posted, else of the query."""
        text = self.body.decode() if self.method == "POST" else self.query
        return {name: values[0] for name, values in parse_qs(text).items()}

    @property
    def bearer(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @classmethod
    def json(cls, value: dict[str, Any], status: int = 200, **headers: str) -> "Reply":
        return cls(status, {"Content-Type": "application/json", "Cache-Control": "no-store"} | headers, _json(value))

    @classmethod
    def page(cls, text: str, status: int = 200) -> "Reply":
        page = f"<!doctype html><title>fake sign-in</title>{text}"
        return cls(status, {"Content-Type": "text/html; charset=utf-8"}, page.encode())

    @classmethod
    def to(cls, url: str) -> "Reply":
        return cls(303, {"Location": url, "Cache-Control": "no-store"}, b"")


def answer(provider: "Provider", call: Call, error: str = "") -> Reply:
    """What the provider says; `error` is the protocol error that a test asked for, or empty."""
    known = _VIEWS.get(call.path)
    if known is None or call.method not in known[0]:
        return Reply.json({"error": "invalid_request"}, 404 if known is None else 405)
    _, needs_client, view = known
    if needs_client and not _is_client(provider, call):
        return Reply.json({"error": "invalid_client"}, 401, **{"WWW-Authenticate": "Basic"})
    if error and call.path == PATHS["authorize"]:
        return authorize(provider, call, error)
    if error in REFUSALS:
        return Reply.json({"error": "invalid_grant", "error_description": error}, 400)
    if error and not error.startswith("drip"):  # slow, but right
        return Reply.json({"error": error}, 400)
    return view(provider, call)


def authorize(provider: "Provider", call: Call, error: str = "", session: "Session | None" = None) -> Reply:
    """Who is there decides: a `session`, the person whom the test put before the browser, or who fills in the page."""
    asked = call.parameters
    if asked.get("client_id") != provider.client_id:
        return Reply.page("<h1>unknown client_id</h1>", 400)  # never a redirect before client and address are known
    back = asked.get("redirect_uri", "")
    if not provider.is_registered(back):
        return Reply.page(f"<h1>redirect_uri is not registered</h1><p>{html.escape(back)}", 400)

    def refuse(code: str) -> Reply:
        return Reply.to(_with_query(back, {"error": code, "state": asked.get("state", ""), "iss": provider.issuer}))

    if error:
        return refuse(error)
    if asked.get("response_type") != "code":
        return refuse("unsupported_response_type")
    if "openid" not in asked.get("scope", "").split():
        return refuse("invalid_scope")
    if asked.get("code_challenge_method") != "S256" or len(asked.get("code_challenge", "")) != 43:
        return refuse("invalid_request")
    person = asked.get("username") or provider.visitor
    if session is None and person is not None:
        session = provider.open_session(person, {"preferred_username": person, "name": person.capitalize()})
    if session is None and asked.get("prompt") == "none":
        return refuse("login_required")
    if session is None:
        hidden = "".join(
            f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
            for name, value in asked.items()
        )
        field = '<label>Who are you? <input name="username" value="alice" autofocus></label><button>Sign in</button>'
        return Reply.page(f'<form method="get" action="{PATHS["authorize"]}">{hidden}{field}</form>')
    ticket = provider.issue_ticket(f"?{urlencode(asked)}", sid=session.sid, sub=session.sub)
    return Reply.to(_with_query(back, {"code": ticket, "state": asked.get("state", ""), "iss": provider.issuer}))


def _discovery(provider: "Provider", _call: Call) -> Reply:
    return Reply.json(provider.discovery())


def _keys(provider: "Provider", _call: Call) -> Reply:
    return Reply.json(provider.keys.jwks())


def _token(provider: "Provider", call: Call) -> Reply:
    form = call.parameters
    if form.get("grant_type") == "refresh_token":
        status, value = provider.renew(form.get("refresh_token", ""))
    elif form.get("grant_type") == "authorization_code":
        status, value = provider.redeem(form)
    else:
        status, value = 400, {"error": "unsupported_grant_type"}
    return Reply.json(value, status)


def _userinfo(provider: "Provider", call: Call) -> Reply:
    token = provider.find_access(call.bearer)
    if token is None:
        return Reply.json({"error": "invalid_token"}, 401, **{"WWW-Authenticate": 'Bearer error="invalid_token"'})
    return Reply.json({"sub": token.grant.sub} | provider.profile | answers.claims_of(provider, token.grant))


def _introspect(provider: "Provider", call: Call) -> Reply:
    return Reply.json(answers.introspection(provider, call.parameters.get("token", "")))


def _revoke(provider: "Provider", call: Call) -> Reply:
    provider.revoke(call.parameters.get("token", ""))
    return Reply.json({})


def _end_session(provider: "Provider", call: Call) -> Reply:
    asked = call.parameters
    sid = provider.sid_in(asked.get("id_token_hint", ""))
    if sid is not None:
        provider.end(sid, "site_sign_out")
    after = asked.get("post_logout_redirect_uri", "")
    if provider.is_own(after):
        return Reply.to(_with_query(after, {"state": asked["state"]} if "state" in asked else {}))
    return Reply.page("<h1>Signed out</h1>")


def _check_in(provider: "Provider", call: Call) -> Reply:
    return Reply.json(provider.check_in(json.loads(call.body)))


_View = Callable[["Provider", Call], Reply]
#: address -> methods, whether the client must prove itself, what answers
_VIEWS: dict[str, tuple[tuple[str, ...], bool, _View]] = {
    PATHS["discovery"]: (("GET",), False, _discovery),
    PATHS["keys"]: (("GET",), False, _keys),
    PATHS["authorize"]: (("GET",), False, authorize),
    PATHS["token"]: (("POST",), True, _token),
    PATHS["userinfo"]: (("GET", "POST"), False, _userinfo),
    PATHS["introspect"]: (("POST",), True, _introspect),
    PATHS["revoke"]: (("POST",), True, _revoke),
    PATHS["end-session"]: (("GET", "POST"), False, _end_session),
    PATHS["check-in"]: (("POST",), True, _check_in),
}


def _is_client(provider: "Provider", call: Call) -> bool:
    """`client_secret_basic`, id and secret form-urlencoded first (RFC 6749 section 2.3.1)."""
    scheme, _, value = call.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except ValueError:
        return False
    return (unquote_plus(user), unquote_plus(password)) == (provider.client_id, provider.client_secret)


def _with_query(url: str, more: dict[str, str]) -> str:
    parts = urlsplit(url)
    return parts._replace(query=urlencode([*parse_qsl(parts.query), *more.items()])).geturl()


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode()
