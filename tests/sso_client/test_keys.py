"""The centre's keys while strangers name keys that nobody knows, and the centre is away."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.api_callers import an_access_token, code_of
from tests.support.fake_provider import FakeProvider
from tests.support.sdk import wait_until

KEYS = "/jwks.json"


@pytest.fixture
def client(either_client: Any) -> Any:
    return either_client


def strange(centre: FakeProvider, number: int) -> str:
    return an_access_token(centre, {"kid": f"of-stranger-{number}"})


def test_who_has_a_known_key_waits_for_no_strangers_and_these_ask_once(
    client, centre: FakeProvider, jwt, clock
) -> None:
    client.read_bearer(f"Bearer {jwt}")
    clock.go(31)
    client.read_bearer(f"Bearer {jwt}")  # the lease is renewed, so that only keys are asked for from here on
    asked_before = centre.calls(KEYS)
    centre.failing[KEYS] = 1.5  # seconds
    with ThreadPoolExecutor(5) as strangers:
        answers = [strangers.submit(code_of, client, strange(centre, number)) for number in range(5)]
        wait_until(lambda: centre.calls(KEYS) > asked_before)
        client.read_bearer(f"Bearer {jwt}")
        assert not any(answer.done() for answer in answers), "a good token came through while they all waited"
        codes = {answer.result() for answer in answers}
    assert codes <= {"bearer_invalid", "key_pending"}
    assert centre.calls(KEYS) == asked_before + 1


def test_asking_in_vain_counts_as_asking(client, centre: FakeProvider, jwt: str, clock) -> None:
    client.read_bearer(f"Bearer {jwt}")
    clock.go(31)
    centre.failing[KEYS] = 503
    asked_before = centre.calls(KEYS)
    codes = [code_of(client, strange(centre, number)) for number in range(3)]
    assert codes == ["provider_unavailable", "key_pending", "key_pending"]
    assert centre.calls(KEYS) == asked_before + 1
    centre.failing.clear()
    clock.go(31)
    centre.kid = "key-of-tomorrow"
    assert client.read_bearer(f"Bearer {an_access_token(centre)}").client_id == "caller"


def test_who_waited_while_another_asked_in_vain_does_not_ask_again(
    client, centre: FakeProvider, jwt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_away(path: str) -> int | None:
        if path != KEYS:
            return None
        time.sleep(1)  # a centre that is away takes its time
        return 503

    monkeypatch.setattr(centre, "take_fault", is_away)
    with ThreadPoolExecutor(6) as callers:
        codes = [answer.result() for answer in [callers.submit(code_of, client, jwt) for _ in range(6)]]
    assert set(codes) == {"provider_unavailable"}
    assert centre.calls(KEYS) <= 2, "one for all, and one for somebody who came late"
