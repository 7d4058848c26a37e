"""A site without the SDK: its own sessions in its own SQLite file, and a receiver of logout tokens (OpenID Connect
Back-Channel Logout 1.0 section 2.6) as a careful person would write one by hand.
"""

import json
import sqlite3
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jwt
import requests

from tests.faults.points import Points
from tests.faults.site_server import AdmittedLog, Answer, SiteConfig, SiteServer, reroute

_SCHEMA = """
CREATE TABLE IF NOT EXISTS local (cookie TEXT PRIMARY KEY, sid TEXT, sub TEXT, until_ms INTEGER, live INTEGER);
CREATE INDEX IF NOT EXISTS local_by_sid ON local (sid);
CREATE TABLE IF NOT EXISTS record (at_ms INTEGER, what TEXT, cookie TEXT, sid TEXT);
"""
EVENT = "http://schemas.openid.net/event/backchannel-logout"


class PlainSite:
    """One process. The record of ends is written in the transaction that makes them."""

    def __init__(self, config: SiteConfig) -> None:
        self._config = config
        self._points = Points(Path(config.run) / "points")
        self._admitted = AdmittedLog(Path(config.directory))
        self._lock = threading.Lock()
        self._database = sqlite3.connect(
            Path(config.directory) / "site.sqlite3", isolation_level=None, check_same_thread=False
        )
        # What is killed here is the process, not the machine: what was written to the kernel stays.
        self._database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;" + _SCHEMA)
        self._keys: jwt.PyJWKSet | None = None

    def now_ms(self) -> int:
        """This site's own clock, right or wrong."""
        return time.time_ns() // 1_000_000 + self._clock_off_ms()

    def _clock_off_ms(self) -> int:
        # An administrator may set the clock right while the site runs.
        mended = (Path(self._config.directory) / "clock-mended").exists()
        return 0 if mended else self._config.clock_off_ms

    def seed(self, sessions: list[dict[str, Any]]) -> Any:
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            for s in sessions:
                # A repeated request opens nothing twice.
                row = (s["cookie"], s["sid"], s["sub"], s["until_ms"])
                added = self._database.execute("INSERT OR IGNORE INTO local VALUES (?, ?, ?, ?, 1)", row)
                if added.rowcount:
                    self._record("opened", s["cookie"], s["sid"])
            self._database.execute("COMMIT")
        return len(sessions)

    def probe(self, requests: list[dict[str, Any]]) -> list[int]:
        statuses, admitted = [], []
        with self._lock:
            for request in requests:
                now = time.time_ns() // 1_000_000
                row = self._database.execute(
                    "SELECT 1 FROM local WHERE cookie = ? AND live = 1 AND until_ms > ?", (request["cookie"], now)
                ).fetchone()
                statuses.append(200 if row else 401)
                if row:
                    admitted.append((now, request["cookie"]))
        self._admitted.note(admitted)
        return statuses

    def logout(self, body: bytes, content_type: str) -> Answer:
        self._points.passed(f"{self._config.name}.work.before")
        try:
            claims = self.verify(parse_qs(body.decode())["logout_token"][0])
        except (jwt.PyJWTError, KeyError, ValueError) as error:
            return 400, {}, json.dumps({"error": "invalid_request", "error_description": str(error)}).encode()
        except requests.RequestException:
            return 503, {}, b""
        self.act(claims)
        self._points.passed(f"{self._config.name}.work.after")
        return 200, {"Cache-Control": "no-store"}, b""

    def act(self, claims: dict[str, Any]) -> None:
        """End what the token names, and write it down, in one step."""
        # Section 2.7: with a `sid` that session alone, with `sub` alone every session of the person.
        column, value = ("sid", claims["sid"]) if "sid" in claims else ("sub", claims["sub"])
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            # Acting once is a matter of asking whether the session still lives; a faulty site doesn't ask.
            live = "" if self._config.part == "acts-twice" else " AND live = 1"
            found = self._database.execute(f"SELECT cookie, sid FROM local WHERE {column} = ?{live}", (value,))
            for cookie, sid in found.fetchall():
                self._database.execute("UPDATE local SET live = 0 WHERE cookie = ?", (cookie,))
                self._record("ended", cookie, sid)
            self._database.execute("COMMIT")

    def more(self, path: str, document: Any) -> Any:
        return None

    def _record(self, what: str, cookie: str, sid: str) -> None:
        at = time.time_ns() // 1_000_000
        self._database.execute("INSERT INTO record VALUES (?, ?, ?, ?)", (at, what, cookie, sid))

    def verify(self, token: str, typ: str = "logout+jwt") -> dict[str, Any]:
        """Its claims. Raises PyJWTError, KeyError, ValueError, RequestException."""
        header = jwt.get_unverified_header(token)
        if header.get("typ") != typ:
            raise ValueError("typ")
        if self._keys is None:
            answer = requests.get(self._config.issuer + "/jwks.json", timeout=5)
            answer.raise_for_status()
            self._keys = jwt.PyJWKSet.from_dict(answer.json())
        claims: dict[str, Any] = jwt.decode(
            token,
            self._keys[header["kid"]],
            algorithms=["ES256"],
            audience=self._config.client_id,
            issuer=self._config.issuer,
            # By this site's own clock, below.
            options={"verify_exp": False, "verify_iat": False},
        )
        now_s = self.now_ms() / 1000
        # What was asked for has no `exp`: an end stays true.
        if not claims["iat"] - 60 <= now_s <= claims.get("exp", now_s) + 60:
            raise ValueError("by our clock this token is not of now")
        if claims["events"] != {EVENT: {}} or "nonce" in claims:
            raise ValueError("events")
        return claims

    def ask_for_ever(self) -> None:
        """Instead of being called: RFC 8936. What was done is acknowledged by the next call, also after a crash in
        between: then the same event comes once more, and there is nothing left to do."""
        done: list[str] = []
        while True:
            try:
                answer = requests.post(
                    self._config.issuer + "/poll",
                    json={"ack": done},
                    auth=(self._config.client_id, self._config.secret),
                    timeout=30,
                )
                answer.raise_for_status()
                done = []
                for jti, token in answer.json()["sets"].items():
                    self._points.passed(f"{self._config.name}.ask.before")
                    self.act(self.verify(token, "secevent+jwt"))
                    self._points.passed(f"{self._config.name}.ask.after")
                    done.append(jti)
                time.sleep(float(answer.headers.get("Retry-After", "0")))
            except (requests.RequestException, jwt.PyJWTError, ValueError, KeyError):
                time.sleep(0.5)


if __name__ == "__main__":
    config = SiteConfig.load(sys.argv[1])
    site = PlainSite(config)
    if config.route:
        reroute(*config.route)
    if config.polls:
        threading.Thread(target=site.ask_for_ever, daemon=True).start()
    SiteServer(config, site).serve_forever()
