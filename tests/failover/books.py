"""What the centre has acknowledged to each person: nothing stands here that was not answered. Thread-safe enough: one
thread writes a life, others only read it.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Life:
    """One session, as its person and the sites know it. Times in s since the epoch, 0: not acknowledged."""

    number: int
    kind: str
    """`stays`, `leaves`, `leaves_at_site`, `replays`, `revokes`, `rotates`: what the person, or the site, does."""
    cookies: dict[str, str] = field(default_factory=dict)
    """Of the browser, as they were when the session was opened: what a thief would have."""
    opened_at: float = 0.0
    ended_at: float = 0.0
    end_asked: bool = False
    """Somebody pressed "sign out" at the centre, whatever came of it."""
    is_gone: bool = False
    """The centre said, without being asked to end it, that it knows no such session."""
    sid: str = ""
    ticket: dict[str, str] = field(default_factory=dict)
    """The form that redeems the ticket of the site without the SDK; `redeemed_at`: it has."""
    redeemed_at: float = 0.0
    access: str = ""
    refresh: str = ""
    """The newest refresh token that wasn't given back."""
    revoked: str = ""
    spent: str = ""
    """A refresh token that was rotated, and so was the one that came for it."""
    local: dict[str, str] = field(default_factory=dict)
    """Cookies at sites with the SDK, by site."""
    local_ended_at: float = 0.0
    """The person signed out at the site, whether or not the centre could be told."""


class Books:
    """All lives."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lives: list[Life] = []

    def begin(self, kind: str) -> Life:
        with self._lock:
            life = Life(len(self._lives), kind)
            self._lives.append(life)
        return life

    def all(self, which: Callable[[Life], object] = lambda _: True) -> list[Life]:
        with self._lock:
            return [life for life in self._lives if which(life)]
