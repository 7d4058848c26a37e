"""What every measurement lies on: a running centre on SQLite or Redis, sites that answer, sessions, and percentiles."""

from __future__ import annotations

import contextlib
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import requests
import sqlalchemy as sa

from sso_server.core.clients import site_client
from sso_server.core.identifiers import BROWSER
from sso_server.core.notifications import Notification, State
from sso_server.core.policy import DAY, HOUR, MINUTE, SECOND
from sso_server.core.sessions import Session
from sso_server.core.sign_in import Visitor
from sso_server.fronts.oidc.id_token import sign_id_token
from sso_server.wiring import Built
from tests.support.builders import opened, registered
from tests.support.centre import Centre
from tests.support.services import running_redis
from tests.support.sinks import Sink

ENGINES = ("sqlite", "redis")
#: As the centre's own margin: an end by time must not find its rows moot because they were seeded without one.
MARGIN_MS = 5 * MINUTE


@dataclass(frozen=True)
class Visit:
    """A person who is signed in, with all that a site sends along to sign out."""

    sid: str
    cookie: str
    id_token: str


class Bed:
    """One running centre."""

    def __init__(self, engine: str, centre: Centre, built: Built) -> None:
        self.engine = engine
        self.centre = centre
        self.built = built
        self.stores: Any = built.session_stores
        if engine == "sqlite":
            hasten(self.stores.database)

    def site(self, client_id: str, logout_uri: str) -> None:
        """A registered client that is told at this address."""
        client = site_client(client_id, client_id, f"https://{client_id}.example", self.now())
        assert self.built.sql.clients.add(replace(client, backchannel_logout_uri=logout_uri))

    def session(self, client_ids: Sequence[str], *, user_id: str = "usr-crowd", until: int = 0) -> Session:
        """A session that opened these sites; with `until` (ms) that is when its time is over, else in a day."""
        now = self.now() - SECOND
        session = opened(
            self.stores, now, user_id=user_id, absolute_until=until or now + DAY, idle_allowance_ms=40 * DAY
        )
        for client_id in client_ids:
            registered(self.stores, session, client_id, now, margin_ms=MARGIN_MS, local_max_ms=HOUR)
        return session

    def seeding_ms(self, sessions: int, sites: int, client_id: str) -> int:
        """How long it will take, with a good margin, to seed that many; a few sessions at this site tell how fast."""
        begun = time.monotonic()
        for _ in range(20):
            self.session([client_id])
        # One step opens the session, two more register a site.
        step_ms = (time.monotonic() - begun) * 1000 / (20 * 3)
        return 4 * SECOND + int(1.7 * step_ms * sessions * (1 + 2 * sites))

    def visit(self, client_id: str) -> Visit:
        """Alice in a browser of her own at one site."""
        services = self.built.services
        visitor = Visitor(
            browser_id=services.randomness.identifier(BROWSER, services.randomness.bucket()),
            address="192.0.2.7",
            user_agent="Firefox",
            known_mark="",
        )
        signed_in = services.sign_in.open(services.accounts.get("alice"), visitor, remember=False)
        registered(self.stores, signed_in.session, client_id, self.now(), margin_ms=MARGIN_MS)
        client = services.clients.find(client_id)
        assert client is not None
        id_token = sign_id_token(
            services.signer,
            client,
            services.policy,
            sub=signed_in.user.user_id,
            sid=signed_in.session.sid,
            auth_time=self.now(),
            amr=("pwd",),
            acr="",
            nonce="",
            access_token="none",
            now=self.now(),
        )
        return Visit(signed_in.session.sid, signed_in.cookie, id_token)

    def sign_out(self, visit: Visit) -> float:
        """As a site sends the browser to sign out: GET /end-session; how long the answer took (ms)."""
        begun = time.perf_counter()
        answer = requests.get(
            f"{self.centre.issuer}/end-session",
            params={"id_token_hint": visit.id_token},
            cookies={"lockstep_session": visit.cookie},
            allow_redirects=False,
            timeout=60,
        )
        took_ms = (time.perf_counter() - begun) * 1000
        assert answer.status_code == 303, f"{answer.status_code} {answer.text[:300]}"
        return took_ms

    def rows(self, sids: Iterable[str]) -> list[Notification]:
        """The ledger rows of these sessions."""
        return [row for sid in sids for row in self.stores.ledger.of_session(sid)]

    def told(
        self, sids: Sequence[str], is_counted: Callable[[Notification], bool], timeout_s: float
    ) -> list[Notification]:
        """Their rows, as soon as all that count are acknowledged. Raises AssertionError if it never comes to that."""
        deadline = time.monotonic() + timeout_s
        waiting, found = list(sids), []
        while waiting:
            rows = [row for row in self.stores.ledger.of_session(waiting[-1]) if is_counted(row)]
            if rows and all(row.state is State.ACKNOWLEDGED for row in rows):
                found += rows
                waiting.pop()
                continue
            assert time.monotonic() < deadline, f"{len(waiting)} sessions' sites not told after {timeout_s} s"
            time.sleep(0.1)
        return found

    def now(self) -> int:
        """Milliseconds UTC."""
        return self.built.services.clock.now()


@contextlib.contextmanager
def running(engine: str, **settings: object) -> Iterator[Bed]:
    """`sso serve` with two web workers and the delivery process, alice's account, and nothing else yet."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        url = ""
        if engine == "redis":
            data = directory / "redis"
            data.mkdir()
            # As docs/redis.md asks for.
            url = stack.enter_context(running_redis(data, "--appendonly", "yes"))
        centre = Centre(directory, url, {f"SSO_{name.upper()}": str(value) for name, value in settings.items()})
        stack.callback(centre.process.stop)
        centre.start()
        centre.add_user("alice")
        built = stack.enter_context(centre.core())
        yield Bed(engine, centre, built)


@contextlib.contextmanager
def sinks(behaviours: Sequence[str]) -> Iterator[list[Sink]]:
    """Sites on sockets, one per behaviour."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Sink(behaviour)) for behaviour in behaviours]


def hasten(database: Any) -> None:
    """What this process writes into SQLite isn't on the disk before it goes on: in a measurement nothing is lost by
    that. Other processes commit as they do."""
    engine, writes = database._engine, database._writes  # noqa: SLF001  # nobody else may ask for this
    sa.event.listen(engine, "checkout", lambda driver, *_: driver.execute("PRAGMA synchronous = OFF"))
    # The connection that was kept so far.
    writes.close()


def at_rate(per_second: float, count: int, act: Callable[[int], None]) -> None:
    """Call `act` that often a second; if it takes longer, the next ones come at once."""
    begun = time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, begun + number / per_second - time.monotonic()))
        act(number)


def percentile(values: Sequence[float], percent: float) -> float:
    """The value below or at which so many percent lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-len(ordered) * percent // 100) - 1))]


def spread(values: Sequence[float]) -> list[str]:
    """How many, p50, p99 and max."""
    return [
        str(len(values)),
        *(f"{value:.0f}" for value in (percentile(values, 50), percentile(values, 99), max(values))),
    ]


def table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table, ready for docs/benchmarks.md."""
    print(f"\n{title}\n")
    print("| " + " | ".join(headings) + " |")
    print("| " + " | ".join("---" for _ in headings) + " |")
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)


def machine() -> str:
    """One line about where this was measured."""
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, load before the run {load:.1f}"
