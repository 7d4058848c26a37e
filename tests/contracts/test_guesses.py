from concurrent.futures import ThreadPoolExecutor

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


def test_a_free_attempt_is_free_also_for_a_clock_that_is_behind_the_last_one(stores):
    assert [begin(stores, NOW), begin(stores, NOW - 1), begin(stores, NOW - 2 * SECOND)] == [0, 0, 0]
    assert begin(stores, NOW - 2 * SECOND) == SECOND


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


def test_an_attempt_that_is_taken_back_takes_its_moment_along(stores):
    assert [begin(stores) for _ in range(4)] == [0, 0, 0, SECOND]
    later = NOW + 10 * SECOND
    assert begin(stores, later) == 0
    assert begin(stores, later) == 2 * SECOND
    stores.guesses.settle([], [LIMIT.key])
    assert begin(stores, later) == 0, "as if it had not been made"
    assert begin(stores, later) == 2 * SECOND


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


def flood(stores, address):
    """Wrong passwords for names that nobody has, until the counter of the address would make wait for long."""
    for number in range(130):
        assert stores.guesses.begin(limits_for(f"nobody-{number}", address, ""), NOW) == 0


def test_one_who_guesses_at_made_up_names_does_not_shut_out_an_office(stores):
    flood(stores, "192.0.2.1")
    bob = limits_for("bob", "192.0.2.1", "")
    assert [stores.guesses.begin(bob, NOW) for _ in range(2)] == [0, 0]
    stores.guesses.settle([bob[0].key], [limit.key for limit in bob[1:]])
    assert stores.guesses.begin(bob, NOW) == 0, "who signed in begins anew"


def test_who_goes_on_guessing_waits_for_the_counter_of_the_address(stores):
    flood(stores, "192.0.2.1")
    bob = limits_for("bob", "192.0.2.1", "")
    assert [stores.guesses.begin(bob, NOW) for _ in range(3)] == [0, 0, 30 * SECOND]
    assert stores.guesses.begin(bob, NOW + 30 * SECOND - 1) == 1
    assert stores.guesses.begin(bob, NOW + 30 * SECOND) == 0


def test_a_spared_attempt_is_counted_all_the_same(stores):
    own, shared = Limit("own", 5, SECOND, SECOND, HOUR), Limit("shared", 2, MINUTE, HOUR, HOUR, spare=3)
    assert [begin(stores, NOW, own, shared) for _ in range(3)] == [0, 0, 0]
    assert begin(stores, NOW, own, shared) == 2 * MINUTE, "three were counted, not two"


def test_an_own_counter_that_makes_wait_is_told_without_the_one_that_spares(stores):
    own, shared = Limit("own", 1, SECOND, SECOND, HOUR), Limit("shared", 1, HOUR, HOUR, HOUR, spare=2)
    assert begin(stores, NOW, own, shared) == 0
    assert begin(stores, NOW, own, shared) == SECOND


def test_all_addresses_that_one_ipv6_customer_has_are_one_address():
    def places(address):
        return [limit.key for limit in limits_for("alice", address, "")]

    assert places("2001:db8:1:2::1") == places("2001:db8:1:2:ffff::9")
    assert places("2001:db8:1:2::1") != places("2001:db8:1:3::1")
    assert places("192.0.2.1") == places("::ffff:192.0.2.1")
    assert places("192.0.2.1") != places("192.0.2.2")
    assert places("unix:") == places("unix:")


def test_old_counters_are_purged_and_young_ones_stay(sql_stores):
    # Redis drops these by a life of their own, which no purge hurries: tests/stores/redis/test_lives.py.
    stores = sql_stores
    old, young = Limit("old", 1, HOUR, HOUR, HOUR), Limit("young", 1, HOUR, HOUR, 3 * HOUR)
    begin(stores, NOW, old)
    begin(stores, NOW, young)
    stores.sweeps.purge(NOW + HOUR, 100)
    assert begin(stores, NOW, old) == 0
    assert begin(stores, NOW + 1, young) > 0


def test_people_who_sign_in_at_once_under_one_name_and_address_are_in_nobodys_way(stores):
    limits = limits_for("alice", "192.0.2.1", "")
    own, *shared = (limit.key for limit in limits)

    def sign_in(number):
        for turn in range(20):
            stores.guesses.begin(limits, NOW + 1000 * HOUR * (20 * number + turn))
            stores.guesses.settle((own,), shared)

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(sign_in, number) for number in range(8)]:
            done.result(60)
