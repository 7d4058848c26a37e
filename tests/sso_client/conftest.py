"""What the SDK's tests share: a centre on a real socket, a clock to move, a store on disk, a client, a Flask site."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask

from sso_client import LocalStore, Settings, SSOClient, open_sqlite_store
from sso_client.flask import SSO, current_user
from sso_client.testing.tokens import Grant
from tests.support.api_callers import SCOPE
from tests.support.both_clients import KINDS, running_client
from tests.support.fake_provider import FakeProvider
from tests.support.sdk import MovedClock, Person, StillClock

if TYPE_CHECKING:
    from tests.support.django_site import Browser as DjangoBrowser
    from tests.support.django_site import DjangoSites
    from tests.support.examined import RealCentre, Shop


@pytest.fixture
def centre() -> Iterator[FakeProvider]:
    provider = FakeProvider()
    provider.up()
    yield provider
    provider.down()


#: Where a story comes within a second or two of what ends a lease, a token, a rest or an answer that is kept.
TO_THE_SECOND = (
    "test_access_tokens", "test_apis", "test_bearer_ends", "test_bearer_opaque", "test_check_in", "test_discovery",
    "test_lease", "test_sign_in",
)  # fmt: skip


@pytest.fixture
def clock(request: pytest.FixtureRequest) -> MovedClock:
    stands_still = request.module.__name__.rpartition(".")[2] in TO_THE_SECOND
    return StillClock() if stands_still else MovedClock()


@pytest.fixture
def settings(centre: FakeProvider) -> Settings:
    return Settings(centre.issuer, centre.client_id, centre.client_secret, base_url="http://127.0.0.1:5000")


@pytest.fixture
def store(settings: Settings, tmp_path: Path) -> Iterator[LocalStore]:
    opened = open_sqlite_store(tmp_path / "sso.sqlite3", issuer=settings.issuer, client_id=settings.client_id)
    yield opened
    opened.close()


#: Where the story is told of both clients, the blocking one and the one for event loops.
OF_BOTH_CLIENTS = ("test_sign_in", "test_sign_out", "test_logout_calls", "test_lease", "test_check_in")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.module.__name__.rpartition(".")[2] in OF_BOTH_CLIENTS and "client" in metafunc.fixturenames:
        metafunc.parametrize("client", KINDS, indirect=True)


@pytest.fixture
def client(
    request: pytest.FixtureRequest, settings: Settings, store: LocalStore, clock: MovedClock
) -> Iterator[SSOClient]:
    with running_client(getattr(request, "param", "blocking"), settings, store, clock) as made:
        yield made


@pytest.fixture
def person(client: SSOClient, centre: FakeProvider) -> Person:
    return Person(client, centre)


@pytest.fixture
def make_site(centre: FakeProvider, tmp_path: Path, clock: MovedClock) -> Iterator[Callable[..., Flask]]:
    """Flask sites, guarded with the seven lines."""
    made: list[SSOClient] = []

    def make(**options: Any) -> Flask:
        app = Flask(f"site{len(made)}", instance_path=str(tmp_path / f"instance{len(made)}"))
        given = {"issuer": centre.issuer, "client_id": centre.client_id, "client_secret": centre.client_secret}
        sso = SSO(app, clock=clock, **(given | options))

        @app.get("/")
        @sso.login_required
        def home() -> str:
            return f"Hi {current_user.name}"

        @app.get("/deep/<path:rest>")
        @sso.login_required()
        def deep(rest: str) -> str:
            return f"deep {rest}"

        @app.get("/staff")
        @sso.login_required(groups=["staff"])
        def staff() -> str:
            return "staff only"

        @app.post("/order")
        @sso.login_required
        def order() -> str:
            return "ordered"

        @app.get("/open")
        def open_page() -> str:
            return f"{current_user.is_authenticated} {bool(current_user)} {current_user.name}"

        made.append(app.extensions["sso_client"].client)
        return app

    yield make
    for client in made:
        client.close()


@pytest.fixture
def site(make_site: Callable[..., Flask]) -> Flask:
    return make_site()


@pytest.fixture(scope="session")
def real_centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator["RealCentre"]:
    """The whole centre on a socket of this process, for the doctor's tests."""
    from tests.support.examined import RealCentre, serving

    made = RealCentre(tmp_path_factory.mktemp("centre"))
    with serving(made.app, made.port):
        yield made
    made.close()


@pytest.fixture
def shop(real_centre: "RealCentre", tmp_path: Path) -> Iterator["Shop"]:
    """Sites of the one client of that centre, and the doctor at them."""
    from tests.support.examined import Shop

    with ExitStack() as stack:
        yield Shop(real_centre, tmp_path, stack)


@pytest.fixture(scope="session")
def django_ready(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Django with its database: its settings are one for each process."""
    from tests.support.django_site import configure

    configure(tmp_path_factory.mktemp("django"))


@pytest.fixture
def django_sites(
    django_ready: None, centre: FakeProvider, clock: MovedClock, tmp_path: Path
) -> Iterator["DjangoSites"]:
    from tests.support.django_site import django_sites

    yield from django_sites(centre, clock, tmp_path)


@pytest.fixture
def at_django(django_sites: "DjangoSites") -> "DjangoBrowser":
    """A browser at the Django site with its plain settings."""
    return django_sites.browser()


@pytest.fixture(params=KINDS)
def either_client(
    request: pytest.FixtureRequest, settings: Settings, store: LocalStore, clock: MovedClock
) -> Iterator[Any]:
    """The blocking client and the one for event loops, at the same verbs."""
    with running_client(request.param, settings, store, clock) as made:
        yield made


@pytest.fixture
def go(clock: MovedClock, centre: FakeProvider) -> Callable[[float], None]:
    """Let time pass at the site and at the centre."""

    def pass_s(seconds: float) -> None:
        clock.go(seconds)
        centre.skew_s += seconds

    return pass_s


@pytest.fixture
def grant(centre: FakeProvider) -> Grant:
    """Somebody signed in at another site."""
    session = centre.open_session("usr-alice", {"groups": ["staff"], "preferred_username": "alice"})
    return Grant(session.sid, "usr-alice", SCOPE, session.auth_time)


@pytest.fixture
def jwt(centre: FakeProvider, grant: Grant) -> str:
    centre.access_token = "jwt"
    return centre.new_access_token(grant)


@pytest.fixture
def opaque(centre: FakeProvider, grant: Grant) -> str:
    return centre.new_access_token(grant)
