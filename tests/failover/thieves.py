"""Who has a copy of everything tries it, all the time: ended sessions, spent tickets, revoked tokens. Thread-safe."""

import contextlib
import random
import threading
import time
from collections.abc import Sequence

from tests.failover import people
from tests.failover.books import Books, Life
from tests.failover.line import Line, NotNow
from tests.failover.people import PlainSite


class Thieves:
    """Each list has a sentence for each success."""

    def __init__(self, books: Books, plain: PlainSite, lines: Sequence[Line]) -> None:
        self.alive_again: list[str] = []
        self.redeemed_again: list[str] = []
        self.revoked_again: list[str] = []
        self.tries = 0
        self.longest_s = 0.0
        """How long after its end a session was still good for something, at the most."""
        self._books, self._plain, self._lines = books, plain, lines
        self._replayed: set[int] = set()

    def prowl(self, stop: threading.Event) -> None:
        """Until stopped: mostly what ended last, at every node."""
        lines, chance = [line.copy() for line in self._lines], random.Random(3)
        while not stop.wait(0.01):
            ended = self._books.all(lambda life: life.ended_at)
            revoked = self._books.all(lambda life: life.revoked)
            line = chance.choice(lines)
            # A thief has time: nothing that a person wants is kept waiting for them.
            if ended:
                life = chance.choice(ended[-40:] if chance.random() < 0.6 else ended)
                with contextlib.suppress(NotNow):
                    chance.choice((self._try_cookie, self._try_cookie, self._try_access, self._try_refresh))(line, life)
            if revoked and chance.random() < 0.3:
                with contextlib.suppress(NotNow):
                    self._try_revoked(line, chance.choice(revoked))
            self._replay_some(line, chance)

    def try_everything(self, line: Line, life: Life) -> None:
        """Of an ended session, each until there is an answer."""
        for attempt in (self._try_cookie, self._try_access, self._try_refresh):
            _firmly(attempt, line, life)
        self.try_replay(line, life)

    def try_revoked(self, line: Line, life: Life) -> None:
        """Until there is an answer."""
        _firmly(self._try_revoked, line, life)

    def try_replay(self, line: Line, life: Life) -> None:
        """Once, until there is an answer: a replay revokes what came from the ticket."""
        if life.number not in self._replayed:
            _firmly(self._replay, line, life)

    def _replay_some(self, line: Line, chance: random.Random) -> None:
        """A few before the end: spent tickets must stay spent at any time."""
        lives = self._books.all(lambda life: life.kind == "replays" and life.redeemed_at)
        if lives and chance.random() < 0.1:
            life = chance.choice(lives)
            if life.number not in self._replayed:
                with contextlib.suppress(NotNow):
                    self._replay(line, life)

    def _try_cookie(self, line: Line, life: Life) -> None:
        self._note(life, "cookie", line, people.is_taken(line, self._plain, life, "thief"))

    def _try_access(self, line: Line, life: Life) -> None:
        if life.access:
            self._note(life, "access token", line, people.userinfo(line, life.access, "thief"))

    def _try_refresh(self, line: Line, life: Life) -> None:
        if life.refresh:
            got = people.refresh(line, self._plain, life.refresh, "thief")
            self._note(life, "refresh token", line, got is not None)

    def _try_revoked(self, line: Line, life: Life) -> None:
        self.tries += 1
        if people.refresh(line, self._plain, life.revoked, "thief") is not None:
            self.revoked_again.append(f"{life.number} at {line.base}")

    def _replay(self, line: Line, life: Life) -> None:
        if life.ticket:
            answer = line.ask("thief", "POST", "/token", data=life.ticket, auth=self._plain.auth)
            self._replayed.add(life.number)
            self.tries += 1
            if answer.status_code == 200:
                self.redeemed_again.append(f"{life.number} ({life.kind}) at {line.base}")

    def _note(self, life: Life, what: str, line: Line, worked: bool) -> None:
        self.tries += 1
        if worked:
            after = time.time() - life.ended_at
            self.longest_s = max(self.longest_s, after)
            self.alive_again.append(f"{life.number} by its {what} at {line.base}, {after:.2f} s after its end")


def _firmly(attempt: object, line: Line, life: Life) -> None:
    deadline = time.time() + 30
    while True:
        try:
            attempt(line, life)  # type: ignore[operator]
            return
        except NotNow:
            assert time.time() < deadline, "the centre doesn't answer, long after everything is there again"
            time.sleep(0.3)
