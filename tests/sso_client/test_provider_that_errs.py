"""The Foundation's modules for relying parties that no other test here shows, by their names: the SDK against a
provider that errs.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask

from sso_client import SSOClient
from sso_client.errors import SSOError
from tests.support.fake_provider import FakeProvider
from tests.support.sdk import MovedClock, Person, browser, new_sid


@pytest.mark.covers("oidcc-client-test-rp-backchannel-rpinitlogout", "line-122", "line-123")
def test_oidcc_client_test_rp_backchannel_rpinitlogout(site: Flask, centre: FakeProvider) -> None:
    alice, bob, sid = browser(site, centre), browser(site, centre), new_sid()
    alice.sign_in(sid=sid)
    bob.sign_in(sub="usr-bob")
    # Nobody's cookie, no form token: the call comes from a server.
    call = {"logout_token": centre.logout_token(sid=sid)}
    answer = site.test_client(use_cookies=False).post("/sso/backchannel-logout", data=call)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert "Set-Cookie" not in answer.headers
    assert alice.get("/").status_code == 302
    assert bob.get("/").status_code == 200


@pytest.mark.covers("line-120")
def test_an_unknown_session_is_answered_like_any_other(site: Flask, centre: FakeProvider) -> None:
    call = {"logout_token": centre.logout_token(sid=new_sid())}
    assert site.test_client().post("/sso/backchannel-logout", data=call).status_code == 200


@pytest.mark.covers("oidcc-client-test-rp-init-logout")
def test_oidcc_client_test_rp_init_logout(person: Person, client: SSOClient, centre: FakeProvider) -> None:
    cookie, session = person.sign_in()
    done = client.sign_out(cookie)
    assert done.logout_url is not None
    assert done.logout_url.split("?")[0] == centre.discovery()["end_session_endpoint"]
    query = parse_qs(urlsplit(done.logout_url).query, strict_parsing=True)
    assert query["id_token_hint"] == [session.id_token]
    assert client.find_session(cookie) is None


def refusal(person: Person) -> str:
    with pytest.raises(SSOError) as error:
        person.sign_in()
    return error.value.code


@pytest.mark.covers("oidcc-client-test-invalid-sig-rs256")
def test_oidcc_client_test_invalid_sig_rs256(
    person: Person, centre: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    centre.alg = "RS256"
    person.sign_in()
    sign, strange = centre.keys.sign, rsa.generate_private_key(65537, 2048)
    monkeypatch.setattr(centre.keys, "sign", lambda claims, headers=None, _=None: sign(claims, headers, strange))
    assert refusal(person) == "signature_invalid"


@pytest.mark.covers("oidcc-client-test-idtoken-sig-none")
def test_oidcc_client_test_idtoken_sig_none(
    person: Person, centre: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(centre.keys, "sign", lambda claims, *_: jwt.encode(claims, None, algorithm="none"))
    assert refusal(person) == "alg_not_allowed"


@pytest.fixture
def nameless(centre: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """From now on tokens don't say which key signed them, and this one alone or others, too, are published."""

    def sign(claims: dict[str, Any], headers: dict[str, Any] | None = None, _: Any = None) -> str:
        return jwt.encode(claims, centre.ec_key, algorithm="ES256", headers=headers)

    def publish(*, others: bool) -> None:
        keys = [key for key in centre.keys.jwks()["keys"] if "kid" in key]
        shown = [key for key in keys if others or key["kid"] == f"{centre.kid}-ES256"]
        assert len(shown) == (2 if others else 1)
        # The one that signed comes last.
        shown.sort(key=lambda key: str(key["kid"]) == f"{centre.kid}-ES256")
        monkeypatch.setattr(centre.keys, "sign", sign)
        monkeypatch.setattr(centre.keys, "jwks", lambda: {"keys": shown})

    return publish


@pytest.mark.covers("oidcc-client-test-kid-absent-single-jwks")
def test_oidcc_client_test_kid_absent_single_jwks(person: Person, client: SSOClient, nameless: Any) -> None:
    nameless(others=False)
    cookie, _ = person.sign_in()
    assert client.find_session(cookie) is not None


@pytest.mark.covers("oidcc-client-test-kid-absent-multiple-jwks")
def test_oidcc_client_test_kid_absent_multiple_jwks(person: Person, client: SSOClient, nameless: Any) -> None:
    nameless(others=True)
    cookie, _ = person.sign_in()
    assert client.find_session(cookie) is not None


@pytest.mark.covers("oidcc-client-test-signing-key-rotation")
def test_oidcc_client_test_signing_key_rotation(
    person: Person, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    person.sign_in()
    clock.go(31)
    centre.keys.rotate(announced=False)
    cookie, _ = person.sign_in()
    assert client.find_session(cookie) is not None
    assert centre.calls("/jwks.json") == 2
    # One more that nobody knows, at once: no third question before the pause is over.
    centre.keys.rotate(announced=False)
    assert refusal(person) == "key_pending"
    assert centre.calls("/jwks.json") == 2
    clock.go(31)
    person.sign_in()
    assert centre.calls("/jwks.json") == 3
