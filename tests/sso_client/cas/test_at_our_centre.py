"""What a site that signs people in by CAS at our centre takes from the answer, and what it refuses."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from sso_client import SignIn, SSOClient, SSOError, load_settings, open_sqlite_store
from tests.support.fake_cas import FakeCas, failure, success
from tests.support.fake_provider import FakeProvider
from tests.support.sdk import MovedClock

DAY_S = 86_400


@pytest.fixture
def client(centre: FakeProvider, cas: FakeCas, clock: MovedClock, tmp_path: Path) -> Iterator[SSOClient]:
    """At a centre whose CAS server answers what a test wants."""
    given = {"issuer": centre.issuer, "client_id": centre.client_id, "client_secret": centre.client_secret}
    more = {"protocol": "cas", "base_url": "http://localhost", "endpoint_origins": cas.origin}
    settings = load_settings(given | more, environ={})
    centre.discovery_changes = {"cas_server_url": cas.url}
    store = open_sqlite_store(tmp_path / "s.sqlite3", issuer=settings.issuer, client_id=settings.client_id)
    made = SSOClient(settings, store, clock=clock)
    yield made
    made.close()


def sign_in(client: SSOClient, cas: FakeCas, odd: bytes, **asked: int) -> SignIn:
    url, attempt = client.login_url("/", max_age_s=asked.get("max_age_s"))
    ticket = client.read_answer(parse_qs(urlsplit(cas.sign_in(url)).query), attempt)
    cas.odd = odd
    return client.validate_ticket(ticket, attempt)


def answer(clock: MovedClock, **changes: str | None) -> bytes:
    """As our centre answers; None takes an attribute away."""
    good: dict[str, str | None] = {"sub": "usr-1", "sid": "sid-1", "session_expires_in": "3600"}
    told = good | {"auth_time_ms": str(clock.wall_ms() - 600_000)} | changes
    return success("alice", {name: [value] for name, value in told.items() if value is not None})


@pytest.mark.parametrize(("expires_in", "lasts_s"), [("3600", 3600), (str(30 * DAY_S), DAY_S)])
def test_a_local_session_lives_no_longer_than_the_centres_nor_than_the_site_wants(
    expires_in: str, lasts_s: int, client: SSOClient, cas: FakeCas, clock: MovedClock
) -> None:
    found = sign_in(client, cas, answer(clock, session_expires_in=expires_in))
    assert found.until_ms - found.redeemed.wall_ms == lasts_s * 1000
    assert (found.user.sub, found.sid, found.leased, found.asked) == ("usr-1", "sid-1", True, False)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"sub": None}, "cas_answer_invalid"),
        ({"sid": None}, "cas_answer_invalid"),
        ({"sid": ""}, "cas_answer_invalid"),
        ({"session_expires_in": None}, "cas_answer_invalid"),
        ({"auth_time_ms": None}, "cas_answer_invalid"),
        ({"auth_time_ms": "yesterday"}, "cas_answer_invalid"),
        ({"session_expires_in": "0"}, "session_ended"),
    ],
)
def test_an_answer_that_could_not_be_held_to_its_session_signs_nobody_in(
    changes: dict[str, str | None], code: str, client: SSOClient, cas: FakeCas, clock: MovedClock
) -> None:
    with pytest.raises(SSOError) as caught:
        sign_in(client, cas, answer(clock, **changes))
    assert caught.value.code == code


def test_a_password_typed_longer_ago_than_was_asked_for_is_too_old(
    client: SSOClient, cas: FakeCas, clock: MovedClock
) -> None:
    with pytest.raises(SSOError) as caught:
        sign_in(client, cas, answer(clock), max_age_s=60)
    assert caught.value.code == "auth_too_old"
    assert sign_in(client, cas, answer(clock), max_age_s=3600).sid == "sid-1"


def test_a_question_that_the_centre_calls_wrong_is_one_of_id_and_secret(client: SSOClient, cas: FakeCas) -> None:
    with pytest.raises(SSOError) as caught:
        sign_in(client, cas, failure("INVALID_REQUEST"))
    assert caught.value.code == "client_refused"
