"""A site with the SDK: a real SSOClient over its real SQLite store. What it keeps for the suite is written by triggers
in that file, in the very transactions that open and end local sessions.
"""

import dataclasses
import sqlite3
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sso_client import LeaseExpired, LocalSession, SSOClient, SSOError, load_settings, open_sqlite_store
from sso_client import admission as admission_module
from sso_client.attempt import Attempt
from sso_client.clock import Instant, SystemClock
from sso_client.identifiers import hashed
from sso_client.lease import Lease, Standing, judge
from tests.faults.points import Points, Watched
from tests.faults.site_server import AdmittedLog, Answer, SiteConfig, SiteServer, reroute

_NOW = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
_TRIGGERS = f"""
CREATE TABLE IF NOT EXISTS record (at_ms INTEGER, what TEXT, cookie TEXT, sid TEXT);
CREATE TRIGGER IF NOT EXISTS record_opened AFTER INSERT ON sessions
BEGIN INSERT INTO record VALUES ({_NOW}, 'opened', NEW.cookie_hash, NEW.sid); END;
CREATE TRIGGER IF NOT EXISTS record_ended AFTER DELETE ON sessions
BEGIN INSERT INTO record VALUES ({_NOW}, 'ended', OLD.cookie_hash, OLD.sid); END;
"""


class SiteClock:
    """`sso_client.Clock`, off and slow as configured. It remembers the real time of each thread's last look."""

    def __init__(self, off_ms: int, slow: float) -> None:
        self._real = SystemClock()
        self._off_ms = off_ms
        self._slow = slow
        self._boot_from = self._real.boot_ms()
        self._looked = threading.local()

    def _lag_ms(self) -> int:
        return int((self._real.boot_ms() - self._boot_from) * self._slow)

    def wall_ms(self) -> int:
        self._looked.at = self._real.wall_ms()
        return self._looked.at + self._off_ms - self._lag_ms()

    def boot_ms(self) -> int:
        return self._real.boot_ms() - self._lag_ms()

    def boot_id(self) -> str:
        return self._real.boot_id()

    @property
    def looked_at(self) -> int:
        """Real ms of this thread's last look."""
        return int(self._looked.at)


class SdkSite:
    """One host of a site."""

    def __init__(self, config: SiteConfig) -> None:
        directory = Path(config.directory)
        points = Points(Path(config.run) / "points")
        self._admitted = AdmittedLog(directory)
        self._clock = SiteClock(config.clock_off_ms, config.clock_slow)
        self._pool = ThreadPoolExecutor(8)
        path = directory / "site.sqlite3"
        store = open_sqlite_store(path, issuer=config.issuer, client_id=config.client_id)
        with sqlite3.connect(path, timeout=10) as connection:
            connection.executescript(_TRIGGERS)
        connection.close()

        def point(name: str) -> Any:
            return lambda *args, **kwargs: points.passed(f"{config.name}.{name}")

        instead = {"end_by_sid": _ends_and_puts_back(path)} if config.part == "comes-back-at-site" else {}
        store = dataclasses.replace(
            store,
            inbox=Watched(
                store.inbox,
                before={"end_by_sid": point("inbox.before")},
                after={"end_by_sid": point("inbox.after")},
                instead=instead,
            ),
            journal=Watched(
                store.journal, before={"apply": point("apply.before")}, after={"apply": point("apply.after")}
            ),
        )
        if config.part == "endless-lease":
            admission_module.judge = _never_expired  # type: ignore[assignment]
        if config.route:
            reroute(*config.route)
        settings = load_settings(
            {
                "issuer": config.issuer,
                "client_id": config.client_id,
                "client_secret": config.secret,
                "base_url": f"http://127.0.0.1:{config.port}",
            },
            environ={},
        )
        self._client = SSOClient(settings, store, clock=self._clock)

    def seed(self, sessions: list[dict[str, Any]]) -> Any:
        now = self._clock.wall_ms()
        for s in sessions:
            session = LocalSession(
                cookie_hash=hashed(s["cookie"]),
                sid=s["sid"],
                sub=s["sub"],
                id_token="-",
                id_token_iat=now // 1000,
                claims={"sub": s["sub"]},
                asked=True,
                generation=1,
                opened_at_ms=now,
                until_ms=s["until_ms"] + now - self._clock.looked_at,
                served_at_ms=now,
                reported_at_ms=now,
                leased=True,
            )
            if self._client.store.sessions.find(session.cookie_hash, now)[0] is None:
                self._client.store.sessions.open(session, None)
        return len(sessions)

    def probe(self, requests: list[dict[str, Any]]) -> list[int]:
        return list(self._pool.map(self._admit, requests))

    def _admit(self, request: dict[str, Any]) -> int:
        try:
            session = self._client.find_session(request["cookie"], activity=request.get("activity", True))
        except LeaseExpired:
            return 503
        except SSOError:
            return 503
        if session is None:
            return 401
        # When it is through, not when the SDK looked at its clock: what lies between is overhang too.
        self._admitted.note([(time.time_ns() // 1_000_000, hashed(request["cookie"]))])
        return 200

    def logout(self, body: bytes, content_type: str) -> Answer:
        answer = self._client.receive_logout(body, content_type)
        return answer.status, dict(answer.headers), answer.body.encode()

    def more(self, path: str, document: Any) -> Any:
        try:
            match path:
                case "/store":
                    return {"store_id": self._client.store.store_id}
                case "/login":
                    url, attempt = self._client.login_url("/")
                    return {"url": url, "attempt": dataclasses.asdict(attempt)}
                case "/callback":
                    attempt = Attempt(**document["attempt"])
                    ticket = self._client.read_answer(document["query"], attempt)
                    cookie, session = self._client.open_session(self._client.validate_ticket(ticket, attempt))
                    return {"cookie": cookie, "sid": session.sid}
                case "/sign-out":
                    done = self._client.sign_out(document["cookie"])
                    return {"was_signed_in": done.was_signed_in, "told": done.told}
        except SSOError as error:
            return {"error": error.code}
        return None


def _never_expired(lease: Lease, now: Instant) -> Standing:
    """The faulty lease: it is renewed while that is possible, and holds when it isn't."""
    standing = judge(lease, now)
    return Standing.RENEW if standing is Standing.EXPIRED else standing


def _ends_and_puts_back(path: Path) -> Any:
    """The faulty store: whatever ended is there again a moment later."""

    def end_by_sid(real: Any, sid: str, *args: Any) -> Any:
        with sqlite3.connect(path, timeout=10, isolation_level=None) as connection:
            rows = connection.execute("SELECT * FROM sessions WHERE sid = ?", (sid,)).fetchall()
            done = real(sid, *args)
            for row in rows:
                connection.execute(f"INSERT INTO sessions VALUES ({', '.join('?' * len(row))})", row)
        connection.close()
        return done

    return end_by_sid


if __name__ == "__main__":
    config = SiteConfig.load(sys.argv[1])
    site = SdkSite(config)
    SiteServer(config, site).serve_forever()
