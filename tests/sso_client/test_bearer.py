"""Who may call an API: a JWT is checked here and refused within N of its end, anything else is asked about."""

import base64
import json
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sso_client import Bearer, LeaseExpired, LocalStore, Settings, SSOError
from sso_client.bearer import challenge
from sso_client.errors import ScopeMissing
from sso_client.testing.tokens import Grant
from tests.support.both_clients import KINDS, running_client
from tests.support.fake_provider import FOREIGN_KEY, FakeProvider
from tests.support.sdk import MovedClock, Person, new_sid

SCOPE = "openid groups orders:read"


def changed(value: Any) -> str:
    """A test's name: the same in every process that collects it."""
    return value if isinstance(value, str) else " ".join(value)


@pytest.fixture(params=KINDS)
def client(request: pytest.FixtureRequest, settings: Settings, store: LocalStore, clock: MovedClock) -> Iterator[Any]:
    """A site with an API, at which nobody has ever signed in."""
    with running_client(request.param, settings, store, clock) as made:
        yield made


@pytest.fixture
def go(clock: MovedClock, centre: FakeProvider) -> Callable[[float], None]:
    def pass_s(seconds: float) -> None:
        clock.go(seconds)
        centre.skew_s += seconds

    return pass_s


@pytest.fixture
def grant(centre: FakeProvider) -> Grant:
    """Somebody signed in at another site."""
    session = centre.open_session("usr-alice", {"groups": ["staff"], "preferred_username": "alice"})
    return Grant(session.sid, "usr-alice", SCOPE, session.auth_time)


@pytest.fixture
def jwt(centre: FakeProvider, grant: Grant) -> str:
    centre.access_token = "jwt"
    return centre.new_access_token(grant)


@pytest.fixture
def opaque(centre: FakeProvider, grant: Grant) -> str:
    return centre.new_access_token(grant)


def an_access_token(centre: FakeProvider, header: dict[str, Any] | None = None, key: Any = None, **changes: Any) -> str:
    """A JWT access token with changed claims; a change to None removes one."""
    now_s = int(centre.now_s())
    claims = {
        "iss": centre.issuer,
        "aud": [centre.issuer, centre.client_id],
        "sub": "usr-alice",
        "client_id": "caller",
        "iat": now_s,
        "exp": now_s + 300,
        "jti": secrets.token_hex(8),
        "scope": SCOPE,
        "sid": new_sid(),
    } | changes
    present = {name: value for name, value in claims.items() if value is not None}
    return centre.sign(present, {"typ": "at+jwt"} | (header or {}), key)


def refusal(client: Any, token: str | None, **options: Any) -> SSOError:
    with pytest.raises(SSOError) as raised:
        client.read_bearer(token and f"Bearer {token}", **options)
    return raised.value


def code_of(client: Any, token: str | None, **options: Any) -> str:
    return refusal(client, token, **options).code


def asked(centre: FakeProvider) -> int:
    return centre.calls("/introspect")


# ---------------------------------------------------------------- JWTs


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
    from dataclasses import replace

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
    ],
    ids=changed,
)
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


# ---------------------------------------------------------------- the header


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


# ---------------------------------------------------------------- ended or revoked


@pytest.mark.parametrize("by", ["its session's end", "revocation"])
def test_a_jwt_is_refused_within_n_of(by, client, centre: FakeProvider, grant: Grant, jwt: str, go) -> None:
    assert client.read_bearer(f"Bearer {jwt}").sid == grant.sid
    if by == "revocation":
        centre.revoke(jwt)
    else:
        centre.end(grant.sid)
    go(29)
    client.read_bearer(f"Bearer {jwt}")  # the bound is N: nobody asks at each call
    go(2)
    assert code_of(client, jwt) == "bearer_invalid"
    other = an_access_token(centre, sid=grant.sid if by == "revocation" else None)
    assert client.read_bearer(f"Bearer {other}").client_id == "caller", "only what was ended or revoked is refused"


def test_a_jwt_of_a_session_that_ended_long_ago_is_refused_by_an_api_that_starts_now(
    client, centre: FakeProvider, grant: Grant, jwt: str
) -> None:
    centre.end(grant.sid)
    assert code_of(client, jwt) == "bearer_invalid"
    assert centre.calls("/check-in") == 1


def test_an_api_that_is_cut_off_admits_nobody_beyond_n(client, centre: FakeProvider, grant: Grant, jwt, go) -> None:
    client.read_bearer(f"Bearer {jwt}")
    centre.failing["/check-in"] = "hang up"
    centre.end(grant.sid)
    go(59)
    client.read_bearer(f"Bearer {jwt}")
    go(2)
    error = refusal(client, jwt)
    assert isinstance(error, LeaseExpired)
    assert (error.status, error.retry_after_s > 0, client.challenge(error)) == (503, True, None)
    centre.failing.clear()
    go(1)
    assert code_of(client, jwt) == "bearer_invalid"


def test_a_list_that_was_cut_confirms_nobody(client, centre: FakeProvider, jwt: str, go) -> None:
    client.read_bearer(f"Bearer {jwt}")
    centre.check_in_changes = {"more": True}
    go(61)
    assert code_of(client, jwt) == "lease_expired"
    centre.check_in_changes = {}
    go(1)
    client.read_bearer(f"Bearer {jwt}")


def test_the_sites_own_grace_covers_its_api(client, centre: FakeProvider, jwt: str, go) -> None:
    centre.grace_s = 30
    client.read_bearer(f"Bearer {jwt}")
    centre.down()
    go(85)
    client.read_bearer(f"Bearer {jwt}")
    go(10)
    assert code_of(client, jwt) == "lease_expired"


def test_calls_and_sessions_share_one_lease(client, person: Person, centre: FakeProvider, jwt: str) -> None:
    cookie, _ = person.sign_in()
    client.find_session(cookie)
    client.read_bearer(f"Bearer {jwt}")
    assert centre.calls("/check-in") == 1


def test_nobody_is_called_invalid_while_nobody_can_tell(client, centre: FakeProvider, jwt: str, opaque, clock) -> None:
    centre.down()
    for token in (jwt, "at-opaque"):
        error = refusal(client, token)
        assert (error.status, client.challenge(error)) == (503, None)
    centre.up()
    clock.go(1)
    assert client.read_bearer(f"Bearer {jwt}").user.sub == "usr-alice"
    unknown = an_access_token(centre, {"kid": "of tomorrow"})
    assert code_of(client, unknown) == "key_pending", "keys are not fetched again for everybody who asks"


def test_where_the_centre_keeps_no_list_a_jwt_is_asked_about(client, centre: FakeProvider, grant, jwt: str, go) -> None:
    centre.check_in_changes = {"denied_to": None}
    assert client.read_bearer(f"Bearer {jwt}").sid == grant.sid
    assert asked(centre) == 1
    centre.end(grant.sid)
    go(2)
    assert code_of(client, jwt) == "bearer_invalid"


def test_a_foreign_provider_is_asked_or_leaves_a_jwt_good_until_it_expires(
    client, centre: FakeProvider, grant, jwt: str, go
) -> None:
    centre.leases = False
    assert client.read_bearer(f"Bearer {jwt}").sid == grant.sid
    assert asked(centre) == 1
    centre.end(grant.sid)
    go(2)
    assert code_of(client, jwt) == "bearer_invalid"
    centre.discovery_changes = {"introspection_endpoint": None}
    go(601)
    late = an_access_token(centre, sid=grant.sid)
    assert client.read_bearer(f"Bearer {late}").sid == grant.sid, "no bound is promised there"
    assert code_of(client, "at-opaque") == "bearer_invalid"
    assert asked(centre) == 2


def test_a_centre_that_hides_its_check_in_lifts_nobodys_lease(client, centre: FakeProvider, jwt: str, go) -> None:
    client.read_bearer(f"Bearer {jwt}")
    centre.access_token_s = 3600
    centre.leases = False
    go(601)
    centre.failing["/check-in"] = 503
    assert code_of(client, an_access_token(centre)) == "lease_expired"


# ---------------------------------------------------------------- opaque tokens


def test_an_opaque_token_is_asked_about_and_the_answer_kept_for_a_moment(
    client, centre: FakeProvider, grant: Grant, opaque: str, go
) -> None:
    bearer = client.read_bearer(f"Bearer {opaque}", scope="orders:read")
    assert (bearer.user.sub, bearer.user.username, bearer.user.groups) == ("usr-alice", "alice", ("staff",))
    assert (bearer.client_id, bearer.scope, bearer.sid) == (centre.client_id, tuple(SCOPE.split()), grant.sid)
    assert client.read_bearer(f"Bearer {opaque}") == bearer
    assert asked(centre) == 1
    centre.end(grant.sid)
    go(2)
    assert code_of(client, opaque) == "bearer_invalid"
    assert asked(centre) == 2


def test_a_kept_answer_does_not_outlive_the_token(client, centre: FakeProvider, grant: Grant, go) -> None:
    centre.access_token_s = 1
    token = centre.new_access_token(grant)
    client.read_bearer(f"Bearer {token}")
    go(1.1)
    assert code_of(client, token) == "bearer_invalid"


def test_a_refusal_is_never_kept(client, centre: FakeProvider, grant: Grant, opaque: str) -> None:
    known = centre.tokens.access.pop(opaque)
    assert code_of(client, opaque) == "bearer_invalid"
    centre.tokens.access[opaque] = known
    assert client.read_bearer(f"Bearer {opaque}").sid == grant.sid


@pytest.mark.parametrize(
    "changes",
    [
        {"token_type": None},
        {"token_type": "refresh_token"},
        {"iss": "https://elsewhere.example"},
        {"aud": None},
        {"aud": "another"},
        {"exp": None},
        {"exp": 1000},
        {"nbf": 10**11},
        {"sub": None},
        {"sub": ""},
        {"client_id": None},
        {"username": "\ud800"},
    ],
    ids=changed,
)
def test_an_answer_that_says_anything_else_admits_nobody(changes, client, centre: FakeProvider, opaque: str) -> None:
    centre.introspection_changes = changes
    assert code_of(client, opaque) == "bearer_invalid"
    centre.introspection_changes = {}


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (503, "provider_unavailable"),
        (404, "provider_unavailable"),
        ("hang up", "provider_unreachable"),
        (401, "client_refused"),
        (403, "client_refused"),
    ],
)
def test_a_question_that_fails_is_no_answer(fault, code, client, centre: FakeProvider, opaque: str) -> None:
    centre.failing["/introspect"] = fault
    assert code_of(client, opaque) == code


def test_few_answers_are_kept_however_many_tokens_come(client, centre: FakeProvider, grant, monkeypatch) -> None:
    monkeypatch.setattr("sso_client.introspection._MOST_REMEMBERED", 3)
    tokens = [centre.new_access_token(grant) for _ in range(5)]
    for token in tokens:
        client.read_bearer(f"Bearer {token}")
    client.read_bearer(f"Bearer {tokens[-1]}")
    assert asked(centre) == 5
    client.read_bearer(f"Bearer {tokens[0]}")
    assert asked(centre) == 6
