"""What `/readyz` and `sso check` say about a PostgreSQL that can't keep the promise, or soon won't work."""

import psycopg
import pytest

from sso_server.stores.sql import SqlStores, migrate
from tests.support.postgres import running_postgres, running_standby

pytestmark = [pytest.mark.postgres, pytest.mark.engines]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running_postgres(tmp_path_factory.mktemp("health"), max_connections="20") as server:
        yield server


@pytest.fixture
def url(server):
    url = server.create_database()
    migrate.upgrade(url)
    return url


@pytest.fixture
def stores(url):
    stores = SqlStores.open(url)
    yield stores
    stores.close()


def said(stores):
    return " ".join(stores.health.problems())


def test_a_server_as_it_comes_is_fine(stores):
    assert stores.health.problems() == []


@pytest.mark.parametrize("setting", ["fsync", "synchronous_commit", "full_page_writes"])
def test_what_loses_or_corrupts_at_a_crash_is_named(server, url, setting):
    server.configure(**{setting: "off"})
    stores = SqlStores.open(url)
    try:
        assert f"{setting} = off" in said(stores)
    finally:
        server.configure(**{setting: "on"})
        stores.close()


def test_standbys_that_nobody_waits_for_are_named(server, stores, tmp_path):
    with running_standby(server, tmp_path):
        assert "waits for none of them" in said(stores)
        server.configure(synchronous_standby_names="walreceiver")
        try:
            stores.close()
            assert said(stores) == ""
        finally:
            server.configure(synchronous_standby_names="")


def test_connections_that_run_out_are_named_before_they_have(server, stores):
    assert said(stores) == ""
    others = [psycopg.connect(server.admin_url()) for _ in range(15)]
    try:
        # The server counts its backends now and then.
        assert "of PostgreSQL's 17 connections are taken" in said(stores)
    finally:
        for other in others:
            other.close()
