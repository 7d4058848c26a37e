from concurrent.futures import ThreadPoolExecutor

from tests.support.builders import NOW


def test_what_was_put_works_once(sql_stores):
    sql_stores.one_time.put_once("setup", NOW + 10)
    assert sql_stores.one_time.has_once("setup", NOW)
    assert sql_stores.one_time.has_once("setup", NOW), "looking takes nothing"
    assert sql_stores.one_time.take_once("setup", NOW)
    assert not sql_stores.one_time.take_once("setup", NOW)
    assert not sql_stores.one_time.has_once("setup", NOW)


def test_what_was_never_put_is_not_there(sql_stores):
    assert not sql_stores.one_time.has_once("setup", NOW)
    assert not sql_stores.one_time.take_once("setup", NOW)


def test_it_expires(sql_stores):
    sql_stores.one_time.put_once("setup", NOW + 10)
    assert sql_stores.one_time.has_once("setup", NOW + 9)
    assert not sql_stores.one_time.has_once("setup", NOW + 10)
    assert not sql_stores.one_time.take_once("setup", NOW + 10)


def test_putting_it_again_renews_it(sql_stores):
    sql_stores.one_time.put_once("setup", NOW + 10)
    sql_stores.one_time.put_once("setup", NOW + 99)
    assert sql_stores.one_time.take_once("setup", NOW + 50)


def test_what_replaces_others_leaves_only_itself_of_its_kind(sql_stores):
    for key in ("setup:a", "setup:b", "other:a"):
        sql_stores.one_time.put_once(key, NOW + 10)
    sql_stores.one_time.put_once("setup:c", NOW + 10, replaces="setup:")
    kept = [key for key in ("setup:a", "setup:b", "setup:c", "other:a") if sql_stores.one_time.has_once(key, NOW)]
    assert kept == ["setup:c", "other:a"]


def test_what_is_claimed_is_one_callers_until_it_expires(sql_stores):
    assert sql_stores.one_time.claim_once("printed", NOW + 10, NOW)
    assert not sql_stores.one_time.claim_once("printed", NOW + 99, NOW + 9)
    assert sql_stores.one_time.claim_once("printed", NOW + 20, NOW + 10)
    assert sql_stores.one_time.has_once("printed", NOW + 19)


def test_one_of_many_who_claim_at_once_wins(sql_stores):
    with ThreadPoolExecutor(8) as pool:
        for number in range(20):
            claims = [pool.submit(sql_stores.one_time.claim_once, f"key-{number}", NOW + 10, NOW) for _ in range(8)]
            assert sum(claim.result() for claim in claims) == 1
