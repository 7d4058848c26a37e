"""Every number that Prometheus may read: its name, its meaning, its labels, its buckets (docs/monitoring.md has each).

A label has few values, known beforehand: a kind, a state, an endpoint's name. Never a path, a person, a session, nor a
client: there may be thousands of them, and the log lines name them.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import IO

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.metrics import MetricWrapperBase, disable_created_metrics
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from sso_server.core.events import EventKind
from sso_server.core.notifications import State
from sso_server.core.sessions import EndReason
from sso_server.metrics.directory import claim_slot, files_of

#: Of one step of a store: from what a local Redis takes to what SQLite waits for its lock.
STORE_BUCKETS = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 5)
#: Of an answer, polls that wait (30 s) among them.
HTTP_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
HASH_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
#: One call of a site is cut off after 5 s.
SEND_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
#: From the end of a session until its site has acknowledged it: seconds when all is well, days when a site is away.
HEARD_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 7200, 86400)

SIGN_IN_OUTCOMES = ("signed_in", "renewed", "wrong", "guessing", "busy")
CHECK_IN_OUTCOMES = ("answered", "refused", "unavailable")
ATTEMPT_OUTCOMES = ("acknowledged", "again", "refused", "abandoned")
#: The endpoint of `fronts.sync.check_in`.
CHECK_IN = "sync_check_in.check_in"
WAITING_STATES = ("due", "due_bulk", "later", "later_bulk", "when_asked", "to_archive")
FINAL_STATES = tuple(state.value for state in State if state.is_final)
PROCESSES = ("web", "delivery")

_log = structlog.get_logger("sso_server.metrics")
# Each would double its series for a moment that nobody asks for.
disable_created_metrics()  # type: ignore[no-untyped-call]


@dataclass(slots=True)
class _Definitions:
    """Makes numbers, and remembers them in the order of their making."""

    registry: CollectorRegistry
    made: list[MetricWrapperBase] = field(default_factory=list)

    def counter(self, name: str, text: str, label: str = "", known: tuple[str, ...] = (), more: str = "") -> Counter:
        labels = tuple(filter(None, (label, more)))
        made = Counter(f"lockstep_{name}", text, labels, registry=self.registry)
        self._add(made, known)
        return made

    def gauge(self, name: str, text: str, label: str = "", known: tuple[str, ...] = (), *, adds: bool = False) -> Gauge:
        """`adds`: each process has a part of it. Else one process knows all, and the last one to know is right."""
        mode = "livesum" if adds else "livemostrecent"
        labels = (label,) if label else ()
        made = Gauge(f"lockstep_{name}", text, labels, registry=self.registry, multiprocess_mode=mode)  # type: ignore[arg-type]
        self._add(made, known)
        return made

    def histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        made = Histogram(f"lockstep_{name}", text, labels, registry=self.registry, buckets=buckets)
        self._add(made, ())
        return made

    def _add(self, made: MetricWrapperBase, known: tuple[str, ...]) -> None:
        self.made.append(made)
        for value in known:
            # A series that begins with its first event shows no rise for it.
            made.labels(value)


class Numbers:
    """One per process. Without a directory its numbers are this process's alone."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, registry: CollectorRegistry) -> None:
        make = _Definitions(registry)
        self.made = make.made
        self._text_of: Collector = _OneProcess(registry, self)
        self._slot: IO[str] | None = None
        self._build: dict[str, str] = {"version": version("lockstep-sso"), "python": platform.python_version()}
        self.http_requests = make.counter("http_requests", "Requests answered.", "endpoint", more="status")
        self.http_seconds = make.histogram(
            "http_request_seconds", "Time until a request's answer was ready.", HTTP_BUCKETS, "endpoint"
        )
        self._of_requests: dict[tuple[str, int], tuple[Callable[[], None], Callable[[float], None]]] = {}
        self.sign_ins = make.counter("sign_ins", "Attempts to sign in.", "outcome", SIGN_IN_OUTCOMES)
        self.hash_seconds = make.histogram(
            "password_hash_seconds", "Time to check or make a password's hash, waiting included.", HASH_BUCKETS
        )
        self.hashes_waiting = make.gauge(
            "password_hashes_waiting", "Callers whose password is being hashed or who wait for it.", adds=True
        )
        self.sessions_ended = make.counter(
            "sessions_ended", "Sessions that ended.", "reason", tuple(reason.value for reason in EndReason)
        )
        self.tickets_issued = make.counter("tickets_issued", "Tickets handed out.")
        self.tickets_redeemed = make.counter("tickets_redeemed", "Tickets redeemed.")
        self.tickets_refused = make.counter("tickets_refused", "Tickets refused by the store.", "reason")
        self.tokens_issued = make.counter("tokens_issued", "Tokens issued.", "kind", ("access", "refresh"))
        self.refreshes_refused = make.counter("refreshes_refused", "Refresh tokens refused by the store.", "reason")
        self.check_ins = make.counter("check_ins", "Check-ins of sites' stores.", "outcome", CHECK_IN_OUTCOMES)
        self.attempts = make.counter(
            "delivery_attempts", "Calls of sites that were recorded.", "outcome", ATTEMPT_OUTCOMES
        )
        self.attempt_seconds = make.histogram("delivery_attempt_seconds", "Time of one call of a site.", SEND_BUCKETS)
        self.final = make.counter(
            "notifications_final", "Notifications that became final, as archived.", "state", FINAL_STATES
        )
        self.heard_seconds = make.histogram(
            "notification_acknowledged_seconds", "From the end of a session until a site acknowledged.", HEARD_BUCKETS
        )
        self.events = make.counter(
            "audit_events", "Lines written into the audit.", "kind", tuple(kind.value for kind in EventKind)
        )
        self.store_seconds = make.histogram(
            "store_seconds", "Time of one step of a store.", STORE_BUCKETS, "store", "step"
        )
        self.store_failures = make.counter("store_failures", "Steps that a store could not do.", "store", more="step")
        self.starts = make.counter("process_starts", "Processes started.", "process", PROCESSES)
        # What only the stores know; the delivery process counts it (delivery/census.py).
        self.live = make.gauge("sessions_live", "Sessions that are not ended.")
        self.lag = make.gauge("sweeper_lag_seconds", "How long the oldest due session has waited for the sweeper.")
        self.waiting = make.gauge("notifications", "Notifications that are not finished.", "state", WAITING_STATES)
        self.oldest_due = make.gauge(
            "notification_oldest_due_seconds",
            "How long the longest due notification waits.",
            "queue",
            ("urgent", "bulk"),
        )
        self.oldest_unfinished = make.gauge(
            "notification_oldest_unfinished_seconds", "Since the end whose notification is unfinished for the longest."
        )
        self.restoring = make.gauge("restoration_unfinished", "1: a store went back in time and is not put right yet.")
        self.clock_difference = make.gauge(
            "clock_difference_seconds", "How far this node's clock is from a store's.", "store"
        )
        self.counted_at = make.gauge("counted_at_seconds", "When the delivery process last counted (Unix time).")
        first = self.made.index(self.live)
        self.counted = {name for made in self.made[first:] for name in (metric.name for metric in made.describe())}

    @classmethod
    def alone(cls) -> Numbers:
        """Of this process alone: a command, a test, a delivery process without a supervisor."""
        # Where the directory is named, the library would write into it all the same, into files without room.
        values.ValueClass = values.MutexValue
        return cls(CollectorRegistry())

    @classmethod
    def open(cls, process: str, directory: Path | None) -> Numbers:
        """With a directory (`directory.supervised`, also named by PROMETHEUS_MULTIPROC_DIR): added up with the others'
        there. Once per process, after any fork. `process` is one of PROCESSES."""
        numbers = cls._sharing(directory) if directory is not None else None
        numbers = numbers or cls.alone()
        numbers.starts.labels(process).inc()
        return numbers

    @classmethod
    def _sharing(cls, directory: Path) -> Numbers | None:
        try:
            slot, lock = claim_slot(directory)
        except OSError as error:
            # A full disk: nobody's sign-in depends on numbers.
            _log.warning("metrics_not_shared", cause=str(error))
            return None
        values.ValueClass = values.MultiProcessValue(lambda: slot)  # type: ignore[no-untyped-call]
        numbers = cls(CollectorRegistry())
        numbers._slot = lock
        numbers._text_of = _AllProcesses(directory)
        return numbers

    def name_build(self, **labels: str) -> None:
        """More labels for `lockstep_build_info`."""
        self._build |= labels

    def request(self, endpoint: str, status: int, seconds: float) -> None:
        """See web.services.Watch. A check-in counts as one, too."""
        try:
            count, took = self._of_requests[endpoint, status]
        except KeyError:
            # The library takes 3 us to find a series by its labels; these are few.
            counter, histogram = self.http_requests.labels(endpoint, str(status)), self.http_seconds.labels(endpoint)
            count, took = self._of_requests[endpoint, status] = counter.inc, histogram.observe
        count()
        took(seconds)
        if endpoint == CHECK_IN:
            outcome = "answered" if status < 400 else "refused" if status < 500 else "unavailable"
            self.check_ins.labels(outcome).inc()

    def text(self) -> bytes:
        """What Prometheus reads, in its text format."""
        registry = CollectorRegistry()
        registry.register(_Relay(self._text_of, self._build))
        return generate_latest(registry)


class _OneProcess(Collector):
    """This process alone. What is counted in a store is left out until it was: a 0 would be a lie."""

    def __init__(self, registry: CollectorRegistry, numbers: Numbers) -> None:
        self._registry = registry
        self._numbers = numbers

    def collect(self) -> Iterator[Metric]:
        found = list(self._registry.collect())
        by_name = {metric.name: metric for metric in found}
        was_counted = any(sample.value for sample in by_name["lockstep_counted_at_seconds"].samples)
        return (metric for metric in found if was_counted or metric.name not in self._numbers.counted)


class _AllProcesses(Collector):
    """The sum over the directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def collect(self) -> Iterator[Metric]:
        yield from MultiProcessCollector.merge(files_of(self._directory))  # type: ignore[no-untyped-call]


class _Relay(Collector):
    """Another collector's numbers, and which program this is."""

    def __init__(self, inner: Collector, build: Mapping[str, str]) -> None:
        self._inner = inner
        self._build = build

    def collect(self) -> Iterator[Metric]:
        info = GaugeMetricFamily("lockstep_build_info", "Which program answers; always 1.", labels=list(self._build))
        info.add_metric(list(self._build.values()), 1)
        yield info
        yield from self._inner.collect()
