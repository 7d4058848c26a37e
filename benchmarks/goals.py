"""What Lockstep wants to say of its speed, as a table: each goal, how it is read from the figures, its bound.

Goals are ratios within one run wherever that is possible: milliseconds are the machine's. A goal that nothing was
measured for has no verdict, and the page says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from benchmarks.results import Run, Spread, Summary, Values, spread_of
from benchmarks.rounds import CONNECTIONS
from benchmarks.servers import Case
from benchmarks.workloads import WORKLOADS

OIDC_PROVIDER = Case("oidc-provider", "node", "redis")
AUTHLIB = Case("authlib", "gunicorn", "redis")
DJANGO_CAS = "django-cas-server"
WEB_SERVERS = ("gunicorn", "granian")
STORES = ("redis", "sqlite")
#: Of sessions in the store; each is read at its largest size and its smallest.
GROWING = ("W1", "W2", "W3u", "W6", "expiry")


@dataclass(frozen=True, slots=True)
class Goal:
    """One line of the table of verdicts."""

    about: str
    where: str
    """With which web server, on which store."""
    read: Callable[[Summary], Values]
    """Its values, round by round; none: not measured."""
    bound: float
    unit: str = "x"
    at_most: bool = False
    note: Callable[[Summary], str] = lambda _: ""
    """Which configuration was the fastest, and the like."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How it stands."""

    goal: Goal
    measured: Spread | None
    note: str = ""

    @property
    def is_met(self) -> bool:
        """By the median."""
        if self.measured is None:
            return False
        value = self.measured.median
        return value <= self.goal.bound if self.goal.at_most else value >= self.goal.bound

    @property
    def missed_by(self) -> float:
        """As a share of the bound; 0 when it is met."""
        assert self.measured is not None
        return 0.0 if self.is_met else abs(self.measured.median - self.goal.bound) / self.goal.bound


def verdicts(summary: Summary) -> list[Verdict]:
    """Of all goals."""
    found = []
    for goal in GOALS:
        values = goal.read(summary)
        measured = spread_of(values.values()) if values else None
        found.append(Verdict(goal, measured, goal.note(summary) if measured else ""))
    return found


def ours(web_server: str, store: str, algorithm: str = "ES256") -> Case:
    """Lockstep."""
    return Case("lockstep", web_server, store, algorithm)


def floor(case: Case) -> Case:
    """Its floor."""
    return replace(case, product="floor")


def at(workload: str) -> str:
    """With how many at once it is asked, as figures are labelled."""
    return str(min(CONNECTIONS, WORKLOADS[workload].most))


def fastest(run: Run, workload: str, algorithm: str = "ES256") -> Case:
    """The web server with which Lockstep on Redis answers most."""

    def per_second(case: Case) -> float:
        values = run.values(case, workload, "per_second", at(workload))
        return spread_of(values.values()).median if values else 0.0

    return max((ours(web_server, "redis", algorithm) for web_server in WEB_SERVERS), key=per_second)


def _run(summary: Summary, name: str) -> Run:
    return summary.runs.get(name, Run())


def _faster(workload: str, than: Case, bound: float, *, web_server: str = "") -> Goal:
    """Operations a second against a peer's, in the same rounds."""

    def case(summary: Summary) -> Case:
        run = _run(summary, "peers")
        return ours(web_server, "redis", than.algorithm) if web_server else fastest(run, workload, than.algorithm)

    def read(summary: Summary) -> Values:
        run = _run(summary, "peers")
        mine, theirs = (run.values(one, workload, "per_second", at(workload)) for one in (case(summary), than))
        return run.ratio(mine, theirs)

    where = f"{web_server}, redis" if web_server else "the fastest configuration"
    return Goal(
        f"{workload} {than.algorithm}, operations a second against {than.product}",
        where,
        read,
        bound,
        note=lambda summary: "" if web_server else case(summary).web_server,
    )


def _cas_round(summary: Summary) -> Values:
    run = _run(summary, "peers")
    theirs = next((case for case in run.cases("CR", at("CR")) if case.product == DJANGO_CAS), None)
    if theirs is None:
        return {}
    mine = run.values(fastest(run, "CR"), "CR", "per_second", at("CR"))
    return run.ratio(mine, run.values(theirs, "CR", "per_second", at("CR")))


def _near_floor(workload: str, bound: float) -> Iterable[Goal]:
    """Processor time against the floor on the same web server and store."""

    def reading(case: Case) -> Callable[[Summary], Values]:
        def read(summary: Summary) -> Values:
            run = _run(summary, "own")
            mine, least = (run.values(one, workload, "cpu_ms", at(workload)) for one in (case, floor(case)))
            return run.ratio(mine, least)

        return read

    for store in STORES:
        for web_server in WEB_SERVERS:
            about = f"{workload} ES256, processor time against the floor"
            yield Goal(about, f"{web_server}, {store}", reading(ours(web_server, store)), bound, at_most=True)


def _over_the_hash(case: Case) -> Callable[[Summary], Values]:
    """The floor's sign-in is one request with the hash in it; less what a request costs there, that is the hash."""

    def read(summary: Summary) -> Values:
        run = _run(summary, "own")
        mine = run.values(case, "W5", "cpu_ms", at("W5"))
        hashed, empty = (run.values(floor(case), name, "cpu_ms", at(name)) for name in ("W5", "W0"))
        known = mine.keys() & hashed.keys() & empty.keys()
        return {number: mine[number] - (hashed[number] - empty[number]) for number in known}

    return read


def figure(what: str, name: str, when: str, *cases: Case, run: str = "own") -> Callable[[Summary], Values]:
    """One figure as it is; of the first of these cases that it was measured for."""

    def read(summary: Summary) -> Values:
        known = _run(summary, run)
        return next((values for case in cases if (values := known.values(case, what, name, when))), {})

    return read


def against(what: str, name: str, when: str, then: str, case: Case) -> Callable[[Summary], Values]:
    """One figure under these circumstances against the same under those."""

    def read(summary: Summary) -> Values:
        run = _run(summary, "own")
        return run.ratio(run.values(case, what, name, when), run.values(case, what, name, then))

    return read


def _growth(store: str) -> Callable[[Summary], tuple[str, Values]]:
    """(what grew most, its ratio): processor time with the most sessions against that with the fewest."""

    def read(summary: Summary) -> tuple[str, Values]:
        run = _run(summary, "own")
        found: tuple[str, Values] = ("", {})
        for name in GROWING:
            what = f"growth of {name}"
            sizes = sorted({when for _, known, when, _ in run.figures if known == what}, key=_number)
            for case in run.cases(what, sizes[-1]) if len(sizes) > 1 else ():
                last, first = (run.values(case, what, "cpu_ms", when) for when in (sizes[-1], sizes[0]))
                ratio = run.ratio(last, first)
                if case.store == store and ratio and _median(ratio) > _median(found[1]):
                    found = (f"{name} at {_number(sizes[-1]):,}", ratio)
        return found

    return read


def _number(when: str) -> int:
    return int(when.split(" ", maxsplit=1)[0])


def _median(values: Values) -> float:
    return spread_of(values.values()).median if values else 0.0


def _flat(store: str, bound: float) -> Goal:
    read = _growth(store)
    return Goal(
        f"G, processor time with a million sessions against a thousand, the worst of {', '.join(GROWING)}",
        store,
        lambda summary: read(summary)[1],
        bound,
        at_most=True,
        note=lambda summary: read(summary)[0],
    )


def _each(what: str, name: str, when: str, bound: float, unit: str, about: str) -> Iterable[Goal]:
    for store in STORES:
        for web_server in WEB_SERVERS:
            read = figure(what, name, when, ours(web_server, store))
            yield Goal(about, f"{web_server}, {store}", read, bound, unit, at_most=True)


def _sign_outs() -> Iterable[Goal]:
    for store in STORES:
        case = ours("gunicorn", store)
        for what, words in (("W6", "20 sites"), ("W6h", "3 of 20 hang")):
            waits = figure(what, "waits_ms", "", case)
            yield Goal(f"{what}, the person waits, {words}", store, waits, 15, "ms", at_most=True)
        last = figure("W6", "last_told_ms", "", case)
        yield Goal("W6, until the last of 20 sites is told, ES256", store, last, 35, "ms", at_most=True)
        yield Goal("W6h, until the last of the other 17 is told, against W6", store, _others(case), 1.2, at_most=True)


def _others(case: Case) -> Callable[[Summary], Values]:
    def read(summary: Summary) -> Values:
        run = _run(summary, "own")
        return run.ratio(run.values(case, "W6h", "last_told_ms"), run.values(case, "W6", "last_told_ms"))

    return read


def _deliveries() -> Iterable[Goal]:
    for algorithm, bound in (("ES256", 500.0), ("RS256", 350.0)):
        for store in STORES:
            read = figure("D", "per_second_and_core", "", ours("gunicorn", store, algorithm))
            yield Goal(f"D, deliveries a second and core, {algorithm}", store, read, bound, "/s")


def _storm() -> Iterable[Goal]:
    for store in STORES:
        for web_server in WEB_SERVERS:
            read = against("storm", "p99_ms", "storm", "idle", ours(web_server, store))
            about = "p99 of userinfo while 50 people sign in, against its idle p99"
            yield Goal(about, f"{web_server}, {store}", read, 2, at_most=True)


GOALS: Sequence[Goal] = (
    _faster("R", OIDC_PROVIDER, 1.2),
    _faster("R", OIDC_PROVIDER, 0.9, web_server="gunicorn"),
    _faster("R", replace(OIDC_PROVIDER, algorithm="RS256"), 1.15),
    _faster("W3u", OIDC_PROVIDER, 1.0),
    _faster("W3i", OIDC_PROVIDER, 1.0),
    _faster("W4", OIDC_PROVIDER, 1.2),
    _faster("R", AUTHLIB, 1.8),
    Goal("CR, CAS rounds a second against django-cas-server", "the fastest configuration", _cas_round, 6),
    *_near_floor("R", 1.4),
    *_near_floor("W2", 1.5),
    *_near_floor("W3u", 1.3),
    *_near_floor("W3i", 1.3),
    *(
        Goal(
            "W5, processor time over the hash",
            f"{web_server}, {store}",
            _over_the_hash(ours(web_server, store)),
            3,
            "ms",
            at_most=True,
        )
        for store in STORES
        for web_server in WEB_SERVERS
    ),
    *_storm(),
    *_sign_outs(),
    *_deliveries(),
    *_each("cold start", "seconds", "", 0.7, "s", "cold start"),
    *_each("memory", "worker_rss_mb", "fresh", 70, "MB", "memory of a worker before any sign-in"),
    *_each("memory", "worker_rss_mb", "after sign-ins", 110, "MB", "memory of a worker after many sign-ins"),
    _flat("redis", 1.1),
    _flat("sqlite", 1.25),
)
