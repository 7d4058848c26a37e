from dataclasses import replace

from sso_server.core.keys import StoredKey
from tests.support.builders import NOW


def a_key(kid="k1", created_at=NOW, **changes):
    key = StoredKey(kid, "ES256", "sealed", {"kty": "EC", "kid": kid}, created_at, created_at + 5, None, None)
    return replace(key, **changes)


def test_keys_are_kept_and_come_oldest_first(sql_stores):
    young, old = a_key("a", NOW + 1), a_key("b", NOW, alg="RS256", retired_at=NOW + 9, expires_at=NOW + 99)
    sql_stores.keys.add_key(young)
    sql_stores.keys.add_key(old)
    assert sql_stores.keys.list_keys() == [old, young]


def test_a_kid_that_is_there_stays_as_it_is(sql_stores):
    sql_stores.keys.add_key(a_key())
    sql_stores.keys.add_key(a_key(private_sealed="other"))
    assert sql_stores.keys.list_keys() == [a_key()]


def test_an_update_writes_the_row_and_leaves_the_sealed_half_to_whoever_seals_it_anew(sql_stores):
    sql_stores.keys.add_key(a_key())
    changed = a_key(private_sealed="read before it was sealed anew", retired_at=NOW + 1, expires_at=NOW + 2)
    sql_stores.keys.update_key(changed)
    sql_stores.keys.update_key(a_key("nobody"))
    assert sql_stores.keys.list_keys() == [replace(changed, private_sealed="sealed")]


def test_a_sealed_half_is_exchanged_only_if_it_still_is_the_one_that_was_read(sql_stores):
    sql_stores.keys.add_key(a_key())
    assert not sql_stores.keys.reseal_key("k1", "another", "sealed anew")
    assert not sql_stores.keys.reseal_key("nobody", "sealed", "sealed anew")
    assert sql_stores.keys.reseal_key("k1", "sealed", "sealed anew")
    assert sql_stores.keys.list_keys() == [a_key(private_sealed="sealed anew")]


def test_keys_that_nobody_sees_any_more_are_forgotten(sql_stores):
    for key in (a_key("seen"), a_key("retired", retired_at=NOW, expires_at=NOW + 1), a_key("over", expires_at=NOW)):
        sql_stores.keys.add_key(key)
    assert sql_stores.keys.drop_keys(NOW) == 1
    assert {key.kid for key in sql_stores.keys.list_keys()} == {"seen", "retired"}
