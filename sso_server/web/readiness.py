"""Whether this node can do its work: the one list of checks behind `/readyz` and `sso check`.

Each check runs in a thread of its own and has a second: a store that hangs keeps nobody waiting who asks. What was
found is good for a second, so that a balancer may ask as often as it likes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic

import structlog

from sso_server.core.errors import LockstepError, Unavailable
from sso_server.core.ports import Clock, StoreHealth
from sso_server.core.records import record

MAX_CLOCK_DIFFERENCE_MS = 2000
_MOST_S = 1.0
_log = structlog.get_logger("sso_server.health")
_FRESH_S = 1.0


@record
class Finding:
    """What one check found. Anybody may read it, but for `detail`, which is for logs and for `sso check`."""

    good: str = ""
    """What is in order, in a sentence."""
    reasons: tuple[str, ...] = ()
    """Why this node must get no requests."""
    warnings: tuple[str, ...] = ()
    """What endangers the promise, or must be put right, and would be no better at another node."""
    detail: str = ""


@record
class Check:
    """One thing to look at."""

    subject: str
    """The beginning of a sentence: `The database`."""
    look: Callable[[], Finding]
    """May raise LockstepError."""
    needs: str = ""
    """The subject of an earlier check. When that one has found a reason, this one says nothing: it could but repeat."""


@record
class Report:
    """All findings, in the order of the checks."""

    findings: tuple[Finding, ...]

    @property
    def reasons(self) -> list[str]:
        """Empty: the node is ready."""
        return [reason for finding in self.findings for reason in finding.reasons]

    @property
    def warnings(self) -> list[str]:
        """Ready or not."""
        return [warning for finding in self.findings for warning in finding.warnings]


@dataclass(slots=True)
class _Look:
    """A check under way, or done."""

    begun: float
    done: threading.Event = field(default_factory=threading.Event)
    finding: Finding = Finding()  # noqa: RUF009  (frozen)
    before: str = ""
    """The detail of the look before it."""


class Readiness:
    """One per process. Thread-safe."""

    def __init__(self, checks: Sequence[Check], *, most_s: float = _MOST_S, fresh_s: float = _FRESH_S) -> None:
        self._checks = tuple(checks)
        self._most_s = most_s
        self._fresh_s = fresh_s
        self._lock = threading.Lock()
        self._looks: dict[str, _Look] = {}
        self._report = Report(())
        self._reported_at: float | None = None
        self._is_stopping: Callable[[], bool] = lambda: False

    def not_when(self, is_stopping: Callable[[], bool]) -> None:
        """As soon as this says so, the node isn't ready: a balancer must send requests elsewhere."""
        self._is_stopping = is_stopping

    def report(self, most_s: float | None = None) -> Report:
        """As of the last second; takes one second at the most, and a little. `most_s`: for who has more time."""
        if self._is_stopping():
            return Report((Finding(reasons=("This node is about to stop.",)),))
        with self._lock:
            if self._reported_at is None or monotonic() - self._reported_at >= self._fresh_s:
                self._report = self._look(self._most_s if most_s is None else most_s)
                self._reported_at = monotonic()
            return self._report

    def _look(self, most_s: float) -> Report:
        begun = monotonic()
        for check in self._checks:
            old = self._looks.get(check.subject)
            # One that hangs is waited for, not joined by others.
            if old is None or old.done.is_set():
                look = self._looks[check.subject] = _Look(begun, before=old.finding.detail if old else "")
                threading.Thread(target=_run, args=(check, look), name="readiness", daemon=True).start()
        findings: dict[str, Finding] = {}
        for check in self._checks:
            found = self._finding(check, begun + most_s)
            needed = findings.get(check.needs)
            findings[check.subject] = Finding() if needed is not None and needed.reasons else found
        for finding in findings.values():
            if finding.detail:
                _log.warning("not_ready", reasons=list(finding.reasons), detail=finding.detail)
        return Report(tuple(findings.values()))

    def _finding(self, check: Check, until: float) -> Finding:
        look = self._looks[check.subject]
        if look.done.wait(max(0.0, until - monotonic())):
            return look.finding
        # A look that is given up goes on, and finds out a moment later which server it is: too late for this answer.
        waited = f"{check.subject} has not answered for {monotonic() - look.begun:.0f} s. {look.before}".strip()
        return Finding(reasons=(f"{check.subject} does not answer in time.",), detail=waited)


def store_check(subject: str, health: StoreHealth, clock: Clock) -> Check:
    """That it answers, takes writes, keeps what it is told, and that its clock and this node's agree."""

    def look() -> Finding:
        before = clock.now()
        store_time = health.store_time()
        after = clock.now()
        # The store read its clock somewhere between the two: only what lies outside is a difference.
        difference = before - store_time if store_time < before else max(0, store_time - after)
        warnings = tuple(health.problems())
        if difference > MAX_CLOCK_DIFFERENCE_MS:
            return Finding(
                reasons=(f"{subject}: its clock and this node's differ by {difference} ms.",), warnings=warnings
            )
        return Finding(f"{subject} answers and can be written; the clocks differ by {difference} ms.", (), warnings)

    return Check(subject, look)


def _run(check: Check, look: _Look) -> None:
    try:
        look.finding = check.look()
    except Unavailable as error:
        look.finding = Finding(reasons=(f"{check.subject} cannot answer right now.",), detail=error.detail)
    except LockstepError as error:
        look.finding = Finding(reasons=(f"{check.subject}: {error.description}",), detail=error.detail)
    except Exception as error:  # noqa: BLE001  (a check that breaks has found something)
        look.finding = Finding(
            reasons=(f"{check.subject} could not be looked at.",), detail=f"{type(error).__name__}: {error}"[:200]
        )
    finally:
        look.done.set()
