"""Sites that sign people in at another CAS server: in four frameworks, and one client without any."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sso_client import LocalStore, Settings, SSOClient, load_settings, open_sqlite_store
from tests.support.all_sites import FRAMEWORKS, AnySite, Making, Visitor
from tests.support.fake_cas import FakeCas
from tests.support.fake_provider import FakeProvider
from tests.support.sdk import MovedClock

BASE_URL = "http://localhost"


@pytest.fixture
def cas() -> Iterator[FakeCas]:
    with FakeCas({"displayName": ["Alice Example"], "mail": ["alice@example.org"], "memberOf": ["staff"]}) as server:
        yield server


@pytest.fixture
def settings(cas: FakeCas) -> Settings:
    return load_settings({"cas_url": cas.url, "base_url": BASE_URL}, environ={})


@pytest.fixture
def store(settings: Settings, tmp_path: Path) -> Iterator[LocalStore]:
    opened = open_sqlite_store(tmp_path / "sso.sqlite3", issuer=settings.issuer, client_id=settings.client_id)
    yield opened
    opened.close()


@pytest.fixture
def client(settings: Settings, store: LocalStore, clock: MovedClock) -> Iterator[SSOClient]:
    made = SSOClient(settings, store, clock=clock)
    yield made
    made.close()


@pytest.fixture(params=FRAMEWORKS)
def framework(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make(
    framework: str,
    request: pytest.FixtureRequest,
    cas: FakeCas,
    centre: FakeProvider,
    clock: MovedClock,
    tmp_path: Path,
) -> Iterator[Callable[..., AnySite]]:
    """Sites with other options, in the same framework."""
    django = request.getfixturevalue("django_sites") if framework == "django" else None
    settings = {"issuer": None, "client_id": None, "client_secret": None, "cas_url": cas.url, "base_url": BASE_URL}
    with ExitStack() as stack:
        making = Making(centre, clock, tmp_path / "sso-data", stack, django, settings)
        yield lambda **options: making.make(framework, **options)


@pytest.fixture
def site(make: Callable[..., AnySite]) -> AnySite:
    return make()


@pytest.fixture
def alice(site: AnySite) -> Visitor:
    """Somebody who has never been here."""
    return site.visitor()
