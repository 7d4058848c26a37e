"""glewlwyd from Debian: one process, a thread for each connection, SQLite. What its administrator does by hand is
asked of its own API once it runs.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import requests
from cryptography.hazmat.primitives import serialization

from benchmarks.load import Operation, request
from benchmarks.peers.peer import Place, Recipe
from benchmarks.servers import Case
from benchmarks.traffic import PASSWORD, CasTraffic, Person, Site, Traffic, browse

_TABLES = Path("/usr/share/doc/glewlwyd/database/init.sqlite3.sql.gz")
_USUAL = Path("/etc/glewlwyd/glewlwyd.conf")
_LIFE_S = 3600


def _fill(place: Place) -> None:
    with closing(sqlite3.connect(place.directory / "peer.sqlite3")) as tables:
        tables.execute("PRAGMA journal_mode = WAL")
        tables.executescript(gzip.decompress(_TABLES.read_bytes()).decode())
    own = {
        "port": str(place.port),
        "external_url": json.dumps(place.settings["issuer"]),
        "log_mode": '"console"',
        "log_level": '"ERROR"',
    }
    text = _USUAL.read_text(encoding="utf-8")
    for name, value in own.items():
        text = re.sub(rf"(?m)^{name}=.*$", f"{name}={value}", text)
    database = f'database = {{ type = "sqlite3"; path = "{place.directory}/peer.sqlite3"; }};\nbind_address="127.0.0.1"'
    text = re.sub(r"(?m)^@include.*$", database, text)
    (place.directory / "glewlwyd.conf").write_text(text, encoding="utf-8")


def _configure(place: Place) -> None:
    with requests.Session() as administrator:
        api = _Api(administrator, place.settings["issuer"])
        api.sign_in("admin", "password")  # as it is delivered
        api.say("POST", "mod/plugin/", _openid_plugin(place))
        for one in place.settings["clients"]:
            api.say("POST", "client/", _client(one))
        for person in place.settings["people"]:
            said = {"username": person["name"], "name": person["name"], "email": f"{person['name']}@example.com"}
            scopes = {"scope": ["openid", "g_profile"], "enabled": True}
            api.say("POST", "user/", {**said, **scopes, "password": PASSWORD})
    for person in place.settings["people"]:
        # What others call first-party clients: each has agreed to each site.
        with requests.Session() as browser:
            api = _Api(browser, place.settings["issuer"])
            api.sign_in(person["name"], PASSWORD)
            for one in place.settings["clients"]:
                api.say("PUT", f"auth/grant/{one['id']}", {"scope": "openid"})


class _Api:
    """Its administration."""

    def __init__(self, session: requests.Session, issuer: str) -> None:
        self.session = session
        self.issuer = issuer

    def say(self, method: str, path: str, body: dict[str, Any]) -> None:
        answer = self.session.request(method, f"{self.issuer}/api/{path}", json=body, timeout=30)
        assert answer.status_code == 200, f"{method} {path}: {answer.status_code} {answer.text[:500]}"

    def sign_in(self, name: str, password: str) -> None:
        self.say("POST", "auth/", {"username": name, "password": password})


def _openid_plugin(place: Place) -> dict[str, Any]:
    pem = Path(place.settings["key_file"]).read_bytes()
    public = serialization.load_pem_private_key(pem, None).public_key()
    spki = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    off = (
        *(
            "auth-type-token-enabled",
            "auth-type-none-enabled",
            "auth-type-password-enabled",
            "auth-type-client-enabled",
        ),
        *("auth-type-device-enabled", "refresh-token-rolling", "pkce-method-plain-allowed", "request-parameter-allow"),
        *("front-channel-logout-allowed", "encrypt-out-token-allow", "register-client-allowed"),
        "auth-type-code-revoke-replayed",
    )
    on = (
        *("auth-type-code-enabled", "auth-type-id-token-enabled", "auth-type-refresh-enabled", "pkce-allowed"),
        *("introspection-revocation-allowed", "introspection-revocation-allow-target-client", "allow-non-oidc"),
        *("session-management-allowed", "back-channel-logout-allowed", "jwks-show"),
    )
    empty = ("scope", "additional-parameters", "claims", "introspection-revocation-auth-scope", "jwks-x5c")
    parameters: dict[str, Any] = {
        "iss": place.settings["issuer"],
        "jwt-type": "ecdsa" if place.settings["alg"] == "ES256" else "rsa",
        "jwt-key-size": "256",
        "key": pem.decode(),
        "cert": spki.decode(),
        "access-token-duration": _LIFE_S,
        "refresh-token-duration": 24 * _LIFE_S,
        "code-duration": 60,
        "refresh-token-one-use": "always",
        "subject-type": "public",
        "session-cookie-name": "GLEWLWYD2_OIDC_SID",
        "session-cookie-expiration": 24 * _LIFE_S,
        "address-claim": {"type": "no"},
        "restrict-scope-client-property": "",
        **dict.fromkeys(("service-documentation", "op-policy-uri", "op-tos-uri"), ""),
        **dict.fromkeys(("name-claim", "email-claim", "scope-claim"), "no"),
        **dict.fromkeys(off, False),
        **dict.fromkeys(on, True),
        **{name: [] for name in empty},
    }
    said = {"module": "oidc", "name": "oidc", "display_name": "OpenID Connect", "order_rank": 0, "enabled": True}
    return {**said, "parameters": parameters}


def _client(one: dict[str, Any]) -> dict[str, Any]:
    told = {"backchannel_logout_uri": one["logout_uri"], "backchannel_logout_session_required": "1"}
    return {
        "client_id": one["id"],
        "name": one["id"],
        "enabled": True,
        "confidential": True,
        "password": one["secret"],
        "client_secret": one["secret"],
        "authorization_type": ["code", "refresh_token"],
        "token_endpoint_auth_method": ["client_secret_post"],
        "redirect_uri": [one["redirect_uri"]],
        "scope": [],
        **(told if one["logout_uri"] else {}),
    }


def _sign_in(traffic: Traffic | CasTraffic, person: Person, site: Site) -> Operation[None]:
    """Its sign-in page is a program in the browser that talks to its API."""
    answer = yield from browse(person, "GET", traffic.first_url(site), traffic.host)
    answer.must(answer.status == 302 and "login.html" in answer.header("location"), "the way to the sign-in page")
    body = json.dumps({"username": person.username, "password": PASSWORD})
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    asked = request("POST", "/api/auth/", traffic.host, cookies=person.cookies, headers=headers)
    answer = yield asked + body.encode()
    answer.keep_cookies(person.cookies)
    answer.must(answer.status == 200, "the right password")
    answer = yield from browse(person, "GET", traffic.first_url(site, "&g_continue"), traffic.host)
    answer.must(traffic.ticket_in(answer), "the way back to the site")


def _sign_out(traffic: Traffic | CasTraffic, person: Person) -> Operation[None]:
    """As its sign-out page does: the session that the last ID token named, and then the one of the browser."""
    payload = person.id_token.split(".")[1]
    sid = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["sid"]
    answer = yield from browse(person, "DELETE", f"/api/oidc/session/{sid}/", traffic.host)
    answer.must(answer.status == 200, "its sites are told")
    answer = yield from browse(person, "DELETE", f"/api/auth/?username={person.username}", traffic.host)
    answer.must(answer.status == 200, "signed out")


RECIPE = Recipe(
    Case("glewlwyd", "its own", "sqlite", "ES256"),
    frozenset({"W1", "W2", "R", "W3u", "W3i", "W4", "W5", "W6", "W6h"}),
    "glewlwyd",
    lambda place: ["glewlwyd", "-c", str(place.directory / "glewlwyd.conf")],
    Path("/"),
    # `prompt=none` wants an ID token; this is the step with which its own page goes on when there is a session.
    openid=lambda host: Traffic(
        host,
        _sign_in,
        _sign_out,
        authorize="/api/oidc/auth",
        token="/api/oidc/token",
        userinfo="/api/oidc/userinfo",
        introspect="/api/oidc/introspect",
        discovery="/api/oidc/.well-known/openid-configuration",
        silent="&g_continue",
    ),
    uses_redis=False,
    answers_at="/config",
    fill=_fill,
    configure=_configure,
)
