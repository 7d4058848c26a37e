"""Keys that leave: leaked and retired at once, rotated by age, sealed anew under another secret."""

from collections.abc import Callable
from dataclasses import replace

import jwt
import pytest

from sso_server.core.errors import Refused
from sso_server.core.policy import DAY, MINUTE
from sso_server.crypto.signing_keys import KEEP_RETIRED_MS, SigningKeys
from sso_server.stores.sql import SqlStores
from tests.support.clocks import SetClock

SECRET, OLDER = "s" * 40, "o" * 40
CLAIMS = {"iss": "https://sso.example", "sub": "usr-alice", "aud": "shop", "exp": 1, "iat": 1, "nonce": "密"}


def kid(token: str) -> str:
    found: str = jwt.get_unverified_header(token)["kid"]
    return found


def test_a_key_that_leaked_signs_and_verifies_no_more_and_the_next_one_begins_at_once(
    make: Callable[..., SigningKeys], clock: SetClock
) -> None:
    keys, elsewhere = make(), make()
    keys.ensure_keys()
    old = keys.sign(CLAIMS, alg="ES256", typ="JWT")
    following = keys.rotate("ES256")
    assert elsewhere.verify(old) == CLAIMS
    heir = keys.retire_now(kid(old))
    assert heir is not None
    assert heir.kid == following.kid
    clock.pass_ms(3000)
    for each in (keys, elsewhere):
        assert each.verify(old) is None
        assert kid(each.sign(CLAIMS, alg="ES256", typ="JWT")) == following.kid
        assert kid(old) not in {jwk["kid"] for jwk in each.jwks()}
    with pytest.raises(Refused):
        keys.retire_now("nobody")


def test_retiring_the_next_key_leaves_another_one_to_follow(make: Callable[..., SigningKeys], clock: SetClock) -> None:
    keys = make()
    keys.ensure_keys()
    old = kid(keys.sign(CLAIMS, alg="ES256", typ="JWT"))
    following = keys.rotate("ES256")
    clock.pass_ms(1)
    heir = keys.retire_now(following.kid)
    assert heir is not None
    assert heir.kid not in (old, following.kid)
    assert kid(keys.sign(CLAIMS, alg="ES256", typ="JWT")) == old
    clock.pass_ms(10 * MINUTE)
    assert kid(keys.sign(CLAIMS, alg="ES256", typ="JWT")) == heir.kid


def test_retiring_what_signs_no_more_hurries_nobody(make: Callable[..., SigningKeys], clock: SetClock) -> None:
    keys = make()
    keys.ensure_keys()
    old = keys.sign(CLAIMS, alg="RS256", typ="JWT")
    keys.rotate("RS256")
    clock.pass_ms(DAY)
    assert keys.verify(old) == CLAIMS
    assert keys.retire_now(kid(old)) is None
    assert keys.verify(old) is None


def test_keys_are_rotated_by_age_once_and_forgotten_when_nobody_sees_them(
    stores: SqlStores, make: Callable[..., SigningKeys], clock: SetClock
) -> None:
    keys, elsewhere = make(), make()
    keys.ensure_keys()
    assert keys.tend(90 * DAY) == []
    clock.pass_ms(90 * DAY - 1)
    assert keys.tend(90 * DAY) == []
    clock.pass_ms(1)
    assert keys.tend(0) == [], "0 is never"
    assert sorted(key.alg for key in keys.tend(90 * DAY)) == ["ES256", "EdDSA", "RS256"]
    clock.pass_ms(3000)
    assert elsewhere.tend(90 * DAY) == []
    clock.pass_ms(DAY)
    assert keys.tend(90 * DAY) == [], "the age of a key counts from its first day at work"
    assert len(stores.keys.list_keys()) == 6
    clock.pass_ms(KEEP_RETIRED_MS)
    keys.tend(0)
    assert len(stores.keys.list_keys()) == 3


def test_sealing_anew_makes_the_old_secret_dispensable(make: Callable[..., SigningKeys]) -> None:
    make(OLDER).ensure_keys()
    both = make(SECRET, OLDER)
    assert list(both.sealed_under().values()) == [1, 1, 1]
    assert both.reseal() == 3
    assert list(both.sealed_under().values()) == [0, 0, 0]
    assert both.reseal() == 0
    make(SECRET).ensure_keys()
    assert list(make(OLDER).sealed_under().values()) == [None, None, None]
    with pytest.raises(Refused):
        make(OLDER).ensure_keys()


def test_sealing_anew_does_not_undo_a_rotation_and_a_rotation_does_not_undo_it(
    stores: SqlStores, make: Callable[..., SigningKeys]
) -> None:
    make(OLDER).ensure_keys()
    (row,) = [row for row in stores.keys.list_keys() if row.alg == "ES256"]
    both = make(SECRET, OLDER)
    both.rotate("ES256")
    retired = next(each for each in stores.keys.list_keys() if each.kid == row.kid)
    assert retired.retired_at is not None
    both.reseal()
    assert next(each for each in stores.keys.list_keys() if each.kid == row.kid).retired_at == retired.retired_at
    # Read before it was sealed anew, written after.
    stores.keys.update_key(replace(retired, expires_at=1))
    assert set(make(SECRET).sealed_under().values()) == {0}
