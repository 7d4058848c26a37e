"""How long session checks take while a crowd signs in: p99 of `GET /userinfo` when nothing else happens, and while 50
people type their passwords at once, each in a browser and at an address of their own, again and again.

Checks come at fixed times on ten connections (`Load.play_at`), and each counts from when it was due. The crowd is a
process of its own; whoever is sent away to wait comes back when the page says. An answer that is neither success nor
that ends the measurement.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Self

from benchmarks.bed import percentile
from benchmarks.given import Given
from benchmarks.load import Load, Operation, WrongAnswer, once, request
from benchmarks.lockstep_server import LockstepServer
from benchmarks.results import Figure
from benchmarks.servers import started
from benchmarks.traffic import PASSWORD, SITES, Person, Site, Traffic, hidden_fields
from benchmarks.workloads import Stage

CROWD = 50
CHECKS_A_SECOND = 100
#: Which sites keep to the centre.
CONNECTIONS = 10
#: Of so many times the seconds of other measurements: fewer checks than these have no p99.
LASTING = 4
#: No answer takes as long; `once` gives up before.
_PATIENCE_S = 90.0
_PROXY = {"SSO_TRUSTED_PROXIES": "127.0.0.1/32"}


@dataclass(slots=True)
class Crowd:
    """What became of all attempts."""

    signed_in: int = 0
    sent_away: int = 0
    wrong: list[str] = field(default_factory=list)
    """Answers that were neither; the first ends the storm."""


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
                    yield from one_round(stage, number, given.seconds * LASTING)


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
    traffic, tokens = stage.traffic, stage.tokens[0]
    assert isinstance(traffic, Traffic)

    def check(due: float) -> Operation[None]:
        yield from traffic.look_up(tokens)
        took.append(time.perf_counter() - due)

    begun = time.perf_counter()
    moments = (begun + number / CHECKS_A_SECOND for number in range(int(seconds * CHECKS_A_SECOND)))
    Load(stage.server.address).play_at(((due, check(due)) for due in moments), CONNECTIONS, 20 * seconds + 60)
    return took


class _Storm:
    """It rages in this block, from when the first have signed in. Raises WrongAnswer at its end for any answer that
    was wrong, and if nobody has signed in."""

    def __init__(self, stage: Stage, people: int) -> None:
        context = multiprocessing.get_context("fork")
        self._mine, self._theirs = context.Pipe()
        assert isinstance(stage.traffic, Traffic)
        self._process = context.Process(
            target=_rage, args=(stage.server.address, stage.traffic, people, self._theirs), daemon=True
        )
        self.crowd = Crowd()
        self.seconds = 0.0

    def __enter__(self) -> Self:
        self._begun = time.perf_counter()
        self._process.start()
        # So that it is heard when the process ends.
        self._theirs.close()
        self._told()
        return self

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        self._mine.send("enough")
        self.crowd = self._told()
        self.seconds = time.perf_counter() - self._begun
        self._process.join()
        if self.crowd.wrong:
            raise WrongAnswer(f"{len(self.crowd.wrong)} times in the crowd: {self.crowd.wrong[0]}") from error
        if not self.crowd.signed_in:
            raise WrongAnswer(f"nobody of the crowd has signed in: {self.crowd}") from error

    def _told(self) -> Crowd:
        if not self._mine.poll(_PATIENCE_S):
            self._process.kill()
            raise TimeoutError(f"nothing heard of the crowd for {_PATIENCE_S} s")
        crowd: Crowd = self._mine.recv()
        return crowd


def _rage(address: tuple[str, int], traffic: Traffic, people: int, told: Connection) -> None:
    is_over, begun, lock, crowd = threading.Event(), threading.Event(), threading.Lock(), Crowd()

    def person(number: int) -> None:
        turn = number
        while not is_over.is_set():
            turn += 1
            try:
                wait_s = once(address, _sign_in(traffic, number, Site(1 + turn % SITES)))
                with lock:
                    crowd.signed_in += not wait_s
                    crowd.sent_away += bool(wait_s)
            except Exception as error:  # noqa: BLE001  (the thread's last handler: the measurement must hear of it)
                with lock:
                    crowd.wrong.append(f"{type(error).__name__}: {error}"[:2000])
                is_over.set()
                return
            finally:
                begun.set()
            is_over.wait(wait_s)

    threads = [threading.Thread(target=person, args=(number,)) for number in range(people)]
    for thread in threads:
        thread.start()
    begun.wait()
    told.send(Crowd())
    told.recv()
    is_over.set()
    for thread in threads:
        thread.join()
    told.send(crowd)


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
            # Sent away is only who gave a password, with the page to give it again and the time when.
            wait = answer.header("retry-after")
            is_busy = form is not None and wait.isdecimal() and int(wait) > 0 and b'name="password"' in answer.body
            answer.must(is_busy, "the way to the site, or to come again")
            return float(wait)
        if traffic.ticket_in(answer):
            return 0.0
        if answer.status == 200:
            answer.must(form is None and b'name="password"' in answer.body, "the sign-in page")
            url, form = "/sign-in", {**hidden_fields(answer), "username": person.username, "password": PASSWORD}
        else:
            answer.must(answer.status == 303, "the way to the site")
            url, form = answer.header("location"), None
