"""A logout receiver without the SDK: bare Flask and PyJWT. Run it: flask --app flask_receiver run --port 5000"""

import os

import jwt
from flask import Flask, request

ISSUER, CLIENT = os.environ["SSO_ISSUER"], os.environ["SSO_CLIENT_ID"]
KEYS = jwt.PyJWKClient(os.environ.get("SSO_JWKS_URI", f"{ISSUER}/jwks.json"), timeout=3)
CHECKS = {"algorithms": ["RS256", "ES256", "EdDSA"], "audience": CLIENT, "issuer": ISSUER, "leeway": 10}
app, sessions = Flask(__name__), {}  # in place of your own store: cookie -> {"sid": ..., "sub": ...}, from sign-in on
EVENT, app.config["MAX_CONTENT_LENGTH"] = "http://schemas.openid.net/event/backchannel-logout", 16_384


@app.post("/logout")
def logout():
    try:
        token = request.form["logout_token"]
        claims = jwt.decode(token, KEYS.get_signing_key_from_jwt(token), **CHECKS, options={"require": ["exp", "jti"]})
        typ = jwt.get_unverified_header(token)["typ"]
        if typ != "logout+jwt" or "nonce" in claims or claims["events"][EVENT] is None:
            raise ValueError
        by, whom = ("sid", claims["sid"]) if "sid" in claims else ("sub", claims["sub"])  # one session, or all of them
        for cookie in [cookie for cookie, session in sessions.items() if session[by] == whom]:
            sessions.pop(cookie, None)
    except jwt.PyJWKClientConnectionError:
        return "", 503  # our own trouble, not the token's: the centre calls again
    except (jwt.PyJWTError, LookupError, TypeError, ValueError):
        return "", 400
    return "", 200, {"Cache-Control": "no-store"}  # also when there was none: it may be a repeat
