import base64
import json
from collections.abc import Callable
from typing import Any, cast

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from sso_server.core.clients import ALGORITHMS
from sso_server.core.errors import Refused, Unavailable
from sso_server.core.keys import StoredKey
from sso_server.core.policy import DAY, MINUTE
from sso_server.core.ports import KeyStore
from sso_server.crypto.key_pairs import public_jwk, thumbprint
from sso_server.crypto.signing_keys import KEEP_RETIRED_MS, SigningKeys
from sso_server.stores.sql import SqlStores
from tests.support.clocks import SetClock

SECRET, OLDER = "s" * 40, "o" * 40
CLAIMS = {"iss": "https://sso.example", "sub": "usr-alice", "aud": "shop", "exp": 1, "iat": 1, "nonce": "密"}


def kid(token: str) -> str:
    found: str = jwt.get_unverified_header(token)["kid"]
    return found


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_a_site_can_check_what_we_sign_with_what_we_publish(make: Callable[..., SigningKeys], alg: str) -> None:
    keys = make()
    token = keys.sign(CLAIMS, alg=alg, typ="JWT")
    jwk = next(jwk for jwk in keys.jwks() if jwk["kid"] == kid(token))
    assert (jwk["alg"], jwk["use"]) == (alg, "sig")
    assert set(jwk).isdisjoint({"d", "p", "q", "dp", "dq", "qi", "k"})
    checked = jwt.decode(token, jwt.PyJWK(jwk), algorithms=[alg], audience="shop", options={"verify_exp": False})
    assert checked == CLAIMS
    assert jwt.get_unverified_header(token) == {"alg": alg, "kid": jwk["kid"], "typ": "JWT"}
    assert keys.verify(token) == CLAIMS


@pytest.mark.parametrize(("number", "axis"), [(379, "x"), (43, "y")])
def test_a_coordinate_that_begins_with_a_zero_is_published_in_full(number: int, axis: str) -> None:
    # RFC 7518 section 6.2.1.2; one key in 128 is such a one.
    private = ec.derive_private_key(number, ec.SECP256R1())
    jwk = public_jwk(private, "ES256")
    assert jwk[axis].startswith("A")
    assert (len(jwk["x"]), len(jwk["y"])) == (43, 43)
    token = jwt.encode(CLAIMS, private, algorithm="ES256")
    checked = jwt.decode(token, jwt.PyJWK(jwk), ["ES256"], audience="shop", options={"verify_exp": False})
    assert checked == CLAIMS


def test_the_thumbprint_is_that_of_rfc_7638() -> None:
    # The example of section 3.1.
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjh"
        "Mstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQ"
        "vRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJ"
        "zKnqDKgw"
    )
    jwk = {"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}
    assert thumbprint(jwk) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_the_thumbprint_of_an_ed25519_key_is_that_of_rfc_8037() -> None:
    # Appendix A.3.
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "alg": "EdDSA"}
    assert thumbprint(jwk) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_a_first_use_makes_the_key_and_a_second_process_finds_it(make: Callable[..., SigningKeys]) -> None:
    first, second = make(), make()
    first.ensure_keys()
    second.ensure_keys()
    assert sorted(jwk["alg"] for jwk in first.jwks()) == ["ES256", "EdDSA", "RS256"]
    assert first.jwks() == second.jwks()
    assert second.verify(first.sign(CLAIMS, alg="ES256", typ="JWT")) == CLAIMS


def test_of_two_processes_that_start_at_once_the_older_key_wins_in_both(
    stores: SqlStores, make: Callable[..., SigningKeys], clock: SetClock
) -> None:
    first, second = make(), make()
    # Neither has seen the other's key when it decides to make one.
    assert (first.jwks(), second.jwks()) == ([], [])
    first.ensure_keys()
    clock.pass_ms(1)
    second.ensure_keys()
    clock.pass_ms(10_000)
    made = [row.kid for row in stores.keys.list_keys() if row.alg == "RS256"]
    assert len(made) == 2
    tokens = [keys.sign(CLAIMS, alg="RS256", typ="JWT") for keys in (first, second)]
    assert [kid(token) for token in tokens] == [made[0]] * 2
    assert all(make().verify(token) == CLAIMS for token in tokens)


@pytest.mark.covers("line-83", "line-102")
def test_rotation_publishes_first_signs_later_and_keeps_the_old_one_for_checking(
    make: Callable[..., SigningKeys], clock: SetClock
) -> None:
    keys, elsewhere = make(), make()
    keys.ensure_keys()
    old = keys.sign(CLAIMS, alg="ES256", typ="JWT")
    new = keys.rotate("ES256")

    assert new.kid in {jwk["kid"] for jwk in keys.jwks()}
    assert kid(keys.sign(CLAIMS, alg="ES256", typ="JWT")) == kid(old)
    clock.pass_ms(10 * MINUTE - 1)
    assert kid(elsewhere.sign(CLAIMS, alg="ES256", typ="JWT")) == kid(old)
    clock.pass_ms(1)
    for one in (keys, elsewhere):
        assert kid(one.sign(CLAIMS, alg="ES256", typ="JWT")) == new.kid
        assert one.verify(old) == CLAIMS
        assert kid(old) in {jwk["kid"] for jwk in one.jwks()}

    clock.pass_ms(KEEP_RETIRED_MS - 1)
    assert keys.verify(old) == CLAIMS
    clock.pass_ms(1)
    assert keys.verify(old) is None
    assert kid(old) not in {jwk["kid"] for jwk in keys.jwks()}
    assert KEEP_RETIRED_MS >= 31 * DAY


def test_two_rotations_in_a_row_leave_exactly_one_that_signs(make: Callable[..., SigningKeys], clock: SetClock) -> None:
    keys = make()
    keys.ensure_keys()
    first = keys.rotate("RS256")
    clock.pass_ms(5 * MINUTE)
    second = keys.rotate("RS256")
    signers = []
    for _ in range(20):
        clock.pass_ms(MINUTE)
        signers.append(kid(keys.sign(CLAIMS, alg="RS256", typ="JWT")))
    assert signers[-1] == second.kid
    assert [s for i, s in enumerate(signers) if i == 0 or signers[i - 1] != s] == [signers[0], first.kid, second.kid]


def test_a_next_key_does_not_sign_early_even_if_it_is_the_only_one(
    make: Callable[..., SigningKeys], clock: SetClock
) -> None:
    keys = make()
    new = keys.rotate("ES256")
    assert kid(keys.sign(CLAIMS, alg="ES256", typ="JWT")) != new.kid


def test_another_process_learns_of_a_rotation_within_seconds(make: Callable[..., SigningKeys], clock: SetClock) -> None:
    keys, elsewhere = make(), make()
    keys.ensure_keys()
    assert len(elsewhere.jwks()) == 3
    keys.rotate("ES256")
    clock.pass_ms(3000)
    assert len(elsewhere.jwks()) == 4


def segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_what_we_did_not_sign_as_an_id_token_is_refused(make: Callable[..., SigningKeys]) -> None:
    keys = make()
    good = keys.sign(CLAIMS, alg="RS256", typ="JWT")
    header, payload, signature = good.split(".")
    own_kid = kid(good)
    es_kid = kid(keys.sign(CLAIMS, alg="ES256", typ="JWT"))
    public_n = next(jwk["n"] for jwk in keys.jwks() if jwk["kty"] == "RSA")
    forged = {
        "another payload": f"{header}.{segment({**CLAIMS, 'sub': 'usr-eve'})}.{signature}",
        "alg none": f"{segment({'alg': 'none', 'kid': own_kid})}.{payload}.",
        "alg none, signed": f"{segment({'alg': 'none', 'kid': own_kid})}.{payload}.{signature}",
        "HMAC with the public key": jwt.encode(CLAIMS, public_n, "HS256", {"kid": own_kid}),
        "key of another algorithm": f"{segment({'alg': 'RS256', 'kid': es_kid})}.{payload}.{signature}",
        "no kid": f"{segment({'alg': 'RS256'})}.{payload}.{signature}",
        "unknown kid": f"{segment({'alg': 'RS256', 'kid': 'x'})}.{payload}.{signature}",
        "kid of another type": f"{segment({'alg': 'RS256', 'kid': [own_kid]})}.{payload}.{signature}",
        "a logout token": keys.sign(CLAIMS, alg="RS256", typ="logout+jwt"),
        "no signature": f"{header}.{payload}.",
        "not a token": "abc",
        "empty": "",
        "surrogate": "\ud800.a.b",
        "deep": segment([[]]) + "." + "[" * 5000 + ".x",
        "huge": "a" * 100_000,
    }
    assert {name: keys.verify(token) for name, token in forged.items()} == dict.fromkeys(forged)
    assert keys.verify(good) == CLAIMS


def test_only_our_two_algorithms_sign(make: Callable[..., SigningKeys]) -> None:
    for alg in ("none", "HS256", "PS256", ""):
        with pytest.raises(ValueError, match="not an algorithm"):
            make().sign(CLAIMS, alg=alg, typ="JWT")


def test_private_halves_at_rest_need_a_secret_that_wrote_them(
    stores: SqlStores, make: Callable[..., SigningKeys]
) -> None:
    make(OLDER).ensure_keys()
    row = stores.keys.list_keys()[0]
    assert "PRIVATE" not in row.private_sealed
    assert len(row.private_sealed) > 150
    make(SECRET, OLDER).ensure_keys()
    with pytest.raises(Refused, match="SSO_SECRET_KEY"):
        make(SECRET).ensure_keys()


def test_after_a_rotation_the_old_secret_is_needed_no_more(make: Callable[..., SigningKeys], clock: SetClock) -> None:
    make(OLDER).ensure_keys()
    old = make(OLDER).sign(CLAIMS, alg="ES256", typ="JWT")
    for alg in ALGORITHMS:
        make(SECRET, OLDER).rotate(alg)
    clock.pass_ms(10 * MINUTE)
    keys = make(SECRET)
    keys.ensure_keys()
    assert keys.verify(old) == CLAIMS
    assert keys.verify(keys.sign(CLAIMS, alg="ES256", typ="JWT")) == CLAIMS


def test_a_private_half_swapped_in_the_database_is_not_used(
    stores: SqlStores, make: Callable[..., SigningKeys]
) -> None:
    make().ensure_keys()
    rs, _, es = sorted(stores.keys.list_keys(), key=lambda row: row.alg, reverse=True)
    stores.keys.reseal_key(rs.kid, rs.private_sealed, es.private_sealed)
    with pytest.raises(Refused, match="isn't the key"):
        make().sign(CLAIMS, alg="RS256", typ="JWT")


def test_signing_does_not_ask_the_store_each_time(stores: SqlStores, clock: SetClock) -> None:
    class Counted:
        reads = 0

        def list_keys(self) -> Any:
            Counted.reads += 1
            return stores.keys.list_keys()

        def __getattr__(self, name: str) -> Any:
            return getattr(stores.keys, name)

    keys = SigningKeys(Counted(), (SECRET,), clock)  # type: ignore[arg-type]
    keys.ensure_keys()
    before = Counted.reads
    for _ in range(50):
        keys.verify(keys.sign(CLAIMS, alg="ES256", typ="JWT"))
        keys.jwks()
    assert Counted.reads == before


class Away:
    """A store of keys that may be told to be away."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store
        self.is_away = False
        self.asked = 0

    def list_keys(self) -> list[StoredKey]:
        self.asked += 1
        if self.is_away:
            raise Unavailable(detail="away")
        return self._store.list_keys()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def test_what_a_process_knows_of_the_keys_holds_while_the_store_is_away(stores: SqlStores, clock: SetClock) -> None:
    store = Away(stores.keys)
    keys = SigningKeys(cast(KeyStore, store), (SECRET,), clock)
    keys.ensure_keys()
    known, store.is_away, store.asked = keys.jwks(), True, 0
    clock.pass_ms(MINUTE)
    for _ in range(5):
        assert keys.jwks() == known
        assert keys.verify(keys.sign(CLAIMS, alg="ES256", typ="JWT")) is not None
    assert store.asked == 1, "it is asked every few seconds, not at every call"
    # Whoever has never read them knows nothing.
    with pytest.raises(Unavailable):
        SigningKeys(cast(KeyStore, store), (SECRET,), clock).jwks()
    store.is_away = False
    SigningKeys(stores.keys, (SECRET,), clock).rotate("ES256")
    clock.pass_ms(MINUTE)
    assert len(keys.jwks()) == len(known) + 1
