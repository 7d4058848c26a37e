from sso_server.core.guesses import Limit, limits_for
from sso_server.core.policy import HOUR, MINUTE, SECOND
from tests.support.builders import NOW

LIMIT = Limit("u:alice", free=3, base_ms=SECOND, cap_ms=10 * SECOND, forget_ms=MINUTE)


def begin(stores, now=NOW, *limits):
    return stores.guesses.begin(limits or [LIMIT], now)


def test_the_first_attempts_are_free_and_then_each_waits_twice_as_long(stores):
    now = NOW
    waits = []
    for _ in range(9):
        wait = 0
        while begin(stores, now + wait):
            wait += SECOND
        now += wait
        waits.append(wait // SECOND)
    assert waits == [0, 0, 0, 1, 2, 4, 8, 10, 10]


def test_a_wait_is_told_to_the_millisecond_and_ends(stores):
    for _ in range(3):
        assert begin(stores) == 0
    assert begin(stores, NOW + 1) == SECOND - 1
    assert begin(stores, NOW + SECOND - 1) == 1
    assert begin(stores, NOW + SECOND) == 0


def test_an_attempt_that_must_wait_is_not_counted(stores):
    for _ in range(3):
        begin(stores)
    for _ in range(20):
        assert begin(stores, NOW + 1) == SECOND - 1
    assert begin(stores, NOW + SECOND) == 0
    assert begin(stores, NOW + SECOND) == 2 * SECOND


def test_after_a_while_all_is_forgotten(stores):
    for _ in range(3):
        begin(stores)
    assert begin(stores, NOW + MINUTE) == 0
    assert begin(stores, NOW + MINUTE) == 0
    assert begin(stores, NOW + MINUTE) == 0
    assert begin(stores, NOW + MINUTE) == SECOND


def test_the_longest_wait_of_all_counters_is_told_and_then_none_is_counted(stores):
    strict = Limit("strict", 1, 30 * SECOND, 30 * SECOND, HOUR)
    mild = Limit("mild", 1, 5 * SECOND, 5 * SECOND, HOUR)
    other = Limit("other", 1, HOUR, HOUR, HOUR)
    assert begin(stores, NOW, strict, mild) == 0
    assert begin(stores, NOW, mild, other, strict) == 30 * SECOND
    assert begin(stores, NOW, other) == 0, "the refused attempt left no mark on it"
    assert begin(stores, NOW, mild) == 5 * SECOND


def test_a_success_forgets_the_first_counters_and_takes_one_attempt_back_on_the_others(stores):
    own, shared = Limit("own", 2, MINUTE, MINUTE, HOUR), Limit("shared", 2, MINUTE, MINUTE, HOUR)
    assert begin(stores, NOW, own, shared) == 0
    assert begin(stores, NOW, own, shared) == 0
    assert begin(stores, NOW, own) == MINUTE
    stores.guesses.settle(["own"], ["shared"])
    assert begin(stores, NOW, own) == 0
    assert begin(stores, NOW, shared) == 0
    assert begin(stores, NOW, shared) == MINUTE


def test_taking_back_what_was_never_counted_gives_nobody_credit(stores):
    stores.guesses.settle(["nothing"], [LIMIT.key])
    for _ in range(3):
        assert begin(stores) == 0
    assert begin(stores) == SECOND
    stores.guesses.settle([], [])


def test_a_browser_that_signed_in_before_is_not_slowed_by_strangers(stores):
    stranger = limits_for("alice", "198.51.100.9", "")
    while stores.guesses.begin(stranger, NOW) == 0:
        pass
    assert stores.guesses.begin(limits_for("alice", "198.51.100.9", "mark"), NOW) == 0


def test_one_person_does_not_shut_out_an_office(stores):
    while stores.guesses.begin(limits_for("alice", "192.0.2.1", ""), NOW) == 0:
        pass
    assert stores.guesses.begin(limits_for("bob", "192.0.2.1", ""), NOW) == 0


def test_old_counters_are_purged_and_young_ones_stay(sql_stores):
    # Redis drops these by a life of their own, which no purge hurries: tests/stores/redis/test_lives.py.
    stores = sql_stores
    old, young = Limit("old", 1, HOUR, HOUR, HOUR), Limit("young", 1, HOUR, HOUR, 3 * HOUR)
    begin(stores, NOW, old)
    begin(stores, NOW, young)
    stores.sweeps.purge(NOW + HOUR, 100)
    assert begin(stores, NOW, old) == 0
    assert begin(stores, NOW + 1, young) > 0
