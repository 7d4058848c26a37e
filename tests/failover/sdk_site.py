"""A site with the SDK in this process: a real SSOClient over its real SQLite store, with the shortest lease there is.

Nobody can call it: only the lease and its check-ins end a local session.
"""

import threading
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from sso_client import LeaseExpired, SSOClient, SSOError, load_settings, open_sqlite_store
from tests.failover.books import Books, Life
from tests.failover.line import Line, NotNow
from tests.support.ports import free_port

LEASE_S = 5
_STEP_S = 0.1
_AT_ONCE = 25
#: How long after an end its people are watched: until a lease must have run out, and some time on.
_WATCH_S = LEASE_S + 20


class SdkSite:
    """One site with one store."""

    def __init__(self, directory: Path, client_id: str, issuer: str) -> None:
        self.client_id = client_id
        self.secret = f"secret-of-{client_id}-0123456789abcdef0123456789"
        self.base_url = f"http://127.0.0.1:{free_port()}"
        self._issuer = issuer
        self._path = directory / f"{client_id}.sqlite3"
        self.admitted: dict[str, float] = {}
        """Cookie -> when the last request of it that was let through came (s since the epoch)."""

    def open(self) -> None:
        """Registered by now."""
        settings = load_settings(
            {
                "issuer": self._issuer,
                "client_id": self.client_id,
                "client_secret": self.secret,
                "base_url": self.base_url,
            },
            environ={},
        )
        self.client = SSOClient(settings, open_sqlite_store(self._path, issuer=self._issuer, client_id=self.client_id))

    def sign_in(self, line: Line, life: Life) -> None:
        """Through the centre and back, without a question. Raises NotNow."""
        try:
            url, attempt = self.client.login_url("/")
            parts = urlsplit(url)
            cookies = dict(life.cookies)
            answer = line.ask("ticket", "GET", f"{parts.path}?{parts.query}", cookies)
            query = parse_qs(urlsplit(answer.headers.get("Location", "")).query)
            if "code" not in query:
                raise NotNow
            ticket = self.client.read_answer(query, attempt)
            cookie, _ = self.client.open_session(self.client.validate_ticket(ticket, attempt))
        except SSOError as error:
            raise NotNow from error
        life.local[self.client_id] = cookie

    def sign_out(self, life: Life) -> bool:
        """Here; whether the centre could be told at once."""
        done = self.client.sign_out(life.local[self.client_id])
        life.local_ended_at = time.time()
        return bool(done.told)

    def visit(self, life: Life, *, activity: bool = False) -> int:
        """200: let through. 401: signed out. 503: can't say."""
        # When it came, not when it was answered: on a busy machine that may be a second later.
        cookie, came_at = life.local[self.client_id], time.time()
        try:
            session = self.client.find_session(cookie, activity=activity)
        except (LeaseExpired, SSOError):
            return 503
        if session is None:
            return 401
        self.admitted[cookie] = came_at
        return 200

    def watch(self, books: Books, stop: threading.Event) -> None:
        """Visitors: those who have just signed out, and some who stay, so that the store calls in."""
        while not stop.wait(_STEP_S):
            now = time.time()
            here = books.all(lambda life: self.client_id in life.local)
            gone = [life for life in here if now - _WATCH_S < (life.ended_at or life.local_ended_at) <= now]
            for life in [*gone[-_AT_ONCE:], *[life for life in here if not life.ended_at][-2:]]:
                self.visit(life)

    def close(self) -> None:
        self.client.close()
