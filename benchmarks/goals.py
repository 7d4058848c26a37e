"""What Lockstep wants to say of its speed, as a table: each goal, how it is read from the figures, its bound.

Goals are ratios within one run wherever that is possible: milliseconds are the machine's. A goal that nothing was
measured for has no verdict, and the page says so.
"""

from __future__ import annotations

import math
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
#: All of these, at these numbers of sessions: else nothing is said of how the store fills.
GROWING = ("W1", "W2", "W3u", "W3i", "W6", "expiry")
FEW, MANY = 1_000, 1_000_000
#: As `soak` names itself.
SOAK = Case("lockstep", "gunicorn", "postgresql and redis")
#: What fewer rounds say has no median worth the name.
ROUNDS = 5
#: How much dearer than the floor each may be; `make bench-quick` looks at these, too.
NEAR_FLOOR = {"R": 1.4, "W2": 1.5, "W3u": 1.3, "W3i": 1.3}


@dataclass(frozen=True, slots=True)
class Goal:
    """One line of the table of verdicts."""

    about: str
    where: str
    """With which web server, on which store."""
    read: Callable[[Summary], Values]
    """Its values, round by round; none: not measured."""
    bound: float | None
    """None: it is to be stated, whatever it is."""
    unit: str = "x"
    at_most: bool = False
    is_stated_once: bool = False
    """What takes too long to be repeated, or comes out the same each time."""
    note: Callable[[Summary], str] = lambda _: ""
    """Which configuration was the fastest, and the like."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How it stands."""

    goal: Goal
    measured: Spread | None
    note: str = ""
    rounds: int = 0

    @property
    def is_met(self) -> bool:
        """By the median."""
        if self.measured is None or self.goal.bound is None:
            return self.measured is not None
        value = self.measured.median
        return value <= self.goal.bound if self.goal.at_most else value >= self.goal.bound

    @property
    def missed_by(self) -> float:
        """As a share of the bound; 0 when it is met, infinity where none at all is allowed."""
        assert self.measured is not None
        if self.is_met or self.goal.bound is None:
            return 0.0
        missing = abs(self.measured.median - self.goal.bound)
        return missing / self.goal.bound if self.goal.bound else math.inf

    @property
    def is_final(self) -> bool:
        """Enough rounds, or all that are ever made."""
        return self.measured is not None and (self.goal.is_stated_once or self.rounds >= ROUNDS)


def verdicts(summary: Summary) -> list[Verdict]:
    """Of all goals."""
    found = []
    for goal in GOALS:
        values = goal.read(summary)
        measured = spread_of(values.values()) if values else None
        found.append(Verdict(goal, measured, goal.note(summary) if measured else "", len(values)))
    return found


def ours(web_server: str, store: str, algorithm: str = "ES256") -> Case:
    """Lockstep."""
    return Case("lockstep", web_server, store, algorithm)


def floor(case: Case) -> Case:
    """Its floor."""
    return replace(case, product="floor")


def called(web_server: str) -> str:
    """As the page says it: wherever granian is measured here, each worker has a core of its own."""
    return "granian, own cores" if web_server == "granian" else web_server


def where(case: Case) -> str:
    """As a goal's line says it."""
    return f"{called(case.web_server)}, {case.store}"


#: What most goals are about.
EACH = tuple(ours(web_server, store) for store in STORES for web_server in WEB_SERVERS)


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

    return Goal(
        f"{workload} {than.algorithm}, operations a second against {than.product}",
        where(ours(web_server, "redis")) if web_server else "the fastest configuration",
        read,
        bound,
        note=lambda summary: "" if web_server else called(case(summary).web_server),
    )


def _cas_round(summary: Summary) -> Values:
    run = _run(summary, "peers")
    theirs = next((case for case in run.cases("CR", at("CR")) if case.product == DJANGO_CAS), None)
    if theirs is None:
        return {}
    mine = run.values(fastest(run, "CR"), "CR", "per_second", at("CR"))
    return run.ratio(mine, run.values(theirs, "CR", "per_second", at("CR")))


def _near_floor() -> Iterable[Goal]:
    """Processor time against the floor on the same web server and store."""

    def reading(case: Case, workload: str) -> Callable[[Summary], Values]:
        return lambda summary: over_floor(_run(summary, "own"), case, workload)

    for workload, bound in NEAR_FLOOR.items():
        for case in EACH:
            about = f"{workload} ES256, processor time against the floor"
            yield Goal(about, where(case), reading(case, workload), bound, at_most=True)


def over_floor(run: Run, case: Case, workload: str) -> Values:
    """Processor time against the floor's."""
    mine, least = (run.values(one, workload, "cpu_ms", at(workload)) for one in (case, floor(case)))
    return run.ratio(mine, least)


def _over_the_hash() -> Iterable[Goal]:
    """Measured at the floor: a request that hashes and does nothing else, less one that does nothing at all."""

    def reading(case: Case) -> Callable[[Summary], Values]:
        def read(summary: Summary) -> Values:
            run = _run(summary, "own")
            mine = run.values(case, "W5", "cpu_ms", at("W5"))
            if "hash" not in WORKLOADS:
                return {}
            hashed, empty = (run.values(floor(case), name, "cpu_ms", at(name)) for name in ("hash", "W0"))
            known = mine.keys() & hashed.keys() & empty.keys()
            return {number: mine[number] - (hashed[number] - empty[number]) for number in known}

        return read

    for case in EACH:
        yield Goal("W5, processor time over the hash", where(case), reading(case), 3, "ms", at_most=True)


def figure(what: str, name: str, when: str, case: Case, run: str = "own") -> Callable[[Summary], Values]:
    """One figure as it is."""
    return lambda summary: _run(summary, run).values(case, what, name, when)


def against(of: tuple[str, str, str], to: tuple[str, str, str], case: Case) -> Callable[[Summary], Values]:
    """One figure (what, name, when) against another, in the same rounds."""

    def read(summary: Summary) -> Values:
        run = _run(summary, "own")
        return run.ratio(run.values(case, *of), run.values(case, *to))

    return read


def growth(store: str) -> Callable[[Summary], tuple[str, Values]]:
    """(what grew most, its ratio): processor time with the most sessions against that with the fewest."""

    def read(summary: Summary) -> tuple[str, Values]:
        found: dict[str, Values] = {}
        for name in GROWING:
            what = f"growth of {name}"
            many, few = ((what, "cpu_ms", f"{size} sessions") for size in (MANY, FEW))
            found[name] = against(many, few, ours("gunicorn", store))(summary)
        if not all(found.values()):
            return "", {}
        return max(found.items(), key=lambda one: spread_of(one[1].values()).median)

    return read


def _flat(store: str, bound: float) -> Goal:
    read = growth(store)
    return Goal(
        f"G, processor time with a million sessions against a thousand, the worst of {', '.join(GROWING)}",
        store,
        lambda summary: read(summary)[1],
        bound,
        at_most=True,
        note=lambda summary: read(summary)[0],
    )


def _each(what: str, name: str, when: str, bound: float, unit: str, about: str, once: bool = False) -> Iterable[Goal]:
    for case in EACH:
        read = figure(what, name, when, case)
        yield Goal(about, where(case), read, bound, unit, at_most=True, is_stated_once=once)


def _sign_outs() -> Iterable[Goal]:
    last = ("last_told_ms", "")
    for case in EACH:
        for what, words in (("W6", "20 sites"), ("W6h", "3 of 20 hang")):
            waits = figure(what, "waits_ms", "", case)
            yield Goal(f"{what}, the person waits, {words}", where(case), waits, 15, "ms", at_most=True)
        told = figure("W6", *last, case)
        yield Goal("W6, until the last of 20 sites is told, ES256", where(case), told, 35, "ms", at_most=True)
        others = against(("W6h", *last), ("W6", *last), case)
        about = "W6h, until the last of the other 17 is told, against W6"
        yield Goal(about, where(case), others, 1.2, at_most=True)


def _deliveries() -> Iterable[Goal]:
    for algorithm, bound in (("ES256", 500.0), ("RS256", 350.0)):
        for store in STORES:
            read = figure("D", "per_second_and_core", "", ours("gunicorn", store, algorithm))
            yield Goal(f"D, deliveries a second and core, {algorithm}", store, read, bound, "/s")


def _storm() -> Iterable[Goal]:
    for case in EACH:
        read = against(("storm", "p99_ms", "storm"), ("storm", "p99_ms", "idle"), case)
        about = "p99 of userinfo while 50 people sign in, against its idle p99"
        yield Goal(about, where(case), read, 2, at_most=True)


def _soak() -> Iterable[Goal]:
    about = "ten minutes of mixed load, one of two nodes killed meanwhile"
    for name, words in (
        ("answers_5xx", "answers with 5xx"),
        ("wrong_answers", "lost sessions, refused tokens and other wrong answers"),
        ("sites_never_told", "sites that never heard of a sign-out"),
    ):
        read = figure("soak", name, "", SOAK, "soak")
        yield Goal(f"{about}: {words}", SOAK.store, read, 0, "", at_most=True, is_stated_once=True)

    def growing(summary: Summary) -> Values:
        run = _run(summary, "soak")
        grown, held = (run.values(SOAK, "soak", name) for name in ("memory_mb_an_hour", "memory_mb"))
        return run.ratio(grown, held)

    words = f"{about}: memory of the node that stayed, its slope in an hour, as a share of what it holds"
    yield Goal(words, SOAK.store, growing, 0.1, "", at_most=True, is_stated_once=True)

    def slowest(summary: Summary) -> tuple[str, Values]:
        run = _run(summary, "soak")
        found = {what: run.values(SOAK, what, "p99_ms", "both nodes") for what in run.machines if "wait of " in what}
        known = [(what.removeprefix("wait of "), values) for what, values in found.items() if values]
        return max(known, key=lambda one: spread_of(one[1].values()).median, default=("", {}))

    words = f"{about}: the slowest p99, both nodes there"
    read = lambda summary: slowest(summary)[1]  # noqa: E731
    note = lambda summary: slowest(summary)[0]  # noqa: E731
    yield Goal(words, SOAK.store, read, None, "ms", is_stated_once=True, note=note)


GOALS: Sequence[Goal] = (
    _faster("R", OIDC_PROVIDER, 1.2),
    _faster("R", OIDC_PROVIDER, 0.9, web_server="gunicorn"),
    _faster("R", replace(OIDC_PROVIDER, algorithm="RS256"), 1.15),
    _faster("W3u", OIDC_PROVIDER, 1.0),
    _faster("W3i", OIDC_PROVIDER, 1.0),
    _faster("W4", OIDC_PROVIDER, 1.2),
    _faster("R", AUTHLIB, 1.8),
    Goal(
        "CR, CAS rounds a second against django-cas-server",
        "the fastest configuration",
        _cas_round,
        6,
        note=lambda summary: called(fastest(_run(summary, "peers"), "CR").web_server),
    ),
    *_near_floor(),
    *_over_the_hash(),
    *_storm(),
    *_sign_outs(),
    *_deliveries(),
    *_each("cold start", "seconds", "", 0.7, "s", "cold start"),
    *_each("memory", "worker_rss_mb", "fresh", 70, "MB", "memory of a worker before any sign-in", once=True),
    *_each("memory", "worker_rss_mb", "after sign-ins", 110, "MB", "memory of a worker after many sign-ins", once=True),
    _flat("redis", 1.1),
    _flat("sqlite", 1.25),
    *_soak(),
)
