"""One run from the first process to the last record: seeds, ends, faults, kills, the accelerated hour, the evidence."""

import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sso_server.core.errors import Unavailable
from sso_server.core.sessions import EndReason
from tests.faults import ends, engines, evidence, plan, seeding, seen, timeline
from tests.faults.people import Person
from tests.faults.plan import DEADLINES, ORDERS, Planned
from tests.faults.prober import Probers
from tests.faults.reckoning import HostFacts, Reckoning, reckon
from tests.faults.sites import chosen
from tests.faults.world import World

_HOUR_S = 3600
_MOMENT_S = 10


@dataclass(frozen=True)
class Scale:
    """How large a run is, and how long its parts take (s). `rate`: how fast the hour passes; 0: there is none."""

    sign_outs: int = 1000
    sites: int = 20
    seed: int = 7
    part_one_s: float = 60.0
    rate: int = 120
    points: int = 50
    """How often somebody is to die: at the named points in turn."""
    faults: bool = True
    """Whether sites misbehave and wires are cut."""
    names: tuple[str, ...] = ()
    """These sites instead of the first `sites`."""
    settle_s: float = 60.0
    """How long to wait at the end for whatever is still waiting; an accelerated hour comes on top."""


@dataclass
class Outcome:
    """What a run found, and what it did."""

    reckoning: Reckoning
    took_s: float
    killed_at: list[str]
    not_passed: list[str]
    attempts: Counter[str]
    """Answers of sites by code, `ok` among them."""
    hosts: int


def run(
    scale: Scale,
    *,
    engine: str = "sqlite",
    part: str = "",
    keep: bool = False,
    say: Callable[[str], None] = lambda _: None,
    stop: threading.Event | None = None,
) -> Outcome:
    """One run on fresh stores of `engine` (`engines`). `part` names a faulty part (`broken`); `keep` leaves its files.
    Everything that it starts, it ends, early when `stop` is set; then it raises CancelledError."""
    began = time.monotonic()
    with ExitStack() as stack:
        if keep:
            directory = Path(tempfile.mkdtemp(prefix="faults-"))
            say(f"files in {directory}")
        else:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="faults-")))
        settings = stack.enter_context(engines.running(engine, directory))
        kinds = chosen(scale.sites, scale.names)
        world = World(directory, settings, kinds, part)
        stack.callback(world.close)
        return _Run(world, scale, say, stop or threading.Event()).play(began)


class _Run:
    def __init__(self, world: World, scale: Scale, say: Callable[[str], None], stop: threading.Event) -> None:
        self._stop = stop
        self._world = world
        self._scale = scale
        self._say = say
        self._sessions = plan.draw(scale.seed, scale.sign_outs)
        if not scale.rate:
            # No second part: whoever would sign out in it does so at the end of the first.
            for planned in self._sessions:
                planned.at = min(planned.at, 0.98) if planned.ends else planned.at
        self._points = timeline.chosen_points(world, scale.points)
        self._zero = 0.0
        self._part_two = 0.0
        self._problems: list[BaseException] = []
        self._calls = seen.Calls(world.directory / "delivery.log")
        self._mending = threading.Event()

    def play(self, began: float) -> Outcome:
        world, scale = self._world, self._scale
        world.start()
        seeding.add_users(world, self._sessions)
        self._say(
            f"{len(world.hosts)} hosts of {len(world.kinds)} sites are up; opening {len(self._sessions)} sessions"
        )
        self._zero = seeding.seed(world, self._sessions, scale.part_one_s)
        # Ends at the beginning of the second part come when it begins.
        self._part_two = self._zero + scale.part_one_s + 2
        self._say(f"{scale.part_one_s:.0f} s of sign-outs, faults and kills")
        probers = Probers(world, self._sessions, self._end_time)
        probers.start()
        try:
            self._part_one()
            if scale.rate:
                self._second_part()
            self._settle()
        finally:
            self._mending.set()
            probers.close()
        if self._problems:
            raise self._problems[0]
        not_passed = world.points.disarm_all()
        self._say("asking every site and the centre about every old cookie")
        found = evidence.gather(world, self._sessions)
        facts = [HostFacts(h.name, h.kind, h.store_id) for h in world.hosts.values()]
        killed_at = list(world.points.armed)
        for point in not_passed:
            killed_at.remove(point)
        reckoning = reckon(self._sessions, facts, found)
        reckoning.faults["not seen"] += [
            *seen.never_happened(world, self._calls, faults=self._scale.faults, hour=bool(self._scale.rate)),
            *seen.never_died(self._points, killed_at),
            *seen.never_watched(world, reckoning),
        ]
        return Outcome(
            reckoning, time.monotonic() - began, killed_at, not_passed, evidence.count_attempts(world), len(world.hosts)
        )

    def _end_time(self, planned: Planned) -> float:
        """When it ends or ended (s), as far as is known."""
        if planned.began_at:
            return planned.began_at / 1000
        return self._part_two if planned.at >= 1 else self._zero + planned.at * self._scale.part_one_s

    def _part_one(self) -> None:
        scale = self._scale
        events = timeline.events(self._world, self._points, self._calls) if scale.faults else []
        stop = threading.Event()
        seeding.open_renewed(self._world, self._sessions)
        self._playing = threading.Thread(target=self._guard, args=(lambda: self._play(events),))
        renewing = threading.Thread(target=self._guard, args=(lambda: self._renew(stop),))
        self._playing.start()
        renewing.start()
        try:
            with ThreadPoolExecutor(12) as persons, ThreadPoolExecutor(4) as enders:
                for planned in sorted((p for p in self._sessions if p.over_http), key=lambda p: p.at):
                    persons.submit(self._guard, lambda planned=planned: self._person(planned))
                self._end_all([p for p in self._sessions if p.at < 1], enders)
        finally:
            # Also when the run is given up: a thread that goes on would keep this process alive.
            stop.set()
        renewing.join()
        self._until(self._zero + scale.part_one_s)

    def _end_all(self, sessions: list[Planned], pool: ThreadPoolExecutor) -> None:
        """Each at its time, in the way of its reason. Deadlines come by themselves, persons by their own threads."""
        groups: dict[str, list[Planned]] = {}
        for p in sessions:
            if p.ends and not p.over_http and p.reason not in DEADLINES:
                groups.setdefault(p.user if p.reason in ORDERS else p.sid, []).append(p)
        for group in sorted(groups.values(), key=lambda group: group[0].at):
            self._until(self._end_time(group[0]))
            pool.submit(self._guard, lambda group=group: self._end(group))

    def _end(self, group: list[Planned]) -> None:
        """Until it is answered: the store may be busy for a moment."""
        for left in range(20, -1, -1):
            try:
                ends.carry_out(self._world, group)
                return
            except Unavailable:
                if not left:
                    raise
                time.sleep(0.25)

    def _person(self, planned: Planned) -> None:
        at = self._zero + planned.at * self._scale.part_one_s
        # Twenty sites take a few seconds.
        self._until(max(at - 8, self._zero + 0.5))
        person = Person(self._world, planned)
        person.sign_in()
        self._until(at)
        person.sign_out()

    def _renew(self, stop: threading.Event) -> None:
        """The controls with a short idle time: somebody is there every second, and the sweeper looks on."""
        renewed = [p for p in self._sessions if p.renewed]
        store = self._world.built.session_stores.sessions
        while not stop.wait(1):
            for planned in renewed:
                now = seeding.now_ms()
                try:
                    store.touch(planned.sid, now)
                except Unavailable:
                    continue
                planned.deadline = now + seeding.RENEWED_IDLE_MS
        # They have shown what they are there for; in the accelerated part nobody could keep up with them.
        for planned in renewed:
            ended_at = store.find(planned.sid).ended_at
            if ended_at is None:
                planned.reason, planned.deadline = EndReason.ADMINISTRATOR.value, 0
                self._end([planned])
            elif ended_at >= planned.deadline:
                # This machine was too busy to renew it in time: it ended by right.
                planned.reason, planned.began_at = EndReason.IDLE.value, ended_at

    def _second_part(self) -> None:
        """An hour in which a site is down, while people go on signing out."""
        world, rate = self._world, self._scale.rate
        self._say(f"an hour at {rate} times the speed")
        down = [host for host in world.hosts.values() if host.kind.down]
        for host in down:
            world.keeper.kill(host.name, for_good=True)
        world.keeper.stop("delivery")
        self._part_two = time.time()
        world.start_delivery(fast=f"{seeding.now_ms()}:{rate}")
        with ThreadPoolExecutor(4) as enders:
            self._end_all([p for p in self._sessions if p.at >= 1 and not p.renewed], enders)
        self._until(self._part_two + _HOUR_S / rate)
        for host in down:
            world.keeper.again(host.name)

    def _settle(self) -> None:
        """Until nothing is waiting, within a time: what still waits then is shown as waiting."""
        # A fault that nobody met in its time has had until now, and has another moment.
        self._playing.join(_MOMENT_S)
        self._mending.set()
        self._playing.join()
        self._say("until the ledger is at rest")
        for host in self._world.hosts.values():
            if host.kind.fault and not host.kind.refuses:
                timeline.end_fault(self._world, host)
            (host.directory / "clock-mended").touch()
        longest = self._scale.settle_s + (_HOUR_S / self._scale.rate if self._scale.rate else 0)
        deadline = time.monotonic() + longest
        while time.monotonic() < deadline and not (self._all_ended() and evidence.is_at_rest(self._world)):
            self._until(time.time() + 0.5)

    def _all_ended(self) -> bool:
        store = self._world.built.session_stores.sessions
        try:
            return all((s := store.find(p.sid)) and s.ended_at for p in self._sessions if p.ends)
        except Unavailable:
            return False

    def _play(self, events: list[timeline.Event]) -> None:
        left = list(events)
        while left and not self._mending.is_set():
            for event in list(left):
                if self._zero + event.at * self._scale.part_one_s <= time.time() and event.ready():
                    event.do()
                    left.remove(event)
            self._until(time.time() + 0.1)

    def _until(self, at: float) -> None:
        """Wait (s, wall clock). Raises CancelledError when the run is to stop."""
        if self._stop.wait(max(0.0, at - time.time())):
            raise CancelledError

    def _guard(self, what: Callable[[], None]) -> None:
        """A thread's failure is the run's."""
        try:
            if not self._stop.is_set():
                what()
        except BaseException as error:  # noqa: BLE001
            self._problems.append(error)
