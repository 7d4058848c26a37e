"""Whole stories over HTTP: a real centre (`sso serve`, two workers, the delivery process) on each store, real sites.

Starting them takes longer than most stories. So one centre and its two sites run for all stories that leave them as
they are (`centre`, `sites`), each with a person of its own; who kills or sets up takes `start_centre`, `start_site`.

The stories of STORIES are told on PostgreSQL as well (`make test-engines`), alone and with the sessions in Redis.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.centre import Centre, Site
from tests.support.services import patient, running_redis

ENGINES = ["sqlite", pytest.param("redis", marks=pytest.mark.redis)]
POSTGRESQL = [
    pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.engines]),
    pytest.param("postgresql+redis", marks=[pytest.mark.postgres, pytest.mark.redis, pytest.mark.engines]),
]
STORIES = ("test_every_reason", "test_hard_times", "test_main_journey", "test_poll", "test_sign_out_scopes")
SHARED_KEY = "the-same-on-every-node-0123456789abcdef0123456789"
StartCentre = Callable[..., Centre]
StartSite = Callable[..., Site]
_numbers = itertools.count(1)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Which engines each story is told on."""
    engines = [*ENGINES, *(POSTGRESQL if metafunc.module.__name__.rpartition(".")[2] in STORIES else [])]
    named = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")]
    for fixture, scope in (("running_centre", "session"), ("start_centre", "function")):
        if fixture in metafunc.fixturenames and fixture not in named:
            chosen = engines if fixture == "running_centre" else engines[:3]  # to start one takes long
            metafunc.parametrize(fixture, chosen, indirect=True, scope=scope)


def _on_postgresql(request: pytest.FixtureRequest) -> dict[str, str]:
    """The settings of a centre with a new database on the session's server; none for another engine."""
    if not request.param.startswith("postgresql"):
        return {}
    return {
        "SSO_DATABASE_URL": request.getfixturevalue("postgres").create_database(),
        "SSO_SECRET_KEY": SHARED_KEY,
    }


@pytest.fixture(scope="session")
def running_centre(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """One for all, on a Redis that nobody empties."""
    directory: Path = tmp_path_factory.mktemp("centre")
    with contextlib.ExitStack() as stack:
        url = patient(stack.enter_context(running_redis(directory))) if request.param.endswith("redis") else ""
        centre = Centre(directory, url, _on_postgresql(request))
        stack.callback(centre.process.stop)
        yield centre.start()


@pytest.fixture(scope="session")
def running_sites(running_centre: Centre) -> Iterator[tuple[Site, Site]]:
    """Two hosts, as two sites are."""
    with contextlib.ExitStack() as stack:
        one, two = (Site(running_centre, name, host=f"site-{name}.localhost") for name in ("one", "two"))
        for site in (one, two):
            stack.callback(site.process.stop)
        yield one.start(), two.start()


@pytest.fixture
def centre(running_centre: Centre) -> Centre:
    """The running one, with an account that no other test knows (`centre.username`)."""
    running_centre.username = f"alice-{next(_numbers)}"
    running_centre.add_user(running_centre.username)
    return running_centre


@pytest.fixture
def sites(centre: Centre, running_sites: tuple[Site, Site]) -> tuple[Site, Site]:
    """Sites one and two of `centre`."""
    return running_sites


@pytest.fixture
def start_centre(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StartCentre]:
    """Starts a centre with alice; settings as keyword arguments (`session_idle=2`)."""
    redis_url = request.getfixturevalue("empty_redis_url") if request.param.endswith("redis") else ""
    started: list[Centre] = []

    def start(**settings: object) -> Centre:
        own = {f"SSO_{k.upper()}": str(v) for k, v in settings.items()}
        centre = Centre(tmp_path, patient(redis_url) if redis_url else "", {**_on_postgresql(request), **own})
        started.append(centre)
        centre.start()
        centre.add_user()
        return centre

    yield start
    for centre in started:
        centre.process.stop()


@pytest.fixture
def start_site() -> Iterator[StartSite]:
    """Starts sites; all of them are stopped at the end."""
    with contextlib.ExitStack() as stack:

        def start(centre: Centre, client_id: str, **options: object) -> Site:
            site = Site(centre, client_id, **options)  # type: ignore[arg-type]
            stack.callback(site.process.stop)
            return site.start()

        yield start
