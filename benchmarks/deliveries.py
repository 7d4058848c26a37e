"""D: how many sites one core of the delivery process tells in a second, when many people have signed out at once.

Counted is all that the process takes, and its Redis: claiming, signing, sending, reading the answers, recording them,
and copying what is final to the audit. The floor signs and sends (`floor_telling`).
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import Any

from benchmarks.bed import MARGIN_MS, hasten
from benchmarks.given import Given
from benchmarks.goals import ours
from benchmarks.keys import private_key
from benchmarks.listeners import Listeners, listening
from benchmarks.lockstep_server import LockstepServer
from benchmarks.processes import cpu_s
from benchmarks.results import Figure
from benchmarks.rounds import turned
from benchmarks.servers import Case, started
from benchmarks.traffic import SITES, Site
from sso_server.core.policy import DAY, HOUR, SECOND
from sso_server.core.sessions import EndReason
from tests.support.builders import opened, registered

#: People of whom each had opened 20 sites, for each second that a workload is to last.
PER_SECOND = 100
_LONGEST_S = 120


def figures(given: Given) -> Iterator[Figure]:
    """Each store with both algorithms."""
    people = max(2, int(PER_SECOND * given.seconds))
    for number in range(given.rounds):
        for store, algorithm in product(given.stores, ("ES256", "RS256")):
            for told_by in turned((_lockstep, _floor), number):
                # Each tells sites of its own, who have heard nothing yet.
                with TemporaryDirectory(prefix="bench-sites-") as directory, listening(Path(directory)) as sites:
                    yield from told_by(ours("gunicorn", store, algorithm), sites, people, number)


def _lockstep(case: Case, sites: Listeners, people: int, number: int) -> Iterator[Figure]:
    server = LockstepServer(case.web_server, case.store, case.algorithm, logout_uri=sites.logout_uri)
    with started(server):
        yield from _round(server, sites, people, number)


def _round(server: LockstepServer, sites: Listeners, people: int, number: int) -> Iterator[Figure]:
    pids, redis = server.processes()["delivery"], server.processes().get("redis", ())
    with server.centre.core() as built:
        stores: Any = built.session_stores
        if server.store == "sqlite":
            hasten(stores.database)
        now = built.services.clock.now() - SECOND
        # Everything has been done once, and each site has said that it answers.
        _end(stores, [_session(stores, sites, now)], now + SECOND)
        _until_told(stores, sites, SITES)
        sids = [_session(stores, sites, now) for _ in range(people)]
        before, before_redis, begun = cpu_s(pids), cpu_s(redis), time.monotonic()
        _end(stores, sids, built.services.clock.now())
        told_s = _until_told(stores, sites, SITES * (people + 1)) - begun
        spent, spent_redis = cpu_s(pids) - before, cpu_s(redis) - before_redis
        _check(stores, sites, sids)
    yield from _figures(server.case, SITES * people, told_s, spent, spent_redis, number)


def _figures(case: Case, count: int, told_s: float, spent: float, spent_redis: float, number: int) -> Iterator[Figure]:
    said = {
        "per_second_and_core": count / max(spent + spent_redis, 0.001),
        "cpu_ms": (spent + spent_redis) * 1000 / count,
        "redis_ms": spent_redis * 1000 / count,
        "per_second": count / told_s,
    }
    for name, value in said.items():
        yield Figure(case, "D", name, value, number)


def _floor(case: Case, sites: Listeners, people: int, number: int) -> Iterator[Figure]:
    """A loop that tells the same sites as often."""
    before = len(sites.heard())
    urls = [sites.logout_uri(Site(site)) for site in range(1, SITES + 1)]
    with NamedTemporaryFile(suffix=".pem") as key_file:
        key_file.write(private_key(case.algorithm))
        key_file.flush()
        command = [sys.executable, "-m", "benchmarks.floor_telling", key_file.name, case.algorithm, str(people), *urls]
        said = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=_LONGEST_S, cwd=Path(__file__).parents[1]
        )
    told_s, spent = map(float, said.stdout.split())
    assert len(sites.heard()) - before == SITES * (people + 1), "a site was not told"
    yield from _figures(replace(case, product="floor"), SITES * people, told_s, spent, 0.0, number)


def _session(stores: Any, sites: Listeners, now: int) -> str:
    session = opened(stores, now, user_id="usr-crowd", absolute_until=now + DAY, idle_allowance_ms=40 * DAY)
    for site in map(Site, range(1, SITES + 1)):
        where = sites.logout_uri(site)
        registered(stores, session, site.client_id, now, margin_ms=MARGIN_MS, local_max_ms=HOUR, logout_uri=where)
    return session.sid


def _end(stores: Any, sids: list[str], now: int) -> None:
    for sid in sids:
        stores.sessions.end(sid, EndReason.SIGN_OUT.value, now)


def _until_told(stores: Any, sites: Listeners, calls: int) -> float:
    """When so many calls had come (monotonic seconds); all is recorded and in the audit when this returns."""
    deadline = time.monotonic() + _LONGEST_S
    while sites.notes.read_bytes().count(b"\n") < calls:
        assert time.monotonic() < deadline, f"{len(sites.heard())} of {calls} calls after {_LONGEST_S} s"
        time.sleep(0.02)
    told = time.monotonic()
    while stores.outbox.next_due(0) is not None or stores.archive.list_archivable(1):
        assert time.monotonic() < deadline, "not everything was recorded"
        time.sleep(0.05)
    return told


def _check(stores: Any, sites: Listeners, sids: list[str]) -> None:
    """Each site has heard of each session once, and the ledger says so."""
    heard = [(call.sid, call.site) for call in sites.heard() if call.sid in set(sids)]
    assert len(heard) == len(set(heard)) == SITES * len(sids), f"{len(heard)} calls, {len(set(heard))} different"
    states = {row.state for sid in sids for row in stores.ledger.of_session(sid)}
    assert states <= {"acknowledged"}, states
