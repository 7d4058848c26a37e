"""The set-up link of an administrator: made by whoever runs the server, works once, for 30 minutes.

Only a digest is kept. Without a valid link there is no set-up page, so a stranger can never claim a fresh installation.
There is one live link: links that starts have left in logs and terminals end with the next one, and with the first
administrator.
"""

from __future__ import annotations

from collections.abc import Callable

from sso_server.core.errors import LockstepError
from sso_server.core.identifiers import digest
from sso_server.core.policy import MINUTE
from sso_server.core.ports import Clock, OneTimeStore, Randomness, UserStore
from sso_server.core.users import User

LIFE_MS = 30 * MINUTE
_RETURNED_MS = 5 * MINUTE
_MAX_TOKEN = 100
_ANY = "setup:"
_PRINTED = "setup-printed:"
_FIRST = "setup:first:"
_ONE_MORE = "setup:more:"


def issue(one_time: OneTimeStore, randomness: Randomness, clock: Clock, *, first_only: bool) -> str:
    """A new token for the link, instead of any before; it is kept nowhere. Raises Unavailable.

    `first_only`: it works only while there is no administrator; else somebody asked for one more on purpose.
    """
    token = randomness.token("setup")
    _put((_FIRST if first_only else _ONE_MORE) + digest(token), clock.now() + LIFE_MS, one_time)
    return token


def issue_at_start(node: str, one_time: OneTimeStore, randomness: Randomness, clock: Clock) -> str | None:
    """The token for the link that a starting node prints; None: another one printed its link, which is still good.

    `node` is the same at each start of a node: whoever starts it again gets a new link, because the old one may have
    gone with its terminal. Raises Unavailable.
    """
    now = clock.now()
    mine = _PRINTED + digest(node)
    if not one_time.claim_once(_PRINTED, now + LIFE_MS, now) and not one_time.has_once(mine, now):
        return None
    for key in (_PRINTED, mine):
        one_time.put_once(key, now + LIFE_MS)
    return issue(one_time, randomness, clock, first_only=True)


def is_valid(token: str, one_time: OneTimeStore, users: UserStore, clock: Clock) -> bool:
    """Whether the link would work now; it is not spent by looking. Raises Unavailable."""
    return _find_key(token, one_time, users, clock) is not None


def redeem(token: str, make: Callable[[], User], one_time: OneTimeStore, users: UserStore, clock: Clock) -> User | None:
    """Spend the link and make the administrator; None when it doesn't work (any more). Raises what `make` raises."""
    key = _find_key(token, one_time, users, clock)
    if key is None or not one_time.take_once(key, clock.now()):
        return None
    try:
        return make()
    except LockstepError:
        # Nobody was made (a busy hasher, a name taken a moment ago): the person in front of the page tries again.
        _put(key, clock.now() + _RETURNED_MS, one_time)
        raise


def _find_key(token: str, one_time: OneTimeStore, users: UserStore, clock: Clock) -> str | None:
    if not 0 < len(token) <= _MAX_TOKEN:
        return None
    if one_time.has_once(_ONE_MORE + digest(token), clock.now()):
        return _ONE_MORE + digest(token)
    if one_time.has_once(_FIRST + digest(token), clock.now()) and not users.list_users(1, admins_only=True):
        return _FIRST + digest(token)
    return None


def _put(key: str, expires_at: int, one_time: OneTimeStore) -> None:
    one_time.put_once(key, expires_at, replaces=_ANY)
