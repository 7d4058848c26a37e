import threading
import time
from statistics import median

import pytest

from sso_server.core.errors import Unavailable
from sso_server.crypto.passwords import Argon2Hasher

QUICK = {"memory_kib": 1024, "time_cost": 1}


def test_a_hash_is_argon2id_with_owasp_s_parameters_and_a_salt_of_its_own() -> None:
    hasher = Argon2Hasher()
    one, two = hasher.hash("correct horse"), hasher.hash("correct horse")
    assert one.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert one != two
    assert hasher.verify(one, "correct horse")
    assert hasher.verify(two, "correct horse")
    assert not hasher.verify(one, "correct horsf")


@pytest.mark.parametrize(
    "password",
    ["x" * 1024, "密码密码密码密码", "  spaces at both ends  ", "a\0b" * 4, "lone \ud800 surrogate", "\u212bngström"],
)
def test_every_character_counts(password: str) -> None:
    hasher = Argon2Hasher(**QUICK)
    made = hasher.hash(password)
    assert hasher.verify(made, password)
    for other in (password[:-1], password + "x", password.strip() + "!", password.swapcase() + "y"):
        assert not hasher.verify(made, other)


def test_long_passwords_that_differ_at_the_end_differ() -> None:
    hasher = Argon2Hasher(**QUICK)
    assert not hasher.verify(hasher.hash("x" * 1000 + "a"), "x" * 1000 + "b")


@pytest.mark.parametrize("damaged", ["", "plain", "$argon2id$v=19$m=1024,t=1,p=1$c2FsdA", "$2b$12$" + "a" * 53])
def test_a_damaged_hash_matches_nothing(damaged: str) -> None:
    assert not Argon2Hasher(**QUICK).verify(damaged, "plain")
    assert not Argon2Hasher(**QUICK).verify(damaged, "")


def test_nobody_s_password_is_always_wrong_and_takes_as_long_as_a_wrong_one() -> None:
    hasher = Argon2Hasher()
    real = hasher.hash("correct horse")

    def took(password_hash: str | None) -> float:
        begun = time.perf_counter()
        assert not hasher.verify(password_hash, "wrong")
        return time.perf_counter() - begun

    pairs = [(took(None), took(real)) for _ in range(15)]
    ratio = median(nobody for nobody, _ in pairs) / median(known for _, known in pairs)
    assert 0.5 < ratio < 2


def test_older_parameters_ask_for_a_new_hash() -> None:
    old = Argon2Hasher(**QUICK).hash("correct horse")
    assert Argon2Hasher().needs_rehash(old)
    assert Argon2Hasher().verify(old, "correct horse")
    assert not Argon2Hasher(**QUICK).needs_rehash(old)
    assert Argon2Hasher().needs_rehash("plain")


def test_no_more_run_at_once_than_allowed_and_who_waits_too_long_is_sent_away() -> None:
    hasher = Argon2Hasher(**QUICK, at_once=2, wait_s=0.05)
    with hasher._slot(), hasher._slot():
        for call in (lambda: hasher.hash("x"), lambda: hasher.verify(None, "x")):
            with pytest.raises(Unavailable):
                call()
    assert hasher.hash("x")


def test_a_slot_that_comes_free_in_time_is_used() -> None:
    hasher = Argon2Hasher(**QUICK, at_once=1, wait_s=10)
    held = threading.Event()
    release = threading.Event()

    def hold() -> None:
        with hasher._slot():
            held.set()
            release.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(10)
    threading.Timer(0.05, release.set).start()
    assert hasher.hash("x")
    holder.join()
