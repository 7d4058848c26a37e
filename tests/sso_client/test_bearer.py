"""Who may call an API by a JWT: what it must say, how it must come, and what the refused are told."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from sso_client import Bearer, LeaseExpired, LocalStore, Settings, SSOError
from sso_client.bearer import challenge
from sso_client.errors import ScopeMissing
from sso_client.testing.tokens import Grant
from tests.support.api_callers import SCOPE, an_access_token, asked, changed, code_of, refusal
from tests.support.both_clients import running_client
from tests.support.fake_provider import FOREIGN_KEY, FakeProvider
from tests.support.sdk import MovedClock, Person


@pytest.fixture
def client(either_client: Any) -> Any:
    """A site with an API, at which nobody has ever signed in."""
    return either_client


def test_a_jwt_says_who_calls_without_asking_about_it(client, centre: FakeProvider, grant: Grant, jwt: str) -> None:
    bearer = client.read_bearer(f"Bearer {jwt}", scope="orders:read")
    assert isinstance(bearer, Bearer)
    assert (bearer.user.sub, bearer.user.groups, bearer.user.sid) == ("usr-alice", ("staff",), grant.sid)
    assert (bearer.client_id, bearer.scope, bearer.sid) == (centre.client_id, tuple(SCOPE.split()), grant.sid)
    assert bearer.jti == centre.tokens.access[jwt].jti
    assert bearer.expires_at == centre.tokens.access[jwt].exp
    before = len(centre.requests)
    assert client.read_bearer(f"bEARER {jwt}") == bearer
    assert len(centre.requests) == before
    assert asked(centre) == 0


@pytest.mark.parametrize("typ", ["application/at+jwt", "AT+JWT"])
def test_the_type_is_read_in_every_spelling_that_the_standard_allows(typ, client, centre: FakeProvider) -> None:
    assert client.read_bearer(f"Bearer {an_access_token(centre, {'typ': typ})}").client_id == "caller"


def test_an_audience_of_its_own_may_be_named(
    settings: Settings, store: LocalStore, clock: MovedClock, centre: FakeProvider
) -> None:
    token = an_access_token(centre, aud="https://api.shop.example")
    with running_client("blocking", replace(settings, audience="https://api.shop.example"), store, clock) as client:
        assert client.read_bearer(f"Bearer {token}").client_id == "caller"
        assert client.read_bearer(f"Bearer {an_access_token(centre)}").client_id == "caller"
        assert code_of(client, an_access_token(centre, aud="https://api.other.example")) == "bearer_invalid"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"header": {"typ": None}}, "typ_wrong"),
        ({"header": {"typ": "JWT"}}, "typ_wrong"),
        ({"header": {"typ": "logout+jwt"}}, "typ_wrong"),
        ({"header": {"crit": ["exp"], "exp": 1}}, "token_malformed"),
        ({"key": FOREIGN_KEY}, "signature_invalid"),
        ({"header": {"kid": "unknown"}, "key": FOREIGN_KEY}, "key_unknown"),
        ({"iss": "https://elsewhere.example"}, "issuer_mismatch"),
        ({"iss": None}, "issuer_mismatch"),
        ({"aud": "another"}, "audience_mismatch"),
        ({"aud": ["another"]}, "audience_mismatch"),
        ({"aud": {"shop": 1}}, "audience_mismatch"),
        ({"aud": None}, "audience_mismatch"),
        ({"exp": 1000}, "token_expired"),
        ({"exp": None}, "token_malformed"),
        ({"iat": None}, "token_malformed"),
        ({"iat": 10**11}, "token_expired"),
        ({"nbf": 10**11}, "token_expired"),
        ({"nbf": "soon"}, "token_expired"),
        ({"sub": None}, "subject_missing"),
        ({"jti": None}, "jti_missing"),
        ({"client_id": None}, "token_malformed"),
        ({"sid": 7}, "token_malformed"),
        ({"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}, "typ_wrong"),
        ({"cnf": {"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}}, "typ_wrong"),
    ],
    ids=changed,
)
@pytest.mark.covers("line-61")
def test_a_jwt_that_says_anything_else_is_invalid(changes, why, client, centre: FakeProvider) -> None:
    error = refusal(client, an_access_token(centre, **changes))
    assert (error.code, error.status) == ("bearer_invalid", 401)
    assert error.detail.startswith(why)
    assert asked(centre) == 0, "nothing is tried in a second way"


def test_unsigned_and_symmetric_tokens_are_invalid(client, centre: FakeProvider) -> None:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    body = an_access_token(centre).split(".")[1]
    for alg in ("none", "HS256", "RS512"):
        assert code_of(client, f"{part({'alg': alg, 'typ': 'at+jwt'})}.{body}.c2ln") == "bearer_invalid"
    assert code_of(client, f"{part([])}.{body}.c2ln") == "bearer_invalid"


def test_tokens_that_are_no_access_tokens_are_invalid(client, person: Person, centre: FakeProvider, store) -> None:
    _, session = person.sign_in()
    refresh = store.tokens.find(session.cookie_hash).refresh_token
    for token in (session.id_token, refresh, centre.logout_token(sid=session.sid), "code-of-somebody"):
        assert code_of(client, token) == "bearer_invalid"


@pytest.mark.parametrize("header", [None, "", "Basic c2hvcDpzZWNyZXQ=", "Digest username=x"])
def test_without_a_bearer_the_answer_asks_for_one_and_names_no_error(header, client) -> None:
    with pytest.raises(SSOError) as raised:
        client.read_bearer(header)
    assert (raised.value.code, raised.value.status) == ("bearer_missing", 401)
    assert client.challenge(raised.value) == 'Bearer realm="shop"'


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Bearer a b", "Bearer a,b", "Bearer ü", "Bearer a\n", "Bearer " + "a" * 17_000, 'Bearer "a"'],
    ids=["alone", "empty", "two", "two with a comma", "letters", "line", "long", "quoted"],
)
def test_a_malformed_header_is_invalid_and_nobody_is_asked(header, client, centre: FakeProvider) -> None:
    with pytest.raises(SSOError) as raised:
        client.read_bearer(header)
    assert raised.value.code == "bearer_invalid"
    assert client.challenge(raised.value).startswith('Bearer realm="shop", error="invalid_token", error_description="')
    assert centre.requests == []


def test_a_token_without_the_scope_is_told_which(client, jwt: str) -> None:
    for scope in ("orders:read", ["orders:read", "openid"], "openid orders:read", ()):
        client.read_bearer(f"Bearer {jwt}", scope=scope)
    for scope in ("orders:write orders:read", ["orders:write", "orders:read"]):
        error = refusal(client, jwt, scope=scope)
        assert (error.code, error.status) == ("bearer_scope", 403)
        said = client.challenge(error)
        assert 'error="insufficient_scope"' in said
        assert said.endswith('scope="orders:write orders:read"')


def test_nothing_gets_out_of_the_quotes_of_a_challenge() -> None:
    said = challenge(ScopeMissing(['a"b', "c\r\nSet-Cookie: x", "d\\"]), 'sh"op\n张')
    assert said is not None
    assert said.isascii()
    assert said.isprintable()
    assert said.count('"') == 8
    assert "\\" not in said
    assert challenge(LeaseExpired(), "shop") is None
