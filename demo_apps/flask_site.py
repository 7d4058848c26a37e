"""An example on Flask. Its sisters on Django, FastAPI and plain WSGI have the same pages at the same addresses.

Environment: `SSO_*` for the SDK. Run: `gunicorn -w 4 'demo_apps.flask_site:create_app()'`.
"""

from __future__ import annotations

import time
from typing import Any

from flask import Flask, Response, jsonify, render_template_string, stream_with_context

from sso_client.flask import SSO, current_user

PAGE = """<!doctype html><title>Example</title><h1>{{ title }}</h1>
<p>{% if sso.user %}Signed in as {{ sso.user.name }}.{% else %}Nobody is signed in.{% endif %}</p>
{% if sso.user %}<form method="post" action="{{ sso.logout_url() }}">
{{ sso.logout_field() }}<button>Sign out</button></form>
{% else %}<a href="{{ sso.login_url('/account') }}">Sign in</a>{% endif %}"""


def create_app() -> Flask:
    """The site as a WSGI application. Raises what `SSO` raises."""
    app = Flask(__name__)
    sso = SSO(app)

    @app.get("/")
    def home() -> str:
        return page("For everybody")

    @app.get("/account")
    @sso.login_required
    def account() -> str:
        return page("Your account")

    @app.get("/staff")
    @sso.login_required(groups=["staff"])
    def staff() -> str:
        return page("For staff")

    @app.get("/fresh")
    @sso.login_required(max_age=5)
    def fresh() -> str:
        return page("For who has just typed a password")

    @app.get("/api/time")
    @sso.bearer_required(scope="profile")
    def api_time() -> Response:
        return jsonify(sub=current_user.sub, now=now())

    @app.get("/token")
    @sso.login_required
    def token() -> Response:
        return jsonify(access_token=sso.access_token())

    @app.get("/stream")
    @sso.login_required
    def stream() -> Response:
        def lines() -> Any:
            while sso.still_signed_in():
                yield f"{now()}\n"
                time.sleep(0.2)

        return Response(stream_with_context(lines()), mimetype="text/plain")

    return app


def page(title: str) -> str:
    """Any of the pages."""
    return render_template_string(PAGE, title=title)


def now() -> int:
    """Seconds on this host's clock, whatever they began with."""
    return int(time.monotonic())
