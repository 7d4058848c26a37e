"""A server made with Authlib's Flask integration, as quick as its documentation lets one make it: everything in Redis,
one key each, opaque tokens, one signature a redemption. It runs in an environment of its own (scripts/bench-peers) and
imports nothing of this project. PEER_SETTINGS names the file that says the rest.
"""

import hmac
import json
import os
import secrets
import time
from pathlib import Path
from urllib.parse import urlencode

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from authlib.integrations.flask_oauth2 import AuthorizationServer, ResourceProtector, current_token
from authlib.oauth2.rfc6749 import ClientMixin
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, RefreshTokenGrant
from authlib.oauth2.rfc6750 import BearerTokenValidator
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from authlib.oidc.core import UserInfo
from authlib.oidc.core.grants import OpenIDCode
from flask import Flask, jsonify, redirect, request
from joserfc import jwk
from redis import Redis

SETTINGS = json.loads(Path(os.environ["PEER_SETTINGS"]).read_text(encoding="utf-8"))
# Parsed here: text would be parsed, and an RSA key checked, for every token (45 ms).
KEY = {"RS256": jwk.RSAKey, "ES256": jwk.ECKey}[SETTINGS["alg"]].import_key(Path(SETTINGS["key_file"]).read_text())

DAY, HOUR = 86400, 3600
redis = Redis.from_url(SETTINGS["redis"])
hasher = PasswordHasher()
app = Flask(__name__)
app.config.update(OAUTH2_REFRESH_TOKEN_GENERATOR=True, OAUTH2_TOKEN_EXPIRES_IN={"authorization_code": HOUR})


def kept(kind, name):
    """What Redis holds under that name, or None."""
    found = redis.get(f"{kind}:{name}")
    return None if found is None else json.loads(found)


class Client(ClientMixin):
    """A site."""

    def __init__(self, known):
        self.known = known
        self.client_id = known["id"]

    def get_client_id(self):
        return self.client_id

    def get_default_redirect_uri(self):
        return self.known["redirect_uri"]

    def get_allowed_scope(self, scope):
        return " ".join(word for word in (scope or "").split() if word in {"openid", "profile", "email"})

    def check_redirect_uri(self, redirect_uri):
        return redirect_uri == self.known["redirect_uri"]

    def check_client_secret(self, client_secret):
        return hmac.compare_digest(client_secret.encode(), self.known["secret"].encode())

    def check_endpoint_auth_method(self, method, endpoint):
        return method == "client_secret_post"

    def check_response_type(self, response_type):
        return response_type == "code"

    def check_grant_type(self, grant_type):
        return grant_type == "authorization_code" or (grant_type == "refresh_token" and self.known["refreshes"])


def find_client(client_id):
    found = kept("client", client_id)
    return None if found is None else Client(found)


class Person:
    def __init__(self, name):
        self.name = name

    def get_user_id(self):
        return self.name


class Code:
    """An authorization code."""

    def __init__(self, code, known):
        self.code = code
        self.known = known
        self.code_challenge = known["code_challenge"]
        self.code_challenge_method = known["code_challenge_method"]

    def get_redirect_uri(self):
        return self.known["redirect_uri"]

    def get_scope(self):
        return self.known["scope"]

    def get_nonce(self):
        return self.known["nonce"]

    def get_auth_time(self):
        return self.known["auth_time"]

    def get_acr(self):
        return None

    def get_amr(self):
        return None


class Token:
    """An access or a refresh token."""

    def __init__(self, known):
        self.known = known
        self.person = known["person"]

    def check_client(self, client):
        return self.known["client_id"] == client.client_id

    def get_scope(self):
        return self.known["scope"]

    def get_expires_in(self):
        return HOUR

    def is_expired(self):
        return self.known["issued_at"] + HOUR <= time.time()

    def is_revoked(self):
        return False

    def get_user(self):
        return Person(self.person)

    def get_client(self):
        return find_client(self.known["client_id"])


def keep_token(token, asked):
    known = {
        "client_id": asked.client.client_id,
        "person": asked.user.name,
        "scope": token.get("scope", ""),
        "issued_at": int(time.time()),
        "access": token["access_token"],
    }
    text = json.dumps(known)
    if "refresh_token" not in token:
        redis.set(f"access:{token['access_token']}", text, ex=HOUR)
        return
    both = redis.pipeline(transaction=False)
    both.set(f"access:{token['access_token']}", text, ex=HOUR)
    both.set(f"refresh:{token['refresh_token']}", text, ex=DAY)
    both.execute()


class ByCode(AuthorizationCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_post",)

    def save_authorization_code(self, code, request):
        data = request.payload.data
        known = {
            "client_id": request.client.client_id,
            "person": request.user.name,
            "auth_time": request.user.auth_time,
            "redirect_uri": request.payload.redirect_uri,
            "scope": request.payload.scope,
            **{name: data.get(name) for name in ("nonce", "code_challenge", "code_challenge_method")},
        }
        redis.set(f"code:{code}", json.dumps(known), ex=60)

    def query_authorization_code(self, code, client):
        known = kept("code", code)
        return Code(code, known) if known and known["client_id"] == client.client_id else None

    def delete_authorization_code(self, authorization_code):
        redis.delete(f"code:{authorization_code.code}")

    def authenticate_user(self, authorization_code):
        return Person(authorization_code.known["person"])


class WithIdToken(OpenIDCode):
    def exists_nonce(self, nonce, request):
        return False  # PKCE makes a second use of a code useless

    def resolve_client_private_key(self, client):
        return KEY

    def get_client_algorithm(self, client):
        return SETTINGS["alg"]

    def get_client_claims(self, client):
        return {"iss": SETTINGS["issuer"]}

    def generate_user_info(self, user, scope):
        return UserInfo(sub=user.name)


class ByRefresh(RefreshTokenGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_post",)
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token):
        known = kept("refresh", refresh_token)
        if known is None:
            return None
        token = Token(known)
        token.refresh_token = refresh_token
        return token

    def authenticate_user(self, refresh_token):
        return Person(refresh_token.person)

    def revoke_old_credential(self, refresh_token):
        redis.delete(f"refresh:{refresh_token.refresh_token}", f"access:{refresh_token.known['access']}")


class Introspection(IntrospectionEndpoint):
    CLIENT_AUTH_METHODS = ("client_secret_post",)

    def query_token(self, token_string, token_type_hint):
        known = kept("access", token_string)
        return None if known is None else Token(known)

    def introspect_token(self, token):
        known = token.known
        times = {"iat": known["issued_at"], "exp": known["issued_at"] + HOUR}
        return {"active": True, "sub": token.person, "client_id": known["client_id"], "scope": known["scope"], **times}

    def check_permission(self, token, client, request):
        return True


class Bearer(BearerTokenValidator):
    def authenticate_token(self, token_string):
        known = kept("access", token_string)
        return None if known is None else Token(known)


server = AuthorizationServer(app, query_client=find_client, save_token=keep_token)
server.register_grant(ByCode, [WithIdToken(require_nonce=False), CodeChallenge(required=True)])
server.register_grant(ByRefresh)
server.register_endpoint(Introspection)
protected = ResourceProtector()
protected.register_token_validator(Bearer())

for one in SETTINGS["clients"]:
    redis.set(f"client:{one['id']}", json.dumps(one))
for one in SETTINGS["people"]:
    redis.set(f"person:{one['name']}", one["hash"])


def who():
    """The person whose browser asks, or None."""
    known = kept("session", request.cookies.get("session", ""))
    if known is None:
        return None
    person = Person(known["person"])
    person.auth_time = known["auth_time"]
    return person


@app.get("/authorize")
def authorize():
    person = who()
    if person is None:
        return redirect("/sign-in?" + urlencode({"next": request.full_path}))
    return server.create_authorization_response(grant_user=person, grant=server.get_consent_grant(end_user=person))


@app.get("/sign-in")
def sign_in_page():
    return (
        "<!doctype html><title>Sign in</title>"
        '<form method="post"><input name="username"><input name="password" type="password"></form>'
    )


@app.post("/sign-in")
def sign_in():
    name = request.form["username"]
    hashed = redis.get(f"person:{name}")
    try:
        if hashed is None or not hasher.verify(hashed.decode(), request.form["password"]):
            return "no", 403
    except VerifyMismatchError:
        return "no", 403
    secret = secrets.token_urlsafe(32)
    redis.set(f"session:{secret}", json.dumps({"person": name, "auth_time": int(time.time())}), ex=DAY)
    where = request.args["next"]
    answer = redirect(where if where.startswith("/authorize?") else "/")
    answer.set_cookie("session", secret, httponly=True, samesite="Lax")
    return answer


@app.post("/token")
def token():
    return server.create_token_response()


@app.post("/introspect")
def introspect():
    return server.create_endpoint_response(Introspection.ENDPOINT_NAME)


@app.get("/userinfo")
@protected("openid")
def userinfo():
    return jsonify(sub=current_token.person)


@app.get("/.well-known/openid-configuration")
def about():
    return jsonify(issuer=SETTINGS["issuer"], jwks_uri=f"{SETTINGS['issuer']}/jwks")


@app.get("/jwks")
def keys():
    return jsonify(keys=[KEY.as_dict(private=False)])
