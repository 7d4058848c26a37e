"""The least that Flask can do for each workload: the same answers, signatures and round trips, and no checks at all.

Not a server: a floor. What Lockstep takes beyond it is what its checks, its records and its promise cost. It asks Redis
with redis-py, as people do. FLOOR_REDIS is a Redis' port, else FLOOR_SQLITE is a file; FLOOR_KEY is the
file of the signing key, FLOOR_SITES who is told of a sign-out.
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import redis
from flask import Flask, Response, redirect, request

from benchmarks.floor_telling import Signing, Telling
from benchmarks.traffic import PASSWORD
from sso_server.crypto.passwords import Argon2Hasher
from sso_server.crypto.places import Places

_TTL_S = 300
#: People sign in once a round, and a round beside many others is long.
_SESSION_S = 86_400


class Store(Protocol):
    """What the floor needs: each method is one round trip or one transaction."""

    def read(self, name: str) -> bytes | None:
        """The value."""
        ...

    def write(self, name: str, value: str, seconds: int = _TTL_S) -> None:
        """One value, for so long."""
        ...

    def take(self, name: str, written: dict[str, str], *, keeps: bool = False) -> bytes | None:
        """Read and remove (or keep) one value and write others, all at once."""
        ...


class RedisStore:
    """Plain redis-py; two commands go together as one pipeline."""

    def __init__(self, port: int) -> None:
        self._redis = redis.Redis(host="127.0.0.1", port=port)

    def read(self, name: str) -> bytes | None:
        """GET."""
        found: bytes | None = self._redis.get(name)  # type: ignore[assignment]
        return found

    def write(self, name: str, value: str, seconds: int = _TTL_S) -> None:
        """SET."""
        self._redis.set(name, value, ex=seconds)

    def take(self, name: str, written: dict[str, str], *, keeps: bool = False) -> bytes | None:
        """GETDEL (or GET) and SETs in one pipeline."""
        if not written:
            alone: bytes | None = self._redis.getdel(name)  # type: ignore[assignment]
            return alone
        pipe = self._redis.pipeline(transaction=False)
        (pipe.get if keeps else pipe.getdel)(name)
        for key, value in written.items():
            pipe.set(key, value, ex=_TTL_S)
        found: bytes | None = pipe.execute()[0]
        return found


class SqliteStore:
    """The standard library's sqlite3: WAL, synchronous=FULL as in Lockstep, one connection a thread."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._here = threading.local()
        self._writing = threading.Lock()
        with self._writing:
            self._connection().execute(
                # One B-tree, and no second one for the name.
                "CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, value TEXT, until INT) WITHOUT ROWID"
            )

    def read(self, name: str) -> bytes | None:
        """One SELECT."""
        row = self._connection().execute("SELECT value FROM kept WHERE name = ?", (name,)).fetchone()
        return row and row[0].encode()

    def write(self, name: str, value: str, seconds: int = _TTL_S) -> None:
        """One row, committed."""
        with self._writing:
            self._connection().execute("REPLACE INTO kept VALUES (?, ?, ?)", (name, value, int(time.time()) + seconds))

    def take(self, name: str, written: dict[str, str], *, keeps: bool = False) -> bytes | None:
        """One transaction."""
        until = int(time.time()) + _TTL_S
        with self._writing:
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE")
            asked = (
                "SELECT value FROM kept WHERE name = ?" if keeps else "DELETE FROM kept WHERE name = ? RETURNING value"
            )
            row = connection.execute(asked, (name,)).fetchone()
            for key, value in written.items():
                connection.execute("REPLACE INTO kept VALUES (?, ?, ?)", (key, value, until))
            connection.execute("COMMIT")
        return row and row[0].encode()

    def _connection(self) -> sqlite3.Connection:
        if not hasattr(self._here, "connection"):
            connection = sqlite3.connect(self._path, timeout=20, isolation_level=None)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            self._here.connection = connection
        found: sqlite3.Connection = self._here.connection
        return found


def create_app() -> Flask:
    """The floor. It knows one person: `user`."""
    app = Flask(__name__)
    port = os.environ.get("FLOOR_REDIS", "")
    store: Store = RedisStore(int(port)) if port else SqliteStore(os.environ["FLOOR_SQLITE"])
    key_file, algorithm = Path(os.environ["FLOOR_KEY"]), os.environ.get("FLOOR_ALGORITHM", "ES256")
    _add_passwords(app, store)
    _add_openid(app, store, Signing(key_file, algorithm, "JWT"))
    _add_cas(app, store)
    _add_ends(app, store, Signing(key_file, algorithm, "logout+jwt"), os.environ.get("FLOOR_SITES", "").split())
    return app


def _add_passwords(app: Flask, store: Store) -> None:
    # The very hash that Lockstep makes, one at a time on a node: two that share a processor's caches make each other
    # dearer.
    places = Places(Path(os.environ["FLOOR_KEY"]).parent, wait_s=60)
    hasher = Argon2Hasher(most_waiting=1_000, wait_s=60, place=places.taken)
    hashed = hasher.hash(PASSWORD)

    @app.get("/healthz")
    def constant() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/hash")
    def hash_alone() -> dict[str, str]:
        hasher.verify(hashed, PASSWORD)
        return {"status": "ok"}

    @app.post("/sign-in")
    def sign_in() -> Response:
        hasher.verify(hashed, request.form["password"])
        secret = secrets.token_urlsafe(32)
        session = json.dumps({"sub": "user", "sid": secrets.token_urlsafe(16)})
        store.write(f"session:{secret}", session, _SESSION_S)
        answer = redirect(f"{request.form['redirect_uri']}?code=none", 303)
        answer.set_cookie("session", secret)
        return answer  # type: ignore[return-value]


def _add_openid(app: Flask, store: Store, signing: Signing) -> None:
    @app.get("/.well-known/openid-configuration")
    def discovery() -> dict[str, str]:
        return {"issuer": request.host_url, "jwks_uri": f"{request.host_url}jwks"}

    @app.get("/jwks")
    def jwks() -> dict[str, Any]:
        return signing.published()

    @app.get("/authorize")
    def authorize() -> Response:
        return _ticket_for(store, request.args["redirect_uri"], "code", "")

    @app.post("/token")
    def token() -> dict[str, Any]:
        form = request.form
        access = secrets.token_urlsafe(32)
        more = {}
        if form["client_id"] == "site0":
            more = {"refresh_token": secrets.token_urlsafe(32)}
        spent = f"refresh:{form['refresh_token']}" if "refresh_token" in form else f"ticket:{form['code']}"
        # Whose they are isn't known before the answer: one round trip.
        of = json.dumps({"sub": "user", "scope": "openid", "client_id": form["client_id"]})
        written = {f"access:{access}": of} | ({f"refresh:{more['refresh_token']}": of} if more else {})
        session = json.loads(store.take(spent, written) or b"{}")
        now = int(time.time())
        claims = {
            "iss": request.host_url,
            "sub": session["sub"],
            "aud": form["client_id"],
            "iat": now,
            "exp": now + 300,
        }
        claims |= {"nonce": session.get("nonce", ""), "sid": session.get("sid", ""), "auth_time": now, "amr": ["pwd"]}
        id_token = signing.signed(claims)
        return {"access_token": access, "token_type": "Bearer", "expires_in": 300, "id_token": id_token, **more}

    @app.get("/userinfo")
    def userinfo() -> dict[str, Any]:
        found = json.loads(store.read(f"access:{request.headers['Authorization'][7:]}") or b"{}")
        return {"sub": found["sub"]}

    @app.post("/introspect")
    def introspect() -> dict[str, Any]:
        found = store.read(f"access:{request.form['token']}")
        return {"active": found is not None, **json.loads(found or b"{}")}


def _add_cas(app: Flask, store: Store) -> None:
    @app.get("/cas/login")
    def cas_login() -> Response:
        return _ticket_for(store, request.args["service"], "ticket", "ST-")

    @app.get("/cas/serviceValidate")
    def cas_validate() -> Response:
        session = json.loads(store.take(f"ticket:{request.args['ticket']}", {}) or b"{}")
        text = (
            "<cas:serviceResponse xmlns:cas='http://www.yale.edu/tp/cas'><cas:authenticationSuccess>"
            f"<cas:user>{session['sub']}</cas:user></cas:authenticationSuccess></cas:serviceResponse>"
        )
        return Response(text, content_type="application/xml; charset=utf-8")


def _add_ends(app: Flask, store: Store, signing: Signing, sites: list[str]) -> None:
    telling, tellers = Telling(signing, sites), ThreadPoolExecutor(max(1, len(sites)))

    @app.post("/check-in")
    def check_in() -> dict[str, Any]:
        said = json.loads(request.get_data())
        now = int(time.time() * 1000)
        moment = {f"checked-in:{said['store']}": str(now)}
        ends = json.loads(store.take(f"ends:{said['store']}", moment, keeps=True) or b"[]")
        return {"ends": ends, "more": False, "mark": str(now), "lag_ms": 0, "lease_s": 60, "grace_s": 0}

    @app.get("/end-session")
    def end_session() -> Response:
        found = store.take(f"session:{request.cookies.get('session', '')}", {})
        answer = redirect("/signed-out" if found else "/sign-in", 303 if found else 302)
        if found:
            sid = json.loads(found)["sid"]
            # The person has the answer before the first site is called.
            answer.call_on_close(lambda: [tellers.submit(telling.tell, site, sid) for site in range(len(sites))])
        answer.delete_cookie("session")
        return answer  # type: ignore[return-value]


def _ticket_for(store: Store, address: str, name: str, kind: str) -> Response:
    found = store.read(f"session:{request.cookies.get('session', '')}")
    if found is None:
        return redirect(f"{address}?error=login_required", 303)  # type: ignore[return-value]
    ticket = kind + secrets.token_urlsafe(32)
    of = {**json.loads(found), "address": address, "nonce": request.args.get("nonce", "")}
    store.write(f"ticket:{ticket}", json.dumps(of))
    return redirect(f"{address}?{name}={ticket}", 303)  # type: ignore[return-value]
