"""A Redis that hangs, dies, forbids writes, is full: always Unavailable, soon, and it goes on by itself afterwards."""

import os
import signal
import time

import pytest
import redis

from sso_server.core.errors import Unavailable
from sso_server.stores.redis import RedisStores
from tests.stores.redis.story import NOW, new_report, new_session, new_ticket
from tests.support.services import running_redis

pytestmark = pytest.mark.redis

STEPS = {
    "open": lambda stores, session: stores.sessions.open(session, NOW, 1),
    "find": lambda stores, session: stores.sessions.find(session.sid),
    "end": lambda stores, session: stores.sessions.end(session.sid, "sign_out", NOW),
    "put": lambda stores, session: stores.tickets.put(new_ticket(session)),
    "check_in": lambda stores, _: stores.check_ins.check_in(new_report(), NOW, 10),
    "claim": lambda stores, _: stores.outbox.claim("w", NOW, 10, 1000),
    "store_time": lambda stores, _: stores.health.store_time(),
}


@pytest.fixture
def own_url(tmp_path):
    """A redis-server that this test may hurt."""
    with running_redis(tmp_path) as url:
        yield url


@pytest.fixture
def own(own_url):
    stores = RedisStores.open(own_url)
    yield stores
    stores.close()


@pytest.fixture
def meddler(own_url):
    with redis.Redis.from_url(own_url, socket_timeout=5, decode_responses=True) as connection:
        yield connection


def assert_every_step_is_unavailable(stores, session, steps, within_s):
    for step in steps:
        began = time.monotonic()
        with pytest.raises(Unavailable) as caught:
            STEPS[step](stores, session)
        assert time.monotonic() - began < within_s, step
        assert caught.value.detail.startswith("Redis: ")
        assert session.sid not in caught.value.description


def test_a_frozen_redis_is_unavailable_after_about_a_second_and_goes_on_by_itself(own, meddler):
    session = new_session()
    own.sessions.open(session, NOW, 1)
    pid = meddler.info("server")["process_id"]
    os.kill(pid, signal.SIGSTOP)
    try:
        # redis-py's own defaults take ten seconds and more.
        assert_every_step_is_unavailable(own, session, ["find", "end", "claim"], within_s=5)
    finally:
        os.kill(pid, signal.SIGCONT)
    found = own.sessions.find(session.sid)
    assert found is not None
    assert found.sid == session.sid


def test_a_redis_that_is_away_is_unavailable_at_once(own, own_url, tmp_path):
    session = new_session()
    own.sessions.open(session, NOW, 1)
    with redis.Redis.from_url(own_url) as connection:
        connection.shutdown(nosave=True)
    assert_every_step_is_unavailable(own, session, STEPS, within_s=3)


def test_idle_connections_that_a_restart_has_cut_are_opened_again(own, meddler):
    session = new_session()
    own.sessions.open(session, NOW, 1)
    meddler.client_kill_filter(_type="normal", skipme=True)
    assert own.sessions.find(session.sid) is not None


def test_a_redis_that_takes_no_writes_is_unavailable_for_every_step_that_must_write(own, meddler):
    session = new_session()
    own.sessions.open(session, NOW, 1)
    meddler.replicaof("127.0.0.1", 1)
    meddler.config_set("replica-serve-stale-data", "yes")
    assert_every_step_is_unavailable(own, session, ["open", "end", "put", "check_in", "store_time"], within_s=3)


def test_a_redis_whose_memory_is_full_is_unavailable_and_has_half_done_nothing(own, meddler):
    session = new_session()
    meddler.config_set("maxmemory", "1")
    assert_every_step_is_unavailable(own, session, ["open", "put", "check_in", "store_time"], within_s=3)
    # An index may name what never came to be.
    assert [key for key in meddler.keys("*") if "{u:" not in key] == []


def test_a_full_pool_of_connections_waits_its_second_and_is_unavailable(own, own_url, meddler):
    stores = RedisStores.open(f"{own_url}?max_connections=1&timeout=0.1")
    server = stores._link._topology.server
    held = server.take(None)
    with pytest.raises(Unavailable):
        stores.health.store_time()
    server.give_back(held)
    assert stores.health.store_time() > 0
    stores.close()


@pytest.mark.parametrize("url", ["http://127.0.0.1:6379", "redis+other://127.0.0.1", ""])
def test_an_address_of_another_kind_is_refused_at_once(url):
    with pytest.raises(ValueError, match="SSO_REDIS_URL"):
        RedisStores.open(url)


def test_a_prefix_that_would_move_the_keys_is_refused():
    with pytest.raises(ValueError, match="prefix"):
        RedisStores.open("redis://127.0.0.1:1", "lock{step}")


def test_settings_that_break_the_promise_are_named(own, meddler):
    (kept,) = own.health.problems()
    for words in (
        "a restart loses what is in no snapshot",
        "Check-ins then wait",
        "must sign in again",
        "appendonly yes",
    ):
        assert words in kept
    meddler.config_set("maxmemory", "100mb")
    assert len(own.health.problems()) == 1
    meddler.config_set("maxmemory-policy", "allkeys-lru")
    assert "maxmemory-policy allkeys-lru" in own.health.problems()[1]


def test_a_redis_that_keeps_what_it_is_told_has_no_problems(tmp_path):
    with running_redis(tmp_path, "--appendonly", "yes") as url:
        stores = RedisStores.open(url)
        assert stores.health.problems() == []
        stores.close()


def test_a_redis_that_forbids_config_is_asked_by_info(own, own_url, meddler):
    meddler.config_set("maxmemory", "100mb")
    meddler.config_set("maxmemory-policy", "volatile-ttl")
    meddler.execute_command("ACL", "SETUSER", "limited", "on", ">pw", "~*", "+@all", "-config")
    limited = RedisStores.open(own_url.replace("redis://", "redis://limited:pw@"))
    assert len(limited.health.problems()) == 2
    meddler.execute_command("ACL", "SETUSER", "limited", "-info")
    assert [line for line in limited.health.problems() if "neither CONFIG nor INFO" in line]
    limited.close()


def test_the_stores_clock_is_the_servers(own, meddler):
    seconds, _ = meddler.time()
    assert 0 <= own.health.store_time() - seconds * 1000 < 10_000
