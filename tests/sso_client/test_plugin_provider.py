"""The fake provider on its wire, asked by a program that isn't the SDK: it must be as strict as a real one."""

import base64
import hashlib
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest
import requests

from sso_client.testing import FakeSSO

BACK = "http://localhost/sso/callback"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")


class Program:
    """A relying party in twenty lines."""

    def __init__(self, sso: FakeSSO) -> None:
        self.sso = sso
        self.http = requests.Session()
        self.http.trust_env = False
        self.secret = (sso.provider.client_id, sso.provider.client_secret)

    def authorize(self, **changes: str | None) -> requests.Response:
        asked = {
            "client_id": self.sso.provider.client_id,
            "redirect_uri": BACK,
            "response_type": "code",
            "scope": "openid groups",
            "state": "s",
            "nonce": "n",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        } | changes
        query = urlencode({name: value for name, value in asked.items() if value is not None})
        return self.http.get(f"{self.sso.issuer}/authorize?{query}", allow_redirects=False, timeout=10)

    def answer(self, **changes: str | None) -> dict[str, str]:
        location = self.authorize(**changes).headers["Location"]
        return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}

    def post(self, path: str, **form: str) -> requests.Response:
        url = self.sso.issuer + path
        return self.http.post(url, data=form, auth=self.secret, timeout=10)

    def redeem(self, code: str, **changes: str) -> requests.Response:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": VERIFIER}
        return self.post("/token", **(form | changes))

    def tokens(self) -> dict[str, Any]:
        return dict(self.redeem(self.answer()["code"]).json())

    def renew(self, refresh_token: str) -> requests.Response:
        return self.post("/token", grant_type="refresh_token", refresh_token=refresh_token)

    def check_in(self, **told: Any) -> dict[str, Any]:
        body = {"store": "st-here", "mark": None, "acks": [], "ended": [], "active": []} | told
        return dict(self.http.post(f"{self.sso.issuer}/check-in", json=body, auth=self.secret, timeout=10).json())


@pytest.fixture
def program(fake_sso: FakeSSO) -> Iterator[Program]:
    fake_sso.provider.visitor = "alice"
    made = Program(fake_sso)
    yield made
    made.http.close()


def test_a_ticket_is_good_once_and_only_with_its_verifier_and_address(program: Program) -> None:
    code = program.answer()["code"]
    assert program.redeem(code).status_code == 200
    again = [
        program.redeem(code),
        program.redeem(program.answer()["code"], code_verifier="w" * 43),
        program.redeem(program.answer()["code"], redirect_uri="http://localhost/elsewhere"),
        program.redeem("code-of-nobody"),
    ]
    said = [answer.json()["error_description"] for answer in again]
    assert said == ["ticket_used", "pkce_mismatch", "redirect_uri_mismatch", "ticket_unknown"]


def test_a_ticket_of_a_session_that_has_ended_is_refused(program: Program) -> None:
    code = program.answer()["code"]
    program.sso.sign_out("alice")
    assert program.redeem(code).json()["error_description"] == "session_ended"


@pytest.mark.parametrize("change", [{"client_id": "another"}, {"redirect_uri": "mailto:alice"}])
def test_a_stranger_is_never_redirected(change: dict[str, str], program: Program) -> None:
    assert program.authorize(**change).status_code == 400


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
    ],
)
def test_a_wrong_request_comes_back_with_its_error(change, error: str, program: Program) -> None:
    answer = program.answer(**change)
    assert (answer["error"], answer["state"], answer["iss"]) == (error, "s", program.sso.issuer)


def test_where_nobody_sits_nobody_is_signed_in_without_asking(program: Program) -> None:
    program.sso.provider.visitor = None
    assert program.answer(prompt="none")["error"] == "login_required"
    assert "Who are you?" in program.authorize().text
    assert "code" in program.answer(username="bob")
    assert len(program.sso.live("bob")) == 1


def test_a_wrong_secret_is_refused_everywhere(program: Program) -> None:
    program.secret = (program.secret[0], "wrong")
    for path in ("/token", "/introspect", "/revoke", "/check-in"):
        assert program.post(path).status_code == 401


def test_an_id_token_is_signed_by_a_published_key(program: Program) -> None:
    token = program.tokens()["id_token"]
    keys = jwt.PyJWKSet(program.http.get(f"{program.sso.issuer}/jwks.json", timeout=10).json()["keys"])
    claims = jwt.decode(token, keys[jwt.get_unverified_header(token)["kid"]], audience="site-under-test")
    assert (claims["sub"], claims["nonce"], claims["sid"]) == ("alice", "n", program.sso.live("alice")[0])


def test_a_refresh_token_rotates_and_one_that_comes_again_later_ends_the_session(program: Program) -> None:
    first = program.tokens()["refresh_token"]
    second = program.renew(first).json()["refresh_token"]
    assert program.renew(first).status_code == 200, "an answer may have been lost"
    program.sso.skew(120)
    assert program.renew(first).json()["error_description"] == "ticket_used"
    assert list(program.sso.provider.ended.values()) == ["token_reuse"]
    assert program.renew(second).json()["error_description"] == "session_ended"


@pytest.mark.parametrize("kind", ["opaque", "jwt"])
def test_an_access_token_is_known_until_its_session_ends(kind: str, program: Program) -> None:
    program.sso.provider.access_token = kind
    token = program.tokens()["access_token"]
    assert (token.count(".") == 2) is (kind == "jwt")
    known = program.post("/introspect", token=token).json()
    assert (known["active"], known["sub"], known["scope"]) == (True, "alice", "openid groups")
    told = {"headers": {"Authorization": f"Bearer {token}"}, "timeout": 10}
    assert program.http.get(f"{program.sso.issuer}/userinfo", **told).json()["sub"] == "alice"
    program.sso.sign_out("alice", call=False)
    assert program.post("/introspect", token=token).json() == {"active": False}
    assert program.http.get(f"{program.sso.issuer}/userinfo", **told).status_code == 401


def test_an_access_token_runs_out_and_can_be_revoked(program: Program) -> None:
    tokens = program.tokens()
    program.post("/revoke", token=tokens["access_token"])
    assert program.post("/introspect", token=tokens["access_token"]).json() == {"active": False}
    other = program.sso.access_token("bob", scope="orders")
    assert program.post("/introspect", token=other).json()["scope"] == "orders"
    program.sso.skew(301)
    assert program.post("/introspect", token=other).json() == {"active": False}
    program.post("/revoke", token=tokens["refresh_token"])
    assert program.renew(tokens["refresh_token"]).status_code == 400


def test_a_jwt_access_token_says_what_an_api_needs(program: Program) -> None:
    program.sso.provider.access_token = "jwt"
    token = program.sso.access_token("alice", groups=["staff"])
    head, claims = jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})
    assert head["typ"] == "at+jwt"
    assert claims["aud"] == [program.sso.issuer, "site-under-test"]
    assert {"iss", "exp", "sub", "client_id", "iat", "jti", "scope", "sid", "auth_time"} <= claims.keys()
    assert claims["groups"] == ["staff"]


def test_what_an_api_must_refuse_is_handed_out_at_check_in_to_those_who_ask(program: Program) -> None:
    program.sso.provider.access_token = "jwt"
    until = (int(time.time()) + 300) * 1000
    program.sso.access_token("alice")
    revoked = program.sso.access_token("bob")
    (sid,) = program.sso.live("alice")
    program.sso.sign_out("alice")
    heard = program.check_in(denied_from=None)
    assert [entry["sid"] for entry in heard["denied"]] == [sid]
    assert abs(heard["denied"][0]["until"] - until) <= 10_000
    program.post("/revoke", token=revoked)
    jti = jwt.decode(revoked, options={"verify_signature": False})["jti"]
    assert {"jti": jti} in [
        {"jti": entry.get("jti")} for entry in program.check_in(denied_from=heard["denied_to"])["denied"]
    ]
    assert "denied" not in program.check_in()
    program.sso.skew(400)
    assert program.check_in(denied_from=None)["denied"] == [], "what has run out needs no refusing"


def test_ends_are_listed_until_they_are_acknowledged(program: Program) -> None:
    program.redeem(program.answer()["code"], store_id="st-here")
    (sid,) = program.sso.live("alice")
    program.sso.provider.end(sid)
    assert [end["sid"] for end in program.check_in()["ends"]] == [sid]
    assert [end["sid"] for end in program.check_in()["ends"]] == [sid]
    assert program.check_in(acks=[sid])["ends"] == []
    assert program.check_in(sids=["sid-of-nobody"])["ends"][0]["reason"] == "unknown_session"


def test_a_browser_that_ends_its_session_comes_back_to_the_sites_own_address_only(program: Program) -> None:
    hint = program.tokens()["id_token"]
    for after, status in (("https://evil.example/", 200), ("http://localhost/bye", 303)):
        query = urlencode({"id_token_hint": hint, "post_logout_redirect_uri": after, "state": "x"})
        answer = program.http.get(f"{program.sso.issuer}/end-session?{query}", allow_redirects=False, timeout=10)
        assert answer.status_code == status
    assert answer.headers["Location"] == "http://localhost/bye?state=x"
    assert program.sso.live("alice") == []
