"""The table of workloads: what one operation of each is, and what must be there before it can be measured."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.load import Load, Operation, once, request
from benchmarks.servers import Server
from benchmarks.traffic import PEOPLE, SITES, CasTraffic, Person, Site, Tokens, Traffic


@dataclass(slots=True)
class Stage:
    """One running server with people who are signed in, each in a browser."""

    server: Server
    traffic: Traffic | CasTraffic
    people: list[Person] = field(default_factory=list)
    tickets: deque[tuple[Site, str]] = field(default_factory=deque)
    """Not yet spent."""
    tokens: list[Tokens] = field(default_factory=list)
    """Of each of the people, at site 0."""

    def sign_in(self, count: int) -> Stage:
        """So many people, one after the other, and their tokens if there are any."""
        for number in range(count):
            person = Person(f"user{number % PEOPLE}")
            once(self.server.address, self.traffic.sign_in(person, Site(1)))
            self.people.append(person)
        self.renew()
        return self

    def renew(self) -> None:
        """Fresh tokens for everybody: access tokens live for five minutes."""
        self.tokens = [once(self.server.address, self._visit(person)) for person in self.people]

    def issue(self, count: int, seconds: float) -> None:
        """Bring the stock to that many tickets, or to as many as come in that time, so that somebody can redeem."""
        until = time.perf_counter() + seconds

        def person(who: int) -> Operation[None]:
            turn = 0
            while len(self.tickets) < count and time.perf_counter() < until:
                yield from issue(self, who, turn)
                turn += 1

        Load(self.server.address).play(person(who) for who in range(len(self.people)))

    def _visit(self, person: Person) -> Operation[Tokens]:
        ticket = yield from self.traffic.ticket(person, Site(0))
        return (yield from self.traffic.redeem(Site(0), ticket))


def site_of(who: int, turn: int) -> Site:
    """Everybody goes round all sites, beginning elsewhere."""
    return Site(1 + (who * 7 + turn) % SITES)


def answer_at_all(stage: Stage, _who: int, _turn: int) -> Operation[None]:
    """The least request."""
    answer = yield request("GET", "/healthz", stage.traffic.host)
    answer.must(answer.status == 200, "health")


def hash_alone(stage: Stage, _who: int, _turn: int) -> Operation[None]:
    """The same, and a password's hash in it."""
    answer = yield request("GET", "/hash", stage.traffic.host)
    answer.must(answer.status == 200, "a hash")


def issue(stage: Stage, who: int, turn: int) -> Operation[None]:
    """A ticket for the next site."""
    site = site_of(who, turn)
    ticket = yield from stage.traffic.ticket(stage.people[who], site)
    stage.tickets.append((site, ticket))


def redeem(stage: Stage, _who: int, _turn: int) -> Operation[None]:
    """One of the stock."""
    site, ticket = stage.tickets.popleft()
    yield from stage.traffic.redeem(site, ticket)


def visit(stage: Stage, who: int, turn: int) -> Operation[None]:
    """Both: a silent sign-in to one more site."""
    site = site_of(who, turn)
    ticket = yield from stage.traffic.ticket(stage.people[who], site)
    yield from stage.traffic.redeem(site, ticket)


def look_up(stage: Stage, who: int, _turn: int) -> Operation[None]:
    """Userinfo."""
    assert isinstance(stage.traffic, Traffic)
    yield from stage.traffic.look_up(stage.tokens[who])


def ask_about(stage: Stage, who: int, _turn: int) -> Operation[None]:
    """Introspection."""
    assert isinstance(stage.traffic, Traffic)
    yield from stage.traffic.ask_about(stage.tokens[who])


def refresh(stage: Stage, who: int, _turn: int) -> Operation[None]:
    """One rotation after the other."""
    assert isinstance(stage.traffic, Traffic)
    stage.tokens[who] = yield from stage.traffic.refresh(stage.tokens[who])


def sign_in(stage: Stage, who: int, turn: int) -> Operation[None]:
    """Somebody in a browser that knows nobody."""
    yield from stage.traffic.sign_in(Person(f"user{(who + turn) % PEOPLE}"), site_of(who, turn))


@dataclass(frozen=True, slots=True)
class Workload:
    """One row."""

    name: str
    title: str
    act: Callable[[Stage, int, int], Operation[None]]
    protocol: str = "openid"
    """'': the same in each."""
    spends: bool = False
    """It takes tickets from the stock, and ends when that is empty."""
    asks_about_tokens: bool = False
    is_asked_alone: bool = False
    """By one person on one connection, too: what does it take until the answer when nobody else asks?"""
    share: float = 1.0
    """Of a round's seconds: parts of what is measured as a whole have half of them."""
    most: int = 1000
    """So many at once at the most: of passwords, as many as keep two cores busy without being sent away to wait."""


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("W0", "a health check: the web server and Flask alone", answer_at_all, share=0.5),
        Workload("W1", "a code for a browser with a session", issue, is_asked_alone=True),
        Workload("W2", "its redemption: access token, ID token", redeem, spends=True, is_asked_alone=True),
        Workload("R", "a silent sign-in to one more site: W1 and W2", visit),
        Workload("W3u", "userinfo", look_up, asks_about_tokens=True, is_asked_alone=True),
        Workload("W3i", "introspection", ask_about, asks_about_tokens=True),
        Workload("W4", "a refresh with rotation", refresh, asks_about_tokens=True, is_asked_alone=True),
        Workload("W5", "a sign-in with a password, to the first code", sign_in, protocol="", most=4),
        Workload("hash", "the floor's alone: a health check that hashes a password", hash_alone, share=0.5, most=4),
        Workload("C1", "CAS: a ticket for a browser with a session", issue, protocol="cas", share=0.5),
        Workload("C2", "CAS: its validation", redeem, protocol="cas", spends=True, share=0.5),
        Workload("CR", "CAS: C1 and C2", visit, protocol="cas"),
    )
}
