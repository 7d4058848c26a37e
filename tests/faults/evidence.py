"""What is there when a run is over: the sites' own records, the ledger's rows, and what each site and the centre say to
an old cookie now.
"""

import contextlib
import json
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from sso_client.identifiers import hashed
from sso_server.core.errors import Unavailable
from sso_server.core.notifications import Notification
from tests.faults import people
from tests.faults.plan import Planned
from tests.faults.seeding import repeat
from tests.faults.site_server import read_admitted
from tests.faults.world import Host, World

_CHUNK = 100


@dataclass
class SiteRecord:
    """What one host wrote down itself, by cookie. Times in ms."""

    opened: dict[str, list[int]] = field(default_factory=dict)
    ended: dict[str, list[int]] = field(default_factory=dict)
    admitted: dict[str, list[int]] = field(default_factory=dict)


@dataclass
class Evidence:
    """Everything that the reckoning looks at."""

    rows: dict[tuple[str, str, str], Notification] = field(default_factory=dict)
    """(sid, client, store)."""
    ended_at: dict[str, int] = field(default_factory=dict)
    """sid -> the end as the centre stamped it."""
    committed_at: dict[str, int] = field(default_factory=dict)
    """sid -> when the end was known to be committed, from the processes that made it."""
    records: dict[str, SiteRecord] = field(default_factory=dict)
    says: dict[tuple[str, str], int] = field(default_factory=dict)
    """(host, sid) -> the site's answer to the old cookie at the end: 200, 401, 503."""
    accepted: dict[str, bool] = field(default_factory=dict)
    """sid -> whether the centre takes the old cookie at the end."""


def count_attempts(world: World) -> Counter[str]:
    """What sites answered, attempt by attempt, from the delivery process's log: that the faults were really there."""
    found: Counter[str] = Counter()
    with (world.directory / "delivery.log").open() as lines:
        for line in lines:
            # What a killed process wrote last may be half a line, with its successor's first behind it.
            with contextlib.suppress(ValueError, KeyError):
                entry = json.loads(line)
                if entry["event"] == "notification_sent":
                    found[entry["error"].partition("/")[0] or "ok"] += 1
    return found


def gather(world: World, sessions: list[Planned]) -> Evidence:
    """Ask everybody, then read everybody's records."""
    found = Evidence(committed_at=world.diary.read())
    with ThreadPoolExecutor(4) as pool:
        for answers in pool.map(lambda host: _ask_site(host, sessions), world.hosts.values()):
            found.says.update(answers)
        accepted = pool.map(lambda p: people.is_accepted(world, p), sessions)
        found.accepted = {p.sid: answer for p, answer in zip(sessions, accepted, strict=True)}
    stores = world.built.session_stores
    for planned in sessions:
        session = stores.sessions.find(planned.sid)
        if session is not None and session.ended_at is not None:
            found.ended_at[planned.sid] = session.ended_at
            for row in stores.ledger.of_session(planned.sid):
                found.rows[row.sid, row.client_id, row.store_id] = row
    for host in world.hosts.values():
        found.records[host.name] = read_record(host, sessions)
    return found


def _ask_site(host: Host, sessions: Iterable[Planned]) -> dict[tuple[str, str], int]:
    """Every old cookie once more. A site whose lease ran out may need a moment to be confirmed again."""
    says: dict[tuple[str, str], int] = {}
    left = [p for p in sessions if host.name in p.cookies]
    until = time.monotonic() + 20
    while left:
        for i in range(0, len(left), _CHUNK):
            part = left[i : i + _CHUNK]
            asked = [{"cookie": p.cookies[host.name], "activity": False} for p in part]
            answers = repeat(lambda asked=asked: host.ask("/probe", asked, timeout_s=60))
            says.update({(host.name, p.sid): status for p, status in zip(part, answers, strict=True)})
        left = [p for p in left if says[host.name, p.sid] == 503]
        if time.monotonic() > until:
            break
    return says


def read_record(host: Host, sessions: Iterable[Planned]) -> SiteRecord:
    """From the host's own files, under the names that the suite gave the cookies."""
    names = {hashed(c) if host.kind.sdk else c: c for p in sessions if (c := p.cookies.get(host.name))}
    record = SiteRecord()
    with sqlite3.connect(f"file:{host.directory / 'site.sqlite3'}?mode=ro", uri=True, timeout=10) as connection:
        for at, what, cookie, _ in connection.execute("SELECT at_ms, what, cookie, sid FROM record ORDER BY rowid"):
            kept = record.opened if what == "opened" else record.ended
            kept.setdefault(names.get(cookie, cookie), []).append(at)
    connection.close()
    for at, cookie in read_admitted(host.directory):
        record.admitted.setdefault(names.get(cookie, cookie), []).append(at)
    return record


def is_at_rest(world: World) -> bool:
    """No row is waiting for anything, and nothing is on its way to the audit."""
    try:
        stores = world.built.session_stores
        return not stores.ledger.list_ended(1, unfinished_only=True) and not stores.archive.list_archivable(1)
    except Unavailable:
        return False
