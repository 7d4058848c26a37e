"""A sign-in that nobody could decide is no guess; and when not even that can be written down, it is said as before."""

import pytest

from sso_server.core.errors import Unavailable
from tests.fronts.portal.pages import Browser, Centre


def test_a_guess_that_can_not_be_taken_back_hides_nothing_of_why_nobody_could_sign_in(
    centre: Centre, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    centre.add_user()
    asked: list[str] = []

    def fail(what: str, retry_after_s: int) -> Unavailable:
        asked.append(what)
        return Unavailable(retry_after_s=retry_after_s)

    def no_hash(*_: object) -> bool:
        raise fail("hash", 47)

    def no_refund(*_: object) -> None:
        raise fail("refund", 13)

    monkeypatch.setattr(centre.services.sign_in._hasher, "verify", no_hash)
    monkeypatch.setattr(centre.services.sign_in._guesses, "settle", no_refund)
    page = browser.sign_in("alice")
    assert asked == ["hash", "refund"]
    assert page.status == 503
    assert page.response.headers["Retry-After"] == "47"
