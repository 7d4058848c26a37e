"""CAS services beside the sites of the other tests: `notes` (a whole site), `lists` (on this machine)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from sso_server.core.clients import CAS, Client
from tests.fronts.cas.cas_site import LISTS, NOTES, CasSite
from tests.fronts.cas.validating import running
from tests.support.certificates import Authority, make_authority
from tests.support.oidc_site import built_of


def add_service(app: Flask, client_id: str, *services: str, **more: object) -> CasSite:
    client = Client(client_id=client_id, name=client_id.title(), created_at=1, kind=CAS, cas_services=services, **more)
    built = built_of(app)
    assert built.sql.clients.add(client)
    # The directory looks at the store's generation once a second.
    built.services.clients._checked_at = -1000
    return CasSite(app, client_id, services[0])


@pytest.fixture
def notes(app: Flask) -> CasSite:
    """A site with the whole of `https://notes.example.com/`."""
    return add_service(app, "notes", NOTES)


@pytest.fixture
def lists(app: Flask) -> CasSite:
    """A site on this machine, http."""
    return add_service(app, "lists", LISTS)


@pytest.fixture(scope="session")
def shared_app(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """One app for all tests of validation: each module registers services, and each test opens sessions, of its own."""
    with running(prepared, tmp_path_factory.mktemp("cas")) as app:
        yield app


@pytest.fixture(scope="session")
def authority(shared_app: Flask, tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """`shared_app` trusts it when it calls sites, as if the operating system did."""
    made = make_authority(tmp_path_factory.mktemp("authority"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", made.ca_file)
        # Its sender reads the trust store once, for the first address of all; this one it doesn't call.
        assert built_of(shared_app).proxy_caller.call("https://0.0.0.0/", allow_private=False).status is None
    return made
