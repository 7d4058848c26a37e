"""argon2id in huge pages that are mapped for one hash and given back after it.

malloc keeps a hash's memory in the heap, and a second time once something small has come to lie above it: 38 of a web
worker's 130 MB. To give small pages back costs 4,800 page faults, 6 ms for each hash of 22; ten huge pages cost nothing
to speak of, for they make the hash faster (docs/decisions/2026-11-22-hashes-in-huge-pages.md).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import mmap
import secrets
from pathlib import Path
from typing import Any, Literal

from argon2 import PasswordHasher, Type
from argon2.exceptions import HashingError, VerifyMismatchError
from argon2.low_level import ARGON2_VERSION, core, error_to_str, ffi

_HUGE = 2 * 1024 * 1024
_ENABLED = Path("/sys/kernel/mm/transparent_hugepage/enabled")
#: argon2.h: ARGON2_MEMORY_ALLOCATION_ERROR.
_NO_MEMORY = -22


def hasher(*, time_cost: int, memory_cost: int, parallelism: int, hash_len: int, salt_len: int) -> PasswordHasher:
    """argon2id in huge pages where there are such and a hash fills one; else as the library does it. `memory_cost` is
    in KiB, the lengths are in bytes."""
    is_ours = memory_cost * 1024 >= _HUGE and has_huge_pages() and is_understood()
    return (HugePageHasher if is_ours else PasswordHasher)(
        time_cost, memory_cost, parallelism, hash_len, salt_len, type=Type.ID
    )


class HugePageHasher(PasswordHasher):
    """The library's, with other memory. What was hashed with other parameters than these is checked by the library."""

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        """The PHC string. Raises HashingError."""
        salt = salt or secrets.token_bytes(self.salt_len)
        secret = password.encode() if isinstance(password, str) else password
        return f"{self._head()}${_b64(salt)}${_b64(self._digest(secret, salt))}"

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002  (the library's name)
        """Raises VerificationError, InvalidHashError, HashingError."""
        stored = hash if isinstance(hash, str) else hash.decode("ascii", "replace")
        salt = self._salt_of(stored)
        if salt is None:
            return super().verify(hash, password)
        if not hmac.compare_digest(self.hash(password, salt=salt), stored):
            raise VerifyMismatchError("another password")
        return True

    def _head(self) -> str:
        return f"$argon2id$v={ARGON2_VERSION}$m={self.memory_cost},t={self.time_cost},p={self.parallelism}"

    def _salt_of(self, stored: str) -> bytes | None:
        """None: the hash isn't as ours are today. Only ASCII is left then to be compared."""
        head, *parts = stored.rsplit("$", 2)
        if head != self._head() or not stored.isascii():
            return None
        if [len(part) for part in parts] != [len(_b64(bytes(n))) for n in (self.salt_len, self.hash_len)]:
            return None
        try:
            return base64.b64decode(parts[0] + "=" * (-len(parts[0]) % 4), validate=True)
        except binascii.Error:
            return None

    def _digest(self, secret: bytes, salt: bytes) -> bytes:
        memory = _Memory()
        # In the process that hashes, and alive until it has: made before a fork they may not outlive it (SELinux).
        allocate = ffi.callback("int(uint8_t **, size_t)", memory.allocate, error=_NO_MEMORY)
        free = ffi.callback("void(uint8_t *, size_t)", memory.free)
        digest = ffi.new("uint8_t[]", self.hash_len)
        held_secret, held_salt = ffi.new("uint8_t[]", secret), ffi.new("uint8_t[]", salt)
        context = ffi.new(
            "argon2_context *",
            {
                "version": ARGON2_VERSION,
                "out": digest,
                "outlen": self.hash_len,
                "pwd": held_secret,
                "pwdlen": len(secret),
                "salt": held_salt,
                "saltlen": len(salt),
                "t_cost": self.time_cost,
                "m_cost": self.memory_cost,
                "lanes": self.parallelism,
                "threads": self.parallelism,
                "allocate_cbk": allocate,
                "free_cbk": free,
            },
        )
        code = core(context, Type.ID.value)
        if code:
            raise HashingError(error_to_str(code))
        return bytes(ffi.buffer(digest))


class _Memory:
    """Of one hash: argon2 asks for it once, wipes it and gives it back."""

    def __init__(self) -> None:
        self._mapped: Any = None

    def allocate(self, place: Any, size: int) -> int:
        """As argon2.h has it: 0 for success."""
        try:
            # Whole huge pages, wherever the mapping begins.
            pages = mmap.mmap(-1, (size // _HUGE + 2) * _HUGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            pages.madvise(mmap.MADV_HUGEPAGE)
        except OSError:
            return _NO_MEMORY
        self._mapped = ffi.from_buffer("uint8_t[]", pages)
        place[0] = self._mapped + -int(ffi.cast("uintptr_t", self._mapped)) % _HUGE
        return 0

    def free(self, _place: Any, _size: int) -> None:
        """Wiped before."""
        self._mapped = None  # the last that knew of the mapping: it is unmapped


def has_huge_pages() -> bool:
    """Whether this system gives them to whoever asks (Linux: `always` or `madvise`)."""
    try:
        return hasattr(mmap, "MADV_HUGEPAGE") and "[never]" not in _ENABLED.read_text()
    except OSError:
        return False


def is_understood() -> bool:
    """Whether the library's structures still are what we take them for: its authors don't promise them. It hashes the
    same as we do, or we leave everything to it. 0.1 ms."""
    ours, theirs = (kind(1, 8, 1, 32, 16, type=Type.ID) for kind in (HugePageHasher, PasswordHasher))
    salt = bytes(range(16))
    try:
        return ours.hash(b"a password", salt=salt) == theirs.hash(b"a password", salt=salt)
    except Exception:  # noqa: BLE001  (whatever has changed: fields, names, types)
        return False


def _b64(data: bytes) -> str:
    return base64.b64encode(data).rstrip(b"=").decode("ascii")
