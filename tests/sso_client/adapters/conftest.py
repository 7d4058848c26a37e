"""One fixture for four frameworks: whatever is said of `site` in this folder holds in each of them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.all_sites import FRAMEWORKS, AnySite, Making, Visitor
from tests.support.fake_provider import FakeProvider
from tests.support.sdk import MovedClock


@pytest.fixture(params=FRAMEWORKS)
def framework(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make(
    framework: str, request: pytest.FixtureRequest, centre: FakeProvider, clock: MovedClock, tmp_path: Path
) -> Iterator[Callable[..., AnySite]]:
    """Sites with other options, in the same framework."""
    django = request.getfixturevalue("django_sites") if framework == "django" else None
    with ExitStack() as stack:
        making = Making(centre, clock, tmp_path / "sso-data", stack, django)
        yield lambda **options: making.make(framework, **options)


@pytest.fixture
def site(make: Callable[..., AnySite]) -> AnySite:
    return make()


@pytest.fixture
def alice(site: AnySite) -> Visitor:
    """Somebody who has never been here."""
    return site.visitor()
