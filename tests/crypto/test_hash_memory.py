"""Where a hash is made changes neither the hash nor what is said of a wrong or damaged one; its memory goes back."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from argon2 import PasswordHasher, Type
from argon2.exceptions import HashingError, VerificationError, VerifyMismatchError

from sso_server.crypto import hash_memory
from sso_server.crypto.hash_memory import HugePageHasher

SALT = bytes(range(16))
SMALL = (1, 4096, 1, 32, 16)
OURS = HugePageHasher(*SMALL, type=Type.ID)
THEIRS = PasswordHasher(*SMALL, type=Type.ID)

#: What it holds after a little hash, and after some of the usual size, in KiB.
HASHES = """
from pathlib import Path
from sso_server.crypto.passwords import Argon2Hasher

def held():
    return next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in line)

Argon2Hasher(memory_kib=8).hash("right")
before, hasher = held(), Argon2Hasher()
stored = hasher.hash("right")
assert all(hasher.verify(stored, "right") for _ in range(3))
print(before, held())
"""


@pytest.mark.parametrize("password", ["", "correct horse", "pass\0word", "密码" * 300])
@pytest.mark.parametrize("parameters", [SMALL, (2, 19_456, 1, 32, 16), (3, 2049, 2, 16, 9)])
def test_it_is_the_librarys_hash(password: str, parameters: tuple[int, int, int, int, int]) -> None:
    ours, theirs = HugePageHasher(*parameters, type=Type.ID), PasswordHasher(*parameters, type=Type.ID)
    salt = SALT[: parameters[4]]
    assert ours.hash(password, salt=salt) == theirs.hash(password, salt=salt)
    assert ours.verify(theirs.hash(password), password)
    assert theirs.verify(ours.hash(password), password)


def test_a_wrong_password_is_one_whoever_made_the_hash() -> None:
    for made in (OURS.hash("right"), THEIRS.hash("right")):
        with pytest.raises(VerifyMismatchError):
            OURS.verify(made, "wrong")


def test_no_two_hashes_of_a_password_are_the_same() -> None:
    assert OURS.hash("right") != OURS.hash("right")


def test_hashes_with_other_parameters_or_of_another_kind_are_checked_too() -> None:
    for other in (
        PasswordHasher(2, 1024, 1, 32, 16, type=Type.ID),
        PasswordHasher(1, 4096, 1, 16, 8, type=Type.ID),
        PasswordHasher(1, 4096, 1, 32, 16, type=Type.I),
    ):
        assert OURS.verify(other.hash("right"), "right")
        with pytest.raises(VerifyMismatchError):
            OURS.verify(other.hash("right"), "wrong")


def test_a_damaged_hash_belongs_to_no_password() -> None:
    whole = THEIRS.hash("right", salt=SALT)
    head, salt, digest = whole.rsplit("$", 2)
    for damaged in (
        "",
        "nothing",
        "$",
        "ä" + whole,
        whole + "ä",
        whole + "A",
        whole[:-1],
        whole[:-1] + "é",
        f"{head}${'!' * len(salt)}${digest}",
        f"{head}${'ä' * len(salt)}${digest}",
        f"{head}${salt}${digest[:-1]}{chr(ord(digest[-1]) + 1)}",
        f"{head}${salt}${'A' * len(digest)}",
    ):
        with pytest.raises((VerificationError, ValueError)):  # as the library says it
            OURS.verify(damaged, "right")


@pytest.mark.skipif(not hash_memory.has_huge_pages(), reason="no huge pages: malloc keeps what it had")
def test_its_memory_goes_back_after_each_hash() -> None:
    # In a program of its own: what malloc keeps depends on what was there before.
    done = subprocess.run([sys.executable, "-c", HASHES], capture_output=True, text=True, timeout=60, check=True)
    before, after = map(int, done.stdout.split())
    assert after - before < 8 * 1024  # of a hash's 19,456 KiB


def test_no_memory_is_an_error_and_the_next_hash_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoMemory:
        MAP_PRIVATE = MAP_ANONYMOUS = MADV_HUGEPAGE = 0

        @staticmethod
        def mmap(*_: object, **__: object) -> None:
            raise OSError

    with monkeypatch.context() as patched:
        patched.setattr(hash_memory, "mmap", NoMemory)
        with pytest.raises(HashingError):
            OURS.hash("right")
    assert OURS.verify(OURS.hash("right"), "right")


def made(memory_cost: int = 19_456) -> type[PasswordHasher]:
    return type(hash_memory.hasher(time_cost=2, memory_cost=memory_cost, parallelism=1, hash_len=32, salt_len=16))


def test_the_library_hashes_alone_where_there_are_no_huge_pages_or_its_structures_have_changed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pages = tmp_path / "enabled"
    monkeypatch.setattr(hash_memory, "_ENABLED", pages)
    assert made() is PasswordHasher
    pages.write_text("always madvise [never]\n")
    assert made() is PasswordHasher
    pages.write_text("always [madvise] never\n")
    assert made() is HugePageHasher
    assert made(1024) is PasswordHasher

    monkeypatch.setattr(hash_memory, "core", lambda *_: 0)  # as if the digest were somewhere else
    assert made() is PasswordHasher


def test_many_hash_at_once() -> None:
    stored = [THEIRS.hash(str(number)) for number in range(8)]
    right = threading.Semaphore(0)

    def check(number: int) -> None:
        if OURS.verify(stored[number], str(number)):
            right.release()

    with ThreadPoolExecutor(8) as many:
        list(many.map(check, range(8)))
    assert all(right.acquire(blocking=False) for _ in range(8))
