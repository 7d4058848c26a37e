"""Every verifier of JWTs that there is, against the same corpus: none of it is taken, nothing falls over it, and memory
stays where it was. (PyJWT CVE-2017-11424, CVE-2022-29217, CVE-2024-53861; python-jose CVE-2024-33663 and -33664.)
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest

from sso_client.errors import SSOError
from sso_client.signed_token import read_claims, read_header
from sso_server.core.client_metadata import CLIENT_ALGORITHMS, ClientMetadata
from sso_server.core.clients import Client
from sso_server.core.dpop import ALGORITHMS
from sso_server.crypto.client_keys import RegisteredKeys
from sso_server.crypto.proofs import SelfSigned
from sso_server.crypto.signing_keys import SigningKeys
from tests.support.hostile_jose import bombs, hostile
from tests.support.signing_client import key_set, private_key, public_jwk

KEY = private_key("ES256", "good")
CLAIMS = {"iss": "signer", "sub": "signer", "aud": "centre", "jti": "one", "iat": 1, "exp": 4_000_000_000}
Verify = Callable[[str], object]


class _NoDocuments:
    """A verifier that fetches anything for a token fails here."""

    def fetch(self, url: str, *, allow_private: bool = False) -> bytes:
        raise AssertionError(f"{url} was fetched, private {allow_private}")


class _Clock:
    def now(self) -> int:
        return 1_800_000_000_000


def _silent(_client: str, why: str) -> None:
    raise AssertionError(why)


def _registered(typ: str) -> tuple[Verify, dict[str, Any]]:
    keys = RegisteredKeys(_NoDocuments(), _Clock(), _silent)
    metadata = ClientMetadata(jwks=key_set(public_jwk(KEY, kid="one")))
    client = Client(client_id="signer", name="Signer", created_at=1, metadata=metadata)
    return lambda token: keys.verify(client, token, algs=CLIENT_ALGORITHMS, typ=typ), {"kid": "one", "typ": typ}


def _proofs() -> tuple[Verify, dict[str, Any]]:
    reader = SelfSigned()
    header = {"typ": "dpop+jwt", "jwk": public_jwk(KEY)}
    return lambda token: reader.read(token, algs=ALGORITHMS), header


def _of_the_sdk() -> tuple[Verify, dict[str, Any]]:
    jwks = [jwt.PyJWK(public_jwk(KEY, kid="one"), algorithm="ES256")]

    def verify(token: str) -> object:
        try:
            header = read_header(token, ("RS256", "ES256", "EdDSA"))
            return read_claims(token, header, jwks if header.kid in (None, "one") else [])
        except SSOError:
            return None

    return verify, {"kid": "one", "typ": "JWT"}


@pytest.mark.parametrize("make", [lambda: _registered("client-authentication+jwt"), _proofs, _of_the_sdk])
@pytest.mark.covers("advisory-43")
def test_a_corpus_of_hostile_tokens_is_refused(make: Callable[[], tuple[Verify, dict[str, Any]]]) -> None:
    verify, header = make()
    corpus = hostile(KEY, header, CLAIMS)
    assert len(corpus) >= 200
    # Types are what tells uses apart at the centre; the SDK asks for them where each token is used.
    taken = [name for name, token in corpus.items() if verify(token) is not None and not _is_the_sdks(name, make)]
    assert taken == []
    good = jwt.PyJWS().encode(json.dumps(CLAIMS).encode(), KEY, algorithm="ES256", headers=header)
    assert verify(good) is not None


def _is_the_sdks(name: str, make: object) -> bool:
    return make is _of_the_sdk and name.startswith("typ ")


def test_the_centres_own_tokens_are_told_from_the_corpus(make: Callable[..., SigningKeys]) -> None:
    signing_keys = make()
    signing_keys.ensure_keys()
    row = next(row for row in signing_keys.list_keys() if row.alg == "ES256")
    key = signing_keys._private_key(row)
    header = {"kid": row.kid, "typ": "JWT"}
    corpus = hostile(key, header, CLAIMS)
    assert [name for name, token in corpus.items() if signing_keys.verify(token) is not None] == []
    assert signing_keys.verify(signing_keys.sign(CLAIMS, alg="ES256", typ="JWT")) == CLAIMS


@pytest.mark.covers("advisory-44")
def test_a_thousand_bombs_leave_memory_where_it_was() -> None:
    verifiers = [make() for make in (lambda: _registered("JWT"), _proofs)]
    tokens = [token for _, token in bombs({"kid": "one"})]
    for verify, _ in verifiers:
        assert all(verify(token) is None for token in tokens)
    before = _resident()
    for number in range(1000):
        for verify, _ in verifiers:
            assert verify(tokens[number % len(tokens)]) is None
    assert _resident() - before < 20 * 1024 * 1024


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
