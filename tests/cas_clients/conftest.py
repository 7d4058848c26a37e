"""CAS clients that know nothing of us, configured as docs/cas-clients.md says, against a real centre."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.cas_site import CasSite
from tests.support.centre import Centre
from tests.support.tls_centre import TlsCentre
from tests.support.tls_centre import running_tls_centre as start_tls_centre

_numbers = itertools.count(1)


def add_account(centre: Centre) -> Centre:
    """Somebody whom no other test knows, with a group that XML has to escape."""
    centre.username = f"alice-{next(_numbers)}"
    centre.add_user(centre.username, groups=("staff", "R&D <1>"))
    return centre


@pytest.fixture(scope="module")
def running_centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """One for all stories of a module."""
    with ExitStack() as stack:
        centre = Centre(tmp_path_factory.mktemp("centre"))
        stack.callback(centre.process.stop)
        yield centre.start()


@pytest.fixture
def centre(running_centre: Centre) -> Centre:
    """The running one, with an account that no other test knows (`centre.username`)."""
    return add_account(running_centre)


@pytest.fixture(scope="module")
def wiki(running_centre: Centre, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CasSite]:
    """Flask with python-cas."""
    site = CasSite("wiki", tmp_path_factory.mktemp("wiki"))
    site.write(running_centre.issuer)
    site.register(running_centre)
    with site.running(site.flask("wiki")):
        yield site


@pytest.fixture(scope="module")
def notes(running_centre: Centre, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CasSite]:
    """Flask with flask-cas-ng, told at an address of its own."""
    site = CasSite("notes", tmp_path_factory.mktemp("notes"))
    site.write(running_centre.issuer)
    site.register(running_centre)
    with site.running(site.flask("notes")):
        yield site


@pytest.fixture(scope="module")
def running_tls_centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsCentre]:
    """One for all stories of a module."""
    with start_tls_centre(tmp_path_factory.mktemp("tls")) as running:
        yield running


@pytest.fixture
def tls_centre(running_tls_centre: TlsCentre) -> TlsCentre:
    """The running one, with an account that no other test knows (`tls_centre.centre.username`)."""
    add_account(running_tls_centre.centre)
    return running_tls_centre
