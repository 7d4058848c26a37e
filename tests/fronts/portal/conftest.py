"""A fresh centre for each test; the database is migrated once."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sso_server import config
from sso_server.core.client_metadata import ClientMetadata
from sso_server.core.clients import Client
from sso_server.core.users import User
from sso_server.stores.sql import migrate
from tests.fronts.portal.pages import Browser, Centre, open_centre
from tests.fronts.portal.shown import Shown
from tests.support.chromium import ARGUMENTS
from tests.support.services import find_chromium


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("migrated")
    settings = config.load({}, data_dir=directory)
    migrate.upgrade(settings.sql_url)
    return directory / "lockstep.sqlite3"


@pytest.fixture
def open_with(tmp_path: Path, migrated: Path) -> Iterator[Callable[..., Centre]]:
    """Open centres with settings of their own."""
    opened: list[Centre] = []

    def open_one(**settings: Any) -> Centre:
        opened.append(open_centre(tmp_path / f"centre{len(opened)}", migrated, **settings))
        return opened[-1]

    yield open_one
    for centre in opened:
        centre.built.close()


@pytest.fixture
def centre(open_with: Callable[..., Centre]) -> Centre:
    return open_with()


@pytest.fixture
def browser(centre: Centre) -> Browser:
    return centre.browser()


@pytest.fixture
def alice(centre: Centre) -> User:
    return centre.add_user()


@pytest.fixture
def photos(centre: Centre) -> Client:
    """A third party's."""
    return centre.add_site("photos", "Photos", metadata=ClientMetadata(third_party=True))


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Shown]:
    site = Shown(open_centre(tmp_path_factory.mktemp("looks") / "centre", migrated))
    yield site
    site.close()


@pytest.fixture(scope="module")
def playwright() -> Iterator[Any]:
    """There can't be two of it in a process."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def chromium(playwright: Any) -> Iterator[Any]:
    browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
    yield browser
    browser.close()
