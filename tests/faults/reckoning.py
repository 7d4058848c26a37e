"""The counting, from the suite's own list and the sites' own records, never from the ledger's word alone. Pure.

Each fault is counted in one row only: what was brought back isn't overhang too, and what never ended isn't brought
back.
"""

from collections import Counter
from dataclasses import dataclass, field

from sso_server.core.notifications import POLLED, State
from tests.faults.evidence import Evidence, SiteRecord
from tests.faults.plan import DEADLINES, ORDERS, Planned, hosts_of
from tests.faults.sites import LEASE_S, SiteKind, stated_skew_ms

#: A request that was let through just before an end was committed may be written down just after it.
MEASURED_MS = 500
ROWS = ("unaccounted", "acted on twice", "brought back", "overhang", "early", "not seen")


@dataclass
class Reckoning:
    """The numbers of the table, and a sentence for each thing that may not be."""

    sign_outs: int = 0
    over_http: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    worst_overhang_ms: int = 0
    allowed_overhang_ms: int = 0
    latest_end_ms: int = 0
    """From a deadline, or from an answered order, until the end was committed."""
    watched: int = 0
    """How many local sessions of people who signed out were let through at least once, at sites with the SDK."""
    visits_over_http: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Sites `with` and `without the` SDK: how often a person signed in there over HTTP, and was to."""
    faults: dict[str, list[str]] = field(default_factory=lambda: {row: [] for row in ROWS})

    @property
    def holds(self) -> bool:
        """Nothing is there that may not be."""
        return not any(self.faults.values())


@dataclass(frozen=True)
class HostFacts:
    """What the reckoning must know of one host."""

    name: str
    kind: SiteKind
    store_id: str


def reckon(sessions: list[Planned], hosts: list[HostFacts], evidence: Evidence) -> Reckoning:
    """Count everything."""
    found = Reckoning()
    by_name = {host.name: host for host in hosts}
    sdk = [host for host in hosts if host.kind.sdk]
    skew = max((stated_skew_ms(host.kind) for host in sdk), default=0)
    found.allowed_overhang_ms = LEASE_S * 1000 + skew + MEASURED_MS
    for planned in sessions:
        if not planned.ends:
            _control(planned, by_name, evidence, found)
            continue
        found.sign_outs += 1
        found.over_http += planned.over_http
        found.reasons[planned.reason] += 1
        _end(planned, evidence, found)
        for name, cookie in planned.cookies.items():
            _at_host(planned, by_name[name], cookie, evidence, found)
    _rows(sessions, by_name, evidence, found)
    for sdk_too in (True, False):
        names = {host.name for host in hosts if host.kind.sdk is sdk_too}
        planned_visits = sum(len(names & set(hosts_named(hosts, p.number))) for p in sessions if p.over_http)
        done = sum(len(names & p.cookies.keys()) for p in sessions if p.over_http)
        found.visits_over_http["with the" if sdk_too else "without the"] = (done, planned_visits)
    return found


def hosts_named(hosts: list[HostFacts], number: int) -> set[str]:
    """Where the person with this number goes."""
    return {name for kind in {host.kind for host in hosts} for name in hosts_of(kind, number)}


def _end(planned: Planned, evidence: Evidence, found: Reckoning) -> None:
    ended_at = evidence.ended_at.get(planned.sid)
    if ended_at is None:
        found.faults["unaccounted"].append(f"{planned.sid} ({planned.reason}): answered, but the session lives")
        return
    due = planned.deadline if planned.reason in DEADLINES else planned.began_at
    if ended_at < due:
        found.faults["early"].append(f"{planned.sid} ({planned.reason}) ended {due - ended_at} ms before its time")
    late = evidence.committed_at.get(planned.sid, ended_at) - max(planned.deadline, planned.answered_at)
    if planned.reason in DEADLINES or planned.reason in ORDERS:
        found.latest_end_ms = max(found.latest_end_ms, late)
    elif late > MEASURED_MS and planned.reason != "site_sign_out":
        # A site that is cut off says so to its person, and tells the centre later.
        found.faults["unaccounted"].append(f"{planned.sid} ({planned.reason}): answered {late} ms before it ended")
    if evidence.accepted.get(planned.sid):
        found.faults["brought back"].append(f"{planned.sid} ({planned.reason}): the centre takes the old cookie")


def _at_host(planned: Planned, host: HostFacts, cookie: str, evidence: Evidence, found: Reckoning) -> None:
    record = evidence.records[host.name]
    ends = record.ended.get(cookie, [])
    what = f"{planned.sid} ({planned.reason}) at {host.name}"
    if len(ends) > 1:
        found.faults["acted on twice"].append(f"{what}: ended {len(ends)} times")
    if _was_brought_back(record, cookie, ends):
        found.faults["brought back"].append(f"{what}: served after its end")
        return
    if not ends and evidence.says.get((host.name, planned.sid)) == 200 and not _gave_up(planned, host, evidence):
        found.faults["unaccounted"].append(f"{what}: still served")
    if host.kind.sdk:
        _overhang(planned, host, cookie, record, evidence, found)


def _was_brought_back(record: SiteRecord, cookie: str, ends: list[int]) -> bool:
    if not ends:
        return False
    reopened = any(at > ends[0] for at in record.opened.get(cookie, []))
    served = max(record.admitted.get(cookie, [0])) > ends[0] + MEASURED_MS
    return reopened or served


def _overhang(
    planned: Planned, host: HostFacts, cookie: str, record: SiteRecord, evidence: Evidence, found: Reckoning
) -> None:
    stamped = evidence.ended_at.get(planned.sid)
    if stamped is None:
        return
    committed = evidence.committed_at.get(planned.sid, stamped)
    last = max(record.admitted.get(cookie, [0]))
    found.watched += bool(last)
    overhang = last - committed
    found.worst_overhang_ms = max(found.worst_overhang_ms, overhang)
    allowed = LEASE_S * 1000 + stated_skew_ms(host.kind) + MEASURED_MS
    if overhang > allowed:
        name = f"{planned.sid} ({planned.reason}) at {host.name}"
        found.faults["overhang"].append(f"{name}: served {overhang} ms after its end, {allowed} are allowed")


def _gave_up(planned: Planned, host: HostFacts, evidence: Evidence) -> bool:
    """The site refused on purpose, and the ledger says so by name: accounted for."""
    row = evidence.rows.get((planned.sid, host.kind.client_id, host.store_id))
    refused = row is not None and row.state in (State.REFUSED, State.ABANDONED)
    return bool(refused and host.kind.refuses and row and row.last_error.partition("/")[0] == host.kind.refuses)


def _rows(sessions: list[Planned], by_name: dict[str, HostFacts], evidence: Evidence, found: Reckoning) -> None:
    ending = {p.sid: p for p in sessions if p.ends}
    for planned in ending.values():
        if planned.sid not in evidence.ended_at:
            continue
        for client_id, name in planned.registered:
            if (planned.sid, client_id, by_name[name].store_id) not in evidence.rows:
                found.faults["unaccounted"].append(f"{planned.sid} ({planned.reason}) has no row for {name}")
    by_store = {(host.kind.client_id, host.store_id): host for host in by_name.values()}
    for (sid, client_id, store_id), row in evidence.rows.items():
        planned = ending.get(sid)  # type: ignore[assignment]
        if planned is None:
            continue
        waits = not row.state.is_final
        found.states["waiting" if waits else row.state.value] += 1
        name = f"{sid} ({planned.reason}) at {client_id}"
        if waits and row.store_id and (host := by_store.get((client_id, store_id))):
            # Everything is mended, and this store has been asked about its people: it checked in, and was told.
            if evidence.says.get((host.name, sid)) in (200, 401):
                found.faults["unaccounted"].append(f"{name}: waiting, although its store hears and answers")
        elif row.state is State.PENDING and row.next_attempt_at is None and not row.store_id and row.kind != POLLED:
            # A store hears at its check-in, whoever polls hears when they ask; nobody else ever would.
            found.faults["unaccounted"].append(f"{name}: waiting, and nothing is planned")
        host = by_store.get((client_id, store_id))
        if row.state is not State.ACKNOWLEDGED or host is None:
            continue
        cookie = planned.cookies.get(host.name)
        record = evidence.records[host.name]
        if cookie and cookie in record.opened and cookie not in record.ended:
            found.faults["unaccounted"].append(f"{name}: acknowledged, but the site's own record shows no end")


def _control(planned: Planned, by_name: dict[str, HostFacts], evidence: Evidence, found: Reckoning) -> None:
    what = f"{planned.sid}, which nobody ended,"
    if planned.sid in evidence.ended_at:
        found.faults["early"].append(f"{what} was ended at the centre")
        return
    if not evidence.accepted.get(planned.sid):
        found.faults["early"].append(f"{what} is no longer taken by the centre")
    for name, cookie in planned.cookies.items():
        if evidence.records[name].ended.get(cookie) or evidence.says.get((name, planned.sid)) != 200:
            found.faults["early"].append(f"{what} is no longer served at {name}")
