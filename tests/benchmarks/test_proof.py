"""What a server says that it signs is looked at: an ID token that is none ends the measurement."""

import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from benchmarks.floor_telling import Signing
from benchmarks.keys import private_key
from benchmarks.load import Answer, WrongAnswer
from benchmarks.proof import check
from benchmarks.traffic import Traffic, by_form

RIGHT = {"iss": "http://here/", "sub": "user", "aud": "site1", "nonce": "nonce-1"}


@pytest.fixture(params=["ES256", "RS256"])
def signing(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Signing, str]:
    key_file = tmp_path / "key.pem"
    key_file.write_bytes(private_key(request.param))
    return Signing(key_file, request.param, "JWT"), request.param


def token(signing: Signing, **changes: Any) -> str:
    now = int(time.time())
    return signing.signed({**RIGHT, "iat": now, "exp": now + 60, **changes})


def test_an_id_token_is_verified_as_a_site_does_it(signing: tuple[Signing, str]) -> None:
    made, algorithm = signing
    check(token(made), made.published(), algorithm, "http://here/", "user")


@pytest.mark.parametrize(
    "changes",
    [{"sub": "another"}, {"aud": "site2"}, {"nonce": "nonce-2"}, {"iss": "http://there/"}, {"exp": 1}],
    ids=str,
)
def test_one_for_somebody_else_is_none(signing: tuple[Signing, str], changes: dict[str, Any]) -> None:
    made, algorithm = signing
    with pytest.raises(WrongAnswer, match="not expected was"):
        check(token(made, **changes), made.published(), algorithm, "http://here/", "user")


def test_another_algorithm_or_another_key_is_no_signature(signing: tuple[Signing, str], tmp_path: Path) -> None:
    made, algorithm = signing
    (tmp_path / "other.pem").write_bytes(private_key(algorithm))
    other = Signing(tmp_path / "other.pem", algorithm, "JWT")
    named = "RS256" if algorithm == "ES256" else "ES256"
    for keys, expected in ((other.published(), algorithm), (made.published(), named)):
        with pytest.raises(WrongAnswer, match="not expected was"):
            check(token(made), keys, expected, "http://here/", "user")


def test_userinfo_of_somebody_else_ends_the_measurement(signing: tuple[Signing, str]) -> None:
    def told(tokens: dict[str, str], body: bytes) -> None:
        asking = Traffic("here", by_form()).look_up({"access_token": "at", **tokens})
        next(asking)
        with pytest.raises(StopIteration):
            asking.send(Answer(200, b"HTTP/1.1 200 OK\r\n", body))

    named = {"id_token": token(signing[0])}
    told(named, b'{"sub": "user"}')
    # Who was given no ID token can't know; nobody at all is wrong even so.
    told({}, b'{"sub": "another"}')
    for tokens, body in ((named, b'{"sub": "another"}'), ({}, b"{}")):
        with pytest.raises(WrongAnswer, match="userinfo"):
            told(tokens, body)


def test_no_server_is_given_a_key_that_one_of_them_publishes_wrongly() -> None:
    for _ in range(1500):  # one in 128 is such a key
        key = serialization.load_pem_private_key(private_key("ES256"), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        numbers = key.public_key().public_numbers()
        assert min(numbers.x, numbers.y).bit_length() > 248
