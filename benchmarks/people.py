"""People who come and go for as long as they are let: sign in, go round the sites, are looked up, refresh, sign out.

Each is a thread with a browser and remembers what was confirmed to them: that is what must not be lost.
"""

from __future__ import annotations

import base64
import contextlib
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from benchmarks.load import Operation, WrongAnswer
from benchmarks.nodes import Caller, CutOffError, Nodes
from benchmarks.traffic import PEOPLE, SITES, Person, Site, Tokens, Traffic

T = TypeVar("T")
#: What somebody who is signed in does next, in parts of all: mostly sites ask who it is.
NEXT = {"silent sign-in": 30, "check": 55, "refresh": 15}
#: Until somebody signs out.
STAYS = (15, 45)


@dataclass(frozen=True, slots=True)
class Done:
    """One thing that was answered."""

    kind: str
    begun: float
    """Monotonic seconds."""
    took_ms: float


@dataclass(frozen=True, slots=True)
class SignedOut:
    """Somebody was told that they are signed out."""

    sid: str
    sites: frozenset[int]
    """Where they had been, as far as the centre said yes to that site."""


@dataclass(slots=True)
class Diary:
    """What happened to everybody. Lists are appended to by many threads."""

    done: list[Done] = field(default_factory=list)
    signed_out: list[SignedOut] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """Answers that were no success, those to a POST without an answer aside."""
    cut_off: int = 0


class Pace:
    """So many a second of all callers together; 0: as fast as it goes."""

    def __init__(self, per_second: float = 0.0) -> None:
        self._per_second = per_second
        self._next = time.monotonic()
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Until it is one's turn; late ones go at once."""
        if not self._per_second:
            return
        with self._lock:
            self._next += 1 / self._per_second
            mine = self._next
        time.sleep(max(0.0, mine - time.monotonic()))


@dataclass(slots=True)
class _Life:
    """One of them."""

    traffic: Traffic
    caller: Caller
    diary: Diary
    pace: Pace
    stop: threading.Event
    username: str
    comes_after_s: float
    """A crowd that comes in one moment would wait for the password hashes, and be sent away."""

    def live(self) -> None:
        """One session after the other."""
        try:
            self.stop.wait(self.comes_after_s)
            while not self.stop.is_set():
                self._session()
        except Exception as error:  # noqa: BLE001  (the thread's last handler: the run must hear of it)
            self.diary.wrong.append(f"{type(error).__name__}: {error}")
        finally:
            self.caller.close()

    def _session(self) -> None:
        person, visited = Person(self.username), set[int]()
        tokens: Tokens = {}

        def visit(number: int) -> Operation[Tokens]:
            ticket = yield from self.traffic.ticket(person, Site(number))
            brought = yield from self.traffic.redeem(Site(number), ticket)
            visited.add(number)
            person.id_token = brought["id_token"]
            return brought

        if not self._do("sign-in", lambda: self.traffic.sign_in(person, Site(1)))[0]:
            return
        is_done, found = self._do("silent sign-in", lambda: visit(0))
        if found:
            tokens = found
        for _ in range(random.randint(*STAYS)):
            if self.stop.is_set() or not is_done:
                break
            kind = random.choices(list(NEXT), list(NEXT.values()))[0]
            if kind == "silent sign-in":
                is_done, _ = self._do(kind, lambda: visit(random.randint(1, SITES)))
            elif kind == "check":
                check = random.choice((self.traffic.look_up, self.traffic.ask_about))
                is_done, _ = self._do(kind, partial(check, tokens))
            else:
                is_done, found = self._do(kind, partial(self.traffic.refresh, tokens))
                tokens = found or tokens
        # Whoever is still signed in can go to one more site: nobody's session was lost.
        self._do("silent sign-in", lambda: visit(1))
        self._sign_out(person, visited)

    def _sign_out(self, person: Person, visited: set[int]) -> None:
        if not person.id_token:
            return
        sid = _claims(person.id_token)["sid"]
        is_done, _ = self._do("sign-out", lambda: self.traffic.sign_out(person))
        if is_done:
            self.diary.signed_out.append(SignedOut(sid, frozenset(visited - {0})))

    def _do(self, kind: str, operation: Callable[[], Operation[T]]) -> tuple[bool, T | None]:
        """(whether it was answered with success, its value). What was cut off is tried again, as people do."""
        for _ in range(3):
            self.pace.wait()
            begun = time.monotonic()
            try:
                value = self.caller.do(operation())
            except CutOffError:
                self.diary.cut_off += 1
                continue
            except WrongAnswer as error:
                self.diary.wrong.append(f"{kind}: {error}")
                return False, None
            self.diary.done.append(Done(kind, begun, (time.monotonic() - begun) * 1000))
            return True, value
        return False, None


def _claims(id_token: str) -> dict[str, str]:
    payload = id_token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))  # type: ignore[no-any-return]


@contextlib.contextmanager
def coming_and_going(traffic: Traffic, nodes: Nodes, count: int, pace: Pace) -> Iterator[Diary]:
    """Their diary; after the block everybody has signed out."""
    diary, stop = Diary(), threading.Event()
    lives = [
        _Life(traffic, Caller(nodes), diary, pace, stop, f"user{number % PEOPLE}", number * 0.1)
        for number in range(count)
    ]
    threads = [threading.Thread(target=life.live, daemon=True) for life in lives]
    for thread in threads:
        thread.start()
    try:
        yield diary
    finally:
        stop.set()
        for thread in threads:
            thread.join(120)
