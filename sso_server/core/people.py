"""The directory of people: what sites are told of somebody, cached in the process. Thread-safe.

A change is seen at once in the process that made it, elsewhere within a second: so late may userinfo, introspection and
CAS validations hear that an account was disabled, whose sessions end meanwhile. Who may sign in, and who holds a
password, is asked of the store (sign_in.py, accounts.py).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace

from sso_server.core.policy import SECOND
from sso_server.core.ports import Clock, PeopleSource
from sso_server.core.users import User

#: Whoever was asked about last stays; a record is about 1 kB.
MOST = 4_096
#: After this long everybody is read again: a row that was changed by hand counts nothing up.
LONGEST_MS = 60 * SECOND


class People:
    """Saves a query, some 120 us, for each answer that names a person."""

    def __init__(self, source: PeopleSource, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._lock = threading.Lock()
        self._known: OrderedDict[str, User] = OrderedDict()
        self._generation = -1
        self._checked_at = -SECOND
        self._emptied_at = 0

    def find(self, user_id: str) -> User | None:
        """The person, without the password's hash; None: there is none. Raises Unavailable."""
        known = self._current()
        user = known.get(user_id)
        if user is not None:
            self._keep(known, user)
            return user
        user = self._source.find(user_id)
        if user is None:
            # Not noted: an account that is made a moment later must be there.
            return None
        user = replace(user, password_hash="")
        # Into the cache of before the row was read. If somebody changed it meanwhile, that one is not used any more.
        self._keep(known, user)
        return user

    def changed(self) -> None:
        """Somebody was changed by this process: the next question looks whether what is cached still holds."""
        # Behind a look that has begun before: what it found is not the last word.
        with self._lock:
            self._checked_at = -SECOND

    def _keep(self, known: OrderedDict[str, User], user: User) -> None:
        with self._lock:
            known[user.user_id] = user
            known.move_to_end(user.user_id)
            if len(known) > MOST:
                known.popitem(last=False)

    def _current(self) -> OrderedDict[str, User]:
        now = self._clock.now()
        # A clock set back must not freeze the cache, hence abs().
        if abs(now - self._checked_at) >= SECOND:
            with self._lock:
                if abs(now - self._checked_at) >= SECOND:
                    generation = self._source.generation()
                    if generation != self._generation or abs(now - self._emptied_at) >= LONGEST_MS:
                        self._known, self._generation, self._emptied_at = OrderedDict(), generation, now
                    self._checked_at = now
        return self._known
