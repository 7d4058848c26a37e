"""Whole stories over HTTP: a real centre (`sso serve`, two workers, the delivery process) on each store, real sites.

Starting them takes longer than most stories. So one centre and its two sites run for all stories that leave them as
they are (`centre`, `sites`), each with a person of its own; who kills or sets up takes `start_centre`, `start_site`.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.centre import Centre, Site
from tests.support.services import running_redis

ENGINES = ["sqlite", pytest.param("redis", marks=pytest.mark.redis)]
StartCentre = Callable[..., Centre]
StartSite = Callable[..., Site]
_numbers = itertools.count(1)


@pytest.fixture(scope="session", params=ENGINES)
def running_centre(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """One for all, on a Redis that nobody empties."""
    directory: Path = tmp_path_factory.mktemp("centre")
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(running_redis(directory)) if request.param == "redis" else ""
        centre = Centre(directory, url)
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


@pytest.fixture(params=ENGINES)
def start_centre(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StartCentre]:
    """Starts a centre with alice; settings as keyword arguments (`session_idle=2`)."""
    redis_url = request.getfixturevalue("empty_redis_url") if request.param == "redis" else ""
    started: list[Centre] = []

    def start(**settings: object) -> Centre:
        centre = Centre(tmp_path, redis_url, {f"SSO_{k.upper()}": str(v) for k, v in settings.items()})
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
