"""The first administrator: one link, once, for thirty minutes."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from sso_server.core import setup
from sso_server.core.errors import Unavailable
from tests.fronts.portal.pages import PASSWORD, Browser, Centre


@pytest.fixture
def link(centre: Centre) -> str:
    here = centre.services
    return "/setup?token=" + setup.issue(here.one_time, here.randomness, here.clock, first_only=True)


def fill_in(browser: Browser, link: str, **fields: str) -> object:
    given = {"username": "root", "new": PASSWORD, "repeat": PASSWORD, **fields}
    return browser.submit(browser.get(link), "/setup", **given)


def test_the_link_makes_an_administrator_and_signs_them_in(centre: Centre, browser: Browser, link: str) -> None:
    page = fill_in(browser, link, name="Ada")
    assert page.location == "/sessions?done=setup"
    assert "You are an administrator." in browser.get(page.location).text
    user = centre.services.accounts.get("root")
    assert (user.is_admin, user.name) == (True, "Ada")


def test_without_a_link_there_is_no_such_page(browser: Browser, link: str) -> None:
    for path in ("/setup", "/setup?token=", "/setup?token=guessed", link[:-1], "/setup?token=" + "x" * 5000):
        assert browser.get(path).status == 404


def test_looking_does_not_spend_the_link_and_using_it_does(browser: Browser, link: str) -> None:
    assert browser.get(link).status == browser.get(link).status == 200
    old = browser.get(link)
    fill_in(browser, link)
    assert browser.get(link).status == 404
    assert browser.submit(old, "/setup", username="second", new=PASSWORD, repeat=PASSWORD).status == 404


def test_of_many_at_the_same_moment_exactly_one_becomes_administrator(centre: Centre, link: str) -> None:
    browsers = [centre.browser() for _ in range(4)]
    pages = [browser.get(link) for browser in browsers]

    def use(number: int) -> int:
        fields = {"username": f"root{number}", "new": PASSWORD, "repeat": PASSWORD}
        return browsers[number].submit(pages[number], "/setup", **fields).status

    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(pool.map(use, range(4)))
    assert statuses == [303, 404, 404, 404]
    assert len(centre.services.users.list_users(10, admins_only=True)) == 1


def test_after_thirty_minutes_the_link_is_over(centre: Centre, link: str) -> None:
    here = centre.services
    token = link.split("=", 1)[1]

    class Later:
        def __init__(self, minutes: float) -> None:
            self.at = here.clock.now() + int(minutes * 60_000)

        def now(self) -> int:
            return self.at

    assert setup.is_valid(token, here.one_time, here.users, Later(29.9))
    assert not setup.is_valid(token, here.one_time, here.users, Later(30.1))
    assert setup.redeem(token, lambda: pytest.fail("made"), here.one_time, here.users, Later(30.1)) is None


def test_an_administrator_made_otherwise_ends_the_link_of_the_start(
    centre: Centre, browser: Browser, link: str
) -> None:
    page = browser.get(link)
    centre.services.accounts.add("root", PASSWORD, is_admin=True, actor="test")
    assert browser.get(link).status == 404
    assert browser.submit(page, "/setup", username="second", new=PASSWORD, repeat=PASSWORD).status == 404
    assert len(centre.services.users.list_users(10, admins_only=True)) == 1


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"username": "no spaces"}, "without spaces or slashes"),
        ({"username": "alice"}, "This user name is taken."),
        ({"new": "short"}, "at least 8 characters"),
        ({"repeat": "something else"}, "The two new passwords differ."),
    ],
)
def test_a_mistake_costs_neither_the_link_nor_what_was_typed(
    centre: Centre, browser: Browser, link: str, fields: dict[str, str], sentence: str
) -> None:
    centre.add_user()
    page = fill_in(browser, link, name="Ada", **fields)
    assert page.status == 400
    assert sentence in page.text
    assert 'value="Ada"' in page.field("name")
    assert fill_in(browser, link).status == 303


def test_a_busy_hasher_does_not_cost_the_link(
    centre: Centre, browser: Browser, link: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object, **__: object) -> None:
        raise Unavailable

    with monkeypatch.context() as patched:
        patched.setattr(type(centre.services.accounts), "add", busy)
        assert fill_in(browser, link).status == 503
    assert fill_in(browser, link).status == 303
