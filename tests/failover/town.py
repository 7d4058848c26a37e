"""A centre's nodes under load: people, two kinds of sites, visitors, and thieves who try what must not work.

Everything goes on while a test hurts the servers; then `reckon` counts what it cost.
"""

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import inf
from pathlib import Path

import jwt

from sso_client import SSOError
from sso_server.core.clients import Client, ClientSecret, site_client
from sso_server.core.identifiers import digest
from tests.failover import people
from tests.failover.answers import Answers
from tests.failover.books import Books, Life
from tests.failover.line import Line, NotNow
from tests.failover.losses import Losses
from tests.failover.people import PEOPLE, Odd, PlainSite
from tests.failover.relay import relayed
from tests.failover.sdk_site import LEASE_S, SdkSite
from tests.failover.thieves import Thieves
from tests.support.centre import PASSWORD, Centre, wait_until
from tests.support.sinks import Sink

#: A request that was let through just before the end was answered may be written down just after it.
MEASURED_S = 0.5
_KINDS = ("leaves", "stays", "rotates", "leaves", "revokes", "replays", "leaves_at_site", "leaves")
#: Who presses the button more than five times during an outage is made to wait longer (core/guesses): not these.
_CANARIES = 40
SETTINGS = {
    # A ticket that was spent must be refused because it was spent, and not because its minute is over.
    "SSO_TICKET_LIFE": "600",
}


class Town:
    """`centre` is the node whose settings say where everything is kept; `bases` are the addresses of all nodes."""

    def __init__(
        self, directory: Path, centre: Centre, setting: str, bases: Sequence[str] = (), *, called_at: str = ""
    ) -> None:
        """`called_at`: where the nodes find the site without the SDK, if not on 127.0.0.1."""
        self.centre, self.setting = centre, setting
        self.books, self.answers, self.sink = Books(), Answers(), Sink("ok")
        self.lines = [Line(base, centre.issuer, self.answers) for base in bases or [centre.issuer]]
        self.plain = PlainSite("plain", f"http://127.0.0.1:{self.sink.port}/callback", "secret-of-plain-" + "0" * 40)
        self.sites = [SdkSite(directory, "shop", centre.issuer)]
        self._called_at = called_at
        self.thieves = Thieves(self.books, self.plain, self.lines)
        self._stop, self._leave = threading.Event(), threading.Event()
        self._told: set[str] = set()
        self._read = 0
        self._people: list[threading.Thread] = []
        self._others: list[threading.Thread] = []

    def open(self) -> None:
        """Accounts and clients; then everybody comes."""
        with self.centre.core() as built:
            for n in range(PEOPLE + _CANARIES):
                built.services.accounts.add(f"p{n}", PASSWORD, name=f"P {n}", email="", groups=(), actor="test")
            for site in self.sites:
                client = site_client(site.client_id, site.client_id, site.base_url, 1)
                _add(built.sql.clients, replace(client, lease_s=LEASE_S), site.secret)
            plain = Client(
                client_id=self.plain.client_id,
                name="plain",
                created_at=1,
                redirect_uris=(self.plain.redirect_uri,),
                backchannel_logout_uri=f"http://{self._called_at or '127.0.0.1'}:{self.sink.port}/logout",
                allow_private=True,
                id_token_alg="ES256",
            )
            _add(built.sql.clients, plain, self.plain.secret)
        for site in self.sites:
            site.open()
        self._people = [self._thread(self._person, n) for n in range(2)]
        self._others = [self._thread(self._canary), self._thread(self.thieves.prowl, self._leave)]
        self._others += [self._thread(site.watch, self.books, self._leave) for site in self.sites]

    def half_way(self, *, times: int = 2) -> list[Life]:
        """People who have come before something happens, and whose second half `finish` is to meet it."""
        found = []
        for turn, kind in enumerate(_KINDS * times):
            life = self.books.begin(kind)
            self._come(life, self.lines[turn % len(self.lines)], f"p{turn % PEOPLE}")
            found.append(life)
        return found

    def finish(self, lives: Sequence[Life]) -> list[threading.Thread]:
        """Each goes on, at the nodes in turn; in threads, which `reckon` waits for."""

        def go_on(some: Sequence[Life], line: Line) -> None:
            for life in some:
                with contextlib.suppress(NotNow, Odd):
                    self._go_on(life, line)

        nodes = len(self.lines)
        begun = [
            self._thread(go_on, lives[half * nodes + n :: 2 * nodes], line.copy())
            for n, line in enumerate(self.lines)
            for half in range(2)
        ]
        self._people += begun
        return begun

    def wait_for_lives(self, count: int) -> None:
        """Until so many more sessions have been opened and, many of them, ended."""
        goal = len(self._done()) + count
        wait_until(lambda: len(self._done()) >= goal, seconds=60, why=f"{count} more people to come and go")

    def wait_for_sign_ins(self, seconds: float = 60, after: float = 0.0, node: int | None = None) -> None:
        """Until people are signed in again, and others signed out; asked for later than `after` (default: now). With
        `node`: at this one alone."""
        after = after or time.time()
        steps = ["sign out", *self._canaries()] if node is None else [f"canary {node}"]

        def works() -> bool:
            return all(
                sum(each.is_success and each.at > after for each in self.answers.of(what)) >= 3 for what in steps
            )

        wait_until(works, seconds=seconds, why=f"sign-ins to work again; {self._last_words()}")

    def reckon(self, *, tell_s: float = 30) -> Losses:
        """Everybody goes home, and all that was acknowledged is held against what is true now."""
        self._stop.set()
        for thread in self._people:
            thread.join(60)
        with contextlib.suppress(AssertionError):
            wait_until(lambda: not self._untold(), seconds=tell_s)
        # A store that was cut off hears at its next check-in, at the latest when its lease has run out.
        wait_until(lambda: all(self._can_call_in(site) for site in self.sites), seconds=30, why="the sites' leases")
        # The last of these presses may have been one too many (429): they go on until each node let one in again.
        with contextlib.suppress(AssertionError):
            wait_until(lambda: inf not in self._outages(), seconds=30)
        outages = self._outages()
        self._leave.set()
        for thread in self._others:
            thread.join(60)
        found = self._counted(outages)
        print(found.line())
        return found

    def close(self) -> None:
        """Everybody goes home."""
        self._stop.set()
        self._leave.set()
        for thread in (*self._people, *self._others):
            thread.join(60)
        for site in self.sites:
            with contextlib.suppress(Exception):
                site.close()
        self.sink.close()

    def _thread(self, do: Callable[..., None], *args: object) -> threading.Thread:
        thread = threading.Thread(target=do, args=args, daemon=True)
        thread.start()
        return thread

    def _person(self, number: int) -> None:
        turn, chance = number, random.Random(number)
        lines = [line.copy() for line in self.lines]
        while not self._stop.is_set():
            life = self.books.begin(_KINDS[turn % len(_KINDS)])
            turn += 1
            with contextlib.suppress(NotNow, Odd):
                line = chance.choice(lines)
                self._come(life, line, f"p{chance.randrange(PEOPLE)}")
                self._go_on(life, line)
            # So that the outage is measured, and not made longer by those who wait for its end.
            self._stop.wait(0.02)

    def _come(self, life: Life, line: Line, username: str) -> None:
        """The first half of a life. Raises NotNow, Odd."""
        life.cookies = people.sign_in(line, username)
        life.opened_at = time.time()
        people.take_ticket(line, self.plain, life)
        if life.kind != "replays":
            people.redeem(line, self.plain, life)
        if life.kind in ("stays", "leaves", "leaves_at_site"):
            random.choice(self.sites).sign_in(line, life)

    def _go_on(self, life: Life, line: Line) -> None:
        """The rest of a life. Raises NotNow, Odd."""
        match life.kind:
            case "replays":
                people.redeem(line, self.plain, life)
            case "rotates":
                people.rotate_twice(line, self.plain, life)
            case "revokes":
                self._until_answered(lambda: people.revoke(line, self.plain, life))
            case "leaves":
                self._until_answered(lambda: people.sign_out(line, life))
            case "leaves_at_site":
                (site,) = [site for site in self.sites if site.client_id in life.local]
                with contextlib.suppress(SSOError):
                    # Asked while nobody could be asked: the site remembers, and says so later.
                    if site.sign_out(life):
                        life.ended_at = time.time()

    def _until_answered(self, step: Callable[[], None]) -> None:
        """As often as it takes: also after everybody was asked to go home, while the centre recovers."""
        give_up = time.time() + 60
        while time.time() < give_up:
            try:
                step()
                return
            except NotNow:
                time.sleep(0.2)

    def _canary(self) -> None:
        """Signs in four times a second, and asks for what is public: how long an outage was."""
        lines, turn = [line.copy() for line in self.lines], 0
        while not self._leave.wait(0.25):
            turn += 1
            line = lines[turn % len(lines)]
            with contextlib.suppress(NotNow, Odd):
                people.sign_in(line, f"p{PEOPLE + turn % _CANARIES}", f"canary {turn % len(lines)}")
            for path in ("/.well-known/openid-configuration", "/jwks.json"):
                with contextlib.suppress(NotNow):
                    line.ask("public", "GET", path)

    def _canaries(self) -> list[str]:
        return [f"canary {n}" for n in range(len(self.lines))]

    def _outages(self) -> list[float]:
        return [self.answers.outage_s(what) for what in self._canaries()]

    def _done(self) -> list[Life]:
        return self.books.all(lambda life: life.ended_at or (life.kind == "stays" and life.local))

    def _can_call_in(self, site: SdkSite) -> bool:
        """Whether it serves a session that lives, which it doesn't once its lease has run out."""
        stays = self.books.all(lambda life: life.kind == "stays" and site.client_id in life.local)
        return not stays or site.visit(stays[-1]) != 503

    def _untold(self) -> list[Life]:
        inbox = self.sink.inbox
        for request in inbox[self._read :]:
            claims = jwt.decode(request.form["logout_token"], options={"verify_signature": False})
            self._told.add(claims["sid"])
            self._read += 1
        told = self._told
        return self.books.all(lambda life: life.ended_at and life.sid and life.sid not in told and not life.is_gone)

    def _counted(self, outages_s: list[float]) -> Losses:
        line, plain, answers = self.lines[0].copy(), self.plain, self.answers
        books, thieves = self.books, self.thieves
        found = Losses(self.setting, outages_s)
        ended = books.all(lambda life: life.ended_at)
        found.acknowledged = {
            "opened": len(books.all(lambda life: life.opened_at)),
            "ended": len(ended),
            "redeemed": len(books.all(lambda life: life.redeemed_at)),
            "revoked": len(books.all(lambda life: life.revoked)),
            "rotated": len(books.all(lambda life: life.spent)),
        }
        for life in ended:
            thieves.try_everything(line, life)
        for life in books.all(lambda life: life.opened_at and not life.end_asked and not life.local_ended_at):
            if life.is_gone or not _firmly(people.is_taken, line, plain, life):
                found.sessions.append(f"{life.number} ({life.kind}), opened {_clock(life.opened_at)}")
        for life in books.all(lambda life: life.local_ended_at and not life.ended_at):
            if _firmly(people.is_taken, line, plain, life):
                found.not_honoured.append(f"{life.number}, signed out at a site {_clock(life.local_ended_at)}")
        for life in books.all(lambda life: life.revoked):
            thieves.try_revoked(line, life)
        for life in books.all(lambda life: life.spent):
            if _firmly(people.refresh, line, plain, life.spent, "thief"):
                found.rotated_again.append(f"{life.number}, rotated after {_clock(life.redeemed_at)}")
        for life in books.all(lambda life: life.kind == "replays" and life.redeemed_at):
            thieves.try_replay(line, life)
        found.alive_again, found.redeemed_again = thieves.alive_again, thieves.redeemed_again
        found.revoked_again, found.tries = thieves.revoked_again, thieves.tries
        found.still_good_s = thieves.longest_s
        found.untold = [f"{life.number}, ended {_clock(life.ended_at)}" for life in self._untold()]
        self._overhang(found)
        found.unclear = [each for each in answers.unclear() if not each.startswith("public:")]
        found.public = [f"{each.status} {each.problem}" for each in answers.of("public") if not each.is_success]
        found.refused, found.slowest_s = answers.by_status()[503], answers.slowest_s()
        return found

    def _overhang(self, found: Losses) -> None:
        for site in self.sites:
            for life in [life for life in self.books.all() if site.client_id in life.local]:
                # Who left at the site itself is out at once, whoever could be told.
                ended, lease_s = (life.local_ended_at, 0) if life.local_ended_at else (life.ended_at, LEASE_S)
                last = site.admitted.get(life.local[site.client_id], 0.0)
                if not ended or not last:
                    continue
                found.worst_overhang_s = max(found.worst_overhang_s, last - ended)
                if last - ended > lease_s + MEASURED_S:
                    found.overhang.append(f"{life.number} ({life.kind}), {last - ended:.1f} s at {site.client_id}")

    def _last_words(self) -> str:
        return str([(each.what, each.status, each.problem) for each in self.answers.of()[-8:]])


def _firmly(ask: Callable[..., object], *args: object) -> bool:
    """Asked until there is an answer."""
    deadline = time.time() + 30
    while True:
        try:
            return bool(ask(*args))
        except NotNow:
            if time.time() > deadline:
                raise AssertionError("the centre doesn't answer, long after everything is there again") from None
            time.sleep(0.3)


def _clock(at: float) -> str:
    return time.strftime("%X", time.localtime(at)) + f"{at % 1:.2f}"[1:]


def _add(clients: object, client: Client, secret: str) -> None:
    assert clients.add(replace(client, secrets=(ClientSecret(digest(secret)),)))  # type: ignore[attr-defined]


def wait_for_all(threads: Sequence[threading.Thread]) -> None:
    """Until these have done what they do."""
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "people are held up"


@contextlib.contextmanager
def peopled(
    directory: Path, centre: Centre, setting: str, bases: Sequence[str] = (), *, called_at: str = ""
) -> Iterator[Town]:
    """A town whose nodes run already; some people have come and gone when the block begins."""
    town = Town(directory, centre, setting, bases, called_at=called_at)
    reached = contextlib.nullcontext()
    if called_at:
        reached = relayed(called_at, town.sink.port, ("127.0.0.1", town.sink.port))
    try:
        with reached:
            town.open()
            town.wait_for_lives(12)
            yield town
    finally:
        town.close()
