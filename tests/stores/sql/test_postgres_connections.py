"""What happens to connections when PostgreSQL restarts, hangs, sends somebody away, is a standby or full."""

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy import text

from sso_server.core.errors import Unavailable
from sso_server.core.sessions import EndReason
from sso_server.stores.sql import SqlStores, migrate
from sso_server.stores.sql import postgres as engine
from sso_server.stores.sql.engine import Database
from tests.support.builders import NOW, opened
from tests.support.certificates import make_authority
from tests.support.pgbouncer import find_pgbouncer, running_pgbouncer
from tests.support.postgres import PASSWORD, ROLE, make_postgres, running_postgres, running_standby

pytestmark = [pytest.mark.postgres, pytest.mark.engines]


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A server that these tests stop, freeze and fill."""
    with running_postgres(tmp_path_factory.mktemp("own")) as server:
        yield server


@pytest.fixture
def url(own):
    """A migrated database on it."""
    url = own.create_database()
    migrate.upgrade(url)
    return url


@pytest.fixture
def stores(url):
    stores = SqlStores.open(url)
    yield stores
    stores.close()


@contextlib.contextmanager
def unavailable(why=""):
    """What the block does is Unavailable, for this reason."""
    with pytest.raises(Unavailable) as caught:
        yield
    assert why in caught.value.detail


def use_several(stores, number=5):
    """So many connections at once, so that the pool has them."""
    together = threading.Barrier(number)

    def read(_):
        with stores.database.read() as connection:
            together.wait(10)
            return connection.execute(text("SELECT pg_backend_pid()")).scalar_one()

    with ThreadPoolExecutor(number) as threads:
        assert len(set(threads.map(read, range(number)))) == number


def test_a_restart_while_nothing_is_asked_fails_no_request(own, stores):
    session = opened(stores)
    use_several(stores)
    own.stop()
    own.start()
    for _ in range(6):
        assert stores.sessions.find(session.sid) == session
        stores.sessions.touch(session.sid, NOW)


def test_whoever_is_sent_away_between_two_requests_is_not_noticed(own, stores):
    session = opened(stores)
    use_several(stores)
    own.sql("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = 'lockstep'")
    with ThreadPoolExecutor(5) as threads:
        assert list(threads.map(stores.sessions.find, [session.sid] * 20)) == [session] * 20


def test_an_end_whose_connection_dies_in_the_middle_has_not_happened(own, stores):
    session = opened(stores)
    with unavailable("database"), stores.database.write() as connection:
        connection.execute(text("UPDATE sessions SET ended_at = 1"))
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        own.sql("SELECT pg_terminate_backend(%s, 10000)", pid)
        connection.execute(text("UPDATE sessions SET end_reason = 'x'"))
    assert stores.sessions.find(session.sid) == session
    assert stores.sessions.end(session.sid, EndReason.SIGN_OUT.value, NOW + 1).first


def test_after_a_restart_under_load_the_first_request_that_can_succeed_does(own, stores):
    """Each of eight threads asks all the time. Those whose question was under way fail, and who comes while there is no
    server; from the moment on that it answers, nobody."""
    session = opened(stores)
    failed, stop = [], threading.Event()

    def keep_asking(_):
        while not stop.is_set():
            begun = time.monotonic()
            try:
                stores.sessions.touch(session.sid, NOW + 1)
            except Unavailable:
                failed.append(begun)
                time.sleep(0.01)

    with ThreadPoolExecutor(8) as threads:
        running = [threads.submit(keep_asking, number) for number in range(8)]
        time.sleep(0.3)
        own.stop()
        own.start()
        back = time.monotonic()
        time.sleep(1)
        stop.set()
        for one in running:
            one.result(timeout=30)
    assert failed, "it was never away"
    assert [begun for begun in failed if begun > back] == []


def test_a_server_that_hangs_costs_a_bounded_wait_and_is_used_again_when_it_goes_on(own, stores, monkeypatch):
    monkeypatch.setattr(engine.BoundedConnection, "answer_s", 0.5)
    session = opened(stores)
    use_several(stores, 2)
    own.freeze()
    try:
        for _ in range(2):
            begun = time.monotonic()
            with unavailable():
                stores.sessions.find(session.sid)
            # The first waits for its answer, the second for a new connection.
            assert time.monotonic() - begun < engine.CONNECT_S + 5
    finally:
        own.thaw()
    assert stores.sessions.find(session.sid) == session


@pytest.mark.parametrize(
    ("statement", "settings"),
    [
        ("SELECT pg_sleep(5)", "SET LOCAL statement_timeout = 100"),
        ("LOCK TABLE clients", "SET LOCAL lock_timeout = 100"),
        ("UPDATE marks SET value = 1", "SET TRANSACTION READ ONLY"),
        ("SELECT pg_terminate_backend(pg_backend_pid())", "SELECT 1"),
    ],
    ids=["too slow", "locked", "read-only", "sent away"],
)
def test_what_a_server_cannot_do_now_is_unavailable_and_leaves_a_pool_that_works(own, url, stores, statement, settings):
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE clients")
        with unavailable(), stores.database.write() as connection:
            connection.execute(text(settings))
            connection.execute(text(statement))
    assert stores.clients.list_clients() == []


def test_no_more_connections_than_the_setting_says_and_who_finds_none_is_told(own, url):
    stores = SqlStores.open(url, busy_ms=300, connections=2)
    hold, held = threading.Event(), threading.Semaphore(0)

    def keep_one():
        with stores.database.read() as connection:
            connection.execute(text("SELECT 1"))
            held.release()
            hold.wait(20)

    threads = [threading.Thread(target=keep_one) for _ in range(2)]
    for thread in threads:
        thread.start()
        assert held.acquire(timeout=10)
    with unavailable():
        stores.clients.list_clients()
    (count,) = own.sql("SELECT count(*) FROM pg_stat_activity WHERE datname = %s", url.rpartition("/")[2])[0]
    assert count == 2
    hold.set()
    for thread in threads:
        thread.join(10)
    assert stores.clients.list_clients() == []
    stores.close()


def test_a_server_without_a_free_connection_is_unavailable(own, url):
    own.sql(f"ALTER ROLE {ROLE} CONNECTION LIMIT 1")
    try:
        with psycopg.connect(url):
            stores = SqlStores.open(url)
            with unavailable("connections"):
                stores.clients.list_clients()
            stores.close()
    finally:
        own.sql(f"ALTER ROLE {ROLE} CONNECTION LIMIT -1")


def test_with_several_hosts_the_one_that_takes_writes_is_found_and_found_again_when_a_standby_is_promoted(tmp_path):
    with running_postgres(tmp_path / "a") as primary:
        url = primary.create_database("both_know")
        migrate.upgrade(url)
        with running_standby(primary, tmp_path / "b") as standby:
            # The standby first: it answers, and can't be written.
            hosts = f"{standby.host}:{standby.port},{primary.host}:{primary.port}"
            stores = SqlStores.open(f"postgresql://{ROLE}:{PASSWORD}@{hosts}/both_know")
            session = opened(stores)
            assert not any("leads to a PostgreSQL standby" in problem for problem in stores.health.problems())
            sent = primary.sql("SELECT pg_current_wal_lsn()")[0][0]
            deadline = time.monotonic() + 30
            while not standby.sql("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", sent)[0][0]:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            before = stores.past.look()
            primary.kill()
            with unavailable():
                stores.sessions.touch(session.sid, NOW + 1)
            standby.promote()
            stores.sessions.touch(session.sid, NOW + 1)
            assert stores.sessions.end(session.sid, EndReason.SIGN_OUT.value, NOW + 2).first
            assert stores.past.look() != before, "another timeline"
            stores.close()


def test_one_host_that_is_a_standby_reads_and_is_unavailable_for_writing(tmp_path, own, url):
    with running_standby(own, tmp_path) as standby:
        stores = SqlStores.open(standby.url(url.rpartition("/")[2]))
        assert stores.clients.list_clients() == []
        with unavailable("read-only"):
            opened(stores)
        with unavailable("read-only"):
            stores.health.store_time()
        assert any("standby" in problem for problem in stores.health.problems())
        stores.close()


def test_tls_is_checked_against_the_authority_and_the_name(tmp_path):
    authority = make_authority(tmp_path)
    authority.context("127.0.0.1")
    server = make_postgres(tmp_path / "tls", fast=True)
    server.use_certificate(tmp_path / "127.0.0.1.pem", tmp_path / "127.0.0.1.pem")
    try:
        server.start()
        server.create_database("secured")
        stores = SqlStores.open(server.url("secured", sslmode="verify-full", sslrootcert=authority.ca_file))
        migrate.upgrade(server.url("secured", sslmode="verify-full", sslrootcert=authority.ca_file))
        session = opened(stores)
        with stores.database.read() as connection:
            (used,) = connection.execute(text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")).one()
        assert used
        use_several(stores)
        server.stop()
        server.start()
        assert stores.sessions.find(session.sid) == session
        stores.close()
        (tmp_path / "other").mkdir()
        stranger = make_authority(tmp_path / "other")
        stores = SqlStores.open(server.url("secured", sslmode="verify-full", sslrootcert=stranger.ca_file))
        with unavailable("SSL"):
            stores.clients.list_clients()
        stores.close()
    finally:
        server.remove()


@pytest.mark.skipif(find_pgbouncer() is None, reason="PgBouncer is not installed")
def test_behind_pgbouncer_transactions_share_connections(own, url):
    with running_pgbouncer(own, url.rpartition("/")[2]) as pooled:
        migrate.upgrade(pooled)
        stores = SqlStores.open(pooled)

        def live(number):
            session = opened(stores, browser_hash=f"browser-{number}")
            for moment in range(8):  # prepared statements begin with the sixth
                stores.sessions.touch(session.sid, NOW + moment)
            assert stores.sessions.end(session.sid, EndReason.SIGN_OUT.value, NOW + 9).first
            return session.sid

        with ThreadPoolExecutor(8) as threads:
            sids = list(threads.map(live, range(40)))
        assert len(set(sids)) == 40
        assert any("no time limit" in problem for problem in stores.health.problems())
        stores.close()
        for limit, length in (("statement", "10s"), ("lock", "5s"), ("idle_in_transaction_session", "30s")):
            own.sql(f"ALTER ROLE {ROLE} SET {limit}_timeout = '{length}'")
    try:
        with running_pgbouncer(own, url.rpartition("/")[2]) as pooled:
            stores = SqlStores.open(pooled)
            assert stores.health.problems() == []
            stores.close()
    finally:
        own.sql(f"ALTER ROLE {ROLE} RESET ALL")


def test_a_url_names_its_own_limits(own, url):
    database = Database(f"{url}?application_name=other&connect_timeout=1")
    with database.read() as connection:
        name = connection.execute(text("SHOW application_name")).scalar_one()
        limit = connection.execute(text("SHOW statement_timeout")).scalar_one()
    database.close()
    assert (name, limit) == ("other", "10s")
