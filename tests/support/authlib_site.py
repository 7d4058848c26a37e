"""A Flask site that knows OpenID Connect and nothing of us: Authlib signs in and out; its logout address is by hand."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from authlib.integrations.flask_client import OAuth
from flask import Flask, Response, abort, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from werkzeug.serving import make_server

from tests.support.relying_party import RelyingParty


def make_site(party: RelyingParty, told: list[dict[str, Any]]) -> Flask:
    """The site. Claims of every logout token that it accepted go to `told`."""
    app = Flask(__name__)
    app.config.update(SECRET_KEY="of the site", SESSION_COOKIE_NAME="authlib_site")
    centre = OAuth(app).register(
        "centre",
        client_id=party.client_id,
        client_secret=party.secret,
        server_metadata_url=f"{party.issuer}/.well-known/openid-configuration",
        client_kwargs={"scope": "openid profile email groups", "code_challenge_method": "S256"},
    )
    ended: set[str] = set()

    @app.get("/")
    def home() -> ResponseReturnValue:
        if "sid" not in session or session["sid"] in ended:
            return "nobody"
        return f"{session['name']} {session['email']}"

    @app.get("/sign-in")
    def sign_in() -> ResponseReturnValue:
        answer: Response = centre.authorize_redirect(party.redirect_uri)
        return answer

    @app.get("/callback")
    def callback() -> ResponseReturnValue:
        token = centre.authorize_access_token()
        claims = centre.userinfo()
        assert claims["sub"] == token["userinfo"]["sub"]
        session.update(
            sid=token["userinfo"]["sid"], name=claims["name"], email=claims["email"], id_token=token["id_token"]
        )
        return redirect(url_for("home"))

    @app.get("/sign-out")
    def sign_out() -> ResponseReturnValue:
        answer: Response = centre.logout_redirect(
            post_logout_redirect_uri=url_for("signed_out", _external=True), id_token_hint=session.pop("id_token")
        )
        return answer

    @app.get("/signed-out")
    def signed_out() -> ResponseReturnValue:
        centre.validate_logout_response()
        return "good bye"

    @app.post("/logout")
    def logout() -> ResponseReturnValue:
        try:
            claims = party.verify_logout_token(request.get_data(as_text=True))
        except Exception as error:  # noqa: BLE001  (whatever is wrong with a token, the answer is 400)
            abort(400, str(error))
        ended.add(claims["sid"])
        told.append(claims)
        return "", 200, {"Cache-Control": "no-store"}

    return app


@contextmanager
def running(app: Flask, port: int) -> Iterator[None]:
    """The site on a real socket."""
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, name="authlib-site", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
