"""A demo site: shows who is signed in and how it came about, and the SDK's own log. Everything else is the SDK's work.

Environment: `SSO_*` for the SDK; `SITE_NAME`, `SITE_COLOR`, and for links `SITE_OTHER`, `SITE_MAP`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, make_response, render_template, request
from werkzeug.exceptions import NotFound

from demo_apps.words import WORDS, event_text
from sso_client import Event
from sso_client.flask import SSO

EVENTS_SHOWN = 14


def create_app() -> Flask:
    """The site as a WSGI application. Raises what `SSO` raises."""
    app = Flask(__name__)
    app.config.from_mapping(NAME="A demo site", COLOR="#2563eb", OTHER="", MAP="")
    app.config.from_prefixed_env("SITE", loads=str)
    sso = SSO(app)

    @app.get("/")
    def home() -> Response:
        return show(sso)

    @app.get("/account")
    @sso.login_required
    def account() -> Response:
        return show(sso)

    @app.errorhandler(NotFound)
    def missing(_: NotFound) -> Response:
        return _page("missing.html", 404)

    return app


def show(sso: SSO) -> Response:
    """The one page there is: the state in large letters, how it came about, the log."""
    session = sso.session
    lines = [(_clock(event), event_text(_language(), event), event.kind) for event in sso.recent_events(EVENTS_SHOWN)]
    return _page("site.html", session=session, user=session and session.user, lines=lines)


def _language() -> str:
    return request.accept_languages.best_match(WORDS, "en")


def _page(template: str, status: int = 200, **shown: Any) -> Response:
    response = make_response(render_template(template, words=WORDS[_language()], **shown), status)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Security-Policy"] = (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; base-uri 'none'"
    )
    response.vary.update(("Cookie", "Accept-Language"))
    return response


def _clock(event: Event) -> str:
    """The event's moment as this machine's wall shows it."""
    return datetime.fromtimestamp(event.at_ms / 1000, tz=UTC).astimezone().strftime("%H:%M:%S")
