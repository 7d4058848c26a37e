"""Initial access tokens: as many uses as they have, until when they work."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from sso_server.core.registrations import RegistrationToken
from tests.support.builders import NOW

TOKEN = RegistrationToken("hash-1", "staging", NOW, NOW + 10, 2, ("openid", "email"), ("authorization_code",))
FREE = RegistrationToken("hash-2", "always", NOW)


def test_a_token_is_kept_as_it_was_made_and_listed_by_name(sql_stores):
    assert sql_stores.registration_tokens.add(TOKEN)
    assert sql_stores.registration_tokens.add(FREE)
    assert sql_stores.registration_tokens.find("hash-1") == TOKEN
    assert sql_stores.registration_tokens.find("hash-3") is None
    assert sql_stores.registration_tokens.list_tokens() == [FREE, TOKEN]


def test_a_name_is_one_tokens(sql_stores):
    assert sql_stores.registration_tokens.add(TOKEN)
    assert not sql_stores.registration_tokens.add(replace(FREE, name="staging"))
    assert sql_stores.registration_tokens.list_tokens() == [TOKEN]


@pytest.mark.covers("line-84")
def test_a_token_has_so_many_uses_and_no_more(sql_stores):
    sql_stores.registration_tokens.add(TOKEN)
    assert [sql_stores.registration_tokens.spend("hash-1", NOW) for _ in range(3)] == [True, True, False]
    assert sql_stores.registration_tokens.find("hash-1").uses_left == 0


def test_a_token_without_a_number_lets_everybody_in(sql_stores):
    sql_stores.registration_tokens.add(FREE)
    assert all(sql_stores.registration_tokens.spend("hash-2", NOW + 10**9) for _ in range(3))
    assert sql_stores.registration_tokens.find("hash-2") == FREE


@pytest.mark.covers("line-84")
def test_a_token_works_until_it_expires(sql_stores):
    sql_stores.registration_tokens.add(TOKEN)
    assert sql_stores.registration_tokens.spend("hash-1", NOW + 9)
    assert not sql_stores.registration_tokens.spend("hash-1", NOW + 10)
    assert sql_stores.registration_tokens.find("hash-1").uses_left == 1


@pytest.mark.covers("line-84")
def test_of_many_who_come_at_once_so_many_get_in(sql_stores):
    sql_stores.registration_tokens.add(replace(TOKEN, uses_left=5))
    with ThreadPoolExecutor(8) as pool:
        spent = list(pool.map(lambda _: sql_stores.registration_tokens.spend("hash-1", NOW), range(40)))
    assert spent.count(True) == 5


def test_a_removed_token_is_gone_and_its_name_free(sql_stores):
    sql_stores.registration_tokens.add(TOKEN)
    assert sql_stores.registration_tokens.remove("staging")
    assert not sql_stores.registration_tokens.remove("staging")
    assert not sql_stores.registration_tokens.spend("hash-1", NOW)
    assert sql_stores.registration_tokens.add(replace(FREE, name="staging"))
