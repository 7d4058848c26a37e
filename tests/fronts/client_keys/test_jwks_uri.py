"""Keys at an address of the client: fetched under guard, kept, asked for again for a new key, and never believed more
than registered ones.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from sso_server.core.client_metadata import PRIVATE_KEY_JWT
from sso_server.crypto.client_keys import FRESH_MS, MOST_OF_ONE, MOST_WAITING
from tests.fronts.client_keys.conftest import AddClient
from tests.fronts.conftest import Later
from tests.support.key_server import KeyServer
from tests.support.oidc_site import OidcSite
from tests.support.signing_client import Signing, b64, key_set, part, private_jwk, private_key, public_jwk

OLD, NEW = private_key("ES256", "old"), private_key("ES256", "new")
OLD_SET = key_set(public_jwk(OLD, kid="one"))


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with KeyServer(OLD_SET) as running:
        yield running


@pytest.fixture
def remote(app: Flask, add_client: AddClient, server: KeyServer) -> OidcSite:
    """A client with `jwks_uri`."""
    add_client("remote", token_endpoint_auth_method=PRIVATE_KEY_JWT, jwks_uri=server.url)
    return OidcSite(app, "remote")


@pytest.fixture
def signing() -> Signing:
    """With the key that the server has at first."""
    return Signing("remote", OLD)


def admitted(site: OidcSite, signing: Signing) -> bool:
    answer = site.post("/revoke", headers={}, token="x", **signing.form())
    assert answer.status_code in (200, 401), answer.text
    return answer.status_code == 200


@pytest.mark.covers("oidcc-registration-jwks-uri", "line-38")
def test_keys_may_be_named_by_address_and_are_kept(remote: OidcSite, signing: Signing, server: KeyServer) -> None:
    assert all(admitted(remote, signing) for _ in range(5))
    assert server.asked == 1
    assert "application/json" in server.accept


@pytest.mark.covers("oidcc-refresh-token-rp-key-rotation")
def test_oidcc_refresh_token_rp_key_rotation(
    remote: OidcSite, signing: Signing, server: KeyServer, browser: FlaskClient, later: Later
) -> None:
    tokens = remote.redeem(remote.code(browser), **signing.form()).get_json()
    server.body = key_set(public_jwk(NEW, kid="two"))
    with later(60):
        answer = remote.refresh(tokens["refresh_token"], **replace(signing, key=NEW, kid="two").form())
        assert answer.status_code == 200, answer.text
        assert not admitted(remote, signing), "the old one was taken out"


def test_a_key_exchanged_under_its_old_name_works_as_soon(
    remote: OidcSite, signing: Signing, server: KeyServer, later: Later
) -> None:
    assert admitted(remote, signing)
    server.body = key_set(public_jwk(NEW, kid="one"))
    with later(16):
        assert admitted(remote, replace(signing, key=NEW))


def test_strange_names_make_nobody_hammer_a_site(
    remote: OidcSite, signing: Signing, server: KeyServer, later: Later
) -> None:
    assert admitted(remote, signing)
    for number in range(20):
        assert not admitted(remote, replace(signing, key=NEW, kid=f"kid-{number}"))
    assert server.asked == 1
    with later(16):
        for number in range(20):
            assert not admitted(remote, replace(signing, key=NEW, kid=f"kid-{number}"))
        assert admitted(remote, signing), "whoever has the key doesn't suffer from it"
    assert server.asked == 2


def test_what_can_never_be_good_makes_nobody_fetch(remote: OidcSite, signing: Signing, server: KeyServer) -> None:
    hostile = signing.form()
    head, body, _ = hostile["client_assertion"].split(".")
    for token in (f"{part({'alg': 'none'})}.{body}.", f"{part({'alg': 'HS256'})}.{body}.c2ln", f"{head}.{body}"):
        answer = remote.post("/revoke", headers={}, token="x", **(hostile | {"client_assertion": token}))
        assert answer.status_code == 401
    assert server.asked == 0


def test_a_key_that_was_taken_out_is_out_within_ten_minutes(
    remote: OidcSite, signing: Signing, server: KeyServer, later: Later
) -> None:
    assert admitted(remote, signing)
    server.body = key_set(public_jwk(NEW, kid="two"))
    assert admitted(remote, signing)
    with later(601):
        assert not admitted(remote, signing)


def test_keys_outlast_a_site_that_is_away_for_an_hour_and_no_longer(
    remote: OidcSite, signing: Signing, server: KeyServer, later: Later
) -> None:
    assert admitted(remote, signing)
    server.status = 503
    with later(3500):
        assert admitted(remote, signing)
    with later(3601):
        assert not admitted(remote, signing)
    server.status = 200
    with later(3700):
        assert admitted(remote, signing)


def _members(**changes: Any) -> str:
    return key_set({name: value for name, value in (public_jwk(OLD, kid="one") | changes).items() if value is not None})


HOSTILE: dict[str, Callable[[], str]] = {
    "empty": lambda: "",
    "no-json": lambda: "<html>keys</html>",
    "deep": lambda: '{"keys":' + "[" * 30_000,
    "list": lambda: json.dumps([public_jwk(OLD, kid="one")]),
    "no-keys": lambda: "{}",
    "none": key_set,
    "keys-object": lambda: json.dumps({"keys": {"one": public_jwk(OLD)}}),
    "keys-texts": lambda: json.dumps({"keys": ["one"]}),
    "too-many": lambda: key_set(public_jwk(OLD, kid="one"), *(public_jwk(NEW, kid=str(n)) for n in range(20))),
    "huge": lambda: json.dumps({"keys": [public_jwk(OLD, kid="one")], "more": "x" * 65_536}),
    "private": lambda: key_set(private_jwk(OLD) | {"kid": "one"}),
    "a-secret-beside-it": lambda: key_set(public_jwk(OLD, kid="one"), {"kty": "oct", "k": "c2VjcmV0", "kid": "two"}),
    "one-name-twice": lambda: key_set(public_jwk(OLD, kid="one"), public_jwk(NEW, kid="one")),
    "kid-number": lambda: _members(kid=1),
    "kty-missing": lambda: _members(kty=None),
    "kty-number": lambda: _members(kty=7),
    "kty-of-another": lambda: _members(kty="RSA"),
    "x-short": lambda: _members(x="AAAA"),
    "x-number": lambda: _members(x=1),
    "x-not-base64": lambda: _members(x="#" * 43),
    "y-missing": lambda: _members(y=None),
    "off-the-curve": lambda: _members(x=b64(b"\x01" * 32)),
    "another-curve": lambda: _members(crv="P-384"),
    "crv-list": lambda: _members(crv=["P-256"]),
    "for-encryption": lambda: _members(use="enc"),
    "for-another-algorithm": lambda: _members(alg="RS256"),
    "use-number": lambda: _members(use=1),
    "key-ops-text": lambda: _members(key_ops="verify"),
    "key-ops-sign": lambda: _members(key_ops=["sign"]),
}


def test_a_hostile_document_gives_no_key_and_takes_none(app: Flask, add_client: AddClient, server: KeyServer) -> None:
    with capture_logs() as lines:
        for name, body in HOSTILE.items():
            server.body, before = body(), server.asked
            add_client(name, token_endpoint_auth_method=PRIVATE_KEY_JWT, jwks_uri=f"{server.url}/{name}")
            assert not admitted(OidcSite(app, name), Signing(name, OLD)), name
            assert server.asked == before + 1, name
    told = {line["client_id"]: line["why"] for line in lines if line["event"] == "client_keys_unusable"}
    assert "private or a shared key" in told["private"], "operators are told why"
    assert "too long" in told["huge"]


def test_a_document_gone_bad_leaves_the_known_keys(
    remote: OidcSite, signing: Signing, server: KeyServer, later: Later
) -> None:
    assert admitted(remote, signing)
    server.body = HOSTILE["private"]()
    with later(700):
        assert admitted(remote, signing)


def test_what_is_no_200_is_no_document(remote: OidcSite, signing: Signing, server: KeyServer, later: Later) -> None:
    with KeyServer(OLD_SET) as elsewhere:
        server.headers["Location"] = elsewhere.url
        for number, status in enumerate((301, 302, 303, 307, 308, 404, 500, 203)):
            server.status = status
            with later(20 * number):
                assert not admitted(remote, signing), status
        assert elsewhere.asked == 0, "a redirect is never followed"


def test_many_who_come_at_once_wait_for_one_fetch(remote: OidcSite, signing: Signing, server: KeyServer) -> None:
    server.held.clear()
    came: list[bool] = []
    threads = [threading.Thread(target=lambda: came.append(admitted(remote, signing))) for _ in range(MOST_OF_ONE)]
    for thread in threads:
        thread.start()
    server.held.set()
    for thread in threads:
        thread.join(30)
    assert came == [True] * MOST_OF_ONE
    assert server.asked == 1


def test_few_wait_for_a_site_that_is_slow_on_purpose(
    app: Flask, remote: OidcSite, signing: Signing, server: KeyServer
) -> None:
    assert MOST_WAITING * 4 <= 32, "a quarter of a worker's threads"
    server.held.clear()
    came: list[int] = []

    def ask() -> None:
        came.append(remote.post("/revoke", headers={}, token="x", **signing.form()).status_code)

    threads = [threading.Thread(target=ask) for _ in range(MOST_OF_ONE + 6)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 30
    while len(came) < 6 and time.monotonic() < deadline:
        time.sleep(0.002)
    assert came == [503] * 6, "the others are told to come again at once"
    server.held.set()
    for thread in threads:
        thread.join(30)
    assert sorted(came) == [200] * MOST_OF_ONE + [503] * 6


def test_slow_sites_keep_nobody_out_whose_keys_are_known(
    app: Flask, add_client: AddClient, remote: OidcSite, signing: Signing, later: Later
) -> None:
    assert admitted(remote, signing)
    with KeyServer(OLD_SET) as slow, later(FRESH_MS / 1000 + 1):
        slow.held.clear()
        names = [f"slow-{n}" for n in range(MOST_WAITING // MOST_OF_ONE)]
        for name in names:
            add_client(name, token_endpoint_auth_method=PRIVATE_KEY_JWT, jwks_uri=f"{slow.url}?{name}")
        came: list[int] = []

        def ask(name: str) -> None:
            form = Signing(name, NEW).form()
            came.append(OidcSite(app, name).post("/revoke", headers={}, token="x", **form).status_code)

        threads = [threading.Thread(target=ask, args=(name,)) for name in names for _ in range(MOST_OF_ONE + 1)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 30
        while len(came) < len(names) and time.monotonic() < deadline:
            time.sleep(0.002)
        assert came == [503] * len(names), "there is no room left"
        assert admitted(remote, signing)
        slow.held.set()
        for thread in threads:
            thread.join(30)


def test_registered_keys_are_checked_as_strictly(app: Flask, add_client: AddClient) -> None:
    for name in ("private", "one-name-twice", "x-short", "no-json"):
        add_client(name, token_endpoint_auth_method=PRIVATE_KEY_JWT, jwks=HOSTILE[name]())
        assert not admitted(OidcSite(app, name), Signing(name, OLD)), name
