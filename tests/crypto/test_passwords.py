import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
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


def test_only_a_few_wait_and_the_next_is_sent_away_at_once() -> None:
    hasher = Argon2Hasher(**QUICK, at_once=1, most_waiting=2, wait_s=60)
    with hasher._slot():
        waiting = [threading.Thread(target=hasher.hash, args=("x",)) for _ in range(2)]
        for thread in waiting:
            thread.start()
        deadline = time.monotonic() + 10
        while hasher._places._value:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        begun = time.monotonic()
        with pytest.raises(Unavailable):
            hasher.hash("x")
        assert time.monotonic() - begun < 10
    for thread in waiting:
        thread.join(10)
    assert hasher.hash("x")


def test_nobody_holds_a_thread_for_long() -> None:
    hasher = Argon2Hasher(**QUICK)
    with hasher._slot():
        begun = time.monotonic()
        with pytest.raises(Unavailable) as raised:
            hasher.hash("x")
        assert time.monotonic() - begun < 10
    assert raised.value.retry_after_s > 0


def test_many_threads_that_hash_once_do_not_keep_the_memory_of_a_hash_each() -> None:
    hasher = Argon2Hasher(wait_s=60, most_waiting=100)

    def held_mib() -> float:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    hasher.hash("x")
    before = held_mib()
    with ThreadPoolExecutor(16) as pool:
        all_are_there = threading.Barrier(16)

        def one() -> str:
            all_are_there.wait(60)
            return hasher.hash("x")

        assert len(set(pool.map(lambda _: one(), range(16)))) == 16
        assert held_mib() - before < 100


def test_a_damaged_hash_of_other_letters_is_a_wrong_password() -> None:
    hasher = Argon2Hasher(**QUICK)
    assert not hasher.verify(hasher.hash("x").replace("$", "\xa7", 1), "x")
