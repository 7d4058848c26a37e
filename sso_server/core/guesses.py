"""How password guessing is slowed: which counters one attempt touches, and how long each makes people wait.

Never a hard lock. A browser that signed in to this account before has a counter of its own, so strangers can't slow it.
The counter of an address never makes wait who has hardly guessed there: else one person in an office, guessing at names
that nobody has, would take every turn of that counter and shut out all the others for ever. What one account must bear
from one address is its own counter's to say. Design and reasons: ASVS 5.0, 6.1.1 and 6.3.1. When the store is away,
sign-in fails closed.
"""

from __future__ import annotations

import hashlib
import ipaddress

from sso_server.core.policy import HOUR, MINUTE, SECOND
from sso_server.core.records import record


@record
class Limit:
    """One counter: `free` attempts without waiting, then base, 2 x base, 4 x base ... up to cap; forgotten after
    `forget_ms`.
    """

    key: str
    free: int
    base_ms: int
    cap_ms: int
    forget_ms: int
    spare: int = 0
    """It counts but makes nobody wait as long as the first counter of the same attempt stands below this many. 0: it
    always does."""

    def wait_after(self, count: int) -> int:
        """Milliseconds to wait after the `count`-th attempt in a row (1-based). The Redis script repeats this line."""
        return 0 if count < self.free else int(min(self.cap_ms, self.base_ms * 2 ** min(count - self.free, 30)))


def limits_for(username: str, address: str, known_mark: str) -> tuple[Limit, ...]:
    """The counters for one attempt. `known_mark` is empty unless this browser signed in to this account before."""
    account, place = _short(username), place_of(address)
    if known_mark:
        return (Limit(f"k:{account}:{_short(known_mark)}", 5, SECOND, 15 * MINUTE, HOUR),)
    return (
        Limit(f"ua:{account}:{place}", 5, SECOND, 15 * MINUTE, HOUR),
        Limit(f"u:{account}", 20, SECOND, MINUTE, HOUR),
        Limit(f"a:{place}", 100, SECOND, 30 * SECOND, 15 * MINUTE, spare=2),
    )


def place_of(address: str) -> str:
    """What counters of an address are called: a digest, of an IPv6 address that of its /64."""
    return _short(_network(address))


def _network(address: str) -> str:
    """An IPv6 address cut to /64, the least that one customer gets: any of its 2^64 is theirs. Else as it is."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return f"{ipaddress.IPv6Address(int(parsed) >> 64 << 64)}/64"


def _short(text: str) -> str:
    """Names typed by strangers don't belong into keys: a digest, cut to 128 bits."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
