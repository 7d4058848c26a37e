"""Every way in which a logout call can be bad: refused, and the session lives on.

Cases in the first group have the names of the OpenID conformance suite's modules
`oidcc-client-test-rp-backchannel-rpinitlogout-...`; the others follow Back-Channel Logout 1.0 sections 2.4 to 2.6.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import Flask

from tests.support.fake_provider import EVENT, FOREIGN_KEY, FakeProvider
from tests.support.sdk import Browser, MovedClock, browser, new_sid

FORM = "application/x-www-form-urlencoded"
ADDRESS = "/sso/backchannel-logout"
HOUR = 3600
Make = Callable[[FakeProvider, str], str]


def claims(**changes: Any) -> Make:
    """A token of the centre's, as good as any but for these claims; None removes one."""
    return lambda centre, sid: centre.logout_token(**({"sid": sid} | changes))


def header(**changes: Any) -> Make:
    """A token of the centre's with other members in its header."""
    return lambda centre, sid: centre.sign(centre.logout_claims(sid=sid), {"typ": "logout+jwt"} | changes)


def payload(text: str) -> Make:
    """Whatever text, signed by the centre."""
    headers = {"typ": "logout+jwt", "kid": "key-1-ES256"}
    return lambda centre, sid: jwt.api_jws.PyJWS().encode(text.encode(), centre.ec_key, "ES256", headers=headers)


def part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def with_mac(secret: Callable[[FakeProvider], bytes]) -> Make:
    """HS256 with something that an attacker may know: the library refuses to make such a token."""

    def make(centre: FakeProvider, sid: str) -> str:
        parts = {"alg": "HS256", "typ": "logout+jwt", "kid": "key-1-ES256"}, centre.logout_claims(sid=sid)
        signed = ".".join(part(value) for value in parts)
        mac = hmac.new(secret(centre), signed.encode(), hashlib.sha256).digest()
        return f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"

    return make


def public_key(centre: FakeProvider) -> bytes:
    return bytes(centre.ec_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def unsigned(centre: FakeProvider, sid: str) -> str:
    return jwt.encode(centre.logout_claims(sid=sid), None, algorithm="none", headers={"typ": "logout+jwt"})


def with_its_own_key(centre: FakeProvider, sid: str) -> str:
    key = jwt.algorithms.ECAlgorithm.to_jwk(FOREIGN_KEY.public_key(), as_dict=True)
    token_header = {"typ": "logout+jwt", "jwk": key, "jku": f"{centre.issuer}/strange", "x5u": "http://127.0.0.1:1/"}
    return centre.sign(centre.logout_claims(sid=sid), token_header, FOREIGN_KEY)


def altered(centre: FakeProvider, sid: str) -> str:
    """A good token for another session, its payload exchanged."""
    head, _, signature = centre.logout_token(sid=new_sid()).split(".")
    return f"{head}.{part(centre.logout_claims(sid=sid))}.{signature}"


def id_token(centre: FakeProvider, sid: str) -> str:
    moment = int(time.time())
    known = {"iss": centre.issuer, "aud": centre.client_id, "sub": "usr-alice", "sid": sid, "nonce": "n"}
    return centre.sign(known | {"iat": moment, "exp": moment + 300, "jti": "j"})


def good(centre: FakeProvider, sid: str) -> str:
    return centre.logout_token(sid=sid)


TOKENS: dict[str, tuple[Make, str]] = {
    "alg-none": (unsigned, "alg_not_allowed"),
    "wrong-alg": (with_mac(lambda centre: b"k" * 64), "alg_not_allowed"),
    "no-event": (claims(events=None), "event_missing"),
    "wrong-event": (claims(events={"http://schemas.openid.net/event/other": {}}), "event_missing"),
    "with-nonce": (claims(nonce="n"), "nonce_present"),
    "wrong-iss": (claims(iss="http://127.0.0.1:1"), "issuer_mismatch"),
    "wrong-aud": (claims(aud="another"), "audience_mismatch"),
    # The signature.
    "hs256-with-the-public-key": (with_mac(public_key), "alg_not_allowed"),
    "hs256-with-the-client-secret": (with_mac(lambda centre: centre.client_secret.encode()), "alg_not_allowed"),
    "forged": (claims(key=FOREIGN_KEY), "signature_invalid"),
    "payload-exchanged": (altered, "signature_invalid"),
    "brings-its-own-key": (with_its_own_key, "signature_invalid"),
    "key-of-another-kind": (header(kid="key-1-RS256"), "key_unknown"),
    "unknown-kid": (header(kid="key-9"), "key_unknown"),
    "key-of-another-centre": (
        lambda centre, sid: centre.sign(centre.logout_claims(sid=sid), {"typ": "logout+jwt", "kid": "k"}, FOREIGN_KEY),
        "key_unknown",
    ),
    "critical-extension": (header(crit=["b64"], b64=True), "token_malformed"),
    # What kind of token it is.
    "id-token": (id_token, "typ_wrong"),
    "wrong-typ": (claims(typ="at+jwt"), "typ_wrong"),
    "security-event": (claims(typ="secevent+jwt"), "typ_wrong"),
    "plain-typ": (claims(typ="JWT"), "typ_wrong"),
    "no-typ": (claims(typ=None), "typ_wrong"),
    # Who sent it, and to whom.
    "no-iss": (claims(iss=None), "issuer_mismatch"),
    "iss-with-a-slash": (lambda centre, sid: good_with(centre, sid, iss=centre.issuer + "/"), "issuer_mismatch"),
    "no-aud": (claims(aud=None), "audience_mismatch"),
    "aud-of-others": (claims(aud=["one", "two"]), "audience_mismatch"),
    "aud-part-of-ours": (claims(aud="sho"), "audience_mismatch"),
    # When.
    "no-iat": (claims(iat=None), "token_malformed"),
    "future-iat": (lambda centre, sid: good_with(centre, sid, iat=int(time.time()) + HOUR), "token_expired"),
    "iat-as-text": (claims(iat="1700000000"), "token_malformed"),
    "iat-as-truth": (claims(iat=True), "token_malformed"),
    "no-exp": (claims(exp=None), "token_malformed"),
    "expired": (lambda centre, sid: good_with(centre, sid, exp=int(time.time()) - 70), "token_expired"),
    "exp-as-text": (claims(exp="tomorrow"), "token_malformed"),
    "exp-without-end": (payload('{"iss":"x","exp":Infinity}'), "issuer_mismatch"),
    # What it says.
    "no-jti": (claims(jti=None), "jti_missing"),
    "jti-no-text": (claims(jti=7), "token_malformed"),
    "jti-endless": (claims(jti="j" * 256), "token_malformed"),
    "no-sub-no-sid": (claims(sub=None, sid=None), "subject_missing"),
    "sid-no-text": (claims(sid=["sid"]), "token_malformed"),
    "sid-empty": (claims(sid=""), "token_malformed"),
    "sub-no-text": (claims(sub=1, sid=None), "token_malformed"),
    "event-no-object": (claims(events={EVENT: True}), "event_missing"),
    "event-a-list": (claims(events={EVENT: []}), "event_missing"),
    "events-a-list": (claims(events=[EVENT]), "event_missing"),
    "events-a-text": (claims(events=EVENT), "event_missing"),
    "nonce-empty": (claims(nonce=""), "nonce_present"),
    "sid-half-a-character": (claims(sid="\ud800"), "token_malformed"),
    "jti-half-a-character": (claims(jti="x\udfff"), "token_malformed"),
    "sub-half-a-character": (claims(sub="\ud800", sid=None), "token_malformed"),
    "ended-at-without-end": (claims(ended_at=10**400), "token_malformed"),
    "iat-without-end": (claims(iat=10**400), "token_malformed"),
    # What is no such token at all.
    "truncated": (lambda centre, sid: good(centre, sid)[:-21], "token_malformed"),
    "signature-cut-off": (lambda centre, sid: good(centre, sid)[:-86], "signature_invalid"),
    "two-parts": (lambda centre, sid: good(centre, sid).rpartition(".")[0], "token_malformed"),
    "four-parts": (lambda centre, sid: good(centre, sid) + ".x", "token_malformed"),
    "encrypted": (lambda centre, sid: part({"alg": "RSA-OAEP", "enc": "A256GCM"}) + ".a.b.c.d", "token_malformed"),
    "garbage": (lambda centre, sid: "no.token.at-all", "token_malformed"),
    "no-base64": (lambda centre, sid: "*.*.*", "token_malformed"),
    "a-list": (payload("[]"), "token_malformed"),
    "no-json": (payload("sid"), "token_malformed"),
    "nested-without-end": (payload("[" * 5000), "token_malformed"),
    "oversized": (claims(padding="x" * 16_384), "token_oversize"),
    "zero-bytes": (lambda centre, sid: good(centre, sid).replace(".", "\0.", 1), "token_malformed"),
}


def good_with(centre: FakeProvider, sid: str, **changes: Any) -> str:
    return centre.logout_token(**({"sid": sid} | changes))


@pytest.fixture
def sid() -> str:
    return new_sid()


@pytest.fixture
def alice(site: Flask, centre: FakeProvider, sid: str, clock: MovedClock) -> Browser:
    """Somebody who is signed in, at a site that may ask for unknown keys again."""
    signed_in = browser(site, centre)
    signed_in.sign_in(sid=sid)
    clock.go(31)
    return signed_in


@pytest.mark.covers(
    "oidcc-client-test-rp-backchannel-rpinitlogout-alg-none",
    "oidcc-client-test-rp-backchannel-rpinitlogout-wrong-alg",
    "oidcc-client-test-rp-backchannel-rpinitlogout-no-event",
    "oidcc-client-test-rp-backchannel-rpinitlogout-wrong-event",
    "oidcc-client-test-rp-backchannel-rpinitlogout-with-nonce",
    "oidcc-client-test-rp-backchannel-rpinitlogout-wrong-aud",
    "oidcc-client-test-rp-backchannel-rpinitlogout-wrong-iss",
    "line-112",
    "line-113",
    "line-114",
    "line-115",
    "line-116",
    "line-117",
    "line-122",
)
@pytest.mark.parametrize("name", TOKENS)
def test_a_bad_logout_token_is_400_and_the_session_lives(
    name: str, alice: Browser, site: Flask, sid: str, centre: FakeProvider
) -> None:
    make, code = TOKENS[name]
    answer = site.test_client().post(ADDRESS, data={"logout_token": make(centre, sid)})
    assert (answer.status_code, answer.json) == (400, {"error": "invalid_request", "error_description": code})
    assert answer.headers["Cache-Control"] == "no-store"
    assert alice.get("/").status_code == 200
    assert site.test_client().post(ADDRESS, data={"logout_token": good(centre, sid)}).status_code == 200
    assert alice.get("/").status_code == 302, "and a good one still ends it"


CALLS: dict[str, tuple[Callable[[str], dict[str, Any]], int]] = {
    "get": (lambda token: {"method": "GET", "query_string": {"logout_token": token}}, 405),
    "put": (lambda token: {"method": "PUT", "data": {"logout_token": token}}, 405),
    "in-the-query": (lambda token: {"query_string": {"logout_token": token}, "content_type": FORM}, 400),
    "as-json": (lambda token: {"json": {"logout_token": token}}, 400),
    "as-text": (lambda token: {"data": urlencode({"logout_token": token}), "content_type": "text/plain"}, 400),
    "multipart": (lambda token: {"data": {"logout_token": token}, "content_type": "multipart/form-data"}, 400),
    "no-content-type": (lambda token: {"data": urlencode({"logout_token": token})}, 400),
    "two-tokens": (lambda token: {"data": {"logout_token": [token, token]}}, 400),
    "other-field": (lambda token: {"data": {"token": token}}, 400),
    "nothing": (lambda token: {"data": b"", "content_type": FORM}, 400),
    "empty": (lambda token: {"data": {"logout_token": ""}}, 400),
    "oversized-body": (lambda token: {"data": {"logout_token": token, "x": "x" * 1_000_000}}, 400),
    "endless-fields": (lambda token: {"data": {"logout_token": token} | {f"f{n}": "x" for n in range(50)}}, 400),
    "no-ascii": (lambda token: {"data": b"\xff\xfe=1&logout_token=" + token.encode(), "content_type": FORM}, 400),
    "spaces-around": (lambda token: {"data": {"logout_token": f" {token} "}}, 400),
}


@pytest.mark.covers("line-110", "line-123")
@pytest.mark.parametrize("name", CALLS)
def test_a_good_token_in_a_bad_call_ends_nothing(
    name: str, alice: Browser, site: Flask, sid: str, centre: FakeProvider
) -> None:
    make, status = CALLS[name]
    answer = site.test_client().open(ADDRESS, **({"method": "POST"} | make(good(centre, sid))))
    assert answer.status_code == status
    assert alice.get("/").status_code == 200


def test_a_key_that_may_just_not_be_known_yet_is_503_so_that_it_is_sent_again(
    alice: Browser, site: Flask, sid: str, centre: FakeProvider
) -> None:
    strange = {"logout_token": header(kid="key-9")(centre, sid)}
    assert site.test_client().post(ADDRESS, data=strange).status_code == 400
    answer = site.test_client().post(ADDRESS, data=strange)
    assert (answer.status_code, answer.json["error_description"]) == (503, "key_pending")
    assert alice.get("/").status_code == 200


@pytest.mark.parametrize("status", [500, 503])
def test_a_centre_whose_keys_cannot_be_asked_for_is_503_and_nothing_ends(
    status: int, alice: Browser, site: Flask, sid: str, centre: FakeProvider, clock: MovedClock
) -> None:
    centre.failing["/jwks.json"] = status
    call = {"logout_token": much_later(centre, sid, clock)}
    assert site.test_client().post(ADDRESS, data=call).status_code == 503
    assert alice.get("/sso/me").json.get("signed_in") is True
    del centre.failing["/jwks.json"]
    assert site.test_client().post(ADDRESS, data=call).status_code == 200, "and sent again it ends the session"


def test_an_old_document_of_the_centre_serves_while_a_new_one_cannot_be_had(
    alice: Browser, site: Flask, sid: str, centre: FakeProvider, clock: MovedClock
) -> None:
    centre.failing["/.well-known/openid-configuration"] = 503
    call = {"logout_token": much_later(centre, sid, clock)}
    assert site.test_client().post(ADDRESS, data=call).status_code == 200
    assert alice.get("/sso/me").json.get("signed_in") is not True


def much_later(centre: FakeProvider, sid: str, clock: MovedClock) -> str:
    """A good token of a time when neither the centre's document nor its keys are fresh any more."""
    clock.go(700)
    return good_with(centre, sid, iat=clock.wall_ms() // 1000, exp=clock.wall_ms() // 1000 + 120)


@pytest.mark.covers("line-118")
def test_a_token_sent_again_is_200_and_ends_nothing_more(
    alice: Browser, site: Flask, sid: str, centre: FakeProvider
) -> None:
    bob = browser(site, centre)
    bob.sign_in()  # the same person in another browser: another session
    call = {"logout_token": good(centre, sid)}
    for _ in range(3):
        assert site.test_client().post(ADDRESS, data=call).status_code == 200
    assert alice.get("/").status_code == 302
    assert bob.get("/").status_code == 200
    kinds = [event.kind for event in site.extensions["sso_client"].client.recent_events()]
    assert kinds.count("logout_received") == 1
    assert "logout_received_early" not in kinds


def test_a_token_for_a_person_sent_again_ends_no_later_sign_in(
    alice: Browser, site: Flask, centre: FakeProvider
) -> None:
    call = {"logout_token": centre.logout_token(sid=None, iat=int(time.time()) + 1)}
    assert site.test_client().post(ADDRESS, data=call).status_code == 200
    assert alice.get("/").status_code == 302
    centre.id_token_changes = {"iat": int(time.time()) + 2}
    alice.sign_in()
    assert site.test_client().post(ADDRESS, data=call).status_code == 200
    assert alice.get("/").status_code == 200, "a replay must not sign out who came back"


def test_a_token_sent_again_after_it_expired_is_refused(
    alice: Browser, site: Flask, sid: str, centre: FakeProvider, clock: MovedClock
) -> None:
    call = {"logout_token": good(centre, sid)}
    assert site.test_client().post(ADDRESS, data=call).status_code == 200
    clock.go(151)
    assert site.test_client().post(ADDRESS, data=call).status_code == 400


def test_a_token_of_a_session_that_is_over_keeps_its_sid_shut(
    alice: Browser, site: Flask, sid: str, centre: FakeProvider
) -> None:
    """A `sid` names one session for ever: whatever is opened under it after its end came from before."""
    call = {"logout_token": good(centre, sid)}
    site.test_client().post(ADDRESS, data=call)
    assert alice.sign_in(sid=sid).status_code in (302, 403)
    assert alice.get("/").status_code == 302
