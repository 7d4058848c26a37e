"""The set-up link of the first administrator: made by whoever runs the server, works once, for 30 minutes.

Only a digest is kept. Without a valid link there is no set-up page, so a stranger can never claim a fresh installation.
"""

from __future__ import annotations

from collections.abc import Callable

from sso_server.core.errors import LockstepError
from sso_server.core.identifiers import digest
from sso_server.core.policy import MINUTE
from sso_server.core.ports import Clock, OneTimeStore, Randomness
from sso_server.core.users import User

LIFE_MS = 30 * MINUTE
_RETURNED_MS = 5 * MINUTE
_MAX_TOKEN = 100


def issue(one_time: OneTimeStore, randomness: Randomness, clock: Clock) -> str:
    """A new token for the link; it is kept nowhere. Raises Unavailable."""
    token = randomness.token("setup")
    one_time.put_once(_key(token), clock.now() + LIFE_MS)
    return token


def is_valid(token: str, one_time: OneTimeStore, clock: Clock) -> bool:
    """Whether the link would work now; it is not spent by looking. Raises Unavailable."""
    return 0 < len(token) <= _MAX_TOKEN and one_time.has_once(_key(token), clock.now())


def redeem(token: str, make: Callable[[], User], one_time: OneTimeStore, clock: Clock) -> User | None:
    """Spend the link and make the administrator; None when it is spent or expired. Raises what `make` raises."""
    if not is_valid(token, one_time, clock) or not one_time.take_once(_key(token), clock.now()):
        return None
    try:
        return make()
    except LockstepError:
        # Nobody was made (a busy hasher, a name taken a moment ago): the person in front of the page tries again.
        one_time.put_once(_key(token), clock.now() + _RETURNED_MS)
        raise


def _key(token: str) -> str:
    return f"setup:{digest(token)}"
