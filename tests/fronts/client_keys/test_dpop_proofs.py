"""DPoP proofs, check by check (RFC 9449 section 4.3): the blocks of the FAPI plan, at userinfo and at /token."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.fronts.conftest import Later
from tests.support.oidc_site import ISSUER, OidcSite
from tests.support.signing_client import b64, fresh, part, private_jwk, private_key, proof, public_jwk, sign

KEY, OTHER = private_key("ES256", "dpop"), private_key("ES256", "other")
RSA, EDWARDS = private_key("PS256", "dpop"), private_key("EdDSA", "dpop")
TOKEN, USERINFO = f"{ISSUER}/token", f"{ISSUER}/userinfo"


@dataclass(frozen=True)
class Place:
    """Where a proof is shown, with everything else right."""

    method: str
    url: str
    token: str | None
    show: Callable[[list[str]], TestResponse]

    def good(self, **changes: Any) -> str:
        """A proof for here, and what a test changes."""
        return proof(**({"key": KEY, "method": self.method, "url": self.url, "token": self.token} | changes))

    def refused(self, *proofs: str) -> bool:
        """As the standard says for this place; else it was accepted."""
        answer = self.show(list(proofs))
        error = (answer.get_json(silent=True) or {}).get("error", "")
        if self.token is None:
            # A refresh token that never was is what is left when the proof was accepted.
            assert (answer.status_code, error) in ((400, "invalid_dpop_proof"), (400, "invalid_grant")), answer.text
            return error == "invalid_dpop_proof"
        if answer.status_code == 200:
            return False
        assert (answer.status_code, error) == (401, "invalid_dpop_proof"), answer.text
        challenge = answer.headers["WWW-Authenticate"]
        assert challenge.startswith("DPoP ")
        assert {'error="invalid_dpop_proof"', 'algs="ES256 PS256 EdDSA"'} <= set(challenge.split(", "))
        return True


@pytest.fixture
def at_token(app: Flask, spa: OidcSite) -> Place:
    def show(proofs: list[str]) -> TestResponse:
        form = {"grant_type": "refresh_token", "refresh_token": "x", "client_id": "spa"}
        headers = [("DPoP", one) for one in proofs]
        return app.test_client(use_cookies=False).post("/token", data=form, headers=headers)

    return Place("POST", TOKEN, None, show)


@pytest.fixture
def bound(browser: FlaskClient, spa: OidcSite) -> str:
    """An access token that is bound to KEY."""
    answer = spa.post(
        "/token",
        headers={"DPoP": proof(KEY, "POST", TOKEN)},
        client_id="spa",
        grant_type="authorization_code",
        code=spa.code(browser),
        redirect_uri=spa.redirect_uri,
        code_verifier="test-verifier-of-more-than-43-characters-0123456789",
    )
    assert answer.status_code == 200, answer.text
    assert answer.get_json()["token_type"] == "DPoP"
    token: str = answer.get_json()["access_token"]
    return token


@pytest.fixture
def at_userinfo(app: Flask, bound: str) -> Place:
    def show(proofs: list[str]) -> TestResponse:
        headers = [("Authorization", f"DPoP {bound}"), *(("DPoP", one) for one in proofs)]
        return app.test_client(use_cookies=False).get("/userinfo", headers=headers)

    return Place("GET", USERINFO, bound, show)


def now(seconds: float = 0) -> int:
    return int(time.time() + seconds)


def _broken(token: str) -> str:
    head, body, signature = token.split(".")
    return f"{head}.{body}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


def _unsigned(place: Place, **header: Any) -> str:
    head = {"typ": "dpop+jwt", "alg": "none", "jwk": public_jwk(KEY)} | header
    body = place.good().split(".")[1]
    return f"{part({name: value for name, value in head.items() if value is not None})}.{body}."


REFUSED: dict[str, Callable[[Place], list[str]]] = {
    "two headers": lambda p: [p.good(), p.good()],
    "two in one line": lambda p: [f"{p.good()}, {p.good()}"],
    "not a JWT": lambda p: ["not-a-jwt"],
    "empty": lambda p: [""],
    "a JWE": lambda p: [f"{part({'alg': 'dir', 'enc': 'A128GCM', 'typ': 'dpop+jwt'})}..AAAA.AAAA.AAAA"],
    "a payload that is no object": lambda p: [sign_text("[]")],
    "a payload that is no JSON": lambda p: [sign_text("jti")],
    "too large": lambda p: [p.good(more="x" * 16_384)],
    "no typ": lambda p: [p.good(header={"typ": None})],
    "typ of any JWT": lambda p: [p.good(header={"typ": "JWT"})],
    "another typ": lambda p: [p.good(header={"typ": "at+jwt"})],
    "no alg": lambda p: [_unsigned(p, alg=None)],
    "alg none": lambda p: [_unsigned(p)],
    "RS256": lambda p: [p.good(key=RSA, alg="RS256")],
    "HS256 with the public key": lambda p: [_symmetric(p)],
    "alg of another kind of key": lambda p: [_as(p, alg="EdDSA")],
    "no jwk": lambda p: [p.good(header={"jwk": None})],
    "jwk is a text": lambda p: [p.good(header={"jwk": "key"})],
    "jwk of another curve": lambda p: [p.good(header={"jwk": public_jwk(KEY) | {"crv": "P-384"}})],
    "jwk is a secret": lambda p: [p.good(header={"jwk": {"kty": "oct", "k": "c2VjcmV0"}})],
    "private key in jwk": lambda p: [p.good(header={"jwk": private_jwk(KEY)})],
    "jwk of somebody else": lambda p: [p.good(header={"jwk": public_jwk(OTHER)})],
    "a bad signature": lambda p: [_broken(p.good())],
    "crit": lambda p: [p.good(header={"crit": ["exp"], "exp": 1})],
    "no jti": lambda p: [p.good(jti=None)],
    "empty jti": lambda p: [p.good(jti="")],
    "jti is a number": lambda p: [p.good(jti=7)],
    "no htm": lambda p: [p.good(htm=None)],
    "another htm": lambda p: [p.good(method="PUT")],
    "htm in lower case": lambda p: [p.good(method=p.method.lower())],
    "no htu": lambda p: [p.good(htu=None)],
    "htu of another host": lambda p: [p.good(url=p.url.replace("127.0.0.1", "127.0.0.2"))],
    "htu of another port": lambda p: [p.good(url=p.url.replace(":9000", ":9001"))],
    "htu without its port": lambda p: [p.good(url=p.url.replace(":9000", ""))],
    "htu of another scheme": lambda p: [p.good(url=p.url.replace("http:", "https:"))],
    "htu of another path": lambda p: [p.good(url=f"{p.url}/x")],
    "htu in another case": lambda p: [p.good(url=p.url.replace("/token", "/Token").replace("/userinfo", "/Userinfo"))],
    "htu with somebody in front": lambda p: [p.good(url=p.url.replace("//", "//user@"))],
    "htu is a path": lambda p: [p.good(url=p.url.removeprefix(ISSUER))],
    "htu that is none": lambda p: [p.good(url="http://[::1")],
    "htu with a port that is none": lambda p: [p.good(url=p.url.replace(":9000", ":90000000"))],
    "htu is a list": lambda p: [p.good(htu=[p.url])],
    "no iat": lambda p: [p.good(iat=None)],
    "iat is a text": lambda p: [p.good(iat=str(now()))],
    "iat is true": lambda p: [p.good(iat=True)],
    "iat is infinite": lambda p: [p.good(iat=float("inf"))],
    "iat an hour ago": lambda p: [p.good(iat=now(-3600))],
    "iat in an hour": lambda p: [p.good(iat=now(3600))],
}  # fmt: skip
BESIDE_A_TOKEN: dict[str, Callable[[Place], list[str]]] = {
    "no proof": lambda p: [],
    "no ath": lambda p: [p.good(ath=None)],
    "ath of another token": lambda p: [p.good(token="at-00-" + "a" * 32)],
    "ath in hex": lambda p: [p.good(ath=hashlib.sha256((p.token or "").encode()).hexdigest())],
    "ath padded": lambda p: [p.good(ath=b64(hashlib.sha256((p.token or "").encode()).digest()) + "=")],
    "ath is a number": lambda p: [p.good(ath=7)],
    "another key": lambda p: [p.good(key=OTHER)],
    "another kind of key": lambda p: [p.good(key=EDWARDS, alg="EdDSA")],
}
ACCEPTED: dict[str, Callable[[Place], str]] = {
    "as it should be": lambda p: p.good(),
    "with claims that nobody knows": lambda p: p.good(more={"x": [1]}, nonce="whatever"),
    "htu with a query": lambda p: p.good(url=f"{p.url}?a=b"),
    "htu with a fragment": lambda p: p.good(url=f"{p.url}#x"),
    "scheme and host in capitals": lambda p: p.good(url=p.url.replace("http://", "HTTP://")),
    "a path in escapes": lambda p: p.good(url=p.url.replace("/token", "/%74oken").replace("/userinfo", "/%75serinfo")),
    "iat 10 s ago": lambda p: p.good(iat=now(-10)),
    "iat in 10 s": lambda p: p.good(iat=now(10)),
    "iat with a fraction": lambda p: p.good(iat=time.time()),
    "a name in the key": lambda p: p.good(header={"jwk": public_jwk(KEY, kid="mine", use="sig", alg="ES256")}),
    "a name in the header": lambda p: p.good(header={"kid": "mine"}),
}


def sign_text(text: str) -> str:
    return jwt.PyJWS().encode(
        text.encode(), KEY, algorithm="ES256", headers={"typ": "dpop+jwt", "jwk": public_jwk(KEY)}
    )


def _symmetric(place: Place) -> str:
    claims = {"jti": fresh(), "htm": place.method, "htu": place.url, "iat": now()}
    return sign(claims, "s" * 32, "HS256", {"typ": "dpop+jwt", "jwk": public_jwk(KEY)})


def _as(place: Place, **header: Any) -> str:
    """With another header over the same body, signed for neither."""
    _, body, signature = place.good().split(".")
    return f"{part({'typ': 'dpop+jwt', 'jwk': public_jwk(KEY)} | header)}.{body}.{signature}"


@pytest.mark.covers("line-57", "dpop-negative-tests")
def test_dpop_negative_tests(at_userinfo: Place, app: Flask) -> None:
    for name, proofs in (REFUSED | BESIDE_A_TOKEN).items():
        assert at_userinfo.refused(*proofs(at_userinfo)), name
    for name, good in ACCEPTED.items():
        assert not at_userinfo.refused(good(at_userinfo)), name
    once = at_userinfo.good()
    assert not at_userinfo.refused(once)
    assert at_userinfo.refused(once), "a jti is good once"
    headers = {"Authorization": f"Bearer {at_userinfo.token}"}
    assert app.test_client().get("/userinfo", headers=headers).status_code == 401, "nothing is worth less than a proof"
    assert not at_userinfo.refused(at_userinfo.good()), "a good one still works"


@pytest.mark.covers("line-57", "dpop-negative-tests")
def test_the_token_endpoint_refuses_the_same(at_token: Place) -> None:
    for name, proofs in REFUSED.items():
        assert at_token.refused(*proofs(at_token)), name
    two = at_token.show([at_token.good(), at_token.good()])
    assert two.get_json()["error_description"] == "Send one DPoP header."
    for name, good in ACCEPTED.items():
        assert not at_token.refused(good(at_token)), name
    once = at_token.good()
    assert not at_token.refused(once)
    assert at_token.refused(once)


@pytest.mark.covers(
    "ensure-dpop-proof-with-iat-10-seconds-before-succeeds", "ensure-dpop-proof-with-iat-10-seconds-after-succeeds"
)
def test_ensure_dpop_proof_with_iat_10_seconds_before_or_after_succeeds(at_token: Place, at_userinfo: Place) -> None:
    for place in (at_token, at_userinfo):
        for seconds in (-10, 10):
            assert not place.refused(place.good(iat=now(seconds)))


def test_every_algorithm_that_discovery_names_is_taken(at_token: Place, app: Flask) -> None:
    named = app.test_client().get("/.well-known/openid-configuration").get_json()["dpop_signing_alg_values_supported"]
    assert named == ["ES256", "PS256", "EdDSA"]
    for alg in (*named, "Ed25519"):
        assert not at_token.refused(at_token.good(key=private_key(alg, "dpop"), alg=alg)), alg


@pytest.mark.covers("line-59")
def test_a_proof_is_remembered_for_as_long_as_it_would_be_accepted(at_token: Place, later: Later) -> None:
    oldest, latest = at_token.good(iat=now(-290)), at_token.good(iat=now(55))
    assert not at_token.refused(oldest)
    assert not at_token.refused(latest)
    with later(350):
        assert at_token.refused(latest)
        assert at_token.refused(oldest)


@pytest.mark.covers("line-59")
def test_a_jti_belongs_to_its_key_and_its_address(at_token: Place, at_userinfo: Place) -> None:
    jti = fresh()
    assert not at_token.refused(at_token.good(jti=jti))
    assert at_token.refused(at_token.good(jti=jti)), "another proof of the same name is the same"
    assert not at_token.refused(at_token.good(jti=jti, key=OTHER))
    assert not at_userinfo.refused(at_userinfo.good(jti=jti))


def test_a_refused_proof_is_not_spent(at_userinfo: Place) -> None:
    """Whoever sees one on its way can't spoil it by showing it where it is worth nothing."""
    one = at_userinfo.good()
    head, body, signature = one.split(".")
    assert at_userinfo.refused(_broken(f"{head}.{body}.{signature}"))
    assert not at_userinfo.refused(one)
