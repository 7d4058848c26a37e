"""The least that Flask can do for each workload: the same answers, signatures and round trips, and no checks at all.

Not a server: a floor. What Lockstep takes beyond it is what its checks, its records and its promise cost. FLOOR_REDIS
is a Redis' port, else FLOOR_SQLITE is a file.
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import threading
import time
from typing import Any, Protocol

import jwt
import redis
from argon2 import PasswordHasher
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from flask import Flask, Response, redirect, request

from benchmarks.traffic import PASSWORD

_TTL_S = 300


class Store(Protocol):
    """What the floor needs: each method is one round trip or one transaction."""

    def read(self, name: str) -> bytes | None:
        """The value."""
        ...

    def write(self, name: str, value: str) -> None:
        """One value."""
        ...

    def take(self, name: str, written: dict[str, str]) -> bytes | None:
        """Read and remove one value and write others, all at once."""
        ...


class RedisStore:
    """Plain redis-py; two commands go together as one pipeline."""

    def __init__(self, port: int) -> None:
        self._redis = redis.Redis(host="127.0.0.1", port=port)

    def read(self, name: str) -> bytes | None:
        """GET."""
        found: bytes | None = self._redis.get(name)  # type: ignore[assignment]
        return found

    def write(self, name: str, value: str) -> None:
        """SET."""
        self._redis.set(name, value, ex=_TTL_S)

    def take(self, name: str, written: dict[str, str]) -> bytes | None:
        """GETDEL and SETs in one pipeline."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.getdel(name)
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
            self._connection().execute("CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, value TEXT, until INT)")

    def read(self, name: str) -> bytes | None:
        """One SELECT."""
        row = self._connection().execute("SELECT value FROM kept WHERE name = ?", (name,)).fetchone()
        return row and row[0].encode()

    def write(self, name: str, value: str) -> None:
        """One INSERT, committed."""
        with self._writing:
            self._connection().execute("INSERT INTO kept VALUES (?, ?, ?)", (name, value, int(time.time()) + _TTL_S))

    def take(self, name: str, written: dict[str, str]) -> bytes | None:
        """One transaction."""
        until = int(time.time()) + _TTL_S
        with self._writing:
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE")
            row = connection.execute("DELETE FROM kept WHERE name = ? RETURNING value", (name,)).fetchone()
            for key, value in written.items():
                connection.execute("INSERT INTO kept VALUES (?, ?, ?)", (key, value, until))
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
    """The floor, with keys of its own."""
    app = Flask(__name__)
    port = os.environ.get("FLOOR_REDIS", "")
    store: Store = RedisStore(int(port)) if port else SqliteStore(os.environ["FLOOR_SQLITE"])
    keys: dict[str, Any] = {
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    }
    algorithm = os.environ.get("FLOOR_ALGORITHM", "ES256")
    hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
    hashed = hasher.hash(PASSWORD)
    # One at a time in each of two processes: two that share a core would only make each other slower.
    hashing = threading.Lock()

    @app.get("/healthz")
    def constant() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/sign-in")
    def sign_in() -> Response:
        with hashing:
            hasher.verify(hashed, request.form["password"])
        secret = secrets.token_urlsafe(32)
        store.write(
            f"session:{secret}", json.dumps({"sub": request.form["username"], "sid": secrets.token_urlsafe(16)})
        )
        answer = redirect(f"{request.form['redirect_uri']}?code=none", 303)
        answer.set_cookie("session", secret)
        return answer  # type: ignore[return-value]

    def ticket_for(address: str, name: str, kind: str) -> Response:
        session = json.loads(store.read(f"session:{request.cookies['session']}") or b"{}")
        ticket = kind + secrets.token_urlsafe(32)
        store.write(f"ticket:{ticket}", json.dumps({**session, "address": address}))
        return redirect(f"{address}?{name}={ticket}", 303)  # type: ignore[return-value]

    @app.get("/authorize")
    def authorize() -> Response:
        return ticket_for(request.args["redirect_uri"], "code", "")

    @app.post("/token")
    def token() -> dict[str, Any]:
        form = request.form
        access = secrets.token_urlsafe(32)
        more = {}
        if form["client_id"] == "site0":
            more = {"refresh_token": secrets.token_urlsafe(32)}
        spent = f"refresh:{form['refresh_token']}" if "refresh_token" in form else f"ticket:{form['code']}"
        # Whose they are isn't known before the answer: one round trip, and the floor knows one person only.
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
        claims |= {"nonce": "nonce-1", "sid": session.get("sid", ""), "auth_time": now, "amr": ["pwd"]}
        id_token = jwt.encode(claims, keys[algorithm], algorithm=algorithm, headers={"kid": "key"})
        return {"access_token": access, "token_type": "Bearer", "expires_in": 300, "id_token": id_token, **more}

    @app.get("/userinfo")
    def userinfo() -> dict[str, Any]:
        found = json.loads(store.read(f"access:{request.headers['Authorization'][7:]}") or b"{}")
        return {"sub": found["sub"]}

    @app.post("/introspect")
    def introspect() -> dict[str, Any]:
        return {"active": True, **json.loads(store.read(f"access:{request.form['token']}") or b"{}")}

    @app.get("/cas/login")
    def cas_login() -> Response:
        return ticket_for(request.args["service"], "ticket", "ST-")

    @app.get("/cas/serviceValidate")
    def cas_validate() -> Response:
        session = json.loads(store.take(f"ticket:{request.args['ticket']}", {}) or b"{}")
        text = (
            "<cas:serviceResponse xmlns:cas='http://www.yale.edu/tp/cas'><cas:authenticationSuccess>"
            f"<cas:user>{session['sub']}</cas:user></cas:authenticationSuccess></cas:serviceResponse>"
        )
        return Response(text, content_type="application/xml; charset=utf-8")

    return app
