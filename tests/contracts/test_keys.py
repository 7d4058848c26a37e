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


def test_an_update_writes_the_whole_row(sql_stores):
    sql_stores.keys.add_key(a_key())
    changed = a_key(private_sealed="sealed anew", retired_at=NOW + 1, expires_at=NOW + 2)
    sql_stores.keys.update_key(changed)
    sql_stores.keys.update_key(a_key("nobody"))
    assert sql_stores.keys.list_keys() == [changed]
