"""How long session checks take while a crowd signs in: p99 of `GET /userinfo` when nothing else happens, and while 50
people type their passwords at once, each in a browser and at an address of their own, again and again.

Checks come at fixed times, whether the last one was quick or not, and each counts from when it was due. The crowd is a
process of its own; whoever is sent away to wait comes back when the page says.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Self

from benchmarks.bed import percentile
from benchmarks.given import Given
from benchmarks.load import Load, Operation, once, request
from benchmarks.lockstep_server import LockstepServer
from benchmarks.results import Figure
from benchmarks.servers import started
from benchmarks.traffic import PASSWORD, SITES, Person, Site, Tokens, Traffic, hidden_fields
from benchmarks.workloads import Stage

CROWD = 50
CHECKS_A_SECOND = 100
#: Of so many times the seconds of other measurements: fewer checks than these have no p99.
_LASTING = 2.5
_WAIT_S = 1.0
_PROXY = {"SSO_TRUSTED_PROXIES": "127.0.0.1/32"}


@dataclass(frozen=True, slots=True)
class Crowd:
    """What became of all attempts."""

    signed_in: int
    sent_away: int


def figures(given: Given) -> Iterator[Figure]:
    """Of each web server and store."""
    for store in given.stores:
        for web_server in given.web_servers:
            with started(LockstepServer(web_server=web_server, store=store, settings=_PROXY)) as server:
                assert isinstance(server, LockstepServer)
                add_crowd(server)
                stage = Stage(server, server.openid).sign_in(1)
                checks(stage, 1)
                for number in range(given.rounds):
                    yield from one_round(stage, number, given.seconds * _LASTING)


def one_round(stage: Stage, number: int, seconds: float, people: int = CROWD) -> Iterator[Figure]:
    """Idle, and in a storm."""
    case = stage.server.case
    stage.renew()
    for at in ("idle", "storm"):
        if at == "idle":
            took = checks(stage, seconds)
        else:
            with _Storm(stage, people) as storm:
                took = checks(stage, seconds)
            yield Figure(case, "storm", "sign_ins_a_second", storm.crowd.signed_in / storm.seconds, number, at)
            yield Figure(case, "storm", "sent_away_a_second", storm.crowd.sent_away / storm.seconds, number, at)
        yield Figure(case, "storm", "p50_ms", percentile(took, 50) * 1000, number, at)
        yield Figure(case, "storm", "p99_ms", percentile(took, 99) * 1000, number, at)


def add_crowd(server: LockstepServer, people: int = CROWD) -> None:
    """An account for each."""
    with server.centre.core() as built:
        for number in range(people):
            built.services.accounts.add(f"guest{number}", PASSWORD, actor="bench")


def checks(stage: Stage, seconds: float) -> list[float]:
    """Seconds that each took since it was due."""
    took: list[float] = []
    assert isinstance(stage.traffic, Traffic)
    Load(stage.server.address).play([_checking(stage.traffic, stage.tokens[0], seconds, took)], 20 * seconds + 60)
    return took


def _checking(traffic: Traffic, tokens: Tokens, seconds: float, took: list[float]) -> Operation[None]:
    begun = time.perf_counter()
    for number in range(int(seconds * CHECKS_A_SECOND)):
        due = begun + number / CHECKS_A_SECOND
        # Nobody else is played by this loop.
        time.sleep(max(0.0, due - time.perf_counter()))
        yield from traffic.look_up(tokens)
        took.append(time.perf_counter() - due)


class _Storm:
    """It rages in this block, from when the first have signed in."""

    def __init__(self, stage: Stage, people: int) -> None:
        context = multiprocessing.get_context("fork")
        self._mine, theirs = context.Pipe()
        assert isinstance(stage.traffic, Traffic)
        self._process = context.Process(target=_rage, args=(stage.server.address, stage.traffic, people, theirs))
        self.crowd = Crowd(0, 0)
        self.seconds = 0.0

    def __enter__(self) -> Self:
        self._begun = time.perf_counter()
        self._process.start()
        self._mine.recv()
        return self

    def __exit__(self, *_: object) -> None:
        self._mine.send("enough")
        self.crowd = self._mine.recv()
        self.seconds = time.perf_counter() - self._begun
        self._process.join()


def _rage(address: tuple[str, int], traffic: Traffic, people: int, told: Connection) -> None:
    is_over, begun, lock = threading.Event(), threading.Event(), threading.Lock()
    signed_in = sent_away = 0

    def person(number: int) -> None:
        nonlocal signed_in, sent_away
        turn = number
        while not is_over.is_set():
            turn += 1
            wait_s = once(address, _sign_in(traffic, number, Site(1 + turn % SITES)))
            with lock:
                signed_in += not wait_s
                sent_away += bool(wait_s)
            begun.set()
            is_over.wait(wait_s)

    threads = [threading.Thread(target=person, args=(number,)) for number in range(people)]
    for thread in threads:
        thread.start()
    begun.wait()
    told.send("begun")
    told.recv()
    is_over.set()
    for thread in threads:
        thread.join()
    told.send(Crowd(signed_in, sent_away))


def _sign_in(traffic: Traffic, number: int, site: Site) -> Operation[float]:
    """0 when the site has its code, else the seconds to wait."""
    person = Person(f"guest{number}")
    headers = {"X-Forwarded-For": f"10.1.0.{number}"}
    url, form = traffic.first_url(site), None
    while True:
        answer = yield request(
            "GET" if form is None else "POST", url, traffic.host, cookies=person.cookies, headers=headers, form=form
        )
        answer.keep_cookies(person.cookies)
        if answer.status in (429, 503):
            return float(answer.header("retry-after") or _WAIT_S)
        if traffic.ticket_in(answer):
            return 0.0
        if answer.status == 200:
            answer.must(form is None and b'name="password"' in answer.body, "the sign-in page")
            url, form = "/sign-in", {**hidden_fields(answer), "username": person.username, "password": PASSWORD}
        else:
            answer.must(answer.status == 303, "the way to the site")
            url, form = answer.header("location"), None
