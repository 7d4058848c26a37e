"""The SDK's calls end with their deadline, however the answer comes in."""

from time import monotonic

import anyio
import pytest

from sso_client import SSOError
from sso_client.async_http import AsyncHttp
from sso_client.driving import drive
from sso_client.http import Http
from tests.support.fake_provider import FakeProvider

PATH = "/.well-known/openid-configuration"


@pytest.mark.parametrize("fault", ["drip headers", "drip body"])
def test_an_answer_that_drips_in_is_given_up_at_the_deadline(fault: str, centre: FakeProvider) -> None:
    centre.failing[PATH] = fault
    http = Http()
    started = monotonic()
    with pytest.raises(SSOError) as error:
        drive(http.get(centre.issuer + PATH, total_s=1.0))
    assert monotonic() - started < 6
    assert error.value.code == "provider_unreachable"
    centre.failing.clear()
    assert drive(http.get(centre.issuer + PATH, total_s=5.0)).status == 200
    drive(http.close())


def test_a_connection_serves_several_calls_each_with_its_own_deadline(centre: FakeProvider) -> None:
    http = Http()
    centre.failing[PATH] = 0.6
    assert [drive(http.get(centre.issuer + PATH, total_s=1.0 + later)).status for later in (0, 4, 4)] == [200] * 3
    assert len(set(centre.peers)) == 1
    drive(http.close())


def test_one_event_loop_keeps_its_connection_and_another_has_its_own(centre: FakeProvider) -> None:
    http = AsyncHttp()

    async def call_twice() -> None:
        assert [(await http.get(centre.issuer + PATH)).status for _ in range(2)] == [200, 200]
        await http.close()

    anyio.run(call_twice)
    assert len(set(centre.peers)) == 1
    anyio.run(call_twice)
    assert len(set(centre.peers)) == 2
