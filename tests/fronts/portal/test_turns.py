"""A crowd at the sign-in page: one computes, the others wait for it, and no other request does."""

import threading
from collections.abc import Callable

import pytest

from sso_server.crypto.passwords import Argon2Hasher
from tests.fronts.portal.pages import Browser, Centre, Page


def in_a_thread(ask: Callable[[], Page]) -> tuple[threading.Event, list[Page]]:
    pages: list[Page] = []
    answered = threading.Event()

    def work() -> None:
        pages.append(ask())
        answered.set()

    threading.Thread(target=work, daemon=True).start()
    return answered, pages


def test_the_page_waits_for_its_turn_and_everything_else_is_answered(centre: Centre, browser: Browser) -> None:
    centre.services.turns._wait_s = 60
    centre.services.turns.take()
    answered, pages = in_a_thread(lambda: browser.get("/sign-in"))
    assert not answered.wait(0.2)
    assert centre.browser().get("/healthz").status == 200
    centre.services.turns.give_back()
    assert answered.wait(10)
    assert pages[0].status == 200


def test_a_form_whose_token_is_lost_waits_for_its_turn_and_gives_it_back(centre: Centre) -> None:
    centre.services.turns._wait_s = 60
    centre.services.turns.take()
    answered, pages = in_a_thread(lambda: centre.browser().post("/sign-in", username="alice"))
    assert not answered.wait(0.2)
    centre.services.turns.give_back()
    assert answered.wait(10)
    assert pages[0].status == 400
    other, _ = in_a_thread(lambda: centre.browser().get("/sign-in"))
    assert other.wait(10), "before anybody would go on without a turn"


def test_nobody_waits_for_a_turn_while_a_password_is_hashed(
    centre: Centre, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    centre.add_user()
    centre.services.turns._wait_s = 60
    hashing, go_on = threading.Event(), threading.Event()
    verify = Argon2Hasher._verify

    def slow(*args: object) -> bool:
        hashing.set()
        assert go_on.wait(20)
        return verify(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(Argon2Hasher, "_verify", slow)
    answered, pages = in_a_thread(lambda: browser.sign_in("alice"))
    assert hashing.wait(10)
    other, _ = in_a_thread(lambda: centre.browser().get("/sign-in"))
    assert other.wait(10), "before anybody would go on without a turn"
    assert not answered.is_set()
    go_on.set()
    assert answered.wait(10)
    assert pages[0].status == 303


def test_a_page_that_fails_keeps_nobody_waiting(centre: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> str:
        raise RuntimeError

    centre.services.turns._wait_s = 60
    with monkeypatch.context() as now:
        now.setattr("sso_server.fronts.portal.sign_in.render_template", broken)
        assert centre.browser().get("/sign-in").status == 500
    other, _ = in_a_thread(lambda: centre.browser().get("/sign-in"))
    assert other.wait(10), "before anybody would go on without a turn"
