"""An example around plain WSGI: an application that knows of nothing but its environ, and one line that guards it. Its
sisters on Flask, Django and FastAPI have the same pages at the same addresses.

Environment: `SSO_*` for the SDK. Run: `gunicorn -w 4 'demo_apps.wsgi_site:create_app()'`.
"""

import json
import time
from collections.abc import Iterable, Iterator
from html import escape
from wsgiref.types import StartResponse, WSGIEnvironment

from sso_client.site import Demand
from sso_client.wsgi import SSOMiddleware, Visit

TITLES = {
    "/": "For everybody",
    "/account": "Your account",
    "/staff": "For staff",
    "/fresh": "For who has just typed a password",
}


def create_app() -> SSOMiddleware:
    """The site as a WSGI application. Raises what `SSOMiddleware` raises."""
    guarded = {
        "/account": Demand(),
        "/staff": Demand(groups=("staff",)),
        "/fresh": Demand(max_age_s=5),
        "/token": Demand(),
        "/stream": Demand(),
    }
    return SSOMiddleware(site, protect=guarded, bearer={"/api": "profile"})


def site(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """The application itself."""
    visit: Visit = environ["sso"]
    path, kind, body = environ.get("PATH_INFO", "/") or "/", "text/html; charset=utf-8", ""
    if path in TITLES:
        body = f"<!doctype html><title>Example</title><h1>{TITLES[path]}</h1><p>{who(environ, visit)}</p>"
    elif path == "/api/time":
        kind, body = "application/json", json.dumps({"sub": environ["sso.user"].sub, "now": now()})
    elif path == "/token":
        kind, body = "application/json", json.dumps({"access_token": visit.access_token()})
    elif path == "/stream":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return lines(visit)
    start_response("200 OK" if body else "404 Not Found", [("Content-Type", kind)])
    return [body.encode()]


def who(environ: WSGIEnvironment, visit: Visit) -> str:
    """The person, and how to change that."""
    if environ.get("REMOTE_USER") is None:
        return f'Nobody is signed in. <a href="{escape(visit.login_url("/account"))}">Sign in</a>'
    fields = "".join(f'<input type="hidden" name="{k}" value="{v}">' for k, v in visit.logout_fields().items())
    form = f'<form method="post" action="{visit.logout_url()}">{fields}<button>Sign out</button></form>'
    return f"Signed in as {escape(environ['sso.user'].name)}.{form}"


def lines(visit: Visit) -> Iterator[bytes]:
    """A stream that ends with the session."""
    while visit.still_signed_in():
        yield f"{now()}\n".encode()
        time.sleep(0.2)


def now() -> int:
    """Seconds on this host's clock, whatever they began with."""
    return int(time.monotonic())
