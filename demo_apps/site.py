"""A demo site: shows who is signed in and how it came about, and the SDK's own log. Everything else is the SDK's work.

Environment: `SSO_*` for the SDK; `SITE_NAME`, `SITE_COLOR`, and for links `SITE_OTHER`, `SITE_MAP`. With `SITE_API`
(the address of another site's clock) and `SITE_MEMORY` (a folder) it calls that for whoever is signed in.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort, jsonify, make_response, redirect, render_template, request
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as Answered

from demo_apps.memory import Memory
from demo_apps.neighbour import Answer, ask
from demo_apps.words import WORDS, event_text
from sso_client.flask import SSO

EVENTS_SHOWN = 14
VISITOR = "demo-visitor"


def create_app() -> Flask:
    """The site as a WSGI application. Raises what `SSO` raises."""
    app = Flask(__name__)
    app.config.from_mapping(NAME="A demo site", COLOR="#2563eb", OTHER="", MAP="", API="", MEMORY="")
    app.config.from_prefixed_env("SITE", loads=str)
    sso = SSO(app)

    memory = Memory(Path(app.config["MEMORY"])) if app.config["API"] else None

    def remembered() -> str | None:
        return None if memory is None else memory.find(request.cookies.get(VISITOR))

    @app.get("/")
    def home() -> Response:
        return show(sso, remembers=remembered() is not None)

    @app.get("/account")
    @sso.login_required
    def account() -> Response:
        return show(sso)

    @app.get("/api/time")
    @sso.bearer_required(scope="profile")
    def api_time() -> Response:
        caller = sso.bearer
        now_ms = sso.client.now_ms()
        left_s = 0 if caller is None else max(0, caller.expires_at - now_ms // 1000)
        return jsonify(time=_wall_time(now_ms), seconds_left=left_s)

    @app.get("/clock")
    @sso.login_required
    def clock() -> Response:
        if memory is None:
            abort(404)
        token = sso.access_token()
        visitor = request.cookies.get(VISITOR) or secrets.token_urlsafe(32)
        memory.keep(visitor, token)
        shown = show(sso, answer=ask(app.config["API"], token), token=token)
        shown.set_cookie(VISITOR, visitor, httponly=True, samesite="Lax")
        return shown

    @app.get("/clock/again")
    def clock_again() -> Answered:
        """For who has signed out."""
        token = remembered()
        if token is None or sso.session is not None:
            return redirect("/clock" if token else "/")
        return show(sso, answer=ask(app.config["API"], token), token=token, remembers=True)

    @app.errorhandler(NotFound)
    def missing(_: NotFound) -> Response:
        return _page("missing.html", 404)

    return app


def show(sso: SSO, *, answer: Answer | None = None, token: str = "", remembers: bool = False) -> Response:
    """The one page there is: the state in large letters, how it came about, what the other site said, the log."""
    session = sso.session
    lines = [
        (_wall_time(event.at_ms), event_text(_language(), event), event.kind)
        for event in sso.recent_events(EVENTS_SHOWN)
    ]
    return _page(
        "site.html",
        session=session,
        user=session and session.user,
        answer=answer,
        token_end=token[-6:],
        remembers=remembers,
        lines=lines,
    )


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


def _wall_time(at_ms: int) -> str:
    """A moment as this machine's wall shows it."""
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC).astimezone().strftime("%H:%M:%S")
