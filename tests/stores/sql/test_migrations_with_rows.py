"""Every revision of the schema, taken back and taken again over a database in which somebody has lived."""

import os
import secrets
import signal
import subprocess
import sys
import time
from dataclasses import replace

import psycopg
import pytest
from sqlalchemy import inspect, text

from sso_server.core.clients import Client, site_client
from sso_server.core.errors import Refused
from sso_server.core.tokens import FoundToken
from sso_server.stores.sql import SqlStores, migrate
from sso_server.stores.sql.engine import Database
from tests.support.builders import NOW, a_redemption, a_report, a_result, identifier, issued, opened, registered
from tests.support.engines import params
from tests.support.postgres import PASSWORD


@pytest.fixture(params=params(["sqlite", "postgresql"]))
def url(request, tmp_path):
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'lockstep.db'}"
    return request.getfixturevalue("postgres").create_database()


@pytest.fixture
def postgres_url(postgres):
    return postgres.create_database()


def on_postgres(test):
    return pytest.mark.postgres(pytest.mark.engines(test))


def live_a_little(url):
    """A session with a site, a ticket redeemed and one not, tokens, an end that is told, an account, a client."""
    stores = SqlStores.open(url)
    session = opened(stores)
    ticket = issued(stores, session)
    redemption = a_redemption(ticket)
    assert stores.tickets.redeem(redemption, NOW).refusal is None
    issued(stores, session)
    service_ticket = identifier("ST", 7)
    registered(stores, session, "wiki", store_id=service_ticket, kind="cas", access=None, refresh=None)
    over = opened(stores)
    registered(stores, over)
    stores.sessions.end(over.sid, "sign_out", NOW + 1)
    stores.check_ins.check_in(a_report("store-1"), NOW + 1, 10)
    assert stores.health.store_time()
    stores.close()
    return session.sid, redemption.access.token_hash


def counts(url):
    """How many rows each table has, apart from Alembic's own."""
    database = Database(url)
    with database.read() as connection:
        names = sorted(set(inspect(connection).get_table_names()) - {"alembic_version"})
        found = {name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in names}
    database.close()
    return found


def test_each_revision_can_be_taken_back_and_taken_again_and_keeps_the_rows(url):
    migrate.upgrade(url)
    sid, token = live_a_little(url)
    before = counts(url)
    assert {name for name, count in before.items() if count} >= {
        "sessions",
        "participants",
        "tickets",
        "tokens",
        "grants",
    }
    newest_first = [script.revision for script in migrate._scripts().walk_revisions()]
    for revision in newest_first[1:]:
        migrate.downgrade(url, revision)
        assert migrate.status(url).revision == revision
        kept = counts(url)
        assert kept == {name: before[name] for name in kept}
        migrate.upgrade(url)
        again = counts(url)
        assert {name: again[name] for name in kept} == kept
    stores = SqlStores.open(url)
    assert stores.sessions.find(sid).is_live(NOW)
    assert isinstance(stores.tokens.find_token(token, "at", 0, NOW), FoundToken)
    told = stores.sessions.end(sid, "sign_out", NOW + 5).notifications
    assert [(row.client_id, row.kind, bool(row.ticket)) for row in told] == [
        ("shop", "oidc", False),
        ("wiki", "cas", True),
    ]
    assert opened(stores)
    stores.close()


def test_what_was_taken_back_to_the_oldest_revision_step_by_step_is_the_same_as_at_once(url):
    migrate.upgrade(url)
    for script in list(migrate._scripts().walk_revisions())[1:]:
        migrate.downgrade(url, script.revision)
    migrate.downgrade(url, "base")
    assert counts(url) == {}
    assert migrate.status(url).age == "none"
    migrate.upgrade(url)
    assert migrate.status(url).age == "current"


def test_a_revision_that_does_not_exist_or_is_not_older_is_refused_with_the_names_of_those_that_do(url):
    migrate.upgrade(url)
    migrate.downgrade(url, "0001")
    for revision in ("0007", "0002", "head"):
        with pytest.raises(Refused, match="there are: base"):
            migrate.downgrade(url, revision)
    assert migrate.status(url).revision == "0001"
    assert migrate.status(url).pending[0] == "0002"


UPGRADE = "import sys; from sso_server.stores.sql import migrate; migrate.upgrade(sys.argv[1])"


def start_upgrade(url):
    return subprocess.Popen([sys.executable, "-c", UPGRADE, url])


@on_postgres
def test_processes_that_upgrade_at_once_wait_for_each_other(postgres_url):
    processes = [start_upgrade(postgres_url) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert migrate.status(postgres_url).age == "current"


@on_postgres
def test_a_migration_that_is_killed_has_not_happened_and_the_next_one_goes_through(postgres_url, postgres):
    migrate.upgrade(postgres_url)
    migrate.downgrade(postgres_url, "0001")
    before = counts(postgres_url)
    name = postgres_url.rpartition("/")[2]
    with psycopg.connect(postgres.admin_url(name)) as other:
        # It stands in the middle: some tables are changed, this one isn't yet.
        other.execute("LOCK TABLE tokens IN ACCESS SHARE MODE")
        process = start_upgrade(postgres_url)
        waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'tokens'::regclass"
        deadline = time.monotonic() + 60
        while not postgres.sql(waiting, database=name):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
    assert migrate.status(postgres_url).revision == "0001"
    assert counts(postgres_url) == before
    migrate.upgrade(postgres_url)
    assert migrate.status(postgres_url).age == "current"


@on_postgres
def test_a_table_that_somebody_holds_delays_others_for_moments_only_and_is_said_in_the_end(
    postgres_url, postgres, monkeypatch
):
    monkeypatch.setattr(migrate, "_LOCK_MS", 100)
    monkeypatch.setattr(migrate, "_LOCK_TRIES", 3)
    monkeypatch.setattr(migrate, "_LOCK_PAUSE_S", 0.05)
    migrate.upgrade(postgres_url)
    migrate.downgrade(postgres_url, "0001")
    with psycopg.connect(postgres.admin_url(postgres_url.rpartition("/")[2])) as dump:
        dump.execute("LOCK TABLE tokens IN ACCESS SHARE MODE")
        with pytest.raises(Refused, match="a backup that runs"):
            migrate.upgrade(postgres_url)
        assert migrate.status(postgres_url).revision == "0001"
    migrate.upgrade(postgres_url)


@on_postgres
def test_a_role_that_may_only_work_with_rows_serves_and_is_told_that_it_may_not_migrate(postgres):
    url = postgres.create_database()
    name = url.rpartition("/")[2]
    role = f"clerk_{secrets.token_hex(4)}"
    postgres.sql(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
    clerk = f"postgresql://{role}:{PASSWORD}@127.0.0.1:{postgres.port}/{name}"
    with pytest.raises(Refused, match="role may not change the schema"):
        migrate.upgrade(clerk)
    migrate.upgrade(url)
    for right in (
        "SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public",
        "USAGE ON ALL SEQUENCES IN SCHEMA public",
    ):
        postgres.sql(f"GRANT {right} TO {role}", database=name)
    migrate.upgrade(clerk)  # nothing to do is no need for a right
    live_a_little(clerk)
    stores = SqlStores.open(clerk)
    (row,) = stores.outbox.claim("worker", NOW + 10, 10, 1000)
    stores.outbox.record([a_result(row, row.state)], NOW + 11)
    assert not any("time limit" in problem for problem in stores.health.problems())
    assert stores.past.look().incarnation
    stores.sweeps.purge(NOW, 100)
    stores.close()
    migrate.downgrade(url, "0002")
    with pytest.raises(Refused, match="role may not change the schema"):
        migrate.upgrade(clerk)


def columns_of(url):
    database = Database(url)
    with database.read() as connection:
        found = {
            (table, column["name"]): column
            for table in inspect(connection).get_table_names()
            for column in inspect(connection).get_columns(table)
        }
    database.close()
    return found


def test_what_the_version_before_writes_fits_the_newer_schema(url):
    """Its statements name every column but those of 0006, which it doesn't know."""
    migrate.upgrade(url)
    columns = columns_of(url)
    migrate.downgrade(url, "0005")
    before = columns_of(url)
    known_tables = {table for table, _ in before}
    new = {(table, name) for table, name in set(columns) - set(before) if table in known_tables}
    assert new == {("guesses", "previous_at")}
    assert all(columns[one]["default"] is not None or columns[one]["nullable"] for one in new)
    assert set(before) <= set(columns)


def test_an_upgrade_asks_no_proof_key_of_a_site_that_went_without_and_leaves_its_row_writable(url):
    migrate.upgrade(url)
    stores = SqlStores.open(url)
    wiki = Client("wiki", "Wiki", NOW, redirect_uris=("https://wiki.example/cb",))
    sites = (
        wiki,
        replace(wiki, client_id="app", public=True),
        site_client("shop", "Shop", "https://shop.example", NOW),
    )
    for site in sites:
        assert stores.clients.add(site)
    stores.close()
    migrate.downgrade(url, "0004")
    migrate.upgrade(url)
    stores = SqlStores.open(url)
    found = {client.client_id: client for client in stores.clients.list_clients()}
    assert {name: client.metadata.require_pkce for name, client in found.items()} == {
        "wiki": False,
        "app": True,
        "shop": True,
    }
    assert stores.clients.update(replace(found["wiki"], name="Renamed"), found["wiki"])
    stores.close()
