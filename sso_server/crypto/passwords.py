"""argon2id for passwords, capped per process: a crowd at the sign-in page must not eat the machine's memory.

What may be a password is `core.users`' business; how often one may guess is `core.guesses`'.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

from sso_server.core.errors import Unavailable
from sso_server.crypto import argon2id, cores


class Argon2Hasher:
    """`ports.PasswordHasher`. The defaults are OWASP's minimum for argon2id (Password Storage Cheat Sheet).

    `at_once` hashes run in this process at the same moment and `most_waiting` callers wait for their turn, each for at
    most `wait_s` seconds. Whoever comes then is sent away at once: a waiting caller holds a thread of the web worker,
    and a crowd at the sign-in page must leave threads for check-ins and tokens. `place`: held while one is hashed.
    `while_waiting`: entered by the caller until the hash is there.
    """

    def __init__(
        self,
        *,
        memory_kib: int = 19_456,
        time_cost: int = 2,
        at_once: int = 1,
        most_waiting: int = 8,
        wait_s: float = 2.0,
        place: Callable[[], AbstractContextManager[object]] = contextlib.nullcontext,
        while_waiting: Callable[[], AbstractContextManager[object]] = contextlib.nullcontext,
    ) -> None:
        self._memory_kib = memory_kib
        self._time_cost = time_cost
        self._slots = threading.BoundedSemaphore(at_once)
        self._places = threading.BoundedSemaphore(at_once + most_waiting)
        self._wait_s = wait_s
        self._place = place
        self._while_waiting = while_waiting
        # What a caller's thread keeps to (a core, a turn) is no matter of the hash's.
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="hash")
        # A hash of nothing: the digest is random, no password is known for it, and checking one against it costs
        # exactly what a real check costs (ASVS 5.0, 6.3.8: time must not tell whether an account exists).
        self._nobody = argon2id.random_string(memory_kib, time_cost)

    def hash(self, password: str) -> str:
        """The PHC string to be stored. Raises Unavailable when too many wait already."""
        with self._while_waiting(), self._slot():
            return self._threads.submit(self._hash, password).result()

    def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether the password belongs to the hash; with None it takes as long and is False. Raises Unavailable."""
        with self._while_waiting(), self._slot():
            return self._threads.submit(self._verify, password_hash, password).result()

    def needs_rehash(self, password_hash: str) -> bool:
        """The hash was made with other parameters than today's (or is no hash of ours)."""
        return not argon2id.has_parameters(password_hash, self._memory_kib, self._time_cost)

    def _hash(self, password: str) -> str:
        with self._place(), cores.any_core(), _enough_memory():
            return argon2id.hashed(_bytes_of(password), self._memory_kib, self._time_cost)

    def _verify(self, password_hash: str | None, password: str) -> bool:
        secret = _bytes_of(password)
        with self._place(), cores.any_core(), _enough_memory():
            if password_hash is not None:
                with contextlib.suppress(ValueError):
                    return argon2id.belongs(secret, password_hash)
            # Nor must a damaged row be told apart from a wrong password, by time either.
            argon2id.belongs(secret, self._nobody)
            return False

    @contextlib.contextmanager
    def _slot(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise Unavailable(detail="too many wait for password hashing")
        try:
            if not self._slots.acquire(timeout=self._wait_s):
                raise Unavailable(detail="all slots for password hashing are taken")
            try:
                yield
            finally:
                self._slots.release()
        finally:
            self._places.release()


@contextlib.contextmanager
def _enough_memory() -> Iterator[None]:
    """Who can't be checked has not guessed wrongly."""
    try:
        yield
    except MemoryError as error:
        raise Unavailable(detail=f"no memory: {error}") from error


def _bytes_of(password: str) -> bytes:
    """Every character counts, none is normalised or cut (ASVS 5.0, 6.2.8); a lone surrogate is a character too."""
    return password.encode("utf-8", "surrogatepass")
