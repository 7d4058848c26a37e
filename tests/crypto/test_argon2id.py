"""A hash is argon2id as others make it, a damaged one belongs to nobody, and its memory goes back."""

import base64
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from sso_server.crypto import argon2id

#: Made by another library (argon2-cffi 25.1.0), as every hash was until PyNaCl came.
OLDER = "$argon2id$v=19$m=19456,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$fMw4xCsOu3DN1L/T7kO+TEteDDTvCUVHl41qYum5MGU"

#: What it holds after a little hash, and after some of the usual size, in KiB.
HELD = """
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

#: The process may have no more memory than it has, and half a hash's.
FULL = """
import resource
from pathlib import Path
from sso_server.core.errors import Unavailable
from sso_server.crypto.passwords import Argon2Hasher

hasher = Argon2Hasher()
stored = hasher.hash("right")
size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 10_000_000, resource.RLIM_INFINITY))
for ask in (lambda: hasher.hash("right"), lambda: hasher.verify(stored, "wrong"), lambda: hasher.verify(None, "x")):
    try:
        print(ask())
    except Unavailable as error:
        print("unavailable:", error.detail)
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(hasher.verify(stored, "right"), hasher.verify(stored, "wrong"))
"""


def said_by(program: str) -> list[str]:
    """In a process of its own: what malloc keeps depends on what was there before."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.splitlines()


@pytest.mark.parametrize("password", ["", "correct horse", "pass\0word", "密码" * 300])
@pytest.mark.parametrize(("memory_kib", "passes"), [(19_456, 2), (4096, 1), (2049, 3)])
def test_it_is_the_argon2id_of_others(password: str, memory_kib: int, passes: int) -> None:
    secret = password.encode()
    head, salt, digest = argon2id.hashed(secret, memory_kib, passes).rsplit("$", 2)
    other = Argon2id(
        salt=base64.b64decode(salt + "=="), length=32, iterations=passes, lanes=1, memory_cost=memory_kib
    ).derive(secret)
    assert head == f"$argon2id$v=19$m={memory_kib},t={passes},p=1"
    assert base64.b64decode(digest + "=") == other


def test_older_hashes_are_still_checked() -> None:
    assert argon2id.belongs("correct horse 密码".encode(), OLDER)
    assert not argon2id.belongs(b"correct horse", OLDER)
    assert argon2id.has_parameters(OLDER, 19_456, 2)


def test_a_hash_says_itself_how_it_was_made() -> None:
    made = argon2id.hashed(b"right", 1024, 3)
    assert argon2id.belongs(b"right", made)
    assert not argon2id.belongs(b"wrong", made)
    assert argon2id.has_parameters(made, 1024, 3)
    assert not argon2id.has_parameters(made, 1025, 3)
    assert not argon2id.has_parameters(made, 1024, 2)


def test_no_two_hashes_of_a_password_are_the_same() -> None:
    assert argon2id.hashed(b"right", 1024, 1) != argon2id.hashed(b"right", 1024, 1)


HEAD, SALT, DIGEST = OLDER.rsplit("$", 2)


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "nothing",
        "$",
        "ä" + OLDER,
        OLDER + "ä",
        OLDER + "A",
        OLDER + "\n",
        OLDER[:-1],
        f"{HEAD}${'!' * len(SALT)}${DIGEST}",
        f"{HEAD}${'ä' * len(SALT)}${DIGEST}",
        OLDER.replace("m=19456", "m=7"),
        OLDER.replace("m=19456", "m=0"),
        OLDER.replace("m=19456", "m=\N{ARABIC-INDIC DIGIT NINE}"),
        OLDER.replace("p=1", "p=2"),
        OLDER.replace("argon2id", "argon2i"),
        OLDER.replace("v=19", "v=16"),
    ],
)
def test_a_damaged_hash_is_called_that(damaged: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        argon2id.belongs("correct horse 密码".encode(), damaged)


@pytest.mark.parametrize(
    "other",
    [
        OLDER[:-1] + "V",  # the same bytes, written otherwise
        f"{HEAD}${SALT}${'A' * len(DIGEST)}",
        OLDER.replace("AAECAw", "AAECAx"),
        OLDER.replace("t=2", "t=3"),
    ],
)
def test_another_hash_belongs_to_another_password(other: str) -> None:
    assert not argon2id.belongs("correct horse 密码".encode(), other)


def test_its_memory_goes_back_after_each_hash() -> None:
    before, after = map(int, said_by(HELD)[0].split())
    assert after - before < 8 * 1024  # of a hash's 19,456 KiB


def test_without_memory_nobody_has_guessed_wrongly_and_the_next_is_checked() -> None:
    full = "unavailable: no memory: 19456 KiB for a password's hash"
    assert said_by(FULL) == [full, full, full, "True False"]


def test_many_hash_at_once() -> None:
    stored = [argon2id.hashed(str(number).encode(), 4096, 1) for number in range(8)]
    with ThreadPoolExecutor(8) as many:
        checked = list(many.map(lambda number: argon2id.belongs(str(number).encode(), stored[number]), range(8)))
    assert all(checked)
