"""A demo site: shows who is signed in and how it came about, and the SDK's own log. Everything else is the SDK's work.

Environment: `SSO_*` for the SDK; `SITE_NAME`, `SITE_COLOR`, and for links `SITE_OTHER` (addresses with spaces between
them), `SITE_MAP`. With `SITE_API` (the address of another site's clock) and `SITE_MEMORY` (a folder) it calls that for
whoever is signed in. Nothing here knows by which protocol people sign in: `SSO_PROTOCOL` says it.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from flask import Flask, Response, abort, jsonify, redirect, request
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as Answered

from demo_apps.memory import Memory
from demo_apps.neighbour import ask
from demo_apps.shown import page, show, wall_time
from sso_client.flask import SSO

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
        return jsonify(time=wall_time(now_ms), seconds_left=left_s)

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
        return page("missing.html", 404)

    return app
