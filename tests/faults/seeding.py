"""Sessions put in place through the ports: opened at the centre, each site registered by a redeemed ticket, and the
local sessions opened at the sites' own processes.
"""

import time
from concurrent.futures import ThreadPoolExecutor

import requests

from sso_server.core.identifiers import digest
from sso_server.core.policy import DAY, SECOND
from sso_server.core.sessions import Session
from sso_server.core.users import User
from tests.faults import plan
from tests.faults.plan import DEADLINES, Planned
from tests.faults.world import Host, World
from tests.support.builders import bucket, identifier

PASSWORD = "correct horse battery"
RENEWED_IDLE_MS = 6 * SECOND
#: What a session needs to visit twenty sites, on a very busy machine.
_LEAST_LIFE_S = 8.0


def now_ms() -> int:
    """The suite's clock is the machine's."""
    return time.time_ns() // 1_000_000


def add_users(world: World, sessions: list[Planned]) -> None:
    """An account for each person; one hash for all of them."""
    first = world.built.services.accounts.add("pattern", PASSWORD, actor="suite")
    for name in dict.fromkeys(p.user for p in sessions):
        user = User(user_id=f"usr-{name}", username=name, password_hash=first.password_hash, created_at=now_ms())
        assert world.built.sql.users.add(user)


def open_at_centre(world: World, planned: Planned, deadline: int = 0) -> None:
    """The global session, and every site registered in it. `deadline` (ms): when it is to fall due by itself."""
    services, stores = world.built.services, world.built.session_stores
    now = now_ms()
    planned.sid = planned.sid or identifier("sid")
    planned.cookie = planned.cookie or identifier("ck", bucket(planned.sid))
    planned.created_at = now
    session = stores.sessions.open(_session(planned, now, deadline), now, 0)
    assert session is not None
    sdk_only = planned.renewed
    for kind in world.kinds:
        if sdk_only and not kind.sdk:
            continue
        for name in plan.hosts_of(kind, planned.number):
            host = world.hosts[name]
            client = world.client(kind.client_id)
            uri = f"http://127.0.0.1:{host.config.port}/sso/callback"
            code = services.tickets.issue(
                session.session, client, redirect_uri=uri, code_challenge="", nonce="n", scope=("openid",)
            )
            issued = services.tickets.redeem(code, client, redirect_uri=uri, code_verifier=None, store_id=host.store_id)
            planned.registered.add((kind.client_id, name))
            planned.cookies[name] = f"{planned.sid}.{name}"
            if issued.refresh_token:
                planned.refresh_token, planned.refresh_client = issued.refresh_token, kind.client_id


def _session(planned: Planned, now: int, deadline: int) -> Session:
    idle = 8 * 3600 * SECOND
    absolute_until = now + DAY
    if planned.reason == "idle":
        # Redeeming a ticket counts as activity: a moment later than this.
        idle = deadline - now
    elif planned.reason == "absolute":
        absolute_until = deadline
    elif planned.renewed:
        idle = RENEWED_IDLE_MS
    planned.deadline = now + RENEWED_IDLE_MS if planned.renewed else deadline
    return Session(
        sid=planned.sid,
        user_id=f"usr-{planned.user}",
        user_version=1,
        browser_hash=digest(identifier("br", bucket(planned.sid))),
        cookie_hash=digest(planned.cookie),
        auth_time=now,
        amr=("pwd",),
        created_at=now,
        last_active_at=now,
        idle_allowance_ms=idle,
        absolute_until=absolute_until,
        user_agent="suite",
    )


def open_at_sites(world: World, sessions: list[Planned]) -> None:
    """Each site's own process opens its local sessions."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda host: _open_at(host, sessions), world.hosts.values()))


def _open_at(host: Host, sessions: list[Planned]) -> None:
    wanted = [
        {
            "cookie": p.cookies[host.name],
            "sid": p.sid,
            "sub": f"usr-{p.user}",
            # As the centre's answer to the ticket says.
            "until_ms": p.deadline if p.reason == "absolute" else p.created_at + DAY,
        }
        for p in sessions
        if host.name in p.cookies
    ]
    for i in range(0, len(wanted), 200):
        repeat(lambda part=wanted[i : i + 200]: host.ask("/seed", part, timeout_s=60))


def repeat(what, seconds: float = 180.0):
    """As a person who presses again: until it is answered. A site may be stopped for a minute; one call waits 20 s."""
    until = time.monotonic() + seconds
    while True:
        try:
            return what()
        except requests.RequestException:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def open_renewed(world: World, sessions: list[Planned]) -> None:
    """Those with a short idle time, at the moment from which they are renewed."""
    renewed = [p for p in sessions if p.renewed]
    for planned in renewed:
        open_at_centre(world, planned)
    open_at_sites(world, renewed)


def seed(world: World, sessions: list[Planned], part_one_s: float) -> float:
    """Everything that is not over HTTP or renewed. Returns when the first part begins (s, wall clock)."""
    ordinary = [p for p in sessions if not p.over_http and p.reason not in DEADLINES and not p.renewed]
    # The soonest first: each has time enough to visit every site before it falls due.
    timed = sorted((p for p in sessions if p.reason in DEADLINES), key=lambda p: p.at)
    began = time.time()
    # A server works on while this process does; SQLite lets in one writer at a time.
    with ThreadPoolExecutor(1 if "SSO_DATABASE_URL" not in world.settings else 4) as pool:
        list(pool.map(lambda planned: open_at_centre(world, planned), ordinary))
        each_s = (time.time() - began) / max(1, len(ordinary))
        open_at_sites(world, ordinary)
        # Deadlines are set before the run begins, and the setting takes a while.
        zero = time.time() + len(timed) * each_s * 2 + 2

        def open_timed(planned: Planned) -> None:
            due = max(zero + planned.at * part_one_s, time.time() + _LEAST_LIFE_S)
            open_at_centre(world, planned, deadline=int(due * 1000))

        list(pool.map(open_timed, timed))
    open_at_sites(world, timed)
    return max(zero, time.time())
