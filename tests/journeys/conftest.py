"""Whole stories over HTTP: a real centre (`sso serve`, two workers, the delivery process) on each store, real sites."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.centre import Centre, Site

StartCentre = Callable[..., Centre]
StartSite = Callable[..., Site]


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.redis)])
def start_centre(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StartCentre]:
    """Starts a centre with alice and bob; settings as keyword arguments (`session_idle=2`)."""
    redis_url = request.getfixturevalue("empty_redis_url") if request.param == "redis" else ""
    started: list[Centre] = []

    def start(**settings: object) -> Centre:
        centre = Centre(tmp_path, redis_url, {f"SSO_{k.upper()}": str(v) for k, v in settings.items()})
        started.append(centre)
        centre.start()
        centre.add_user("alice", "Alice Liddell")
        centre.add_user("bob", "Bob Dodgson")
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
