"""The secret key is exchanged with overlap: what was sealed or signed under the older one is good under the new one."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from sso_server.app import create_app
from tests.fronts.conftest import settings_in
from tests.support.oidc_site import ISSUER, PASSWORD, built_of
from tests.support.saved_work import small_hashes

OLD, NEW = "k" * 40, "n" * 40


class Browser:
    """A client whose requests any app may answer."""

    def __init__(self, directory: Path) -> None:
        with small_hashes():
            self._apps = {key: create_app(settings_in(directory, secret_key=key)) for key in (OLD, f"{NEW},{OLD}", NEW)}
        self._client = FlaskClient(self._apps[OLD], self._apps[OLD].response_class)

    def get(self, key: str) -> str:
        self._client.application = self._apps[key]
        return self._client.get("/sessions", base_url=ISSUER, follow_redirects=True).text

    def post(self, key: str, page: str) -> str:
        self._client.application = self._apps[key]
        fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page))
        data = {**fields, "username": "alice", "password": PASSWORD}
        origin = {"Origin": ISSUER}
        return self._client.post("/sign-in", data=data, base_url=ISSUER, headers=origin, follow_redirects=True).text

    def close(self) -> None:
        for app in self._apps.values():
            built_of(app).close()


@pytest.fixture
def browser(prepared: Path, tmp_path: Path) -> Iterator[Browser]:
    shutil.copytree(prepared, tmp_path / "data")
    made = Browser(tmp_path / "data")
    yield made
    made.close()


@pytest.mark.parametrize(
    ("opened", "sent"), [(OLD, OLD), (OLD, f"{NEW},{OLD}"), (f"{NEW},{OLD}", f"{NEW},{OLD}"), (f"{NEW},{OLD}", NEW)]
)
def test_a_form_is_taken_by_whoever_knows_the_secret_it_was_opened_under(
    browser: Browser, opened: str, sent: str
) -> None:
    page = browser.get(opened)
    assert 'name="password"' in page
    assert 'name="password"' not in browser.post(sent, page)


def test_after_the_older_secret_is_gone_its_forms_are_shown_anew_and_people_stay_signed_in(browser: Browser) -> None:
    page = browser.get(OLD)
    again = browser.post(NEW, page)
    assert 'value="alice"' in again
    assert 'name="password"' not in browser.post(NEW, again)
    assert 'name="password"' not in browser.get(OLD), "a session is tied to no secret"
