"""A ticket becomes a local session, or a named error and nothing."""

import time
from urllib.parse import parse_qs, urlsplit

import pytest

from sso_client import SSOClient, SSOError
from sso_client.identifiers import hashed
from tests.support.fake_provider import FOREIGN_KEY, FakeProvider
from tests.support.sdk import MovedClock, Person, new_sid


def test_a_ticket_becomes_a_user_with_a_local_session(client: SSOClient, centre: FakeProvider) -> None:
    centre.profile |= {"groups": ["staff", 7], "email": "alice@example.com", "email_verified": True}
    url, attempt = client.login_url("/deep?x=1")
    query = parse_qs(urlsplit(url).query)
    assert query["code_challenge_method"] == ["S256"]
    assert query["redirect_uri"] == ["http://127.0.0.1:5000/sso/callback"]
    assert query["scope"] == ["openid profile email groups"]
    sid = new_sid()
    sign_in = client.validate_ticket(centre.issue_ticket(url, sid=sid), attempt)
    user = sign_in.user
    assert (user.sub, user.username, user.name, user.groups) == ("usr-alice", "alice", "Alice Example", ("staff",))
    assert user.email_verified is True
    assert user.has_group("staff")
    assert not user.has_group("Staff")
    assert user.is_fresh(300)
    assert not user.is_fresh(300, now_s=time.time() + 301)
    cookie, session = client.open_session(sign_in)
    assert session.sid == sid
    assert client.find_session(cookie).user == user
    assert client.find_session(cookie + "x") is None
    assert client.find_session("") is None


def test_the_cookie_itself_is_not_in_the_store(person: Person, store, tmp_path) -> None:
    cookie, session = person.sign_in()
    store.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert cookie.encode() not in kept
    assert hashed(cookie).encode() in kept
    assert session.cookie_hash == hashed(cookie)


def test_the_token_call_names_the_store_and_proves_the_client(person: Person, centre: FakeProvider, store) -> None:
    person.sign_in()
    headers, body = next((headers, body) for path, headers, body in centre.requests if path == "/token")
    assert parse_qs(body.decode())["store_id"] == [store.store_id]
    assert headers["Authorization"].startswith("Basic ")
    assert centre.client_secret.encode() not in body


def test_a_foreign_provider_is_told_no_store_and_holds_no_lease(
    person: Person, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    centre.leases = False
    cookie, _ = person.sign_in()
    assert b"store_id" not in b"".join(body for _, _, body in centre.requests)
    clock.go(3000)
    centre.down()
    assert client.find_session(cookie) is not None


@pytest.mark.covers(
    "oidcc-client-test-invalid-iss",
    "oidcc-client-test-invalid-aud",
    "oidcc-client-test-missing-sub",
    "oidcc-client-test-missing-iat",
    "oidcc-client-test-nonce-invalid",
)
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"iss": "http://127.0.0.1:1"}, "issuer_mismatch"),
        ({"aud": "another"}, "audience_mismatch"),
        ({"aud": ["shop", "another"]}, "audience_mismatch"),
        ({"aud": ["shop"], "azp": "another"}, "audience_mismatch"),
        ({"sub": None}, "subject_missing"),
        ({"iat": None}, "token_malformed"),
        ({"exp": None}, "token_malformed"),
        ({"exp": 1}, "token_expired"),
        ({"iat": 9_999_999_999}, "token_expired"),
        ({"nonce": "another"}, "nonce_mismatch"),
        ({"nonce": None}, "nonce_mismatch"),
        ({"sid": 7}, "token_malformed"),
        ({"padding": "x" * 16_384}, "token_oversize"),
        ({"sid": None}, "token_malformed"),
    ],
)
def test_a_wrong_id_token_opens_nothing(person: Person, centre: FakeProvider, changes, code: str) -> None:
    centre.id_token_changes = changes
    if changes.get("sub", "") is None:
        centre.profile["sub"] = None
    with pytest.raises(SSOError) as error:
        person.sign_in()
    assert error.value.code == code


def test_an_id_token_signed_by_a_stranger_is_refused(person: Person, centre: FakeProvider) -> None:
    centre.discovery()
    person.sign_in()  # the keys are known now
    centre.ec_key = FOREIGN_KEY
    with pytest.raises(SSOError) as error:
        person.sign_in()
    assert error.value.code == "signature_invalid"


@pytest.mark.covers("oidcc-client-test-userinfo-invalid-sub")
def test_a_profile_of_another_person_is_refused(person: Person, centre: FakeProvider) -> None:
    centre.profile["sub"] = "usr-mallory"
    with pytest.raises(SSOError) as error:
        person.sign_in()
    assert error.value.code == "subject_mismatch"


def test_a_ticket_is_good_for_one_go_and_the_refusal_says_why(client: SSOClient, centre: FakeProvider) -> None:
    url, attempt = client.login_url("/")
    ticket = centre.issue_ticket(url, sid=new_sid())
    client.validate_ticket(ticket, attempt)
    with pytest.raises(SSOError) as error:
        client.validate_ticket(ticket, attempt)
    assert error.value.code == "ticket_used"
    with pytest.raises(SSOError) as error:
        client.validate_ticket("code-tampered", attempt)
    assert error.value.code == "ticket_unknown"


def test_a_wrong_client_secret_is_named_with_its_fix(person: Person, centre: FakeProvider) -> None:
    centre.client_secret = "rotated"
    with pytest.raises(SSOError) as error:
        person.sign_in()
    assert error.value.code == "client_refused"
    assert "SSO_CLIENT_SECRET" in error.value.fix


@pytest.mark.parametrize(("path", "code"), [("/token", "provider_unavailable"), ("/userinfo", "provider_unavailable")])
def test_a_centre_that_is_away_is_a_transient_error(person: Person, centre: FakeProvider, path, code: str) -> None:
    centre.failing[path] = 503
    with pytest.raises(SSOError) as error:
        person.sign_in()
    assert error.value.code == code
    assert error.value.transient


@pytest.mark.covers("line-51")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"iss": ["http://127.0.0.1:1"]}, "issuer_mismatch"),
        ({"iss": []}, "issuer_mismatch"),
        ({"state": ["another"]}, "state_unknown"),
        ({"code": []}, "answer_invalid"),
        ({"code": ["one", "two"]}, "answer_invalid"),
        ({"state": ["one", "two"]}, "answer_invalid"),
        ({"code": [], "error": ["access_denied"]}, "sign_in_refused"),
        ({"code": [], "error": ["temporarily_unavailable"]}, "provider_unavailable"),
    ],
)
def test_a_wrong_answer_in_the_callback_is_refused(client: SSOClient, centre: FakeProvider, changes, code) -> None:
    _, attempt = client.login_url("/")
    good = {"code": ["code-x"], "state": [attempt.state], "iss": [centre.issuer]}
    assert client.read_answer(good, attempt) == "code-x"
    with pytest.raises(SSOError) as error:
        client.read_answer(good | changes, attempt)
    assert error.value.code == code


def test_a_local_session_ends_when_the_centre_says_or_earlier(
    person: Person, client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    centre.leases = False
    centre.session_expires_in = 100
    cookie, _ = person.sign_in()
    clock.go(99)
    assert client.find_session(cookie) is not None
    clock.go(2)
    assert client.find_session(cookie) is None


def test_the_event_log_tells_how_the_person_got_in(client: SSOClient, centre: FakeProvider) -> None:
    for auth_time, how in ((int(time.time()) + 5, "password typed"), (int(time.time()) - 60, "no question asked")):
        url, attempt = client.login_url("/")
        ticket = centre.issue_ticket(url, sid=new_sid(), auth_time=auth_time)
        client.open_session(client.validate_ticket(ticket, attempt))
        newest, before = client.recent_events(2)
        assert newest.text == f"local session opened ({how})"
        assert before.text == "ticket validated with the centre"


def test_a_centre_that_says_when_to_the_millisecond_settles_a_tie(
    client: SSOClient, centre: FakeProvider, clock: MovedClock
) -> None:
    for after_start_ms, how in ((5, "password typed"), (-5, "no question asked")):
        url, attempt = client.login_url("/")
        moment = attempt.started_at_ms + after_start_ms
        centre.token_changes = {"auth_time_ms": moment}
        ticket = centre.issue_ticket(url, sid=new_sid(), auth_time=moment // 1000)
        client.open_session(client.validate_ticket(ticket, attempt))
        assert client.recent_events(1)[0].text == f"local session opened ({how})"
