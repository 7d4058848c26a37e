"""How password guessing is slowed: which counters one attempt touches, and how long each makes people wait.

Never a hard lock. A browser that signed in to this account before has a counter of its own, so strangers can't slow it;
one person's failures at an office's address are stopped by their own counter long before the address's.
Design and reasons: ASVS 5.0, 6.1.1 and 6.3.1. When the store is away, sign-in fails closed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sso_server.core.policy import HOUR, MINUTE, SECOND


@dataclass(frozen=True, slots=True)
class Limit:
    """One counter: `free` attempts without waiting, then base, 2 x base, 4 x base ... up to cap; forgotten after
    `forget_ms`.
    """

    key: str
    free: int
    base_ms: int
    cap_ms: int
    forget_ms: int

    def wait_after(self, count: int) -> int:
        """Milliseconds to wait after the `count`-th attempt in a row (1-based). The Redis script repeats this line."""
        return 0 if count < self.free else int(min(self.cap_ms, self.base_ms * 2 ** min(count - self.free, 30)))


def limits_for(username: str, address: str, known_mark: str) -> tuple[Limit, ...]:
    """The counters for one attempt. `known_mark` is empty unless this browser signed in to this account before."""
    account = _short(username)
    if known_mark:
        return (Limit(f"k:{account}:{_short(known_mark)}", 5, SECOND, 15 * MINUTE, HOUR),)
    return (
        Limit(f"ua:{account}:{_short(address)}", 5, SECOND, 15 * MINUTE, HOUR),
        Limit(f"u:{account}", 20, SECOND, MINUTE, HOUR),
        Limit(f"a:{_short(address)}", 100, SECOND, 30 * SECOND, 15 * MINUTE),
    )


def _short(text: str) -> str:
    """Names typed by strangers don't belong into keys: a digest, cut to 128 bits."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
